//! Counts by coroutine, state and line.

use std::collections::{BTreeMap, HashMap};

use super::super::inventory::shown;
use super::super::numbers::{count, count_delta};
use super::super::table::{Column, Emphasis, number, table, text as text_column};
use super::super::text::{cut_end, cut_start, escape_controls};
use super::{TasksView, keeper, left_out};
use crate::commands::inventory::{Group, Listing};
use crate::tasks::{Item, Place, Task, group_of};

/// So many names of a group are shown.
const NAMES: usize = 3;
/// How wide a cell is at most.
const CELL: usize = 60;

/// A group with what is known of its members.
#[derive(Debug)]
pub(super) struct Members<'a> {
    pub(super) group: &'a Group,
    /// The first of them.
    pub(super) example: &'a Item,
    /// Of some of its tasks.
    pub(super) names: Vec<String>,
    /// Who keeps most of them, and how many; empty where nobody was asked for or found.
    pub(super) keeper: (String, usize),
    pub(super) n_unretrieved: usize,
}

/// The groups of a look that have members, in its order.
pub(super) fn members(listing: &Listing<Item>) -> Vec<Members<'_>> {
    struct Gathered<'a> {
        example: &'a Item,
        names: Vec<String>,
        keepers: BTreeMap<String, usize>,
        n_unretrieved: usize,
    }
    let mut by_name = HashMap::<String, Gathered<'_>>::new();
    for one in &listing.items {
        let gathered = by_name
            .entry(group_of(&one.item))
            .or_insert_with(|| Gathered {
                example: &one.item,
                names: Vec::new(),
                keepers: BTreeMap::new(),
                n_unretrieved: 0,
            });
        let held = match &one.item {
            Item::Task(task) => {
                if gathered.names.len() < NAMES {
                    gathered.names.push(task.label());
                }
                gathered.n_unretrieved += usize::from(task.is_unretrieved);
                task.held.as_ref()
            }
            Item::Unawaited(coroutine) => coroutine.held.as_ref(),
        };
        let keeper = keeper(held);
        if !keeper.is_empty() {
            *gathered.keepers.entry(keeper).or_default() += 1;
        }
    }
    let found = listing.groups.iter().filter_map(|group| {
        let gathered = by_name.remove(&group.name)?;
        let keepers = gathered.keepers.into_iter();
        Some(Members {
            group,
            example: gathered.example,
            names: gathered.names,
            keeper: keepers.max_by_key(|&(_, n)| n).unwrap_or_default(),
            n_unretrieved: gathered.n_unretrieved,
        })
    });
    found.collect()
}

/// The table, and how many groups it leaves out.
pub(super) fn text(view: &TasksView<'_>, members: &[Members<'_>]) -> String {
    let with_change = view.listing.is_repeated;
    let mut columns = vec![number("COUNT")];
    if with_change {
        columns.push(number("CHANGE"));
    }
    columns.extend([
        text_column("STATE"),
        text_column("COROUTINE"),
        text_column("AT"),
        text_column("WAITS IN, KEPT BY"),
        text_column("TASKS"),
    ]);
    let rows = shown(members, view.how).iter().map(|one| {
        let mut cells = vec![count(one.group.count as u64)];
        if with_change {
            cells.push(count_delta(one.group.delta));
        }
        cells.extend(cells_of(one));
        let emphasis = if one.group.delta > 0 {
            Emphasis::Strong
        } else {
            Emphasis::None
        };
        (emphasis, cells)
    });
    let mut rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    if let Some(width) = view.how.width {
        fit(&mut rows, &columns, width);
    }
    let mut text = format!("\n{}", table(&columns, rows, view.how.color));
    text.push_str(&left_out(members.len(), "group", view.how));
    text
}

/// Cuts the last columns, and then the names of coroutines, until the table is not wider than the
/// terminal, or nothing would be left of them.
fn fit(rows: &mut [(Emphasis, Vec<String>)], columns: &[Column], terminal: usize) {
    const LEAST: usize = 16;
    let coroutine = columns.len() - 4;
    for column in [columns.len() - 1, columns.len() - 2, coroutine] {
        let width_of = |index: usize| {
            let cells = rows.iter().map(|(_, cells)| cells[index].chars().count());
            let heading = columns[index].heading.chars().count();
            cells.chain([heading]).max().unwrap_or(heading)
        };
        let total: usize = (0..columns.len()).map(|index| width_of(index) + 2).sum();
        let excess = (total - 2).saturating_sub(terminal);
        let least = LEAST.max(columns[column].heading.chars().count());
        let width = width_of(column).saturating_sub(excess).max(least);
        for (_, cells) in rows.iter_mut() {
            cells[column] = if column == coroutine {
                cut_start(&cells[column], width).into_owned()
            } else {
                cut_end(&cells[column], width).into_owned()
            };
        }
    }
}

fn cells_of(one: &Members<'_>) -> [String; 5] {
    let cut = |text: &str| cut_end(&escape_controls(text), CELL).into_owned();
    match one.example {
        Item::Task(task) => {
            let more = if one.group.count > one.names.len() {
                ", …"
            } else {
                ""
            };
            [
                task.state.word().into(),
                cut(&task.coroutine_name()),
                cut(&task.chain.first().map(Place::at).unwrap_or_default()),
                cut(&detail(task, one)),
                format!("{}{more}", cut(&one.names.join(", "))),
            ]
        }
        Item::Unawaited(coroutine) => [
            "never awaited".into(),
            cut(&coroutine.place.full_name()),
            cut(&coroutine.place.at()),
            cut(&kept_by(one)),
            String::new(),
        ],
    }
}

/// `asyncio.queues.Queue.get`; `app.TASKS`; `ValueError at shop.py:12, app.TASKS (12)`.
fn detail(task: &Task, one: &Members<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(raised) = &task.exception {
        let retrieved = match one.n_unretrieved {
            0 => "",
            _ => ", never retrieved",
        };
        parts.push(format!("{}{retrieved}", raised.type_name));
    }
    if task.state.is_final() {
        parts.push(kept_by(one));
    } else {
        if task.loop_is_closed {
            parts.push("its loop is closed".into());
            parts.push(kept_by(one));
        }
        parts.push(task.waits_in());
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// Who keeps them, and how many where it is not all.
fn kept_by(one: &Members<'_>) -> String {
    match &one.keeper {
        (keeper, n) if *n < one.group.count && *n > 0 => format!("{keeper} ({})", count(*n as u64)),
        (keeper, _) => keeper.clone(),
    }
}
