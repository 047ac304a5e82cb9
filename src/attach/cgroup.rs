//! The memory limit of a process by its control groups.

use std::path::Path;

/// Where the hierarchies are mounted: the second version alone, beside the first, the first.
const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const MEMORY: &str = "/sys/fs/cgroup/memory";
/// The first version shows no limit as a number near the largest.
const NO_LIMIT: u64 = 1 << 60;

/// The lowest limit of the process's groups and of all above them; `None` where there is none.
pub(crate) fn memory_limit_bytes(pid: u32) -> Option<u64> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups
        .lines()
        .filter_map(parse_group)
        .filter_map(|group| match group {
            Group::Unified(path) => UNIFIED
                .iter()
                .filter_map(|mount| lowest(mount, path, "memory.max"))
                .min(),
            Group::Memory(path) => lowest(MEMORY, path, "memory.limit_in_bytes"),
        })
        .min()
}

#[derive(Debug, Eq, PartialEq)]
enum Group<'l> {
    /// Of the second version.
    Unified(&'l str),
    /// Of the memory controller of the first.
    Memory(&'l str),
}

/// `0::/path`, or `4:cpu,memory:/path`.
fn parse_group(line: &str) -> Option<Group<'_>> {
    let mut fields = line.splitn(3, ':');
    let hierarchy = fields.next()?;
    let controllers = fields.next()?;
    let path = fields.next()?.trim_start_matches('/');
    // A group outside of what we see of the hierarchy.
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    if hierarchy == "0" && controllers.is_empty() {
        Some(Group::Unified(path))
    } else if controllers.split(',').any(|name| name == "memory") {
        Some(Group::Memory(path))
    } else {
        None
    }
}

fn lowest(mount: &str, path: &str, file: &str) -> Option<u64> {
    let group = Path::new(mount).join(path);
    group
        .ancestors()
        .take_while(|group| group.starts_with(mount))
        .filter_map(|group| parse_limit(&std::fs::read_to_string(group.join(file)).ok()?))
        .min()
}

/// `max` or bytes.
fn parse_limit(text: &str) -> Option<u64> {
    let limit = text.trim().parse().ok()?;
    (limit < NO_LIMIT).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_read() {
        assert_eq!(parse_group("0::/a/b:c"), Some(Group::Unified("a/b:c")));
        assert_eq!(parse_group("4:cpu,memory:/x"), Some(Group::Memory("x")));
        assert_eq!(parse_group("1:name=systemd:/x"), None);
        assert_eq!(parse_group("0::/../other"), None);
        assert_eq!(parse_group("0"), None);
    }

    #[test]
    fn no_limit_is_none() {
        assert_eq!(parse_limit("max\n"), None);
        assert_eq!(parse_limit("9223372036854771712\n"), None);
        assert_eq!(parse_limit("536870912\n"), Some(512 << 20));
        assert_eq!(parse_limit(""), None);
    }
}
