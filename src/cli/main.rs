//! The command line of leakhunt: talks to people, does the thinking, leaves the reading to the agent.
#![forbid(unsafe_code)]

mod accepted;
mod account;
mod agent_image;
mod args;
mod budget;
mod caches;
mod capture;
mod cgroup;
mod commands;
mod debug_mode;
mod debug_record;
mod describe;
mod difference;
mod door;
mod failure;
mod growing_places;
mod growth_log;
mod heap_file;
mod hpy_file;
mod interrupt;
mod kernel_sockets;
mod kernel_view;
mod leftovers;
mod memory_limit;
mod near_names;
mod output;
mod procfs;
mod quantity;
mod render;
mod replay;
mod rounds;
mod session;
mod snapshot_folder;
mod sockets;
mod spawned;
mod subject;
mod target;
mod tasks;
mod threads;
mod timers;
mod trace;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return usage_exit(&usage),
    };
    let output = Output::new(&cli.common);
    match commands::run(&cli, &output) {
        Ok(exit) => exit.into(),
        Err(error) if failure::is_closed_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            output.error(&error);
            failure::exit_of(&error).into()
        }
    }
}

/// `--help` and `--version` are results; everything else that clap says is wrong usage.
fn usage_exit(usage: &clap::Error) -> ExitCode {
    match usage.print() {
        Ok(()) if usage.use_stderr() => Exit::Usage.into(),
        _ => Exit::Done.into(),
    }
}
