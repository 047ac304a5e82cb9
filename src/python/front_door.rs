//! The agent on a thread of this process, with a channel to it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use leakhunt_agent::{Left, serve};
use leakhunt_wire::{BOOT_VERSION, Boot, Capi, MAX_PACKET, N_CAPI, Request, Writer};

/// The agent's library serves one session of a process at a time.
static ONE_SESSION: Mutex<()> = Mutex::new(());

/// A session with the agent of this process.
#[derive(Debug)]
pub struct Session {
    socket: OwnedFd,
    agent: Option<JoinHandle<Left>>,
    _only: MutexGuard<'static, ()>,
}

/// Starts the agent on a thread of its own. The calling thread must not hold the GIL while it waits
/// for an answer.
///
/// # Errors
/// When there is no socket or no thread to be had, or this process has no interpreter.
pub fn open() -> io::Result<Session> {
    let only = ONE_SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sockets = [-1; 2];
    // SAFETY: the kernel writes two descriptors.
    let made = unsafe {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        libc::socketpair(libc::AF_UNIX, kind, 0, sockets.as_mut_ptr())
    };
    if made != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both descriptors are new, and nobody else's.
    let [agents, ours] = sockets.map(|socket| unsafe { OwnedFd::from_raw_fd(socket) });
    let capi = capi_table()?;
    let agent = thread::Builder::new()
        .name("leakhunt".into())
        .spawn(move || {
            let boot = Boot {
                version: BOOT_VERSION,
                socket: agents.into_raw_fd(),
                peer: -1,
                reserved: 0,
                map_start: 0,
                map_len: 0,
                capi,
            };
            // SAFETY: the table is that of this process's interpreter, the descriptor is the agent's,
            // the thread is new, and `ONE_SESSION` is held until it ends.
            unsafe { serve(&boot) }
        })?;
    Ok(Session {
        socket: ours,
        agent: Some(agent),
        _only: only,
    })
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

impl Session {
    /// Asks something of the agent.
    ///
    /// # Errors
    /// When the agent is gone.
    pub fn send(&self, request: &Request<'_>) -> io::Result<()> {
        let mut buffer = [0; MAX_PACKET];
        let mut writer = Writer::new(&mut buffer);
        request.encode(&mut writer);
        let packet = writer
            .bytes()
            .ok_or_else(|| io::Error::other("the request is too long"))?;
        // SAFETY: the kernel reads `packet`.
        let n_sent = unsafe {
            let fd = self.socket.as_raw_fd();
            libc::send(fd, packet.as_ptr().cast(), packet.len(), libc::MSG_NOSIGNAL)
        };
        if n_sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// The agent's next packet; empty when it is gone.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive<'b>(&self, buffer: &'b mut [u8; MAX_PACKET]) -> io::Result<&'b [u8]> {
        // SAFETY: the kernel writes at most `MAX_PACKET` bytes.
        let len = unsafe {
            libc::recv(
                self.socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                MAX_PACKET,
                0,
            )
        };
        usize::try_from(len)
            .map(|len| &buffer[..len])
            .map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.send(&Request::Detach);
        if let Some(agent) = self.agent.take() {
            let _ = agent.join();
        }
    }
}
