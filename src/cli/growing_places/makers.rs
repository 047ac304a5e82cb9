//! Where leaked objects are made.

use std::collections::BTreeMap;

use leakhunt_heap::hunt::PlaceFindings;
use leakhunt_heap::{ObjId, Snapshot};

use crate::describe::{How, describe};
use crate::session::{Link, Session, SessionError};

/// Of the findings so many are asked for.
const MOST_FINDINGS: usize = 10;

/// By place, the frames by which most of its newest objects were made.
#[derive(Debug, Default)]
pub(super) struct Makers {
    by_place: BTreeMap<String, Vec<String>>,
}

impl Makers {
    /// Asks a target that is traced.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(super) fn ask<L: Link>(
        &mut self,
        session: &mut Session<L>,
        snapshot: &Snapshot,
        judged: &PlaceFindings,
    ) -> Result<(), SessionError> {
        let findings = &judged.findings[..judged.findings.len().min(MOST_FINDINGS)];
        let objects: Vec<ObjId> = findings
            .iter()
            .flat_map(|finding| &finding.examples)
            .copied()
            .collect();
        let how = How {
            has_repr: false,
            is_whole: false,
            is_traced: true,
        };
        let described = describe(session, snapshot, &objects, how)?;
        for finding in findings {
            let sites = finding.examples.iter();
            let sites = sites.filter_map(|&object| described.of(object));
            let sites = sites
                .map(|described| &described.made_at)
                .filter(|site| !site.is_empty());
            if let Some(site) = most_common(sites) {
                self.by_place.insert(finding.place.clone(), site.clone());
            }
        }
        Ok(())
    }

    /// Adds what is known to the findings.
    pub(super) fn tell(&self, judged: &mut PlaceFindings) {
        for finding in &mut judged.findings {
            if let Some(site) = self.by_place.get(&finding.place) {
                finding.made_at.clone_from(site);
            }
        }
    }
}

fn most_common<'a, T: Ord>(all: impl Iterator<Item = &'a T>) -> Option<&'a T> {
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|&(_, count)| count)
        .map(|(one, _)| one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_common_is_found() {
        assert_eq!(most_common([1, 2, 2, 3].iter()), Some(&2));
        assert_eq!(most_common(std::iter::empty::<&i32>()), None);
    }
}
