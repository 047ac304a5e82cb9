//! What grew from one snapshot to another: the two dominator trees side by side.
//!
//! Objects are matched by how they are held, not by address: a node is all objects that their
//! dominator refers to in the same way, indices and keys masked. On top it is the whole masked path.

mod labels;

use std::collections::BTreeMap;

use super::group::{self, Common};
use super::top_level::TopLevel;
use super::{Analysed, Held, Suspect, SuspectShape, Suspects, n_objects, of_group, place};
use crate::snapshot::ObjId;
use labels::{Labels, NodeLabel};

/// A suspect grew by this part of the earlier heap or more: a fiftieth.
const SHARE_OF_BASELINE: u64 = 50;
/// Goes on to the largest child that has so much of the growth: seven tenths.
const RATIO: (u64, u64) = (7, 10);
/// More nodes of one type than this on one way are a chain.
const MOST_NESTED: usize = 16;

/// Objects of both snapshots that are held the same way.
#[derive(Clone, Debug, Default)]
struct Node {
    label: Option<NodeLabel>,
    /// Where it is among all; `None` on top.
    parent: Option<usize>,
    before: Vec<ObjId>,
    now: Vec<ObjId>,
    retained_before: u64,
    retained_now: u64,
}

impl Node {
    fn growth(&self) -> u64 {
        self.retained_now.saturating_sub(self.retained_before)
    }

    /// Whether there are more of them than came with more of what holds them.
    fn rose(&self, n_parents: usize) -> bool {
        self.now.len() > self.before.len().max(n_parents)
    }
}

/// What grew by a fiftieth of the earlier snapshot or more. `O(V)` of both and at most 10,000 paths a
/// place.
pub fn suspects_of_growth(now: Analysed<'_>, before: Analysed<'_>) -> Suspects {
    let Analysed { snapshot, tree, .. } = now;
    let threshold_bytes = (before.tree.total_bytes() / SHARE_OF_BASELINE).max(1);
    let mut comparison = Comparison {
        before,
        now,
        top_level: TopLevel::of(snapshot, tree),
        labels: Labels::default(),
        threshold_bytes,
        nodes: Vec::new(),
        found: Suspects {
            n_objects: n_objects(snapshot, tree),
            size_bytes: tree.total_bytes(),
            size_bytes_before: Some(before.tree.total_bytes()),
            threshold_bytes,
            ..Suspects::default()
        },
    };
    comparison.run();
    let mut found = comparison.found;
    found.finish();
    found
}

struct Comparison<'a> {
    before: Analysed<'a>,
    now: Analysed<'a>,
    top_level: TopLevel,
    labels: Labels,
    threshold_bytes: u64,
    /// Those that grew by the threshold or more, parents first.
    nodes: Vec<Node>,
    found: Suspects,
}

