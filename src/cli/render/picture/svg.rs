//! SVG that any browser opens; text can be selected, and whole names show under the pointer.

use std::fmt::Write as _;

use leakhunt_heap::{Direction, GraphEdge, GraphNode};

use super::Picture;
use super::layout::{Layout, Line, Point, Size, place};
use crate::render::text::{cut_end, cut_start, escape_controls};

/// The widths of characters of `FONT`, for each pixel of its size.
const CHAR_WIDTH: f64 = 0.61;
const FONT: &str = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace";
const TEXT_SIZE: f64 = 12.0;
const LABEL_SIZE: f64 = 10.0;
/// The most characters of a line in a box, and at a line between boxes.
const TEXT_CHARS: usize = 36;
const LABEL_CHARS: usize = 24;
/// The most characters of a line above the picture.
const HEADING_CHARS: usize = 120;
/// Room in a box around its text, and around the picture.
const PADDING: f64 = 8.0;
const MARGIN: f64 = 20.0;
const HEADING_HEIGHT: f64 = 46.0;
/// Steps of shortest paths are straight where that is possible.
const PATH_WEIGHT: i32 = 8;

/// Of the triangle at the end of a line: its length, and half its width as a part of that.
const HEAD_LENGTH: f64 = 9.0;
const HEAD_SLIMNESS: f64 = 0.4;

/// A box.
struct Shape {
    class: &'static str,
    lines: Vec<String>,
    tooltip: String,
}

/// A line between boxes.
struct Arrow {
    from: usize,
    to: usize,
    class: &'static str,
    lines: Vec<String>,
    tooltip: String,
}

/// The whole document.
pub(crate) fn document(picture: &Picture<'_>) -> String {
    let (shapes, arrows) = parts(picture);
    let sizes: Vec<Size> = shapes
        .iter()
        .map(|shape| size(&shape.lines, TEXT_SIZE, PADDING))
        .collect();
    let lines: Vec<Line> = arrows
        .iter()
        .map(|arrow| Line {
            from: arrow.from,
            to: arrow.to,
            label: size(&arrow.lines, LABEL_SIZE, 3.0),
            weight: if arrow.class == "path" {
                PATH_WEIGHT
            } else {
                1
            },
        })
        .collect();
    let layout = place(&sizes, &lines);
    let heading = [picture.title, &legend(picture)];
    let heading = heading.map(|line| cut_end(&shown(line), HEADING_CHARS).into_owned());
    let heading_width = size(&heading, TEXT_SIZE, 0.0).width;
    let width = (layout.width.max(heading_width) + 2.0 * MARGIN).ceil();
    let height = (layout.height + HEADING_HEIGHT + 2.0 * MARGIN).ceil();
    let mut text = String::new();
    let _ = write!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONT}\" font-size=\"{TEXT_SIZE}\">\n\
         <title>{}</title>\n{STYLE}\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" class=\"title\">{}</text>\n\
         <text x=\"{MARGIN}\" y=\"{}\" class=\"legend\">{}</text>\n\
         <g transform=\"translate({MARGIN},{})\">\n",
        escaped(picture.title),
        MARGIN + 8.0,
        escaped(&heading[0]),
        MARGIN + 26.0,
        escaped(&heading[1]),
        MARGIN + HEADING_HEIGHT
    );
    // Boxes lie over the ends of lines, labels over all.
    for (index, arrow) in arrows.iter().enumerate() {
        arrow_lines(&mut text, arrow, &layout.lines[index]);
    }
    for (index, shape) in shapes.iter().enumerate() {
        shape_lines(&mut text, shape, sizes[index], layout.boxes[index]);
    }
    label_lines(&mut text, &arrows, &layout);
    text.push_str("</g>\n</svg>\n");
    text
}

