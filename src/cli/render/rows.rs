//! Which rows of a table are shown, in which order, and how their names fit a terminal.

use std::cmp::Reverse;

use regex::Regex;

use super::text::{cut_start, escape_controls};
use crate::args::{RowArgs, RowOrder};
use crate::output::Output;

/// How wide a name may be beside the other columns, at least.
const NAME_MIN: usize = 24;

/// Which rows are shown, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowView {
    limit: Option<usize>,
    order: Option<RowOrder>,
    matches: Option<Regex>,
    pub(crate) color: bool,
    /// Columns of the terminal; `None` for no limit.
    pub(crate) width: Option<usize>,
}

impl RowView {
    pub(crate) fn new(args: &RowArgs, output: &Output) -> Self {
        Self {
            limit: args.limit,
            order: args.sort,
            matches: args.r#match.clone(),
            color: output.color,
            width: output.width,
        }
    }

    /// Whether rows of this name are to be shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.matches.as_ref().is_none_or(|re| re.is_match(name))
    }

    /// Whether all are.
    pub(super) fn shows_all(&self) -> bool {
        self.matches.is_none()
    }

    /// The most rows to show; `None` is all.
    pub(super) fn limit(&self, default: usize) -> Option<usize> {
        match self.limit {
            Some(0) => None,
            limit => Some(limit.unwrap_or(default)),
        }
    }

    /// Puts rows into the order that was asked for, or `default`; rows that are equal in it stay as
    /// they were. `None` leaves all as they are.
    pub(super) fn sort<R>(
        &self,
        rows: &mut [R],
        default: Option<RowOrder>,
        name: impl Fn(&R) -> &str,
        n_objects: impl Fn(&R) -> u64,
        size_bytes: impl Fn(&R) -> u64,
    ) {
        match self.order.or(default) {
            Some(RowOrder::Size) => {
                rows.sort_by_key(|row| (Reverse(size_bytes(row)), Reverse(n_objects(row))));
            }
            Some(RowOrder::Count) => {
                rows.sort_by_key(|row| (Reverse(n_objects(row)), Reverse(size_bytes(row))));
            }
            Some(RowOrder::Name) => rows.sort_by(|one, other| name(one).cmp(name(other))),
            None => {}
        }
    }

    /// A name and its mark, cut to what the terminal has left beside `others` columns;
    /// whole where there is none.
    pub(super) fn name(&self, name: &str, mark: &str, others: usize) -> String {
        let escaped = escape_controls(name);
        let max = match self.width {
            Some(width) => width.saturating_sub(others + mark.len()).max(NAME_MIN),
            None => usize::MAX,
        };
        format!("{}{mark}", cut_start(&escaped, max))
    }
}

/// `2026-02-03 04:05:06 UTC`; what is no time is told as such.
pub(super) fn moment(time_us: i64) -> String {
    let nanos = i128::from(time_us) * 1000;
    match time::OffsetDateTime::from_unix_timestamp_nanos(nanos) {
        Ok(at) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        Err(_) => "at an unknown time".to_owned(),
    }
}

/// RFC 3339 with milliseconds; `None` for what is no time.
pub(super) fn rfc3339(time_us: i64) -> Option<String> {
    let nanos = i128::from(time_us) * 1000;
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    let is_four_digits = (0..10_000).contains(&at.year());
    is_four_digits.then(|| {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    })
}
