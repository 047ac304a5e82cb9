//! What can be typed for `leakhunt sockets`.

use clap::Args;

use super::{EXIT_CODES, InventoryArgs};

/// Which sockets a process has, in which state, and who holds them.
///
/// Joins the socket objects of Python (those of asyncio, uvloop and ssl too) with what the kernel knows,
/// and counts them by state and other end, so that a leak stands out: CLOSE_WAIT is a connection that
/// the other end has closed and nobody here does. Sockets without a Python object, and objects that
/// are closed and still referenced, are marked.
#[derive(Args, Debug)]
#[command(after_help = SOCKETS_EXAMPLES, after_long_help = format!("{SOCKETS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct SocketsArgs {
    /// Show the other descriptors, too: files, pipes, epoll, eventfd, deleted files, …
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Do not look for who holds them: that takes the graph of the whole heap.
    #[arg(long)]
    pub(crate) quick: bool,
    #[command(flatten)]
    pub(crate) inventory: InventoryArgs,
}

const SOCKETS_EXAMPLES: &str = "\
Examples:
  leakhunt sockets --pid 4121
  leakhunt sockets --pid 4121 --match CLOSE_WAIT --limit 0
  leakhunt sockets --pid 4121 --interval 30s --quick
  leakhunt sockets --pid 4121 --all
  leakhunt sockets --json | jq '.groups[] | select(.count > 100)'
  leakhunt sockets --format ha";
