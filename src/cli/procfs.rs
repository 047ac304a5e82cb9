//! Numbers of `/proc`.

use std::fs;

use crate::budget::Memory;
use crate::cgroup::{GroupMemory, tightest_group};
use crate::render::text::escape_controls;

/// What the target's memory is like; what cannot be read is 0, or `None` for a limit.
pub(crate) fn memory_of(pid: u32) -> Memory {
    let rss = rss_of(pid).unwrap_or_default();
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Memory {
        rss_bytes: rss.rss_bytes,
        anonymous_bytes: rss.anonymous_bytes,
        swapped_bytes: rss.swapped_bytes,
        available_bytes: kib_line(&machine, "MemAvailable:"),
        cgroup_headroom_bytes: tightest_group(pid)
            .as_ref()
            .map(GroupMemory::headroom_bytes),
    }
}

/// The resident memory of a process at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rss {
    /// All of it.
    pub(crate) rss_bytes: u64,
    /// The part that is not of files: what a leak adds to. It counts pages that are shared with a
    /// forked child in full.
    pub(crate) anonymous_bytes: u64,
    /// What of it is in the swap instead.
    pub(crate) swapped_bytes: u64,
}

/// Reads it from counters that the kernel keeps, a tenth of a millisecond however large the process is; they
/// lag by up to 64 pages for each CPU. `None` when the process is gone.
pub(crate) fn rss_of(pid: u32) -> Option<Rss> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss_bytes = kib_line(&status, "VmRSS:")?;
    Some(Rss {
        rss_bytes,
        anonymous_bytes: kib_line(&status, "RssAnon:").unwrap_or(rss_bytes),
        swapped_bytes: kib_line(&status, "VmSwap:").unwrap_or(0),
    })
}

/// When the process was started, in ticks since boot; tells apart two processes of one id.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets and may hold anything; the 22nd is the start.
    let after_name = stat.get(stat.rfind(')')? + 1..)?;
    let mut fields = after_name.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The process that started it, or took it over; `None` when it is gone or has none.
pub(crate) fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok().filter(|&parent| parent != 0)
}

/// The most bytes of a command line that are kept.
const MAX_COMMAND: usize = 1000;

/// The command line, words joined by blanks, cut; empty where it cannot be read.
pub(crate) fn command_of(pid: u32) -> String {
    let mut words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.truncate(MAX_COMMAND);
    let text = String::from_utf8_lossy(&words).replace('\0', " ");
    escape_controls(text.trim_end()).into_owned()
}

/// The name of a user; the number where it has none.
pub(crate) fn user_name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in_passwd(&passwd, uid).unwrap_or_else(|| uid.to_string())
}

fn name_in_passwd(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The bytes of a line such as `VmRSS:  12 kB`.
pub(crate) fn kib_line(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_and_start_are_read() {
        let own = std::process::id();
        let memory = memory_of(own);
        assert!(memory.rss_bytes > 0 && memory.anonymous_bytes <= memory.rss_bytes);
        assert!(memory.available_bytes > Some(0));
        assert!(start_ticks(own) > Some(0));
        assert_eq!(start_ticks(u32::MAX), None);
        let program = std::env::args().next().unwrap();
        assert!(command_of(own).starts_with(&program));
        assert_eq!(command_of(u32::MAX), "");
        assert_eq!(parent_of(own), Some(std::os::unix::process::parent_id()));
        assert_eq!(parent_of(u32::MAX), None);
    }

    #[test]
    fn lines_in_kib_are_found() {
        let status = "Name:\tVmRSS: 1\nVmRSS:\t     12 kB\nRssAnon:\tx\n";
        assert_eq!(kib_line(status, "VmRSS:"), Some(12_288));
        assert_eq!(kib_line(status, "RssAnon:"), None);
        assert_eq!(kib_line(status, "RssFile:"), None);
    }

    #[test]
    fn users_have_names() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbad\n";
        assert_eq!(name_in_passwd(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(name_in_passwd(passwd, 7), None);
    }
}
