//! What a look may cost the target: stop time, memory and time of the copy.

use std::time::Duration;

use crate::failure::{Exit, Failure};
use crate::render::numbers::{bytes, duration};

/// Measured: a copy-on-write clone costs up to this much for each GB of anonymous memory, …
const CLONE_NS_PER_GB: u64 = 16_000_000;
/// … and this much besides.
const CLONE_NS: u64 = 1_000_000;
/// Measured: a walk in place stops the target for up to this long for each object.
const WALK_NS_PER_OBJECT: u64 = 400;
/// A clone that takes no longer than this is never worth a walk in place.
const QUICK_CLONE_NS: u64 = 20_000_000;

/// The memory of a target and of what it lives in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Memory {
    /// Resident.
    pub(crate) rss_bytes: u64,
    /// The part of it that is not of files; what a clone has to copy page tables for.
    pub(crate) anonymous_bytes: u64,
    /// Not resident: in the swap.
    pub(crate) swapped_bytes: u64,
    /// What the machine has left; `None` where it does not tell.
    pub(crate) available_bytes: Option<u64>,
    /// What the target's cgroups have left; `None` where there is no limit.
    pub(crate) cgroup_headroom_bytes: Option<u64>,
}

impl Memory {
    /// What a heap can take up of it at most, which may grow until it is looked at.
    pub(crate) fn most_bytes(&self) -> u64 {
        const GROWTH: u64 = 256 << 20;
        match self.rss_bytes {
            // Not known.
            0 => u64::MAX,
            rss_bytes => 2 * (rss_bytes + self.swapped_bytes) + GROWTH,
        }
    }
}

/// The limits of one look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Budget {
    /// Up to so many objects the walk is done in place; 0: never.
    pub(crate) in_place_max_objects: u64,
    /// Up to so many where a copy is refused.
    pub(crate) refused_max_objects: u64,
    /// For the copy.
    pub(crate) time_limit: Duration,
    /// For what the copy allocates of its own.
    pub(crate) memory_limit_bytes: u64,
}

impl Budget {
    /// The limits for a target of this memory that may be stopped for `max_pause`.
    pub(crate) fn new(memory: &Memory, max_pause: Duration) -> Self {
        let clone_ns = clone_ns(memory);
        Self {
            in_place_max_objects: if clone_ns > QUICK_CLONE_NS {
                clone_ns / WALK_NS_PER_OBJECT
            } else {
                0
            },
            refused_max_objects: u64::try_from(max_pause.as_nanos()).unwrap_or(u64::MAX)
                / WALK_NS_PER_OBJECT,
            time_limit: time_limit(memory),
            memory_limit_bytes: memory_limit(memory),
        }
    }
}

/// Refuses when the target would be stopped for longer than `max_pause`. `n_objects` is known from
/// the look before; where a walk in place is possible, it may be the shorter way.
///
/// # Errors
/// With the estimate and the option to type.
pub(crate) fn check_pause(
    memory: &Memory,
    n_objects: Option<u64>,
    max_pause: Duration,
) -> Result<(), Failure> {
    let clone = Duration::from_nanos(clone_ns(memory));
    let in_place = n_objects.map(|n| Duration::from_nanos(n.saturating_mul(WALK_NS_PER_OBJECT)));
    let estimate = in_place.map_or(clone, |in_place| in_place.min(clone));
    if estimate <= max_pause {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NoAttach,
        format!(
            "a look would stop the target for about {} ({} of anonymous memory), longer than --max-pause {}",
            duration(estimate),
            bytes(memory.anonymous_bytes),
            duration(max_pause),
        ),
    )
    .with_help(format!(
        "nothing was done to it; to look all the same: --max-pause {}ms",
        round_up(estimate)
    )))
}

fn clone_ns(memory: &Memory) -> u64 {
    let per_gb = u128::from(memory.anonymous_bytes) * u128::from(CLONE_NS_PER_GB) / 1_000_000_000;
    CLONE_NS.saturating_add(u64::try_from(per_gb).unwrap_or(u64::MAX))
}

