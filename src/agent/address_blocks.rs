//! Blocks of address space, numbered as they are met: what bitmaps of objects are laid out by.

use crate::buffer::{Budget, Buffer, NoMemory};

/// Objects begin at multiples of this, but for a few in the interpreter's own data.
pub(crate) const GRANULE: usize = 16;
/// Address space is cut into blocks of 1 MiB.
pub(crate) const BLOCK_SHIFT: usize = 20;
/// Words of one bit a granule.
pub(crate) const WORDS: usize = (1 << BLOCK_SHIFT) / GRANULE / 64;
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
pub(crate) struct AddressBlocks {
    /// Per region: the first of its entries in `blocks`, plus one; 0 where there is none.
    regions: Buffer<u32>,
    /// Per block of each region: its index plus one; 0 where there is none.
    blocks: Buffer<u32>,
    /// Per block: the number of its place in the address space.
    keys: Buffer<u32>,
}

impl AddressBlocks {
    pub(crate) fn new(budget: &mut Budget) -> Result<Self, NoMemory> {
        Ok(Self {
            regions: Buffer::zeroed(REGIONS, budget)?,
            blocks: Buffer::new(),
            keys: Buffer::new(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The index of the block that an address is in.
    #[inline(always)]
    pub(crate) fn find(&self, address: usize) -> Option<usize> {
        let region = *self.regions.get(address >> REGION_SHIFT)? as usize;
        let first = region.checked_sub(1)?;
        let in_region = address >> BLOCK_SHIFT & (REGION_BLOCKS - 1);
        (self.blocks[first + in_region] as usize).checked_sub(1)
    }

    /// Adds the block that an address is in, which is the last then.
    #[cold]
    pub(crate) fn add(&mut self, address: usize, budget: &mut Budget) -> Result<usize, Rejected> {
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
        self.blocks[first + (address >> BLOCK_SHIFT & (REGION_BLOCKS - 1))] = block as u32 + 1;
        Ok(block)
    }

    /// The first address of a block.
    pub(crate) fn start(&self, block: usize) -> usize {
        (self.keys[block] as usize) << BLOCK_SHIFT
    }

    /// All blocks in address order.
    pub(crate) fn in_order(&self, budget: &mut Budget) -> Result<Buffer<u32>, NoMemory> {
        // Key and index in one number: what sorts numbers is in the image anyhow.
        let mut numbers = Buffer::<usize>::zeroed(self.len(), budget)?;
        for (block, number) in numbers.iter_mut().enumerate() {
            *number = (self.keys[block] as usize) << 32 | block;
        }
        numbers.sort_unstable();
        let mut order = Buffer::zeroed(self.len(), budget)?;
        for (place, &number) in order.iter_mut().zip(numbers.iter()) {
            *place = number as u32;
        }
        Ok(order)
    }
}

/// The word of a block's bitmap and the bit of it that stand for an address.
#[inline(always)]
pub(crate) fn place_in_block(address: usize) -> (usize, u64) {
    let granule = (address & ((1 << BLOCK_SHIFT) - 1)) / GRANULE;
    (granule / 64, 1 << (granule % 64))
}