const STYLE: &str = "<style>\
    rect{fill:#f6f6f6;stroke:#8a8a8a}rect.paper{fill:white;stroke:none}\
    .start rect{fill:#fde0dd;stroke:#c0392b;stroke-width:2}\
    .module rect{fill:#dcf0dc;stroke:#2e7d32}\
    .frame rect{fill:#dde9fb;stroke:#2c5aa0}\
    .root rect{fill:#fff5d6;stroke:#a67c00;stroke-dasharray:4 3}\
    .more rect{fill:#ffffff;stroke:#c0392b;stroke-dasharray:2 3}\
    .more text{fill:#c0392b}\
    text{fill:#1a1a1a;white-space:pre}.kind{font-weight:bold}.title{font-weight:bold}\
    .legend{fill:#666}\
    path{fill:none;stroke:#9a9a9a;stroke-width:1}\
    path.path{stroke:#333;stroke-width:2}path.more{stroke:#c0392b;stroke-dasharray:2 3}\
    polygon{fill:#777}polygon.path{fill:#333}polygon.more{fill:#c0392b}\
    .label rect{fill:white;stroke:none;fill-opacity:0.85}.label{font-size:10px}\
    </style>\n";

fn legend(picture: &Picture<'_>) -> String {
    let ways = match picture.scope.direction {
        Direction::Back => "bold: the shortest path from a root; ",
        Direction::Forward => "",
    };
    format!(
        "{}; {ways}arrows go from what refers to what it refers to",
        picture.file
    )
}

/// The objects, what holds the first ones of paths, and what is left out.
fn parts(picture: &Picture<'_>) -> (Vec<Shape>, Vec<Arrow>) {
    let graph = picture.graph;
    let mut shapes: Vec<Shape> = graph
        .nodes
        .iter()
        .map(|node| shape(picture, node))
        .collect();
    let mut arrows: Vec<Arrow> = graph.edges.iter().map(arrow).collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        let mut beside = |class: &'static str, text: &str, is_above: bool| {
            let other = shapes.len();
            shapes.push(Shape {
                class,
                lines: vec![cut_end(&shown(text), TEXT_CHARS).into_owned()],
                tooltip: text.to_owned(),
            });
            let (from, to) = if is_above {
                (other, index)
            } else {
                (index, other)
            };
            arrows.push(Arrow {
                from,
                to,
                class: if class == "root" { "path" } else { class },
                lines: Vec::new(),
                tooltip: String::new(),
            });
        };
        if let Some(root) = &node.root {
            beside("root", root, true);
        }
        if node.n_more > 0 {
            let is_above = picture.scope.direction == Direction::Back;
            beside("more", &picture.more_text(node.n_more), is_above);
        }
    }
    (shapes, arrows)
}

fn shape(picture: &Picture<'_>, node: &GraphNode) -> Shape {
    let of_type = picture.snapshot.type_of(node.object);
    let class = match node {
        node if node.is_start => "start",
        node if node.is_module => "module",
        _ if of_type.is_frame() => "frame",
        _ => "object",
    };
    let kind = match of_type.is_frame() {
        true => "frame",
        false => &node.type_name,
    };
    Shape {
        class,
        lines: vec![
            cut_start(&shown(kind), TEXT_CHARS).into_owned(),
            cut_start(&shown(&node.text), TEXT_CHARS).into_owned(),
        ],
        tooltip: format!(
            "{} {}\nat {:#x}",
            of_type.key(),
            node.text,
            picture.address(node)
        ),
    }
}

fn arrow(edge: &GraphEdge) -> Arrow {
    let text = edge.text.text();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| cut_end(&shown(line), LABEL_CHARS).into_owned())
        .collect();
    if edge.n_references > 1 {
        lines.push(format!("+{} more", edge.n_references - 1));
    }
    Arrow {
        from: edge.from,
        to: edge.to,
        class: if edge.is_on_path { "path" } else { "other" },
        lines,
        tooltip: text.replace('\n', " "),
    }
}

fn shape_lines(text: &mut String, shape: &Shape, size: Size, middle: Point) {
    let (x, y) = (middle.0 - size.width / 2.0, middle.1 - size.height / 2.0);
    let _ = write!(
        text,
        "<g class=\"{}\"><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
         height=\"{:.1}\" rx=\"3\"/>",
        shape.class,
        escaped(&shape.tooltip),
        size.width,
        size.height
    );
    for (index, line) in shape.lines.iter().enumerate() {
        let class = match index {
            0 if shape.lines.len() > 1 => " class=\"kind\"",
            _ => "",
        };
        let _ = write!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\"{class}>{}</text>",
            middle.0,
            y + PADDING + line_height(TEXT_SIZE) * (index as f64 + 0.75),
            escaped(line)
        );
    }
    text.push_str("</g>\n");
}

