//! What a session needs of a channel; in tests an agent that follows a script.

use std::time::Duration;

use leakhunt_attach::{Channel, ChannelError};
use leakhunt_wire::{Reply, Request};

/// A connection to an agent.
pub(crate) trait Link {
    /// Asks something of the agent.
    fn send(&self, request: &Request<'_>) -> Result<(), ChannelError>;
    /// The agent's next packet; `None` when there was none within `timeout`.
    fn receive(&mut self, timeout: Duration) -> Result<Option<Reply<'_>>, ChannelError>;
    /// Whether the target has ended.
    fn has_target_exited(&self) -> bool;
    /// After the goodbye: waits, for at most `limit`, until nothing of the agent is in the target.
    fn wait_for_end(&mut self, limit: Duration);
}

impl Link for Channel {
    fn send(&self, request: &Request<'_>) -> Result<(), ChannelError> {
        self.send(request)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Reply<'_>>, ChannelError> {
        self.receive(timeout)
    }

    fn has_target_exited(&self) -> bool {
        self.has_target_exited()
    }

    fn wait_for_end(&mut self, limit: Duration) {
        self.wait_for_end(limit);
    }
}
