//! Memory that grows beside Python's objects.

use leakhunt_heap::hunt::trend::{Course, trend};
use leakhunt_heap::hunt::{Finding, FindingKind, GrowthOf, Rate};
use leakhunt_heap::{MemoryAccount, Part, Snapshot};

use crate::budget::Memory;
use crate::render::numbers::bytes;

/// Less growth than this is the granularity of pages and pools.
const LEAST_BYTES: u64 = 1 << 20;
/// Nor is less than this part of what there was: one in so many.
const LEAST_SHARE: u64 = 100;

/// What was resident, and what of it Python's objects were, at each look.
#[derive(Clone, Debug, Default)]
pub(super) struct NativeMemory {
    rss_bytes: Vec<u64>,
    anonymous_bytes: Vec<u64>,
    objects_bytes: Vec<u64>,
    /// What it grows from; `None` where that is not known.
    start: Option<Start>,
}

/// The target's memory at one moment, soon after the first look.
#[derive(Clone, Copy, Debug)]
struct Start {
    anonymous_bytes: u64,
    /// What allocators had free.
    free_bytes: u64,
}

impl NativeMemory {
    /// Adds a look.
    pub(super) fn observe(&mut self, memory: &Memory, snapshot: &Snapshot) {
        self.rss_bytes.push(memory.rss_bytes);
        self.anonymous_bytes.push(memory.anonymous_bytes);
        self.objects_bytes
            .push(snapshot.objects.size_bytes.iter().sum());
    }

    /// Notes what there is to start from: `memory` was read with the account.
    pub(super) fn start(&mut self, memory: &Memory, account: &MemoryAccount) {
        self.start = Some(Start {
            anonymous_bytes: memory.anonymous_bytes,
            free_bytes: account.free_bytes(),
        });
    }

    /// Resident memory at each look.
    pub(super) fn rss_bytes(&self) -> &[u64] {
        &self.rss_bytes
    }

    /// Growth of resident memory, where Python's objects explain less than half of it, together with what
    /// allocators keep of what was freed: a program that makes and drops much at a time has more of that
    /// the higher it was by chance. `now` is the account of the last look.
    ///
    /// Memory that was once used stays resident, so it follows the most that objects ever took and never
    /// falls: they explain as much as they differed by between any two looks.
    pub(super) fn finding(&self, seconds: &[f64], now: Option<&MemoryAccount>) -> Option<Finding> {
        let resident = &self.anonymous_bytes;
        let first = (*resident.first()?).max(self.start.map_or(0, |start| start.anonymous_bytes));
        let grown = resident.last()?.checked_sub(first)?;
        let objects = &self.objects_bytes;
        let of_objects = objects.last()?.saturating_sub(*objects.first()?);
        let at_most = objects.iter().max()? - objects.iter().min()?;
        let kept_free = match (self.start, now) {
            (Some(start), Some(now)) => now.free_bytes().saturating_sub(start.free_bytes),
            _ => 0,
        };
        let floats: Vec<f64> = resident.iter().map(|&bytes| bytes as f64).collect();
        let trend = trend(seconds, &floats);
        let is_much = grown >= LEAST_BYTES.max(first / LEAST_SHARE);
        let explained = at_most.saturating_add(kept_free);
        if trend.course != Course::Grows || !is_much || explained.saturating_mul(2) > grown {
            return None;
        }
        let why = format!(
            "resident memory grew by {}, Python's objects by {}: what an extension allocates, or what is \
             freed and not given back",
            bytes(grown),
            bytes(of_objects)
        );
        let place = "memory beside Python's objects".to_owned();
        Some(Finding {
            of: GrowthOf::Bytes,
            bytes_rate: Rate::of(&trend),
            share_bytes: grown - explained,
            ..Finding::beside_places(FindingKind::NativeMemory, place, &trend, &why)
        })
    }
}

/// Whether growth beside Python's objects is no more than what other leaks bring with them: what their
/// makers freed on the way and an allocator keeps, and the stacks of threads that do not end.
pub(super) fn comes_with(native: &Finding, others: &[Finding], account: &MemoryAccount) -> bool {
    let has_threads = others.iter().any(|one| one.kind == FindingKind::Threads);
    let stacks = match has_threads {
        true => account.parts[Part::Stacks],
        false => 0,
    };
    !others.is_empty() && native.share_bytes <= account.free_bytes() + stacks
}

#[cfg(test)]
mod tests {
    use leakhunt_heap::SnapshotBuilder;

    use super::*;

    const MB: u64 = 1 << 20;

    fn finding(looks: &[(u64, u64)]) -> Option<Finding> {
        finding_with_free(looks, None)
    }

