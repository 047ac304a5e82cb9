//! From the blocks that an agent sends to a [`Snapshot`].
//!
//! Blocks are looked over as they come and kept compressed; once the last is there they are read
//! twice more, so that the columns are all that is ever held of the objects. Memory at the peak:
//! the columns, 16 bytes an object, and the compressed stream.

mod addresses;
mod catalogue;

use leakhunt_wire::{DecodeError, Edge, EdgeName, GraphReader, MAX_BLOCK, Node, Record, Shape};

use crate::snapshot::{Capture, Label, LabelName, ObjId, Objects, References, Snapshot, TypeId};
use addresses::Addresses;
use catalogue::Catalogue;

/// Why blocks are no snapshot. They come from a process that may be broken or hostile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// Bytes that are no records.
    #[error("a block of the graph is damaged: {0}")]
    Block(DecodeError),
    /// Bytes that do not decompress to the length that they are said to have.
    #[error("a block of the graph does not decompress")]
    Compression,
    /// The last record is missing, or tells of another number of something than there are.
    #[error("the graph is incomplete: {n_seen} {what} of {n_sent} came")]
    Truncated {
        /// Of what.
        what: &'static str,
        /// How many came.
        n_seen: u64,
        /// How many were said to be sent; 0 where the last record is missing.
        n_sent: u64,
    },
    /// Something comes after the last record.
    #[error("the graph goes on after its end")]
    AfterTheEnd,
    /// Two objects at one place.
    #[error("the graph has two objects at {address:#x}")]
    Twice {
        /// The place.
        address: u64,
    },
    /// A type, a label or an object that was referred to but never told of.
    #[error("the graph refers to an unknown {what} {number}")]
    Unknown {
        /// What it is.
        what: &'static str,
        /// Which one.
        number: u64,
    },
    /// More than the process has memory for.
    #[error("the graph is larger than the memory of the process")]
    MoreThanMemory,
    /// More than can be numbered, or than is plausible.
    #[error("the graph has too many {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
    },
}

impl From<DecodeError> for AssembleError {
    fn from(error: DecodeError) -> Self {
        Self::Block(error)
    }
}

/// Collects blocks and makes a snapshot of them.
#[derive(Debug, Default)]
pub struct Assembler {
    blocks: Blocks,
    catalogue: Catalogue,
    /// Of each object, in the order of arrival.
    addresses: Vec<u64>,
    raw_bytes: u64,
    most: Most,
}

/// What a heap of a certain memory can come to.
#[derive(Clone, Copy, Debug)]
struct Most {
    n_objects: u64,
    /// Of blocks when decompressed.
    raw_bytes: u64,
}

impl Default for Most {
    /// What can be numbered.
    fn default() -> Self {
        Self {
            n_objects: u64::from(u32::MAX - 1),
            raw_bytes: u64::MAX,
        }
    }
}

impl Most {
    fn of_memory(memory_bytes: u64) -> Self {
        const SMALLEST_OBJECT: u64 = 16;
        // A reference of 8 bytes is sent in 2 to 12.
        const RAW_SHARE: u64 = 4;
        let numbered = Self::default();
        Self {
            n_objects: numbered.n_objects.min(memory_bytes / SMALLEST_OBJECT),
            raw_bytes: memory_bytes.saturating_mul(RAW_SHARE),
        }
    }
}

impl Assembler {
    /// One without blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// One without blocks that takes no more than a process of so much memory can hold: who sends may
    /// be hostile.
    pub fn of_memory(memory_bytes: u64) -> Self {
        Self {
            most: Most::of_memory(memory_bytes),
            ..Self::default()
        }
    }

    /// Forgets all blocks: an attempt starts anew.
    pub fn clear(&mut self) {
        *self = Self {
            most: self.most,
            ..Self::default()
        };
    }

    /// Number of objects that came so far.
    pub fn n_objects(&self) -> usize {
        self.addresses.len()
    }

    /// Bytes that came so far.
    pub fn n_bytes(&self) -> usize {
        self.blocks.bytes.len()
    }

