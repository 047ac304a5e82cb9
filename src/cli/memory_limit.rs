//! How much memory a process may have, and who says so.

use std::fmt;
use std::fs;

use crate::cgroup::{GroupMemory, tightest_group};
use crate::procfs::kib_line;
use crate::render::numbers::limit;

/// The limit that a process meets first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MemoryLimit {
    pub(crate) limit_bytes: u64,
    /// What counts against it now; of the machine and of a control group that is more than the
    /// process's own memory.
    pub(crate) used_bytes: u64,
    pub(crate) source: LimitSource,
}

/// Who sets a limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LimitSource {
    /// Its control group, or one above.
    Cgroup,
    /// `RLIMIT_AS`: all that is mapped, in RAM or not.
    AddressSpace,
    /// `RLIMIT_DATA`: all that is mapped to be written to by it alone, in RAM or not.
    Data,
    /// The machine has no more.
    Ram,
}

impl MemoryLimit {
    /// How much more there may be.
    pub(crate) fn headroom_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            LimitSource::Cgroup => "cgroup limit",
            LimitSource::AddressSpace => "address space limit",
            LimitSource::Data => "data limit",
            LimitSource::Ram => "RAM",
        };
        write!(f, "{source} {}", limit(self.limit_bytes))
    }
}

/// Of the limits of its control groups, its resource limits and the machine's RAM the one that leaves
/// the least; `None` where `/proc` cannot be read.
pub(crate) fn memory_limit(pid: u32) -> Option<MemoryLimit> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    tightest(tightest_group(pid), &status, &limits, &machine)
}

fn tightest(
    group: Option<GroupMemory>,
    status: &str,
    limits: &str,
    machine: &str,
) -> Option<MemoryLimit> {
    let of_group = group.map(|group| MemoryLimit {
        limit_bytes: group.limit_bytes,
        used_bytes: group.used_bytes,
        source: LimitSource::Cgroup,
    });
    let of_process = |name, used, source| {
        Some(MemoryLimit {
            limit_bytes: soft_limit(limits, name)?,
            used_bytes: kib_line(status, used)?,
            source,
        })
    };
    let ram = || {
        let limit_bytes = kib_line(machine, "MemTotal:")?;
        Some(MemoryLimit {
            limit_bytes,
            used_bytes: limit_bytes.saturating_sub(kib_line(machine, "MemAvailable:")?),
            source: LimitSource::Ram,
        })
    };
    let all = [
        of_group,
        of_process("Max address space", "VmSize:", LimitSource::AddressSpace),
        of_process("Max data size", "VmData:", LimitSource::Data),
        ram(),
    ];
    all.into_iter()
        .flatten()
        .min_by_key(MemoryLimit::headroom_bytes)
}

/// The soft limit of a line of `/proc/PID/limits`; `None` where it is `unlimited`.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "VmSize:\t  1000 kB\nVmData:\t  100 kB\n";
    const MACHINE: &str = "MemTotal:   25165824 kB\nMemAvailable:   5000 kB\n";
    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max data size             unlimited            unlimited            bytes
Max address space         2048000              unlimited            bytes
";

    #[test]
    fn the_limit_that_leaves_the_least_counts() {
        let found = tightest(None, STATUS, LIMITS, MACHINE).unwrap();
        assert_eq!(found.source, LimitSource::AddressSpace);
        assert_eq!(
            (found.limit_bytes, found.used_bytes),
            (2_048_000, 1_024_000)
        );
        let group = GroupMemory {
            limit_bytes: 2 << 30,
            used_bytes: (2 << 30) - 5,
        };
        let found = tightest(Some(group), STATUS, LIMITS, MACHINE).unwrap();
        assert_eq!(found.to_string(), "cgroup limit 2 GiB");
        assert_eq!(found.headroom_bytes(), 5);
    }

    #[test]
    fn without_limits_the_machine_is_the_limit() {
        let unlimited = LIMITS.replace("2048000", "unlimited");
        let found = tightest(None, STATUS, &unlimited, MACHINE).unwrap();
        assert_eq!(found.to_string(), "RAM 24 GiB");
        assert_eq!(found.headroom_bytes(), 5000 << 10);
        assert_eq!(tightest(None, "", "", ""), None);
    }

    #[test]
    fn own_limit_is_read() {
        let found = memory_limit(std::process::id()).unwrap();
        assert!(found.used_bytes > 0 && found.limit_bytes > 0);
        assert_eq!(memory_limit(u32::MAX), None);
    }
}
