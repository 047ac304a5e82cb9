//! When to look.
//!
//! Looks at even distances show what comes and goes about as often always in the same phase: a cache
//! that is emptied each minute and seen each 59 seconds grows from look to look. So distances differ.

use std::time::Duration;

use crate::rounds::Schedule;

/// Looks by themselves, where they cost little.
const MANY: u64 = 9;
/// By so much of it an interval is longer or shorter than the even one.
const UNEVEN: f64 = 0.4;
/// Fewer show no growth.
const FEW: u64 = leakhunt_heap::hunt::trend::FEWEST_LOOKS as u64;

/// So many looks over `span`, the first at its start and the last at its end; by themselves as
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

/// The times from each of `n_intervals + 1` looks to the next: `even` in the mean, and the same for the
/// same seed.
pub(super) fn uneven(even: Duration, n_intervals: u64, seed: u32) -> Vec<Duration> {
    let mut state = (u64::from(seed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Xorshift.
    let mut part = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as f64 / f64::from(u32::MAX)
    };
    let weights = (0..n_intervals).map(|_| 1.0 + UNEVEN * (2.0 * part() - 1.0));
    let weights: Vec<f64> = weights.collect();
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    let weights = weights.iter().map(|weight| weight / mean);
    weights.map(|weight| even.mul_f64(weight)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_differ_and_end_with_the_time() {
        let even = Duration::from_secs(10);
        for seed in [0, 1, 4121, u32::MAX] {
            let intervals = uneven(even, 8, seed);
            assert_eq!(intervals, uneven(even, 8, seed));
            let all: Duration = intervals.iter().sum();
            assert!(all.abs_diff(even * 8) < Duration::from_millis(1), "{all:?}");
            let within = |one: &Duration| (4.0..24.0).contains(&one.as_secs_f64());
            assert!(intervals.iter().all(within), "{intervals:?}");
            let far = |one: &&Duration| one.abs_diff(even) > Duration::from_millis(500);
            assert!(intervals.iter().filter(far).count() >= 4, "{intervals:?}");
        }
        assert_ne!(uneven(even, 8, 4121), uneven(even, 8, 4122));
        assert!(uneven(even, 0, 4121).is_empty());
    }

    /// A cache that is emptied almost as often as it is looked at.
    #[test]
    fn what_comes_and_goes_as_often_as_looks_does_not_grow() {
        use leakhunt_heap::hunt::trend::{Course, trend};
        let course = |intervals: &[Duration], period: f64| {
            let mut at = 0.0;
            let mut seconds = vec![at];
            for interval in intervals {
                at += interval.as_secs_f64();
                seconds.push(at);
            }
            let held = |at: &f64| (at % period * 100.0).floor();
            let held: Vec<f64> = seconds.iter().map(held).collect();
            trend(&seconds, &held).course
        };
        let even = Duration::from_millis(7_500);
        assert_eq!(course(&[even; 8], 7.2), Course::Grows);
        let n_grow = (0..1000).filter(|&pid| {
            [7.0, 7.2, 7.4, 3.6, 3.7]
                .into_iter()
                .any(|period| course(&uneven(even, 8, pid), period) == Course::Grows)
        });
        let n_grow = n_grow.count();
        assert!(n_grow < 60, "{n_grow}");
    }

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
