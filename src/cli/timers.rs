//! What the event loops of a live process are to call, as the probe `scheduled` tells of it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Deserialize;

use crate::commands::inventory::Held;
use crate::session::Row;

/// A timer that is due so long ago was not called in time: its loop is held up, or does not run.
const OVERDUE_SECONDS: f64 = -1.0;
/// A timer that is due later than that will hardly be waited for.
const FAR_SECONDS: f64 = 86_400.0;
/// So many timers with one callback are many.
const MANY: usize = 100;
/// So many that were called or cancelled, and are held by somebody, are more than a few left behind.
const MANY_KEPT: usize = 10;

/// Where a handle stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum State {
    /// To be called in this or the next round of its loop.
    Ready,
    /// A timer that is not due yet, or not noticed yet.
    Waiting,
    /// A timer that is cancelled, and stays in the loop's heap until it would be due, or the loop
    /// tidies up.
    Cancelled,
    /// A timer that is in no loop any more: it was called, or cancelled, and somebody holds it.
    Kept,
}

impl State {
    /// As JSON has it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Cancelled => "cancelled",
            Self::Kept => "kept",
        }
    }
}

/// What stands out about a handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// It should have been called more than a second ago.
    Overdue,
    /// It is due in more than a day.
    Far,
    /// It is one of a hundred or more timers with the same callback.
    Many,
    /// It is one of ten or more that are in no loop any more.
    Kept,
}

impl Mark {
    /// As JSON has it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Far => "far",
            Self::Many => "many",
            Self::Kept => "kept",
        }
    }
}

/// An event loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EventLoop {
    pub(crate) address: u64,
    pub(crate) type_name: String,
    pub(crate) is_uvloop: bool,
    /// Whether its timers could be found; those of a loop of another make may not be.
    pub(crate) has_queues: bool,
    /// `None` where it does not say.
    pub(crate) is_running: Option<bool>,
    pub(crate) is_closed: Option<bool>,
    pub(crate) debug: Option<bool>,
    /// Of the thread that runs it.
    pub(crate) thread_name: Option<String>,
    /// Its clock, in seconds.
    pub(crate) now: Option<f64>,
}

/// The task that waits for a callback: it sleeps, or has a timeout.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Waiter {
    pub(crate) task: Option<String>,
    pub(crate) task_address: u64,
    pub(crate) coroutine: Option<String>,
    /// Where the coroutine stands.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
}

/// A line of the traceback of where a handle was made.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Frame {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) function: Option<String>,
}

/// A callback that a loop is to call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Handle {
    pub(crate) address: u64,
    pub(crate) type_name: String,
    /// Address of its loop.
    pub(crate) loop_address: u64,
    pub(crate) state: State,
    /// In the order of its loop's queue; `None` for one that is kept.
    pub(crate) place: Option<usize>,
    /// By the loop's clock; `None` for what is no timer.
    pub(crate) when: Option<f64>,
    /// Until it is due, below 0 when it was; `None` for what is no timer.
    pub(crate) in_seconds: Option<f64>,
    /// `module.qualname`; `None` where it is cancelled, or a loop's own.
    pub(crate) callback: Option<String>,
    pub(crate) is_partial: bool,
    /// Where the callback starts; `None` where it is none of Python's.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
    /// Of the object whose method the callback is.
    pub(crate) bound_type: Option<String>,
    pub(crate) bound_address: Option<u64>,
    pub(crate) n_args: u64,
    pub(crate) waiter: Option<Waiter>,
    /// Innermost last; only in debug mode.
    pub(crate) made_at: Vec<Frame>,
    /// Who holds the object whose method it is, or the handle itself.
    pub(crate) held: Option<Held>,
    pub(crate) marks: Vec<Mark>,
    /// As Home Assistant's profiler logs it, where that was asked for.
    pub(crate) ha_line: Option<String>,
}

impl Handle {
    /// What is called, and for whom, as handles are grouped by.
    pub(crate) fn group(&self) -> String {
        let callback = self.callback_text();
        match self.coroutine() {
            Some(coroutine) => format!("{callback} for {coroutine}"),
            None => callback,
        }
    }

    /// The callback as it is shown.
    pub(crate) fn callback_text(&self) -> String {
        match &self.callback {
            Some(callback) if self.is_partial => format!("partial {callback}"),
            Some(callback) => callback.clone(),
            None if self.state == State::Cancelled || self.state == State::Kept => {
                "(cancelled)".to_owned()
            }
            None => "(of the loop)".to_owned(),
        }
    }

    /// The coroutine that waits for it.
    pub(crate) fn coroutine(&self) -> Option<&str> {
        self.waiter.as_ref()?.coroutine.as_deref()
    }

    /// Where what it is for stands: the coroutine that waits, else the callback.
    pub(crate) fn place_text(&self) -> Option<String> {
        let of_waiter = self.waiter.as_ref();
        let of_waiter = of_waiter.and_then(|waiter| Some((waiter.file.as_ref()?, waiter.line?)));
        let own = self.file.as_ref().zip(self.line);
        let (file, line) = of_waiter.or(own)?;
        Some(format!("{file}:{line}"))
    }
}

/// What a look at all loops found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Schedules {
    /// Whether asyncio is loaded at all.
    pub(crate) has_asyncio: bool,
    pub(crate) loops: Vec<EventLoop>,
    /// Loop by loop; in each what is ready, then timers as they are in its heap, then what is kept.
    pub(crate) handles: Vec<Handle>,
}

