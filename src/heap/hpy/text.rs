//! A table as guppy prints it.

use super::wrap::{LINE_LENGTH, fill, wrap};
use crate::kinds::{KindRow, KindTable, KindTableFormat};

/// What `print(table)` prints in guppy, without the end of the last line: at most `limit` rows and
/// how many more there are, or one row more if that is the last. `None` is all rows, as `table.all`.
/// Where guppy would divide by zero, shares are 0.
pub fn text(table: &KindTable, limit: Option<usize>) -> String {
    let mut lines = vec![label(table)];
    if !table.rows.is_empty() {
        lines.push(head(table));
    }
    let mut cumulated_bytes = 0_i64;
    for (index, row) in table.rows.iter().enumerate() {
        if limit.is_some_and(|limit| index >= limit && index + 1 < table.rows.len()) {
            let n_more = table.rows.len() - index;
            lines.push(format!("<{n_more} more rows. Type e.g. '_.more' to view.>"));
            break;
        }
        cumulated_bytes = cumulated_bytes.saturating_add(row.size_bytes);
        lines.push(lines_of_row(
            &numbers(table, index, row, cumulated_bytes),
            &row.kind,
        ));
    }
    lines.join("\n").trim_end().to_owned()
}

fn label(table: &KindTable) -> String {
    let (n_objects, size_bytes) = (table.n_objects, table.size_bytes);
    let plural = if n_objects == 1 { "" } else { "s" };
    match table.format {
        KindTableFormat::Set => format!(
            "Partition of a set of {n_objects} object{plural}. Total size = {size_bytes} bytes."
        ),
        KindTableFormat::Id => format!(
            "Set of {n_objects} {} object{plural}. Total size = {size_bytes} bytes.",
            table.kind_name
        ),
        KindTableFormat::Diff {
            n_objects: n_before,
            size_bytes: bytes_before,
        } => {
            let mut label = format!(
                "Summary of difference operation (A-B).\n        Count     Size\n  \
                 A    {:6} {:8}\n  B    {n_before:6} {bytes_before:8}\n  \
                 A-B  {n_objects:6} {size_bytes:8}  = {} % of B\n",
                n_objects.saturating_add(n_before),
                size_bytes.saturating_add(bytes_before),
                percent_of(size_bytes, bytes_before),
            );
            if (n_objects, size_bytes) != (0, 0) {
                label.push_str("\nDifferences by kind, largest absolute size diffs first.");
            }
            label
        }
    }
}

fn head(table: &KindTable) -> String {
    if (table.n_objects, table.size_bytes) == (0, 0) {
        return String::new();
    }
    let numbers = match table.format {
        KindTableFormat::Set => " Index  Count   %     Size   % Cumulative  % ",
        KindTableFormat::Id => " Index     Size   %   Cumulative  %   ",
        KindTableFormat::Diff { .. } => " Index  Count     Size  Cumulative  % of B ",
    };
    fill(
        &format!("{numbers}{}", table.kind_header),
        "",
        &" ".repeat(numbers.len()),
    )
}

fn numbers(table: &KindTable, index: usize, row: &KindRow, cumulated_bytes: i64) -> String {
    let (n_objects, size_bytes) = (row.n_objects, row.size_bytes);
    match table.format {
        KindTableFormat::Set => format!(
            "{index:6} {n_objects:6} {:3} {size_bytes:8} {:3} {cumulated_bytes:9} {:3} ",
            whole_percent(n_objects, table.n_objects),
            whole_percent(size_bytes, table.size_bytes),
            whole_percent(cumulated_bytes, table.size_bytes),
        ),
        KindTableFormat::Id => format!(
            "{index:6} {size_bytes:8} {:5.1} {cumulated_bytes:9} {:5.1} ",
            percent(size_bytes, table.size_bytes),
            percent(cumulated_bytes, table.size_bytes),
        ),
        KindTableFormat::Diff {
            size_bytes: bytes_before,
            ..
        } => format!(
            "{index:6} {n_objects:6} {size_bytes:8} {cumulated_bytes:9} {} ",
            percent_of(cumulated_bytes, bytes_before),
        ),
    }
}

fn lines_of_row(numbers: &str, kind: &str) -> String {
    let indent = " ".repeat(numbers.len());
    let mut lines = Vec::new();
    for (index, part) in kind.split('\n').enumerate() {
        if index == 0 {
            lines.extend(wrap(&format!("{numbers}{part}"), LINE_LENGTH, "", &indent));
        } else {
            lines.extend(wrap(part, LINE_LENGTH, &indent, &indent));
        }
    }
    lines.join("\n")
}

fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 * 100.0 / whole as f64
}

/// `int('%.0f' % x)`: halves go to the even number.
fn whole_percent(part: i64, whole: i64) -> i64 {
    percent(part, whole).round_ties_even() as i64
}

fn percent_of(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "   (n.a.)".to_owned();
    }
    format!("{:>9}", three_digits(percent(part, whole)))
}

/// C's `%.3g`.
fn three_digits(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{value:.2e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..3).contains(&exponent) {
        let n_decimals = usize::try_from(2 - exponent).unwrap_or_default();
        return without_trailing_zeros(&format!("{value:.n_decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{}e{sign}{:02}",
        without_trailing_zeros(digits),
        exponent.unsigned_abs()
    )
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_percent_go_to_the_even_number() {
        for (part, whole, percent) in [
            (1, 200, 0),
            (3, 200, 2),
            (1, 8, 12),
            (-1, 8, -12),
            (7, 0, 0),
        ] {
            assert_eq!(whole_percent(part, whole), percent, "{part} of {whole}");
        }
    }

    #[test]
    fn three_digits_are_those_of_c() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (100.0, "100"),
            (54.123, "54.1"),
            (-54.1, "-54.1"),
            (5.0, "5"),
            (0.5, "0.5"),
            (0.000_123_4, "0.000123"),
            (0.000_012_34, "1.23e-05"),
            (999.4, "999"),
            (999.6, "1e+03"),
            (1000.0, "1e+03"),
            (1234.0, "1.23e+03"),
            (-123_456.0, "-1.23e+05"),
            (0.009_999, "0.01"),
            (1.25e120, "1.25e+120"),
        ] {
            assert_eq!(three_digits(value), text, "{value}");
        }
    }
}
