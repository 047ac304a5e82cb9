//! A picture of some objects: who refers to them, and to those, up to what has a name.

mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::paths::{Arrival, PathRoot, Paths, is_module};
use crate::referrers::Referrers;
use crate::snapshot::{ObjId, Snapshot};

/// The most steps of a path that are drawn; chains may have millions.
const MOST_PATH_STEPS: usize = 30;

/// Which references are followed, and how far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GraphScope {
    /// Which way.
    pub direction: Direction,
    /// The most references from a start, except on the shortest paths from roots.
    pub max_depth: usize,
    /// The most neighbours of an object; the rest is counted.
    pub too_many: usize,
    /// The most objects in all.
    pub max_objects: usize,
}

/// Which way references are followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// To what refers to an object; not beyond modules and the names that they have.
    Back,
    /// To what an object refers to.
    Forward,
}

/// Objects and references between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectGraph {
    /// The starts first, then in the order in which they were found.
    pub nodes: Vec<GraphNode>,
    /// Ascending by `from` and `to`; one for all references from one object to another.
    pub edges: Vec<GraphEdge>,
}

/// An object in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphNode {
    /// Which.
    pub object: ObjId,
    /// References from the nearest start.
    pub depth: usize,
    /// Whether it is asked for.
    pub is_start: bool,
    /// Whether it is a module that was imported.
    pub is_module: bool,
    /// Of the first object of a shortest path what holds it, where that is neither a module nor the
    /// frame that it is: `<context of a thread>`.
    pub root: Option<String>,
    /// `__name__` of its type.
    pub type_name: String,
    /// Its name or the number of its items; else its address.
    pub text: String,
    /// Neighbours that are left out, as there are too many.
    pub n_more: usize,
}

/// A reference in a picture.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GraphEdge {
    /// Place of the object that refers in [`ObjectGraph::nodes`].
    pub from: usize,
    /// Place of the object that is referred to.
    pub to: usize,
    /// What for: an attribute, a key, an index; empty where that is not known.
    pub text: EdgeText,
    /// How many references there are from one to the other.
    pub n_references: usize,
    /// Whether it is a step of the shortest path from a root to a start.
    pub is_on_path: bool,
}

/// What a reference is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EdgeText {
    /// The attributes of an object are there.
    Attributes,
    /// An entry by a key that is an identifier.
    Key(String),
    /// Anything else; may be of two lines, may be empty.
    Other(String),
}

impl EdgeText {
    /// For people.
    pub fn text(&self) -> &str {
        match self {
            Self::Attributes => "__dict__",
            Self::Key(text) | Self::Other(text) => text,
        }
    }
}

/// Draws the surroundings of `starts`. Back from an object go the steps of its shortest path first,
/// all of them; what else refers to it as far as the scope allows. `O(V + E)` and 12 bytes an object.
pub fn object_graph(
    snapshot: &Snapshot,
    paths: &Paths,
    starts: &[ObjId],
    scope: GraphScope,
) -> ObjectGraph {
    let mut drawing = Drawing {
        snapshot,
        paths,
        scope,
        modules: modules(snapshot),
        graph: ObjectGraph::default(),
        index: HashMap::new(),
        edges: BTreeMap::new(),
    };
    let mut queue = VecDeque::new();
    for &start in starts {
        if drawing.index.len() < scope.max_objects && !drawing.index.contains_key(&start) {
            let index = drawing.add(start, 0);
            drawing.graph.nodes[index].is_start = true;
            queue.push_back(index);
        }
    }
    if scope.direction == Direction::Back {
        for &start in &queue {
            drawing.add_path(start);
        }
    }
    drawing.spread(queue);
    drawing.finish()
}

/// A picture as it is made.
struct Drawing<'a> {
    snapshot: &'a Snapshot,
    paths: &'a Paths,
    scope: GraphScope,
    /// The names of modules that were imported.
    modules: HashMap<ObjId, &'a str>,
    graph: ObjectGraph,
    index: HashMap<ObjId, usize>,
    /// Whether each is on a path.
    edges: BTreeMap<(usize, usize), bool>,
}

