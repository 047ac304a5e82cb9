//! Of which kinds the direct referrers of each object are.

use std::collections::HashMap;

use super::Scope;
use super::kinds::{Kind, Kinds, OwnDict};
use crate::snapshot::{LabelName, ObjId, Snapshot};

/// A set of kinds, as a number. 0 is the empty one.
pub(super) type KindSet = u32;

/// The sets of all objects.
///
/// Referrers are gone over kind by kind, ascending. So a set is a path in a tree of kinds: two sets are
/// the same if and only if their numbers are. Cost: `O(objects + references)`, 8 bytes an object.
pub(super) struct Referrers {
    of_object: Vec<KindSet>,
    tree: Tree,
}

/// References beside those that are in the snapshot.
struct Extra {
    kind: Kind,
    source: ObjId,
    what: What,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum What {
    /// The object itself, by a root.
    Itself,
    /// What its attributes are, but for its `__dict__`.
    Attributes,
    /// What the values of the `dict` are.
    Values,
    /// Nothing, but there is an object with this referrer alone: a virtual dict.
    Alone,
}

impl Referrers {
    pub(super) fn of(snapshot: &Snapshot, kinds: &Kinds, scope: Scope<'_>) -> Self {
        let (plain, extra) = sources(snapshot, kinds, scope);
        let mut referrers = Self {
            of_object: vec![0; snapshot.n_objects()],
            tree: Tree::default(),
        };
        let mut plain = plain.into_iter().peekable();
        let mut extra = extra.into_iter().peekable();
        for kind in 0..kinds.len() {
            while let Some(source) = plain.next_if(|&source| kinds.kind_of(source) == kind) {
                // Its attributes are those of the `dict` that it would make.
                let is_dict_only = !kinds.instances_hold_values()
                    && matches!(kinds.own_dict(snapshot, source), OwnDict::Virtual { .. });
                for (label, target) in kinds.references_seen(snapshot, source) {
                    if !is_dict_only || !matches!(label.name(), LabelName::Attribute(_)) {
                        referrers.add(target, kind);
                    }
                }
            }
            while let Some(Extra { source, what, .. }) = extra.next_if(|extra| extra.kind == kind) {
                match what {
                    What::Itself => referrers.add(source, kind),
                    What::Alone => {
                        referrers.tree.with(0, kind);
                    }
                    What::Attributes | What::Values => {
                        let references = snapshot.references_of(source);
                        for (label, target) in references {
                            let is_it = match label.name() {
                                LabelName::Attribute(text) => {
                                    what == What::Attributes
                                        && snapshot.strings.get(text) != "__dict__"
                                }
                                LabelName::Value(_) => what == What::Values,
                                _ => false,
                            };
                            if is_it {
                                referrers.add(target, kind);
                            }
                        }
                    }
                }
            }
        }
        referrers
    }

    fn add(&mut self, target: ObjId, kind: Kind) {
        let set = &mut self.of_object[target.0 as usize];
        *set = self.tree.with(*set, kind);
    }

    /// The set of an object.
    pub(super) fn set_of(&self, object: ObjId) -> KindSet {
        self.of_object[object.0 as usize]
    }

    /// The set of one kind, if any object has it.
    pub(super) fn set_of_one(&self, kind: Kind) -> KindSet {
        self.tree.find(0, kind).unwrap_or(0)
    }

    /// The kinds in a set, descending.
    pub(super) fn kinds_in(&self, set: KindSet) -> impl Iterator<Item = Kind> + '_ {
        let mut set = set;
        std::iter::from_fn(move || {
            let (parent, kind) = self.tree.node(set)?;
            set = parent;
            Some(kind)
        })
    }
}

/// The objects that refer to others, and what more there is; both by kind.
fn sources(snapshot: &Snapshot, kinds: &Kinds, scope: Scope<'_>) -> (Vec<ObjId>, Vec<Extra>) {
    let mut plain = Vec::new();
    let mut extra = Vec::new();
    for root in &snapshot.roots {
        extra.push(Extra {
            kind: kinds.root(),
            source: root.object,
            what: What::Itself,
        });
    }
    for source in snapshot.ids().filter(|&object| (scope.is_seen)(object)) {
        plain.push(source);
        let of_type = snapshot.objects.type_id[source.0 as usize];
        let mut add = |kind, source, what| extra.push(Extra { kind, source, what });
        match kinds.own_dict(snapshot, source) {
            OwnDict::Virtual { .. } => {
                add(kinds.kind_of(source), source, What::Alone);
                add(kinds.dict_of_kind(of_type), source, What::Attributes);
            }
            OwnDict::Shared(dict) => {
                add(kinds.kind_of(dict), source, What::Attributes);
                add(kinds.kind_of(source), dict, What::Values);
            }
            OwnDict::Other => {}
        }
    }
    plain.sort_unstable_by_key(|&source| kinds.kind_of(source));
    extra.sort_unstable_by_key(|extra| extra.kind);
    (plain, extra)
}

/// Sets as paths from the root, kinds ascending.
#[derive(Default)]
struct Tree {
    /// Of each set but the empty one: what is left without its highest kind, and that kind.
    nodes: Vec<(KindSet, Kind)>,
    children: HashMap<(KindSet, Kind), KindSet>,
}

impl Tree {
    /// A set and a kind that is not lower than its highest.
    fn with(&mut self, set: KindSet, kind: Kind) -> KindSet {
        if self.node(set).is_some_and(|(_, highest)| highest == kind) {
            return set;
        }
        *self.children.entry((set, kind)).or_insert_with(|| {
            self.nodes.push((set, kind));
            KindSet::try_from(self.nodes.len()).unwrap_or(KindSet::MAX)
        })
    }

    fn find(&self, set: KindSet, kind: Kind) -> Option<KindSet> {
        self.children.get(&(set, kind)).copied()
    }

    fn node(&self, set: KindSet) -> Option<(KindSet, Kind)> {
        self.nodes.get((set as usize).checked_sub(1)?).copied()
    }
}
