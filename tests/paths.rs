use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::show::{file, look, snapshot, table};
use crate::support::packages::packages;
use crate::support::snapshots::Folder;
use crate::support::{Leakhunt, Start, Target, few, on_each, python3, scratch_file, skipped};

/// What `paths --json` says.
fn paths(folder: impl AsRef<Path>, options: &[&str]) -> Value {
    Leakhunt::new(["paths", "--json"])
        .arg(folder.as_ref())
        .args(options)
        .run()
        .expect(0)
        .json()
}

fn rows<'v>(document: &'v Value, name: &str) -> &'v Vec<Value> {
    document[name].as_array().unwrap()
}

/// The branch at a path.
fn branch<'v>(document: &'v Value, path: &str) -> &'v Value {
    let found = rows(document, "branches")
        .iter()
        .find(|branch| branch["path"] == path);
    found.unwrap_or_else(|| panic!("no {path} in {document:#}"))
}

/// The fixtures that leak: the type, the branch that holds all of it, and how many there are.
const LEAKS: [(&str, &str, &str, &str); 4] = [
    (
        "shop",
        "Template",
        ".RENDER_CACHE[*]",
        "len(fixture.RENDER_CACHE)",
    ),
    (
        "registry",
        "Seat",
        ".REGISTRY[*][*][*]",
        "len(fixture.REGISTRY['rooms']['lobby'])",
    ),
    (
        "listeners",
        "Session",
        ".BUS.listeners[*].__self__",
        "len(fixture.BUS.listeners)",
    ),
    (
        "counter",
        "Call",
        ".price.__closure__[*].cell_contents[*]",
        "sum(type(one).__name__ == 'Call' for one in gc.get_objects())",
    ),
];

#[test]
fn the_place_that_holds_a_type_is_shown_with_the_exact_count() {
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        for (name, leaked, place, count) in LEAKS {
            let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/python-fixtures");
            let module = format!("leaky_{name}");
            let start = Start::new(py, "fixture_host").arg(fixtures).arg(&module);
            let mut target = start.ready();
            target.exec("fixture.serve(0.3)");
            let truth = target.eval(count);
            assert!(truth.as_u64() > Some(10), "{name}: {truth}");
            let folder = Folder::of(&target, &[]);
            let shown = paths(folder.path(), &["--type", leaked]);
            assert_eq!(shown["objects"], truth, "{name}");
            assert_eq!(shown["garbage_objects"], 0, "{name}");
            let branch = branch(&shown, &format!("sys.modules['{module}']{place}"));
            assert_eq!(branch["ending"], truth, "{name}");
            assert_eq!(branch["bytes"], shown["bytes"], "{name}");
            target.finish_unharmed();
        }
    });
}

/// Places whose objects are asked for by address, too.
const BY_ADDRESS: [&str; 3] = ["nested", "frame", "generator"];

