//! What can be typed after the commands that take the whole graph of a heap.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use leakhunt_heap::classify::By;
use regex::Regex;

use super::{EXIT_CODES, TargetArgs};
use crate::quantity::{duration, duration_over_zero};

/// The whole heap to a file.
///
/// Writes all objects with what they refer to into a `.leakhunt` folder of Parquet files, or counts
/// them by kind into a `.hpy` file as guppy's `heap()` does. The target stands still while it is
/// cloned; the objects are read in the copy.
///
/// No value leaves the target. Names do: of types, attributes and local variables, and the string keys
/// of dicts of at most 64 entries, cut at 64 characters, since larger ones may have sessions or tokens
/// as keys. --no-names keeps those keys back too, --values takes them from every dict.
#[derive(Args, Debug)]
#[command(after_help = SNAPSHOT_EXAMPLES, after_long_help = format!("{SNAPSHOT_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct SnapshotArgs {
    /// Where to: NAME.leakhunt or NAME.hpy. By itself heap-PID-TIME.leakhunt in this directory.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What a kind is in a .hpy: clodo (by itself; the class, dicts by their owner's), type, rcs (the
    /// kinds of what refers to it), module, size, unity; several joined by `&`; or id.
    #[arg(long, value_name = "KIND")]
    pub(crate) by: Option<By>,
    /// Add to a .hpy instead of replacing it: a series, as the Heapy Profile Browser shows it.
    #[arg(long)]
    pub(crate) append: bool,
    #[command(flatten)]
    pub(crate) names: NamesArgs,
    /// Run the target's collector first, as guppy does. Without it a .hpy leaves out what nothing
    /// reaches, and a .leakhunt holds it.
    #[arg(long)]
    pub(crate) collect: bool,
    /// Count in a .hpy the `__dict__` of each instance that has none yet, as guppy makes them when it
    /// looks (CPython 3.11 and later).
    #[arg(long)]
    pub(crate) virtual_dicts: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  leakhunt snapshot --pid 4121 -o before.leakhunt
  leakhunt snapshot -o heap.hpy --by rcs
  leakhunt snapshot -o series.hpy --append
  leakhunt snapshot -o ci.hpy --collect -- python app.py
  leakhunt snapshot --json | jq '.pause_ms, .objects'";

/// Which keys leave the target.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct NamesArgs {
    /// Let no key of a dict leave the target; paths then tell the place of a key.
    #[arg(long, conflicts_with = "values")]
    pub(crate) no_names: bool,
    /// Let the string keys of every dict leave the target, however large it is. They may be secrets.
    #[arg(long)]
    pub(crate) values: bool,
}

/// What appeared within a time and is still there.
///
/// Takes two snapshots and writes what is in the second, reachable, and not yet in the first, as
/// Home Assistant's profiler does by guppy: a .hpy by the kinds of what refers to it. Nothing is held
/// meanwhile, so that the target frees what it frees. Ctrl-C takes the second snapshot at once.
///
/// No value leaves the target but names of types and attributes.
#[derive(Args, Debug)]
#[command(after_help = MEMORY_EXAMPLES, after_long_help = format!("{MEMORY_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct MemoryArgs {
    /// The time between the two: 60, 60.5, 5m, 1h.
    #[arg(short, long, value_name = "TIME", default_value = "60", value_parser = duration)]
    pub(crate) seconds: Duration,
    /// What a kind is: rcs (the kinds of what refers to it), clodo, type, module, size, unity; several
    /// joined by `&`; or id.
    #[arg(long, value_name = "KIND", default_value = "rcs")]
    pub(crate) by: By,
    /// Where to, a name that ends in .hpy. By itself heap_profile.TIME.hpy in this directory, the time
    /// in microseconds.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Run the target's collector before each snapshot, as guppy does.
    #[arg(long)]
    pub(crate) collect: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const MEMORY_EXAMPLES: &str = "\
Examples:
  leakhunt memory --seconds 60
  leakhunt memory --pid 4121 --seconds 10m --by clodo -o new.hpy
  leakhunt memory --seconds 30 --json | jq '.kinds[:5]'";

