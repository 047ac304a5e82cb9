//! Compresses a block in the LZ4 block format: greedy, with one place remembered for each hash, and
//! without memory of its own.

/// Places of the last sequence with each hash of its first four bytes.
pub(crate) const TABLE_LEN: usize = 1 << HASH_BITS;
const HASH_BITS: u32 = 12;

/// A match is at least so long.
const SHORTEST: usize = 4;
/// The last match begins no later than this before the end, and the last bytes are literals.
const LAST_MATCH: usize = 12;
const LAST_LITERALS: usize = 5;
/// Literals and matches are copied in pieces of this.
const PIECE: usize = 16;

/// Compresses `input`, of less than 64 KiB; `None` when that is not worth it. `output` is at least as
/// long as the input.
pub(crate) fn compress(input: &[u8], table: &mut [u16], output: &mut [u8]) -> Option<usize> {
    table.fill(0);
    let mut sink = Sink { output, len: 0 };
    let mut literals = 0;
    let mut at = 1;
    let mut n_missed = 0;
    while at + LAST_MATCH <= input.len() {
        let sequence = four(input, at);
        let slot = &mut table[hash(sequence)];
        let candidate = *slot as usize;
        *slot = at as u16;
        if candidate >= at || four(input, candidate) != sequence {
            // Where nothing repeats itself, look at fewer places.
            n_missed += 1;
            at += 1 + (n_missed >> 4);
            continue;
        }
        n_missed = 0;
        let (mut start, mut from) = (at, candidate);
        while start > literals && from > 0 && input[start - 1] == input[from - 1] {
            start -= 1;
            from -= 1;
        }
        let len =
            at - start + SHORTEST + common(input, from + (at - start) + SHORTEST, at + SHORTEST);
        sink.sequence(input, literals, start, start - from, len)?;
        at = start + len;
        literals = at;
        if at + LAST_MATCH <= input.len() {
            table[hash(four(input, at - 2))] = (at - 2) as u16;
        }
    }
    sink.last_literals(&input[literals..])?;
    (sink.len < input.len()).then_some(sink.len)
}

#[inline(always)]
fn four(input: &[u8], at: usize) -> u32 {
    input[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline(always)]
fn eight(input: &[u8], at: usize) -> u64 {
    input[at..]
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn hash(sequence: u32) -> usize {
    (sequence.wrapping_mul(2_654_435_761) >> (32 - HASH_BITS)) as usize
}

/// How many bytes from `from` on are as those from `to` on, short of the last literals.
#[inline(always)]
fn common(input: &[u8], from: usize, to: usize) -> usize {
    let end = input.len() - LAST_LITERALS;
    let mut len = 0;
    while to + len + 8 <= end {
        let difference = eight(input, from + len) ^ eight(input, to + len);
        if difference != 0 {
            return len + difference.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    while to + len < end && input[from + len] == input[to + len] {
        len += 1;
    }
    len
}

struct Sink<'o> {
    output: &'o mut [u8],
    len: usize,
}

impl Sink<'_> {
    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        *self.output.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    /// What of a length does not fit the four bits of a token.
    #[inline(always)]
    fn rest_of_len(&mut self, len: usize) -> Option<()> {
        let Some(mut rest) = len.checked_sub(15) else {
            return Some(());
        };
        while rest >= 255 {
            self.byte(255)?;
            rest -= 255;
        }
        self.byte(rest as u8)
    }

    /// Literals, and then a match of `len` bytes that stand `distance` before.
    #[inline(always)]
    fn sequence(
        &mut self,
        input: &[u8],
        literals: usize,
        start: usize,
        distance: usize,
        len: usize,
    ) -> Option<()> {
        let n_literals = start - literals;
        let more = len - SHORTEST;
        self.byte((n_literals.min(15) << 4 | more.min(15)) as u8)?;
        self.rest_of_len(n_literals)?;
        self.literals(input, literals, start)?;
        let [low, high] = (distance as u16).to_le_bytes();
        self.byte(low)?;
        self.byte(high)?;
        self.rest_of_len(more)
    }

    /// Copies in pieces, past the end where there is room: a call of `memcpy` for a few bytes each
    /// would cost more than all the rest.
    #[inline(always)]
    fn literals(&mut self, input: &[u8], start: usize, end: usize) -> Option<()> {
        let after = self.len + (end - start);
        let mut from = start;
        while from < end {
            let source = input[from..].first_chunk::<PIECE>();
            let place = self.output.get_mut(self.len..)?.first_chunk_mut::<PIECE>();
            match (source, place) {
                (Some(source), Some(place)) => {
                    *place = *source;
                    from += PIECE;
                    self.len += PIECE;
                }
                _ => {
                    *self.output.get_mut(self.len)? = input[from];
                    from += 1;
                    self.len += 1;
                }
            }
        }
        self.len = after;
        Some(())
    }

    fn last_literals(&mut self, literals: &[u8]) -> Option<()> {
        self.byte((literals.len().min(15) << 4) as u8)?;
        self.rest_of_len(literals.len())?;
        self.literals(literals, 0, literals.len())
    }
}
