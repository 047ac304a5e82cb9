//! The JSON of `leakhunt graph`.

use leakhunt_heap::Direction;
use serde::Serialize;

use super::Picture;

/// The name and version of the JSON schema.
const GRAPH_SCHEMA: &str = "leakhunt.graph/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    file: &'a str,
    /// What was written.
    output: &'a str,
    direction: &'static str,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    address: u64,
    #[serde(rename = "type")]
    type_name: String,
    text: &'a str,
    depth: usize,
    is_start: bool,
    is_module: bool,
    root: Option<&'a str>,
    left_out: usize,
}

#[derive(Serialize)]
struct Edge<'a> {
    from: u64,
    to: u64,
    label: &'a str,
    references: usize,
    on_path: bool,
}

/// One document, with its newline.
pub(crate) fn document(picture: &Picture<'_>, output: &str) -> Vec<u8> {
    let graph = picture.graph;
    let address = |index: usize| picture.address(&graph.nodes[index]);
    let document = Document {
        schema: GRAPH_SCHEMA,
        file: picture.file,
        output,
        direction: match picture.scope.direction {
            Direction::Back => "back",
            Direction::Forward => "forward",
        },
        nodes: graph
            .nodes
            .iter()
            .map(|node| Node {
                address: picture.address(node),
                type_name: picture.snapshot.type_of(node.object).key(),
                text: &node.text,
                depth: node.depth,
                is_start: node.is_start,
                is_module: node.is_module,
                root: node.root.as_deref(),
                left_out: node.n_more,
            })
            .collect(),
        edges: graph
            .edges
            .iter()
            .map(|edge| Edge {
                from: address(edge.from),
                to: address(edge.to),
                label: edge.text.text(),
                references: edge.n_references,
                on_path: edge.is_on_path,
            })
            .collect(),
    };
    let mut json = serde_json::to_vec(&document).unwrap_or_default();
    json.push(b'\n');
    json
}