    /// Takes the next block, of `raw_len` bytes when decompressed; 0 says that it is not compressed.
    ///
    /// # Errors
    /// When it is no block, or there is too much of something.
    pub fn push(&mut self, raw_len: u32, bytes: &[u8]) -> Result<(), AssembleError> {
        self.raw_bytes += u64::from(raw_len).max(bytes.len() as u64);
        if self.raw_bytes > self.most.raw_bytes {
            return Err(AssembleError::MoreThanMemory);
        }
        self.blocks.push(raw_len, bytes);
        let n_most = self.most.n_objects;
        let (catalogue, addresses) = (&mut self.catalogue, &mut self.addresses);
        self.blocks.read_last(|reader, record| {
            if catalogue.end.is_some() {
                return Err(AssembleError::AfterTheEnd);
            }
            match record {
                Record::Node(node) => {
                    if addresses.len() as u64 >= n_most {
                        return Err(match n_most < Most::default().n_objects {
                            true => AssembleError::MoreThanMemory,
                            false => AssembleError::TooMany { what: "objects" },
                        });
                    }
                    addresses.push(node.address);
                    Ok(())
                }
                // One for each object at most: that bounds them.
                Record::State(state) if addresses.last() != Some(&state.address) => {
                    Err(AssembleError::Unknown {
                        what: "object before a state, at",
                        number: state.address,
                    })
                }
                record => catalogue.add(reader, record),
            }
        })
    }

    /// Makes the snapshot. `capture` is what the caller knows; what the graph tells is filled in.
    ///
    /// # Errors
    /// When blocks are missing or contradict each other.
    pub fn finish(self, capture: Capture) -> Result<Snapshot, AssembleError> {
        let Self {
            blocks,
            mut catalogue,
            addresses,
            ..
        } = self;
        let end = catalogue.end.ok_or(AssembleError::Truncated {
            what: "objects",
            n_seen: addresses.len() as u64,
            n_sent: 0,
        })?;
        whole("objects", addresses.len() as u64, end.n_nodes)?;
        // None comes where there is no order.
        match catalogue.n_places() {
            0 => {}
            n_places => whole("places in the order of birth", n_places, end.n_tracked)?,
        }
        let addresses = Addresses::of(addresses)?;
        let mut columns = Columns::new(addresses.len());
        blocks.read_all(|reader, record| columns.count(reader, record, &addresses, &catalogue))?;
        whole("references", columns.n_references(), end.n_edges)?;
        columns.number_references();
        blocks.read_all(|reader, record| columns.fill(reader, record, &addresses, &catalogue))?;
        drop(blocks);
        columns.close_gaps();
        let n_violations = columns.count_violations(&catalogue);
        let (birth_place, generation_starts, n_unknown) = catalogue.birth_places(&addresses);
        Ok(Snapshot {
            capture: Capture {
                walk_us: end.capture_us,
                is_during_collection: end.is_during_collection,
                n_full_collections: end.n_full_collections,
                collector: catalogue.collector.clone(),
                n_dangling: columns.n_dangling + n_unknown,
                n_violations,
                generation_starts,
                ..capture
            },
            roots: catalogue.roots(&addresses),
            key_texts: catalogue.key_texts(&addresses),
            states: catalogue.states(&addresses),
            types: catalogue.types,
            strings: catalogue.strings,
            objects: Objects {
                address: addresses.into_sorted(),
                birth_place,
                ..columns.objects
            },
            references: columns.references,
        })
    }
}

/// The blocks one after the other, compressed.
#[derive(Debug, Default)]
struct Blocks {
    bytes: Vec<u8>,
    /// Where each ends, and its length when decompressed; 0 where it is not compressed.
    ends: Vec<(usize, u32)>,
}

type See<'a> = dyn FnMut(&mut GraphReader<'_>, Record<'_>) -> Result<(), AssembleError> + 'a;

impl Blocks {
    fn push(&mut self, raw_len: u32, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push((self.bytes.len(), raw_len));
    }

    fn read_last(
        &self,
        mut see: impl FnMut(&mut GraphReader<'_>, Record<'_>) -> Result<(), AssembleError>,
    ) -> Result<(), AssembleError> {
        self.read(
            self.ends.len().saturating_sub(1),
            &mut [0; MAX_BLOCK],
            &mut see,
        )
    }

