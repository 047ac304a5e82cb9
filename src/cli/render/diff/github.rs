//! A difference as annotations: lines that GitHub Actions shows at the run.

use std::fmt::Write as _;

use super::table::totals;
use super::{sentence, verdict};
use crate::difference::Difference;

/// GitHub shows ten of each sort in a step.
const MAX_SHOWN: usize = 10;

/// An `::error` for each growth over a limit, a `::warning` for each limit that names nothing, and a
/// `::notice` with the totals.
pub(super) fn annotations(difference: &Difference) -> String {
    let gate = &difference.gate;
    let mut text = String::new();
    let n_errors = gate.exceeded.len();
    let n_told = match n_errors > MAX_SHOWN {
        true => MAX_SHOWN - 1,
        false => n_errors,
    };
    for exceeded in &gate.exceeded[..n_told] {
        let title = format!("leakhunt: over the limit {}", exceeded.limit);
        annotate(&mut text, "error", &title, &sentence(exceeded));
    }
    if n_errors > n_told {
        let more = format!("{} more are over a limit", n_errors - n_told);
        annotate(&mut text, "error", "leakhunt", &more);
    }
    for limit in gate.names_nothing.iter().take(MAX_SHOWN) {
        let told = format!("--fail-on {limit} names nothing in either file");
        annotate(&mut text, "warning", "leakhunt", &told);
    }
    let title = match verdict(difference) {
        Some(verdict) => format!("leakhunt: {verdict}"),
        None => "leakhunt".to_owned(),
    };
    annotate(&mut text, "notice", &title, &totals(difference));
    text
}

fn annotate(text: &mut String, level: &str, title: &str, message: &str) {
    let title = escape(title).replace(':', "%3A").replace(',', "%2C");
    let _ = writeln!(text, "::{level} title={title}::{}", escape(message));
}

/// What would end the line or be taken for an escape.
fn escape(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
