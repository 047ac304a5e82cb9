//! Receiving with patience: until an answer, a failure, or the end of the time.

use std::time::{Duration, Instant};

use leakhunt_wire::Reply;

use super::{Link, SLICE, Session, SessionError, farewell_error};
use crate::interrupt::Urgency;
use crate::render::numbers::duration;

/// How long an answer that has not begun may take after the first Ctrl-C.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What an answer that is late waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The agent's thread: nothing was heard of it yet.
    Agent,
    /// The interpreter.
    Interpreter,
    /// The interpreter or the walk, which cannot be told apart from here.
    Look,
    /// Nothing: it comes.
    Answering,
}

/// How long to wait for what.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    /// The time for everything together.
    limit: Duration,
    urgency: Urgency,
    phase: Phase,
    has_told: bool,
    interrupted_since: Option<Instant>,
}

impl Patience {
    /// Waits for so long in all for the agent to get into the interpreter; not after a Ctrl-C.
    pub(super) fn with_greeting(limit: Duration) -> Self {
        Self {
            since: Instant::now(),
            limit,
            urgency: Urgency::Finish,
            phase: Phase::Agent,
            has_told: false,
            interrupted_since: None,
        }
    }

    /// Waits for so long in all for the answer to a request; not after a second Ctrl-C.
    pub(super) fn with_look(limit: Duration) -> Self {
        Self {
            urgency: Urgency::AtOnce,
            phase: Phase::Look,
            ..Self::with_greeting(limit)
        }
    }

    /// The agent runs: what it waits for from now on is the interpreter.
    pub(super) fn agent_runs(&mut self) {
        self.phase = Phase::Interpreter;
    }

    /// The answer has begun.
    pub(super) fn is_answered(&mut self) {
        self.phase = Phase::Answering;
    }

    /// Whether Ctrl-C ends the wait. The first lets a look finish, if it comes soon.
    fn is_over(&mut self, urgency: Urgency) -> bool {
        if urgency < Urgency::Finish {
            return false;
        }
        let since = *self.interrupted_since.get_or_insert_with(Instant::now);
        urgency >= self.urgency || self.phase == Phase::Look && since.elapsed() > LAST_WAIT
    }
}

impl<L: Link> Session<L> {
    /// Gives each packet to `on` until it returns a value.
    pub(super) fn pump<T>(
        &mut self,
        mut patience: Patience,
        mut on: impl FnMut(Reply<'_>, &mut Patience) -> Result<Option<T>, SessionError>,
    ) -> Result<T, SessionError> {
        loop {
            if patience.is_over(self.interrupts.urgency()) {
                return Err(SessionError::Interrupted);
            }
            let waited = patience.since.elapsed();
            let left = patience.limit.saturating_sub(waited);
            if left.is_zero() {
                return Err(match patience.phase {
                    Phase::Interpreter => SessionError::GilHeld(waited),
                    _ => SessionError::Silent(waited),
                });
            }
            let answer = match self.link.receive(left.min(SLICE)) {
                Ok(Some(Reply::Goodbye(reason))) => {
                    self.is_over = true;
                    Err(farewell_error(reason))
                }
                Ok(Some(Reply::Pong)) => Ok(None),
                Ok(Some(reply)) => on(reply, &mut patience),
                Ok(None) => {
                    self.tell_of_delay(&mut patience);
                    Ok(None)
                }
                Err(error) => Err(error.into()),
            };
            match answer {
                Ok(None) => {}
                Ok(Some(value)) => return Ok(value),
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    /// Tells once, when it takes long, what it is that takes so long.
    fn tell_of_delay(&self, patience: &mut Patience) {
        let waited = patience.since.elapsed();
        let (after, what) = match patience.phase {
            Phase::Interpreter => (1, "the target has been in native code holding the GIL for"),
            Phase::Look => (
                5,
                "the heap is large or native code holds the GIL: looking for",
            ),
            Phase::Agent | Phase::Answering => return,
        };
        if waited < Duration::from_secs(after) || std::mem::replace(&mut patience.has_told, true) {
            return;
        }
        self.output.note(format_args!(
            "{what} {}; waiting (Ctrl-C detaches safely)",
            duration(waited)
        ));
    }
}
