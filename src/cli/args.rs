//! What can be typed.

mod check;
mod files;
mod graph;
mod held;
mod hunt;
mod inventory;
mod loops;
mod sockets;
mod suspects;
mod tasks;
mod threads;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use regex::Regex;

use crate::quantity::{duration, duration_over_zero};
pub(crate) use check::{CheckArgs, CheckFormat};
pub(crate) use files::{DiffArgs, DiffFormat, RowArgs, RowOrder, ShowArgs};
pub(crate) use graph::{
    MemoryArgs, NamesArgs, SnapshotArgs, SourcesArgs, SourcesFormat, SourcesRank,
};
pub(crate) use held::{GraphArgs, PathsArgs, SubjectArgs};
pub(crate) use hunt::{HuntArgs, HuntFormat};
pub(crate) use inventory::{InventoryArgs, InventoryFormat};
pub(crate) use loops::{AsyncioDebugAction, AsyncioDebugArgs, LruArgs, ScheduledArgs};
pub(crate) use sockets::SocketsArgs;
pub(crate) use suspects::{RetainedArgs, RetainedKindArg, SuspectsArgs};
pub(crate) use tasks::{TaskShape, TasksArgs};
pub(crate) use threads::ThreadsArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    nothing found where something was asked for; more growth than `diff --fail-on` allows;
       a leak, where `hunt --fail` was typed
  2    wrong usage or bad input
  3    the target could not be attached
  4    the target went away
  130  interrupted
  A target that leakhunt started passes its own exit code on.";

const EXAMPLES: &str = "\
Examples:
  leakhunt ps                            what can be attached
  leakhunt hunt --pid 4121               what leaks in process 4121, where, and how fast
  leakhunt check --repeat -- python t.py whether what t.py does leaks: a test for CI
  leakhunt growth --pid 4121             which types grow in process 4121
  leakhunt growth -- python app.py       starts app.py and watches it
  leakhunt sources --max 5               who holds their newest objects
  leakhunt dump --type Template          what those objects are
  leakhunt threads                       where each thread stands, also of a process that hangs
  leakhunt tasks --pid 4121              asyncio tasks, who waits for whom
  leakhunt sockets --pid 4121            which sockets leak, and who holds them
  leakhunt snapshot -o heap.leakhunt     all objects to a file
  leakhunt show heap.hpy                 what is in a file
  leakhunt diff before.hpy after.hpy     what grew from one file to another
  leakhunt paths heap.leakhunt --type T  how the objects of a type are held
  leakhunt suspects heap.leakhunt        what holds most of a heap
  leakhunt graph heap.leakhunt --type T -o t.svg
                                         the same as a picture

Without --pid and without a command, leakhunt takes the one CPython process of yours that can be
attached.";

/// Finds memory leaks in live Python processes.
///
/// leakhunt gets into a running CPython 3.8 to 3.15 (Linux, x86-64) for a moment, counts its objects
/// in a copy-on-write child and leaves nothing behind. The target needs no change, no restart and no
/// package.
#[derive(Debug, Parser)]
#[command(name = "leakhunt", version, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Write the result as JSON, by a documented and versioned schema.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Tell more on stderr: what the attach cost, where it got in; twice: each request.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Tell nothing on stderr but errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// When to colour the result; NO_COLOR is obeyed.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Growth(GrowthArgs),
    Hunt(HuntArgs),
    Check(CheckArgs),
    Sources(SourcesArgs),
    Dump(DumpArgs),
    Snapshot(SnapshotArgs),
    Memory(MemoryArgs),
    Show(ShowArgs),
    Diff(DiffArgs),
    Paths(PathsArgs),
    Retained(RetainedArgs),
    Suspects(SuspectsArgs),
    Tasks(TasksArgs),
    Threads(ThreadsArgs),
    Graph(GraphArgs),
    Sockets(SocketsArgs),
    Lru(LruArgs),
    Scheduled(ScheduledArgs),
    AsyncioDebug(AsyncioDebugArgs),
    Ps(PsArgs),
    Completions(CompletionsArgs),
}

/// Which process.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// The process to look into. Without it and without a command: the one CPython process of yours
    /// that can be attached.
    #[arg(short, long, value_name = "PID", conflicts_with = "start")]
    pub(crate) pid: Option<u32>,
    /// How long to try to get in, and to wait for the interpreter there.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration_over_zero)]
    pub(crate) timeout: Duration,
    /// How long the target may be stopped by a look. When the estimate is longer, leakhunt says so
    /// before it touches the target.
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = duration)]
    pub(crate) max_pause: Duration,
    /// Go in though the target has a seccomp filter that cannot be read and may kill it.
    #[arg(long)]
    pub(crate) force: bool,
    /// Go in only by a door that the target has opened itself (`leakhunt.listen()`), without ptrace.
    /// Without this it is tried where ptrace is refused.
    #[arg(long, conflicts_with = "start")]
    pub(crate) door: bool,
    /// A connection to the agent of `--pid` that this process has inherited under that number.
    #[arg(
        long,
        hide = true,
        value_name = "FD",
        requires = "pid",
        conflicts_with = "door"
    )]
    pub(crate) door_fd: Option<i32>,
    /// A command to start and to look into. It gets the signals that leakhunt gets, and its exit
    /// code is leakhunt's.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) start: Vec<OsString>,
}

