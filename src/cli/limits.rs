//! Caches that are not full yet.

use std::collections::BTreeMap;

use leakhunt_heap::Snapshot;
use leakhunt_heap::hunt::PlaceFindings;

use crate::describe::{How, describe};
use crate::session::{Link, Session, SessionError};

/// How many objects places take at most, as attributes of their owners say.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    by_place: BTreeMap<String, Option<u64>>,
}

impl Limits {
    /// Asks for the limits of places that are found for the first time.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn ask<L: Link>(
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
    pub(crate) fn apply(&self, judged: &mut PlaceFindings) {
        judged.set_aside(|finding| *self.by_place.get(&finding.place)?);
    }
}
