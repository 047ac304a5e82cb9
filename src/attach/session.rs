//! The sequence of an attach.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::{AgentImage, AttachError, Channel};

/// How to attach.
#[derive(Debug)]
pub struct AttachOptions<'a> {
    /// How long to look for a safe point, and for another leakhunt to let go.
    pub timeout: Duration,
    /// Whether to go on where a seccomp filter that cannot be read may kill the target.
    pub force: bool,
    /// Set by Ctrl-C: gives up at the next step that can be undone.
    pub interrupted: &'a AtomicBool,
}

/// What an attach cost the target.
#[derive(Clone, Debug)]
pub struct AttachReport {
    /// How long the one thread was stopped.
    pub stopped: Duration,
    /// From the first look at the process to the channel.
    pub took: Duration,
    /// How many threads were stopped and let go because they were at no safe point, plus one.
    pub tries: u32,
    /// Where the thread stood: for `-v`.
    pub safe_point: String,
}

/// Gets into `pid` and starts the agent there. The first packet of the channel is `Hello`.
///
/// # Errors
/// See [`AttachError`]; the target is as before.
pub fn attach(
    pid: u32,
    image: &AgentImage,
    options: &AttachOptions<'_>,
) -> Result<(Channel, AttachReport), AttachError> {
    let _ = (pid, image, options);
    unimplemented!()
}
