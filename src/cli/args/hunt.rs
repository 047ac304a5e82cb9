//! What can be typed after `hunt`.

use clap::Args;

use super::{EXIT_CODES, TargetArgs};

/// What the target's memory is made of.
///
/// Tells what of the resident memory are live Python objects, their big buffers and whose these are,
/// free blocks that allocators keep, what native code has, files and stacks. The objects are read in a
/// copy-on-write child, all else from outside.
#[derive(Args, Debug)]
#[command(after_help = HUNT_EXAMPLES, after_long_help = format!("{HUNT_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct HuntArgs {
    /// Take the resident memory apart.
    #[arg(long, required = true)]
    pub(crate) account: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const HUNT_EXAMPLES: &str = "\
Examples:
  leakhunt hunt --account --pid 4121
  leakhunt hunt --account --json | jq '.memory.free_pool_bytes'";
