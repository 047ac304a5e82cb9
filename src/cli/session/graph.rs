//! Asking for the graph of the heap, and for what some of its objects are.

use std::time::Duration;

use leakhunt_heap::Assembler;
use leakhunt_wire::{DescribeRequest, Ended, GraphRequest, Note, Reply, Request, Traced};

use super::pump::Patience;
use super::{CensusEnd, Link, Session, SessionError};

/// Objects of one request: their addresses fit a packet.
const MAX_DESCRIBED: usize = 1000;

/// The blocks of a graph, where all came, and how it went.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Whole only where `end.ended` is [`Ended::Whole`].
    pub(crate) assembler: Assembler,
    pub(crate) end: CensusEnd,
}

/// An object to be described: where it is, and where its type is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) address: u64,
    pub(crate) type_address: u64,
}

/// What an object is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Description {
    pub(crate) address: u64,
    pub(crate) note: Note,
    pub(crate) text: String,
    /// The file that a class, function, module and such come from; else empty.
    pub(crate) file: String,
    /// `file:line` of each frame that made it, the newest first; empty where that is not known.
    pub(crate) made_at: Vec<String>,
}

/// How objects are to be described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescribeLimits {
    pub(crate) max_chars: u32,
    /// Whether fields are read instead of running a `__repr__`.
    pub(crate) safe: bool,
    pub(crate) object: Duration,
    pub(crate) total: Duration,
}

impl<L: Link> Session<L> {
    /// Takes the graph of the heap, no more than `most_bytes` of memory can hold; `on_progress` gets
    /// the number of objects that have come.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn graph(
        &mut self,
        request: &GraphRequest,
        most_bytes: u64,
        mut on_progress: impl FnMut(usize),
    ) -> Result<Captured, SessionError> {
        self.send(&Request::Graph(*request))?;
        let mut assembler = Assembler::of_memory(most_bytes);
        let attempt = Duration::from_millis(request.time_limit_ms.into());
        let patience = Patience::with_look(3 * attempt + self.timeout);
        let end = self.pump(patience, |reply, patience| {
            if !matches!(reply, Reply::Attempt(_)) {
                patience.is_answered();
            }
            match reply {
                Reply::Attempt(_) => assembler.clear(),
                Reply::Block(block) => {
                    assembler.push(block.raw_len, block.bytes)?;
                    on_progress(assembler.n_objects());
                }
                Reply::GraphDone(done) => return Ok(Some(CensusEnd::of(&done))),
                _ => return Err(SessionError::OutOfTurn),
            }
            Ok(None)
        })?;
        self.output.detail(
            2,
            format_args!("graph: {} bytes, {end:?}", assembler.n_bytes()),
        );
        Ok(Captured { assembler, end })
    }

    /// What some objects are; those that are gone are left out. Looks once more into the target for
    /// each 1000 of them.
    ///
    /// # Errors
    /// As [`Self::graph`].
    pub(crate) fn describe(
        &mut self,
        objects: &[Wanted],
        limits: &DescribeLimits,
    ) -> Result<(Vec<Description>, Ended), SessionError> {
        let mut descriptions = Vec::new();
        for part in objects.chunks(MAX_DESCRIBED) {
            let ended = self.describe_some(part, limits, &mut descriptions)?;
            if ended != Ended::Whole {
                return Ok((descriptions, ended));
            }
        }
        Ok((descriptions, Ended::Whole))
    }

    fn describe_some(
        &mut self,
        objects: &[Wanted],
        limits: &DescribeLimits,
        descriptions: &mut Vec<Description>,
    ) -> Result<Ended, SessionError> {
        let packed: Vec<u8> = objects
            .iter()
            .flat_map(|wanted| [wanted.address, wanted.type_address])
            .flat_map(u64::to_le_bytes)
            .collect();
        let request = DescribeRequest {
            objects: &packed,
            max_chars: limits.max_chars,
            safe: limits.safe,
            object_time_limit_ms: millis(limits.object),
            time_limit_ms: millis(limits.total),
        };
        self.send(&Request::Describe(request))?;
        let first = descriptions.len();
        let patience = Patience::with_look(2 * limits.total + self.timeout);
        self.pump(patience, |reply, patience| {
            if !matches!(reply, Reply::Attempt(_)) {
                patience.is_answered();
            }
            match reply {
                Reply::Attempt(_) => descriptions.truncate(first),
                Reply::Described(described) if descriptions.len() - first < objects.len() => {
                    descriptions.push(Description {
                        address: described.object.address,
                        note: described.object.note,
                        text: described.object.text.to_owned(),
                        file: described.file.to_owned(),
                        made_at: described.made_at.lines().map(str::to_owned).collect(),
                    });
                }
                Reply::DescribeDone(done) => return Ok(Some(done.ended)),
                _ => return Err(SessionError::OutOfTurn),
            }
            Ok(None)
        })
    }

    /// Switches the target's `tracemalloc` on with so many frames an object, or off with 0.
    ///
    /// # Errors
    /// As [`Self::graph`].
    pub(crate) fn trace(&mut self, frames: u32) -> Result<Traced, SessionError> {
        self.send(&Request::Trace(frames))?;
        let patience = Patience::with_look(self.timeout);
        let traced = self.pump(patience, |reply, _| match reply {
            Reply::Traced(traced) => Ok(Some(traced)),
            _ => Err(SessionError::OutOfTurn),
        })?;
        self.is_traced = frames > 0 && traced != Traced::Failed;
        Ok(traced)
    }

    /// Whether `tracemalloc` was switched on in this session, or found on. It would start anew.
    pub(crate) fn is_traced(&self) -> bool {
        self.is_traced
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis())
        .unwrap_or(u32::MAX)
        .max(1)
}
