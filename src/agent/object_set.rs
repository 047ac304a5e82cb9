//! A set of object addresses: one bit for every 16 bytes of address space that holds any, and a
//! dense number (rank) for each object.

use crate::buffer::{Budget, Buffer, NoMemory};

/// Objects begin at multiples of this.
const GRANULE: usize = 16;
/// Address space is cut into blocks of 1 MiB.
const BLOCK_SHIFT: usize = 20;
const WORDS: usize = (1 << BLOCK_SHIFT) / GRANULE / 64;
/// Blocks are found through two levels: 8192 regions of 16 GiB, each of 16384 blocks.
const REGION_SHIFT: usize = 34;
const REGIONS: usize = 1 << (47 - REGION_SHIFT);
const REGION_BLOCKS: usize = 1 << (REGION_SHIFT - BLOCK_SHIFT);

/// Why an address cannot be in the set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rejected {
    NoMemory,
    /// Not a multiple of 16, or outside of the address space of programs.
    OddAddress,
}

impl From<NoMemory> for Rejected {
    fn from(NoMemory: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// See the module.
pub(crate) struct ObjectSet {
    /// Per region: the first of its entries in `blocks`, plus one; 0 where there is none.
    regions: Buffer<u32>,
    /// Per block of each region: its index plus one; 0 where there is none.
    blocks: Buffer<u32>,
    /// Per block: the number of its place in the address space.
    keys: Buffer<u32>,
    /// Per block: `WORDS` words of bits.
    bits: Buffer<u64>,
    /// Per block: the rank of its first object; valid after `number`.
    bases: Buffer<u32>,
    /// Per word of bits: objects in earlier words of the block; valid after `number`.
    prefixes: Buffer<u16>,
    /// Blocks in address order; valid after `number`.
    order: Buffer<u32>,
}

impl ObjectSet {
    pub(crate) fn new(budget: &mut Budget) -> Result<Self, NoMemory> {
        Ok(Self {
            regions: Buffer::zeroed(REGIONS, budget)?,
            blocks: Buffer::new(),
            keys: Buffer::new(),
            bits: Buffer::new(),
            bases: Buffer::new(),
            prefixes: Buffer::new(),
            order: Buffer::new(),
        })
    }

    #[inline]
    pub(crate) fn insert(&mut self, address: usize, budget: &mut Budget) -> Result<(), Rejected> {
        let block = match self.block_of(address) {
            Some(block) => block,
            None => self.add_block(address, budget)?,
        };
        if !address.is_multiple_of(GRANULE) {
            return Err(Rejected::OddAddress);
        }
        let (word, bit) = place_in_block(address);
        self.bits[block * WORDS + word] |= bit;
        Ok(())
    }

    #[inline(always)]
    fn block_of(&self, address: usize) -> Option<usize> {
        let region = *self.regions.get(address >> REGION_SHIFT)? as usize;
        let first = region.checked_sub(1)?;
        let in_region = address >> BLOCK_SHIFT & (REGION_BLOCKS - 1);
        (self.blocks[first + in_region] as usize).checked_sub(1)
    }

    #[cold]
    fn add_block(&mut self, address: usize, budget: &mut Budget) -> Result<usize, Rejected> {
        let region = address >> REGION_SHIFT;
        let first = match *self.regions.get(region).ok_or(Rejected::OddAddress)? {
            0 => {
                let first = self.blocks.extend_zeroed(REGION_BLOCKS, budget)?;
                self.regions[region] = first as u32 + 1;
                first
            }
            first => first as usize - 1,
        };
        let block = self.keys.len();
        self.keys.push((address >> BLOCK_SHIFT) as u32, budget)?;
        self.bits.extend_zeroed(WORDS, budget)?;
        self.blocks[first + (address >> BLOCK_SHIFT & (REGION_BLOCKS - 1))] = block as u32 + 1;
        Ok(block)
    }

    /// Gives each object its rank, in address order; nothing may be inserted afterwards. Answers
    /// how many objects there are.
    pub(crate) fn number(&mut self, budget: &mut Budget) -> Result<usize, NoMemory> {
        let n_blocks = self.keys.len();
        self.bases = Buffer::zeroed(n_blocks, budget)?;
        self.prefixes = Buffer::zeroed(n_blocks * WORDS, budget)?;
        self.order = Buffer::zeroed(n_blocks, budget)?;
        for (block, place) in self.order.iter_mut().enumerate() {
            *place = block as u32;
        }
        let keys = &self.keys;
        self.order
            .sort_unstable_by_key(|&block| keys[block as usize]);
        let mut rank = 0;
        for &block in self.order.iter() {
            let block = block as usize;
            self.bases[block] = rank;
            let mut in_block = 0;
            for word in block * WORDS..(block + 1) * WORDS {
                self.prefixes[word] = in_block as u16;
                in_block += self.bits[word].count_ones();
            }
            rank += in_block;
        }
        Ok(rank as usize)
    }

    /// The rank of an object; `None` for any other address.
    #[inline(always)]
    pub(crate) fn rank(&self, address: usize) -> Option<usize> {
        let block = self.block_of(address)?;
        let (word, bit) = place_in_block(address);
        let word = block * WORDS + word;
        let bits = self.bits[word];
        if bits & bit == 0 || !address.is_multiple_of(GRANULE) {
            return None;
        }
        let before = (bits & (bit - 1)).count_ones();
        Some((self.bases[block] + u32::from(self.prefixes[word]) + before) as usize)
    }

    /// Hands on all objects in address order, which is the order of their ranks, some at a time.
    pub(crate) fn each_batch(&self, mut see: impl FnMut(usize, &[usize])) {
        const BATCH: usize = 64;
        let mut batch = [0; BATCH];
        let (mut len, mut first_rank) = (0, 0);
        for &block in self.order.iter() {
            let start = (self.keys[block as usize] as usize) << BLOCK_SHIFT;
            let words = &self.bits[block as usize * WORDS..(block as usize + 1) * WORDS];
            for (word, &bits) in words.iter().enumerate() {
                let mut rest = bits;
                while rest != 0 {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    batch[len] = start + (word * 64 + bit) * GRANULE;
                    len += 1;
                    if len == BATCH {
                        see(first_rank, &batch);
                        first_rank += BATCH;
                        len = 0;
                    }
                }
            }
        }
        see(first_rank, &batch[..len]);
    }
}

#[inline(always)]
fn place_in_block(address: usize) -> (usize, u64) {
    let granule = (address & ((1 << BLOCK_SHIFT) - 1)) / GRANULE;
    (granule / 64, 1 << (granule % 64))
}
