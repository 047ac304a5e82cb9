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
    let affordable = span.as_nanos() / (cost.as_nanos() * 2).max(1) + 1;
    let affordable = u64::try_from(affordable).unwrap_or(u64::MAX);
    let count = wanted.unwrap_or_else(|| affordable.clamp(FEW, MANY));
    let n_intervals = u32::try_from(count - 1).unwrap_or(u32::MAX).max(1);
    Schedule {
        interval: (span / n_intervals).max(cost).max(Duration::from_millis(1)),
        count: Some(count),
    }
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
}