    fn read_all(
        &self,
        mut see: impl FnMut(&mut GraphReader<'_>, Record<'_>) -> Result<(), AssembleError>,
    ) -> Result<(), AssembleError> {
        let mut raw = [0; MAX_BLOCK];
        (0..self.ends.len()).try_for_each(|index| self.read(index, &mut raw, &mut see))
    }

    fn read(
        &self,
        index: usize,
        raw: &mut [u8; MAX_BLOCK],
        see: &mut See<'_>,
    ) -> Result<(), AssembleError> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let (end, raw_len) = self.ends[index];
        let bytes = &self.bytes[start..end];
        let block = if raw_len == 0 {
            bytes
        } else {
            let place = raw
                .get_mut(..raw_len as usize)
                .ok_or(AssembleError::Compression)?;
            let n_bytes = lz4_flex::block::decompress_into(bytes, place)
                .map_err(|_| AssembleError::Compression)?;
            if n_bytes != place.len() {
                return Err(AssembleError::Compression);
            }
            place
        };
        let mut reader = GraphReader::new(block);
        while let Some(record) = reader.record()? {
            see(&mut reader, record)?;
        }
        Ok(())
    }
}

/// The columns while they are filled.
struct Columns {
    objects: Objects,
    references: References,
    /// Of each object: where its next reference goes.
    next: Vec<u64>,
    /// Of each object: references to it from others than running frames, which may borrow theirs.
    in_degree: Vec<u32>,
    /// The object whose references come.
    current: (usize, Shape),
    /// The type of it.
    current_type: usize,
    n_dangling: u64,
}

impl Columns {
    fn new(n_objects: usize) -> Self {
        Self {
            objects: Objects {
                type_id: vec![TypeId(0); n_objects],
                size_bytes: vec![0; n_objects],
                reference_count: vec![0; n_objects],
                ..Objects::default()
            },
            references: References {
                first: vec![0; n_objects + 1],
                ..References::default()
            },
            next: Vec::new(),
            in_degree: Vec::new(),
            current: (0, Shape::Labelled),
            current_type: 0,
            n_dangling: 0,
        }
    }

    /// First reading: the rows, and how many references each has.
    fn count(
        &mut self,
        reader: &mut GraphReader<'_>,
        record: Record<'_>,
        addresses: &Addresses,
        catalogue: &Catalogue,
    ) -> Result<(), AssembleError> {
        let index = match record {
            Record::Node(node) => {
                let index = known(addresses, node.address)?;
                self.objects.type_id[index] = catalogue.type_id(node.type_index)?;
                self.objects.size_bytes[index] = node.size_bytes;
                self.objects.reference_count[index] = count_column(&node);
                self.references.first[index + 1] += u64::from(node.holds_type);
                index
            }
            Record::More(more) => known(addresses, more.address)?,
            _ => return Ok(()),
        };
        let mut n_references = 0;
        while let Some(edge) = reader.edge()? {
            n_references += u64::from(edge.target != 0);
        }
        self.references.first[index + 1] += n_references;
        Ok(())
    }

    /// How many references were counted.
    fn n_references(&self) -> u64 {
        self.references.first.iter().sum()
    }

    /// From numbers of references to where they start.
    fn number_references(&mut self) {
        let mut sum = 0;
        for first in &mut self.references.first {
            sum += *first;
            *first = sum;
        }
        let n_references = usize::try_from(sum).unwrap_or(usize::MAX);
        self.references.target = vec![ObjId(0); n_references];
        self.references.label = vec![Label::new(LabelName::None); n_references];
        self.next = self.references.first.clone();
        self.next.pop();
        self.in_degree = vec![0; self.next.len()];
    }

    /// Second reading: the references.
    fn fill(
        &mut self,
        reader: &mut GraphReader<'_>,
        record: Record<'_>,
        addresses: &Addresses,
        catalogue: &Catalogue,
    ) -> Result<(), AssembleError> {
        match record {
            Record::Node(node) => {
                let index = known(addresses, node.address)?;
                self.current = (index, node.shape);
                self.current_type = node.type_index as usize;
                if node.holds_type {
                    let class = catalogue.types[self.current_type].address;
                    self.add(addresses.find(class), LabelName::Type, catalogue);
                }
            }
            Record::More(more) => {
                let index = known(addresses, more.address)?;
                if index != self.current.0 {
                    return Err(AssembleError::Unknown {
                        what: "object before more references, at",
                        number: more.address,
                    });
                }
            }
            _ => return Ok(()),
        }
        while let Some(edge) = reader.edge()? {
            if edge.target != 0 {
                let name = self.name(&edge, catalogue)?;
                self.add(addresses.find(edge.target), name, catalogue);
            }
        }
        Ok(())
    }

