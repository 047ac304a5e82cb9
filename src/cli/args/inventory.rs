//! What all inventories of a live process take.

use std::time::Duration;

use clap::{Args, ValueEnum};
use regex::Regex;

use super::{Common, TargetArgs};
use crate::quantity::duration_over_zero;

/// How often to look, what to show and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct InventoryArgs {
    /// Look again and again, with so much time between looks, and mark what is new and what grows:
    /// 30, 30s, 5m, 1h. Without it: one look.
    #[arg(short, long, value_name = "TIME", value_parser = duration_over_zero)]
    pub(crate) interval: Option<Duration>,
    /// End after so many looks.
    #[arg(short = 'n', long, value_name = "N", requires = "interval", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Show at most so many; 0: all. JSON and the format of Home Assistant have all unless this is
    /// typed.
    #[arg(short, long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Show only what matches the regular expression somewhere in its line.
    #[arg(short, long, value_name = "RE")]
    pub(crate) r#match: Option<Regex>,
    /// How to show it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: InventoryFormat,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

impl InventoryArgs {
    /// The format, which `--json` says, too.
    pub(crate) fn format(&self, common: &Common) -> InventoryFormat {
        match common.json {
            true => InventoryFormat::Json,
            false => self.format,
        }
    }
}

/// How an inventory is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum InventoryFormat {
    /// For people.
    Table,
    /// As Home Assistant's profiler logs it.
    Ha,
    /// A line of JSON for each look.
    Json,
}
