//! `leakhunt graph`.

use std::path::Path;

use anyhow::bail;
use leakhunt_heap::{
    Branch, Direction, GraphScope, ObjId, Paths, Snapshot, merge_paths, object_graph,
};

use crate::args::{Common, GraphArgs};
use crate::failure::{Exit, Failure};
use crate::heap_file::{read_references, shown_name};
use crate::hpy_file::{Existing, HpyFile};
use crate::output::Output;
use crate::render::numbers::{bytes, count, counted};
use crate::render::picture::{Picture, dot, json, svg};
use crate::subject::Subject;

/// What is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Format {
    Dot,
    Svg,
}

pub(super) fn run(args: &GraphArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let format = format_of(&args.output)?;
    let is_stdout = args.output == Path::new("-");
    if is_stdout && common.json {
        bail!("-o - and --json both write to stdout; name a file with -o");
    }
    let file = shown_name(&args.file);
    let snapshot = read_references(&args.file, "graph", output)?;
    let subject = Subject::find(&args.subject, &snapshot, &file)?;
    let paths = Paths::find(&snapshot);
    let starts = starts(&snapshot, &paths, &subject, args.samples);
    let scope = GraphScope {
        direction: match args.refs {
            true => Direction::Forward,
            false => Direction::Back,
        },
        max_depth: args.depth,
        too_many: args.too_many,
        max_objects: args.max_objects,
    };
    let graph = object_graph(&snapshot, &paths, &starts, scope);
    let n_starts = graph.nodes.iter().filter(|node| node.is_start).count() as u64;
    let what = match args.refs {
        true => "what is held by",
        false => "who holds",
    };
    let n_subjects = subject.objects.len() as u64;
    let title = match n_subjects == n_starts {
        true => format!("{what} the {} {}", objects(n_subjects), subject.text),
        false => format!(
            "{what} {} of the {} objects {}",
            count(n_starts),
            count(n_subjects),
            subject.text
        ),
    };
    let picture = Picture {
        title: &title,
        file: &file,
        snapshot: &snapshot,
        graph: &graph,
        scope,
    };
    let drawn = match format {
        Format::Dot => dot::document(&picture),
        Format::Svg => svg::document(&picture),
    };
    if is_stdout {
        output.result(drawn.as_bytes())?;
        return Ok(Exit::Done);
    }
    let size_bytes = HpyFile::open(&args.output, Existing::Replaced)?.write(&drawn, output)?;
    output.result(&match common.json {
        true => json::document(&picture, &shown_name(&args.output)),
        false => format!(
            "{}: {}, {}, {}\n",
            shown_name(&args.output),
            counted(graph.nodes.len() as u64, "object"),
            counted(graph.edges.len() as u64, "reference"),
            bytes(size_bytes)
        )
        .into_bytes(),
    })?;
    Ok(Exit::Done)
}

fn objects(n_objects: u64) -> String {
    match n_objects {
        1 => "object".to_owned(),
        n_objects => counted(n_objects, "object"),
    }
}

/// What the ending of a name asks for.
fn format_of(path: &Path) -> anyhow::Result<Format> {
    if path == Path::new("-") {
        return Ok(Format::Dot);
    }
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    match &*ending.to_ascii_lowercase() {
        "dot" | "gv" => Ok(Format::Dot),
        "svg" => Ok(Format::Svg),
        _ => {
            let message = format!(
                "-o {}: a name has to end in .svg, .dot or .gv",
                shown_name(path)
            );
            let help = "other formats are made by Graphviz: leakhunt graph FILE --type TYPE -o - | \
                        dot -Tpng > x.png";
            Err(Failure::new(Exit::Usage, message).with_help(help).into())
        }
    }
}

/// Of each branch of the merged paths that objects are at one, from the heaviest on; where these are
/// too few, others from all over.
fn starts(snapshot: &Snapshot, paths: &Paths, subject: &Subject, max: usize) -> Vec<ObjId> {
    let objects = &subject.objects;
    let merged = merge_paths(snapshot, paths, objects.iter().copied());
    let mut ends: Vec<(u64, ObjId)> = Vec::new();
    let mut to_come: Vec<&Branch> = merged.root.iter().collect();
    while let Some(branch) = to_come.pop() {
        let place = branch.place.filter(|_| branch.n_ending > 0);
        ends.extend(place.map(|place| (branch.n_ending, place)));
        to_come.extend(&branch.children);
    }
    ends.retain(|(_, place)| objects.binary_search(place).is_ok());
    ends.sort_unstable_by_key(|&(n_ending, place)| (std::cmp::Reverse(n_ending), place));
    let mut starts: Vec<ObjId> = ends.into_iter().map(|(_, place)| place).take(max).collect();
    let step = objects.len().div_ceil(max).max(1);
    for &object in objects.iter().step_by(step).chain(objects.iter().take(max)) {
        if starts.len() < max && !starts.contains(&object) {
            starts.push(object);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_tells_the_format() {
        for (name, format) in [
            ("x.svg", Format::Svg),
            ("a/b.c/X.SVG", Format::Svg),
            ("x.dot", Format::Dot),
            ("x.gv", Format::Dot),
            ("-", Format::Dot),
        ] {
            assert_eq!(format_of(Path::new(name)).unwrap(), format, "{name}");
        }
        for name in ["x.png", "x", "svg", ".svg", "x.svg.gz", ""] {
            let error = format_of(Path::new(name)).unwrap_err();
            assert!(format!("{error:#}").contains(".svg, .dot or .gv"), "{name}");
        }
    }
}
