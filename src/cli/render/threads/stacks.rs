//! Threads with their stacks, newest call first; those that stand at the same place once.

use std::fmt::Write as _;

use super::{ThreadsDepth, ThreadsView, age, cpu, made_at, marks};
use crate::commands::inventory::Listed;
use crate::render::text::{cut_end, escape_controls};
use crate::threads::{Frame, Thread};

/// So many names of threads that stand at the same place are told.
const MOST_NAMES: usize = 4;

pub(super) fn text(view: &ThreadsView<'_>) -> String {
    let mut text = String::new();
    for alike in groups(view) {
        text.push('\n');
        heading(view, &alike, &mut text);
        let [first, ..] = alike.as_slice() else {
            continue;
        };
        for frame in &first.item.frames {
            of_frame(view, frame, &mut text);
        }
        if first.item.is_cut {
            text.push_str("    …\n");
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Those that do the same at the same place, in the order of the first of each.
fn groups<'a>(view: &'a ThreadsView<'_>) -> Vec<Vec<&'a Listed<Thread>>> {
    let mut groups: Vec<Vec<&Listed<Thread>>> = Vec::new();
    for one in view.shown() {
        let alike = groups.iter_mut().find(|group| {
            group.first().is_some_and(|first| {
                !one.item.frames.is_empty()
                    && first.item.frames == one.item.frames
                    && first.item.made_at == one.item.made_at
                    && marks(first) == marks(one)
                    && view.waits_for(&first.item) == view.waits_for(&one.item)
            })
        });
        match alike {
            Some(alike) => alike.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn heading(view: &ThreadsView<'_>, alike: &[&Listed<Thread>], text: &mut String) {
    let [first, rest @ ..] = alike else { return };
    let thread = &first.item;
    let mut line = if rest.is_empty() {
        super::who(thread)
    } else {
        let names: Vec<String> = alike
            .iter()
            .take(MOST_NAMES)
            .map(|one| super::who(&one.item))
            .collect();
        let more = if alike.len() > MOST_NAMES {
            ", …"
        } else {
            ""
        };
        format!("{} threads: {}{more}", alike.len(), names.join(", "))
    };
    let _ = write!(line, "  {}", escape_controls(&view.waits_for(thread)));
    if rest.is_empty() {
        let _ = write!(line, "  cpu {}", cpu(thread));
        if let Some(since) = thread.age {
            let _ = write!(line, "  age {}", age(since));
        }
    }
    if let Some(target) = &thread.target {
        let _ = write!(line, "  target {}", escape_controls(target));
    }
    if let Some(place) = made_at(thread) {
        let _ = write!(
            line,
            "  made at {}:{}",
            escape_controls(&place.file),
            place.line
        );
    }
    let marks = marks(first);
    if !marks.is_empty() {
        let _ = write!(line, "  [{}]", marks.join(", "));
    }
    text.push_str(&line);
    text.push('\n');
}

fn of_frame(view: &ThreadsView<'_>, frame: &Frame, text: &mut String) {
    const LONGEST_VALUE: usize = 80;
    let line = frame.line.map_or("?".into(), |line| line.to_string());
    let function = escape_controls(frame.function());
    let file = escape_controls(&frame.file);
    let _ = writeln!(text, "    {function}  {file}:{line}");
    if view.depth != ThreadsDepth::Locals {
        return;
    }
    for (name, value) in &frame.locals {
        let (name, value) = (escape_controls(name), escape_controls(value));
        let _ = writeln!(text, "        {name} = {}", cut_end(&value, LONGEST_VALUE));
    }
}
