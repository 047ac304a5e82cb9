//! The asyncio tasks of a process, its event loops, and coroutines that nobody awaited.

mod groups;
mod rows;
#[cfg(test)]
mod tests;
mod tree;

use serde::{Deserialize, Serialize};

pub(crate) use groups::group_of;
pub(crate) use tree::{Branch, Fold, Forest, What};

use crate::commands::inventory::Held;

/// What a look found.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Whether the process has loaded asyncio at all.
    pub(crate) has_asyncio: bool,
    pub(crate) loops: Vec<Loop>,
    /// In the collector's order, which is mostly the order of their making.
    pub(crate) tasks: Vec<Task>,
    /// Those that belong to no task.
    pub(crate) coroutines: Vec<Unawaited>,
    /// Answers that were none.
    pub(crate) n_unreadable: usize,
}

/// An event loop.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Loop {
    #[serde(skip_deserializing)]
    pub(crate) address: u64,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// `None`: it does not say.
    pub(crate) running: Option<bool>,
    pub(crate) closed: Option<bool>,
    pub(crate) debug: Option<bool>,
    /// `threading.get_ident()` of the thread that runs it.
    pub(crate) thread: Option<u64>,
    /// The kernel's number of that thread; `None` where it was not started by `threading`.
    pub(crate) native_thread: Option<u64>,
    pub(crate) thread_name: Option<String>,
}

/// A task, finished or not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    pub(crate) address: u64,
    pub(crate) type_name: String,
    pub(crate) name: Option<String>,
    pub(crate) state: State,
    /// The address of its event loop.
    pub(crate) event_loop: Option<u64>,
    /// Whether its loop is known to be closed: it will never go on.
    pub(crate) loop_is_closed: bool,
    /// The address of its coroutine; `None` when it was let go at the end.
    pub(crate) coroutine: Option<u64>,
    /// From its coroutine to the innermost that it waits in; of a finished task the coroutine alone.
    pub(crate) chain: Vec<Place>,
    pub(crate) chain_is_cut: bool,
    pub(crate) waits_for: Option<Future>,
    pub(crate) awaited_by: Vec<Waiter>,
    /// The frames that made it, innermost last; empty unless the loop is in debug mode.
    pub(crate) created_at: Vec<Frame>,
    pub(crate) exception: Option<Raised>,
    /// It failed, and nobody has asked for its exception.
    pub(crate) is_unretrieved: bool,
    /// Its `repr`, where it was asked for.
    pub(crate) repr: Option<String>,
    pub(crate) held: Option<Held>,
    /// Since when it has been seen, in seconds before this look; 0 for the first look at it.
    pub(crate) seen_seconds: f64,
}

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    /// A thread is in its code.
    Running,
    /// The loop is to go on with it.
    Ready,
    /// For a future or task that is not done.
    Waiting,
    /// It was told to end and has not ended.
    Cancelling,
    Done,
    Failed,
    Cancelled,
}

/// Where a coroutine, generator or async generator stands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Place {
    /// `coroutine`, `generator`, `async generator`, or `object`: an awaitable of another type.
    pub(crate) kind: String,
    /// `__qualname__`, or the type of an `object`.
    pub(crate) name: String,
    pub(crate) module: Option<String>,
    pub(crate) file: Option<String>,
    /// `None` when it is over.
    pub(crate) line: Option<u64>,
    /// Of its definition.
    pub(crate) first_line: Option<u64>,
}

/// What a task waits for at the end of its chain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Future {
    pub(crate) address: u64,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) is_task: bool,
    pub(crate) is_done: bool,
    /// Of a `gather`.
    #[serde(default)]
    pub(crate) n_children: Option<u64>,
    #[serde(default)]
    pub(crate) n_pending: Option<u64>,
}

/// A task that waits for another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Waiter {
    pub(crate) task: u64,
    /// `await`, `gather`, `wait`, `shield`, `TaskGroup`…
    pub(crate) via: String,
}

/// A frame that is gone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Frame {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) function: String,
}

/// What a task failed with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Raised {
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    /// Where it was raised.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
}

/// A coroutine of which no code has run, and that belongs to no task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unawaited {
    pub(crate) address: u64,
    pub(crate) place: Place,
    /// The frames that made it, innermost last; empty unless the origins of coroutines are tracked.
    pub(crate) created_at: Vec<Frame>,
    pub(crate) held: Option<Held>,
    /// As in [`Task::seen_seconds`].
    pub(crate) seen_seconds: f64,
}

/// What the inventory has, one by one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Task(Box<Task>),
    Unawaited(Box<Unawaited>),
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Cancelling => "cancelling",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it will never change again.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl Place {
    /// `shop.worker.poll`.
    pub(crate) fn full_name(&self) -> String {
        match &self.module {
            Some(module) => format!("{module}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// `worker.py:88`: where it stands, or where it was defined when it is over.
    pub(crate) fn at(&self) -> String {
        match (&self.file, self.line.or(self.first_line)) {
            (Some(file), Some(line)) => format!("{}:{line}", short_file(file)),
            _ => String::new(),
        }
    }

    /// The same with the whole path.
    pub(crate) fn whole_at(&self) -> String {
        match (&self.file, self.line.or(self.first_line)) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => String::new(),
        }
    }
}

impl Task {
    /// Its coroutine's full name.
    pub(crate) fn coroutine_name(&self) -> String {
        let outermost = self.chain.first();
        outermost.map_or_else(|| "a coroutine that is gone".into(), Place::full_name)
    }

    /// What a person may call it by.
    pub(crate) fn label(&self) -> String {
        let name = self.name.as_ref();
        name.map_or_else(|| format!("{:#x}", self.address), Clone::clone)
    }

    /// The last step of what it waits in: `asyncio.queues.Queue.get`, or what the future is.
    pub(crate) fn waits_in(&self) -> String {
        match (self.chain.get(1..), &self.waits_for) {
            (Some([.., innermost]), _) => innermost.full_name(),
            (_, Some(future)) => future.kind(),
            _ => String::new(),
        }
    }
}

impl Future {
    /// `a task`, `a gather of 3, 2 of them not done`, `a future`.
    pub(crate) fn kind(&self) -> String {
        match (self.is_task, self.n_children, self.n_pending) {
            (true, ..) => "a task".into(),
            (_, Some(all), Some(pending)) => {
                format!("a gather of {all}, {pending} of them not done")
            }
            _ => "a future".into(),
        }
    }
}

/// The name of a file, and its folder where the name says nothing.
fn short_file(path: &str) -> &str {
    let is_cut = |from: usize| path[..from].rfind('/').map_or(0, |slash| slash + 1);
    let name = is_cut(path.len());
    if path[name..].starts_with("__") && name > 0 {
        return &path[is_cut(name - 1)..];
    }
    &path[name..]
}
