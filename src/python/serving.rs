//! Sessions of the agent on threads of this process.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leakhunt_agent::serve;
use leakhunt_wire::{BOOT_VERSION, Boot, Capi, Goodbye, Knock, MAX_PACKET, N_CAPI, Reply, Writer};

/// The process in which a session is under way, or 0: the agent's library serves one at a time. A
/// forked child finds its parent's id here, and has no session.
static IN_SESSION: AtomicU32 = AtomicU32::new(0);

/// How long a knock may wait for the session before it: a visitor is told soon, threads of this process
/// wait for each other for nearly as long as a command line waits for an answer.
const VISITORS_WAIT: Duration = Duration::from_secs(1);
const OWN_WAIT: Duration = Duration::from_secs(8);
/// How often that is looked at.
const PAUSE: Duration = Duration::from_millis(2);

/// The right to serve a session.
#[derive(Debug)]
struct Claim;

impl Claim {
    fn within(limit: Duration) -> Option<Self> {
        let own = std::process::id();
        let start = Instant::now();
        loop {
            let taken = IN_SESSION.fetch_update(SeqCst, SeqCst, |pid| (pid != own).then_some(own));
            if taken.is_ok() {
                return Some(Self);
            }
            if start.elapsed() >= limit {
                return None;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        IN_SESSION.store(0, SeqCst);
    }
}

/// How many sessions a connection may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Visits {
    /// One, and its knock has to come within this time.
    One(Duration),
    /// As many as are asked for, one after the other, until the other end closes.
    Many,
}

/// Serves the sessions that are asked for on `socket`, on a thread of its own which ends with them.
///
/// # Errors
/// When there is no thread to be had, or this process has no interpreter.
pub(crate) fn attend(socket: OwnedFd, visits: Visits) -> io::Result<JoinHandle<()>> {
    let capi = capi_table()?;
    spawn_deaf("leakhunt-door", move || {
        while hears_knock(&socket, visits) {
            serve_once(&socket, capi, visits);
            name_thread();
            if matches!(visits, Visits::One(_)) {
                return;
            }
        }
    })
}

fn serve_once(socket: &OwnedFd, capi: [u64; N_CAPI], visits: Visits) {
    let wait = match visits {
        Visits::One(_) => VISITORS_WAIT,
        Visits::Many => OWN_WAIT,
    };
    let Some(_claim) = Claim::within(wait) else {
        return say(socket, &Reply::Goodbye(Goodbye::Busy));
    };
    // The agent closes the one that it gets.
    let Ok(agents) = socket.try_clone() else {
        return say(socket, &Reply::Goodbye(Goodbye::NoMemory));
    };
    let boot = Boot {
        version: BOOT_VERSION,
        socket: agents.into_raw_fd(),
        peer: -1,
        // The other end of what has many was given to a child of this process.
        is_guarded: i32::from(visits != Visits::Many),
        map_start: 0,
        map_len: 0,
        capi,
    };
    // SAFETY: the table is that of this process's interpreter, the descriptor is the agent's, this
    // thread is one of ours that no thread state was made for, and the claim is held until it ends.
    unsafe { serve(&boot) };
}

/// Waits for a knock; `false` when there is nobody to serve.
fn hears_knock(socket: &OwnedFd, visits: Visits) -> bool {
    if let Visits::One(limit) = visits
        && !is_readable(socket, limit)
    {
        return false;
    }
    loop {
        let mut packet = [0_u8; 64];
        // SAFETY: the kernel writes at most as many bytes as the buffer has; a longer packet is cut.
        let len = unsafe {
            let buffer = packet.as_mut_ptr().cast();
            libc::recv(socket.as_raw_fd(), buffer, packet.len(), 0)
        };
        let heard = usize::try_from(len).ok().and_then(|len| packet.get(..len));
        let Some(heard) = heard.filter(|heard| !heard.is_empty()) else {
            return false;
        };
        match Knock::of(heard) {
            Knock::Ours => return true,
            Knock::OtherVersion => {
                say(socket, &Reply::Goodbye(Goodbye::OtherVersion));
                return false;
            }
            // What was meant for an agent that has left by itself meanwhile.
            Knock::Strange if visits == Visits::Many => {}
            Knock::Strange => return false,
        }
    }
}

fn is_readable(socket: &OwnedFd, limit: Duration) -> bool {
    let mut poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let limit_ms = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one valid pollfd is passed and its count is 1.
    unsafe { libc::poll(&raw mut poll, 1, limit_ms) == 1 }
}

/// Sends without waiting: nobody has to read it.
fn say(socket: &OwnedFd, reply: &Reply<'_>) {
    let mut buffer = [0; MAX_PACKET];
    let mut writer = Writer::new(&mut buffer);
    reply.encode(&mut writer);
    if let Some(packet) = writer.bytes() {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the kernel reads `packet`.
        unsafe {
            libc::send(
                socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                flags,
            )
        };
    }
}

/// Starts a thread that no signal of the process is delivered to: its handlers are the application's
/// business, and a thread of ours is not where it expects them to run. It has its name when this
/// returns.
pub(crate) fn spawn_deaf<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // SAFETY: both sets are written before they are read, and the calling thread's mask is put back.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let (begun, has_begun) = mpsc::channel();
        let started = thread::Builder::new().name(name.into()).spawn(move || {
            let _ = begun.send(());
            run()
        });
        let _ = has_begun.recv();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        started
    }
}

/// The agent has given the thread its own name, by which a command line sees that it is still there.
fn name_thread() {
    // SAFETY: the kernel reads a text that ends.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"leakhunt-door".as_ptr()) };
}

fn capi_table() -> io::Result<[u64; N_CAPI]> {
    let mut table = [0; N_CAPI];
    for symbol in Capi::ALL {
        let name = CString::new(symbol.name()).map_err(io::Error::other)?;
        // SAFETY: looks a name up among the loaded libraries.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as u64;
        if address == 0 && symbol.is_required() {
            let message = format!("this process has no {}", symbol.name());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        table[symbol as usize] = address;
    }
    Ok(table)
}