impl Drawing<'_> {
    fn add(&mut self, object: ObjId, depth: usize) -> usize {
        let index = self.graph.nodes.len();
        let module = self.modules.get(&object).copied();
        self.graph.nodes.push(GraphNode {
            object,
            depth,
            is_start: false,
            is_module: module.is_some(),
            root: None,
            type_name: self.snapshot.type_of(object).name.clone(),
            text: text::of_object(self.snapshot, self.paths, object, module),
            n_more: 0,
        });
        self.index.insert(object, index);
        index
    }

    /// Adds the shortest path to a start, as far as it is not there.
    fn add_path(&mut self, start: usize) {
        let mut at = start;
        for depth in 1..=MOST_PATH_STEPS {
            let node = &self.graph.nodes[at];
            if node.is_module {
                return;
            }
            let arrival = self.paths.arrival(self.snapshot, node.object);
            let from = match &arrival {
                Some(Arrival::Reference { from, .. }) => *from,
                Some(Arrival::Root(root)) => {
                    let object = node.object;
                    if !matches!(root, PathRoot::Modules | PathRoot::Frame { .. }) {
                        let label = arrival.as_ref().map(|arrival| {
                            self.paths.step_label(self.snapshot, arrival, None, object)
                        });
                        self.graph.nodes[at].root = label.map(|label| label.text);
                    }
                    return;
                }
                None => return,
            };
            let next = match self.index.get(&from) {
                Some(&known) => {
                    let known_depth = &mut self.graph.nodes[known].depth;
                    *known_depth = (*known_depth).min(depth);
                    known
                }
                None if self.index.len() < self.scope.max_objects => self.add(from, depth),
                None => break,
            };
            let was_there = self.edges.insert((next, at), true) == Some(true);
            at = next;
            if was_there && self.graph.nodes[at].depth < depth {
                return;
            }
        }
        let node = &mut self.graph.nodes[at];
        node.n_more = node.n_more.max(1);
    }

    /// Breadth first, as far as the scope allows.
    fn spread(&mut self, mut queue: VecDeque<usize>) {
        let scope = self.scope;
        let referrers = match scope.direction {
            Direction::Back => Referrers::of(self.snapshot),
            Direction::Forward => Referrers::default(),
        };
        let mut is_queued: BTreeSet<usize> = queue.iter().copied().collect();
        while let Some(at) = queue.pop_front() {
            let GraphNode {
                object,
                depth,
                is_module,
                ..
            } = self.graph.nodes[at];
            if depth >= scope.max_depth || is_module && scope.direction == Direction::Back {
                continue;
            }
            let neighbours: BTreeSet<ObjId> = match scope.direction {
                Direction::Back if self.is_dict_of_module(at) => continue,
                Direction::Back => referrers.of_object(object).collect(),
                Direction::Forward => {
                    let references = self.snapshot.references_of(object);
                    references.map(|(_, target)| target).collect()
                }
            };
            // What is there already takes no room.
            let (known, new): (Vec<_>, Vec<_>) = neighbours
                .into_iter()
                .partition(|neighbour| self.index.contains_key(neighbour));
            let mut n_drawn = 0;
            let mut n_more = 0;
            for neighbour in known.into_iter().chain(new) {
                let index = match self.index.get(&neighbour) {
                    Some(&known) => {
                        // A shortest path may have come there by a longer way.
                        let known_depth = &mut self.graph.nodes[known].depth;
                        *known_depth = (*known_depth).min(depth + 1);
                        known
                    }
                    None if n_drawn >= scope.too_many || self.index.len() >= scope.max_objects => {
                        n_more += 1;
                        continue;
                    }
                    None => self.add(neighbour, depth + 1),
                };
                n_drawn += 1;
                let edge = match scope.direction {
                    Direction::Back => (index, at),
                    Direction::Forward => (at, index),
                };
                self.edges.entry(edge).or_insert(false);
                if is_queued.insert(index) {
                    queue.push_back(index);
                }
            }
            self.graph.nodes[at].n_more = n_more;
        }
    }

    /// Whether an object is all names of a module, which the path to it goes through. Each function of
    /// the module refers to it, which tells nothing.
    fn is_dict_of_module(&self, at: usize) -> bool {
        let mut on_paths = self.edges.iter().filter(|&(_, is_on_path)| *is_on_path);
        on_paths.any(|(&(from, to), _)| to == at && self.graph.nodes[from].is_module)
    }

    fn finish(mut self) -> ObjectGraph {
        let edges = std::mem::take(&mut self.edges);
        self.graph.edges = edges
            .into_iter()
            .map(|((from, to), is_on_path)| {
                let of = |index: usize| self.graph.nodes[index].object;
                let (text, n_references) = text::of_reference(self.snapshot, of(from), of(to));
                GraphEdge {
                    from,
                    to,
                    text,
                    n_references,
                    is_on_path,
                }
            })
            .collect();
        self.graph
    }
}

/// The modules that were imported, by the names under which they are.
fn modules(snapshot: &Snapshot) -> HashMap<ObjId, &str> {
    let mut modules = HashMap::new();
    let roots = snapshot.roots.iter();
    for root in roots.filter(|root| root.kind == crate::snapshot::RootKind::Modules) {
        let mut name = None;
        for (label, target) in snapshot.references_of(root.object) {
            match label.name() {
                crate::snapshot::LabelName::Key(_) => name = snapshot.key_text(target),
                _ if is_module(snapshot, target) => {
                    modules.entry(target).or_insert(name.unwrap_or("module"));
                }
                _ => {}
            }
        }
    }
    modules
}

#[cfg(test)]
mod tests;
