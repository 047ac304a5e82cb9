//! Which objects were met, and which of them are still to be looked at: four bits for every 16 bytes
//! of address space that holds any.

use crate::address_blocks::{AddressBlocks, GRANULE, Rejected, WORDS, place_in_block};
use crate::buffer::{Budget, Buffer, NoMemory};

/// Notes on a block.
const HAS_WAITING: u8 = 1;
const HAS_ODD: u8 = 2;
const HAS_KEYS: u8 = 4;

/// See the module. Two objects never begin within the same 16 bytes.
pub(crate) struct Marks {
    blocks: AddressBlocks,
    /// Per block and word: who was met. It is asked for each reference: the less memory, the better.
    met: Buffer<u64>,
    /// Who of them waits.
    waiting: Buffer<u64>,
    /// Per block and word: who begins 8 bytes later, and who is a key whose text is to be sent.
    /// Memory that is hardly ever touched.
    rare: Buffer<u64>,
    notes: Buffer<u8>,
}

/// Which bits to take out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// The object waits to be looked at.
    Waiting,
    /// The object is a key whose text is to be sent.
    Key,
}

impl Marks {
    pub(crate) fn new(budget: &mut Budget) -> Result<Self, NoMemory> {
        Ok(Self {
            blocks: AddressBlocks::new(budget)?,
            met: Buffer::new(),
            waiting: Buffer::new(),
            rare: Buffer::new(),
            notes: Buffer::new(),
        })
    }

    /// Whether the object was met before.
    #[inline(always)]
    pub(crate) fn has(&self, address: usize) -> bool {
        let Some(block) = self.blocks.find(address) else {
            return false;
        };
        let (word, bit) = place_in_block(address);
        self.met[block * WORDS + word] & bit != 0
    }

    /// Notes an object that was not met before.
    pub(crate) fn add(&mut self, address: usize, budget: &mut Budget) -> Result<(), Rejected> {
        // No program has memory there: what some types keep in place of an address.
        const LOWEST: usize = 1 << 16;
        if !address.is_multiple_of(8) || address < LOWEST {
            return Err(Rejected::OddAddress);
        }
        let block = match self.blocks.find(address) {
            Some(block) => block,
            None => self.add_block(address, budget)?,
        };
        let (word, bit) = place_in_block(address);
        let at = block * WORDS + word;
        self.met[at] |= bit;
        self.waiting[at] |= bit;
        self.notes[block] |= HAS_WAITING;
        if !address.is_multiple_of(GRANULE) {
            self.rare[at * 2] |= bit;
            self.notes[block] |= HAS_ODD;
        }
        Ok(())
    }

    fn add_block(&mut self, address: usize, budget: &mut Budget) -> Result<usize, Rejected> {
        let block = self.blocks.add(address, budget)?;
        self.met.extend_zeroed(WORDS, budget)?;
        self.waiting.extend_zeroed(WORDS, budget)?;
        self.rare.extend_zeroed(WORDS * 2, budget)?;
        self.notes.push(0, budget)?;
        Ok(block)
    }

    /// Notes that an object, which was met, is a key.
    #[inline(always)]
    pub(crate) fn add_key(&mut self, address: usize) {
        if let Some(block) = self.blocks.find(address) {
            let (word, bit) = place_in_block(address);
            self.rare[(block * WORDS + word) * 2 + 1] |= bit;
            self.notes[block] |= HAS_KEYS;
        }
    }

    /// All blocks in address order.
    pub(crate) fn in_order(&self, budget: &mut Budget) -> Result<Buffer<u32>, NoMemory> {
        self.blocks.in_order(budget)
    }

    /// Whether a block has any of these marks; what is marked from now on is noted afresh.
    pub(crate) fn take_note(&mut self, block: usize, mark: Mark) -> bool {
        let note = match mark {
            Mark::Waiting => HAS_WAITING,
            Mark::Key => HAS_KEYS,
        };
        let notes = &mut self.notes[block];
        let had = *notes & note != 0;
        *notes &= !note;
        had
    }

    /// Takes the marks of one word of a block out.
    #[inline(always)]
    pub(crate) fn take(&mut self, block: usize, word: usize, mark: Mark) -> Taken {
        let at = block * WORDS + word;
        let bits = match mark {
            Mark::Waiting => core::mem::take(&mut self.waiting[at]),
            Mark::Key => core::mem::take(&mut self.rare[at * 2 + 1]),
        };
        if bits == 0 {
            return Taken::default();
        }
        let has_odd = self.notes[block] & HAS_ODD != 0;
        Taken {
            bits,
            odd: if has_odd { self.rare[at * 2] } else { 0 },
            start: self.blocks.start(block) + word * 64 * GRANULE,
        }
    }
}

/// The objects of one word of marks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    bits: u64,
    odd: u64,
    start: usize,
}

impl Iterator for Taken {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            return None;
        }
        let index = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        let odd = (self.odd >> index & 1) as usize * 8;
        Some(self.start + index * GRANULE + odd)
    }
}
