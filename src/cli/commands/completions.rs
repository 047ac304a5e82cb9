//! `leakhunt completions`.

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Exit;
use crate::output::Output;

pub(super) fn run(args: &CompletionsArgs, output: &Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "leakhunt", &mut script);
    output.result(&script)?;
    Ok(Exit::Done)
}
