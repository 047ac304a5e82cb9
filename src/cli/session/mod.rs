//! A talk with the agent in a target: greeting, requests, waiting, farewell.
//!
//! Whoever answers may be broken or hostile: each wait has an end and everything kept has a bound.
//! However a session ends, the agent is asked to leave; where that fails it sees its channel close.

mod census;
mod dump;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod graph;
mod link;
mod probe;
mod pump;
mod sockets;

use std::time::{Duration, Instant};

use leakhunt_wire::{Ended, Goodbye, Reply, Request};

pub(crate) use census::{CensusEnd, Sighting};
pub(crate) use dump::{DumpEnd, DumpEvent};
pub(crate) use error::SessionError;
pub(crate) use graph::{Captured, DescribeLimits, Description, Wanted};
pub(crate) use link::Link;
pub(crate) use probe::{Missing, Probe, Probed, Row};
pub(crate) use sockets::OpenSocket;

use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use pump::Patience;

/// The agent leaves after a minute without a word.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long the farewell may take: the agent needs the interpreter once more for it.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long it may take after a second Ctrl-C.
const HASTY_FAREWELL: Duration = Duration::from_millis(500);
/// How long the agent's thread may take after that to end.
const LAST_STEPS: Duration = Duration::from_millis(100);
/// How often a wait looks at the target and at Ctrl-C.
const SLICE: Duration = Duration::from_millis(100);

/// An agent that has been in the interpreter and waits for requests.
#[derive(Debug)]
pub(crate) struct Session<L: Link> {
    link: L,
    interrupts: Interrupts,
    output: Output,
    /// The first word of `sys.version`.
    pub(crate) python: String,
    /// Whether it runs without the GIL.
    pub(crate) free_threaded: bool,
    /// How long the agent may be silent when it does not work.
    timeout: Duration,
    last_sent: Instant,
    is_traced: bool,
    is_over: bool,
}

impl<L: Link> Session<L> {
    /// Waits until the agent is in the interpreter.
    ///
    /// # Errors
    /// When it does not get there by `deadline`, says that it cannot, or Ctrl-C came.
    pub(crate) fn greet(
        link: L,
        timeout: Duration,
        interrupts: &Interrupts,
        output: &Output,
    ) -> Result<Self, SessionError> {
        let mut session = Self {
            link,
            interrupts: interrupts.clone(),
            output: output.clone(),
            python: String::new(),
            free_threaded: false,
            timeout,
            last_sent: Instant::now(),
            is_traced: false,
            is_over: false,
        };
        let patience = Patience::with_greeting(timeout);
        let (python, free_threaded, gil_wait_us) =
            session.pump(patience, |reply, patience| match reply {
                Reply::Hello => {
                    patience.agent_runs();
                    Ok(None)
                }
                Reply::Ready(ready) => Ok(Some((
                    ready.version.to_owned(),
                    ready.free_threaded,
                    ready.gil_wait_us,
                ))),
                _ => Err(SessionError::OutOfTurn),
            })?;
        session.python = printable(&python, 40);
        session.free_threaded = free_threaded;
        let threads = if free_threaded { " free-threaded" } else { "" };
        session.output.detail(
            1,
            format_args!(
                "the agent is in the interpreter: CPython {}{threads}, waited {} µs for it",
                session.python, gil_wait_us
            ),
        );
        Ok(session)
    }

    /// Waits until `until`, telling the agent that somebody is there.
    ///
    /// # Errors
    /// When the target has exited. An agent that is gone shows at the next request.
    pub(crate) fn wait(&mut self, until: Instant) -> Result<(), SessionError> {
        while self.interrupts.urgency() == Urgency::None {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.interrupts.sleep(left.min(SLICE));
            if self.link.has_target_exited() {
                self.is_over = true;
                return Err(SessionError::TargetExited);
            }
            if self.last_sent.elapsed() >= PING_INTERVAL {
                // Where it fails, the next request tells why.
                let _ = self.send(&Request::Ping);
            }
        }
        Ok(())
    }

    /// Asks the agent to leave and waits a moment for its goodbye.
    pub(crate) fn detach(&mut self) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let _ = self.link.send(&Request::Cancel);
        if self.link.send(&Request::Detach).is_err() {
            return;
        }
        let start = Instant::now();
        loop {
            let limit = match self.interrupts.urgency() {
                Urgency::AtOnce => HASTY_FAREWELL,
                Urgency::None | Urgency::Finish => FAREWELL,
            };
            let left = limit.saturating_sub(start.elapsed());
            match self.link.receive(left.min(SLICE)) {
                Ok(Some(Reply::Goodbye(_))) => {
                    self.link.wait_for_end(LAST_STEPS);
                    self.output.detail(1, "detached");
                    return;
                }
                Ok(_) if !left.is_zero() => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn send(&mut self, request: &Request<'_>) -> Result<(), SessionError> {
        self.output.detail(2, format_args!("asked: {request:?}"));
        self.last_sent = Instant::now();
        self.link
            .send(request)
            .map_err(|error| self.explain(error.into()))
    }

    /// An agent that is gone may be so because the target is.
    fn explain(&mut self, error: SessionError) -> SessionError {
        match error {
            SessionError::AgentGone(_) | SessionError::TargetExited
                if self.link.has_target_exited() =>
            {
                self.is_over = true;
                SessionError::TargetExited
            }
            other => other,
        }
    }
}

impl<L: Link> Drop for Session<L> {
    fn drop(&mut self) {
        self.detach();
    }
}

fn farewell_error(reason: Goodbye) -> SessionError {
    match reason {
        Goodbye::Asked => SessionError::AgentGone("it was asked to leave"),
        Goodbye::Silence => SessionError::AgentGone("it heard nothing for a minute"),
        Goodbye::Finalising => SessionError::Ending,
        Goodbye::NotInitialised => SessionError::NotRunning,
        Goodbye::UnknownPython => SessionError::UnknownPython,
        Goodbye::OtherVersion => SessionError::OtherRelease,
        Goodbye::Busy => SessionError::Busy,
        Goodbye::NotByTheDoor => SessionError::NotByTheDoor,
        Goodbye::NoMemory => SessionError::Agent("the target refused memory for it"),
        Goodbye::Fault => SessionError::Agent("it ran into a fault of its own"),
    }
}

/// How a walk ended, for a person.
pub(crate) fn ended_text(ended: Ended, signal: u32, clone_errno: u32) -> String {
    match ended {
        Ended::Whole => "it came to its end".into(),
        Ended::Cancelled => "it was cancelled".into(),
        Ended::TimeLimit => "it took too long".into(),
        Ended::MemoryLimit => "it needed more memory than it may take".into(),
        Ended::Crashed => format!("the copy crashed (signal {signal})"),
        Ended::Collecting => "the collector was at work all the time".into(),
        Ended::Unreadable => "the interpreter's lists are not where they should be".into(),
        Ended::Refused => {
            let errno = i32::try_from(clone_errno).unwrap_or(0);
            let why = std::io::Error::from_raw_os_error(errno);
            format!("a copy was refused ({why}), and it cannot be done in place")
        }
        Ended::Unsupported => "this interpreter lacks something that it needs".into(),
    }
}

/// Text of the target, at most `max_chars` of it, without control characters.
pub(crate) fn printable(text: &str, max_chars: usize) -> String {
    crate::render::text::escape_controls(text)
        .chars()
        .take(max_chars)
        .collect()
}

#[cfg(test)]
mod tests;
