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