    /// Free are so many bytes at the first look, and at the last.
    fn finding_with_free(looks: &[(u64, u64)], free: Option<[u64; 2]>) -> Option<Finding> {
        let mut native = NativeMemory::default();
        for &(resident, of_objects) in looks {
            let memory = Memory {
                rss_bytes: resident,
                anonymous_bytes: resident,
                ..Memory::default()
            };
            let mut heap = SnapshotBuilder::new();
            let object = heap.object("bytes");
            heap.size(object, of_objects);
            native.observe(&memory, &heap.finish());
        }
        let seconds: Vec<f64> = (0..looks.len()).map(|index| index as f64).collect();
        let accounts = free.map(|free| {
            free.map(|bytes| {
                let mut account = MemoryAccount::default();
                account.parts[Part::FreePools] = bytes;
                account
            })
        });
        if let (Some([first, _]), Some(&(resident, _))) = (&accounts, looks.first()) {
            let memory = Memory {
                anonymous_bytes: resident,
                ..Memory::default()
            };
            native.start(&memory, first);
        }
        native.finding(&seconds, accounts.as_ref().map(|[_, last]| last))
    }

    #[test]
    fn memory_that_objects_do_not_explain_is_found() {
        let looks: Vec<_> = (0..6).map(|index| ((50 + index) * MB, 10 * MB)).collect();
        let found = finding(&looks).unwrap();
        assert_eq!(found.kind, FindingKind::NativeMemory);
        assert_eq!(found.share_bytes, 5 * MB);
        let explained: Vec<_> = (0..6)
            .map(|index| ((50 + index) * MB, (10 + index) * MB))
            .collect();
        assert_eq!(finding(&explained), None);
    }

    #[test]
    fn what_is_free_by_now_is_no_leak() {
        let looks: Vec<_> = (0..6).map(|index| ((50 + index) * MB, 10 * MB)).collect();
        let with_free = |first, last| finding_with_free(&looks, Some([first * MB, last * MB]));
        assert_eq!(with_free(3, 8), None);
        assert_eq!(with_free(3, 4).unwrap().share_bytes, 4 * MB);
        // What was free all the time explains nothing.
        assert_eq!(with_free(8, 8).unwrap().share_bytes, 5 * MB);
    }

    #[test]
    fn the_most_that_objects_took_stays_resident() {
        let with_objects = |objects: [u64; 6]| {
            let looks = (50..)
                .zip(objects)
                .map(|(resident, of)| (resident * MB, of * MB));
            finding(&looks.collect::<Vec<_>>())
        };
        assert_eq!(with_objects([10, 14, 11, 13, 12, 9]), None);
        assert_eq!(
            with_objects([10, 11, 10, 12, 10, 11]).unwrap().share_bytes,
            3 * MB
        );
    }

    #[test]
    fn what_grew_before_the_first_account_is_not_counted() {
        let mut native = NativeMemory::default();
        let memory = |resident: u64| Memory {
            rss_bytes: resident * MB,
            anonymous_bytes: resident * MB,
            ..Memory::default()
        };
        let heap = SnapshotBuilder::new().finish();
        native.observe(&memory(50), &heap);
        native.start(&memory(54), &MemoryAccount::default());
        for resident in [55, 56, 57, 58] {
            native.observe(&memory(resident), &heap);
        }
        let found = native.finding(&[0.0, 1.0, 2.0, 3.0, 4.0], Some(&MemoryAccount::default()));
        assert_eq!(found.unwrap().share_bytes, 4 * MB);
    }

    #[test]
    fn little_growth_is_none() {
        let few_pages: Vec<_> = (0..6)
            .map(|index| (50 * MB + index * 4096, 10 * MB))
            .collect();
        assert_eq!(finding(&few_pages), None);
        let of_much: Vec<_> = (0..6).map(|index| ((5000 + index) * MB, 10 * MB)).collect();
        assert_eq!(finding(&of_much), None);
    }

    #[test]
    fn what_other_leaks_left_free_is_no_leak_of_its_own() {
        let native = finding(&[(50 * MB, 0), (51 * MB, 0), (52 * MB, 0), (53 * MB, 0)]).unwrap();
        let of_kind = |kind| Finding {
            kind,
            ..native.clone()
        };
        let place = [of_kind(FindingKind::Place)];
        let threads = [of_kind(FindingKind::Threads)];
        let mut account = MemoryAccount::default();
        account.parts[Part::FreePools] = 2 * MB;
        account.parts[Part::Stacks] = 2 * MB;
        assert!(!comes_with(&native, &place, &account));
        assert!(comes_with(&native, &threads, &account));
        account.parts[Part::MallocFree] = MB;
        assert!(comes_with(&native, &place, &account));
        assert!(!comes_with(&native, &[], &account));
    }
}
