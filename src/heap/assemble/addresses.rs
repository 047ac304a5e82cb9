//! From addresses to places in the columns.

use super::AssembleError;

/// Address space is cut into blocks of 1 MiB, and these into pages of 4 KiB.
const BLOCK_SHIFT: u32 = 20;
const PAGE_SHIFT: u32 = 12;
const PAGES: usize = 1 << (BLOCK_SHIFT - PAGE_SHIFT);

/// All addresses, ascending. Beside the column itself 1 KiB for each MiB of address space with objects.
#[derive(Debug)]
pub(super) struct Addresses {
    sorted: Vec<u64>,
    /// The numbers of the blocks that hold objects, ascending.
    blocks: Vec<u64>,
    /// For each block and each page of it: the first object there or after.
    pages: Vec<[u32; PAGES]>,
}

impl Addresses {
    /// # Errors
    /// When two are the same.
    pub(super) fn of(mut addresses: Vec<u64>) -> Result<Self, AssembleError> {
        // They come as a few ascending runs, which this sort merges.
        addresses.sort();
        if let Some(pair) = addresses.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(AssembleError::Twice { address: pair[0] });
        }
        let (mut blocks, mut pages) = (Vec::new(), Vec::new());
        for block_of in addresses.chunk_by(|a, b| a >> BLOCK_SHIFT == b >> BLOCK_SHIFT) {
            let first = blocks.len();
            blocks.push(block_of[0] >> BLOCK_SHIFT);
            pages.push([0_u32; PAGES]);
            for &address in block_of {
                let page = (address >> PAGE_SHIFT) as usize % PAGES;
                pages[first][page] += 1;
            }
        }
        let mut sum = 0;
        for page in pages.as_flattened_mut() {
            let n_objects = *page;
            *page = sum;
            sum += n_objects;
        }
        addresses.shrink_to_fit();
        Ok(Self {
            sorted: addresses,
            blocks,
            pages,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The place of the object at an address.
    pub(super) fn find(&self, address: u64) -> Option<usize> {
        let block = self.blocks.binary_search(&(address >> BLOCK_SHIFT)).ok()?;
        let page = block * PAGES + (address >> PAGE_SHIFT) as usize % PAGES;
        let starts = self.pages.as_flattened();
        let first = starts[page] as usize;
        let end = starts
            .get(page + 1)
            .map_or(self.sorted.len(), |&end| end as usize);
        let in_page = self.sorted[first..end].binary_search(&address).ok()?;
        Some(first + in_page)
    }

    pub(super) fn into_sorted(self) -> Vec<u64> {
        self.sorted
    }
}
