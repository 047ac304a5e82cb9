//! The labels of references: each text is sent once and then goes by its number.

use leakhunt_wire::{LabelDef, LabelKind};

use crate::buffer::{Budget, Buffer, NoMemory, Plain};
use crate::graph::stream::Stream;

/// The text of a label, cut to what a record holds.
pub(crate) type LabelText = crate::text::TextBuffer<{ leakhunt_wire::MAX_TEXT }>;

#[derive(Clone, Copy)]
struct Label {
    hash: u64,
    start: u32,
    len: u32,
    kind: u8,
}

// SAFETY: numbers.
unsafe impl Plain for Label {}

/// The labels met so far. Open addressing: `slots` holds the index of a label plus one, 0 is free.
pub(crate) struct Labels {
    labels: Buffer<Label>,
    texts: Buffer<u8>,
    slots: Buffer<u32>,
    n_sent: usize,
}

const KINDS: [LabelKind; 3] = [LabelKind::Attribute, LabelKind::Local, LabelKind::Internal];

impl Labels {
    pub(crate) fn new(budget: &mut Budget) -> Result<Self, NoMemory> {
        Ok(Self {
            labels: Buffer::new(),
            texts: Buffer::new(),
            slots: Buffer::zeroed(4096, budget)?,
            n_sent: 0,
        })
    }

    /// The number of a label.
    pub(crate) fn index(
        &mut self,
        kind: LabelKind,
        text: &str,
        budget: &mut Budget,
    ) -> Result<u32, NoMemory> {
        let hash = hash(kind, text);
        let mut slot = hash as usize & (self.slots.len() - 1);
        while let Some(index) = self.slots[slot].checked_sub(1) {
            if self.is(index as usize, hash, kind, text) {
                return Ok(index);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let index = self.labels.len() as u32;
        let start = self.texts.extend_zeroed(text.len(), budget)?;
        self.texts[start..].copy_from_slice(text.as_bytes());
        let label = Label {
            hash,
            start: start as u32,
            len: text.len() as u32,
            kind: kind as u8,
        };
        self.labels.push(label, budget)?;
        self.slots[slot] = index + 1;
        if self.labels.len() * 2 > self.slots.len() {
            self.rehash(budget)?;
        }
        Ok(index)
    }

    fn is(&self, index: usize, hash: u64, kind: LabelKind, text: &str) -> bool {
        let label = &self.labels[index];
        label.hash == hash && label.kind == kind as u8 && self.text(label) == text.as_bytes()
    }

    fn text(&self, label: &Label) -> &[u8] {
        &self.texts[label.start as usize..][..label.len as usize]
    }

    /// The text of a label by its number.
    pub(crate) fn text_of(&self, index: u32) -> &str {
        core::str::from_utf8(self.text(&self.labels[index as usize])).unwrap_or("")
    }

    fn rehash(&mut self, budget: &mut Budget) -> Result<(), NoMemory> {
        self.slots = Buffer::zeroed(self.slots.len() * 4, budget)?;
        for index in 0..self.labels.len() {
            let mut slot = self.labels[index].hash as usize & (self.slots.len() - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = index as u32 + 1;
        }
        Ok(())
    }

    /// Whether all labels are sent.
    #[inline(always)]
    pub(crate) fn are_sent(&self) -> bool {
        self.n_sent == self.labels.len()
    }

    /// Sends the labels that were not yet.
    #[cold]
    pub(crate) fn send(&mut self, stream: &mut Stream<'_>, budget: &mut Budget) {
        for index in self.n_sent..self.labels.len() {
            let label = &self.labels[index];
            let definition = LabelDef {
                index: index as u32,
                kind: KINDS[label.kind as usize],
                text: core::str::from_utf8(self.text(label)).unwrap_or(""),
            };
            stream.write(budget, |writer| writer.label(&definition));
        }
        self.n_sent = self.labels.len();
    }
}

fn hash(kind: LabelKind, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ kind as u64;
    text.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
