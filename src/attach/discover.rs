//! Which processes of this machine run a CPython, and what stands in the way of an attach.

use std::time::Duration;

use crate::AttachError;

/// A process that runs a CPython, or seems to where its memory cannot be read.
#[derive(Debug)]
pub struct Candidate {
    /// Its process id, as the caller sees it.
    pub pid: u32,
    /// The effective user id it runs as.
    pub uid: u32,
    /// Python's version as far as it can be told without an attach: `3.12.1`, `3.9` or nothing.
    pub python: Option<String>,
    /// Resident memory.
    pub rss_bytes: u64,
    /// The lowest `memory.max` of its cgroups; `None` where there is no limit.
    pub limit_bytes: Option<u64>,
    /// Time since its start.
    pub uptime: Duration,
    /// Its command line, arguments separated by blanks, control characters escaped.
    pub command: String,
    /// What would make an attach fail; `None` where nothing is known to.
    pub obstacle: Option<AttachError>,
}

/// All processes that run a CPython, by process id.
pub fn candidates() -> Vec<Candidate> {
    unimplemented!()
}
