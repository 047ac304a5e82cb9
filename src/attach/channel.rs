//! The private channel between the command line and the agent.

use std::time::Duration;

use leakhunt_wire::{DecodeError, Reply, Request};

/// A connection to the agent in a target.
#[derive(Debug)]
pub struct Channel {}

/// Why nothing more comes from the agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The process has ended.
    #[error("process {pid} has exited")]
    TargetExited {
        /// Which one.
        pid: u32,
    },
    /// The agent is gone and the process lives.
    #[error("the agent in process {pid} closed the channel")]
    Closed {
        /// In which process.
        pid: u32,
    },
    /// The agent sent what is no packet.
    #[error("process {pid} sent an unreadable packet: {source}")]
    BadPacket {
        /// Which one.
        pid: u32,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The socket failed.
    #[error("cannot talk to the agent in process {pid}: {source}")]
    Io {
        /// In which process.
        pid: u32,
        /// Why.
        source: std::io::Error,
    },
}

impl Channel {
    /// Asks something of the agent.
    ///
    /// # Errors
    /// When the agent or its process is gone.
    pub fn send(&self, request: &Request<'_>) -> Result<(), ChannelError> {
        let _ = request;
        unimplemented!()
    }

    /// The agent's next packet; `None` when there was none within `timeout`.
    ///
    /// # Errors
    /// When the agent or its process is gone. What was sent before that is still received first.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Reply<'_>>, ChannelError> {
        let _ = timeout;
        unimplemented!()
    }

    /// The target.
    pub fn pid(&self) -> u32 {
        unimplemented!()
    }

    /// Whether the target has ended.
    pub fn has_target_exited(&self) -> bool {
        unimplemented!()
    }
}
