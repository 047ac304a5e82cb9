//! What can be typed for the commands that read files.

use std::num::NonZeroI64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use leakhunt_heap::classify::By;
use leakhunt_heap::gate::Limit;
use regex::Regex;

use super::EXIT_CODES;

/// What is in a file of leakhunt or guppy.
///
/// Tells by the content what the file is: an .hpy file of guppy, of Home Assistant or of leakhunt; a
/// folder NAME.leakhunt; the log of `leakhunt growth --log`.
#[derive(Args, Debug)]
#[command(after_help = SHOW_EXAMPLES, after_long_help = format!("{SHOW_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct ShowArgs {
    /// The file or folder. `-` is stdin.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) rows: RowArgs,
    /// Of an .hpy file with several tables, show only this one, counted from 1; -1 is the last.
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = table_number
    )]
    pub(crate) snapshot: Option<NonZeroI64>,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  leakhunt show heap.hpy                 as guppy prints it
  leakhunt show series.hpy --snapshot -1
  leakhunt show before.leakhunt --by rcs --limit 40
  leakhunt show before.leakhunt --match '^shop\\.' --sort count
  leakhunt show growth.jsonl             from the first look to the last
  leakhunt show heap.hpy --json | jq -r '.tables[0].rows[] | select(.objects > 1000) | .name'";

/// What grew from one file to another, and whether it is too much.
///
/// Compares two files of one kind: .hpy files, snapshots or growth logs; or, of one file with several
/// looks, its first and its last. Each --fail-on is a limit of growth: when one is exceeded, leakhunt
/// says so and exits with code 1.
#[derive(Args, Debug)]
#[command(after_help = DIFF_EXAMPLES, after_long_help = format!("{DIFF_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct DiffArgs {
    /// The earlier file. `-` is stdin.
    #[arg(value_name = "A")]
    pub(crate) before: PathBuf,
    /// The later file. Without it: the first and the last look of A.
    #[arg(value_name = "B")]
    pub(crate) after: Option<PathBuf>,
    /// Fail with exit code 1 when there is more growth than this: `shop.Template:+100` objects,
    /// `shop.*:+10MB` for each type that the pattern matches, `total:+5%`. Repeatable.
    #[arg(long, value_name = "LIMIT")]
    pub(crate) fail_on: Vec<Limit>,
    /// How to show it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: DiffFormat,
    #[command(flatten)]
    pub(crate) rows: RowArgs,
    /// Of .hpy files with several tables, compare this one, counted from 1; -1 is the last. Given
    /// twice, the first is for A and the second for B.
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_delimiter = ',',
        value_parser = table_number
    )]
    pub(crate) snapshot: Vec<NonZeroI64>,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  leakhunt diff before.hpy after.hpy
  leakhunt diff before.hpy after.hpy --fail-on 'shop.Template:+100' --fail-on 'total:+10MB'
  leakhunt diff before.leakhunt after.leakhunt --fail-on 'shop.*:+0' --format github
  leakhunt diff before.leakhunt after.leakhunt --format markdown > comment.md
  leakhunt diff growth.jsonl --fail-on 'total:+5%'
  leakhunt diff series.hpy --snapshot 2,5";

/// Which rows, and in which order.
#[derive(Args, Clone, Debug)]
pub(crate) struct RowArgs {
    /// What the objects of a snapshot are counted by: clodo (types, dicts by their owner), type, rcs
    /// (referrers), module, size, unity, or some of these joined by `&`; or id. Other files hold what
    /// they hold. [default: type]
    #[arg(long, value_name = "KIND")]
    pub(crate) by: Option<By>,
    /// Show at most so many rows; 0: all. 20, of what looks as guppy prints it 10. JSON always has all.
    #[arg(short, long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// What comes first. Without it the most bytes; `show` keeps the order of an .hpy file.
    #[arg(short, long, value_name = "ORDER")]
    pub(crate) sort: Option<RowOrder>,
    /// Show only rows whose name matches the regular expression somewhere. Totals and limits are of
    /// all.
    #[arg(short, long, value_name = "RE")]
    pub(crate) r#match: Option<Regex>,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum RowOrder {
    /// The most bytes; of a difference, the largest change of bytes.
    Size,
    /// The most objects; of a difference, the largest change of their number.
    Count,
    /// By name.
    Name,
}

/// How a difference is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people.
    Table,
    /// As guppy prints `load(A) - load(B)`: what A has more than B.
    Guppy,
    /// One document of JSON.
    Json,
    /// A table for the comment of a pull request.
    Markdown,
    /// Annotations of GitHub Actions for what is over a limit.
    Github,
}

fn table_number(text: &str) -> Result<NonZeroI64, String> {
    text.parse()
        .map_err(|_| "tables are counted from 1, from the end as -1, -2".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_line_for_builds_is_understood() {
        let line = "leakhunt diff before.hpy after.hpy --fail-on shop.Template:+100 --fail-on \
                    total:+10MB";
        let Ok(Command::Diff(diff)) = parse(line) else {
            panic!("not diff")
        };
        let limits: Vec<String> = diff.fail_on.iter().map(ToString::to_string).collect();
        assert_eq!(limits, ["shop.Template:+100", "total:+10MB"]);
        assert_eq!(diff.after.unwrap().to_str(), Some("after.hpy"));
    }

    #[test]
    fn tables_are_counted_from_either_end() {
        let tables = |line: &str| match parse(line) {
            Ok(Command::Diff(diff)) => diff.snapshot.iter().map(|n| n.get()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(tables("leakhunt diff f --snapshot 2,-1"), [2, -1]);
        assert_eq!(
            tables("leakhunt diff f --snapshot -2 --snapshot 3"),
            [-2, 3]
        );
        for line in [
            "leakhunt show f --snapshot 0",
            "leakhunt show f --snapshot x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn files_have_one_name_and_kinds_a_known_one() {
        for line in [
            "leakhunt show",
            "leakhunt show a b",
            "leakhunt diff a b c",
            "leakhunt show a --by colour",
            "leakhunt show a --match (",
            "leakhunt diff a b --fail-on x",
            "leakhunt diff a b --format xml",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("leakhunt show - --by type&size").is_ok());
    }
}
