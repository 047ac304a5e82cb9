//! Waiting for something that has to happen: bounded, and never a plain sleep.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// After this time a test that still waits has failed. Generous: the machine may be loaded.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// Asks `question` until it has an answer; `None` after `limit`.
pub(crate) fn eventually<T>(limit: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The exit status of `child` once it has ended; `None` after `limit`.
pub(crate) fn ended(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    eventually(limit, || child.try_wait().unwrap())
}