/// A fifth more than the estimate, rounded up to 50 ms.
fn round_up(estimate: Duration) -> u128 {
    (estimate.as_millis() * 6 / 5 + 1).next_multiple_of(50)
}

/// A walk takes about 0.1 µs an object, and 1 GB holds about 10 million: 1 s. Thrice that and 10 s
/// besides leaves room for a machine that is busy; five minutes are too long for any.
fn time_limit(memory: &Memory) -> Duration {
    let seconds = 10 + 3 * (memory.anonymous_bytes / 1_000_000_000);
    Duration::from_secs(seconds.min(300))
}

/// The walk needs some bytes an object, well under a quarter of what the objects take. But never
/// more than half of what is left on the machine and in the target's cgroup: rather no look than
/// the out-of-memory killer in the target's cgroup.
fn memory_limit(memory: &Memory) -> u64 {
    let wanted = (memory.rss_bytes / 4).max(256 << 20);
    let left = [memory.available_bytes, memory.cgroup_headroom_bytes];
    left.into_iter()
        .flatten()
        .map(|left| left / 2)
        .fold(wanted, u64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;
    const MAX_PAUSE: Duration = Duration::from_millis(250);

    fn memory(anonymous_bytes: u64) -> Memory {
        Memory {
            rss_bytes: anonymous_bytes,
            anonymous_bytes,
            ..Memory::default()
        }
    }

    #[test]
    fn a_small_target_is_always_copied() {
        let budget = Budget::new(&memory(GB), MAX_PAUSE);
        assert_eq!(budget.in_place_max_objects, 0);
        assert_eq!(budget.refused_max_objects, 625_000);
        assert_eq!(budget.time_limit, Duration::from_secs(13));
    }

    #[test]
    fn few_objects_beside_much_memory_are_walked_in_place() {
        let budget = Budget::new(&memory(10 * GB), MAX_PAUSE);
        assert_eq!(budget.in_place_max_objects, 161_000_000 / 400);
        assert_eq!(
            Budget::new(&memory(u64::MAX), MAX_PAUSE).time_limit,
            Duration::from_secs(300)
        );
    }

    #[test]
    fn the_copy_takes_no_more_than_half_of_what_is_left() {
        let limit = |rss_bytes, available_bytes, cgroup_headroom_bytes| {
            memory_limit(&Memory {
                rss_bytes,
                available_bytes,
                cgroup_headroom_bytes,
                ..Memory::default()
            })
        };
        assert_eq!(limit(0, None, None), 256 << 20);
        assert_eq!(limit(8 * GB, Some(100 * GB), None), 2 * GB);
        assert_eq!(limit(8 * GB, Some(3 * GB), None), 3 * GB / 2);
        assert_eq!(limit(8 * GB, Some(3 * GB), Some(1000)), 500);
    }

    #[test]
    fn too_long_a_pause_is_refused_with_the_option_to_type() {
        assert!(check_pause(&memory(10 * GB), None, MAX_PAUSE).is_ok());
        let refusal = check_pause(&memory(20 * GB), None, MAX_PAUSE).unwrap_err();
        assert_eq!(refusal.exit, Exit::NoAttach);
        assert_eq!(
            refusal.to_string(),
            "a look would stop the target for about 321 ms (20 GB of anonymous memory), \
             longer than --max-pause 250 ms"
        );
        let help = crate::failure::help_of(&refusal.into()).unwrap();
        assert!(help.ends_with("--max-pause 400ms"), "{help}");
    }

    #[test]
    fn few_objects_make_a_large_target_bearable() {
        assert!(check_pause(&memory(20 * GB), Some(600_000), MAX_PAUSE).is_ok());
        assert!(check_pause(&memory(20 * GB), Some(700_000), MAX_PAUSE).is_err());
    }
}
