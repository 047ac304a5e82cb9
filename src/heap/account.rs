//! What the resident memory of a process is made of.

use std::ops::{Index, IndexMut};

/// A part of resident memory. Each byte belongs to one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// Blocks in use in pools of CPython's own allocators: objects, and what they keep beside them.
    PythonPools,
    /// Chunks of `malloc` that an object lies in or points to.
    PythonMalloc,
    /// Objects in memory of an allocator that cannot be read: their `sys.getsizeof`, summed.
    PythonElsewhere,
    /// Memory of an object's buffer that has a mapping to itself.
    Buffers,
    /// What the pools have beyond blocks in use: free blocks, free pools, headers.
    FreePools,
    /// Chunks of `malloc` that no object lies in or points to.
    MallocUsed,
    /// Free chunks of `malloc`.
    MallocFree,
    /// Mapped files with the data of programs and libraries, and memory shared with other processes.
    Files,
    /// Stacks of threads, those that `libc` keeps for later threads included.
    Stacks,
    /// All else.
    Unexplained,
}

impl Part {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All, in the order they are shown.
    pub const ALL: [Self; 10] = [
        Self::PythonPools,
        Self::PythonMalloc,
        Self::PythonElsewhere,
        Self::Buffers,
        Self::FreePools,
        Self::MallocUsed,
        Self::MallocFree,
        Self::Files,
        Self::Stacks,
        Self::Unexplained,
    ];
}

/// Bytes of each part.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PartBytes([u64; Part::COUNT]);

impl PartBytes {
    /// All together.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds to each part.
    pub fn add(&mut self, more: &Self) {
        for (bytes, more) in self.0.iter_mut().zip(&more.0) {
            *bytes += more;
        }
    }

    /// The same parts of another whole: what is missing to `whole` is not explained; where there is
    /// too much, each part shrinks in proportion.
    pub fn fitted_to(mut self, whole: u64) -> Self {
        let sum = self.sum();
        if sum > whole {
            for bytes in &mut self.0 {
                let share = u128::from(*bytes) * u128::from(whole) / u128::from(sum);
                *bytes = u64::try_from(share).unwrap_or(u64::MAX);
            }
        }
        self[Part::Unexplained] += whole - self.sum();
        self
    }
}

impl Index<Part> for PartBytes {
    type Output = u64;

    fn index(&self, part: Part) -> &u64 {
        &self.0[part as usize]
    }
}

impl IndexMut<Part> for PartBytes {
    fn index_mut(&mut self, part: Part) -> &mut u64 {
        &mut self.0[part as usize]
    }
}

/// What the resident memory of a process is made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MemoryAccount {
    /// Bytes in RAM, of each part. They sum up to the resident memory.
    pub parts: PartBytes,
    /// Parts whose bytes are an estimate, in the order of [`Part::ALL`]; the others were counted.
    pub estimates: Vec<Part>,
    /// Buffers with a mapping to themselves, those with the most bytes in RAM first.
    pub buffers: Vec<BigBuffer>,
    /// Files and shared memory, those with the most bytes in RAM first.
    pub files: Vec<MappedFile>,
    /// Whose `malloc` the process uses: `glibc`, `musl`, `jemalloc`, …
    pub allocator: String,
    /// Bytes that the process alone has and has written to.
    pub private_dirty_bytes: u64,
    /// Bytes that are swapped out; no part counts them.
    pub swapped_bytes: u64,
}

/// A buffer that has a mapping to itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BigBuffer {
    /// The type of the object that it belongs to.
    pub type_key: String,
    /// Where that object is.
    pub owner: u64,
    /// A path to it; empty where it was not looked for, or where there is none.
    pub path: String,
    /// Its length.
    pub mapped_bytes: u64,
    /// What of it is in RAM.
    pub resident_bytes: u64,
}

/// A file, or shared memory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MappedFile {
    /// As the kernel names it.
    pub path: String,
    /// The type of the object that mapped it; empty where it was none.
    pub type_key: String,
    /// What of it is in RAM, in all mappings of this process.
    pub resident_bytes: u64,
}

/// What the account says of a process that grows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MemoryVerdict {
    /// Much of the memory is free, and its allocators cannot give it back.
    Fragmentation,
}

/// From this share of resident memory on, free memory within allocators is fragmentation: 1 in 4. A
/// process at rest has up to a tenth.
const FRAGMENTED: u64 = 4;
/// Less than this is no matter: an interpreter that has just started may have a large share free.
const FRAGMENTED_LEAST_BYTES: u64 = 16 << 20;

impl MemoryAccount {
    /// Bytes in RAM.
    pub fn rss_bytes(&self) -> u64 {
        self.parts.sum()
    }

    /// Of live Python objects, buffers included.
    pub fn python_bytes(&self) -> u64 {
        use Part::{Buffers, PythonElsewhere, PythonMalloc, PythonPools};
        let parts = [PythonPools, PythonMalloc, PythonElsewhere, Buffers];
        parts.into_iter().map(|part| self.parts[part]).sum()
    }

    /// Free, but kept by an allocator.
    pub fn free_bytes(&self) -> u64 {
        self.parts[Part::FreePools] + self.parts[Part::MallocFree]
    }

    /// What the account alone says; `None` where that is nothing.
    pub fn verdict(&self) -> Option<MemoryVerdict> {
        let free = self.free_bytes();
        let is_much = free >= FRAGMENTED_LEAST_BYTES && free >= self.rss_bytes() / FRAGMENTED;
        is_much.then_some(MemoryVerdict::Fragmentation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn account(parts: &[(Part, u64)]) -> MemoryAccount {
        let mut account = MemoryAccount::default();
        for &(part, bytes) in parts {
            account.parts[part] += bytes;
        }
        account
    }

    #[test]
    fn each_part_has_a_place_of_its_own() {
        let mut parts = PartBytes::default();
        for (bytes, part) in (1..).zip(Part::ALL) {
            parts[part] = bytes;
        }
        assert_eq!(parts.0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn parts_always_sum_up_to_the_whole_they_are_fitted_to() {
        let mut random = Random::new(7);
        for _ in 0..1000 {
            let mut parts = PartBytes::default();
            for part in Part::ALL {
                parts[part] = u64::from(random.below(1 << 30)) << 10;
            }
            let sum = parts.sum();
            let whole = u64::from(random.below(1 << 31)) << 12;
            let fitted = parts.fitted_to(whole);
            assert_eq!(fitted.sum(), whole);
            let named = &Part::ALL[..Part::COUNT - 1];
            for &part in named {
                assert!(fitted[part] <= parts[part]);
                assert!(sum > whole || fitted[part] == parts[part]);
            }
        }
        assert_eq!(PartBytes::default().fitted_to(0).sum(), 0);
    }

    #[test]
    fn much_that_is_free_is_fragmentation() {
        const MB: u64 = 1 << 20;
        let verdict = |parts: &[_]| account(parts).verdict();
        let parts = |free| {
            [
                (Part::PythonPools, 100 * MB - free),
                (Part::FreePools, free),
            ]
        };
        assert_eq!(verdict(&parts(24 * MB)), None);
        assert_eq!(verdict(&parts(25 * MB)), Some(MemoryVerdict::Fragmentation));
        let both = [
            (Part::FreePools, 13 * MB),
            (Part::MallocFree, 13 * MB),
            (Part::Files, 74 * MB),
        ];
        assert_eq!(verdict(&both), Some(MemoryVerdict::Fragmentation));
        assert_eq!(verdict(&[(Part::MallocFree, 15 * MB)]), None);
    }
}
