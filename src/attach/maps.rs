//! What `/proc/PID/maps` says.

use std::io;
use std::ops::Range;

/// One mapping of a process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mapping {
    /// Its addresses.
    pub(crate) range: Range<u64>,
    pub(crate) is_readable: bool,
    pub(crate) is_writable: bool,
    pub(crate) is_executable: bool,
    /// Offset of its first byte in the file.
    pub(crate) offset: u64,
    /// Device of the file, as `major:minor`.
    pub(crate) device: String,
    /// Inode of the file; 0 where there is none.
    pub(crate) inode: u64,
    /// Path of the file, a name such as `[stack]`, or nothing.
    pub(crate) path: String,
}

impl Mapping {
    /// Whether both are parts of one file.
    pub(crate) fn is_of_same_file(&self, other: &Self) -> bool {
        self.inode == other.inode && self.device == other.device && self.path == other.path
    }

    /// Whether it is a part of a file.
    pub(crate) fn has_file(&self) -> bool {
        self.path.starts_with('/')
    }

    /// The last part of the path, without the mark of a deleted file.
    pub(crate) fn file_name(&self) -> &str {
        let path = self.path.trim_end_matches(" (deleted)");
        path.rsplit('/').next().unwrap_or(path)
    }
}

/// All mappings, by address.
///
/// # Errors
/// When the process is gone or may not be looked at.
pub(crate) fn mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let text = std::fs::read(format!("/proc/{pid}/maps"))?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

/// The files that are mapped into a process, and where; by address.
///
/// # Errors
/// When the process is gone or may not be looked at.
pub fn mapped_files(pid: u32) -> io::Result<Vec<(Range<u64>, String)>> {
    let files = mappings(pid)?.into_iter().filter(Mapping::has_file);
    Ok(files.map(|mapping| (mapping.range, mapping.path)).collect())
}

/// The mapping that holds `address`.
pub(crate) fn mapping_at(mappings: &[Mapping], address: u64) -> Option<&Mapping> {
    let after = mappings.partition_point(|mapping| mapping.range.start <= address);
    let mapping = mappings.get(after.checked_sub(1)?)?;
    mapping.range.contains(&address).then_some(mapping)
}

fn parse(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_line).collect()
}

/// One line of it.
pub(crate) fn parse_line(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let device = fields.next()?;
    let inode = fields.next()?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping {
        range: hex(start)?..hex(end)?,
        is_readable: permissions.starts_with('r'),
        is_writable: permissions.as_bytes().get(1) == Some(&b'w'),
        is_executable: permissions.as_bytes().get(2) == Some(&b'x'),
        offset: hex(offset)?,
        device: device.into(),
        inode: inode.parse().ok()?,
        path: fields.next().unwrap_or_default().trim_start().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/my prog (deleted)
7f0000000000-7f0000001000 rw-p 00000000 00:00 0 
7ffd1000-7ffd2000 ---p 00000000 00:00 0                          [stack]
";

    #[test]
    fn a_path_with_blanks_is_kept() {
        let mappings = parse(TEXT);
        assert_eq!(mappings.len(), 3);
        assert_eq!(mappings[0].path, "/usr/bin/my prog (deleted)");
        assert_eq!(mappings[0].file_name(), "my prog");
        assert_eq!((mappings[0].offset, mappings[0].inode), (0x1000, 173_521));
        assert!(mappings[0].is_executable && !mappings[0].is_writable);
        assert!(mappings[1].is_writable && mappings[1].path.is_empty());
        assert!(!mappings[2].is_readable && !mappings[2].has_file());
    }

    #[test]
    fn a_mapping_is_found_by_an_address_in_it() {
        let mappings = parse(TEXT);
        assert_eq!(mapping_at(&mappings, 0x40_0000), Some(&mappings[0]));
        assert_eq!(mapping_at(&mappings, 0x45_1fff), Some(&mappings[0]));
        assert_eq!(mapping_at(&mappings, 0x45_2000), None);
        assert_eq!(mapping_at(&mappings, 0), None);
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        assert!(
            parse("\n-\nx-y r 0 0 0\n12-13\n12-13 r-xp 0 08:02\n12-13 r-xp 0 08:02 z").is_empty()
        );
    }
}
