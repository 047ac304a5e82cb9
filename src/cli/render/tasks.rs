//! Tasks for people, as JSON, and as Home Assistant logs them.

mod findings;
mod groups;
mod json;
mod stacks;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt::Write as _;

use super::inventory::{changes, limited, n_shown, target_and_moment};
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
        for repr in limited(reprs, self.how) {
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
            "{}: {}",
            target_and_moment(listing),
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
        text.push_str(&changes(listing));
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

/// `3 lines not shown; --limit 0 shows all`, and nothing where all of `n` are shown.
fn left_out(n: usize, what: &str, how: &How) -> String {
    match n - n_shown(n, how) {
        0 => String::new(),
        n => format!(
            "{} not shown; --limit 0 shows all\n",
            counted(n as u64, what)
        ),
    }
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
    let Some(held) = held else {
        return String::new();
    };
    let name = held.known_holder().or(held.known_path());
    escape_controls(name.unwrap_or("nothing that has a name")).into_owned()
}
