//! Some objects of many.

use crate::snapshot::ObjId;

/// At most `max` of the objects, in their order, from all over: one of each stretch of equal length.
/// Which one differs from stretch to stretch, as neighbours may take turns in where they are held.
pub(super) fn sample(objects: Vec<ObjId>, max: usize) -> Vec<ObjId> {
    let n_objects = objects.len();
    if n_objects <= max {
        return objects;
    }
    let start = |stretch: usize| (stretch as u128 * n_objects as u128 / max as u128) as usize;
    (0..max)
        .map(|stretch| {
            let (first, end) = (start(stretch), start(stretch + 1));
            objects[first + scattered(stretch) % (end - first)]
        })
        .collect()
}

/// A number that says nothing of the other's neighbours (Fibonacci hashing).
fn scattered(number: usize) -> usize {
    ((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_from_all_over_and_takes_no_turns() {
        let objects: Vec<ObjId> = (0..20_001).map(ObjId).collect();
        assert_eq!(sample(objects.clone(), 20_001), objects);
        let some = sample(objects, 10_000);
        assert_eq!(some.len(), 10_000);
        assert!(some.is_sorted() && some.windows(2).all(|pair| pair[0] != pair[1]));
        for quarter in 0..4 {
            let within = |object: &&ObjId| (object.0 * 4 / 20_001).min(3) == quarter;
            let n_within = some.iter().filter(within).count();
            assert!((2_490..=2_510).contains(&n_within), "{n_within}");
        }
        let n_even = some.iter().filter(|object| object.0 % 2 == 0).count();
        assert!((4_500..=5_500).contains(&n_even), "{n_even}");
    }
}
