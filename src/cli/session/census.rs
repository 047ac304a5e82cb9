//! Asking for a census.

use std::time::Duration;

use leakhunt_heap::{Look, LookBuilder, TypeSighting};
use leakhunt_wire::{CensusRequest, Ended, Place, Reply, Request, TypeRow};

use super::pump::Patience;
use super::{Link, Session, SessionError, printable};

/// A look, where one came about, and how.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// `None` where no walk came to its end.
    pub(crate) look: Option<Look>,
    /// How many objects `PyUnstable_GC_VisitObjects` shows; 0 where it was not asked.
    pub(crate) cross_check: u64,
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

/// The rows of one attempt.
#[derive(Debug, Default)]
struct Rows {
    builder: LookBuilder,
    is_whole: bool,
    cross_check: u64,
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
        let mut patience =
            Patience::new(limit(self.timeout, request)).say_after_a_second("the look waits for it");
        patience.has_started();
        let end = self.pump(patience, |reply, patience| {
            patience.has_gil();
            match reply {
                Reply::Attempt(_) => rows = Rows::default(),
                Reply::Type(row) if !rows.is_whole => rows.builder.add_type(sighting(&row))?,
                Reply::WalkEnd(end) => {
                    rows.is_whole = true;
                    rows.cross_check = end.cross_check;
                    rows.is_during_collection = end.is_during_collection;
                }
                Reply::Garbage(garbage) => rows.builder.add_garbage(
                    garbage.type_address,
                    garbage.count.n_objects,
                    garbage.count.size_bytes,
                )?,
                Reply::GarbageEnd(_) => rows.builder.garbage_is_known(),
                Reply::CensusDone(done) => {
                    return Ok(Some(CensusEnd {
                        ended: done.ended,
                        attempts: done.attempts,
                        place: done.place,
                        clone_errno: done.clone_errno,
                        pause_us: done.pause_us,
                        signal: done.signal,
                        skipped_type: printable(done.skipped_type, 200),
                    }));
                }
                _ => return Err(SessionError::OutOfTurn),
            }
            Ok(None)
        })?;
        self.output.detail(2, format_args!("census: {end:?}"));
        Ok(Sighting {
            cross_check: rows.cross_check,
            is_during_collection: rows.is_during_collection,
            look: rows.is_whole.then(|| rows.builder.finish()),
            end,
        })
    }
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
