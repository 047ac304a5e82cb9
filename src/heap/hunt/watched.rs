//! Several looks at heaps by hand, for tests.

use super::history::PlaceHistory;
use super::places::Places;
use crate::snapshot::Snapshot;

/// Looks at a heap of each of these numbers, ten seconds apart: the last one, and what was seen.
pub(super) fn watched(
    numbers: &[u32],
    heap_of: impl Fn(u32) -> Snapshot,
) -> (Snapshot, Places, PlaceHistory) {
    let mut history = PlaceHistory::default();
    let mut last = None;
    for (&number, index) in numbers.iter().zip(0_u32..) {
        let snapshot = heap_of(number);
        let mut places = Places::of(&snapshot);
        history.observe(&mut places, f64::from(index) * 10.0);
        last = Some((snapshot, places));
    }
    let (snapshot, places) = last.unwrap();
    (snapshot, places, history)
}
