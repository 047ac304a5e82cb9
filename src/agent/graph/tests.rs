//! The parts of the capture that need no interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::address_blocks::WORDS;
use crate::buffer::Budget;
use crate::graph::lz4;
use crate::graph::marks::{Mark, Marks};

fn compressed(input: &[u8]) -> Option<Vec<u8>> {
    let mut table = [7; lz4::TABLE_LEN];
    let mut output = std::vec![0; input.len()];
    let len = lz4::compress(input, &mut table, &mut output)?;
    output.truncate(len);
    Some(output)
}

/// A fixed sequence of bytes that look random.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(next).collect()
}

#[test]
fn a_block_is_read_back_as_it_was() {
    let mut inputs = std::vec![std::vec![0; 31 * 1024], b"abc".repeat(5000)];
    let mut mixed = noise(1000);
    for round in 0..200 {
        mixed.extend_from_within(round * 7..round * 7 + round + 4);
        mixed.extend(noise(round % 23));
    }
    for end in (0..mixed.len()).step_by(997) {
        inputs.push(mixed[..end].to_vec());
    }
    let mut n_compressed = 0;
    for input in inputs {
        if let Some(compressed) = compressed(&input) {
            assert!(compressed.len() < input.len());
            let read = lz4_flex::block::decompress(&compressed, input.len()).unwrap();
            assert!(read == input, "{} bytes", input.len());
            n_compressed += 1;
        }
    }
    assert!(n_compressed > 10, "{n_compressed}");
}

#[test]
fn what_does_not_get_smaller_is_not_compressed() {
    for len in [0, 1, 12, 13, 1000] {
        assert_eq!(compressed(&noise(len)), None, "{len} bytes");
    }
}

fn taken(marks: &mut Marks, mark: Mark) -> Vec<usize> {
    let mut budget = Budget::new(u64::MAX);
    let order = marks.in_order(&mut budget).unwrap();
    let mut taken = Vec::new();
    for &block in order.iter() {
        if marks.take_note(block as usize, mark) {
            for word in 0..WORDS {
                taken.extend(marks.take(block as usize, word, mark));
            }
        }
    }
    taken
}

#[test]
fn each_object_is_taken_once_in_address_order() {
    let mut budget = Budget::new(u64::MAX);
    let mut marks = Marks::new(&mut budget).unwrap();
    let places = [0x7f00_0000_0000, 0x5555_5555_0000, 0x7ffe_0000_0000];
    let oracle: BTreeSet<usize> = (0..30_000)
        .map(|index| places[index % 3] + index * index % (5 << 20) / 16 * 16)
        .collect();
    // Some begin in the middle of 16 bytes, as some of the interpreter's own do.
    let oracle: BTreeSet<usize> = oracle
        .into_iter()
        .map(|address| address + if address % 5 == 0 { 8 } else { 0 })
        .collect();
    for &address in oracle.iter().rev() {
        assert!(!marks.has(address));
        marks.add(address, &mut budget).unwrap();
        assert!(marks.has(address));
    }
    assert!(
        taken(&mut marks, Mark::Waiting)
            .into_iter()
            .eq(oracle.iter().copied())
    );
    assert_eq!(taken(&mut marks, Mark::Waiting), []);
    let keys: BTreeMap<usize, ()> = oracle.iter().step_by(7).map(|&key| (key, ())).collect();
    for &key in keys.keys() {
        marks.add_key(key);
        marks.add_key(key);
    }
    assert!(
        taken(&mut marks, Mark::Key)
            .into_iter()
            .eq(keys.into_keys())
    );
}

#[test]
fn what_is_no_address_gets_no_mark() {
    let mut budget = Budget::new(u64::MAX);
    let mut marks = Marks::new(&mut budget).unwrap();
    for address in [0, 16, 4096, 0x7f00_0000_0004, 1 << 47, usize::MAX & !7] {
        assert!(marks.add(address, &mut budget).is_err(), "{address:#x}");
        assert!(!marks.has(address), "{address:#x}");
    }
    assert_eq!(taken(&mut marks, Mark::Waiting), []);
}
