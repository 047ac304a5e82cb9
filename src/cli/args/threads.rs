//! What can be typed after `threads`.

use clap::Args;

use super::{EXIT_CODES, InventoryArgs};

/// All threads of a live process: where each stands, what it waits for, and who has the GIL.
///
/// Shows the Python stack of each thread, newest call first, with its state and CPU time as the kernel
/// knows them, and what it waits for: the GIL, a lock and who has it, a system call, nothing. Threads
/// that wait for each other in a ring are named. Works on a process that never lets go of the GIL, that
/// is deadlocked or stopped: then all is read from outside.
///
/// No code of the target runs. Names of threads, functions and files leave it, with --locals also
/// numbers and texts.
#[derive(Args, Debug)]
#[command(after_help = THREADS_EXAMPLES, after_long_help = format!("{THREADS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct ThreadsArgs {
    /// Read all from outside, without an agent: stops and changes nothing, not even for a moment. Stacks
    /// of threads that run meanwhile may be of several moments; they are marked as torn.
    #[arg(long, conflicts_with = "start")]
    pub(crate) outside: bool,
    /// Show local variables too: numbers and texts by value, all else by type.
    #[arg(long)]
    pub(crate) locals: bool,
    /// Show only a table, without stacks.
    #[arg(long, conflicts_with = "locals")]
    pub(crate) short: bool,
    /// Show also the threads that run no Python code.
    #[arg(long)]
    pub(crate) all: bool,
    /// With --format ha: the main thread too, which Home Assistant leaves out.
    #[arg(long)]
    pub(crate) main: bool,
    #[command(flatten)]
    pub(crate) inventory: InventoryArgs,
}

const THREADS_EXAMPLES: &str = "\
Examples:
  leakhunt threads --pid 4121              where each thread stands
  leakhunt threads --short --all           a line for each, those of native code too
  leakhunt threads --outside --pid 4121    of a process that hangs, at once
  leakhunt threads --locals --match worker
  leakhunt threads --interval 30           again and again: what is new, which groups grow
  leakhunt threads --format ha             as Home Assistant's profiler logs them
  leakhunt threads --json | jq '.threads[] | select(.deadlocked)'";
