//! One file for each command.

mod asyncio_debug;
mod check;
mod completions;
mod diff;
mod dump;
mod graph;
mod growth;
mod hunt;
pub(crate) mod inventory;
mod lru;
mod memory;
mod paths;
mod ps;
mod retained;
mod scheduled;
mod show;
mod snapshot;
mod sockets;
mod sources;
mod suspects;
mod tasks;
mod threads;

use crate::args::{Cli, Command};
use crate::failure::Exit;
use crate::output::Output;

/// Runs what was typed.
///
/// # Errors
/// With a context that names the flag or the path.
pub(crate) fn run(cli: &Cli, output: &Output) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Growth(args) => growth::run(args, &cli.common, output),
        Command::Dump(args) => dump::run(args, &cli.common, output),
        Command::Snapshot(args) => snapshot::run(args, &cli.common, output),
        Command::Memory(args) => memory::run(args, &cli.common, output),
        Command::Hunt(args) => hunt::run(args, &cli.common, output),
        Command::Check(args) => check::run(args, &cli.common, output),
        Command::Sources(args) => sources::run(args, &cli.common, output),
        Command::Show(args) => show::run(args, &cli.common, output),
        Command::Diff(args) => diff::run(args, &cli.common, output),
        Command::Paths(args) => paths::run(args, &cli.common, output),
        Command::Retained(args) => retained::run(args, &cli.common, output),
        Command::Suspects(args) => suspects::run(args, &cli.common, output),
        Command::Tasks(args) => tasks::run(args, &cli.common, output),
        Command::Threads(args) => threads::run(args, &cli.common, output),
        Command::Graph(args) => graph::run(args, &cli.common, output),
        Command::Sockets(args) => sockets::run(args, &cli.common, output),
        Command::Lru(args) => lru::run(args, &cli.common, output),
        Command::Scheduled(args) => scheduled::run(args, &cli.common, output),
        Command::AsyncioDebug(args) => asyncio_debug::run(args, &cli.common, output),
        Command::Ps(_) => ps::run(&cli.common, output),
        Command::Completions(args) => completions::run(args, output),
    }
}
