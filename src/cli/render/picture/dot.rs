//! DOT, as objgraph 3.7 writes it: names of nodes, labels and colours are its.
//!
//! Beyond objgraph: references are labelled wherever what they are for is known, the steps of shortest
//! paths are drawn bold, and what is held by no object of the heap has a node of what holds it.

use std::fmt::Write as _;

use leakhunt_heap::{Direction, EdgeText, GraphNode};

use super::Picture;

/// The hue and saturation of modules.
const MODULE: (f64, f64) = (0.3, 1.0);
/// How bright a start is, and what is as far from it as the picture goes.
const BRIGHTNESS: (f64, f64) = (1.0, 0.3);
/// White stands out on what is darker.
const DARK: f64 = 0.5;

/// The whole document.
pub(crate) fn document(picture: &Picture<'_>) -> String {
    let mut text = String::from("digraph ObjectGraph {\n");
    text.push_str("  node[shape=box, style=filled, fillcolor=white];\n");
    let graph = picture.graph;
    for node in graph.nodes.iter().filter(|node| node.is_start) {
        let _ = writeln!(text, "  {}[fontcolor=red];", id(picture, node));
    }
    for node in &graph.nodes {
        node_lines(&mut text, picture, node);
    }
    for edge in &graph.edges {
        let [from, to] = [edge.from, edge.to].map(|index| id(picture, &graph.nodes[index]));
        let more = match edge.n_references {
            0 | 1 => String::new(),
            n_references => format!("\n+{} more", n_references - 1),
        };
        let mut attributes: Vec<String> = Vec::new();
        match &edge.text {
            EdgeText::Other(label) if label.is_empty() && more.is_empty() => {}
            label => attributes.push(format!(
                "label={}",
                quoted(&format!("{}{more}", label.text()))
            )),
        }
        match &edge.text {
            EdgeText::Attributes => attributes.push("weight=10".to_owned()),
            EdgeText::Key(_) => attributes.push("weight=2".to_owned()),
            EdgeText::Other(_) => {}
        }
        if edge.is_on_path {
            attributes.push("style=bold".to_owned());
        }
        let attributes = match attributes.is_empty() {
            true => String::new(),
            false => format!(" [{}]", attributes.join(",")),
        };
        let _ = writeln!(text, "  {from} -> {to}{attributes};");
    }
    text.push_str("}\n");
    text
}

fn id(picture: &Picture<'_>, node: &GraphNode) -> String {
    format!("o{}", picture.address(node))
}

fn node_lines(text: &mut String, picture: &Picture<'_>, node: &GraphNode) {
    let id = id(picture, node);
    let label = quoted(&format!("{}\n{}", node.type_name, node.text));
    let _ = writeln!(text, "  {id}[label={label}];");
    let max_depth = picture.scope.max_depth.max(1);
    let part = node.depth.min(max_depth) as f64 / max_depth as f64;
    let v = BRIGHTNESS.0 + (BRIGHTNESS.1 - BRIGHTNESS.0) * part;
    let (h, s) = if node.is_module { MODULE } else { (0.0, 0.0) };
    let _ = writeln!(
        text,
        "  {id}[fillcolor=\"{},{},{}\"];",
        short(h),
        short(s),
        short(v)
    );
    if v < DARK {
        let _ = writeln!(text, "  {id}[fontcolor=white];");
    }
    if let Some(root) = &node.root {
        let _ = writeln!(
            text,
            "  root_{id}[label={},shape=box,style=\"rounded,dashed\"];\n  root_{id} -> {id} \
             [style=bold];",
            quoted(root)
        );
    }
    if node.n_more > 0 {
        let more = format!("too_many_{id}");
        let edge = match picture.scope.direction {
            Direction::Back => format!("{more}->{id}"),
            Direction::Forward => format!("{id}->{more}"),
        };
        let _ = writeln!(
            text,
            "  {edge}[color=red,style=dotted,len=0.25,weight=10];\n  {more}[label={},shape=box,\
             height=0.25,color=red,fillcolor=\"0,1,0.3\",fontsize=6];\n  {more}[fontcolor=white];",
            quoted(&picture.more_text(node.n_more))
        );
    }
}

/// As C's `%g` for numbers from 0 to 1.
fn short(number: f64) -> String {
    let digits = format!("{number:.6}");
    digits
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// A quoted string of DOT. Line breaks stand as `\n`; NUL, which Graphviz takes for the end, as `\\0`.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\\\r"),
            '\0' => quoted.push_str("\\\\0"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
