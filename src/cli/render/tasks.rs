//! Tasks for people, as JSON, and as Home Assistant logs them.

mod findings;
mod groups;
mod json;
mod stacks;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt::Write as _;

use super::numbers::{count, counted};
use super::text::escape_controls;
use crate::args::{InventoryFormat, TaskShape};
use crate::commands::inventory::{Held, How, Listing};
use crate::tasks::{Item, Loop, State, Task, Unawaited};

/// A look, and how it is to be shown.
#[derive(Debug)]
pub(crate) struct TasksView<'a> {
    pub(crate) listing: &'a Listing<Item>,
    pub(crate) loops: &'a [Loop],
    pub(crate) shape: TaskShape,
    pub(crate) how: &'a How,
}

impl TasksView<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.how.format {
            InventoryFormat::Json => return json::document(self),
            InventoryFormat::Ha => return self.as_logged().into_bytes(),
            InventoryFormat::Table => {}
        }
        let mut text = self.heading();
        let members = groups::members(self.listing);
        text.push_str(&findings::text(self, &members));
        text.push_str(&match self.shape {
            TaskShape::Groups => groups::text(self, &members),
            TaskShape::Tree => tree::text(self),
            TaskShape::Stacks => stacks::text(self),
        });
        if self.listing.is_repeated {
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Of each task that is not finished, as `Task: %s` of its `repr`.
    fn as_logged(&self) -> String {
        let mut text = String::new();
        let reprs = self.tasks().filter_map(|(task, _)| task.repr.as_ref());
        for repr in limited(reprs, self.how.limit) {
            let _ = writeln!(text, "Task: {repr}");
        }
        text
    }

    /// The tasks, each with whether it is new.
    fn tasks(&self) -> impl Iterator<Item = (&Task, bool)> {
        self.listing.items.iter().filter_map(|one| match &one.item {
            Item::Task(task) => Some((task.as_ref(), one.is_new)),
            Item::Unawaited(_) => None,
        })
    }

    /// The forgotten coroutines, each with whether it is new.
    fn coroutines(&self) -> impl Iterator<Item = (&Unawaited, bool)> {
        self.listing.items.iter().filter_map(|one| match &one.item {
            Item::Task(_) => None,
            Item::Unawaited(coroutine) => Some((coroutine.as_ref(), one.is_new)),
        })
    }

    fn heading(&self) -> String {
        let listing = self.listing;
        let n_tasks = self.tasks().count();
        let mut text = format!(
            "process {}, {}: {}",
            listing.pid,
            super::rows::moment(micros(listing)),
            counted(n_tasks as u64, "task")
        );
        let states = self.states();
        if !states.is_empty() {
            let _ = write!(text, " ({states})");
        }
        let n_forgotten = listing.items.len() - n_tasks;
        if n_forgotten > 0 {
            let _ = write!(
                text,
                ", {} never awaited",
                counted(n_forgotten as u64, "coroutine")
            );
        }
        if listing.is_repeated && listing.look > 1 {
            let n_new = listing.items.iter().filter(|one| one.is_new).count();
            let _ = write!(
                text,
                "; {} new, {} gone",
                count(n_new as u64),
                count(listing.n_gone as u64)
            );
        }
        text.push('\n');
        for one in self.loops {
            let n_here = self
                .tasks()
                .filter(|(task, _)| task.event_loop == Some(one.address) && !task.state.is_final())
                .count();
            let _ = writeln!(
                text,
                "loop {}, {}: {} not finished",
                escape_controls(&one.type_name),
                loop_state(one),
                counted(n_here as u64, "task")
            );
        }
        text
    }

    /// `1,204 waiting, 310 done`.
    fn states(&self) -> String {
        let all = [
            State::Running,
            State::Ready,
            State::Waiting,
            State::Cancelling,
            State::Done,
            State::Failed,
            State::Cancelled,
        ];
        let counted = all.iter().filter_map(|&state| {
            let n = self.tasks().filter(|(task, _)| task.state == state).count();
            (n > 0).then(|| format!("{} {}", count(n as u64), state.word()))
        });
        counted.collect::<Vec<_>>().join(", ")
    }
}

fn micros(listing: &Listing<Item>) -> i64 {
    i64::try_from(listing.time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// `running in thread MainThread (4121), in debug mode`.
fn loop_state(one: &Loop) -> String {
    let state = match (one.closed, one.running) {
        (Some(true), _) => "closed",
        (_, Some(true)) => "running",
        (_, Some(false)) => "not running",
        (_, None) => "in a state that it does not tell",
    };
    let mut text = state.to_owned();
    if let Some(name) = &one.thread_name {
        let _ = write!(text, " in thread {}", escape_controls(name));
        if let Some(id) = one.native_thread {
            let _ = write!(text, " ({id})");
        }
    }
    if one.debug == Some(true) {
        text.push_str(", in debug mode");
    }
    text
}

/// The first `limit`, or all for 0.
fn limited<T>(all: impl Iterator<Item = T>, limit: usize) -> impl Iterator<Item = T> {
    all.take(if limit == 0 { usize::MAX } else { limit })
}

/// `Task-5 waiting shop.worker.poll at worker.py:88`.
fn task_line(task: &Task) -> String {
    let name = escape_controls(&task.label()).into_owned();
    let coroutine = escape_controls(&task.coroutine_name()).into_owned();
    let at = task.chain.first().map(crate::tasks::Place::at);
    let at = at.filter(|at| !at.is_empty());
    let at = at.map_or_else(String::new, |at| format!(" at {}", escape_controls(&at)));
    format!("{name} {} {coroutine}{at}", task.state.word())
}

/// Who keeps it: `app.TASKS`, or what is known where that has no name.
fn keeper(held: Option<&Held>) -> String {
    match held {
        None => String::new(),
        Some(held) if !held.holder.is_empty() => escape_controls(&held.holder).into_owned(),
        Some(held) if !held.path.is_empty() => escape_controls(&held.path).into_owned(),
        Some(_) => "nothing that has a name".into(),
    }
}
