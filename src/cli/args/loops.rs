//! What can be typed for the inventories of caches and of event loops.

use clap::Args;

use super::{EXIT_CODES, InventoryArgs};

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

const LRU_EXAMPLES: &str = "\
Examples:
  leakhunt lru --pid 4121
  leakhunt lru --pid 4121 --match '^shop\\.' --interval 30
  leakhunt lru --json | jq '.caches[] | select(.marks != [])'
  leakhunt lru --format ha";
