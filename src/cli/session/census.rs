//! Asking for a census.

use std::time::Duration;

use leakhunt_heap::{Look, LookBuilder, TypeSighting};
use leakhunt_wire::{CensusRequest, Ended, Place, Reply, Request, TypeRow, WalkDone, WalkEnd};

use super::pump::Patience;
use super::{Link, Session, SessionError, printable};

/// A look, where one came about, and how.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// `None` where no walk came to its end.
    pub(crate) look: Option<Look>,
    /// How many objects the interpreter itself shows, where that is another number than was counted.
    pub(crate) shown_by_interpreter: Option<u64>,
    /// Whether a collection was under way, whose objects may be missing.
    pub(crate) is_during_collection: bool,
    /// How it ended.
    pub(crate) end: CensusEnd,
}

/// `CensusDone`, kept.
#[derive(Clone, Debug)]
pub(crate) struct CensusEnd {
    pub(crate) ended: Ended,
    pub(crate) attempts: u32,
    pub(crate) place: Place,
    /// The errno of a refused clone; 0 for none.
    pub(crate) clone_errno: u32,
    pub(crate) pause_us: u64,
    /// The signal of a crash; 0 for none.
    pub(crate) signal: u32,
    /// Empty for none.
    pub(crate) skipped_type: String,
}

impl CensusEnd {
    pub(super) fn of(done: &WalkDone<'_>) -> Self {
        Self {
            ended: done.ended,
            attempts: done.attempts,
            place: done.place,
            clone_errno: done.clone_errno,
            pause_us: done.pause_us,
            signal: done.signal,
            skipped_type: printable(done.skipped_type, 200),
        }
    }
}

/// The rows of one attempt.
#[derive(Debug, Default)]
struct Rows {
    builder: LookBuilder,
    is_whole: bool,
    shown_by_interpreter: Option<u64>,
    is_during_collection: bool,
}

impl<L: Link> Session<L> {
    /// Counts the objects by type.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn census(&mut self, request: &CensusRequest) -> Result<Sighting, SessionError> {
        self.send(&Request::Census(*request))?;
        let mut rows = Rows::default();
        let patience = Patience::with_look(limit(self.timeout, request));
        let end = self.pump(patience, |reply, patience| {
            if !matches!(reply, Reply::Attempt(_)) {
                patience.is_answered();
            }
            match reply {
                Reply::Attempt(_) => rows = Rows::default(),
                Reply::Type(row) if !rows.is_whole => rows.builder.add_type(sighting(&row))?,
                Reply::WalkEnd(end) => {
                    rows.is_whole = true;
                    rows.shown_by_interpreter = disagreement(&end);
                    rows.is_during_collection = end.is_during_collection;
                }
                Reply::Garbage(garbage) => rows.builder.add_garbage(
                    garbage.type_address,
                    garbage.count.n_objects,
                    garbage.count.size_bytes,
                )?,
                Reply::GarbageEnd(_) => rows.builder.garbage_is_known(),
                Reply::CensusDone(done) => {
                    return Ok(Some(CensusEnd::of(&done)));
                }
                _ => return Err(SessionError::OutOfTurn),
            }
            Ok(None)
        })?;
        self.output.detail(2, format_args!("census: {end:?}"));
        Ok(Sighting {
            shown_by_interpreter: rows.shown_by_interpreter,
            is_during_collection: rows.is_during_collection,
            look: rows.is_whole.then(|| rows.builder.finish()),
            end,
        })
    }
}

/// What `PyUnstable_GC_VisitObjects` shows, if it was asked and shows another number than the lists
/// hold. Up to 3.13.0 it leaves the frozen objects out.
fn disagreement(end: &WalkEnd) -> Option<u64> {
    let expected = [
        0,
        end.all.n_objects,
        end.all.n_objects.saturating_sub(end.frozen.n_objects),
    ];
    (!expected.contains(&end.cross_check)).then_some(end.cross_check)
}

/// Two attempts, the wait for the interpreter, and a collection.
fn limit(timeout: Duration, request: &CensusRequest) -> Duration {
    let attempt = Duration::from_millis(request.time_limit_ms.into());
    let collection = if request.collect {
        attempt
    } else {
        Duration::ZERO
    };
    2 * attempt + collection + timeout
}

fn sighting<'p>(row: &TypeRow<'p>) -> TypeSighting<'p> {
    TypeSighting {
        address: row.address,
        module: row.module,
        qualname: row.qualname,
        name: row.name,
        n_objects: row.all.n_objects,
        size_bytes: row.all.size_bytes,
        n_frozen: row.frozen.n_objects,
        is_estimate: row.is_estimate,
        first_seen: row.first_seen,
    }
}

#[cfg(test)]
mod tests {
    use leakhunt_wire::Count;

    use super::*;

    #[test]
    fn the_interpreter_may_leave_out_frozen_objects_and_no_others() {
        let count = |n_objects| Count {
            n_objects,
            size_bytes: 0,
        };
        let end = |cross_check| WalkEnd {
            all: count(100),
            frozen: count(30),
            cross_check,
            walk_us: 0,
            bare_walk_us: 0,
            is_during_collection: false,
            own_bytes: 0,
        };
        for agreed in [0, 100, 70] {
            assert_eq!(disagreement(&end(agreed)), None);
        }
        assert_eq!(disagreement(&end(99)), Some(99));
    }
}
