use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::packages::{packages, sources};
use crate::support::{
    Finished, Interpreter, Leakhunt, few, on_each, python3, scratch_file, skipped,
};

/// As few rounds as a verdict takes.
const ROUNDS: [&str; 5] = ["check", "--rounds", "3", "--warmup", "1"];
/// The package for Python, as it is in the sources.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/python");

/// A module that leaks three objects a call, below a cache that fills and garbage in cycles.
const SHOP: &str = "\
import json

class Template:
    pass

RENDERED = []
CACHE = {}

def render():
    RENDERED.extend(Template() for _ in range(3))

def idle():
    CACHE[min(len(CACHE), 1)] = json.loads('[1]')
    cycle = Template()
    cycle.itself = cycle
";

/// A folder with the module `shop` and `script.py`.
fn program(script: &str) -> PathBuf {
    let folder = scratch_file("check");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("shop.py"), SHOP).unwrap();
    fs::write(folder.join("script.py"), script).unwrap();
    folder
}

fn script(folder: &Path) -> String {
    folder.join("script.py").to_str().unwrap().to_owned()
}

/// `leakhunt check OPTIONS -- python script.py`.
fn check(py: &Interpreter, folder: &Path, options: &[&str]) -> Finished {
    Leakhunt::new(ROUNDS)
        .args(options)
        .arg("--")
        .arg(&py.executable)
        .arg(script(folder))
        .env("PYTHONPATH", PACKAGE)
        .run()
}

fn document(done: &Finished) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:#?}"))
}