/// Which types grow.
///
/// Looks at the target at once and then at each interval, and shows the types that have more objects
/// or more bytes than at the look before: those that grow by the most objects first. The first look
/// is the baseline. Ctrl-C ends it with what grew over all.
#[derive(Args, Debug)]
#[command(after_help = GROWTH_EXAMPLES, after_long_help = format!("{GROWTH_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct GrowthArgs {
    /// Time between looks: 30, 30s, 5m, 1h.
    #[arg(short, long, value_name = "TIME", default_value = "30", value_parser = duration_over_zero)]
    pub(crate) interval: Duration,
    /// End after so many looks.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Show at most so many types at each look; 0: all. 20, with --format ha 1000. JSON always has
    /// all.
    #[arg(short, long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Show only types whose `module.qualname` matches the regular expression somewhere.
    #[arg(short, long, value_name = "RE")]
    pub(crate) r#match: Option<Regex>,
    /// How to show it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: GrowthFormat,
    /// Append each look to a file as a line of JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Show such a file as if it happened now; needs no target. `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pid", "start", "log", "collect"])]
    pub(crate) replay: Option<PathBuf>,
    /// Run the target's collector before each look, as objgraph does. Without it garbage that is not
    /// collected yet is told apart without collecting.
    #[arg(long)]
    pub(crate) collect: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const GROWTH_EXAMPLES: &str = "\
Examples:
  leakhunt growth --interval 30
  leakhunt growth --pid 4121 --match '^shop\\.' --limit 0
  leakhunt growth --pid 4121 --interval 5m --log growth.jsonl
  leakhunt growth --replay growth.jsonl --format objgraph
  leakhunt growth --json | jq '.types[] | select(.delta > 100)'
  leakhunt growth --interval 10s -- python app.py";

/// How growth is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum GrowthFormat {
    /// For people.
    Table,
    /// As objgraph's `show_growth()`: short names, against peaks that never fall.
    Objgraph,
    /// As Home Assistant's profiler logs it.
    Ha,
    /// A line of JSON for each look.
    Json,
}

/// What the objects of a type are.
///
/// Shows the `repr` of each object of a type. It runs in a copy of the target, so that a `repr` that
/// hangs, crashes or changes something does no harm; one that takes too long is cut off.
#[derive(Args, Debug)]
#[command(after_help = DUMP_EXAMPLES, after_long_help = format!("{DUMP_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct DumpArgs {
    /// The type: `Name`, or `module.Name`.
    #[arg(short, long, value_name = "TYPE")]
    pub(crate) r#type: String,
    /// Show at most so many objects; 0: all.
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
    /// Show at most so many characters of each; 0: as many as there is room for, about 30,000.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) max_chars: u32,
    /// Read type, size and fields without running any code of the target.
    #[arg(long)]
    pub(crate) safe: bool,
    /// Cut a repr off after this time.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration_over_zero)]
    pub(crate) repr_timeout: Duration,
    /// How to show it.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: DumpFormat,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

const DUMP_EXAMPLES: &str = "\
Examples:
  leakhunt dump --type Template
  leakhunt dump --pid 4121 --type shop.cache.Entry --limit 0 --max-chars 200
  leakhunt dump --type Session --safe
  leakhunt dump --type Template --format ha";

/// How objects are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum DumpFormat {
    /// A line for each object, with its address.
    Text,
    /// As Home Assistant's profiler logs it.
    Ha,
    /// A line of JSON for each object.
    Json,
}

/// What can be attached.
///
/// Lists the processes that run a CPython, with what stands in the way of an attach where something
/// does, and what to do about it.
#[derive(Args, Debug)]
#[command(after_help = PS_EXAMPLES, after_long_help = format!("{PS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct PsArgs {}

const PS_EXAMPLES: &str = "\
Examples:
  leakhunt ps
  sudo leakhunt ps
  leakhunt ps --json | jq '.processes[] | select(.attachable) | .pid'";

/// Completions for a shell.
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    pub(crate) shell: clap_complete::Shell,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  leakhunt completions bash > ~/.local/share/bash-completion/completions/leakhunt
  leakhunt completions zsh > ~/.zfunc/_leakhunt
  leakhunt completions fish > ~/.config/fish/completions/leakhunt.fish";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_fixed_lines_are_understood() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().command;
        let Command::Growth(growth) = parse("leakhunt growth --interval 30") else {
            panic!("not growth")
        };
        assert_eq!(growth.interval, Duration::from_secs(30));
        let Command::Dump(dump) = parse("leakhunt dump --type Template") else {
            panic!("not dump")
        };
        assert_eq!(dump.r#type, "Template");
        let Command::Growth(growth) = parse("leakhunt growth -n 2 -- python -c x --pid 3") else {
            panic!("not growth")
        };
        assert_eq!(growth.target.start.len(), 5);
    }

    #[test]
    fn contradictions_are_wrong_usage() {
        for line in [
            "leakhunt growth --pid 1 -- python",
            "leakhunt growth --replay f --pid 1",
            "leakhunt growth --replay f --log g",
            "leakhunt growth --interval 0",
            "leakhunt growth --count 0",
            "leakhunt growth --match (",
            "leakhunt dump",
            "leakhunt -q -v ps",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
