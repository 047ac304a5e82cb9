//! Files and shared memory that are mapped, and the objects that mapped them.

use std::collections::BTreeMap;

use leakhunt_attach::ResidentMapping;
use leakhunt_heap::{BigBuffer, MappedFile, ObjId, Snapshot, TypeId};

use super::region::{Peek, Regions};

/// The bytes of an object of `mmap.mmap` that tell where its mapping is.
const MMAP_FIELDS: usize = 64;
/// How the kernel calls shared memory that has no file: what `mmap.mmap(-1, N)` gives.
const NO_FILE: [&str; 2] = ["/dev/zero (deleted)", "[anon_shmem:"];

/// See the module.
pub(super) struct Files<'a> {
    snapshot: &'a Snapshot,
    /// Where mappings of `mmap.mmap` objects start, ascending.
    mapped: Vec<(u64, ObjId)>,
    files: BTreeMap<String, MappedFile>,
    /// Shared memory of objects, without a file.
    pub(super) buffers: Vec<BigBuffer>,
}

/// Whether a mapping is of a file, or shared with others.
pub(super) fn is_file(mapping: &ResidentMapping) -> bool {
    // The kernel's pages for its clock are `[vdso]` and `[vvar]`.
    mapping.path.starts_with('/') || mapping.is_shared || mapping.path.starts_with("[v")
}

impl<'a> Files<'a> {
    /// Looks for objects of `mmap.mmap`.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        regions: &Regions<'_>,
        mappings: &[ResidentMapping],
    ) -> Self {
        let mut mapped = Vec::new();
        let types = snapshot.types.iter();
        let is_mmap: Vec<bool> = types
            .map(|class| class.module == "mmap" && class.qualname == "mmap")
            .collect();
        for object in snapshot.ids() {
            let TypeId(class) = snapshot.objects.type_id[object.0 as usize];
            if is_mmap[class as usize] {
                let address = snapshot.objects.address[object.0 as usize];
                let start = start_of(regions, mappings, address);
                mapped.extend(start.map(|start| (start, object)));
            }
        }
        mapped.sort_unstable();
        Self {
            snapshot,
            mapped,
            files: BTreeMap::new(),
            buffers: Vec::new(),
        }
    }

    /// Adds a mapping for which [`is_file`] holds; `true` when it is a file, `false` when it is an
    /// object's buffer.
    pub(super) fn add(&mut self, mapping: &ResidentMapping) -> bool {
        let place = self
            .mapped
            .binary_search_by_key(&mapping.range.start, |&(start, _)| start);
        let owner = place.ok().map(|place| self.mapped[place].1);
        let type_key = owner.map_or(String::new(), |owner| self.snapshot.type_of(owner).key());
        let has_no_file = NO_FILE.iter().any(|name| mapping.path.starts_with(name));
        if let (Some(owner), true) = (owner, has_no_file) {
            self.buffers.push(BigBuffer {
                type_key,
                owner: self.snapshot.objects.address[owner.0 as usize],
                path: String::new(),
                mapped_bytes: mapping.range.end - mapping.range.start,
                resident_bytes: mapping.rss_bytes,
            });
            return false;
        }
        if mapping.rss_bytes > 0 {
            let path = match mapping.path.as_str() {
                "" => "shared memory",
                path => path,
            };
            let file = self.files.entry(path.to_owned()).or_default();
            file.resident_bytes += mapping.rss_bytes;
            if file.type_key.is_empty() {
                file.type_key = type_key;
            }
        }
        true
    }

    /// Those with the most in RAM first.
    pub(super) fn sorted(self) -> Vec<MappedFile> {
        let files = self.files.into_iter();
        let mut files: Vec<_> = files
            .map(|(path, file)| MappedFile { path, ..file })
            .collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.resident_bytes));
        files
    }
}

/// The first field that is where a mapping starts, followed by one that is no longer than it.
fn start_of(regions: &Regions<'_>, mappings: &[ResidentMapping], object: u64) -> Option<u64> {
    let mut fields = [0; MMAP_FIELDS];
    regions.read(object, &mut fields)?;
    let (words, _) = fields.as_chunks::<8>();
    words.windows(2).find_map(|pair| {
        let [start, len] = [pair[0], pair[1]].map(u64::from_le_bytes);
        let place = mappings.binary_search_by_key(&start, |mapping| mapping.range.start);
        let range = &mappings[place.ok()?].range;
        (len > 0 && len <= range.end - range.start).then_some(start)
    })
}