#[test]
fn a_script_that_leaks_fails_and_its_place_is_named() {
    on_each(few(), |py| {
        let folder = program("import shop\nshop.render()\nshop.idle()\n");
        let found = document(&check(py, &folder, &["--repeat", "--json"]).expect(1));
        assert_eq!(found["schema"], "leakhunt.check/1");
        assert_eq!(found["verdict"], "leak", "{found:#}");
        assert_eq!((&found["rounds"], &found["warmup"]), (&json!(3), &json!(1)));
        assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found:#}");
        let leak = &found["findings"][0];
        assert_eq!(leak["place"], "shop.RENDERED");
        assert_eq!(leak["holder_type"], "list");
        assert_eq!(leak["counts"], json!([3, 6, 9, 12]));
        assert_eq!(leak["per_round"], json!(3.0));
        assert_eq!(leak["holds"][0]["type"], "shop.Template");
        assert_eq!(leak["path"], "sys.modules['shop'].RENDERED[*]");
        let source = folder.join("shop.py");
        let here = std::env::current_dir().unwrap();
        let source = source.strip_prefix(here).unwrap_or(&source);
        assert_eq!(leak["file"], source.to_str().unwrap());
        assert_eq!(leak["line"], 6);
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_program_that_does_rounds_itself_is_judged_and_told_when_to_end() {
    let rounds = "\
import leakhunt, shop, sys
n = 0
while True:
    n += 1
    shop.WORK()
    if not leakhunt.round():
        break
print('rounds', n)
assert not leakhunt.round()
";
    on_each(few(), |py| {
        for (work, code) in [("idle", 0), ("render", 1)] {
            let folder = program(&rounds.replace("WORK", work));
            let done = check(py, &folder, &[]).expect(code);
            assert!(done.stdout.contains("rounds 4\n"), "{done:#?}");
            let named = done
                .stdout
                .contains("LEAK 1  shop.RENDERED  (list)  +3 a round");
            assert_eq!(named, code == 1, "{done:#?}");
            fs::remove_dir_all(folder).unwrap();
        }
    });
}

#[test]
fn without_leakhunt_a_round_is_nothing() {
    let script = "\
import os, leakhunt
assert leakhunt.round() is False
# Inherited by name only: the number is that of another file, or of none.
path = os.environ['SCRATCH']
file = os.open(path, os.O_WRONLY | os.O_CREAT)
for value in ('%d:%d' % (file, os.fstat(file).st_ino), '%d:1' % file, '999:1', 'x', '1'):
    os.environ['LEAKHUNT_ROUNDS'] = value
    assert leakhunt.round() is False, value
assert os.path.getsize(path) == 0
";
    on_each(few(), |py| {
        let scratch = scratch_file("rounds");
        let mut command = py.command();
        command.args(["-c", script]).env("PYTHONPATH", PACKAGE);
        let done = command.env("SCRATCH", &scratch).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        fs::remove_file(scratch).unwrap();
    });
}

#[test]
fn a_program_that_fails_passes_its_exit_code_on() {
    let script = "import sys, shop\nshop.render()\nsys.exit(7 if len(shop.RENDERED) > 3 else 0)\n";
    let folder = program(script);
    check(python3(), &folder, &["--repeat"])
        .expect(7)
        .expect_stderr("the program ended after 1 round of 4");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_rounds_there_is_no_verdict() {
    let folder = program("import shop\n");
    check(python3(), &folder, &[])
        .expect(2)
        .expect_stderr("--repeat");
    fs::write(
        folder.join("script.py"),
        "import leakhunt\nleakhunt.round()\nleakhunt.round()\n",
    )
    .unwrap();
    check(python3(), &folder, &[])
        .expect(2)
        .expect_stderr("after 2 rounds of 4");
    fs::remove_dir_all(folder).unwrap();
    for args in [
        &["check"][..],
        &["check", "--pid", "1"],
        &["check", "--pid", "1", "--rounds-on-stdin"],
        &["check", "--rounds", "2", "--", "python3"],
        &["check", "--warmup", "0", "--", "python3"],
        &["check", "--repeat", "--", "true"],
    ] {
        Leakhunt::new(args).run().expect(2);
    }
}

#[test]
fn a_leak_that_is_accepted_passes_and_reports_are_written() {
    let folder = program("import shop\nshop.render()\n");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let [junit, sarif, markdown, saved, known] =
        ["j.xml", "s.sarif", "m.md", "heaps", "known.txt"].map(path);
    let options = [
        "--repeat",
        "--format",
        "github",
        "--junit",
        &junit,
        "--sarif",
        &sarif,
        "--markdown",
        &markdown,
        "--save",
        &saved,
    ];
    let failed = check(python3(), &folder, &options).expect(1);
    let annotation = failed.stdout.lines().next().unwrap();
    assert!(annotation.starts_with("::error file="), "{annotation}");
    assert!(annotation.contains("shop.py,line=6,"), "{annotation}");
    let text = |path: &str| fs::read_to_string(path).unwrap();
    assert!(text(&junit).contains("<failure type=\"leak\" message=\"shop.RENDERED grew"));
    assert!(text(&markdown).contains("| `shop.RENDERED` | +3 a round | 3, 6, 9, 12 |"));
    let log: Value = serde_json::from_str(&text(&sarif)).unwrap();
    let result = &log["runs"][0]["results"][0];
    let fingerprint = result["partialFingerprints"]["leakhunt/v1"]
        .as_str()
        .unwrap();
    let heaps = ["first", "last"].map(|name| format!("{saved}/{name}.leakhunt"));
    let grown = Leakhunt::new(["diff", &heaps[0], &heaps[1], "--json"])
        .run()
        .expect(0);
    assert!(grown.stdout.contains("shop.Template"), "{grown:#?}");
    fs::write(&known, format!("{fingerprint}  the pool, #17\n")).unwrap();
    let passed = check(
        python3(),
        &folder,
        &["--repeat", "--accept", &known, "--json"],
    )
    .expect(0);
    assert_eq!(document(&passed)["verdict"], "accepted", "{passed:#?}");
    let ignored = ["--repeat", "--ignore-package", "shop", "--json"];
    let ignored = document(&check(python3(), &folder, &ignored).expect(0));
    assert_eq!(ignored["ignored"], json!(["shop.RENDERED"]), "{ignored:#}");
    fs::remove_dir_all(folder).unwrap();
}

/// Prints what the schema complains of, what it complains of when the level is none, and the failures.
const READERS: &str = "\
import json, sys
import jsonschema, junitparser
schema, sarif, junit = sys.argv[1:]
check = jsonschema.Draft7Validator(json.load(open(schema))).iter_errors
log = json.load(open(sarif))
said = [error.message for error in check(log)]
log['runs'][0]['results'][0]['level'] = 'none of these'
broken = len(list(check(log)))
suites = list(junitparser.JUnitXml.fromfile(junit))
print(json.dumps([said, broken, [[suite.tests, suite.failures] for suite in suites]]))
";

#[test]
fn reports_are_what_their_readers_expect() {
    let schema =
        sources("sarif_pydantic==0.6.2").map(|folder| folder.join("sarif-schema-2.1.0.json"));
    let readers = packages(python3(), &["jsonschema==4.23.0", "junitparser==3.2.0"]);
    let (schema, readers) = match (schema, readers) {
        (Ok(schema), Ok(readers)) => (schema, readers),
        (Err(reason), _) | (_, Err(reason)) => return skipped("readers of reports", &reason),
    };
    let folder = program("import shop\nshop.render()\n");
    let [sarif, junit] = ["s.sarif", "j.xml"].map(|name| folder.join(name));
    let paths = [&sarif, &junit].map(|path| path.to_str().unwrap());
    let options = ["--repeat", "--sarif", paths[0], "--junit", paths[1]];
    check(python3(), &folder, &options).expect(1);
    let mut read = python3().command();
    read.arg("-c").arg(READERS).arg(schema).args([sarif, junit]);
    let read = read.env("PYTHONPATH", readers).output().unwrap();
    let said: Value = serde_json::from_slice(&read.stdout).unwrap_or_else(|_| panic!("{read:?}"));
    assert_eq!(said, json!([[], 1, [[1, 1]]]));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_trace_names_the_line_that_makes_the_objects() {
    let folder = program("import shop\nshop.render()\n");
    let done = check(python3(), &folder, &["--repeat", "--trace", "--json"]).expect(1);
    let found = document(&done);
    let made_at = found["findings"][0]["made_at"][0]
        .as_str()
        .unwrap_or_default();
    assert!(made_at.ends_with("shop.py:10"), "{found:#}");
    assert_eq!(found["findings"][0]["line"], 10);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn each_field_of_the_document_is_documented() {
    let folder = program("import shop\nshop.render()\n");
    let found = document(&check(python3(), &folder, &["--repeat", "--json"]).expect(1));
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    let (_, rest) = text.split_once("\n## leakhunt.check/1\n").unwrap();
    let section = rest
        .split_once("\n## ")
        .map_or(rest, |(section, _)| section);
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let of_findings = keys(&found["findings"][0]).into_iter();
    let names = keys(&found)
        .into_iter()
        .chain(of_findings.map(|key| format!("findings[].{key}")));
    for name in names.filter(|name| name != "schema") {
        assert!(
            section.contains(&format!("`{name}`")),
            "{name} is not documented"
        );
    }
    fs::remove_dir_all(folder).unwrap();
}
