//! What the resident memory of a target is made of: all of it, by part.
//!
//! All is read from outside while the target runs: the kernel tells what is in RAM, the snapshot where
//! the objects are, and the headers of pools and chunks how far these are used. What changes meanwhile
//! is off by as much as it changes; the parts sum up to the resident memory all the same.

mod allocator;
mod files;
mod glibc;
mod owners;
mod pages;
mod pools;
mod region;
mod stacks;
mod take_apart;

use std::io;
use std::ops::Range;

use leakhunt_attach::AddressSpace;
use leakhunt_heap::{MemoryAccount, Part, Paths, Snapshot};

use files::{Files, is_file};
use owners::Owners;
use pools::PoolSizes;
use region::Regions;
use take_apart::Allocators;

/// Takes the resident memory of `pid` apart. `snapshot` should be of a moment ago. Besides the
/// page tables, reads 48 bytes of each pool, a microsecond each, and all of malloc's heaps once.
///
/// # Errors
/// When the process is gone, or may not be looked at.
pub(crate) fn account(pid: u32, snapshot: &Snapshot) -> io::Result<MemoryAccount> {
    let space = AddressSpace::open(pid)?;
    let mappings = space.mappings()?;
    if mappings.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let is_stack = stacks::stacks(pid, &mappings);
    let is_memory = |index: usize| {
        let mapping = &mappings[index];
        let has_no_file = mapping.path.is_empty()
            || mapping.path == "[heap]"
            || mapping.path.starts_with("[anon:");
        has_no_file && mapping.is_writable && !mapping.is_shared && !is_stack[index]
    };
    let regions = Regions::of(&space, &mappings, is_memory)?;
    let pool_sizes = PoolSizes::of(minor_version(&snapshot.capture.python));
    let arenas: Vec<_> = regions
        .all
        .iter()
        .map(|region| pools::arenas(&regions, region, pool_sizes))
        .collect();
    let pooled: Vec<Range<u64>> = arenas
        .iter()
        .flatten()
        .map(|arena| arena.range.clone())
        .collect();
    let owners = Owners::find(snapshot, &regions, &pooled);
    let allocator = allocator::allocator(&mappings);
    let is_mimalloc = allocator::uses_mimalloc(pid, snapshot.capture.free_threaded);
    let allocators = Allocators {
        regions: &regions,
        owners: &owners,
        snapshot,
        // The heaps of glibc may be there beside those of an allocator that took its place.
        is_glibc: allocator != "musl",
        is_mimalloc,
    };
    let mut account = MemoryAccount {
        allocator: allocator.into(),
        ..MemoryAccount::default()
    };
    for (region, arenas) in regions.all.iter().zip(arenas) {
        let mut taken = allocators.take_apart(region, arenas);
        account.parts.add(&taken.parts.fitted_to(region.rss_bytes));
        account.buffers.append(&mut taken.buffers);
    }
    let mut files = Files::new(snapshot, &regions, &mappings);
    for (index, mapping) in mappings.iter().enumerate() {
        account.private_dirty_bytes += mapping.private_dirty_bytes;
        account.swapped_bytes += mapping.swap_bytes;
        if regions.at(mapping.range.start).is_some() {
            continue;
        }
        let part = match mapping {
            _ if is_stack[index] => Part::Stacks,
            _ if is_file(mapping) => match files.add(mapping) {
                true => Part::Files,
                false => Part::Buffers,
            },
            _ => Part::Unexplained,
        };
        account.parts[part] += mapping.rss_bytes;
    }
    account.buffers.append(&mut files.buffers);
    account.files = files.sorted();
    account
        .buffers
        .sort_by_key(|buffer| std::cmp::Reverse(buffer.resident_bytes));
    account.estimates = estimates(&account, is_mimalloc);
    Ok(account)
}

/// So many owners of big buffers get a path.
const N_NAMED: usize = 32;

/// Looks for paths to the owners of the largest buffers. Goes over all references.
pub(crate) fn name_owners(account: &mut MemoryAccount, snapshot: &Snapshot) {
    if account.buffers.is_empty() {
        return;
    }
    let paths = Paths::find(snapshot);
    for buffer in account.buffers.iter_mut().take(N_NAMED) {
        let owner = snapshot.objects.at(buffer.owner);
        let path = owner.and_then(|owner| paths.to(snapshot, owner));
        buffer.path = path.map(|path| path.expression).unwrap_or_default();
    }
}

/// The parts that are estimates. Of pools it is known how many blocks are in use, and of chunks whether
/// they are; but whose a chunk is, and what freed ones a thread keeps at hand, is not all to be seen.
fn estimates(account: &MemoryAccount, is_mimalloc: bool) -> Vec<Part> {
    let is_estimate = |part: &Part| match part {
        Part::PythonMalloc | Part::PythonElsewhere | Part::MallocUsed | Part::MallocFree => true,
        Part::FreePools => is_mimalloc,
        Part::PythonPools | Part::Buffers | Part::Files | Part::Stacks | Part::Unexplained => false,
    };
    let parts = Part::ALL
        .into_iter()
        .filter(|&part| account.parts[part] > 0);
    parts.filter(is_estimate).collect()
}

/// `3.12.1` is 12.
fn minor_version(python: &str) -> u32 {
    let minor = python.split('.').nth(1).unwrap_or_default();
    let n_digits = minor.bytes().take_while(u8::is_ascii_digit).count();
    minor[..n_digits].parse().unwrap_or(0)
}
