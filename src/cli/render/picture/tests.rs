use leakhunt_heap::{ObjId, ObjectGraph, Paths, RootKind, SnapshotBuilder, Via, object_graph};

use super::layout::{Line, Size, place};
use super::*;

const SCOPE: GraphScope = GraphScope {
    direction: leakhunt_heap::Direction::Back,
    max_depth: 3,
    too_many: 2,
    max_objects: 100,
};

const HOSTILE: &str = "a\"b\\c<d>&e\n\0\x1b\u{fffe}é漢";

/// A module, its dict, a list, a row with a hostile key; and lists that are too many.
fn drawn(scope: GraphScope) -> (Snapshot, ObjectGraph) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let cache = heap.object("dict");
    heap.attribute(shop, "CACHE", cache);
    let row = heap.object(&format!("shop.{}Row", "Long".repeat(75)));
    heap.entry(cache, HOSTILE, row);
    for _ in 0..5 {
        let list = heap.object("list");
        heap.reference(list, Via::Item(0), row);
        heap.reference(list, Via::Item(1), row);
    }
    let heap = heap.finish();
    let start = heap
        .ids()
        .find(|&id| heap.type_of(id).name.ends_with("Row"));
    let start: [ObjId; 1] = [start.unwrap()];
    let graph = object_graph(&heap, &Paths::find(&heap), &start, scope);
    (heap, graph)
}

fn with_picture<T>(scope: GraphScope, of: impl Fn(&Picture<'_>) -> T) -> T {
    let (snapshot, graph) = drawn(scope);
    of(&Picture {
        title: "who holds <the object>",
        file: "heap.leakhunt",
        snapshot: &snapshot,
        graph: &graph,
        scope,
    })
}

#[test]
fn dot_is_what_objgraph_writes() {
    let text = with_picture(SCOPE, dot::document);
    let row = 0x7f00_0000_0180_u64;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "digraph ObjectGraph {");
    assert_eq!(
        lines[1],
        "  node[shape=box, style=filled, fillcolor=white];"
    );
    assert_eq!(lines[2], format!("  o{row}[fontcolor=red];"));
    let name = format!("{}Row", "Long".repeat(75));
    assert_eq!(lines[3], format!("  o{row}[label=\"{name}\\n{row:#x}\"];"));
    assert_eq!(lines[4], format!("  o{row}[fillcolor=\"0,0,1\"];"));
    for line in [
        "too_many_o139637976727936->o139637976727936[color=red,style=dotted,len=0.25,weight=10];",
        "too_many_o139637976727936[label=\"4 more backreferences\",shape=box,height=0.25,\
         color=red,fillcolor=\"0,1,0.3\",fontsize=6];",
        "too_many_o139637976727936[fontcolor=white];",
        "[fillcolor=\"0,0,0.766667\"];",
        "[fillcolor=\"0.3,1,0.3\"];",
        "[label=\"__dict__\",weight=10,style=bold];",
        "[label=\"CACHE\",weight=2,style=bold];",
        "[label=\"[0]\\n+1 more\"];",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let key = "[label=\"str\\n'a\\\"b\\\\\\\\c<d>&e\\\\n\\\\x00\\\\x1b\\\\ufffeé漢'\",style=bold];";
    assert!(text.contains(key), "{key} in {text}");
    assert!(!text.contains('\0'));
    let last = lines[lines.len() - 1];
    assert_eq!(last, "}");
}

#[test]
fn forward_dot_leads_to_what_is_left_out() {
    let scope = GraphScope {
        direction: leakhunt_heap::Direction::Forward,
        too_many: 0,
        ..SCOPE
    };
    let (snapshot, _) = drawn(SCOPE);
    let graph = object_graph(&snapshot, &Paths::find(&snapshot), &[ObjId(0)], scope);
    let picture = Picture {
        title: "",
        file: "f",
        snapshot: &snapshot,
        graph: &graph,
        scope,
    };
    let text = dot::document(&picture);
    let start = "o139637976727552";
    assert!(
        text.contains(&format!("{start}->too_many_{start}[color=red")),
        "{text}"
    );
    assert!(text.contains("\"2 more references\""), "{text}");
}

#[test]
fn svg_holds_names_whole_and_no_character_that_xml_forbids() {
    let text = with_picture(SCOPE, svg::document);
    let whole = format!("shop.{}Row", "Long".repeat(75));
    assert!(text.contains(&whole), "the tooltip has it");
    assert!(text.contains("who holds &lt;the object&gt;"));
    assert!(text.contains(">CACHE</text>"));
    assert!(text.contains("4 more backreferences"));
    let is_forbidden =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!text.contains(is_forbidden));
    let n_boxes = |class: &str| text.matches(&format!("<g class=\"{class}\">")).count();
    let classes = ["start", "module", "object", "more"].map(n_boxes);
    assert_eq!(classes, [1, 1, 3, 1]);
}

#[test]
fn json_has_all_that_is_drawn() {
    let json = with_picture(SCOPE, |picture| json::document(picture, "x.svg"));
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["schema"], "leakhunt.graph/1");
    let nodes = json["nodes"].as_array().unwrap();
    assert_eq!(
        (&nodes[0]["is_start"], &nodes[0]["left_out"]),
        (&true.into(), &4.into())
    );
    assert!(
        json["edges"]
            .as_array()
            .unwrap()
            .iter()
            .any(|edge| edge["label"] == "CACHE")
    );
}

/// The same numbers each time.
fn random(seed: &mut u64, end: usize) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % end
}

#[test]
fn boxes_never_overlap_and_lines_end_at_boxes() {
    let mut seed = 7;
    for round in 0..60 {
        let n_boxes = 1 + random(&mut seed, 25);
        let boxes: Vec<Size> = (0..n_boxes)
            .map(|_| Size {
                width: 20.0 + random(&mut seed, 200) as f64,
                height: 20.0 + random(&mut seed, 40) as f64,
            })
            .collect();
        let lines: Vec<Line> = (0..random(&mut seed, 2 * n_boxes))
            .map(|index| Line {
                from: random(&mut seed, n_boxes),
                to: random(&mut seed, n_boxes),
                label: Size {
                    width: (index % 3 * 30) as f64,
                    height: (index % 3 * 10) as f64,
                },
                weight: 1 + (index % 2 * 7) as i32,
            })
            .collect();
        let layout = place(&boxes, &lines);
        for one in 0..n_boxes {
            let (x, y) = layout.boxes[one];
            assert!(x - boxes[one].width / 2.0 > -0.5 && y - boxes[one].height / 2.0 > -0.5);
            for other in 0..one {
                let (dx, dy) = (
                    (x - layout.boxes[other].0).abs(),
                    (y - layout.boxes[other].1).abs(),
                );
                let is_apart = dx >= (boxes[one].width + boxes[other].width) / 2.0
                    || dy >= (boxes[one].height + boxes[other].height) / 2.0;
                assert!(is_apart, "round {round}: {one} and {other}");
            }
        }
        for (line, points) in lines.iter().zip(&layout.lines) {
            assert!(points.len() >= 2, "round {round}: {line:?}");
            if line.from == line.to {
                continue;
            }
            for (end, point) in [(line.from, points[0]), (line.to, points[points.len() - 1])] {
                let ((x, y), size) = (layout.boxes[end], boxes[end]);
                let is_at = (point.0 - x).abs() <= size.width / 2.0 + 1.0
                    && (point.1 - y).abs() <= size.height / 2.0 + 1.0;
                assert!(
                    is_at,
                    "round {round}: {line:?} ends at {point:?}, {x} {y} {size:?}"
                );
            }
        }
    }
}