#[test]
fn every_path_that_can_be_typed_leads_to_the_object() {
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let mut target = Target::start(py, "named_places");
        target.eval("grow(0, 3)");
        let folder = Folder::of(&target, &["--values"]);
        let places = target.eval("PLACES");
        let (mut wrong, mut n_typed) = (Vec::new(), 0);
        for place in places.as_array().unwrap() {
            let place = place.as_str().unwrap();
            let name = format!("__main__.In_{place}");
            let shown = paths(folder.path(), &["--type", &name]);
            let of_type = rows(&shown, "paths").clone();
            if of_type.len() != 3 {
                wrong.push(format!("{name}: {} paths of 3", of_type.len()));
            }
            if BY_ADDRESS.contains(&place) {
                let address = format!("{:#x}", of_type[0]["address"].as_u64().unwrap());
                let by_address = paths(folder.path(), &["--addr", &address]);
                assert_eq!(by_address["paths"][0], of_type[0], "{name}");
                assert_eq!(by_address["objects"], 1, "{name}");
            }
            for one in of_type.iter().filter(|one| one["evaluates"] == true) {
                n_typed += 1;
                let at = target.eval(&format!("at({})", one["path"]));
                if at != one["address"] {
                    wrong.push(format!("{name}: {} is {at}", one["path"]));
                }
                let holder = &one["holder"];
                if holder["evaluates"] == true {
                    let at = target.eval(&format!("at({})", holder["path"]));
                    if at != holder["address"] {
                        wrong.push(format!("{name}: held by {} is {at}", holder["path"]));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(n_typed > 50, "{n_typed}");
        target.finish_unharmed();
    });
}

/// A program that keeps tables of SQLAlchemy in three ways.
const TABLES: &str = "import sqlalchemy as sa
META = sa.MetaData()
for n in range(20):
    sa.Table('table_%d' % n, META, sa.Column('id', sa.Integer, primary_key=True))
class Report:
    def __init__(self, table):
        self.table = table
REPORTS = [Report(sa.Table('report_%d' % n, sa.MetaData())) for n in range(300)]
serve()";

#[test]
fn tables_of_sqlalchemy_are_found_where_a_program_keeps_them() {
    let py = python3();
    let folder = match packages(py, &["sqlalchemy"]) {
        Ok(folder) => folder,
        Err(reason) => return skipped(&format!("sqlalchemy on {py}"), &reason),
    };
    let mut command = py.command();
    let harness = include_str!("targets/harness.py");
    command.arg("-c").arg(format!("{harness}\n{TABLES}"));
    let start = Start::of(command, "sqlalchemy").packages(&folder);
    let mut target = start.ready();
    let truth = target.eval("sum(type(o) is sa.Table for o in gc.get_objects())");
    let folder = Folder::of(&target, &[]);
    let shown = paths(folder.path(), &["--type", "sqlalchemy.sql.schema.Table"]);
    assert_eq!(shown["objects"], truth);
    assert_eq!(truth, json!(320));
    let reports = branch(&shown, "sys.modules['__main__'].REPORTS[*].table");
    assert_eq!(
        (&reports["ending"], &reports["places"]),
        (&json!(300), &json!(300))
    );
    let meta = branch(&shown, "sys.modules['__main__'].META");
    assert_eq!((&meta["objects"], &meta["places"]), (&json!(20), &json!(1)));
    // The entries of SQLAlchemy's own kind of dict, which is compiled, have no names.
    let examples = rows(&shown, "paths").iter();
    let typed: Vec<_> = examples.filter(|one| one["evaluates"] == true).collect();
    assert_eq!(typed[0]["holder"]["name"], "__main__.REPORTS", "{shown:#}");
    for one in typed {
        let at = target.eval(&format!("id({})", one["path"].as_str().unwrap()));
        assert_eq!(at, one["address"], "{one}");
    }
    target.finish_unharmed();
}

#[test]
fn garbage_is_counted_and_a_type_of_garbage_alone_has_no_path() {
    let mut target = Target::start(python3(), "idle");
    target.exec(
        "import sys\ngc.disable()\nclass Ring: pass\nclass Both: pass\nkept = [Both()]\n\
         for of in (Ring, Ring, Both):\n  one = of(); one.me = one\ndel one",
    );
    let folder = Folder::of(&target, &[]);
    let both = paths(folder.path(), &["--type", "Both"]);
    assert_eq!(
        (&both["objects"], &both["garbage_objects"]),
        (&json!(1), &json!(1))
    );
    Leakhunt::new(["paths", "--type", "Ring"])
        .arg(folder.path())
        .run()
        .expect(1)
        .expect_stderr("no path leads to 2 objects")
        .expect_stderr("--collect");
    target.exec("gc.enable()");
    target.finish_unharmed();
}

#[test]
fn files_without_references_are_refused_with_what_to_do() {
    let hpy = file("a.hpy", table(&[("shop.Row", 3, 168)]));
    let log = file("a.jsonl", look(1, &[("str", 1, 50)]));
    for (path, sort) in [(hpy, "an .hpy file"), (log, "a growth log")] {
        for command in ["paths", "graph"] {
            let mut leakhunt = Leakhunt::new([command, "--type", "Row"]).arg(&path);
            if command == "graph" {
                leakhunt = leakhunt.args(&["-o", "x.svg"]);
            }
            leakhunt
                .run()
                .expect(2)
                .expect_stderr(&format!("is {sort}, which holds counts but no references"))
                .expect_stderr("leakhunt snapshot --pid PID -o heap.leakhunt");
        }
    }
}

#[test]
fn what_is_not_there_ends_with_1_and_what_is_near() {
    for (subject, told) in [
        (["--type", "Entri"], "there are: shop.cache.Outer.Entry"),
        (["--type", "Zebra"], "--limit 0` shows all types"),
        (["--addr", "0x10"], "younger than the snapshot"),
    ] {
        let paths = Leakhunt::new(["paths"]);
        paths
            .arg(snapshot())
            .args(&subject)
            .run()
            .expect(1)
            .expect_stderr(told);
        let graph = Leakhunt::new(["graph", "-o", "-"]);
        graph
            .arg(snapshot())
            .args(&subject)
            .run()
            .expect(1)
            .expect_stderr(told);
    }
}

/// A target whose objects are held in many ways, under names that are hard to write.
const HOSTILE: &str = r#"
Row = type('L' * 300, (), {})
Tag = type('<b>"quoted" & \\back</b>', (), {})
row, tag = Row(), Tag()
KEPT = {'a "b" <c> & \\ \n \x1b é漢😀': row, 'plain': [row, row], (1, 2): {'row': row}}
TAGS = {tag}
row.tag = tag
tag.row = row
"#;

fn hostile() -> (Target, Folder) {
    let mut target = Target::start(python3(), "idle");
    target.exec(HOSTILE);
    let folder = Folder::of(&target, &["--values"]);
    (target, folder)
}

/// A picture of a type, and what `--json` says of it.
fn graph(folder: &Folder, output: &Path, options: &[&str]) -> Value {
    Leakhunt::new(["graph", "--json"])
        .arg(folder.path())
        .arg("-o")
        .arg(output)
        .args(options)
        .run()
        .expect(0)
        .json()
}

/// What a Python script prints, as JSON.
fn python(script: &str, packages: Option<&PathBuf>, argument: &Path) -> Value {
    let mut command = python3().command();
    command.arg("-c").arg(script).arg(argument);
    if let Some(folder) = packages {
        command.env("PYTHONPATH", folder);
    }
    let done = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{stderr}");
    serde_json::from_slice(&done.stdout).unwrap()
}

const PYDOT: &str = r#"
import json, pydot, re, sys
def text(quoted):
    assert quoted[0] == quoted[-1] == '"', quoted
    return re.sub(r'\\(.)', lambda found: {'n': '\n'}.get(found[1], found[1]), quoted[1:-1])
[graph] = pydot.graph_from_dot_data(open(sys.argv[1], encoding='utf-8').read())
nodes = {node.get_name(): text(node.get_label()) for node in graph.get_nodes() if node.get_label()}
edges = [[edge.get_source(), edge.get_destination(), text(edge.get_label() or '""')]
         for edge in graph.get_edges()]
print(json.dumps({'name': graph.get_name(), 'nodes': nodes, 'edges': edges}))
"#;

/// The label of a reference in DOT.
fn dot_label(edge: &Value) -> String {
    let label = edge["label"].as_str().unwrap();
    match edge["references"].as_u64() {
        Some(n @ 2..) => format!("{label}\n+{} more", n - 1),
        _ => label.to_owned(),
    }
}

#[test]
fn another_reader_of_dot_finds_the_same_nodes_and_edges() {
    let pydot = match packages(python3(), &["pydot==4.0.1"]) {
        Ok(folder) => folder,
        Err(reason) => return skipped("pydot", &reason),
    };
    let (target, folder) = hostile();
    for options in [
        &["--type", "LLL*"][..],
        &["--type", "<b>*", "--refs", "--too-many", "2"],
        &["--type", "dict", "--samples", "20", "--max-objects", "60"],
    ] {
        let path = scratch_file("x.dot");
        let drawn = graph(&folder, &path, options);
        let read = python(PYDOT, Some(&pydot), &path);
        assert_eq!(read["name"], "ObjectGraph");
        let is_ours = |name: &str| name.starts_with('o');
        let nodes: BTreeMap<String, String> = read["nodes"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| is_ours(name))
            .map(|(name, label)| (name.clone(), label.as_str().unwrap().to_owned()))
            .collect();
        let expected: BTreeMap<String, String> = rows(&drawn, "nodes")
            .iter()
            .map(|node| {
                let key = node["type"].as_str().unwrap();
                let name = key.strip_prefix("__main__.").unwrap_or(key);
                let label = format!("{name}\n{}", node["text"].as_str().unwrap());
                (format!("o{}", node["address"]), label)
            })
            .collect();
        let is_short = |(name, label): (&String, &String)| {
            // Types of other modules go by their short names.
            let other = &expected[name];
            label == other || other.ends_with(&format!(".{label}"))
        };
        assert!(nodes.keys().eq(expected.keys()), "{options:?}");
        assert!(nodes.iter().all(is_short), "{nodes:#?} {expected:#?}");
        assert!(nodes.len() > 3, "{options:?}: {}", nodes.len());
        let edge = |edge: &Value| {
            let text = |index: usize| edge[index].as_str().unwrap().to_owned();
            (text(0), text(1), text(2))
        };
        let edges: BTreeSet<_> = rows(&read, "edges").iter().map(edge).collect();
        let edges: BTreeSet<_> = edges
            .into_iter()
            .filter(|(from, to, _)| is_ours(from) && is_ours(to))
            .collect();
        let expected: BTreeSet<_> = rows(&drawn, "edges")
            .iter()
            .map(|edge| {
                let name = |end: &str| format!("o{}", edge[end]);
                (name("from"), name("to"), dot_label(edge))
            })
            .collect();
        assert_eq!(edges, expected, "{options:?}");
        let n_left_out = rows(&drawn, "nodes")
            .iter()
            .filter(|node| node["left_out"] != 0);
        let too_many = read["nodes"].as_object().unwrap().keys();
        let too_many = too_many.filter(|name| name.starts_with("too_many_"));
        assert_eq!(too_many.count(), n_left_out.count(), "{options:?}");
        let labels = read["nodes"].to_string();
        if options[1] == "LLL*" {
            assert!(labels.contains(&"L".repeat(200)), "{labels}");
        }
    }
    target.finish_unharmed();
}

const XML: &str = r#"
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
svg = '{http://www.w3.org/2000/svg}'
groups = [(group.get('class'), group) for group in root.iter(svg + 'g') if group.get('class')]
print(json.dumps({
    'tag': root.tag,
    'texts': [text.text for text in root.iter(svg + 'text')],
    'titles': [title.text for title in root.iter(svg + 'title')],
    'classes': [name for name, _ in groups],
}))
"#;

#[test]
fn svg_is_well_formed_and_holds_the_names() {
    let (mut target, folder) = hostile();
    let path = scratch_file("x.svg");
    let drawn = graph(&folder, &path, &["--type", "LLL*"]);
    let read = python(XML, None, &path);
    assert_eq!(read["tag"], "{http://www.w3.org/2000/svg}svg");
    let all = |name: &str| -> Vec<String> {
        let rows = rows(&read, name).iter();
        rows.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (texts, titles) = (all("texts"), all("titles"));
    for wanted in ["__main__", "plain", "module", "KEPT", "__dict__"] {
        assert!(
            texts.iter().any(|text| text == wanted),
            "{wanted}: {texts:?}"
        );
    }
    assert!(titles.iter().any(|title| title.contains(&"L".repeat(200))));
    let key = target.eval("repr(next(iter(KEPT)))");
    let key = key.as_str().unwrap();
    assert!(
        titles.iter().any(|title| title.contains(key)),
        "{key}: {titles:?}"
    );
    let n_boxes = all("classes")
        .iter()
        .filter(|class| *class != "label")
        .count();
    let n_more = rows(&drawn, "nodes")
        .iter()
        .filter(|node| node["left_out"] != 0);
    assert_eq!(n_boxes, rows(&drawn, "nodes").len() + n_more.count());
    target.finish_unharmed();
}

#[test]
fn a_picture_is_written_whole_or_not_at_all() {
    let draw = |output: &Path| {
        Leakhunt::new(["graph", "--type", "shop.*"])
            .arg(snapshot())
            .arg("-o")
            .arg(output)
            .run()
    };
    let folder = scratch_file("pictures");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("x.svg");
    fs::write(&path, "what was there before, and is longer than nothing").unwrap();
    draw(&path).expect(0);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("<?xml") && text.ends_with("</svg>\n"),
        "{text}"
    );
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        1,
        "nothing else is left"
    );
    draw(&folder.join("no/x.svg"))
        .expect(2)
        .expect_stderr("cannot write")
        .expect_stderr("make the folder first");
    let full = folder.join("full.svg");
    symlink("/dev/full", &full).unwrap();
    draw(&full)
        .expect(2)
        .expect_stderr("No space left on device");
    draw(&folder.join("x.png"))
        .expect(2)
        .expect_stderr("has to end in .svg, .dot or .gv");
    let dot = draw(Path::new("-")).expect(0).stdout;
    assert!(
        dot.starts_with("digraph ObjectGraph {") && dot.ends_with("}\n"),
        "{dot}"
    );
    fs::remove_dir_all(&folder).unwrap();
}
