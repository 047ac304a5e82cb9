//! Numbers as a person reads them.

use std::time::Duration;

use humansize::{DECIMAL, FormatSizeOptions, format_size};

/// `12.4 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let options = FormatSizeOptions::from(DECIMAL)
        .decimal_places(1)
        .decimal_zeroes(0);
    format_size(bytes, options).replace(".0 ", " ")
}

/// `+12.4 MB`, `-3 kB`, and nothing for 0.
pub(crate) fn bytes_delta(delta: i64) -> String {
    signed(delta, bytes(delta.unsigned_abs()))
}

/// `2 GiB`: limits are set in powers of two.
pub(crate) fn limit(bytes: u64) -> String {
    let options = FormatSizeOptions::from(humansize::BINARY)
        .decimal_places(1)
        .decimal_zeroes(0);
    format_size(bytes, options).replace(".0 ", " ")
}

/// `12,310`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 type`, `12,310 types`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// `+1,204`, `-3`, and nothing for 0.
pub(crate) fn count_delta(delta: i64) -> String {
    signed(delta, count(delta.unsigned_abs()))
}

/// `12.3 %`, `< 0.1 %`, and nothing for 0.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return String::new();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    if percent < 0.05 {
        return "< 0.1 %".to_owned();
    }
    format!("{percent:.1} %").replace(".0 ", " ")
}

/// `+3.1 k/min`, and nothing for 0.
pub(crate) fn per_minute(rate: f64) -> String {
    let (size, sign) = (rate.abs(), if rate < 0.0 { '-' } else { '+' });
    if size == 0.0 || !size.is_finite() {
        return String::new();
    }
    let (value, unit) = match size {
        1e9.. => (size / 1e9, " G"),
        1e6.. => (size / 1e6, " M"),
        1e3.. => (size / 1e3, " k"),
        _ => (size, ""),
    };
    if value < 9.95 && (value * 10.0).round() % 10.0 != 0.0 {
        format!("{sign}{value:.1}{unit}/min")
    } else {
        format!("{sign}{value:.0}{unit}/min")
    }
}

/// `850 µs`, `6.2 ms`, `41 ms`, `1.5 s`, `30 s`, `5 m 12 s`, `7 h 20 m`, `3 d 4 h`.
pub(crate) fn duration(duration: Duration) -> String {
    let us = duration.as_micros();
    let seconds = duration.as_secs();
    let short = |value: f64, unit: &str| {
        if value < 9.95 && (value * 10.0).round() % 10.0 != 0.0 {
            format!("{value:.1} {unit}")
        } else {
            format!("{value:.0} {unit}")
        }
    };
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=999_499 => short(us as f64 / 1e3, "ms"),
        _ => match duration.as_secs_f64() {
            ..59.5 => short(us as f64 / 1e6, "s"),
            ..3_600.0 => two(seconds.max(60) / 60, "m", seconds.max(60) % 60, "s"),
            ..86_400.0 => two(seconds / 3_600, "h", seconds / 60 % 60, "m"),
            _ => two(seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
        },
    }
}

fn signed(delta: i64, size: String) -> String {
    match delta {
        0 => String::new(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        let shown = [0, 999, 1_000, 12_400_000, 2_000_001_000].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1 kB", "12.4 MB", "2 GB"]);
        assert_eq!(limit(2 << 30), "2 GiB");
        assert_eq!([1_500, -64, 0].map(bytes_delta), ["+1.5 kB", "-64 B", ""]);
    }

    #[test]
    fn counts_are_grouped() {
        let shown = [0, 999, 1_000, 12_310, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "12,310", "1,234,567"]);
        assert_eq!(counted(1, "type"), "1 type");
        assert_eq!(counted(1_000, "type"), "1,000 types");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!([1_204, -3, 0].map(count_delta), ["+1,204", "-3", ""]);
        assert_eq!(count_delta(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn shares_are_percentages() {
        let shown = [(0, 8), (1, 8), (2, 8), (8, 8), (1, 10_000), (3, 0)].map(|(a, b)| share(a, b));
        assert_eq!(shown, ["", "12.5 %", "25 %", "100 %", "< 0.1 %", ""]);
    }

    #[test]
    fn rates_are_short() {
        let shown = [
            0.0,
            2.0,
            0.25,
            59.99,
            3_100.0,
            -12_000.0,
            4e6,
            f64::INFINITY,
        ]
        .map(per_minute);
        assert_eq!(
            shown,
            [
                "",
                "+2/min",
                "+0.2/min",
                "+60/min",
                "+3.1 k/min",
                "-12 k/min",
                "+4 M/min",
                ""
            ]
        );
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown = [
            0,
            850,
            1_000,
            6_214,
            41_000,
            999_600,
            1_500_000,
            30_000_000,
            59_700_000,
            60_000_000,
            312_000_000,
            26_400_000_000,
            273_600_000_000,
        ]
        .map(|us| duration(Duration::from_micros(us)));
        assert_eq!(
            shown,
            [
                "0 µs", "850 µs", "1 ms", "6.2 ms", "41 ms", "1 s", "1.5 s", "30 s", "1 m", "1 m",
                "5 m 12 s", "7 h 20 m", "3 d 4 h"
            ]
        );
    }
}
