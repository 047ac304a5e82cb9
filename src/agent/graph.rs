//! The graph of the whole heap: every object once, with all that it refers to.
//!
//! Objects come in the order of their addresses, not of the collector's lists: what stands together
//! in memory is loaded together. First the lists are followed, and each object gets a mark. Then the
//! marks are gone over, again and again: what an object refers to gets a mark in its turn, until none
//! is left.

use leakhunt_wire::{GraphEnd, GraphRequest};

use crate::address_blocks::WORDS;
use crate::buffer::Budget;
use crate::collector;
use crate::graph::capture::{BATCH, Batch, Capture};
use crate::graph::emitter::Emitter;
use crate::graph::marks::Mark;
use crate::graph::stream::Stream;
use crate::lists::Lists;
use crate::memory::prefetch;
use crate::outbox::Outbox;
use crate::sys;
use crate::tally::{Walk, WalkError};

mod arrays;
mod capture;
mod code;
mod containers;
mod edges;
mod emitter;
mod frame_layout;
mod frames;
mod generators;
mod kinds;
mod labels;
mod lines;
mod lz4;
mod marks;
mod places;
mod roots;
mod running;
mod states;
mod stream;
#[cfg(test)]
mod tests;
mod threads;
mod traverse;

/// What is known of a capture when its last record is written.
pub(crate) struct Times {
    pub(crate) began_us: u64,
    pub(crate) walk_us: u64,
    pub(crate) bare_walk_us: u64,
}

impl Walk<'_> {
    /// Makes a capture, and hands it on.
    pub(crate) fn with_capture(
        &self,
        request: &GraphRequest,
        outbox: &mut Outbox,
        then: impl FnOnce(Capture<'_>) -> Result<(), WalkError>,
    ) -> Result<(), WalkError> {
        let mut budget = Budget::new(request.memory_limit_bytes);
        let mut block = Stream::block(&mut budget)?;
        let stream = Stream::new(&mut block, outbox, &mut budget)?;
        let emitter = Emitter::new(stream, self.heap.own, budget)?;
        then(Capture::new(self, request.names, emitter)?)
    }
}

impl Capture<'_> {
    /// Notes the objects of all lists, and sends their order.
    pub(crate) fn add_lists(&mut self, lists: &Lists, most: u64) -> Result<(), WalkError> {
        for list in 0..lists.heads.len() {
            lists.walk(self.walk.memory, list, most, |fronts, backs| {
                self.add_run(list, false, fronts);
                self.add_run(list, true, backs);
            })?;
        }
        self.emitter.stream.result
    }

    fn add_run(&mut self, list: usize, from_end: bool, objects: &[usize]) {
        let mut addresses = [0; BATCH];
        let mut len = 0;
        for &object in objects {
            if self.add_tracked(object) {
                addresses[len] = object as u64;
                len += 1;
            }
        }
        let Emitter { stream, budget, .. } = &mut self.emitter;
        let mut rest = &addresses[..len];
        while !rest.is_empty() && stream.result.is_ok() {
            let n_written =
                stream.write(budget, |writer| writer.order(list as u32, from_end, rest));
            rest = &rest[n_written.unwrap_or(0)..];
        }
    }

    /// Notes an object that the collector tracks; `false` when it is none that is shown.
    #[inline(always)]
    pub(crate) fn add_tracked(&mut self, object: usize) -> bool {
        let is_shown = self.emitter.reach(object);
        self.n_tracked += u64::from(is_shown);
        is_shown
    }

    /// Writes all that is noted and all that it leads to, and the last record.
    pub(crate) fn finish(mut self, times: &Times) -> Result<(), WalkError> {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let n_full_collections = heap
            .lists
            .map_or(0, |lists| lists.full_collections(memory, heap.layout.minor));
        self.add_roots()?;
        while self.sweep(Mark::Waiting)? {}
        self.sweep(Mark::Key)?;
        let Emitter {
            stream,
            budget,
            n_nodes,
            n_edges,
            ..
        } = &mut self.emitter;
        let end = GraphEnd {
            n_nodes: *n_nodes,
            n_edges: *n_edges,
            n_tracked: self.n_tracked,
            walk_us: times.walk_us,
            bare_walk_us: times.bare_walk_us,
            capture_us: sys::now_us() - times.began_us,
            own_bytes: budget.used_bytes(),
            is_during_collection: self.walk.is_during_collection,
            n_full_collections,
        };
        let collector = collector::state(heap, memory);
        stream.write(budget, |writer| writer.collector(&collector));
        stream.write(budget, |writer| writer.end(&end));
        stream.flush(budget);
        stream.result
    }

    /// Goes over the marks in address order; `false` when there were none.
    fn sweep(&mut self, mark: Mark) -> Result<bool, WalkError> {
        let order = self.emitter.marks.in_order(&mut self.emitter.budget)?;
        // While a batch is gathered, its objects begin to be loaded; one batch later, what they
        // point to; and one more later they are written.
        let mut batches = [Batch::EMPTY; 3];
        let mut has_any = false;
        for &block in order.iter() {
            let block = block as usize;
            if !self.emitter.marks.take_note(block, mark) {
                continue;
            }
            has_any = true;
            for word in 0..WORDS {
                for object in self.emitter.marks.take(block, word, mark) {
                    prefetch(object);
                    prefetch(object + 48);
                    if batches[0].push(object) {
                        self.step(&mut batches, mark)?;
                    }
                }
            }
        }
        for _ in 0..batches.len() {
            self.step(&mut batches, mark)?;
        }
        Ok(has_any)
    }

    /// Moves all batches on.
    fn step(&mut self, batches: &mut [Batch; 3], mark: Mark) -> Result<(), WalkError> {
        match mark {
            Mark::Waiting => {
                self.look_ahead(&mut batches[1])?;
                self.objects(&batches[2])?;
            }
            Mark::Key => self.keys(batches[2].objects())?,
        }
        batches.rotate_right(1);
        batches[0].len = 0;
        Ok(())
    }
}
