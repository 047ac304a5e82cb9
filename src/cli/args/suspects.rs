//! What can be typed for the commands that look at the references of one snapshot.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use regex::Regex;

use super::EXIT_CODES;

/// What would be freed with the objects of each type.
///
/// For each type, module or package of a snapshot: how many objects there are, their own bytes, and the
/// bytes that would be freed if all of them were gone; and the path to the one that holds most. The
/// numbers show size, not growth.
#[derive(Args, Debug)]
#[command(after_help = RETAINED_EXAMPLES, after_long_help = format!("{RETAINED_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct RetainedArgs {
    /// The folder NAME.leakhunt.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What the objects are put together by.
    #[arg(long, value_name = "KIND", default_value = "type")]
    pub(crate) by: RetainedKindArg,
    /// Show at most so many rows; 0: all. JSON always has all.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Show only rows whose name matches the regular expression somewhere. Totals are of all.
    #[arg(short, long, value_name = "RE")]
    pub(crate) r#match: Option<Regex>,
}

const RETAINED_EXAMPLES: &str = "\
Examples:
  leakhunt snapshot --pid 4121 -o heap.leakhunt
  leakhunt retained heap.leakhunt
  leakhunt retained heap.leakhunt --by package
  leakhunt retained heap.leakhunt --match '^shop\\.' --limit 0
  leakhunt retained heap.leakhunt --json | jq '.rows[] | select(.retained_bytes > 1e6)'";

/// What objects are put together by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum RetainedKindArg {
    /// The type.
    Type,
    /// The module of the type; of classes, functions and modules the module that they are in.
    Module,
    /// The top-level package of the module.
    Package,
}

/// What holds most of a heap.
///
/// Names the objects of a snapshot that hold a tenth of the heap or more, and the places that hold so
/// much of one type together: what is there, by which path, how much would be freed, and whose code it
/// is. One snapshot shows size, not growth; with --baseline it is what grew since an earlier one.
#[derive(Args, Debug)]
#[command(after_help = SUSPECTS_EXAMPLES, after_long_help = format!("{SUSPECTS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct SuspectsArgs {
    /// The folder NAME.leakhunt.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// An earlier snapshot of the same program: show what grew since then by 2 % of it or more.
    #[arg(short, long, value_name = "FILE0")]
    pub(crate) baseline: Option<PathBuf>,
}

const SUSPECTS_EXAMPLES: &str = "\
Examples:
  leakhunt snapshot --pid 4121 -o heap.leakhunt
  leakhunt suspects heap.leakhunt
  leakhunt suspects later.leakhunt --baseline heap.leakhunt
  leakhunt suspects heap.leakhunt --json | jq -r '.suspects[].place'";
