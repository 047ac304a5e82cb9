//! Asking what the kernel tells of each socket, from within the process that has it open.

use leakhunt_wire::{Reply, Request};

use super::pump::Patience;
use super::{Link, Session, SessionError};

/// A process has no more descriptors than this, mostly.
const MOST_SOCKETS: usize = 1 << 20;

/// The agent tries each number up to this, a second and a half for all: no more than the kernel allows a process
/// by itself, sixteen times over.
const MOST_DESCRIPTORS: u32 = 1 << 24;

/// A socket that is open; the addresses and the rest as the kernel gives them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct OpenSocket {
    pub(crate) fd: u32,
    pub(crate) inode: u64,
    /// A `struct sockaddr`; empty for none.
    pub(crate) local: Vec<u8>,
    /// Likewise.
    pub(crate) peer: Vec<u8>,
    /// The process at the other end of a Unix socket; 0 where it is not known.
    pub(crate) peer_pid: u32,
    /// A `struct tcp_info`; empty for what is not TCP.
    pub(crate) tcp_info: Vec<u8>,
}

impl<L: Link> Session<L> {
    /// All sockets that the process has open at this moment, but the agent's own; by descriptor. `highest` is
    /// the highest descriptor that is known to be open, of whatever kind.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn sockets(&mut self, highest: u32) -> Result<Vec<OpenSocket>, SessionError> {
        self.send(&Request::Sockets(highest.min(MOST_DESCRIPTORS)))?;
        let mut sockets = Vec::new();
        let patience = Patience::with_look(2 * self.timeout);
        self.pump(patience, |reply, patience| match reply {
            Reply::Socket(socket) if sockets.len() < MOST_SOCKETS => {
                patience.is_answered();
                sockets.push(OpenSocket {
                    fd: socket.fd,
                    inode: socket.inode,
                    local: socket.local.to_vec(),
                    peer: socket.peer.to_vec(),
                    peer_pid: socket.peer_pid,
                    tcp_info: socket.tcp_info.to_vec(),
                });
                Ok(None)
            }
            Reply::SocketsDone => Ok(Some(())),
            _ => Err(SessionError::OutOfTurn),
        })?;
        Ok(sockets)
    }
}
