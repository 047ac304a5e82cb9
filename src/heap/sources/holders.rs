//! What a sample of objects has in common: the places that their paths go through.

use std::collections::HashMap;

use crate::paths::{Holder, Path, Paths};
use crate::snapshot::{ObjId, Snapshot};

/// A place holds what is a fifth of the sample or more.
const SHARE: usize = 5;

/// An object, how it is held, and by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldObject {
    /// Which.
    pub object: ObjId,
    /// How.
    pub path: Path,
    /// By whom; `None` where no name leads to it.
    pub holder: Option<Holder>,
}

/// The paths to some objects, and for each the deepest place that many others of them are in, too.
/// Where an object shares no place with enough others, its holder is that of its path alone.
///
/// Garbage is left out.
pub fn held(snapshot: &Snapshot, paths: &Paths, objects: &[ObjId]) -> Vec<HeldObject> {
    let mut sample: Vec<HeldObject> = objects
        .iter()
        .filter_map(|&object| {
            Some(HeldObject {
                object,
                path: paths.to(snapshot, object)?,
                holder: None,
            })
        })
        .collect();
    // Paths are those of a tree: an object stands for all of the way to it.
    let mut n_through = HashMap::<ObjId, usize>::new();
    for step in sample.iter().flat_map(|one| before_last(&one.path)) {
        *n_through.entry(step).or_default() += 1;
    }
    let enough = sample.len().div_ceil(SHARE).max(2);
    for one in &mut sample {
        let shared = before_last(&one.path)
            .rposition(|object| n_through.get(&object).is_some_and(|&n| n >= enough));
        let chained = shared.map(|shared| start_of_chain(snapshot, &one.path, shared));
        one.holder = chained
            .filter(|&step| step > 0)
            .and_then(|step| paths.holder_at(snapshot, &one.path, step))
            .filter(|holder| is_a_place(snapshot, holder))
            .or_else(|| paths.holder(snapshot, &one.path));
    }
    sample
}

fn before_last(path: &Path) -> impl DoubleEndedIterator<Item = ObjId> + ExactSizeIterator + '_ {
    let n_before = path.steps.len().saturating_sub(1);
    path.steps[..n_before].iter().map(|step| step.object)
}

/// Where a chain begins of which a step is a link: objects of one type that refer to each other the
/// same way.
fn start_of_chain(snapshot: &Snapshot, path: &Path, step: usize) -> usize {
    let link = |index: usize| {
        let step = &path.steps[index];
        (snapshot.objects.type_id[step.object.0 as usize], step.label)
    };
    // A link may be of several objects, such as an instance and its `__dict__`.
    (1..=4)
        .filter_map(|len| {
            let mut start = step;
            while start > len && link(start) == link(start - len) {
                start -= len;
            }
            // Once is no chain.
            (step - start >= 2 * len).then_some(start)
        })
        .min()
        .unwrap_or(step)
}

/// Whether it is more than a module, where everything is.
fn is_a_place(snapshot: &Snapshot, holder: &Holder) -> bool {
    snapshot.type_of(holder.object).name != "module"
}
