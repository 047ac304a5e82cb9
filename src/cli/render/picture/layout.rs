//! Where boxes and lines go: in layers, so that what refers stands above what it refers to.

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel};

/// Room between neighbours, between layers and between lines, in pixels.
const NODE_GAP: f64 = 24.0;
const LAYER_GAP: f64 = 36.0;
const LINE_GAP: f64 = 12.0;

/// A box to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A line to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Of its label; 0 for none.
    pub(super) label: Size,
    /// How much it should be short and straight.
    pub(super) weight: i32,
}

/// In pixels from the upper left corner.
pub(super) type Point = (f64, f64);

/// Where all goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// The middle of each box.
    pub(super) boxes: Vec<Point>,
    /// The points that each line goes through.
    pub(super) lines: Vec<Vec<Point>>,
    /// The middle of each line's label.
    pub(super) labels: Vec<Point>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Places boxes and lines.
pub(super) fn place(boxes: &[Size], lines: &[Line]) -> Layout {
    let mut graph = Graph::with_options(GraphOptions {
        directed: true,
        multigraph: true,
        compound: false,
    });
    for (index, size) in boxes.iter().enumerate() {
        let label = NodeLabel {
            width: size.width,
            height: size.height,
            ..NodeLabel::default()
        };
        graph.set_node(index.to_string(), Some(label));
    }
    let name = |index: usize| index.to_string();
    for (index, line) in lines.iter().enumerate() {
        let label = EdgeLabel {
            width: line.label.width,
            height: line.label.height,
            weight: line.weight,
            labelpos: LabelPos::Center,
            ..EdgeLabel::default()
        };
        let (from, to) = (name(line.from), name(line.to));
        graph.set_edge(from, to, Some(label), Some(&name(index)));
    }
    let options = LayoutOptions {
        nodesep: NODE_GAP,
        ranksep: LAYER_GAP,
        edgesep: LINE_GAP,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    let mut layout = Layout::default();
    for (index, size) in boxes.iter().enumerate() {
        let placed = graph.node(&name(index));
        let at = |of: fn(&NodeLabel) -> Option<f64>| placed.and_then(of).unwrap_or_default();
        let (x, y) = (at(|node| node.x), at(|node| node.y));
        layout.boxes.push((x, y));
        layout.reach(x + size.width / 2.0, y + size.height / 2.0);
    }
    for (index, line) in lines.iter().enumerate() {
        let placed = graph.edge(&name(line.from), &name(line.to), Some(&name(index)));
        let points: Vec<Point> = placed
            .map(|edge| edge.points.iter().map(|point| (point.x, point.y)).collect())
            .unwrap_or_default();
        let middle = points.get(points.len() / 2).copied().unwrap_or_default();
        let label = placed.and_then(|edge| Some((edge.x?, edge.y?)));
        let label = label.unwrap_or(middle);
        for &(x, y) in &points {
            layout.reach(x, y);
        }
        layout.reach(
            label.0 + line.label.width / 2.0,
            label.1 + line.label.height / 2.0,
        );
        layout.lines.push(points);
        layout.labels.push(label);
    }
    layout
}

impl Layout {
    fn reach(&mut self, x: f64, y: f64) {
        self.width = self.width.max(x);
        self.height = self.height.max(y);
    }
}
