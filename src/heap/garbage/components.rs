//! The cycles of what nothing reaches: strongly connected components.

use crate::reach::Reached;
use crate::snapshot::{ObjId, Snapshot};

/// Objects that nothing reaches, and which of them reach each other.
#[derive(Debug)]
pub(super) struct Components {
    /// All of them, ascending.
    pub(super) objects: Vec<ObjId>,
    /// Of each, the number of its component. What a component refers to has lower numbers.
    pub(super) component: Vec<u32>,
    /// How many components there are.
    pub(super) n_components: u32,
    ranks: Ranks,
}

/// Of an object that nothing reaches its place among these.
#[derive(Debug)]
struct Ranks {
    /// For each 64 objects: how many were not reached before them.
    before: Vec<u32>,
    /// Who was not.
    unreached: Vec<u64>,
}

impl Ranks {
    fn of(snapshot: &Snapshot, reached: &Reached) -> (Self, Vec<ObjId>) {
        let n_words = snapshot.n_objects().div_ceil(64);
        let mut ranks = Self {
            before: Vec::with_capacity(n_words),
            unreached: vec![0; n_words],
        };
        let objects: Vec<ObjId> = snapshot
            .ids()
            .filter(|&object| !reached.contains(object))
            .collect();
        for object in &objects {
            ranks.unreached[object.0 as usize / 64] |= 1 << (object.0 % 64);
        }
        let mut sum = 0;
        for word in &ranks.unreached {
            ranks.before.push(sum);
            sum += word.count_ones();
        }
        (ranks, objects)
    }

    fn get(&self, object: ObjId) -> Option<u32> {
        let (word, bit) = (object.0 as usize / 64, 1_u64 << (object.0 % 64));
        let bits = self.unreached[word];
        (bits & bit != 0).then(|| self.before[word] + (bits & (bit - 1)).count_ones())
    }
}

const NONE: u32 = u32::MAX;

/// Tarjan's search ("Depth-first search and linear graph algorithms", 1972) with a stack of its own.
struct Search {
    /// The turn at which each was met; [`NONE`] for who was not.
    met: Vec<u32>,
    /// The earliest that each leads back to.
    low: Vec<u32>,
    component: Vec<u32>,
    n_met: u32,
    n_components: u32,
    /// Who is in no component yet, in the order in which they were met.
    open: Vec<u32>,
    /// Who is looked at, and the next of its references.
    path: Vec<(u32, u64)>,
}

impl Components {
    /// `O(V + E)` of what nothing reaches; 20 bytes an object.
    pub(super) fn of(snapshot: &Snapshot, reached: &Reached) -> Self {
        let (ranks, objects) = Ranks::of(snapshot, reached);
        let mut search = Search {
            met: vec![NONE; objects.len()],
            low: vec![NONE; objects.len()],
            component: vec![NONE; objects.len()],
            n_met: 0,
            n_components: 0,
            open: Vec::new(),
            path: Vec::new(),
        };
        for start in 0..objects.len() as u32 {
            if search.met[start as usize] == NONE {
                search.run(snapshot, &objects, &ranks, start);
            }
        }
        Self {
            component: search.component,
            n_components: search.n_components,
            objects,
            ranks,
        }
    }

    /// The component of an object that nothing reaches; `None` for all others.
    pub(super) fn of_object(&self, object: ObjId) -> Option<u32> {
        Some(self.component[self.ranks.get(object)? as usize])
    }

    /// The objects of each component, ascending: offsets, and the objects.
    pub(super) fn members(&self) -> (Vec<u32>, Vec<ObjId>) {
        let mut first = vec![0_u32; self.n_components as usize + 1];
        for &component in &self.component {
            first[component as usize + 1] += 1;
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        let mut next = first.clone();
        let mut members = vec![ObjId(0); self.objects.len()];
        for (&object, &component) in self.objects.iter().zip(&self.component) {
            let place = &mut next[component as usize];
            members[*place as usize] = object;
            *place += 1;
        }
        (first, members)
    }
}

impl Search {
    fn run(&mut self, snapshot: &Snapshot, objects: &[ObjId], ranks: &Ranks, start: u32) {
        let references = &snapshot.references;
        let first_of = |node: u32| references.first[objects[node as usize].0 as usize];
        let end_of = |node: u32| references.first[objects[node as usize].0 as usize + 1];
        self.meet(start, first_of(start));
        while let Some(&mut (node, ref mut next)) = self.path.last_mut() {
            if *next < end_of(node) {
                let target = ranks.get(references.target[*next as usize]);
                *next += 1;
                match target {
                    Some(target) if self.met[target as usize] == NONE => {
                        self.meet(target, first_of(target));
                    }
                    Some(target) if self.component[target as usize] == NONE => {
                        let low = self.met[target as usize];
                        self.lower(node, low);
                    }
                    _ => {}
                }
                continue;
            }
            self.path.pop();
            if self.low[node as usize] == self.met[node as usize] {
                self.close(node);
            }
            if let Some(&(parent, _)) = self.path.last() {
                let low = self.low[node as usize];
                self.lower(parent, low);
            }
        }
    }

    fn meet(&mut self, node: u32, first: u64) {
        self.met[node as usize] = self.n_met;
        self.low[node as usize] = self.n_met;
        self.n_met += 1;
        self.open.push(node);
        self.path.push((node, first));
    }

    fn lower(&mut self, node: u32, low: u32) {
        let place = &mut self.low[node as usize];
        *place = low.min(*place);
    }

    /// All that were met since `node` are its component.
    fn close(&mut self, node: u32) {
        while let Some(member) = self.open.pop() {
            self.component[member as usize] = self.n_components;
            if member == node {
                break;
            }
        }
        self.n_components += 1;
    }
}
