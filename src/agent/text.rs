//! Text of bounded length, built in place.

use crate::dicts::Text;

/// At most `N` bytes of UTF-8. What does not fit is left out, from the first character that does
/// not.
pub(crate) struct TextBuffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
    is_full: bool,
}

/// The name of a type, or a part of one.
pub(crate) type NameText = TextBuffer<2001>;

/// The most characters of one part of a name.
const LONGEST_PART: usize = 250;

impl<const N: usize> TextBuffer<N> {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
            is_full: false,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or("")
    }

    /// Whether something was left out.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn push(&mut self, character: char) {
        let mut utf8 = [0; 4];
        let utf8 = character.encode_utf8(&mut utf8).as_bytes();
        match self.bytes.get_mut(self.len..self.len + utf8.len()) {
            Some(place) if !self.is_full => {
                place.copy_from_slice(utf8);
                self.len += utf8.len();
            }
            _ => self.is_full = true,
        }
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        for character in text.chars() {
            self.push(character);
            if self.is_full {
                return;
            }
        }
    }

    /// The characters of a `str` that is part of a name.
    pub(crate) fn push_name(&mut self, text: Text<'_>) {
        text.chars()
            .take(LONGEST_PART)
            .for_each(|character| self.push(character));
    }

    /// Bytes of a name that should be UTF-8 and may not be.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.push_utf8(&bytes[..bytes.len().min(4 * LONGEST_PART)]);
    }

    /// Bytes that should be UTF-8 and may not be.
    pub(crate) fn push_utf8(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            self.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

impl<const N: usize> core::fmt::Write for TextBuffer<N> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.push_str(text);
        Ok(())
    }
}
