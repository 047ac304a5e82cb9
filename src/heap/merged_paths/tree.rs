//! The tree as it is made: every object on a path finds its branch once.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Branch;
use crate::paths::{Arrival, MOST_STEPS, Part, Paths, StepLabel};
use crate::snapshot::{ObjId, Snapshot, StrId, Strings, TypeId};

/// The longest round of steps that folds when it repeats, such as instance, list, instance, list.
const LONGEST_ROUND: usize = 4;
/// Of what is too far away.
const BEYOND: &str = "->…";

/// A branch, by its place in [`Tree::branches`]; parents come before their children.
type BranchIdx = usize;

/// What tells branches of one parent apart. `None`: objects of any type.
type Step = (StrId, Option<TypeId>);

/// Paths, merged so far.
pub(super) struct Tree<'a> {
    snapshot: &'a Snapshot,
    paths: &'a Paths,
    labels: Strings,
    /// Of each type the first one of the same name.
    type_ids: Vec<TypeId>,
    branches: Vec<Growing>,
    index: HashMap<(Option<BranchIdx>, Step), BranchIdx>,
    /// Objects on paths.
    standing: HashMap<ObjId, Standing>,
}

struct Growing {
    parent: Option<BranchIdx>,
    depth: usize,
    step: Step,
    branch: Branch,
}

/// Where an object on a path stands.
#[derive(Clone)]
struct Standing {
    /// Where it is; where it is but a part of what comes next, that of what it is a part of.
    branch: Option<BranchIdx>,
    /// The label of the step to it where it is but a part, else without a text.
    label: StepLabel,
}

impl<'a> Tree<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, paths: &'a Paths) -> Self {
        let mut by_name = HashMap::<String, TypeId>::new();
        let type_ids = (0..)
            .map(TypeId)
            .zip(&snapshot.types)
            .map(|(type_id, of_type)| *by_name.entry(of_type.key()).or_insert(type_id))
            .collect();
        Self {
            snapshot,
            paths,
            labels: Strings::default(),
            type_ids,
            branches: Vec::new(),
            index: HashMap::new(),
            standing: HashMap::new(),
        }
    }

    /// Adds the path to an object; garbage has none.
    pub(super) fn add(&mut self, object: ObjId) {
        let mut to_come = Vec::new();
        let mut at = object;
        while !self.standing.contains_key(&at) {
            let Some(arrival) = self.paths.arrival(self.snapshot, at) else {
                return;
            };
            let from = match arrival {
                Arrival::Root(_) => None,
                Arrival::Reference { from, .. } => Some(from),
            };
            to_come.push((at, arrival));
            match from {
                Some(from) => at = from,
                None => break,
            }
        }
        while let Some((at, arrival)) = to_come.pop() {
            let standing = self.stand(at, &arrival);
            self.standing.insert(at, standing);
        }
        let Some(standing) = self.standing.get(&object).cloned() else {
            return;
        };
        let branch = match (standing.label.part, standing.branch) {
            (Part::Itself, Some(branch)) => branch,
            // A part that is asked for itself.
            (_, parent) => self.reach(parent, &standing.label.text, object),
        };
        let ending = &mut self.branches[branch].branch;
        ending.n_ending += 1;
        ending.n_objects += 1;
        let size_bytes = self.snapshot.objects.size_bytes[object.0 as usize];
        ending.size_bytes = ending.size_bytes.saturating_add(size_bytes);
    }

    /// The roots with all that is beyond.
    pub(super) fn finish(mut self) -> Vec<Branch> {
        let mut roots = Vec::new();
        while let Some(Growing { parent, branch, .. }) = self.branches.pop() {
            let mut branch = branch;
            sort(&mut branch.children);
            match parent {
                Some(parent) => {
                    let parent = &mut self.branches[parent].branch;
                    parent.n_objects += branch.n_objects;
                    parent.size_bytes = parent.size_bytes.saturating_add(branch.size_bytes);
                    parent.children.push(branch);
                }
                None => roots.push(branch),
            }
        }
        sort(&mut roots);
        roots
    }

    /// Where an object stands, after the one before on its path stands.
    fn stand(&mut self, object: ObjId, arrival: &Arrival) -> Standing {
        let before = match arrival {
            Arrival::Root(_) => None,
            Arrival::Reference { from, .. } => self.standing.get(from).cloned(),
        };
        let before_label = before.as_ref().map(|before| &before.label);
        let mut label = self
            .paths
            .step_label(self.snapshot, arrival, before_label, object);
        let parent = before.and_then(|before| before.branch);
        // The attributes of `builtins` have nothing before them.
        if label.part != Part::Itself && parent.is_some() {
            return Standing {
                branch: parent,
                label,
            };
        }
        let branch = self.reach(parent, &label.text, object);
        label.text = String::new();
        Standing {
            branch: Some(branch),
            label,
        }
    }

    /// The branch that a step leads to; the object stands there.
    fn reach(&mut self, parent: Option<BranchIdx>, label: &str, object: ObjId) -> BranchIdx {
        let type_id = self.snapshot.objects.type_id[object.0 as usize];
        let type_id = self.type_ids[type_id.0 as usize];
        let depth = parent.map_or(0, |parent| self.branches[parent].depth + 1);
        let step = match depth < MOST_STEPS - 1 {
            true => (self.labels.add(label), Some(type_id)),
            false => (self.labels.add(BEYOND), None),
        };
        let index = match parent {
            Some(parent) if depth >= MOST_STEPS && step == self.branches[parent].step => parent,
            _ => match self.index.get(&(parent, step)) {
                Some(&known) => known,
                None => match self.round(parent, step) {
                    Some(link) => {
                        self.branches[link].branch.repeats = true;
                        self.index.insert((parent, step), link);
                        link
                    }
                    None => self.grow(parent, depth, step),
                },
            },
        };
        let branch = &mut self.branches[index].branch;
        branch.place.get_or_insert(object);
        branch.n_places += 1;
        index
    }

    fn grow(&mut self, parent: Option<BranchIdx>, depth: usize, step: Step) -> BranchIdx {
        let (label, type_id) = step;
        let index = self.branches.len();
        self.branches.push(Growing {
            parent,
            depth,
            step,
            branch: Branch {
                label: self.labels.get(label).to_owned(),
                type_name: type_id.map_or_else(
                    || "object".to_owned(),
                    |type_id| self.snapshot.types[type_id.0 as usize].key(),
                ),
                ..Branch::default()
            },
        });
        self.index.insert((parent, step), index);
        index
    }

    /// The branch that a step comes back to: the same round of steps led there twice.
    fn round(&self, parent: Option<BranchIdx>, step: Step) -> Option<BranchIdx> {
        let up = |at: &BranchIdx| self.branches[*at].parent;
        let above: Vec<BranchIdx> = std::iter::successors(parent, up)
            .take(2 * LONGEST_ROUND)
            .collect();
        let step_at = |index: usize| above.get(index).map(|&at| self.branches[at].step);
        (1..=LONGEST_ROUND)
            .find(|&len| {
                step_at(len - 1) == Some(step)
                    && (0..len).all(|index| {
                        step_at(index + len).is_some() && step_at(index) == step_at(index + len)
                    })
            })
            .map(|len| above[len - 1])
    }
}

fn sort(branches: &mut [Branch]) {
    branches.sort_by(|one, other| {
        let weight = |branch: &Branch| Reverse((branch.size_bytes, branch.n_objects));
        (weight(one), &one.label, &one.type_name).cmp(&(
            weight(other),
            &other.label,
            &other.type_name,
        ))
    });
}