    fn name(&self, edge: &Edge, catalogue: &Catalogue) -> Result<LabelName, AssembleError> {
        let position = match edge.name {
            EdgeName::None => return Ok(LabelName::None),
            EdgeName::Label(label) => return catalogue.label(label),
            EdgeName::Position(position) => position,
        };
        let place = u32::try_from(position).unwrap_or(u32::MAX);
        Ok(match self.current.1 {
            Shape::Labelled => LabelName::None,
            Shape::Items => LabelName::Item(place),
            Shape::Members => LabelName::Member(place),
            Shape::Entries | Shape::SharedEntries if place % 2 == 0 => LabelName::Key(place / 2),
            Shape::Entries | Shape::SharedEntries => LabelName::Value(place / 2),
            Shape::Fields => catalogue
                .field(self.current_type, place as usize)
                .map_or(LabelName::None, LabelName::Attribute),
        })
    }

    fn add(&mut self, target: Option<usize>, name: LabelName, catalogue: &Catalogue) {
        let Some(target) = target else {
            self.n_dangling += 1;
            return;
        };
        let place = &mut self.next[self.current.0];
        self.references.target[*place as usize] = ObjId(target as u32);
        self.references.label[*place as usize] = Label::new(name);
        *place += 1;
        let is_counted = match name {
            LabelName::Key(_) => self.current.1 != Shape::SharedEntries,
            _ => !catalogue.types[self.current_type].is_frame(),
        };
        // What is never freed may have references without counting them (code of 3.11 that came with
        // the interpreter).
        let is_static = self.objects.reference_count[self.current.0] == Objects::NEVER_FREED;
        if is_counted && !is_static {
            self.in_degree[target] = self.in_degree[target].saturating_add(1);
        }
    }

    /// Moves references up where others were left out before them.
    fn close_gaps(&mut self) {
        if self.n_dangling == 0 {
            return;
        }
        let mut end = 0;
        for index in 0..self.next.len() {
            let (first, next) = (
                self.references.first[index] as usize,
                self.next[index] as usize,
            );
            self.references.target.copy_within(first..next, end);
            self.references.label.copy_within(first..next, end);
            self.references.first[index] = end as u64;
            end += next - first;
        }
        if let Some(last) = self.references.first.last_mut() {
            *last = end as u64;
        }
        self.references.target.truncate(end);
        self.references.label.truncate(end);
    }

    /// Objects that are referred to more often than their reference count tells.
    fn count_violations(&mut self, catalogue: &Catalogue) -> u64 {
        self.next = Vec::new();
        let in_degree = std::mem::take(&mut self.in_degree);
        let rows = in_degree
            .iter()
            .zip(&self.objects.reference_count)
            .zip(&self.objects.type_id);
        rows.filter(|&((&in_degree, &count), &TypeId(class))| {
            let is_frame = catalogue.types[class as usize].is_frame();
            count != Objects::NEVER_FREED && in_degree > count && !is_frame
        })
        .count() as u64
    }
}

/// Whether as much came as was sent.
fn whole(what: &'static str, n_seen: u64, n_sent: u64) -> Result<(), AssembleError> {
    match n_seen == n_sent {
        true => Ok(()),
        false => Err(AssembleError::Truncated {
            what,
            n_seen,
            n_sent,
        }),
    }
}

fn known(addresses: &Addresses, address: u64) -> Result<usize, AssembleError> {
    addresses.find(address).ok_or(AssembleError::Unknown {
        what: "object at",
        number: address,
    })
}

fn count_column(node: &Node) -> u32 {
    node.reference_count.map_or(Objects::NEVER_FREED, |count| {
        u32::try_from(count).unwrap_or(u32::MAX).min(u32::MAX - 1)
    })
}

#[cfg(test)]
mod tests;
