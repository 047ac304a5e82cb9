//! The agent that this command line carries.

use anyhow::bail;
use leakhunt_attach::AgentImage;

/// The agent, ready to be mapped.
///
/// # Errors
/// When this build carries none.
pub(crate) fn agent_image() -> anyhow::Result<AgentImage> {
    bail!("this build of leakhunt carries no agent")
}
