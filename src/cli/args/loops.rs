//! What can be typed for the inventories of caches and of event loops.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{EXIT_CODES, InventoryArgs};
use crate::quantity::duration_over_zero;

/// What caches there are, and which are of no use.
///
/// Shows each `functools.lru_cache` and `functools.cache`, the caches of lru-dict, cachetools, async-lru
/// and SQLAlchemy: what they are of, their hits, misses, size and limit, and what would be freed with
/// them. Caches without a limit, those that hardly ever hit, and full ones that only miss come first.
#[derive(Args, Debug)]
#[command(after_help = LRU_EXAMPLES, after_long_help = format!("{LRU_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct LruArgs {
    #[command(flatten)]
    pub(crate) inventory: InventoryArgs,
    /// Do not take the graph of the heap: quicker, without retained bytes and paths, and without the
    /// caches of lru-dict, which only the graph shows.
    #[arg(long)]
    pub(crate) quick: bool,
}

/// What event loops are to call, and when.
///
/// Shows the timers of each asyncio and uvloop loop with when they are due, what they call, for which
/// task, and in debug mode where they were made; and what is ready to be called. Timers that are
/// overdue, due in more than a day, or one of a hundred alike are marked, and so are those that were
/// called or cancelled long ago and that somebody still holds.
#[derive(Args, Debug)]
#[command(after_help = SCHEDULED_EXAMPLES, after_long_help = format!("{SCHEDULED_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct ScheduledArgs {
    #[command(flatten)]
    pub(crate) inventory: InventoryArgs,
    /// Show a line for each callback instead, with how many there are.
    #[arg(short, long)]
    pub(crate) group: bool,
    /// Say who holds the object or the task that each is for: takes the graph of the heap.
    #[arg(long)]
    pub(crate) paths: bool,
}

const SCHEDULED_EXAMPLES: &str = "\
Examples:
  leakhunt scheduled --pid 4121
  leakhunt scheduled --pid 4121 --group --interval 30
  leakhunt scheduled --pid 4121 --match 'shop\\.' --paths
  leakhunt scheduled --json | jq '.handles[] | select(.marks != [])'
  leakhunt scheduled --format ha";

/// Debug mode of event loops: look at it, switch it on and off.
///
/// In debug mode asyncio logs callbacks that take long and coroutines that nobody awaited, and keeps
/// where each handle and task was made. `on` and `off` run Python in the process itself, which no other
/// command does: they set the mode of each loop, and `on` sets the root logger to INFO where it shows
/// less, so that the messages are seen. `off` restores what was before the first `on`.
#[derive(Args, Debug)]
#[command(after_help = ASYNCIO_DEBUG_EXAMPLES, after_long_help = format!("{ASYNCIO_DEBUG_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct AsyncioDebugArgs {
    /// What to do.
    #[arg(
        value_name = "on|off|status",
        default_value = "status",
        hide_default_value = true
    )]
    pub(crate) action: AsyncioDebugAction,
    /// Log callbacks that take so long: `slow_callback_duration` of each loop, which is 100ms unless
    /// the program sets it.
    #[arg(long, value_name = "TIME", value_parser = duration_over_zero)]
    pub(crate) slow: Option<Duration>,
    #[command(flatten)]
    pub(crate) inventory: InventoryArgs,
}

/// What to do about debug mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum AsyncioDebugAction {
    /// Switch it on.
    On,
    /// Restore what was before it was switched on.
    Off,
    /// Say how it is, and change nothing.
    Status,
}

const ASYNCIO_DEBUG_EXAMPLES: &str = "\
Examples:
  leakhunt asyncio-debug status --pid 4121
  leakhunt asyncio-debug on --pid 4121 --slow 50ms
  leakhunt scheduled --pid 4121            now with where timers are made
  leakhunt asyncio-debug off --pid 4121";

const LRU_EXAMPLES: &str = "\
Examples:
  leakhunt lru --pid 4121
  leakhunt lru --pid 4121 --match '^shop\\.' --interval 30
  leakhunt lru --json | jq '.caches[] | select(.marks != [])'
  leakhunt lru --format ha";
