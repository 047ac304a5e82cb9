//! What stands out: the first lines of a look.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::numbers::{count, counted};
use super::super::text::escape_controls;
use super::groups::Members;
use super::{TasksView, keeper};
use crate::tasks::{Fold, Forest, Item, Place, State, Task};

/// So many tasks of one group that wait are worth a line; fewer where they grow.
const MANY_WAITING: usize = 100;
/// So many finished tasks of one coroutine are.
const MANY_FINISHED: usize = 10;
/// So many lines at most, and tasks of a ring by name.
const MOST: usize = 10;

/// A line for each, and an empty line behind; nothing where nothing stands out.
pub(super) fn text(view: &TasksView<'_>, members: &[Members<'_>]) -> String {
    let mut lines = rings(view);
    lines.extend(kept(view));
    lines.extend(forgotten(view));
    lines.extend(groups(members));
    let mut text = String::new();
    for line in lines.iter().take(MOST) {
        let _ = writeln!(text, "! {line}");
    }
    if lines.len() > MOST {
        let _ = writeln!(
            text,
            "! and {} more like these",
            count((lines.len() - MOST) as u64)
        );
    }
    text
}

/// `3 tasks wait for each other: Task-4 → Task-7 → Task-4`.
fn rings(view: &TasksView<'_>) -> Vec<String> {
    let tasks: Vec<&Task> = view.tasks().map(|(task, _)| task).collect();
    let rings = Forest::of(&tasks, Fold::Yes).rings;
    let told = rings.iter().map(|ring| {
        let names = ring
            .iter()
            .chain(ring.first())
            .map(|&one| tasks[one].label());
        let mut shown: Vec<String> = names.collect();
        if shown.len() > MOST {
            shown.splice(MOST / 2..shown.len() - MOST / 2, ["…".to_owned()]);
        }
        format!(
            "{} wait for each other and will not go on: {}",
            counted(ring.len() as u64, "task"),
            escape_controls(&shown.join(" → "))
        )
    });
    told.collect()
}

/// `310 finished tasks of shop.worker.handle are kept by app.TASKS`.
fn kept(view: &TasksView<'_>) -> Vec<String> {
    let mut by_keeper = BTreeMap::<(String, String), usize>::new();
    for (task, _) in view.tasks().filter(|(task, _)| task.state.is_final()) {
        let key = (task.coroutine_name(), keeper(task.held.as_ref()));
        *by_keeper.entry(key).or_default() += 1;
    }
    let kept = by_keeper.into_iter().filter(|&(_, n)| n >= MANY_FINISHED);
    sorted(kept, |n, (coroutine, keeper)| {
        let by = if keeper.is_empty() {
            "are still there".to_owned()
        } else {
            format!("are kept by {keeper}")
        };
        let coroutine = escape_controls(coroutine);
        format!("{} of {coroutine} {by}", counted(n as u64, "finished task"))
    })
}

/// `12 coroutines of shop.mail.send were never awaited; app.LATER keeps them`.
fn forgotten(view: &TasksView<'_>) -> Vec<String> {
    let mut by_keeper = BTreeMap::<(String, String), usize>::new();
    for (one, _) in view.coroutines() {
        let name = format!("{} ({})", one.place.full_name(), one.place.at());
        let key = (name, keeper(one.held.as_ref()));
        *by_keeper.entry(key).or_default() += 1;
    }
    sorted(by_keeper.into_iter(), |n, (name, keeper)| {
        let by = if keeper.is_empty() {
            String::new()
        } else {
            format!("; kept by {keeper}")
        };
        let were = if n == 1 { "was" } else { "were" };
        let name = escape_controls(name);
        format!(
            "{} of {name} {were} never awaited{by}",
            counted(n as u64, "coroutine")
        )
    })
}

/// `1,204 tasks wait in shop.worker.poll at worker.py:88, 96 more than at the look before`.
fn groups(members: &[Members<'_>]) -> Vec<String> {
    let told = members.iter().filter_map(|one| {
        let (group, Item::Task(task)) = (one.group, one.example) else {
            return None;
        };
        let is_final = task.state.is_final();
        let is_stranded = task.loop_is_closed && !is_final;
        let is_much = task.state == State::Waiting && group.count >= MANY_WAITING;
        let grows = group.delta > 0 && !is_final && group.count > 1;
        if !is_stranded && !is_much && !grows {
            return None;
        }
        let does = match (task.state, group.count) {
            (State::Waiting, 1) => "waits",
            (State::Waiting, _) => "wait",
            (_, 1) => "is",
            _ => "are",
        };
        let state = match task.state {
            State::Waiting => String::new(),
            state => format!(" {}", state.word()),
        };
        let n = counted(group.count as u64, "task");
        let mut line = format!(
            "{n} {does}{state} in {}",
            escape_controls(&task.coroutine_name())
        );
        let at = task.chain.first().map(Place::at).unwrap_or_default();
        if !at.is_empty() {
            let _ = write!(line, " at {}", escape_controls(&at));
        }
        if is_stranded {
            line.push_str(", on a loop that is closed: it will not go on");
        }
        if group.delta > 0 {
            let delta = count(group.delta.unsigned_abs());
            let _ = write!(line, ", {delta} more than at the look before");
        }
        Some(line)
    });
    told.collect()
}

/// Lines by number, the largest first.
fn sorted(
    counts: impl Iterator<Item = ((String, String), usize)>,
    line: impl Fn(usize, &(String, String)) -> String,
) -> Vec<String> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts.iter().map(|(key, n)| line(*n, key)).collect()
}
