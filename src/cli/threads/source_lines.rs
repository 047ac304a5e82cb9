//! Lines of the target's source files, as the target sees them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Larger files are no sources.
const MOST_BYTES: u64 = 16 << 20;

/// The source files of a process, each read once.
#[derive(Debug)]
pub(crate) struct SourceLines {
    pid: u32,
    /// By path; none for what cannot be read.
    files: BTreeMap<String, Vec<String>>,
}

impl SourceLines {
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            pid,
            files: BTreeMap::new(),
        }
    }

    /// A line without blanks at its ends, as `traceback` shows it; empty where there is none.
    pub(crate) fn line(&mut self, file: &str, line: u32) -> &str {
        let pid = self.pid;
        let lines = self
            .files
            .entry(file.to_owned())
            .or_insert_with(|| lines(&place(pid, file)));
        let index = (line as usize).checked_sub(1);
        let found = index.and_then(|index| lines.get(index));
        found.map_or("", |line| line.trim())
    }
}

/// Where a file of the process is for us: it may have a root and a working directory of its own.
fn place(pid: u32, file: &str) -> PathBuf {
    let process = PathBuf::from(format!("/proc/{pid}"));
    match file.strip_prefix('/') {
        Some(inner) => process.join("root").join(inner),
        None => process.join("cwd").join(file),
    }
}

fn lines(path: &Path) -> Vec<String> {
    // Opening what is no plain file may wait for ever.
    let is_source = fs::metadata(path).is_ok_and(|one| one.is_file() && one.len() <= MOST_BYTES);
    if !is_source {
        return Vec::new();
    }
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_number_and_what_is_no_file_has_none() {
        let mut sources = SourceLines::of(std::process::id());
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(file!());
        let own = own.to_str().unwrap();
        assert!(
            sources
                .line(own, 1)
                .starts_with("//! Lines of the target's")
        );
        assert_eq!(sources.line(own, 2), "");
        assert_eq!(sources.line(own, 0), "");
        assert_eq!(sources.line(own, u32::MAX), "");
        assert_eq!(sources.line("/dev/null", 1), "");
        assert_eq!(sources.line("<string>", 1), "");
        // Relative paths are those of the process's working directory.
        assert!(sources.line(file!(), 1).starts_with("//! Lines"));
    }
}
