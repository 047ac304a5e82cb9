//! Looks a symbol up by the hash table of a module, as the loader does.

use crate::elf::{Dynamic, SYMBOL_SIZE, u16_at, u32_at, u64_at};

/// Bytes that are read by address.
pub(crate) trait Addressed {
    /// Fills `buffer` from `address`; `None` where there is no memory.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Option<()>;

    /// Four bytes.
    fn read_u32(&self, address: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Some(u32::from_le_bytes(bytes))
    }
}

/// The most symbols of one hash chain that are looked at; a damaged table must not make us loop.
const MAX_CHAIN: u32 = 100_000;

/// A defined symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol {
    /// Its address before relocation.
    pub(crate) value: u64,
}

/// The symbol `name` of a module: the default version of a defined function or object. Indirect
/// functions and thread-locals do not count, as their value is no address.
pub(crate) fn lookup(memory: &impl Addressed, dynamic: &Dynamic, name: &str) -> Option<Symbol> {
    if dynamic.symbols == 0 || dynamic.strings == 0 {
        return None;
    }
    let table = Table { memory, dynamic };
    if dynamic.gnu_hash != 0 {
        table.lookup_gnu(name)
    } else if dynamic.hash != 0 {
        table.lookup_sysv(name)
    } else {
        None
    }
}

struct Table<'t, M> {
    memory: &'t M,
    dynamic: &'t Dynamic,
}

impl<M: Addressed> Table<'_, M> {
    /// By `DT_GNU_HASH`: header, bloom filter, buckets, and one chain word for each symbol whose
    /// lowest bit marks the end of a chain.
    fn lookup_gnu(&self, name: &str) -> Option<Symbol> {
        let hash = name.bytes().fold(5381_u32, |hash, byte| {
            hash.wrapping_mul(33).wrapping_add(byte.into())
        });
        let mut header = [0; 16];
        self.memory.read(self.dynamic.gnu_hash, &mut header)?;
        let n_buckets = u32_at(&header, 0)?;
        let first_symbol = u32_at(&header, 4)?;
        let n_bloom_words = u32_at(&header, 8)?;
        let buckets = self
            .dynamic
            .gnu_hash
            .wrapping_add(16)
            .wrapping_add(u64::from(n_bloom_words) * 8);
        let chains = buckets.wrapping_add(u64::from(n_buckets) * 4);
        let bucket = u64::from(hash.checked_rem(n_buckets)?);
        let mut index = self.memory.read_u32(buckets.wrapping_add(bucket * 4))?;
        if index < first_symbol {
            return None;
        }
        for _ in 0..MAX_CHAIN {
            let place = u64::from(index - first_symbol) * 4;
            let chain = self.memory.read_u32(chains.wrapping_add(place))?;
            if chain | 1 == hash | 1
                && let Some(symbol) = self.symbol_if_named(index, name)
            {
                return Some(symbol);
            }
            if chain & 1 == 1 {
                return None;
            }
            index = index.checked_add(1)?;
        }
        None
    }

    /// By `DT_HASH`: two counts, buckets, and chains of indices.
    fn lookup_sysv(&self, name: &str) -> Option<Symbol> {
        let hash = name.bytes().fold(0_u32, |hash, byte| {
            let hash = (hash << 4).wrapping_add(byte.into());
            let top = hash & 0xf000_0000;
            (hash ^ (top >> 24)) & !top
        });
        let table = self.dynamic.hash;
        let n_buckets = self.memory.read_u32(table)?;
        let word = |place: u64| {
            self.memory
                .read_u32(table.wrapping_add(8).wrapping_add(place * 4))
        };
        let mut index = word(u64::from(hash.checked_rem(n_buckets)?))?;
        for _ in 0..MAX_CHAIN {
            if index == 0 {
                return None;
            }
            if let Some(symbol) = self.symbol_if_named(index, name) {
                return Some(symbol);
            }
            index = word(u64::from(n_buckets) + u64::from(index))?;
        }
        None
    }

    fn symbol_if_named(&self, index: u32, name: &str) -> Option<Symbol> {
        const SECTION_UNDEFINED: u16 = 0;
        const KIND_TLS: u8 = 6;
        const KIND_INDIRECT_FUNCTION: u8 = 10;
        const VERSION_HIDDEN: u8 = 0x80;
        let index = u64::from(index);
        let mut symbol = [0; SYMBOL_SIZE as usize];
        let at = self.dynamic.symbols.wrapping_add(index * SYMBOL_SIZE);
        self.memory.read(at, &mut symbol)?;
        if u16_at(&symbol, 6)? == SECTION_UNDEFINED
            || matches!(symbol[4] & 15, KIND_TLS | KIND_INDIRECT_FUNCTION)
        {
            return None;
        }
        let at = self
            .dynamic
            .strings
            .wrapping_add(u32_at(&symbol, 0)?.into());
        let mut found = vec![0; name.len() + 1];
        self.memory.read(at, &mut found)?;
        if found.strip_suffix(b"\0") != Some(name.as_bytes()) {
            return None;
        }
        if self.dynamic.versions != 0 {
            let mut version = [0; 2];
            let at = self.dynamic.versions.wrapping_add(index * 2);
            self.memory.read(at, &mut version)?;
            if version[1] & VERSION_HIDDEN != 0 {
                return None;
            }
        }
        Some(Symbol {
            value: u64_at(&symbol, 8)?,
        })
    }
}
