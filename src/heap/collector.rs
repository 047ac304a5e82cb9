//! How the collector is set, and why it has not freed some garbage.

use leakhunt_wire::CollectorDef;
use serde::{Deserialize, Serialize};

use crate::garbage::GarbageLook;
use crate::snapshot::Capture;

/// How the collector is set. `None` is not known: builds without the GIL, files of older versions.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CollectorState {
    /// `gc.isenabled()`.
    pub enabled: Option<bool>,
    /// `gc.get_threshold()`, the young generation's first.
    pub thresholds: Option<[u64; 3]>,
    /// `gc.get_count()`.
    pub counts: Option<[u64; 3]>,
    /// Collections of each generation since the start of the interpreter.
    pub collections: Option<[u64; 3]>,
    /// `gc.get_debug()`.
    pub debug: Option<u64>,
    /// Objects in `gc.garbage`.
    #[serde(rename = "uncollectable")]
    pub n_uncollectable: Option<u64>,
    /// Objects that lived through the last full collection.
    pub long_lived: Option<u64>,
    /// Objects that came into the old generation since.
    pub long_lived_pending: Option<u64>,
}

impl From<&CollectorDef> for CollectorState {
    fn from(def: &CollectorDef) -> Self {
        let known = |numbers| def.has_generations.then_some(numbers);
        Self {
            enabled: def.enabled.map(|enabled| enabled != 0),
            thresholds: known(def.thresholds),
            counts: known(def.counts),
            collections: known(def.collections),
            debug: def.debug,
            n_uncollectable: def.n_uncollectable,
            long_lived: def.long_lived,
            long_lived_pending: def.long_lived_pending,
        }
    }
}

impl CollectorState {
    /// Whether it starts by itself, as far as is known.
    pub fn runs(&self) -> bool {
        self.enabled != Some(false) && self.thresholds.is_none_or(|[young, ..]| young > 0)
    }
}

/// `gc.DEBUG_SAVEALL`.
const SAVE_ALL: u64 = 32;
/// Above this a threshold was raised by far: Python's own are 700 and 2,000.
const HIGH_THRESHOLD: u64 = 20_000;

/// Why garbage is still there, for people, each reason a sentence without a full stop. Only what is
/// known: nothing is said about what `capture` does not tell. Empty where there is no garbage.
pub fn why_not_collected(capture: &Capture, garbage: &GarbageLook) -> Vec<String> {
    if garbage.n_objects == 0 {
        return Vec::new();
    }
    let collector = &capture.collector;
    let mut why = Vec::new();
    if collector.enabled == Some(false) {
        why.push("the collector is switched off (gc.disable()): nothing starts it".into());
    }
    let young = collector.thresholds.map(|[young, ..]| young);
    match young {
        Some(0) => why.push(
            "the threshold of the young generation is 0 (gc.set_threshold()): nothing starts the \
             collector"
                .into(),
        ),
        Some(threshold) if threshold > HIGH_THRESHOLD => why.push(format!(
            "the threshold of the young generation is {threshold} (gc.set_threshold()): only \
             after so many new objects more than freed ones does the collector start"
        )),
        _ => {}
    }
    if garbage.n_frozen > 0 {
        why.push(format!(
            "{} of {} objects are frozen (gc.freeze()): the collector does not look at these",
            garbage.n_frozen, garbage.n_objects
        ));
    }
    if collector.debug.is_some_and(|flags| flags & SAVE_ALL != 0) {
        why.push("gc.DEBUG_SAVEALL is set: what is collected goes to gc.garbage".into());
    }
    if let Some(n_uncollectable @ 1..) = collector.n_uncollectable {
        why.push(format!("gc.garbage holds {n_uncollectable} objects"));
    }
    if capture.is_during_collection {
        why.push("the collector was at work during the look".into());
    }
    if is_incremental(&capture.python) {
        why.push(format!(
            "Python {} collects old objects in small steps, which may come too late; 3.14.5 no \
             longer does",
            capture.python
        ));
    }
    // Whether it may be that the collector has simply not come to it yet.
    let runs = collector.enabled == Some(true) && collector.runs();
    if runs && garbage.n_old > 0 {
        why.push(not_yet_full(collector, garbage));
    }
    if runs && garbage.n_young > 0 {
        why.push(format!(
            "{} of {} objects are in the younger generations: the collector will come to them \
             as new objects are made",
            garbage.n_young, garbage.n_objects
        ));
    }
    why
}

