//! The look of all tables: no lines, numbers to the right, two blanks between columns.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Row, Table};

/// A column's heading and side.
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) is_number: bool,
}

/// A column of text.
pub(super) fn text(heading: &'static str) -> Column {
    Column {
        heading,
        is_number: false,
    }
}

/// A column of numbers.
pub(super) fn number(heading: &'static str) -> Column {
    Column {
        heading,
        is_number: true,
    }
}

/// How a row stands out, where colours are allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Emphasis {
    None,
    Strong,
    Weak,
}

/// The table as lines, each with its newline and without blanks at the end.
pub(super) fn table(
    columns: &[Column],
    rows: impl IntoIterator<Item = (Emphasis, Vec<String>)>,
    color: bool,
) -> String {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let headings = columns.iter().map(|column| {
        let heading = Cell::new(column.heading);
        if color {
            heading.add_attribute(Attribute::Dim)
        } else {
            heading
        }
    });
    table.set_header(Row::from(headings));
    for (emphasis, cells) in rows {
        table.add_row(cells.into_iter().map(|cell| match emphasis {
            Emphasis::Strong if color => Cell::new(cell).add_attribute(Attribute::Bold),
            Emphasis::Weak if color => Cell::new(cell).add_attribute(Attribute::Dim),
            _ => Cell::new(cell),
        }));
    }
    let last = columns.len().saturating_sub(1);
    for (index, column) in columns.iter().enumerate() {
        if let Some(shown) = table.column_mut(index) {
            shown.set_padding((0, if index == last { 0 } else { 2 }));
            if column.is_number {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let mut lines = String::new();
    for line in table.to_string().lines() {
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}
