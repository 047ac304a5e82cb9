//! How many objects are held, all at once: their shortest paths as one tree.

mod sample;
mod tree;

use crate::paths::Paths;
use crate::snapshot::{ObjId, Snapshot};
use sample::sample;
use tree::Tree;

/// The most objects whose paths are merged; of more, a sample of so many.
pub const MOST_MERGED: usize = 10_000;

/// The shortest paths to a set of objects, merged where they go the same way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MergedPaths {
    /// Where paths start, the heaviest first.
    pub root: Vec<Branch>,
    /// Objects that were given and that something alive refers to.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// How many of these are in the branches: all, or [`MOST_MERGED`] from all over.
    pub n_merged: u64,
    /// Their bytes.
    pub merged_bytes: u64,
    /// Objects that were given and that nothing alive refers to: garbage that is not collected yet.
    pub n_garbage: u64,
    /// Their bytes.
    pub garbage_bytes: u64,
}

/// A step that paths have in common. Those from a root to here, one after the other, are a path:
/// `sys.modules` `['shop.cache']` `.ROWS` `[*]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// The step as a person types it after those before it. Every entry of a collection is `[*]`,
    /// every key `.keys()[*]`; modules keep their names. What no code can name comes after `->`.
    pub label: String,
    /// Type of what is there, as [`crate::Type::key`]; `object` where the rest of very long paths is.
    pub type_name: String,
    /// Merged objects that are here or beyond.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Those of them that are here.
    pub n_ending: u64,
    /// One of the objects that stand here, and of how many it is one.
    pub place: Option<ObjId>,
    /// How many objects stand here: 1 where all paths go through one object.
    pub n_places: u64,
    /// Whether it stands for any number of such steps, one after the other: links of a chain.
    pub repeats: bool,
    /// The next steps, the heaviest first.
    pub children: Vec<Branch>,
}

/// Merges the paths to objects. Steps are the same where label and type are; chains fold once they
/// have come twice, and what is more than 100 steps away shares one branch. `O(objects on the
/// paths)`, each once.
pub fn merge_paths(
    snapshot: &Snapshot,
    paths: &Paths,
    objects: impl IntoIterator<Item = ObjId>,
) -> MergedPaths {
    let size_of = |object: ObjId| snapshot.objects.size_bytes[object.0 as usize];
    let mut merged = MergedPaths::default();
    let mut reached = Vec::new();
    for object in objects {
        let (n_objects, size_bytes) = match paths.is_reached(object) {
            true => {
                reached.push(object);
                (&mut merged.n_objects, &mut merged.size_bytes)
            }
            false => (&mut merged.n_garbage, &mut merged.garbage_bytes),
        };
        *n_objects += 1;
        *size_bytes = size_bytes.saturating_add(size_of(object));
    }
    let mut tree = Tree::new(snapshot, paths);
    for object in sample(reached, MOST_MERGED) {
        tree.add(object);
        merged.n_merged += 1;
        merged.merged_bytes = merged.merged_bytes.saturating_add(size_of(object));
    }
    merged.root = tree.finish();
    merged
}

#[cfg(test)]
mod tests;
