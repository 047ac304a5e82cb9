//! What the kernel tells of a process beside its memory: threads, descriptors, mapped files.

use std::collections::BTreeMap;
use std::fs;

use leakhunt_heap::{KernelView, Mapped};

/// The threads and descriptors of a process. What cannot be read, or ended meanwhile, is left out.
pub(crate) fn kernel_view(pid: u32) -> KernelView {
    let thread = |id: String| {
        let name = fs::read_to_string(format!("/proc/{pid}/task/{id}/comm")).ok()?;
        Some((id.parse().ok()?, name.trim_end().to_owned()))
    };
    KernelView {
        threads: names(pid, "task").filter_map(thread).collect(),
        descriptors: descriptor_links(pid).into_values().collect(),
    }
}

/// What each descriptor of a process leads to, as `/proc/PID/fd` has it. What cannot be read, or was
/// closed meanwhile, is left out.
pub(crate) fn descriptor_links(pid: u32) -> BTreeMap<u32, String> {
    names(pid, "fd")
        .filter_map(|id| {
            let link = fs::read_link(format!("/proc/{pid}/fd/{id}")).ok()?;
            Some((id.parse().ok()?, link.to_string_lossy().into_owned()))
        })
        .collect()
}

fn names(pid: u32, folder: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(format!("/proc/{pid}/{folder}"));
    let entries = entries.into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// The files that are mapped into a process; none where they cannot be read.
pub(crate) fn mapped_files(pid: u32) -> Vec<Mapped> {
    let files = leakhunt_attach::mapped_files(pid).unwrap_or_default();
    files
        .into_iter()
        .map(|(range, path)| Mapped { range, path })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_threads_descriptors_and_files_are_seen() {
        let own = std::process::id();
        let file = fs::File::open("/proc/self/exe").unwrap();
        let view = kernel_view(own);
        assert!(view.threads.iter().any(|&(id, _)| id == u64::from(own)));
        let program = fs::read_link("/proc/self/exe").unwrap();
        let program = program.to_string_lossy().into_owned();
        assert!(view.descriptors.contains(&program), "{view:?}");
        drop(file);
        assert!(mapped_files(own).iter().any(|one| one.path == program));
        assert_eq!(kernel_view(u32::MAX), KernelView::default());
        assert_eq!(mapped_files(u32::MAX), []);
    }
}
