//! What can be typed after `tasks`.

use clap::Args;

use super::{EXIT_CODES, InventoryArgs};

/// All asyncio tasks of a live process, who waits for whom, and what was forgotten.
///
/// Of all event loops in all threads, uvloop's too: which tasks wait where, as counts by coroutine and
/// line; finished tasks that something still keeps, and what keeps them; coroutines that were never
/// awaited; tasks that wait for each other in a ring; tasks of a loop that is closed.
///
/// No code of the target runs in the target itself. Names of tasks, functions and files leave it.
#[derive(Args, Debug)]
#[command(after_help = TASKS_EXAMPLES, after_long_help = format!("{TASKS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct TasksArgs {
    /// Show each task under the tasks that wait for it, as `python -m asyncio pstree` does.
    #[arg(long, conflicts_with = "stacks")]
    pub(crate) tree: bool,
    /// Show each task with the chain of what it awaits, from its coroutine to the innermost.
    #[arg(long)]
    pub(crate) stacks: bool,
    /// Do not look for who keeps finished tasks and forgotten coroutines: that takes the graph of the
    /// whole heap.
    #[arg(long)]
    pub(crate) quick: bool,
    #[command(flatten)]
    pub(crate) inventory: InventoryArgs,
}

/// What the text shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TaskShape {
    /// Counts by coroutine, state and line.
    Groups,
    Tree,
    Stacks,
}

impl TasksArgs {
    pub(crate) fn shape(&self) -> TaskShape {
        if self.tree {
            TaskShape::Tree
        } else if self.stacks {
            TaskShape::Stacks
        } else {
            TaskShape::Groups
        }
    }
}

const TASKS_EXAMPLES: &str = "\
Examples:
  leakhunt tasks --pid 4121               counts by coroutine, state and line
  leakhunt tasks --tree                   who waits for whom
  leakhunt tasks --stacks --match poll    where each task of `poll` stands
  leakhunt tasks --interval 30            again and again: what is new, which groups grow
  leakhunt tasks --format ha              as Home Assistant's profiler logs them";
