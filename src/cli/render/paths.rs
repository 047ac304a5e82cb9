//! How objects are held, as a tree for people or as JSON.

mod json;
mod rows;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use leakhunt_heap::{HeldObject, MergedPaths, Snapshot};

use super::numbers::{bytes, count, counted, share};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_start, escape_controls};
use crate::subject::Subject;
use rows::{Line, Rows};

/// How wide a path may be beside the other columns, at least.
const PATH_MIN: usize = 40;
/// How wide the name of a type may be.
const TYPE_MAX: usize = 48;

/// The objects asked for, and how they are held.
#[derive(Debug)]
pub(crate) struct PathsShown<'a> {
    /// The file.
    pub(crate) file: &'a str,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) subject: &'a Subject,
    pub(crate) merged: &'a MergedPaths,
    /// Paths of single objects: of all where there are few.
    pub(crate) whole: Vec<HeldObject>,
}

/// How it is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathsView {
    pub(crate) json: bool,
    /// The most branches; 0: all.
    pub(crate) limit: usize,
    /// The most forks one below the other; 0: all.
    pub(crate) depth: usize,
    pub(crate) color: bool,
    /// Columns of the terminal.
    pub(crate) width: Option<usize>,
}

impl PathsView {
    /// What is to be printed.
    pub(crate) fn show(&self, shown: &PathsShown<'_>) -> Vec<u8> {
        match self.json {
            true => json::document(shown),
            false => self.text(shown).into_bytes(),
        }
    }

    fn text(&self, shown: &PathsShown<'_>) -> String {
        let merged = shown.merged;
        let mut text = heading(shown);
        if merged.n_objects == 0 {
            return text;
        }
        text.push_str(&self.tree(merged));
        let is_whole = shown.whole.len() as u64 >= merged.n_objects;
        if !is_whole {
            text.push_str("for example\n");
        }
        for one in &shown.whole {
            whole_path(&mut text, shown.snapshot, one);
        }
        text
    }

    fn tree(&self, merged: &MergedPaths) -> String {
        let is_sample = merged.n_merged < merged.n_objects;
        let columns = [
            number(if is_sample { "sampled" } else { "objects" }),
            number("share"),
            number("bytes"),
            text("type"),
            text("path"),
        ];
        let rows = Rows::of(&merged.root, self.limit, self.depth);
        let cells: Vec<[String; 5]> = rows
            .lines()
            .map(|line| match line {
                Line::Branch(row) => [
                    count(row.n_objects),
                    share(row.n_objects, merged.n_merged),
                    bytes(row.size_bytes),
                    cut_start(&escape_controls(row.type_name), TYPE_MAX).into_owned(),
                    format!("{}{}", indent(row.depth), escape_controls(&row.path)),
                ],
                Line::Rest {
                    depth,
                    n_branches,
                    n_objects,
                    size_bytes,
                } => [
                    count(n_objects),
                    share(n_objects, merged.n_merged),
                    bytes(size_bytes),
                    String::new(),
                    format!(
                        "{}… {}",
                        indent(depth),
                        match n_branches {
                            1 => "1 more branch".to_owned(),
                            n_branches => format!("{} more branches", count(n_branches)),
                        }
                    ),
                ],
            })
            .collect();
        let width_of = |column: usize| {
            let cells = cells.iter().map(|cells| cells[column].chars().count());
            cells.max().unwrap_or(0).max(7) + 2
        };
        let others: usize = (0..4).map(width_of).sum();
        let rows = cells.into_iter().map(|mut cells| {
            if let Some(width) = self.width {
                let max = width.saturating_sub(others).max(PATH_MIN);
                cells[4] = cut_path(&cells[4], max);
            }
            (Emphasis::None, cells.into())
        });
        table(&columns, rows, self.color)
    }
}

fn heading(shown: &PathsShown<'_>) -> String {
    let PathsShown { merged, file, .. } = shown;
    let mut text = format!(
        "{file}: {} {}, {}\n",
        counted(merged.n_objects + merged.n_garbage, "object"),
        shown.subject.text,
        bytes(merged.size_bytes.saturating_add(merged.garbage_bytes)),
    );
    if merged.n_garbage > 0 {
        let verb = match merged.n_garbage {
            1 => "is",
            _ => "are",
        };
        let _ = writeln!(
            text,
            "{} of them, {}, {verb} garbage that is not collected yet",
            count(merged.n_garbage),
            bytes(merged.garbage_bytes)
        );
    }
    if merged.n_merged < merged.n_objects {
        let _ = writeln!(
            text,
            "the paths of {} of them, from all over, are merged",
            count(merged.n_merged)
        );
    }
    text
}

fn whole_path(text: &mut String, snapshot: &Snapshot, one: &HeldObject) {
    let index = one.object.0 as usize;
    let _ = writeln!(
        text,
        "{:#x}  {}, {}",
        snapshot.objects.address[index],
        escape_controls(&snapshot.type_of(one.object).key()),
        bytes(snapshot.objects.size_bytes[index])
    );
    let label = match one.path.is_evaluable {
        true => "path   ",
        // What no code can name, such as the variables of a running frame.
        false => "path (not to be typed)",
    };
    let _ = writeln!(text, "  {label}  {}", escape_controls(&one.path.expression));
    if let Some(holder) = &one.holder {
        let _ = writeln!(
            text,
            "  held by  {} ({}){}",
            escape_controls(&holder.name),
            escape_controls(&snapshot.type_of(holder.object).key()),
            match &*holder.package {
                "" => String::new(),
                package => format!(", package {}", escape_controls(package)),
            }
        );
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// The end of a path tells more than its start, but how far it is indented shows.
fn cut_path(path: &str, max: usize) -> String {
    let steps = path.trim_start_matches(' ');
    let indent = path.len() - steps.len();
    let max = max.saturating_sub(indent).max(PATH_MIN / 2);
    format!("{}{}", &path[..indent], cut_start(steps, max))
}
