//! What the paths to many objects have in common.

use crate::merged_paths::{Branch, merge_paths};
use crate::paths::Paths;
use crate::snapshot::{ObjId, Snapshot};

use super::top_level::TopLevel;

/// The way goes on where so much of the sample goes: four fifths.
const STAYS: (u64, u64) = (4, 5);

/// A place that most of the paths go through.
pub(super) struct Common {
    pub(super) object: ObjId,
    /// The steps in common, up to the objects where they go that far.
    pub(super) pattern: String,
    pub(super) n_sampled: u64,
    /// How many of the sample go through the place.
    pub(super) n_through: u64,
}

/// The deepest object that four fifths of the paths go through; `None` where there is none but what
/// holds everything.
pub(super) fn common(
    snapshot: &Snapshot,
    paths: &Paths,
    top_level: &TopLevel,
    members: &[ObjId],
) -> Option<Common> {
    let merged = merge_paths(snapshot, paths, members.iter().copied());
    let n_sampled = merged.n_merged;
    let mut pattern = String::new();
    let mut deepest = None;
    let mut branches = &merged.root;
    while let Some(branch) = heaviest(branches)
        && branch.n_objects * STAYS.1 >= n_sampled * STAYS.0
    {
        pattern.push_str(&branch.label);
        // Of several places none is the one, and a member does not hold itself.
        let n_beyond = branch.n_objects - branch.n_ending;
        if let (Some(place), 1) = (branch.place, branch.n_places)
            && n_beyond * STAYS.1 >= n_sampled * STAYS.0
            && !top_level.is_above(place)
        {
            deepest = Some((place, n_beyond));
        }
        branches = &branch.children;
    }
    let (object, n_through) = deepest?;
    Some(Common {
        object,
        pattern,
        n_sampled,
        n_through,
    })
}

fn heaviest(branches: &[Branch]) -> Option<&Branch> {
    branches.iter().max_by_key(|branch| branch.n_objects)
}
