//! The door of this process: a socket that command lines of the same user knock at.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::runtime_folder::{own_path, sweep};
use crate::serving::{Visits, attend, spawn_deaf};

/// So many visitors at once have a thread here; others are sent away.
const MOST_VISITORS: usize = 4;
/// So many more may wait in the kernel.
const BACKLOG: libc::c_int = 8;
/// How long somebody may stand at the door without a word.
const KNOCK_LIMIT: Duration = Duration::from_secs(2);
/// After a failure such as a lack of descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// The socket that listens, for a forked child to close; -1 when there is none.
static LISTENING: AtomicI32 = AtomicI32::new(-1);

/// An open door. It is this process's alone: a forked child has neither the thread nor the socket.
#[derive(Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    pub(crate) owner: u32,
    socket: Arc<OwnedFd>,
    doorman: Option<Doorman>,
}

#[derive(Debug)]
struct Doorman {
    thread: JoinHandle<()>,
    /// Readable when the thread is to end.
    bell: Arc<OwnedFd>,
}

impl Listener {
    /// Opens the door. Nothing happens in the process until somebody knocks: one thread sleeps.
    ///
    /// # Errors
    /// When the folder is not ours alone, or the kernel refuses a socket or a thread.
    pub(crate) fn open() -> io::Result<Self> {
        let path = own_path()?;
        if let Some(folder) = path.parent() {
            sweep(folder);
        }
        let socket = Arc::new(listening_at(&path)?);
        close_in_children();
        LISTENING.store(socket.as_raw_fd(), SeqCst);
        let mut listener = Self {
            path,
            owner: std::process::id(),
            socket,
            doorman: None,
        };
        listener.attend()?;
        Ok(listener)
    }

    /// The path of the socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the thread, unless it runs.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub(crate) fn attend(&mut self) -> io::Result<()> {
        if self.doorman.is_some() {
            return Ok(());
        }
        let bell = Arc::new(event()?);
        let socket = Arc::clone(&self.socket);
        let heard = Arc::clone(&bell);
        let thread = spawn_deaf("leakhunt-door", move || attend_door(&socket, &heard))?;
        self.doorman = Some(Doorman { thread, bell });
        Ok(())
    }

    /// Ends the thread, for a moment or for good; who knocks meanwhile waits. A session that is under way
    /// goes on.
    pub(crate) fn pause(&mut self) {
        if let Some(doorman) = self.doorman.take() {
            ring(&doorman.bell);
            let _ = doorman.thread.join();
        }
    }

    /// In a forked child: what the parent has is not touched.
    pub(crate) fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENING.store(-1, SeqCst);
        let _ = std::fs::remove_file(&self.path);
        self.pause();
    }
}

fn listening_at(path: &Path) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket takes integers and touches no memory of ours.
    let socket = owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: all zeroes are an address.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= address.sun_path.len() {
        return Err(io::Error::other("the path for the socket is too long"));
    }
    for (to, &from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from as libc::c_char;
    }
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is valid for its length.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound != 0 {
        return Err(io::Error::last_os_error());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    // SAFETY: listen takes integers.
    if unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

/// Lets visitors in until the bell rings.
fn attend_door(socket: &OwnedFd, bell: &OwnedFd) {
    let mut visitors: Vec<JoinHandle<()>> = Vec::new();
    loop {
        if !somebody_comes(socket, bell) {
            return;
        }
        let flags = libc::SOCK_CLOEXEC;
        let nobody = std::ptr::null_mut();
        // SAFETY: the address of the other end is not asked for.
        let accepted = unsafe { libc::accept4(socket.as_raw_fd(), nobody, nobody.cast(), flags) };
        let Ok(visitor) = owned(accepted) else {
            std::thread::sleep(RETRY);
            continue;
        };
        visitors.retain(|visitor| !visitor.is_finished());
        if visitors.len() < MOST_VISITORS
            && may_enter(&visitor)
            && let Ok(thread) = attend(visitor, Visits::One(KNOCK_LIMIT))
        {
            visitors.push(thread);
        }
    }
}

/// Waits; `false` when the thread is to end.
fn somebody_comes(socket: &OwnedFd, bell: &OwnedFd) -> bool {
    let entry = |fd: &OwnedFd| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polls = [entry(socket), entry(bell)];
    loop {
        // SAFETY: the array is valid for its whole length, which is passed.
        if unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) } < 0 {
            std::thread::sleep(RETRY);
        }
        if polls[1].revents != 0 {
            return false;
        }
        if polls[0].revents != 0 {
            return true;
        }
    }
}

/// Whether it is the user whose process this is, or root. The mode of the file says the same; this holds
/// where a file system does not keep modes.
fn may_enter(visitor: &OwnedFd) -> bool {
    // SAFETY: all zeroes are credentials, of nobody.
    let mut peer: libc::ucred = unsafe { mem::zeroed() };
    let mut len = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the kernel writes credentials, and their size is passed.
    let known = unsafe {
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        let to = (&raw mut peer).cast();
        libc::getsockopt(visitor.as_raw_fd(), level, name, to, &raw mut len)
    };
    // SAFETY: geteuid cannot fail and touches no memory.
    let own_uid = unsafe { libc::geteuid() };
    known == 0 && (peer.uid == own_uid || peer.uid == 0)
}

/// Makes forked children close the socket: somebody who knocks would wait for them after this process's
/// end.
fn close_in_children() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    unsafe extern "C" fn in_child() {
        let socket = LISTENING.swap(-1, SeqCst);
        if socket >= 0 {
            // SAFETY: the child's copy of a descriptor that nobody else there knows.
            unsafe { libc::close(socket) };
        }
    }
    // SAFETY: this library is never unloaded, and `in_child` does what a signal handler may.
    ONCE.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
}

fn event() -> io::Result<OwnedFd> {
    // SAFETY: eventfd takes integers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

fn ring(bell: &OwnedFd) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the kernel reads eight bytes.
    unsafe { libc::write(bell.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
