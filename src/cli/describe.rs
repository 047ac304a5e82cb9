//! What the chosen objects look like, by a second copy of the target.

use std::collections::HashMap;
use std::time::Duration;

use leakhunt_heap::{ObjId, Snapshot, first_referrers};
use leakhunt_wire::Ended;

use crate::session::{DescribeLimits, Description, Link, Session, SessionError, Wanted};

/// A repr that takes longer is cut off.
const ONE: Duration = Duration::from_millis(500);
/// All of them together may take so long at least, and at most.
const ALL_MIN: Duration = Duration::from_secs(10);
const ALL_MAX: Duration = Duration::from_secs(60);
/// Characters of a repr, unless all of it is wanted.
const MAX_CHARS: u32 = 300;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// Whether code of the target may run, in the copy.
    pub(crate) has_repr: bool,
    /// Whether reprs are wanted whole, and those of the first referrers too.
    pub(crate) is_whole: bool,
    /// Whether it is known where objects were made.
    pub(crate) is_traced: bool,
}

/// What some objects look like.
#[derive(Debug, Default)]
pub(crate) struct Described {
    by_object: HashMap<ObjId, Description>,
    first_referrers: HashMap<ObjId, ObjId>,
    /// Whether the copy ended before it had told of all.
    pub(crate) is_cut: bool,
}

impl Described {
    /// `None` for one that is gone, and for a running frame.
    pub(crate) fn of(&self, object: ObjId) -> Option<&Description> {
        self.by_object.get(&object)
    }

    /// The first that refers to it in the collector's order.
    pub(crate) fn first_referrer_of(&self, object: ObjId) -> Option<ObjId> {
        self.first_referrers.get(&object).copied()
    }
}

/// Asks for what is needed; for nothing where nothing is.
///
/// # Errors
/// When the agent or the target is gone, silent or not to be believed.
pub(crate) fn describe<L: Link>(
    session: &mut Session<L>,
    snapshot: &Snapshot,
    objects: &[ObjId],
    how: How,
) -> Result<Described, SessionError> {
    let mut described = Described::default();
    if objects.is_empty() || !(how.has_repr || how.is_whole || how.is_traced) {
        return Ok(described);
    }
    let mut objects = objects.to_vec();
    if how.is_whole && how.has_repr {
        for (&object, referrer) in objects.iter().zip(first_referrers(snapshot, &objects)) {
            described
                .first_referrers
                .extend(referrer.map(|referrer| (object, referrer)));
        }
        let referrers = objects
            .iter()
            .filter_map(|object| described.first_referrers.get(object));
        let referrers: Vec<ObjId> = referrers.copied().collect();
        objects.extend(referrers);
    }
    objects.retain(|&object| !snapshot.type_of(object).is_frame());
    objects.sort_unstable();
    objects.dedup();
    let wanted: Vec<Wanted> = objects
        .iter()
        .map(|&object| Wanted {
            address: snapshot.objects.address[object.0 as usize],
            type_address: snapshot.type_of(object).address,
        })
        .collect();
    let n_wanted = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
    let limits = DescribeLimits {
        max_chars: if how.is_whole { 0 } else { MAX_CHARS },
        safe: !how.has_repr,
        object: ONE,
        total: ONE.saturating_mul(n_wanted).clamp(ALL_MIN, ALL_MAX),
    };
    let (descriptions, ended) = session.describe(&wanted, &limits)?;
    described.is_cut = ended != Ended::Whole;
    for description in descriptions {
        if let Some(object) = snapshot.objects.at(description.address) {
            described.by_object.insert(object, description);
        }
    }
    Ok(described)
}
