//! When to look.

use std::time::Duration;

use crate::rounds::Schedule;

/// Looks by themselves, where they cost little.
const MANY: u64 = 9;
/// Fewer show no growth.
const FEW: u64 = leakhunt_heap::hunt::trend::FEWEST_LOOKS as u64;

/// So many looks, evenly over `span`, the first at its start and the last at its end; by themselves as
/// many as leave half of the time between them. One look took `cost`.
pub(super) fn schedule(span: Duration, wanted: Option<u64>, cost: Duration) -> Schedule {
    let count = wanted.unwrap_or_else(|| affordable(span, cost).clamp(FEW, MANY));
    Schedule {
        interval: interval(span, count - 1, cost),
        count: Some(count),
    }
}

/// The same with `n_left` more looks, the last after `left`, since a look takes longer than thought;
/// fewer where it was not `wanted` how many.
pub(super) fn schedule_again(
    left: Duration,
    n_left: u64,
    wanted: Option<u64>,
    cost: Duration,
) -> Schedule {
    let count = match wanted {
        Some(_) => n_left,
        None => n_left.min(affordable(left, cost).max(FEW)),
    };
    Schedule {
        interval: interval(left, count, cost),
        count: Some(count),
    }
}

/// So many looks leave half of the time between them.
fn affordable(span: Duration, cost: Duration) -> u64 {
    let affordable = span.as_nanos() / (cost.as_nanos() * 2).max(1) + 1;
    u64::try_from(affordable).unwrap_or(u64::MAX)
}

fn interval(span: Duration, n_intervals: u64, cost: Duration) -> Duration {
    let n_intervals = u32::try_from(n_intervals).unwrap_or(u32::MAX).max(1);
    (span / n_intervals).max(cost).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(span_s: u64, wanted: Option<u64>, cost_ms: u64) -> (u64, Duration) {
        let cost = Duration::from_millis(cost_ms);
        let schedule = schedule(Duration::from_secs(span_s), wanted, cost);
        (schedule.count.unwrap(), schedule.interval)
    }

    #[test]
    fn looks_are_spaced_to_fit_the_time() {
        let s = Duration::from_secs;
        assert_eq!(planned(60, None, 100), (9, Duration::from_millis(7_500)));
        assert_eq!(planned(60, Some(5), 100), (5, s(15)));
        assert_eq!(planned(60, None, 5_000), (7, s(10)));
        // Four at least, however long that takes.
        assert_eq!(planned(60, None, 40_000), (4, s(40)));
        assert_eq!(planned(1, Some(5), 1_000), (5, s(1)));
    }

    #[test]
    fn what_is_left_of_the_time_is_spaced_anew() {
        let again_of = |wanted, left_s, n_left, cost_ms| {
            let cost = Duration::from_millis(cost_ms);
            let schedule = schedule_again(Duration::from_secs(left_s), n_left, wanted, cost);
            (schedule.count.unwrap(), schedule.interval)
        };
        let s = Duration::from_secs;
        let again = |left_s, n_left, cost_ms| again_of(None, left_s, n_left, cost_ms);
        assert_eq!(again_of(Some(9), 50, 8, 10_000), (8, s(10)));
        assert_eq!(again(56, 7, 100), (7, s(8)));
        assert_eq!(again(50, 8, 5_000), (6, Duration::from_secs(50) / 6));
        assert_eq!(again(10, 8, 10_000), (4, s(10)));
        assert_eq!(again(0, 3, 100), (3, Duration::from_millis(100)));
    }
}
