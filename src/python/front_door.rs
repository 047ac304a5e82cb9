//! A way in for a program of this process, or one that it starts: no listening, no path.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::JoinHandle;

use leakhunt_wire::{KNOCK, MAX_PACKET, Request, Writer};

use crate::serving::{Visits, attend};

/// Gives one end of a new connection whose other end the agent attends. Each knock there begins a
/// session; closing it ends the agent's thread.
///
/// # Errors
/// When there is no socket or no thread to be had, or this process has no interpreter.
pub(crate) fn connection() -> io::Result<(OwnedFd, JoinHandle<()>)> {
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
    let thread = attend(agents, Visits::Many)?;
    Ok((ours, thread))
}

/// A session with the agent of this process.
#[derive(Debug)]
pub struct Session {
    socket: Option<OwnedFd>,
    agent: Option<JoinHandle<()>>,
}

/// Starts the agent on a thread of its own. The calling thread must not hold the GIL while it waits
/// for an answer.
///
/// # Errors
/// When there is no socket or no thread to be had, or this process has no interpreter.
pub fn open() -> io::Result<Session> {
    let (socket, agent) = connection()?;
    let session = Session {
        socket: Some(socket),
        agent: Some(agent),
    };
    session.send_packet(KNOCK)?;
    Ok(session)
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
        self.send_packet(packet)
    }

    /// The agent's next packet; empty when it is gone.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive<'b>(&self, buffer: &'b mut [u8; MAX_PACKET]) -> io::Result<&'b [u8]> {
        // SAFETY: the kernel writes at most `MAX_PACKET` bytes.
        let len = unsafe { libc::recv(self.fd()?, buffer.as_mut_ptr().cast(), MAX_PACKET, 0) };
        usize::try_from(len)
            .map(|len| &buffer[..len])
            .map_err(|_| io::Error::last_os_error())
    }

    fn send_packet(&self, packet: &[u8]) -> io::Result<()> {
        // SAFETY: the kernel reads `packet`.
        let n_sent = unsafe {
            let start = packet.as_ptr().cast();
            libc::send(self.fd()?, start, packet.len(), libc::MSG_NOSIGNAL)
        };
        if n_sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn fd(&self) -> io::Result<libc::c_int> {
        let socket = self.socket.as_ref();
        socket
            .map(AsRawFd::as_raw_fd)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.send(&Request::Detach);
        drop(self.socket.take());
        if let Some(agent) = self.agent.take() {
            let _ = agent.join();
        }
    }
}
