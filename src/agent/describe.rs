//! Tells of single objects what they are: those of a list of addresses that are still there.

use leakhunt_wire::{Capi, DescribeRequest};

use crate::atexit_entry::read;
use crate::buffer::{Budget, Buffer, NoMemory};
use crate::dump::{Dump, How, Texts};
use crate::heap::Heap;
use crate::layout::flag;
use crate::object_set::{ObjectSet, Rejected};
use crate::outbox::Outbox;
use crate::tally::{Tally, Walk, WalkError};

/// The objects that were asked for, to be found again in the interpreter's lists.
pub(crate) struct Wanted {
    addresses: ObjectSet,
    /// By rank of the address.
    types: Buffer<usize>,
}

/// The address and the type of each object of a request's list.
pub(crate) fn pairs(objects: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let (pairs, _) = objects.as_chunks::<16>();
    pairs.iter().map(|pair| {
        let (words, _) = pair.as_chunks::<8>();
        let [address, type_object] = [words[0], words[1]].map(u64::from_le_bytes);
        (address as usize, type_object as usize)
    })
}

impl Wanted {
    pub(crate) fn new(request: &DescribeRequest<'_>) -> Result<Self, NoMemory> {
        let mut budget = Budget::new(crate::dump::MEMORY_LIMIT_BYTES);
        let mut addresses = ObjectSet::new(&mut budget)?;
        for (address, _) in pairs(request.objects) {
            // An address that no object can have is not met in a list either.
            if let Err(Rejected::NoMemory) = addresses.insert(address, &mut budget) {
                return Err(NoMemory);
            }
        }
        let n_addresses = addresses.number(&mut budget)?;
        let mut types = Buffer::zeroed(n_addresses, &mut budget)?;
        for (address, type_object) in pairs(request.objects) {
            if let Some(rank) = addresses.rank(address) {
                types[rank] = type_object;
            }
        }
        Ok(Self { addresses, types })
    }

    pub(crate) fn has_type(&self, type_object: usize) -> bool {
        self.types.contains(&type_object)
    }

    pub(crate) fn contains(&self, address: usize, type_object: usize) -> bool {
        let rank = self.addresses.rank(address);
        rank.is_some_and(|rank| self.types[rank] == type_object)
    }
}

impl Walk<'_> {
    /// Sends those objects that the walk has met, and those that it cannot meet but that look whole.
    pub(crate) fn finish_describe(
        &self,
        mut tally: Tally<'_>,
        request: &DescribeRequest<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        tally.wanted.sort_unstable();
        let mut objects = Buffer::new();
        for (address, type_object) in pairs(request.objects) {
            if tally.wanted.binary_search(&address).is_ok()
                || is_untracked(self.heap, self, address, type_object)
            {
                objects.push(address, &mut tally.budget)?;
            }
        }
        self.progress.set_matching(objects.len());
        let dump = Dump {
            walk: self,
            how: How {
                max_chars: request.max_chars,
                texts: Texts::of(request.safe),
                object_time_limit_ms: request.object_time_limit_ms,
                time_limit_ms: request.time_limit_ms,
            },
            objects: &objects,
            is_described: true,
        };
        dump.show_in_copies(outbox)
    }
}

/// Whether an object that is in no list seems to be one of this type. That nothing vouches for: what
/// was freed has no reference count, or a link in its place, until its memory is used again. A wrong
/// answer costs a copy of the copy.
pub(crate) fn is_untracked(
    heap: &Heap,
    walk: &Walk<'_>,
    object: usize,
    type_object: usize,
) -> bool {
    let (layout, memory) = (&heap.layout, walk.memory);
    let type_of = |object: usize| Some(read::<1>(object.checked_add(layout.ob_type)?)?[0]);
    let metatype = type_of(type_object);
    let type_type = heap.capi.address(Capi::PyType_Type);
    let is_type = metatype == Some(type_type)
        || metatype.is_some_and(|metatype| type_of(metatype) == Some(type_type));
    // The head of the smallest object there is, and what a `str` has beside it.
    if !object.is_multiple_of(8) || !is_type || read::<5>(object).is_none() {
        return false;
    }
    let is_collected = layout.flags(memory, type_object) & flag::HAVE_GC != 0;
    let may_be_untracked = [Capi::PyTuple_Type, Capi::PyDict_Type]
        .map(|symbol| heap.capi.address(symbol))
        .contains(&type_object);
    if type_of(object) != Some(type_object) || is_collected && !may_be_untracked {
        return false;
    }
    let has_link = match layout.minor {
        _ if layout.is_free_threaded => false,
        ..=13 => memory.word(object) >> 32 != 0,
        _ => memory.word(object) >> 32 & 0xffff != 0,
    };
    !has_link && layout.reference_count(memory, object) != Some(0)
}