/// What rows of the probe tell.
pub(crate) fn schedules(rows: &[Row]) -> Schedules {
    let mut found = Schedules::default();
    let mut places: HashMap<u64, (State, usize)> = HashMap::new();
    let mut n_queued = HashMap::<(u64, bool), usize>::new();
    let said: Vec<(&Row, Said)> = rows
        .iter()
        .filter_map(|row| Some((row, Said::deserialize(&row.value).ok()?)))
        .collect();
    for (row, said) in &said {
        match said.kind.as_str() {
            "process" => found.has_asyncio = said.has_asyncio,
            "loop" => found.loops.push(said.event_loop(row)),
            "time" => {
                if let Some(of) = found
                    .loops
                    .iter_mut()
                    .find(|one| one.address == row.address)
                {
                    of.now = said.now;
                }
            }
            "timers" | "ready" => {
                let is_timer = said.kind == "timers";
                let state = if is_timer {
                    State::Waiting
                } else {
                    State::Ready
                };
                let n = n_queued.entry((row.address, is_timer)).or_default();
                for &address in &said.addresses {
                    places.insert(address, (state, *n));
                    *n += 1;
                }
            }
            _ => {}
        }
    }
    let mut by_address = HashMap::new();
    for (row, said) in said {
        match said.kind.as_str() {
            "handle" => {
                if let Some(handle) = said.handle(row, places.get(&row.address), &found.loops) {
                    by_address.insert(row.address, found.handles.len());
                    found.handles.push(handle);
                }
            }
            "waiter" => {
                let waiter = Waiter::deserialize(&row.value).ok();
                if let Some(&at) = by_address.get(&row.address) {
                    found.handles[at].waiter = waiter;
                }
            }
            "ha" => {
                if let Some(&at) = by_address.get(&row.address) {
                    found.handles[at].ha_line = Some(said.text);
                }
            }
            _ => {}
        }
    }
    order(&mut found);
    mark(&mut found.handles);
    found
}

fn order(found: &mut Schedules) {
    let loops: HashMap<u64, usize> = found
        .loops
        .iter()
        .enumerate()
        .map(|(place, one)| (one.address, place))
        .collect();
    let queue = |handle: &Handle| match handle.state {
        State::Ready => 0,
        State::Waiting | State::Cancelled => 1,
        State::Kept => 2,
    };
    found.handles.sort_by_key(|handle| {
        let of_loop = loops
            .get(&handle.loop_address)
            .copied()
            .unwrap_or(usize::MAX);
        (of_loop, queue(handle), handle.place)
    });
}

fn mark(handles: &mut [Handle]) {
    let mut counts = HashMap::<(State, String), usize>::new();
    for handle in handles.iter() {
        *counts.entry((handle.state, handle.group())).or_default() += 1;
    }
    for handle in handles {
        if handle.state == State::Waiting {
            match handle.in_seconds {
                Some(..OVERDUE_SECONDS) => handle.marks.push(Mark::Overdue),
                Some(seconds) if seconds > FAR_SECONDS => handle.marks.push(Mark::Far),
                _ => {}
            }
        }
        let n = counts.get(&(handle.state, handle.group())).copied();
        match (handle.state, n.unwrap_or(0)) {
            (State::Waiting, MANY..) => handle.marks.push(Mark::Many),
            (State::Kept, MANY_KEPT..) => handle.marks.push(Mark::Kept),
            _ => {}
        }
    }
}

/// A row of the probe.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    kind: String,
    has_asyncio: bool,
    is_uvloop: bool,
    has_queues: bool,
    is_running: Option<bool>,
    is_closed: Option<bool>,
    debug: Option<bool>,
    thread_name: Option<String>,
    now: Option<f64>,
    addresses: Vec<u64>,
    r#loop: u64,
    is_cancelled: bool,
    when: Option<f64>,
    n_args: u64,
    callback: Option<String>,
    is_partial: bool,
    file: Option<String>,
    line: Option<u64>,
    bound_type: Option<String>,
    bound_address: Option<u64>,
    made_at: Vec<Frame>,
    text: String,
}

impl Said {
    fn event_loop(&self, row: &Row) -> EventLoop {
        EventLoop {
            address: row.address,
            type_name: row.type_name.clone(),
            is_uvloop: self.is_uvloop,
            has_queues: self.has_queues,
            is_running: self.is_running,
            is_closed: self.is_closed,
            debug: self.debug,
            thread_name: self.thread_name.clone(),
            now: None,
        }
    }

    /// `None` for a handle that is in no queue and no timer: it is what a selector calls, or is being
    /// called.
    fn handle(
        self,
        row: &Row,
        place: Option<&(State, usize)>,
        loops: &[EventLoop],
    ) -> Option<Handle> {
        let of = loops.iter().find(|one| one.address == self.r#loop);
        let state = match place {
            Some((State::Waiting, _)) if self.is_cancelled => State::Cancelled,
            Some((state, _)) => *state,
            None if self.when.is_some() && of.is_none_or(|of| of.has_queues) => State::Kept,
            None if self.when.is_some() && self.is_cancelled => State::Cancelled,
            None if self.when.is_some() => State::Waiting,
            None => return None,
        };
        let now = of.and_then(|of| of.now);
        Some(Handle {
            address: row.address,
            type_name: row.type_name.clone(),
            loop_address: self.r#loop,
            state,
            place: place.map(|&(_, place)| place),
            when: self.when,
            in_seconds: self.when.zip(now).map(|(when, now)| when - now),
            callback: self.callback,
            is_partial: self.is_partial,
            file: self.file,
            line: self.line,
            bound_type: self.bound_type,
            bound_address: self.bound_address,
            n_args: self.n_args,
            waiter: None,
            made_at: self.made_at,
            held: None,
            marks: Vec::new(),
            ha_line: None,
        })
    }
}
