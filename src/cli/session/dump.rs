//! Asking for the objects of a type.

use std::time::Duration;

use leakhunt_wire::{DumpObject, DumpRequest, Ended, Reply, Request, TypeRow};

use super::pump::Patience;
use super::{Link, Session, SessionError, printable};

/// What comes in a dump.
#[derive(Debug)]
pub(crate) enum DumpEvent<'p> {
    /// A walk starts. Objects of one before may come again.
    Attempt,
    /// An object of the type.
    Object(DumpObject<'p>),
    /// A type that there is, where nothing is of the one asked for.
    Type(TypeRow<'p>),
}

/// `DumpDone`, kept.
#[derive(Clone, Debug)]
pub(crate) struct DumpEnd {
    pub(crate) ended: Ended,
    /// All objects of the type, whatever the limit.
    pub(crate) n_matching: u64,
    pub(crate) pause_us: u64,
    /// The signal of a crash; 0 for none.
    pub(crate) signal: u32,
    /// The errno of a refused clone; 0 for none.
    pub(crate) clone_errno: u32,
    /// Empty for none.
    pub(crate) skipped_type: String,
}

impl<L: Link> Session<L> {
    /// Gives the objects of a type to `on` as they come.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed; else that of `on`.
    pub(crate) fn dump<E: From<SessionError>>(
        &mut self,
        request: &DumpRequest<'_>,
        mut on: impl FnMut(DumpEvent<'_>) -> Result<(), E>,
    ) -> Result<DumpEnd, E> {
        self.send(&Request::Dump(*request))?;
        let mut patience =
            Patience::new(2 * Duration::from_millis(request.time_limit_ms.into()) + self.timeout)
                .say_after_a_second("the look waits for it");
        patience.has_started();
        // An error of `on` ends the pump too, but is none of its own.
        let end = self.pump(patience, |reply, patience| {
            patience.has_gil();
            let event = match reply {
                Reply::Attempt(_) => DumpEvent::Attempt,
                Reply::Object(object) => DumpEvent::Object(object),
                Reply::Type(row) => DumpEvent::Type(row),
                Reply::DumpDone(done) => {
                    return Ok(Some(Ok(DumpEnd {
                        ended: done.ended,
                        n_matching: done.n_matching,
                        pause_us: done.pause_us,
                        signal: done.signal,
                        clone_errno: done.clone_errno,
                        skipped_type: printable(done.skipped_type, 200),
                    })));
                }
                _ => return Err(SessionError::OutOfTurn),
            };
            Ok(on(event).err().map(Err))
        })??;
        self.output.detail(2, format_args!("dump: {end:?}"));
        Ok(end)
    }
}
