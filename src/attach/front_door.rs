//! The other way in: a door that the target has opened itself, by `leakhunt.listen()`.
//!
//! No ptrace is needed there. Who answers is checked by what the kernel says of the other end: a
//! socket of the right name that somebody else has put there is no door of the target.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leakhunt_wire::{DoorName, KNOCK};

use crate::pidfd::PidFd;
use crate::preflight::gone;
use crate::status::Status;
use crate::{AttachError, Channel};

/// A way to the agent that needs no ptrace.
#[derive(Debug)]
pub enum FrontDoor {
    /// A socket in the runtime folder of the target's user.
    Listening(PathBuf),
    /// A connection that the target has given to its child.
    Inherited(OwnedFd),
}

impl FrontDoor {
    /// The door of a process, where it has opened one; whether it lets us in shows when we knock. Reads
    /// the list of sockets, about a microsecond for each.
    pub fn of(pid: u32) -> Option<Self> {
        let status = Status::of(pid).ok()?;
        let name = DoorName {
            pid: status.own_pid,
            start_ticks: start_ticks(pid)?,
        };
        let name = name.to_string();
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        let listed = fs::read(format!("/proc/{pid}/net/unix")).unwrap_or_default();
        let usual = usual_folders(status.uid).map(|folder| folder.join(&name));
        let found = listed_path(&listed, &name).into_iter().chain(usual);
        let by_both_roots = found.flat_map(|path| [under(&root, &path), path]);
        by_both_roots
            .filter(|path| fs::symlink_metadata(path).is_ok())
            .map(Self::Listening)
            .next()
            // The folder of another user cannot be looked into.
            .or_else(|| listed_path(&listed, &name).map(Self::Listening))
    }

    /// A connection that this process has inherited under that number.
    ///
    /// # Errors
    /// When there is no such descriptor, or it is not that of a door.
    pub fn inherited(fd: RawFd) -> io::Result<Self> {
        // SAFETY: both calls take integers; what we start does not inherit the connection.
        let copy = unsafe {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3)
        };
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Self::Inherited(unsafe { OwnedFd::from_raw_fd(copy) }))
    }

    /// Asks for a session. The first packet of the channel is `Hello`, or a `Goodbye` that tells why not.
    ///
    /// # Errors
    /// When nobody is there, or it is somebody else's door.
    pub fn knock(&self, pid: u32) -> Result<Channel, AttachError> {
        let status = Status::of(pid).map_err(|_| AttachError::NoSuchProcess { pid })?;
        let process = PidFd::open(pid).map_err(|_| AttachError::Exited { pid })?;
        let socket = match self {
            Self::Inherited(socket) => socket.try_clone().map_err(|source| AttachError::Own {
                doing: "copy a descriptor",
                source,
            })?,
            Self::Listening(path) => {
                let socket = connect(path).map_err(|source| refused(pid, &status, source))?;
                if !is_of(socket.as_raw_fd(), pid, &status) {
                    return Err(AttachError::NoDoor { pid });
                }
                socket
            }
        };
        let process = Arc::new(process);
        let channel = Channel::new(pid, socket, process.clone());
        channel.knock(KNOCK).map_err(|source| {
            if process.has_exited() {
                gone(pid, &process)
            } else {
                AttachError::NoChannel { pid, source }
            }
        })?;
        Ok(channel)
    }
}

/// Where a door is put, except in a runtime folder of another name.
fn usual_folders(uid: u32) -> impl Iterator<Item = PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("leakhunt"));
    let others = [
        PathBuf::from(format!("/run/user/{uid}/leakhunt")),
        PathBuf::from(format!("/tmp/leakhunt-{uid}")),
    ];
    own.into_iter().chain(others)
}

