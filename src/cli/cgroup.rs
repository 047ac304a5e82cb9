//! What the control groups of a process let it have.

use std::fs;
use std::path::{Path, PathBuf};

/// The memory of one control group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GroupMemory {
    /// `memory.max`, in the first version `memory.limit_in_bytes`.
    pub(crate) limit_bytes: u64,
    /// What its processes have, without files in the cache that are let go when memory is needed.
    pub(crate) used_bytes: u64,
}

impl GroupMemory {
    /// How much more there may be.
    pub(crate) fn headroom_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }
}

/// The group of a process, of both versions, or one above it: the one that has the least left. `None`
/// where none has a limit.
pub(crate) fn tightest_group(pid: u32) -> Option<GroupMemory> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let root = match controllers {
                "" => "/sys/fs/cgroup",
                _ if controllers.split(',').any(|one| one == "memory") => "/sys/fs/cgroup/memory",
                _ => return None,
            };
            tightest_of(Path::new(root), path)
        })
        .min_by_key(GroupMemory::headroom_bytes)
}

/// Of the group and those above it.
fn tightest_of(root: &Path, path: &str) -> Option<GroupMemory> {
    let relative: PathBuf = Path::new(path.trim_start_matches('/'))
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .collect();
    let group = root.join(relative);
    group
        .ancestors()
        .take_while(|above| above.starts_with(root))
        .filter_map(memory_of_group)
        .min_by_key(GroupMemory::headroom_bytes)
}

/// The first version shows no limit as a number near the largest.
const NO_LIMIT: u64 = 1 << 60;

fn memory_of_group(group: &Path) -> Option<GroupMemory> {
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(group.join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"));
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cache: u64 = stat
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file "))
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or(0);
    Some(GroupMemory {
        limit_bytes: limit.filter(|&limit| limit < NO_LIMIT)?,
        used_bytes: used.saturating_sub(cache),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_with_the_least_left_counts() {
        let root = std::env::temp_dir().join(format!("leakhunt-cgroup-{}", std::process::id()));
        let group = |path: &str, files: &[(&str, &str)]| {
            let folder = root.join(path);
            fs::create_dir_all(&folder).unwrap();
            for (name, text) in files {
                fs::write(folder.join(name), text).unwrap();
            }
        };
        group("a/b", &[("memory.max", "max\n"), ("memory.current", "5\n")]);
        group(
            "a",
            &[
                ("memory.max", "1000\n"),
                ("memory.current", "900\n"),
                ("memory.stat", "anon 1\ninactive_file 300\n"),
            ],
        );
        group(
            "",
            &[("memory.max", "2000\n"), ("memory.current", "1000\n")],
        );
        let found = tightest_of(&root, "/a/b");
        let expected = GroupMemory {
            limit_bytes: 1000,
            used_bytes: 600,
        };
        assert_eq!(found, Some(expected));
        assert_eq!(tightest_of(&root, "/../a/b"), Some(expected));
        let first_version = [
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.usage_in_bytes", "7\n"),
        ];
        group("", &[("memory.max", "max")]);
        group("c", &first_version);
        assert_eq!(tightest_of(&root, "c"), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
