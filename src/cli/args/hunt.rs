//! What can be typed after `hunt`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{EXIT_CODES, NamesArgs, TargetArgs};
use crate::quantity::duration_over_zero;

/// What leaks, where, and how fast.
///
/// Looks at the whole heap several times and tells the places that grow at each look: which container
/// or registry, with what, how fast in objects and bytes, and what fixing it gives back; or that
/// nothing leaks. Ctrl-C ends it early, with the verdict on what was seen so far.
///
/// No value leaves the target but how much a cache takes, where it has an attribute like `maxsize`.
/// Names do: of types, attributes and local variables, and the string keys of dicts of at most 64
/// entries, cut at 64 characters; --no-names keeps those keys back.
#[derive(Args, Debug)]
#[command(after_help = HUNT_EXAMPLES, after_long_help = format!("{HUNT_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct HuntArgs {
    /// How long to watch: 60, 90s, 5m, 1h. A slow leak needs longer.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration_over_zero)]
    pub(crate) span: Duration,
    /// Look so many times, at distances that differ by up to two fifths. By itself up to 9 times, fewer where a look takes long.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(4..=1000))]
    pub(crate) scans: Option<u64>,
    /// Tell where the leaked objects were made: switches tracemalloc on in the target from the first
    /// look to the end, which makes it slower, unless it is on.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Take the resident memory apart instead, by one look: objects, buffers and whose they are, free
    /// blocks, native memory, files, stacks.
    #[arg(long, conflicts_with_all = ["span", "scans", "trace", "fail", "accept", "format"])]
    pub(crate) account: bool,
    /// Hunt in the process and in all that descend from it, as the workers of gunicorn or celery, in
    /// turns: a leak is told once, with the processes that have it.
    #[arg(long, conflicts_with = "account")]
    pub(crate) children: bool,
    /// Exit with code 1 when something leaks that is not accepted.
    #[arg(long)]
    pub(crate) fail: bool,
    /// Leaks that are known: a file with a fingerprint at the start of each line. They are shown as
    /// accepted, and --fail passes them over.
    #[arg(long, value_name = "FILE")]
    pub(crate) accept: Option<PathBuf>,
    /// Show at most so many leaks; 0: all. JSON always has all.
    #[arg(short, long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
    /// How to show it.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: HuntFormat,
    #[command(flatten)]
    pub(crate) names: NamesArgs,
    /// Run the target's collector before each look.
    #[arg(long)]
    pub(crate) collect: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const HUNT_EXAMPLES: &str = "\
Examples:
  leakhunt hunt --pid 4121
  leakhunt hunt --pid 4121 --for 10m --trace
  leakhunt hunt --for 30s -- python app.py
  leakhunt hunt --pid 4120 --children
  leakhunt hunt --pid 4121 --fail --accept known-leaks.txt
  leakhunt hunt --pid 4121 --format markdown > report.md
  leakhunt hunt --pid 4121 --account
  leakhunt hunt --json | jq -r '.findings[] | [.place, .objects_per_s] | @tsv'";

/// How the verdict is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum HuntFormat {
    /// For people.
    Text,
    /// For the comment of an issue or pull request.
    Markdown,
    /// One document of JSON.
    Json,
}
