use std::fs;
use std::process::Command;

use crate::support::skipped;

/// The image that is in the program.
const IMAGE: &str = env!("LEAKHUNT_AGENT_IMAGE");

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_TLS: u32 = 7;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_SYMTAB: u64 = 6;
const DT_INIT: u64 = 12;
const DT_INIT_ARRAY: u64 = 25;

/// A file in ELF's form for x86-64, as far as is needed here.
struct Image(Vec<u8>);

struct Segment {
    kind: u32,
    flags: u32,
    offset: usize,
    len: usize,
}

impl Image {
    fn number<const N: usize>(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(&self.0[at..at + N]);
        u64::from_le_bytes(bytes)
    }

    fn segments(&self) -> Vec<Segment> {
        let table = self.number::<8>(32) as usize;
        let count = self.number::<2>(56) as usize;
        let headers = (0..count).map(|index| table + index * 56);
        headers
            .map(|at| Segment {
                kind: self.number::<4>(at) as u32,
                flags: self.number::<4>(at + 4) as u32,
                offset: self.number::<8>(at + 8) as usize,
                len: self.number::<8>(at + 32) as usize,
            })
            .collect()
    }

    /// Tags and values of the dynamic section.
    fn dynamic(&self) -> Vec<(u64, u64)> {
        let segments = self.segments();
        let section = segments
            .iter()
            .find(|segment| segment.kind == PT_DYNAMIC)
            .unwrap();
        let entries = (section.offset..section.offset + section.len).step_by(16);
        let pairs = entries.map(|at| (self.number::<8>(at), self.number::<8>(at + 8)));
        pairs.take_while(|(tag, _)| *tag != DT_NULL).collect()
    }
}

/// The image; `None` in a build that was made without one.
fn image() -> Option<Image> {
    let bytes = fs::read(IMAGE).unwrap();
    if bytes.is_empty() {
        skipped("the agent's image", "this build was made without one");
        return None;
    }
    assert_eq!(&bytes[..4], b"\x7fELF");
    Some(Image(bytes))
}

#[test]
fn the_agent_imports_nothing() {
    let Some(image) = image() else { return };
    let dynamic = image.dynamic();
    assert!(
        dynamic.iter().any(|(tag, _)| *tag == DT_SYMTAB),
        "this is a dynamic section"
    );
    for tag in [DT_NEEDED, DT_INIT, DT_INIT_ARRAY] {
        assert!(
            !dynamic.iter().any(|(own, _)| *own == tag),
            "it needs a loader: tag {tag}"
        );
    }
    match Command::new("nm")
        .args(["-D", "--undefined-only", IMAGE])
        .output()
    {
        Ok(nm) => assert_eq!(String::from_utf8_lossy(&nm.stdout), "", "undefined symbols"),
        Err(reason) => skipped("undefined symbols of the agent", &format!("nm: {reason}")),
    }
}

#[test]
fn no_segment_is_both_writable_and_executable() {
    let Some(image) = image() else { return };
    let loaded = image
        .segments()
        .into_iter()
        .filter(|segment| segment.kind == PT_LOAD);
    let flags: Vec<_> = loaded.map(|segment| segment.flags).collect();
    assert!(
        flags.iter().any(|flags| flags & 1 != 0),
        "something is executable: {flags:?}"
    );
    assert!(
        flags.iter().all(|flags| flags & 3 != 3),
        "W and X at once: {flags:?}"
    );
}

#[test]
fn the_agent_has_no_thread_local_memory_and_no_interpreter() {
    let Some(image) = image() else { return };
    for segment in image.segments() {
        assert!(
            ![PT_INTERP, PT_TLS].contains(&segment.kind),
            "segment of kind {}",
            segment.kind
        );
    }
}

#[test]
fn the_agent_is_small() {
    let Some(image) = image() else { return };
    // Each attach copies it. What an object is in the midst of took it past 200 KiB.
    assert!(image.0.len() < 216 * 1024, "{} bytes", image.0.len());
}
