//! Durations and sizes as they are typed.

use std::time::Duration;

/// The longest duration that is taken: a hundred years.
const MAX_SECONDS: f64 = 100.0 * 366.0 * 86_400.0;

/// Reads `30`, `30s`, `250ms`, `5m`, `1.5h`, `2d`. A bare number is seconds.
///
/// # Errors
/// With what would be right.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => {
            return Err(format!(
                "unknown unit `{unit}`: try 250ms, 30s, 5m, 1h or 1d"
            ));
        }
    };
    let value = positive(number).ok_or("not a duration: try 30, 30s, 5m or 1h")? * seconds;
    if value > MAX_SECONDS {
        return Err("longer than a hundred years".into());
    }
    Ok(Duration::from_secs_f64(value))
}

/// As [`duration`], but not 0.
///
/// # Errors
/// With what would be right.
pub(crate) fn duration_over_zero(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than 0".into()),
        value => Ok(value),
    }
}

/// Reads `1000`, `10kB`, `10MB`, `10MiB`, `1.5GB`, `2GiB`. A bare number is bytes.
///
/// # Errors
/// With what would be right.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "for the commands that take sizes")
)]
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("unknown unit `{unit}`: try 10MB or 10MiB")),
    };
    let value = positive(number).ok_or("not a size: try 10MB or 10MiB")? * factor;
    if value >= 2_f64.powi(63) {
        return Err("larger than any memory".into());
    }
    Ok(value as u64)
}

/// Splits `1.5 h` into number and unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

fn positive(number: &str) -> Option<f64> {
    number.parse::<f64>().ok().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("1.5s", 1_500),
            ("250ms", 250),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1 h", 3_600_000),
            ("2d", 172_800_000),
            ("0", 0),
            (".5", 500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "s", "-1", "1x", "1,5", "inf", "nan", "1e9", "1..2", "40000d", "1s2",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(duration(&"9".repeat(400)).is_err());
        assert!(duration_over_zero("0ms").is_err());
        assert!(duration_over_zero("1ms").is_ok());
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("1000", 1_000),
            ("10kB", 10_000),
            ("10MB", 10_000_000),
            ("10MiB", 10_485_760),
            ("10m", 10_000_000),
            ("1.5GB", 1_500_000_000),
            ("2 GiB", 2_147_483_648),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "10XB", "99999999TB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
