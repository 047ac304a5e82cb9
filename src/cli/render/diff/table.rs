//! A difference as a table for people.

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::gate::DiffRow;

use super::{LIMIT, shown_rows, signed_bytes, signed_count};
use crate::difference::{Difference, IdentityCounts, Side};
use crate::render::numbers::{bytes_delta, count, count_delta, counted, duration};
use crate::render::rows::{RowView, moment};
use crate::render::table::{Emphasis, number, table, text as text_column};
use crate::render::text::escape_controls;

/// The widths of all columns but that of the names, about.
const OTHERS: usize = 56;

/// The table, with what is compared above and the totals below.
pub(super) fn text(difference: &Difference, view: &RowView) -> String {
    let mut shown = heading(&difference.before, &difference.after);
    let rows = shown_rows(difference, view, true);
    shown.push_str(&rows_of(difference, &rows, view));
    let _ = writeln!(shown, "{}", totals(difference));
    if let Some(identity) = &difference.identity {
        shown.push_str(&identity_line(identity));
    }
    shown
}

/// The rows that fit the limit, and how many there are besides.
fn rows_of(difference: &Difference, rows: &[&DiffRow], view: &RowView) -> String {
    if rows.is_empty() {
        return if view.shows_all() {
            "nothing grew or shrank\n".to_owned()
        } else {
            "nothing that matches grew or shrank\n".to_owned()
        };
    }
    let n_shown = rows.len().min(view.limit(LIMIT).unwrap_or(usize::MAX));
    let shown_rows = &rows[..n_shown];
    let what = kind_word(difference);
    let columns = [
        text_column(what),
        number("before"),
        number("after"),
        number("delta"),
        number("bytes"),
        number("bytes delta"),
    ];
    let cells = shown_rows.iter().map(|row| {
        let is_over = difference.is_over_limit(&row.name);
        let cells = vec![
            view.name(&row.name, if is_over { " !" } else { "" }, OTHERS),
            signed_count(row.n_before),
            signed_count(row.n_after),
            count_delta(row.objects_delta()),
            signed_bytes(row.bytes_after, row.is_estimate),
            bytes_delta(row.bytes_delta()),
        ];
        let emphasis = match (is_over, row.bytes_delta() < 0 || row.objects_delta() < 0) {
            (true, _) => Emphasis::Strong,
            (false, true) => Emphasis::Weak,
            (false, false) => Emphasis::None,
        };
        (emphasis, cells)
    });
    let mut shown = table(&columns, cells, view.color);
    let all = difference.table.rows.iter();
    let n_matching = all.filter(|row| view.shows(&row.name)).count();
    let more: Vec<String> = [
        (rows.len() - n_shown, format!("more {what}"), "changed"),
        (n_matching - rows.len(), what.to_owned(), "did not change"),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, what, did)| format!("{} {did}", counted(n as u64, &what)))
    .collect();
    if !more.is_empty() {
        let _ = writeln!(shown, "{}", more.join(", "));
    }
    if shown_rows
        .iter()
        .any(|row| difference.is_over_limit(&row.name))
    {
        shown.push_str("! over a limit\n");
    }
    if shown_rows.iter().any(|row| row.is_estimate) {
        shown
            .push_str("~ an estimate: basic size and items, the layout of the type is not known\n");
    }
    shown
}

/// `type` or `kind`.
pub(super) fn kind_word(difference: &Difference) -> &'static str {
    match difference.before.table.kind_header.as_str() {
        "Type" => "type",
        _ => "kind",
    }
}

fn heading(before: &Side, after: &Side) -> String {
    let elapsed_us = after.time_us.saturating_sub(before.time_us);
    let apart = match u64::try_from(elapsed_us) {
        Ok(0) => "of the same moment".to_owned(),
        Ok(us) => format!("{} later", duration(Duration::from_micros(us))),
        Err(_) => {
            let us = elapsed_us.unsigned_abs();
            format!("{} earlier", duration(Duration::from_micros(us)))
        }
    };
    let process = match (before.pid, after.pid) {
        (Some(one), Some(other)) if one == other => {
            let python = match after.python.as_str() {
                "" => String::new(),
                version => format!(", CPython {}", escape_controls(version)),
            };
            format!("process {one}{python}: ")
        }
        _ => String::new(),
    };
    let after_name = match before.name == after.name {
        true => place(after).trim_start().to_owned(),
        false => format!("{}{}", after.name, place(after)),
    };
    let after_name = match after_name.as_str() {
        "" if before.time_us == after.time_us => "itself",
        "" => "the last look",
        name => name,
    };
    format!(
        "{process}{}{} ({}) to {after_name} ({apart})\n",
        before.name,
        place(before),
        moment(before.time_us),
    )
}

fn place(side: &Side) -> String {
    match side.place {
        Some((number, n_all)) => format!(" table {number} of {n_all}"),
        None => String::new(),
    }
}

/// `objects 16,265 (+152)  bytes 844.4 kB (+7.4 kB)`.
pub(super) fn totals(difference: &Difference) -> String {
    let total = &difference.table.total;
    let with_delta = |value: String, delta: String| match delta.as_str() {
        "" => value,
        delta => format!("{value} ({delta})"),
    };
    format!(
        "objects {}  bytes {}",
        with_delta(
            signed_count(total.n_after),
            count_delta(total.objects_delta())
        ),
        with_delta(
            signed_bytes(total.bytes_after, false),
            bytes_delta(total.bytes_delta())
        ),
    )
}

fn identity_line(identity: &IdentityCounts) -> String {
    let mut line = format!(
        "of the objects after: {} were there before, {} probably, {} are new\n",
        count(identity.n_survivors),
        count(identity.n_probable),
        count(identity.n_new)
    );
    if identity.free_threaded {
        line.push_str(
            "without the GIL Python keeps no order of birth: what was there before can at most be \
             told as probable\n",
        );
    }
    line
}
