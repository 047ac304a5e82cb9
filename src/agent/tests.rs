//! The parts of the agent that need no interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::buffer::{Budget, Buffer, NoMemory};
use crate::object_set::{ObjectSet, Rejected};
use crate::text::TextBuffer;

fn unlimited() -> Budget {
    Budget::new(u64::MAX)
}

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Addresses as a process has them: many in a few places far apart.
fn addresses(count: usize) -> BTreeSet<usize> {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let places = [
        0x5555_5555_0000,
        0x7f00_0000_0000,
        0x7fff_ffff_0000 - (64 << 20),
        16 << 30,
    ];
    (0..count)
        .map(|_| places[numbers.next() as usize % 4] + (numbers.next() as usize % (4 << 20)) * 16)
        .collect()
}

#[test]
fn a_set_of_objects_numbers_them_in_address_order() {
    let oracle = addresses(20_000);
    let mut budget = unlimited();
    let mut set = ObjectSet::new(&mut budget).unwrap();
    for &address in oracle.iter().rev() {
        set.insert(address, &mut budget).unwrap();
        set.insert(address, &mut budget).unwrap();
    }
    assert_eq!(set.number(&mut budget).unwrap(), oracle.len());
    for (rank, &address) in oracle.iter().enumerate() {
        assert_eq!(set.rank(address), Some(rank));
        assert_eq!(set.rank(address + 8), None);
        if !oracle.contains(&(address + 16)) {
            assert_eq!(set.rank(address + 16), None);
        }
    }
    let mut seen = Vec::new();
    set.each_batch(|first_rank, batch| {
        assert_eq!(first_rank, seen.len());
        seen.extend_from_slice(batch);
    });
    assert!(seen.iter().eq(oracle.iter()));
}

#[test]
fn an_address_that_no_object_can_have_is_refused() {
    let mut budget = unlimited();
    let mut set = ObjectSet::new(&mut budget).unwrap();
    assert_eq!(
        set.insert(0x7f00_0000_0008, &mut budget),
        Err(Rejected::OddAddress)
    );
    assert_eq!(set.insert(1 << 47, &mut budget), Err(Rejected::OddAddress));
    assert_eq!(
        set.insert(usize::MAX & !15, &mut budget),
        Err(Rejected::OddAddress)
    );
    set.number(&mut budget).unwrap();
    assert_eq!(set.rank(usize::MAX & !15), None);
    assert_eq!(set.rank(0), None);
}

#[test]
fn an_empty_set_has_no_objects() {
    let mut budget = unlimited();
    let mut set = ObjectSet::new(&mut budget).unwrap();
    assert_eq!(set.number(&mut budget), Ok(0));
    set.each_batch(|_, batch| assert!(batch.is_empty()));
}

#[test]
fn a_buffer_keeps_what_is_pushed_while_it_grows() {
    let mut budget = unlimited();
    let mut buffer = Buffer::new();
    for number in 0..100_000_u64 {
        buffer.push(number, &mut budget).unwrap();
    }
    assert!(buffer.iter().copied().eq(0..100_000));
    assert_eq!(buffer.pop(), Some(99_999));
    assert_eq!(buffer.len(), 99_999);
    assert_eq!(Buffer::<u64>::new().pop(), None);
}

#[test]
fn a_budget_is_not_exceeded() {
    let mut budget = Budget::new(64 << 10);
    let mut buffer = Buffer::new();
    let n_pushed = (0..1_000_000_u64)
        .take_while(|&n| buffer.push(n, &mut budget).is_ok())
        .count();
    assert!((4_000..=8_192).contains(&n_pushed), "{n_pushed}");
    assert_eq!(
        Buffer::<u64>::zeroed(usize::MAX, &mut unlimited()).err(),
        Some(NoMemory)
    );
    assert!(budget.used_bytes() <= 64 << 10);
}

#[test]
fn text_that_does_not_fit_is_cut_between_characters() {
    let mut text = TextBuffer::<5>::new();
    text.push_str("aé€b");
    assert_eq!((text.as_str(), text.is_full()), ("aé", true));
    let mut text = TextBuffer::<64>::new();
    text.push_bytes(b"bad \xff byte");
    assert_eq!(
        (text.as_str(), text.is_full()),
        ("bad \u{fffd} byte", false)
    );
}

#[test]
fn types_are_found_again_after_the_table_has_grown() {
    use crate::types::{TypeEntry, TypeTable};
    let mut budget = unlimited();
    let mut table = TypeTable::new(&mut budget).unwrap();
    let oracle: BTreeMap<usize, u64> = addresses(30_000).into_iter().zip(1..).collect();
    let size = crate::sizes::TypeSize::default();
    for round in 0..2 {
        for (&address, &count) in &oracle {
            let make = || TypeEntry::new(address, size, false);
            let entry = table.entry(address, &mut budget, make).unwrap();
            assert_eq!(entry.all.n_objects, if round == 0 { 0 } else { count });
            entry.all.n_objects = count;
        }
    }
    assert_eq!(table.entries().len(), oracle.len());
}

#[test]
fn the_memory_of_a_copy_is_read_from_proc() {
    let rollup =
        b"55d0-7fff ---p 00000000 00:00 0 [rollup]\nRss: 12 kB\nPrivate_Clean:       8 kB\n\
        Private_Dirty:     100 kB\nReferenced: 3 kB\n";
    assert_eq!(crate::copy::sum_private(rollup), Some(108 * 1024));
    assert_eq!(crate::copy::sum_private(b"Rss: 12 kB\n"), None);
    assert_eq!(crate::copy::sum_private(b"Private_Dirty: many kB\n"), None);
}
