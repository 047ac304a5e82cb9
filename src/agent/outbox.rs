//! Where the packets of a walk go.

use leakhunt_wire::{MAX_PACKET, Reply, Writer};

use crate::buffer::{Budget, Buffer, NoMemory};
use crate::sys;

/// Sends packets at once, or keeps them until the interpreter is let go: the agent never waits for
/// the command line while it holds the GIL.
pub(crate) enum Outbox {
    /// In a copy of the target, which may wait.
    Socket(i32),
    /// In the target: each packet after its length in four bytes.
    Kept(Buffer<u8>),
}

/// The command line is gone, or memory is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotSent;

impl From<NoMemory> for NotSent {
    fn from(NoMemory: NoMemory) -> Self {
        Self
    }
}

impl Outbox {
    pub(crate) fn put(&mut self, reply: &Reply<'_>, budget: &mut Budget) -> Result<(), NotSent> {
        let mut buffer = [0; MAX_PACKET];
        let mut writer = Writer::new(&mut buffer);
        reply.encode(&mut writer);
        let packet = writer.bytes().ok_or(NotSent)?;
        match self {
            Self::Socket(socket) => sys::send(*socket, packet, true).map_err(|_| NotSent),
            Self::Kept(kept) => {
                for &byte in (packet.len() as u32).to_le_bytes().iter().chain(packet) {
                    kept.push(byte, budget)?;
                }
                Ok(())
            }
        }
    }

    /// Hands what was kept to `send`, packet by packet, until that answers false.
    pub(crate) fn flush(self, send: impl Fn(&[u8]) -> bool) -> Result<(), NotSent> {
        let Self::Kept(kept) = self else {
            return Ok(());
        };
        let mut rest = &kept[..];
        while let Some((len, packets)) = rest.split_first_chunk::<4>() {
            let (packet, packets) = packets
                .split_at_checked(u32::from_le_bytes(*len) as usize)
                .ok_or(NotSent)?;
            if !send(packet) {
                return Err(NotSent);
            }
            rest = packets;
        }
        Ok(())
    }
}