/// Who holds the newest objects of the types that grow.
///
/// Looks at the target at each interval. The first look is the baseline; at each one after it, for the
/// types that grew most: a path from a root to some of their newest objects that can be evaluated
/// there, the nearest holder that is not builtin and its package, and what the object looks like. Its
/// `repr` runs in a copy of the target.
///
/// Names of types and attributes leave the target, string keys of dicts of at most 64 entries, cut at
/// 64 characters, and the reprs of the objects shown: --no-names and --no-repr keep these back.
#[derive(Args, Debug)]
#[command(after_help = SOURCES_EXAMPLES, after_long_help = format!("{SOURCES_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct SourcesArgs {
    /// Show at most so many objects of each type; with --rank gc in all.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) max: u32,
    /// Time between looks: 30, 30s, 5m, 1h.
    #[arg(short, long, value_name = "TIME", default_value = "30", value_parser = duration_over_zero)]
    pub(crate) interval: Duration,
    /// End after so many looks.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Which objects come first.
    #[arg(long, value_name = "RANK", default_value = "growth")]
    pub(crate) rank: SourcesRank,
    /// Tell where the objects were made: switches tracemalloc on in the target from the first look to
    /// the end, which makes it slower, unless it is on.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Show at most so many types at each look, 5 by itself; 0: all. Not with --rank gc.
    #[arg(short, long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Show only types whose `module.qualname` matches the regular expression somewhere.
    #[arg(short, long, value_name = "RE")]
    pub(crate) r#match: Option<Regex>,
    /// How to show it.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: SourcesFormat,
    /// Run no `repr`: objects are shown by type and address.
    #[arg(long)]
    pub(crate) no_repr: bool,
    #[command(flatten)]
    pub(crate) names: NamesArgs,
    /// Run the target's collector before each look; --rank gc always does, as Home Assistant.
    #[arg(long)]
    pub(crate) collect: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const SOURCES_EXAMPLES: &str = "\
Examples:
  leakhunt sources --max 5
  leakhunt sources --pid 4121 --interval 5m --match '^shop\\.'
  leakhunt sources --trace --interval 10s --count 3
  leakhunt sources --rank gc --format ha
  leakhunt sources --json | jq -r '.objects[].path'";

/// Which objects come first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SourcesRank {
    /// The newest of the types that grew over their most so far; the places that gained most first.
    Growth,
    /// As Home Assistant: in the collector's order, new addresses of types over their highest count.
    /// Runs the target's collector before each look.
    Gc,
}

/// How sources are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SourcesFormat {
    /// For people.
    Text,
    /// As Home Assistant's profiler logs it.
    Ha,
    /// A line of JSON for each look.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_fixed_lines_of_the_graph_are_understood() {
        let Ok(Command::Sources(sources)) = parse("leakhunt sources --max 5") else {
            panic!("not sources")
        };
        assert_eq!((sources.max, sources.rank), (5, SourcesRank::Growth));
        assert_eq!(sources.interval, Duration::from_secs(30));
        for (typed, millis) in [
            ("60", 60_000),
            ("60.0", 60_000),
            ("0.5", 500),
            ("2m", 120_000),
        ] {
            let Ok(Command::Memory(memory)) = parse(&format!("leakhunt memory --seconds {typed}"))
            else {
                panic!("not memory")
            };
            assert_eq!(memory.seconds, Duration::from_millis(millis));
            assert_eq!(memory.by.to_string(), "rcs");
        }
        let Ok(Command::Snapshot(_)) = parse("leakhunt snapshot -o f.hpy --by rcs --append") else {
            panic!("not snapshot")
        };
    }

    #[test]
    fn contradictions_about_the_graph_are_wrong_usage() {
        for line in [
            "leakhunt snapshot --no-names --values",
            "leakhunt snapshot --pid 1 -- python",
            "leakhunt sources --max 0",
            "leakhunt sources --max 1025",
            "leakhunt sources --rank size",
            "leakhunt memory --seconds x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