/// A full collection starts when the middle generation was collected often enough since the last one,
/// and a quarter more objects than that one left have grown old.
fn not_yet_full(collector: &CollectorState, garbage: &GarbageLook) -> String {
    let of_old = format!(
        "{} of {} objects are in the old generation, and no full collection was due since",
        garbage.n_old, garbage.n_objects
    );
    if let (Some(total), Some(pending)) = (collector.long_lived, collector.long_lived_pending)
        && pending < total / 4
    {
        return format!(
            "{of_old}: it takes {} more objects that grow old; {pending} did",
            total / 4
        );
    }
    match (collector.counts, collector.thresholds) {
        (Some([_, _, count]), Some([_, _, threshold])) if count <= threshold => format!(
            "{of_old}: it takes more than {threshold} collections of the middle generation; there \
             were {count}"
        ),
        _ => of_old,
    }
}

/// The versions whose collector is incremental: 3.14.0 to 3.14.4.
fn is_incremental(python: &str) -> bool {
    let Some(patch) = python.strip_prefix("3.14.") else {
        return false;
    };
    let end = patch.find(|c: char| !c.is_ascii_digit());
    let number: Result<u32, _> = patch[..end.unwrap_or(patch.len())].parse();
    number.is_ok_and(|number| number <= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(collector: CollectorState) -> Capture {
        Capture {
            python: "3.12.1".into(),
            collector,
            ..Capture::default()
        }
    }

    fn garbage(n_frozen: u64, n_old: u64, n_young: u64) -> GarbageLook {
        GarbageLook {
            n_objects: n_frozen + n_old + n_young,
            n_frozen,
            n_old,
            n_young,
            ..GarbageLook::default()
        }
    }

    fn on() -> CollectorState {
        CollectorState {
            enabled: Some(true),
            thresholds: Some([700, 10, 10]),
            counts: Some([100, 2, 3]),
            collections: Some([90, 9, 3]),
            debug: Some(0),
            n_uncollectable: Some(0),
            long_lived: Some(4000),
            long_lived_pending: Some(17),
        }
    }

    #[track_caller]
    fn only(why: &[String], text: &str) {
        assert!(matches!(why, [only] if only.contains(text)), "{why:?}");
    }

    #[test]
    fn each_cause_is_named() {
        let why = |collector, look: &GarbageLook| why_not_collected(&capture(collector), look);
        let off = CollectorState {
            enabled: Some(false),
            ..on()
        };
        only(&why(off, &garbage(0, 0, 9)), "gc.disable()");
        let never = CollectorState {
            thresholds: Some([0, 10, 10]),
            ..on()
        };
        only(&why(never, &garbage(0, 9, 0)), "generation is 0");
        let rarely = CollectorState {
            thresholds: Some([1_000_000, 10, 10]),
            ..on()
        };
        assert!(why(rarely, &garbage(0, 0, 9))[0].contains("1000000"));
        only(&why(on(), &garbage(9, 0, 0)), "9 of 9 objects are frozen");
        let full = why(on(), &garbage(0, 9, 0));
        only(&full, "takes 1000 more objects that grow old; 17 did");
        let first = CollectorState {
            long_lived: Some(0),
            long_lived_pending: Some(41_269),
            ..on()
        };
        let first = why(first, &garbage(0, 9, 0));
        only(
            &first,
            "more than 10 collections of the middle generation; there were 3",
        );
        only(&why(on(), &garbage(0, 0, 9)), "younger generations");
        let saving = CollectorState {
            debug: Some(SAVE_ALL),
            n_uncollectable: Some(12),
            ..on()
        };
        let saving = why(saving, &garbage(0, 0, 9));
        assert!(saving[0].contains("DEBUG_SAVEALL") && saving[1].contains("12 objects"));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known_nor_without_garbage() {
        let unknown = capture(CollectorState::default());
        assert_eq!(why_not_collected(&unknown, &garbage(0, 3, 3)), [""; 0]);
        let off = CollectorState {
            enabled: Some(false),
            ..on()
        };
        assert_eq!(why_not_collected(&capture(off), &garbage(0, 0, 0)), [""; 0]);
    }

    #[test]
    fn only_the_first_patches_of_3_14_are_incremental() {
        for python in ["3.14.0", "3.14.0rc2", "3.14.4", "3.14.3+"] {
            assert!(is_incremental(python), "{python}");
        }
        for python in ["3.14.5", "3.14.10", "3.14.40", "3.13.1", "3.14", "3.14."] {
            assert!(!is_incremental(python), "{python}");
        }
    }
}
