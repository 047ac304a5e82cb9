//! What the benchmarks share: a target, sessions with the agent in it, and small statistics.

pub(crate) mod session;
pub(crate) mod statistics;
pub(crate) mod target;

use std::io::Write;

/// Prints a line of the result.
pub(crate) fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
}
