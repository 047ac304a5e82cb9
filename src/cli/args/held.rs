//! What can be typed for the commands that say who holds objects of a snapshot.

use std::path::PathBuf;

use clap::Args;
use leakhunt_heap::TypePattern;

use super::EXIT_CODES;

/// How the objects of a type are held.
///
/// Takes the shortest path to each object from a root (modules, running frames, threads, ...) and shows
/// which steps these have in common, with counts and bytes: the place that holds most comes first.
/// Every entry of a collection is `[*]`. Of a few objects the whole paths are shown, which can be typed
/// in the target.
#[derive(Args, Debug)]
#[command(after_help = PATHS_EXAMPLES, after_long_help = format!("{PATHS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct PathsArgs {
    /// The snapshot, NAME.leakhunt.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
    /// Show at most so many branches, the heaviest; 0: all. JSON always has all.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Show at most so many forks one below the other; 0: all.
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub(crate) depth: usize,
}

const PATHS_EXAMPLES: &str = "\
Examples:
  leakhunt snapshot --pid 4121 -o heap.leakhunt
  leakhunt paths heap.leakhunt --type Template
  leakhunt paths heap.leakhunt --type 'shop.cache.*' --limit 0
  leakhunt paths heap.leakhunt --addr 0x7f3a1c204a90
  leakhunt paths heap.leakhunt --type Template --json | jq -r '.branches[] | select(.ending > 0) | .path'";

/// A picture of who holds some objects.
///
/// Draws a few objects of a type, the shortest path to each from a root, and what else refers to them,
/// up to modules. An .svg can be opened in any browser; a .dot is for Graphviz, and looks as objgraph's
/// `show_backrefs()` and `show_refs()` do.
#[derive(Args, Debug)]
#[command(after_help = GRAPH_EXAMPLES, after_long_help = format!("{GRAPH_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct GraphArgs {
    /// The snapshot, NAME.leakhunt.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,
    /// Where to: NAME.svg or NAME.dot. `-` writes DOT to stdout.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Draw what refers to the objects, not beyond modules. This is so by itself.
    #[arg(long, conflicts_with = "refs")]
    pub(crate) backrefs: bool,
    /// Draw what the objects refer to.
    #[arg(long)]
    pub(crate) refs: bool,
    /// How many references away from the objects to draw; the shortest paths are drawn whole.
    #[arg(short, long, value_name = "N", default_value_t = 3)]
    pub(crate) depth: usize,
    /// The most neighbours of an object to draw; the rest is counted.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) too_many: usize,
    /// The most objects to draw in all.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = picture_size)]
    pub(crate) max_objects: usize,
    /// How many objects of the type to start from: of each place that holds many of them one, then
    /// any.
    #[arg(short, long, value_name = "N", default_value_t = 3, value_parser = picture_size)]
    pub(crate) samples: usize,
}

const GRAPH_EXAMPLES: &str = "\
Examples:
  leakhunt snapshot --pid 4121 -o heap.leakhunt
  leakhunt graph heap.leakhunt --type Template -o template.svg
  leakhunt graph heap.leakhunt --addr 0x7f3a1c204a90 -o it.svg --depth 5
  leakhunt graph heap.leakhunt --type Session --refs -o session.svg
  leakhunt graph heap.leakhunt --type Template -o - | dot -Tpng > template.png";

/// More than that nobody can look at, and placing them takes minutes.
const MOST_DRAWN: usize = 2_000;

fn picture_size(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=MOST_DRAWN).contains(number));
    number.ok_or_else(|| format!("not a number from 1 to {MOST_DRAWN}"))
}

/// Which objects.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct SubjectArgs {
    /// All objects of a type: `Name`, `module.Name`, or a pattern such as `shop.*`.
    #[arg(short, long, value_name = "TYPE", value_parser = pattern)]
    pub(crate) r#type: Option<TypePattern>,
    /// The object at an address, as `id()` and other commands of leakhunt tell it.
    #[arg(short, long, value_name = "ADDR", value_parser = address)]
    pub(crate) addr: Option<u64>,
}

fn pattern(text: &str) -> Result<TypePattern, String> {
    match text {
        "" => Err("name a type, as in --type shop.cache.Template".into()),
        text => Ok(TypePattern::new(text)),
    }
}

/// Reads `0x7f3a1c204a90` and `139887556709008`.
fn address(text: &str) -> Result<u64, String> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let read = match hex {
        // A sign would be taken for a part of the number.
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        Some(_) => return Err("not an address".into()),
        None => text.parse(),
    };
    read.map_err(|_| "not an address: try 0x7f3a1c204a90, or the number that id() gives".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};

    fn paths(line: &str) -> Result<super::PathsArgs, clap::Error> {
        match Cli::try_parse_from(line.split(' '))?.command {
            Command::Paths(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_are_read_as_python_prints_them() {
        for text in ["0x7f3a1c204a90", "0X7F3A1C204A90", "139887556709008"] {
            let args = paths(&format!("leakhunt paths f --addr {text}")).unwrap();
            assert_eq!(args.subject.addr, Some(0x7f3a_1c20_4a90), "{text}");
        }
    }

    #[test]
    fn one_subject_has_to_be_named() {
        for line in [
            "leakhunt paths f",
            "leakhunt paths --type T",
            "leakhunt paths f --type T --addr 1",
            "leakhunt paths f --type=",
            "leakhunt paths f --addr 7f3a",
            "leakhunt paths f --addr 0x",
            "leakhunt paths f --addr 0x+7",
            "leakhunt paths f --addr -1",
        ] {
            assert!(paths(line).is_err(), "{line}");
        }
    }
}
