//! A set of object addresses: one bit for every 16 bytes of address space that holds any, and a
//! dense number (rank) for each object.

pub(crate) use crate::address_blocks::Rejected;
use crate::address_blocks::{AddressBlocks, GRANULE, WORDS, place_in_block};
use crate::buffer::{Budget, Buffer, NoMemory};

/// See the module.
pub(crate) struct ObjectSet {
    blocks: AddressBlocks,
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
            blocks: AddressBlocks::new(budget)?,
            bits: Buffer::new(),
            bases: Buffer::new(),
            prefixes: Buffer::new(),
            order: Buffer::new(),
        })
    }

    #[inline]
    pub(crate) fn insert(&mut self, address: usize, budget: &mut Budget) -> Result<(), Rejected> {
        let block = match self.blocks.find(address) {
            Some(block) => block,
            None => {
                self.bits.extend_zeroed(WORDS, budget)?;
                self.blocks.add(address, budget)?
            }
        };
        if !address.is_multiple_of(GRANULE) {
            return Err(Rejected::OddAddress);
        }
        let (word, bit) = place_in_block(address);
        self.bits[block * WORDS + word] |= bit;
        Ok(())
    }

    /// Gives each object its rank, in address order; nothing may be inserted afterwards. Answers
    /// how many objects there are.
    pub(crate) fn number(&mut self, budget: &mut Budget) -> Result<usize, NoMemory> {
        let n_blocks = self.blocks.len();
        self.bases = Buffer::zeroed(n_blocks, budget)?;
        self.prefixes = Buffer::zeroed(n_blocks * WORDS, budget)?;
        self.order = self.blocks.in_order(budget)?;
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
        let block = self.blocks.find(address)?;
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
            let start = self.blocks.start(block as usize);
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
