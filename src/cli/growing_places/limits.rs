//! Caches that are not full yet.

use std::collections::BTreeMap;

use leakhunt_heap::Snapshot;
use leakhunt_heap::hunt::PlaceFindings;

use crate::describe::{How, describe};
use crate::session::{Link, Session, SessionError};

/// Caches of the standard library that are emptied or thinned out at a number that is no attribute of an
/// owner, in any version of CPython from 3.8 on.
const OF_PYTHON: [(&str, u64); 4] = [
    ("re._cache", 512),
    ("re._cache2", 512),
    ("_strptime._regex_cache", 6),
    ("urllib.parse._parse_cache", 21),
];

/// How many objects places take at most, as attributes of their owners say.
#[derive(Debug, Default)]
pub(super) struct Limits {
    by_place: BTreeMap<String, Option<u64>>,
}

impl Limits {
    /// Asks for the limits of places that are found for the first time.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(super) fn ask<L: Link>(
        &mut self,
        session: &mut Session<L>,
        snapshot: &Snapshot,
        judged: &PlaceFindings,
    ) -> Result<(), SessionError> {
        let new = judged
            .findings
            .iter()
            .filter(|finding| !self.by_place.contains_key(&finding.place));
        let new: Vec<_> = new.filter(|finding| !finding.limits.is_empty()).collect();
        let numbers: Vec<_> = new
            .iter()
            .flat_map(|finding| finding.limits.iter().copied())
            .collect();
        let how = How {
            has_repr: true,
            is_whole: false,
            is_traced: false,
        };
        let described = describe(session, snapshot, &numbers, how)?;
        for finding in new {
            let limits = finding.limits.iter();
            let limits = limits.filter_map(|&number| described.of(number)?.text.parse().ok());
            self.by_place.insert(finding.place.clone(), limits.min());
        }
        Ok(())
    }

    /// Puts aside what has not come to its limit.
    pub(super) fn apply(&self, judged: &mut PlaceFindings) {
        judged.set_aside(|finding| {
            let of_python = OF_PYTHON.iter().find(|(place, _)| *place == finding.place);
            match of_python {
                Some(&(_, most)) => Some(most),
                None => *self.by_place.get(&finding.place)?,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use leakhunt_heap::hunt::trend::{Course, Trend};
    use leakhunt_heap::hunt::{Finding, FindingKind, Held};

    use super::*;

    fn of_patterns(place: &str, n_last: u64) -> Finding {
        let trend = Trend {
            course: Course::Grows,
            per_second: 1.0,
            low: 1.0,
            high: 1.0,
            n_rises: 3,
            n_intervals: 3,
        };
        Finding {
            holds: vec![Held {
                type_key: "re.Pattern".into(),
                is_key: false,
                n_first: 1,
                n_last,
            }],
            ..Finding::beside_places(FindingKind::Place, place.into(), &trend, "")
        }
    }

    #[test]
    fn a_cache_of_the_standard_library_is_no_leak_until_it_is_full() {
        let mut judged = PlaceFindings {
            findings: vec![
                of_patterns("re._cache", 45),
                of_patterns("re._cache2", 600),
                of_patterns("shop._cache", 45),
            ],
            unclear: Vec::new(),
        };
        Limits::default().apply(&mut judged);
        let places = judged.findings.iter().map(|one| &*one.place);
        assert_eq!(places.collect::<Vec<_>>(), ["re._cache2", "shop._cache"]);
        assert_eq!(judged.unclear[0].bound, Some(512));
    }
}
