//! Down the dominator tree to where much comes together.

use crate::dominators::Dominators;
use crate::snapshot::{LabelName, ObjId, Snapshot, TypeId};

use super::{Held, type_id};

/// The way goes on to the largest child that has so much of its parent: seven tenths.
const RATIO: (u64, u64) = (7, 10);
/// More objects of a type than this on one way are a chain.
const MOST_NESTED: usize = 16;

/// Where much comes together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Accumulated {
    pub(super) object: ObjId,
    /// Whether the way goes on, link by link, as that of a linked list.
    pub(super) is_chain: bool,
}

/// The places at or below an object that hold `threshold_bytes` or more in small parts.
pub(super) fn accumulation_points(
    snapshot: &Snapshot,
    tree: &Dominators,
    object: ObjId,
    threshold_bytes: u64,
) -> Vec<Accumulated> {
    let mut points = Vec::new();
    let mut starts = vec![object];
    while let Some(start) = starts.pop() {
        let point = descend(snapshot, tree, start);
        if point.is_chain {
            points.push(point);
            continue;
        }
        let large = tree
            .children(point.object)
            .filter(|&child| tree.retained_bytes(child) >= threshold_bytes);
        let large: Vec<ObjId> = large.collect();
        let in_large: u64 = large.iter().map(|&child| tree.retained_bytes(child)).sum();
        if tree.retained_bytes(point.object) - in_large >= threshold_bytes {
            points.push(Accumulated {
                object: instance_of(snapshot, tree, point.object),
                ..point
            });
        }
        starts.extend(large);
    }
    points
}

/// Goes on while one child has most of it.
fn descend(snapshot: &Snapshot, tree: &Dominators, start: ObjId) -> Accumulated {
    let mut on_the_way: Vec<(TypeId, usize, ObjId)> = Vec::new();
    let mut at = start;
    loop {
        let of_type = type_id(snapshot, at);
        match on_the_way.iter_mut().find(|(seen, ..)| *seen == of_type) {
            Some((_, n_seen, first)) => {
                *n_seen += 1;
                if *n_seen > MOST_NESTED {
                    return Accumulated {
                        object: *first,
                        is_chain: true,
                    };
                }
            }
            None => on_the_way.push((of_type, 1, at)),
        }
        let children = tree.children(at);
        let largest = children.max_by_key(|&child| tree.retained_bytes(child));
        let has_most = |child: &ObjId| {
            let (child, parent) = (tree.retained_bytes(*child), tree.retained_bytes(at));
            child.saturating_mul(RATIO.1) >= parent.saturating_mul(RATIO.0)
        };
        match largest.filter(has_most) {
            Some(child) => at = child,
            None => {
                return Accumulated {
                    object: at,
                    is_chain: false,
                };
            }
        }
    }
}

/// Of a `__dict__` whose it is.
pub(super) fn instance_of(snapshot: &Snapshot, tree: &Dominators, object: ObjId) -> ObjId {
    let is_attributes = |owner: &ObjId| {
        snapshot.references_of(*owner).any(|(label, target)| {
            target == object
                && matches!(label.name(), LabelName::Attribute(name)
                    if snapshot.strings.get(name) == "__dict__")
        })
    };
    let owner = tree.dominator(object).filter(is_attributes);
    owner.unwrap_or(object)
}

/// The links of a chain that starts with an object: all of its type that it dominates.
pub(super) fn links(snapshot: &Snapshot, tree: &Dominators, first: ObjId) -> Held {
    let of_type = type_id(snapshot, first);
    let links = tree
        .subtree(first)
        .filter(|&object| type_id(snapshot, object) == of_type);
    Held {
        type_key: snapshot.type_of(first).key(),
        n_objects: links.count() as u64,
        retained_bytes: tree.retained_bytes(first),
    }
}
