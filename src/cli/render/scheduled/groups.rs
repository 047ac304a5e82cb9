//! Handles by what they call.

use std::collections::BTreeMap;

use super::{cut, in_text, mark_text};
use crate::commands::inventory::{How, Listing};
use crate::render::inventory::shown;
use crate::render::numbers::{count, count_delta};
use crate::render::table::{Emphasis, number, table, text};
use crate::timers::{Handle, Mark, State};

/// Handles that call the same for the same.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    /// Any of them.
    pub(super) first: &'a Handle,
    pub(super) n_waiting: u64,
    pub(super) n_ready: u64,
    pub(super) n_cancelled: u64,
    pub(super) n_kept: u64,
    /// Until the first and the last of those that wait.
    pub(super) soonest_seconds: Option<f64>,
    pub(super) latest_seconds: Option<f64>,
    /// Since the look before; 0 at the first.
    pub(super) delta: i64,
    /// Of any of them.
    pub(super) marks: Vec<Mark>,
}

/// All groups: those with the most handles first.
pub(super) fn groups(listing: &Listing<Handle>) -> Vec<Group<'_>> {
    let deltas = listing.groups.iter();
    let deltas: BTreeMap<&str, i64> = deltas.map(|one| (one.name.as_str(), one.delta)).collect();
    let mut by_name = BTreeMap::<String, Group<'_>>::new();
    for handle in listing.items.iter().map(|listed| &listed.item) {
        let name = handle.group();
        let delta = deltas.get(name.as_str()).copied().unwrap_or(0);
        let group = by_name.entry(name).or_insert_with(|| Group {
            first: handle,
            n_waiting: 0,
            n_ready: 0,
            n_cancelled: 0,
            n_kept: 0,
            soonest_seconds: None,
            latest_seconds: None,
            delta,
            marks: Vec::new(),
        });
        group.add(handle);
    }
    let mut groups: Vec<_> = by_name.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.n_handles()));
    groups
}

impl Group<'_> {
    pub(super) fn n_handles(&self) -> u64 {
        self.n_waiting + self.n_ready + self.n_cancelled + self.n_kept
    }

    fn add(&mut self, handle: &Handle) {
        *match handle.state {
            State::Waiting => &mut self.n_waiting,
            State::Ready => &mut self.n_ready,
            State::Cancelled => &mut self.n_cancelled,
            State::Kept => &mut self.n_kept,
        } += 1;
        if let (State::Waiting, Some(seconds)) = (handle.state, handle.in_seconds) {
            let soonest = self.soonest_seconds.unwrap_or(seconds);
            let latest = self.latest_seconds.unwrap_or(seconds);
            self.soonest_seconds = Some(soonest.min(seconds));
            self.latest_seconds = Some(latest.max(seconds));
        }
        for mark in &handle.marks {
            if !self.marks.contains(mark) {
                self.marks.push(*mark);
            }
        }
    }
}

/// The table, and how many groups there are.
pub(super) fn as_table(listing: &Listing<Handle>, how: &How) -> (String, usize) {
    let groups = groups(listing);
    let mut columns = vec![text("callback"), text("for"), number("timers")];
    if listing.look > 1 {
        columns.push(number("change"));
    }
    columns.extend([number("ready"), number("cancelled"), number("kept")]);
    columns.extend([
        number("next in"),
        number("last in"),
        text("at"),
        text("note"),
    ]);
    let or_nothing = |number: u64| match number {
        0 => String::new(),
        _ => count(number),
    };
    let rows = shown(&groups, how).iter().map(|group| {
        let mut cells = vec![
            cut(&group.first.callback_text()),
            group.first.coroutine().map(cut).unwrap_or_default(),
            count(group.n_waiting),
        ];
        if listing.look > 1 {
            cells.push(count_delta(group.delta));
        }
        cells.extend([group.n_ready, group.n_cancelled, group.n_kept].map(or_nothing));
        let seconds = [group.soonest_seconds, group.latest_seconds];
        cells.extend(seconds.map(|seconds| seconds.map(in_text).unwrap_or_default()));
        cells.push(
            group
                .first
                .place_text()
                .as_deref()
                .map(cut)
                .unwrap_or_default(),
        );
        let notes: Vec<_> = group.marks.iter().map(|mark| mark_text(*mark)).collect();
        cells.push(notes.join(", "));
        let emphasis = match group.marks.is_empty() {
            true => Emphasis::None,
            false => Emphasis::Strong,
        };
        (emphasis, cells)
    });
    (table(&columns, rows, how.color), groups.len())
}