/// The path of a door of that name in the kernel's list of sockets. The target sees it from its root.
fn listed_path(sockets: &[u8], name: &str) -> Option<PathBuf> {
    let sockets = String::from_utf8_lossy(sockets);
    let paths = sockets.lines().filter_map(|line| line.split_once('/'));
    let paths = paths.map(|(_, path)| PathBuf::from(format!("/{path}")));
    paths.into_iter().find(|path| {
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        let is_ours = folder.to_string_lossy().starts_with("leakhunt");
        is_ours && path.file_name().is_some_and(|file| file == name)
    })
}

fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// By a descriptor of the path: an address holds 107 bytes only.
fn connect(path: &Path) -> io::Result<OwnedFd> {
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)?;
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket takes integers and touches no memory of ours.
    let fd = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zeroes are an address.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let text = format!("/proc/self/fd/{}", file.as_raw_fd());
    for (to, from) in address.sun_path.iter_mut().zip(text.bytes()) {
        *to = from as libc::c_char;
    }
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is valid for its length.
    let connected = unsafe { libc::connect(fd, (&raw const address).cast(), len) };
    if connected != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

fn refused(pid: u32, status: &Status, source: io::Error) -> AttachError {
    match source.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            // SAFETY: geteuid cannot fail and touches no memory.
            let own_uid = unsafe { libc::geteuid() };
            AttachError::DoorOfOther {
                pid,
                uid: status.uid,
                own_uid,
            }
        }
        Some(libc::EAGAIN) => AttachError::DoorBusy { pid },
        _ => AttachError::NoDoor { pid },
    }
}

/// Whether the other end is that process, by what the kernel noted when it began to listen.
fn is_of(socket: RawFd, pid: u32, status: &Status) -> bool {
    // SAFETY: all zeroes are credentials, of nobody.
    let mut peer: libc::ucred = unsafe { mem::zeroed() };
    let mut len = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the kernel writes credentials, and their size is passed.
    let known = unsafe {
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        libc::getsockopt(socket, level, name, (&raw mut peer).cast(), &raw mut len)
    };
    let is_process = u32::try_from(peer.pid) == Ok(pid);
    // Root, where it has given up its rights since.
    known == 0 && is_process && (peer.uid == status.uid || peer.uid == 0)
}

/// As [`crate::discover`] reads it.
fn start_ticks(pid: u32) -> Option<u64> {
    crate::discover::start_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_door_is_found_in_the_list_of_sockets_by_its_name() {
        let list = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000: 00000002 00000000 00010000 0005 01 22 /run/dbus/7-9.sock\n\
            0000: 00000002 00000000 00010000 0005 01 23 /srv/run/leakhunt/17-9.sock\n\
            0000: 00000003 00000000 00000000 0001 03 24\n\
            0000: 00000002 00000000 00010000 0005 01 25 @abstract\n\
            0000: 00000002 00000000 00010000 0005 01 26 /tmp/leakhunt-5/7-9.sock\n";
        let path = listed_path(list, "7-9.sock");
        assert_eq!(path, Some("/tmp/leakhunt-5/7-9.sock".into()));
        assert_eq!(listed_path(list, "8-9.sock"), None);
        assert_eq!(
            under(Path::new("/proc/7/root"), Path::new("/tmp/a")),
            Path::new("/proc/7/root/tmp/a")
        );
    }

    #[test]
    fn a_process_without_a_door_has_none() {
        assert!(FrontDoor::of(std::process::id()).is_none());
        assert!(FrontDoor::of(u32::MAX).is_none());
    }

    #[test]
    fn a_socket_of_another_process_is_no_door_of_this_one() {
        let path = std::env::temp_dir().join(format!("lh-false-door-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let error = FrontDoor::Listening(path.clone()).knock(1).unwrap_err();
        fs::remove_file(path).unwrap();
        drop(listener);
        // A stream, and not of process 1.
        assert!(matches!(error, AttachError::NoDoor { pid: 1 }), "{error}");
    }

    #[test]
    fn a_number_that_is_no_descriptor_is_no_connection() {
        assert!(FrontDoor::inherited(987_654).is_err());
    }
}
