//! The agent, as it was built with this program.

use anyhow::Context;
use leakhunt_attach::AgentImage;

/// The agent's image.
///
/// # Errors
/// When this program was built without one.
pub(crate) fn agent_image() -> anyhow::Result<AgentImage> {
    AgentImage::parse(include_bytes!(env!("LEAKHUNT_AGENT_IMAGE")))
        .context("the agent built into this program cannot be used")
}
