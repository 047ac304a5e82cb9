//! What can be typed after `check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{NamesArgs, TargetArgs};

/// Whether a program leaks: a test for CI.
///
/// Starts the program, looks at its whole heap after each of its rounds, and fails when a place grew at
/// every round after those to warm up. The program says that a round is done with `leakhunt.round()`
/// of the Python package, which does nothing elsewhere; with --repeat a script is run again and again in
/// one interpreter, and needs no change. The collector runs before each look.
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLES, after_long_help = format!("{CHECK_EXAMPLES}\n\n{CHECK_EXIT_CODES}"))]
pub(crate) struct CheckArgs {
    /// So many rounds are judged, 3 at least.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(3..=1000))]
    pub(crate) rounds: u64,
    /// So many rounds come before them, in which imports happen and caches fill; 1 at least.
    #[arg(short, long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) warmup: u64,
    /// Run the script, or the module after -m, again and again in one interpreter: each run is a round.
    #[arg(long)]
    pub(crate) repeat: bool,
    /// Leaks that are known: a file with a fingerprint at the start of each line, as for `hunt`.
    #[arg(long, value_name = "FILE")]
    pub(crate) accept: Option<PathBuf>,
    /// Judge no place in this top-level package or in objects of its classes; may be given again.
    #[arg(long, value_name = "PACKAGE")]
    pub(crate) ignore_package: Vec<String>,
    /// Tell where the leaked objects were made: tracemalloc is on in the program from the first look to
    /// the last, which makes it slower.
    #[arg(long)]
    pub(crate) trace: bool,
    /// How to show the verdict.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: CheckFormat,
    /// Also write the verdict as JUnit's XML.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) junit: Option<PathBuf>,
    /// Also write the verdict as SARIF 2.1.0, for code scanning.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) sarif: Option<PathBuf>,
    /// Also write the verdict as Markdown, as for a job's summary.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write the heap at the first and at the last look that is judged to FOLDER/first.leakhunt and
    /// FOLDER/last.leakhunt, for `diff`, `paths` and `retained`.
    #[arg(long, value_name = "FOLDER", help_heading = "Reports")]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) names: NamesArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// For test runners: stdin is a socket on which the process of --pid says that a round is done.
    #[arg(long, requires = "pid", conflicts_with_all = ["start", "repeat"], help_heading = "Target")]
    pub(crate) rounds_on_stdin: bool,
}

/// How the verdict is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people.
    Text,
    /// For the comment of a pull request, or a job's summary.
    Markdown,
    /// One document of JSON.
    Json,
    /// Annotations for a workflow of GitHub.
    Github,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  leakhunt check --repeat -- python load_test.py
  leakhunt check --rounds 10 --warmup 3 -- python -m shop.worker
  leakhunt check --repeat --accept known-leaks.txt -- python -m shop.load_test
  leakhunt check --format github --junit leaks.xml --sarif leaks.sarif -- python load_test.py
  leakhunt check --json -- python load_test.py | jq -r '.findings[].place'";

const CHECK_EXIT_CODES: &str = "\
Exit codes:
  0    no place grew at every round, or what did is accepted
  1    a leak
  2    wrong usage, or the program ended before its last round
  3    the program could not be attached
  130  interrupted
  A program that fails passes its own exit code on.";
