//! A difference as a comment of a pull request.

use std::fmt::Write as _;

use super::table::{kind_word, totals};
use super::{LIMIT, sentence, shown_rows, signed_bytes, signed_count, verdict};
use crate::difference::Difference;
use crate::render::numbers::{bytes_delta, count_delta, counted};
use crate::render::rows::RowView;
use crate::render::text::{cut_start, escape_controls};

/// Longer names are cut: the comment has a limit of its own.
const NAME_MAX: usize = 200;
/// How much that is over a limit is told.
const MAX_TOLD: usize = 20;

/// The verdict, what is over a limit, and the rows that changed.
pub(super) fn comment(difference: &Difference, view: &RowView) -> String {
    let rows = shown_rows(difference, view, true);
    let verdict = match verdict(difference) {
        Some(verdict) => format!("leakhunt: {verdict}"),
        None => "leakhunt".to_owned(),
    };
    let mut text = format!("**{verdict}** — {}\n", totals(difference));
    told(&mut text, difference);
    if rows.is_empty() {
        text.push_str("\nNothing grew or shrank.\n");
        return text;
    }
    let _ = writeln!(
        text,
        "\n| {} | before | after | delta | bytes | bytes delta |\n|:--|--:|--:|--:|--:|--:|",
        kind_word(difference)
    );
    let n_shown = rows.len().min(view.limit(LIMIT).unwrap_or(usize::MAX));
    for row in &rows[..n_shown] {
        let name = code(&row.name);
        let name = match difference.is_over_limit(&row.name) {
            true => format!("**{name}**"),
            false => name,
        };
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} |",
            signed_count(row.n_before),
            signed_count(row.n_after),
            count_delta(row.objects_delta()),
            signed_bytes(row.bytes_after, row.is_estimate).replace('~', "\\~"),
            bytes_delta(row.bytes_delta()),
        );
    }
    let n_more = (rows.len() - n_shown) as u64;
    if n_more > 0 {
        let more = counted(n_more, &format!("more {}", kind_word(difference)));
        let _ = writeln!(text, "\n{more} changed.");
    }
    text
}

/// What is over a limit, and the limits that name nothing, each as an item of a list.
fn told(text: &mut String, difference: &Difference) {
    let gate = &difference.gate;
    let mut items: Vec<String> = gate
        .exceeded
        .iter()
        .map(|over| code_less(&sentence(over)))
        .collect();
    let n_more = items.len().saturating_sub(MAX_TOLD);
    items.truncate(MAX_TOLD);
    if n_more > 0 {
        items.push(format!("and {n_more} more"));
    }
    for limit in &gate.names_nothing {
        items.push(format!("{} names nothing in either file", code(limit)));
    }
    if !items.is_empty() {
        text.push('\n');
    }
    for item in items {
        let _ = writeln!(text, "- {item}");
    }
}

/// A name as code, fit for the cell of a table.
fn code(name: &str) -> String {
    let name = escape_controls(name);
    let cut = cut_start(&name, NAME_MAX);
    let cut = cut.replace('|', "\\|");
    let mut fence = "`".to_owned();
    while cut.contains(&fence) {
        fence.push('`');
    }
    match cut.starts_with(['`', ' ']) || cut.ends_with(['`', ' ']) || cut.is_empty() {
        true => format!("{fence} {cut} {fence}"),
        false => format!("{fence}{cut}{fence}"),
    }
}

/// Text without anything that Markdown would take for a sign.
fn code_less(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '#' | '&' | '@'
        ) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}
