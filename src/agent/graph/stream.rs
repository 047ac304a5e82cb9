//! The blocks of a graph: filled, compressed, and sent one a packet.

use leakhunt_wire::{GraphBlock, GraphWriter, MAX_BLOCK, NoRoom, Reply};

use crate::buffer::{Budget, Buffer, NoMemory};
use crate::graph::lz4;
use crate::outbox::Outbox;
use crate::tally::WalkError;

/// Fills blocks one after the other. An error stays: what is written after it goes nowhere.
pub(crate) struct Stream<'a> {
    writer: GraphWriter<'a>,
    outbox: &'a mut Outbox,
    compressed: Buffer<u8>,
    table: Buffer<u16>,
    pub(crate) result: Result<(), WalkError>,
}

impl<'a> Stream<'a> {
    /// A block's memory.
    pub(crate) fn block(budget: &mut Budget) -> Result<Buffer<u8>, NoMemory> {
        Buffer::zeroed(MAX_BLOCK, budget)
    }

    pub(crate) fn new(
        block: &'a mut [u8],
        outbox: &'a mut Outbox,
        budget: &mut Budget,
    ) -> Result<Self, NoMemory> {
        Ok(Self {
            writer: GraphWriter::new(block),
            outbox,
            compressed: Buffer::zeroed(MAX_BLOCK, budget)?,
            table: Buffer::zeroed(lz4::TABLE_LEN, budget)?,
            result: Ok(()),
        })
    }

    /// Sends to another socket from now on: a copy's is not that of the agent.
    pub(crate) fn send_to(&mut self, socket: i32) {
        *self.outbox = Outbox::Socket(socket);
    }

    /// The writer of the block at hand, for what is checked for room by the caller.
    #[inline(always)]
    pub(crate) fn writer(&mut self) -> &mut GraphWriter<'a> {
        &mut self.writer
    }

    /// Writes a record, in a new block if need be.
    #[inline(always)]
    pub(crate) fn write<T>(
        &mut self,
        budget: &mut Budget,
        mut record: impl FnMut(&mut GraphWriter<'a>) -> Result<T, NoRoom>,
    ) -> Option<T> {
        match record(&mut self.writer) {
            Ok(value) => Some(value),
            Err(NoRoom) => {
                self.flush(budget);
                record(&mut self.writer).ok()
            }
        }
    }

    /// Sends what was written, and begins a new block.
    #[cold]
    pub(crate) fn flush(&mut self, budget: &mut Budget) {
        let raw = self.writer.bytes();
        if !raw.is_empty() && self.result.is_ok() {
            let block = match lz4::compress(raw, &mut self.table, &mut self.compressed) {
                Some(len) => GraphBlock {
                    raw_len: raw.len() as u32,
                    bytes: &self.compressed[..len],
                },
                None => GraphBlock {
                    raw_len: 0,
                    bytes: raw,
                },
            };
            let sent = self.outbox.put(&Reply::Block(block), budget);
            self.result = sent.map_err(WalkError::from);
        }
        self.writer.clear();
    }
}
