//! A test that cannot run here says so where it is seen even though the test passes.

use std::io::Write;

/// Prints past libtest's capture that `what` is skipped, and why.
pub(crate) fn skipped(what: &str, why: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "skipped: {what}: {}", why.trim());
}
