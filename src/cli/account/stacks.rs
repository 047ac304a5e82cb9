//! Which mappings are stacks of threads.

use std::fs;

use leakhunt_attach::ResidentMapping;

/// Whether each of `mappings` is a stack: the kernel names that of the first thread; those of others
/// hold a stack pointer of one that waits. What stands behind a guard and has the size of such a one is
/// kept by libc for a thread to come, or is of one that runs.
pub(super) fn stacks(pid: u32, mappings: &[ResidentMapping]) -> Vec<bool> {
    marked(mappings, &stack_pointers(pid))
}

/// Of all threads that wait in a system call.
fn stack_pointers(pid: u32) -> Vec<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let mut pointers: Vec<u64> = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("syscall")).ok()?;
            // `NR ARGS... SP PC`, `-1 SP PC` or `running`.
            let pointer = text.split_whitespace().rev().nth(1)?;
            u64::from_str_radix(pointer.strip_prefix("0x")?, 16).ok()
        })
        .collect();
    pointers.sort_unstable();
    pointers
}

fn marked(mappings: &[ResidentMapping], pointers: &[u64]) -> Vec<bool> {
    let len = |mapping: &ResidentMapping| mapping.range.end - mapping.range.start;
    let holds_one = |mapping: &ResidentMapping| {
        let first = pointers.partition_point(|&pointer| pointer < mapping.range.start);
        pointers
            .get(first)
            .is_some_and(|pointer| mapping.range.contains(pointer))
    };
    // With the guard below it, which is no part of it.
    let guarded = |index: usize| {
        let guard = &mappings[index.checked_sub(1)?];
        let is_guard = guard.range.end == mappings[index].range.start
            && !guard.is_readable
            && !guard.is_writable
            && guard.path.is_empty();
        is_guard.then(|| (len(guard), len(&mappings[index])))
    };
    let is_memory = |mapping: &ResidentMapping| {
        mapping.is_writable && !mapping.is_shared && mapping.path.is_empty()
    };
    let is_used: Vec<bool> = mappings
        .iter()
        .map(|mapping| {
            mapping.path.starts_with("[stack")
                || mapping.path.starts_with("[anon:stack")
                || is_memory(mapping) && holds_one(mapping)
        })
        .collect();
    let sizes: Vec<_> = (0..mappings.len())
        .filter(|&index| is_used[index] && is_memory(&mappings[index]))
        .filter_map(guarded)
        .collect();
    (0..mappings.len())
        .map(|index| {
            is_used[index]
                || is_memory(&mappings[index])
                    && guarded(index).is_some_and(|size| sizes.contains(&size))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: u64, end: u64, is_writable: bool, path: &str) -> ResidentMapping {
        ResidentMapping {
            range: start..end,
            is_readable: is_writable,
            is_writable,
            path: path.into(),
            ..ResidentMapping::default()
        }
    }

    #[test]
    fn a_stack_holds_a_stack_pointer_or_is_like_one_that_does() {
        let mappings = [
            mapping(0x1000, 0x2000, false, ""),
            mapping(0x2000, 0xa000, true, ""),
            mapping(0xb000, 0xc000, false, ""),
            mapping(0xc000, 0x14000, true, ""),
            mapping(0x15000, 0x16000, false, ""),
            mapping(0x16000, 0x1d000, true, ""),
            mapping(0x20000, 0x28000, true, ""),
            mapping(0x30000, 0x38000, true, "[stack]"),
            mapping(0x40000, 0x48000, true, "[heap]"),
        ];
        let is_stack = marked(&mappings, &[0x2008, 0x40010]);
        let indices: Vec<_> = (0..mappings.len()).filter(|&n| is_stack[n]).collect();
        assert_eq!(indices, [1, 3, 7]);
        let without = marked(&mappings, &[]);
        assert_eq!(without.iter().filter(|&&is_stack| is_stack).count(), 1);
    }

    #[test]
    fn own_stack_pointers_are_found() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || receiver.recv());
        let own = std::process::id();
        let found = (0..1000).any(|_| {
            std::thread::yield_now();
            !stack_pointers(own).is_empty()
        });
        drop(sender);
        assert!(waiting.join().unwrap().is_err());
        assert!(found);
    }
}
