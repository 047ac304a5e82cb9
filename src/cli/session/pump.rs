//! Receiving with patience: until an answer, a failure, or the end of the time.

use std::time::{Duration, Instant};

use leakhunt_wire::Reply;

use super::{Link, SLICE, Session, SessionError, farewell_error};
use crate::interrupt::Urgency;
use crate::render::numbers::duration;

/// How long to wait for what.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    /// The time for everything together.
    limit: Duration,
    urgency: Urgency,
    /// What to add to the notice that the GIL is held; `None` once it was said.
    notice: Option<&'static str>,
    is_waiting_for_gil: bool,
    /// Whether the thread of the agent runs, so that what it waits for is the interpreter.
    is_agent_running: bool,
}

impl Patience {
    /// Waits for so long in all.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            since: Instant::now(),
            limit,
            urgency: Urgency::AtOnce,
            notice: None,
            is_waiting_for_gil: true,
            is_agent_running: false,
        }
    }

    /// Gives up when the end is asked for so urgently.
    pub(super) fn give_up_at(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency;
        self
    }

    /// Tells the user when the interpreter is not to be had for a second.
    pub(super) fn say_after_a_second(mut self, addition: &'static str) -> Self {
        self.notice = Some(addition);
        self
    }

    /// The agent runs: what it waits for from now on is the interpreter.
    pub(super) fn has_started(&mut self) {
        self.is_agent_running = true;
    }

    /// The agent has the interpreter.
    pub(super) fn has_gil(&mut self) {
        self.is_waiting_for_gil = false;
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
            let waited = patience.since.elapsed();
            let urgency = self.interrupts.urgency();
            // An answer that has not begun is not worth finishing.
            let is_stuck = patience.is_waiting_for_gil && waited > Duration::from_secs(1);
            if urgency >= patience.urgency || urgency >= Urgency::Finish && is_stuck {
                return Err(SessionError::Interrupted);
            }
            let left = patience.limit.saturating_sub(waited);
            if left.is_zero() {
                return Err(
                    if patience.is_agent_running && patience.is_waiting_for_gil {
                        SessionError::GilHeld(waited)
                    } else {
                        SessionError::Silent(waited)
                    },
                );
            }
            let answer = match self.link.receive(left.min(SLICE)) {
                Ok(Some(Reply::Goodbye(reason))) => {
                    self.is_over = true;
                    Err(farewell_error(reason))
                }
                Ok(Some(Reply::Pong)) => Ok(None),
                Ok(Some(reply)) => on(reply, &mut patience),
                Ok(None) => {
                    self.say_that_the_gil_is_held(&mut patience);
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

    fn say_that_the_gil_is_held(&self, patience: &mut Patience) {
        let waited = patience.since.elapsed();
        if waited < Duration::from_secs(1)
            || !patience.is_agent_running
            || !patience.is_waiting_for_gil
        {
            return;
        }
        if let Some(addition) = patience.notice.take() {
            self.output.note(format_args!(
                "the target has been in native code holding the GIL for {}; {addition}",
                duration(waited)
            ));
        }
    }
}