fn arrow_lines(text: &mut String, arrow: &Arrow, points: &[Point]) {
    let class = arrow.class;
    let (line, head) = (curve(points), arrow_head(points));
    let _ = writeln!(
        text,
        "<g><title>{}</title><path class=\"{class}\" d=\"{line}\"/><polygon class=\"{class}\" \
         points=\"{head}\"/></g>",
        escaped(&arrow.tooltip),
    );
}

fn label_lines(text: &mut String, arrows: &[Arrow], layout: &Layout) {
    for (arrow, &(x, y)) in arrows.iter().zip(&layout.labels) {
        if arrow.lines.is_empty() {
            continue;
        }
        let room = size(&arrow.lines, LABEL_SIZE, 1.0);
        let top = y - room.height / 2.0;
        let _ = write!(
            text,
            "<g class=\"label\"><rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"/>",
            x - room.width / 2.0,
            room.width,
            room.height
        );
        for (index, line) in arrow.lines.iter().enumerate() {
            let _ = write!(
                text,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                top + 1.0 + line_height(LABEL_SIZE) * (index as f64 + 0.75),
                escaped(line)
            );
        }
        text.push_str("</g>\n");
    }
}

/// A smooth line through all points.
fn curve(points: &[Point]) -> String {
    let Some(first) = points.first() else {
        return String::new();
    };
    let mut path = format!("M{:.1} {:.1}", first.0, first.1);
    for (index, end) in points.iter().enumerate().skip(1) {
        let [one, other] = controls(points, index);
        let _ = write!(
            path,
            " C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            one.0, one.1, other.0, other.1, end.0, end.1
        );
    }
    path
}

/// The control points of the stretch of a line that ends at a point: each lies in the direction from
/// the point before to the point after, no further than a third of the stretch, so that it never
/// swings out.
fn controls(points: &[Point], end: usize) -> [Point; 2] {
    let (from, to) = (points[end - 1], points[end]);
    let before = points[end.saturating_sub(2)];
    let after = points.get(end + 1).copied().unwrap_or(to);
    let third = (to.0 - from.0).hypot(to.1 - from.1) / 3.0;
    let toward = |one: Point, other: Point| {
        let (dx, dy) = (other.0 - one.0, other.1 - one.1);
        let scale = third / dx.hypot(dy).max(f64::EPSILON);
        (dx * scale, dy * scale)
    };
    let (start, stop) = (toward(before, to), toward(from, after));
    [
        (from.0 + start.0, from.1 + start.1),
        (to.0 - stop.0, to.1 - stop.1),
    ]
}

/// The corners of the triangle at the end of a line.
fn arrow_head(points: &[Point]) -> String {
    let [_, .., (x, y)] = points else {
        return String::new();
    };
    let [_, before] = controls(points, points.len() - 1);
    let (dx, dy) = (x - before.0, y - before.1);
    let length = dx.hypot(dy).max(f64::EPSILON);
    let (dx, dy) = (dx / length * HEAD_LENGTH, dy / length * HEAD_LENGTH);
    let (side_x, side_y) = (dy * HEAD_SLIMNESS, -dx * HEAD_SLIMNESS);
    format!(
        "{x:.1},{y:.1} {:.1},{:.1} {:.1},{:.1}",
        x - dx + side_x,
        y - dy + side_y,
        x - dx - side_x,
        y - dy - side_y
    )
}

fn line_height(text_size: f64) -> f64 {
    (text_size * 1.3).ceil()
}

fn size(lines: &[String], text_size: f64, padding: f64) -> Size {
    let widest = lines.iter().map(|line| n_columns(line)).max().unwrap_or(0);
    if widest == 0 {
        return Size {
            width: 0.0,
            height: 0.0,
        };
    }
    Size {
        width: (widest as f64 * text_size * CHAR_WIDTH + 2.0 * padding).ceil(),
        height: line_height(text_size) * lines.len() as f64 + 2.0 * padding,
    }
}

/// Columns of a font of one width; characters of East Asia and pictures take two.
fn n_columns(text: &str) -> usize {
    let columns = |c: char| match u32::from(c) {
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff => 2,
        0x20000..=0x3ffff => 2,
        _ => 1,
    };
    text.chars().map(columns).sum()
}

/// Text without what steers.
fn shown(text: &str) -> std::borrow::Cow<'_, str> {
    escape_controls(text)
}

/// Text within XML; what XML cannot hold stands as an escape.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(escaped, "\\x{:02x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}
