//! Each task under the tasks that wait for it.

use std::fmt::Write as _;

use super::super::inventory::shown;
use super::super::numbers::count;
use super::super::text::escape_controls;
use super::{TasksView, left_out, task_line};
use crate::tasks::{Branch, Fold, Forest, Task, What};

/// The trees of each loop.
pub(super) fn text(view: &TasksView<'_>) -> String {
    let all: Vec<(&Task, bool)> = view.tasks().collect();
    let tasks: Vec<&Task> = all.iter().map(|&(task, _)| task).collect();
    let fold = match view.how.limit {
        0 => Fold::No,
        _ => Fold::Yes,
    };
    let branches = Forest::of(&tasks, fold).branches;
    let mut text = String::new();
    if !branches.is_empty() {
        text.push('\n');
    }
    for branch in shown(&branches, view.how) {
        let _ = writeln!(text, "{}{}", guide(&branch.is_last), line(branch, &all));
    }
    text.push_str(&left_out(branches.len(), "line", view.how));
    text
}

/// `│   ├── `.
fn guide(is_last: &[bool]) -> String {
    let Some((last, above)) = is_last.split_last() else {
        return String::new();
    };
    let mut guide = String::new();
    for is_last in above {
        guide.push_str(if *is_last { "    " } else { "│   " });
    }
    guide.push_str(if *last { "└── " } else { "├── " });
    guide
}

fn line(branch: &Branch, tasks: &[(&Task, bool)]) -> String {
    let via = match branch.via.as_str() {
        "" => String::new(),
        via => format!("[{}] ", escape_controls(via)),
    };
    match branch.what {
        What::Task(index) => {
            let (task, is_new) = tasks[index];
            let innermost = match task.waits_in() {
                innermost if innermost.is_empty() || task.chain.len() < 2 => String::new(),
                innermost => format!(" → {}", escape_controls(&innermost)),
            };
            let new = if is_new { " (new)" } else { "" };
            format!("{via}{}{innermost}{new}", task_line(task))
        }
        What::Again(index) => {
            format!("{via}{} (above)", escape_controls(&tasks[index].0.label()))
        }
        What::More { like, n } => {
            let alike = tasks[like].0;
            let more = count(n as u64);
            format!(
                "{via}… {more} more like {}",
                escape_controls(&alike.label())
            )
        }
        What::Deeper => "… and deeper".into(),
    }
}
