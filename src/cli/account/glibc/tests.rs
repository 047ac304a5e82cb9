use super::*;

const AT: u64 = 0x5555_0000_0000;

/// Memory by hand, at `AT`.
struct Words(Vec<u64>);

impl Peek for Words {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        let at = usize::try_from(address.checked_sub(AT)?).ok()?;
        buffer.copy_from_slice(bytes.get(at..at.checked_add(buffer.len())?)?);
        Some(())
    }
}

/// A heap of chunks: their sizes with bits. All else is 0.
fn heap(sizes: &[u64]) -> Words {
    let mut words = Vec::new();
    for size in sizes {
        let at = words.len();
        words.resize(at + (size & !BITS) as usize / 8, 0);
        words[at + 1] = *size;
    }
    Words(words)
}

fn walked(memory: &Words, len: u64) -> (Vec<(u64, u64, bool)>, u64) {
    let mut chunks = Vec::new();
    let end = walk(memory, &(AT..AT + len), |chunk| {
        let Range { start, end } = chunk.range;
        chunks.push((start - AT, end - start, chunk.is_used));
    });
    (chunks, end - AT)
}

#[test]
fn a_chunk_is_free_where_the_next_one_says_so() {
    let memory = heap(&[0x20 | 1, 0x50 | 1, 0x30, 0x60 | 1]);
    let expected = vec![
        (0, 0x20, true),
        (0x20, 0x50, false),
        (0x70, 0x30, true),
        (0xa0, 0x60, false),
    ];
    assert_eq!(walked(&memory, 0x100), (expected, 0x100));
}

#[test]
fn a_walk_ends_at_what_is_no_chunk() {
    for (what, size) in [
        ("zero", 0),
        ("smaller than any", 0x10 | 1),
        ("no multiple of 16", 0x28 | 1),
        ("beyond the end", 0x1000 | 1),
        ("around the end of all addresses", !BITS & !0xf),
        ("with a mapping to itself", 0x60 | 2),
    ] {
        let mut memory = heap(&[0x20 | 1, 0x30 | 1, 0x60 | 1]);
        memory.0[0x50 / 8 + 1] = size;
        let (chunks, end) = walked(&memory, 0xb0);
        assert!(chunks.len() <= 2 && end <= 0x50, "{what}: {chunks:?} {end}");
    }
    assert_eq!(walked(&Words(vec![0, 0x21]), 0x100), (vec![], 0));
    assert_eq!(walked(&Words(vec![]), 0x100), (vec![], 0));
}

#[test]
fn a_walk_that_broke_goes_on_behind_what_is_broken() {
    let mut sizes = vec![0x20 | 1, 0x30 | 1, 0x60 | 1];
    sizes.extend([0x40 | 1; 10]);
    let mut memory = heap(&sizes);
    memory.0[0x50 / 8 + 1] = u64::MAX;
    let end = AT + 0xb0 + 10 * 0x40;
    let broken = walk(&memory, &(AT..end), |_| {});
    assert_eq!(broken, AT + 0x20);
    assert_eq!(resumption(&memory, broken, end), Some(AT + 0xb0));
    assert_eq!(resumption(&Words(vec![0; 512]), AT, AT + 4096), None);
    assert_eq!(resumption(&Words(vec![]), u64::MAX - 15, u64::MAX), None);
}

#[test]
fn no_heap_makes_a_walk_go_round() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..500 {
        let words = (0..128).map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Small sizes, so that walks go on.
            random % 0x180
        });
        let memory = Words(words.collect());
        let (chunks, end) = walked(&memory, 0x400);
        assert!(end <= 0x400 && chunks.len() <= 32);
        assert!(
            chunks
                .windows(2)
                .all(|pair| pair[0].0 + pair[0].1 == pair[1].0)
        );
    }
}

#[test]
fn a_mapped_chunk_is_known_by_its_header() {
    let chunk = |padding: u64, size: u64| {
        let header = [padding.to_le_bytes(), size.to_le_bytes()].concat();
        mapped_chunk(&header, AT, AT + 0x10000)
    };
    assert_eq!(chunk(0, 0x5000 | 2), Some(0x5000));
    assert_eq!(chunk(0, 0x10000 | 2), Some(0x10000));
    assert_eq!(chunk(0, 0x4ff0 | 2), Some(0x5000));
    assert_eq!(chunk(0, 0x11000 | 2), None);
    assert_eq!(chunk(0, 0x5000), None);
    assert_eq!(chunk(0, 0x5000 | 3), None);
    assert_eq!(chunk(0, 0x5010 | 2), None);
    assert_eq!(chunk(0, 2), None);
    assert_eq!(chunk(8, 0x5000 | 2), None);
    assert_eq!(chunk(0, !0xffd), None);
    assert_eq!(mapped_chunk(&[0; 15], AT, u64::MAX), None);
}

#[test]
fn the_first_chunk_of_an_arena_is_from_where_chunks_follow_each_other() {
    // `AT` is no multiple of 64 MiB by chance.
    assert!(AT.is_multiple_of(HEAP_ALIGNMENT));
    let mut words = vec![0; 0x1000 / 8];
    (words[0], words[1], words[2]) = (AT + 0x30, 0, 0x1000);
    words[0x8d0 / 8 + 1] = 0x290 | 1;
    words[(0x8d0 + 0x290) / 8 + 1] = (0x1000 - 0x8d0 - 0x290) | 1;
    let found = arena_heap(&Words(words.clone()), AT, AT + 0x1000).unwrap();
    assert_eq!(found.chunks, AT + 0x8d0..AT + 0x1000);
    assert_eq!(found.range, AT..AT + 0x1000);
    let first_page = arena_heap(&Words(words.clone()), AT, AT + 0xb60).unwrap();
    assert_eq!(first_page.chunks, AT + 0x8d0..AT + 0xb60);
    words[0] = AT + HEAP_ALIGNMENT;
    assert_eq!(arena_heap(&Words(words.clone()), AT, AT + 0x1000), None);
    (words[0], words[2]) = (AT + 0x30, u64::MAX);
    assert_eq!(arena_heap(&Words(words), AT, AT + 0x1000), None);
}

#[test]
fn chunks_at_hand_are_counted_by_their_sizes() {
    let mut memory = heap(&[0x290 | 1, 0x60 | 1]);
    // Three of 32 bytes and one of 64; a count without a chunk is none.
    memory.0[2] = 3 | 1 << 32 | 9 << 48;
    memory.0[2 + 16] = AT + 0x400;
    memory.0[2 + 16 + 2] = AT + 0x500;
    assert_eq!(kept_at_hand(&memory, AT), 3 * 32 + 64);
    assert_eq!(kept_at_hand(&heap(&[0x280 | 1, 0x60 | 1]), AT), 0);
    assert_eq!(kept_at_hand(&Words(vec![]), AT), 0);
}