impl Comparison<'_> {
    fn run(&mut self) {
        let top = self.top();
        for node in self.grown(top) {
            match node.rose(1) {
                true => self.add_group(&node),
                false => self.nodes.push(node),
            }
        }
        let mut at = 0;
        while at < self.nodes.len() {
            self.look_at(at);
            at += 1;
        }
    }

    /// Goes on from a node to what grew below it, or makes it a suspect.
    fn look_at(&mut self, at: usize) {
        if let Some(first) = self.start_of_chain(at) {
            self.add_chain(first);
            return;
        }
        let children = self.children(at);
        let node = &self.nodes[at];
        let holds = growth_by_type(&self.now, &children);
        let (n_parents, growth) = (node.now.len(), node.growth());
        let mut grown = self.grown(children);
        grown.retain(|child| !child.rose(n_parents));
        for child in &mut grown {
            child.parent = Some(at);
        }
        let has_most = |child: &Node| child.growth().saturating_mul(RATIO.1) >= growth * RATIO.0;
        if let Some(index) = grown.iter().position(has_most) {
            self.nodes.push(grown.swap_remove(index));
            return;
        }
        let in_grown: u64 = grown.iter().map(Node::growth).sum();
        if growth.saturating_sub(in_grown) >= self.threshold_bytes {
            self.add_node(at, SuspectShape::Object, holds);
        }
        self.nodes.append(&mut grown);
    }

    /// Those that grew by the threshold or more.
    fn grown(&self, nodes: BTreeMap<NodeLabel, Node>) -> Vec<Node> {
        let nodes = nodes.into_values();
        nodes
            .filter(|node| node.growth() >= self.threshold_bytes)
            .collect()
    }

    /// What is on top of both trees, by its label.
    fn top(&mut self) -> BTreeMap<NodeLabel, Node> {
        let mut nodes = BTreeMap::new();
        let of_before = TopLevel::of(self.before.snapshot, self.before.tree);
        let mut known = labels::Known::default();
        for object in of_before.objects(self.before.tree) {
            let label = self.labels.on_top(&self.before, &mut known, object);
            add_before(&mut nodes, label, &self.before, object);
        }
        let mut known = labels::Known::default();
        for object in self.top_level.objects(self.now.tree) {
            let label = self.labels.on_top(&self.now, &mut known, object);
            add_now(&mut nodes, label, &self.now, object);
        }
        nodes
    }

    /// What the objects of a node dominate immediately, by its label.
    fn children(&mut self, at: usize) -> BTreeMap<NodeLabel, Node> {
        let mut nodes = BTreeMap::new();
        for &parent in &self.nodes[at].before {
            for child in self.before.tree.children(parent) {
                let label = self.labels.below(&self.before, parent, child);
                add_before(&mut nodes, label, &self.before, child);
            }
        }
        for &parent in &self.nodes[at].now {
            for child in self.now.tree.children(parent) {
                let label = self.labels.below(&self.now, parent, child);
                add_now(&mut nodes, label, &self.now, child);
            }
        }
        nodes
    }

    /// Where the chain starts that a node is a link of.
    fn start_of_chain(&self, at: usize) -> Option<usize> {
        let (_, of_type) = self.nodes[at].label?;
        let above = std::iter::successors(Some(at), |&at| self.nodes[at].parent);
        let is_link = |label: NodeLabel| label.1 == of_type;
        let links = above.filter(|&at| self.nodes[at].label.is_some_and(is_link));
        let links: Vec<usize> = links.take(MOST_NESTED + 1).collect();
        (links.len() > MOST_NESTED)
            .then(|| links.last().copied())
            .flatten()
    }

    fn add_chain(&mut self, first: usize) {
        let (now, before) = (&self.nodes[first].now, &self.nodes[first].before);
        let Some(&object) = now.first() else { return };
        let links = super::accumulation::links(self.now.snapshot, self.now.tree, object);
        let n_before = before.first().map_or(0, |&object| {
            super::accumulation::links(self.before.snapshot, self.before.tree, object).n_objects
        });
        let more = Held {
            n_objects: links.n_objects.saturating_sub(n_before),
            retained_bytes: self.nodes[first].growth(),
            ..links
        };
        self.add_node(first, SuspectShape::Chain, vec![more]);
    }

    /// The suspect that a node is.
    fn add_node(&mut self, at: usize, shape: SuspectShape, holds: Vec<Held>) {
        let (now, node) = (&self.now, &self.nodes[at]);
        let largest = node.now.iter().copied();
        let Some(object) = largest.max_by_key(|&object| now.tree.retained_bytes(object)) else {
            return;
        };
        let object = super::accumulation::instance_of(now.snapshot, now.tree, object);
        let (path, holder) = place(now.snapshot, now.paths, object);
        let n_retained = |&object: &ObjId| u64::from(now.tree.n_retained(object));
        let size = |&object: &ObjId| now.snapshot.objects.size_bytes[object.0 as usize];
        self.found.suspects.push(Suspect {
            shape,
            object,
            type_key: now.snapshot.type_of(object).key(),
            path,
            holder,
            pattern: None,
            sample: None,
            n_places: node.now.len() as u64,
            n_objects: node.now.iter().map(n_retained).sum(),
            shallow_bytes: node.now.iter().map(size).sum(),
            retained_bytes: node.retained_now,
            retained_bytes_before: Some(node.retained_before),
            holds,
        });
    }

    /// The suspect that objects are of which there are more on top.
    fn add_group(&mut self, node: &Node) {
        let now = &self.now;
        let more = Held {
            type_key: node
                .now
                .first()
                .map_or_else(String::new, |&object| now.snapshot.type_of(object).key()),
            n_objects: (node.now.len() - node.before.len()) as u64,
            retained_bytes: node.growth(),
        };
        let common: Option<Common> =
            group::common(now.snapshot, now.paths, &self.top_level, &node.now);
        let Some(common) = common else {
            self.found.spread.push(more);
            return;
        };
        self.found.suspects.push(Suspect {
            retained_bytes_before: Some(node.retained_before),
            holds: vec![more],
            ..of_group(now.snapshot, now.tree, now.paths, &common, &node.now)
        });
    }
}

fn add_before(
    nodes: &mut BTreeMap<NodeLabel, Node>,
    label: NodeLabel,
    of: &Analysed<'_>,
    object: ObjId,
) {
    let node = nodes.entry(label).or_insert_with(|| Node::of(label));
    node.before.push(object);
    node.retained_before += of.tree.retained_bytes(object);
}

fn add_now(
    nodes: &mut BTreeMap<NodeLabel, Node>,
    label: NodeLabel,
    of: &Analysed<'_>,
    object: ObjId,
) {
    let node = nodes.entry(label).or_insert_with(|| Node::of(label));
    node.now.push(object);
    node.retained_now += of.tree.retained_bytes(object);
}

impl Node {
    fn of(label: NodeLabel) -> Self {
        Self {
            label: Some(label),
            ..Self::default()
        }
    }
}

/// What there is more of, by type.
fn growth_by_type(now: &Analysed<'_>, nodes: &BTreeMap<NodeLabel, Node>) -> Vec<Held> {
    let grown = nodes.values().filter(|node| node.growth() > 0);
    let held = grown.filter_map(|node| {
        let type_key = now.snapshot.type_of(*node.now.first()?).key();
        Some(Held {
            type_key,
            n_objects: node.now.len().saturating_sub(node.before.len()) as u64,
            retained_bytes: node.growth(),
        })
    });
    held.collect()
}
