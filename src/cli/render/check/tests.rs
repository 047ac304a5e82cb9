use leakhunt_heap::Fingerprint;
use leakhunt_heap::hunt::trend::{Course, Trend};
use leakhunt_heap::hunt::{FindingKind, Held};
use serde_json::Value;

use super::*;

fn finding(place: &str) -> Finding {
    let trend = Trend {
        course: Course::Grows,
        per_second: 3.0,
        low: 3.0,
        high: 3.0,
        n_rises: 5,
        n_intervals: 5,
    };
    Finding {
        holder_type: "list".into(),
        holds: vec![Held {
            type_key: "shop.Template".into(),
            is_key: false,
            n_first: 12,
            n_last: 27,
        }],
        share_bytes: 4_000,
        path: "sys.modules['shop.cache'].RENDERED[*]".into(),
        package: "shop".into(),
        values: vec![12, 15, 18, 21, 24, 27],
        fingerprint: Fingerprint(0xf5e4_9da7_104c_e58b),
        ..Finding::beside_places(FindingKind::Place, place.into(), &trend, "")
    }
}

fn seen(leaks: Vec<Checked>) -> Seen {
    let capture = Capture {
        python: "3.12.1".into(),
        ..Capture::default()
    };
    Seen {
        capture,
        n_objects: 60_123,
        leaks,
        uneven: vec![Finding {
            n_rises: 4,
            ..finding("shop.now_and_then")
        }],
        ignored: Vec::new(),
        unclear: Vec::new(),
        longest_pause: Duration::from_micros(800),
        notes: Vec::new(),
    }
}

fn leak() -> Checked {
    let site = Site {
        file: "shop/cache.py".into(),
        line: Some(7),
    };
    Checked {
        finding: finding("shop.cache.RENDERED"),
        site: Some(site),
    }
}

/// One that is accepted, of a place that tries to do harm to what shows it.
fn hostile() -> Checked {
    let finding = Finding {
        is_accepted: true,
        package: "a\"b".into(),
        ..finding("x\"<&>%\n::error::,:\u{1b}[31m|`")
    };
    Checked {
        finding,
        site: None,
    }
}

fn shown(leaks: Vec<Checked>, render: fn(&CheckReport<'_>) -> Vec<u8>) -> String {
    let report = CheckReport {
        pid: 4121,
        seen: &seen(leaks),
        warmup: 2,
        rounds: 5,
    };
    String::from_utf8(render(&report)).unwrap()
}

#[test]
fn text_tells_each_round_and_how_to_accept_it() {
    assert_eq!(
        shown(vec![leak()], text),
        "\
process 4121 (CPython 3.12.1, 60,123 objects)
2 rounds to warm up and 5 judged, longest pause 800 µs

LEAK 1  shop.cache.RENDERED  (list)  +3 a round
  rounds   12, 15, 18, 21, 24, 27
  holds    27 shop.Template, were 12
  keeps    4 kB alive
  path     sys.modules['shop.cache'].RENDERED[*]
  package  shop
  in       shop/cache.py:7
  why      grew in 5 of 5 intervals
  known as f5e49da7104ce58b
  accept   a line `f5e49da7104ce58b` in a file that --accept names

1 leak: grew at each of 5 rounds
  grew at  shop.now_and_then: 4 of 5 rounds
"
    );
}

#[test]
fn no_leak_is_told() {
    let text = shown(Vec::new(), text);
    assert!(
        text.contains("\nno leak: no place grew at each of 5 rounds\n"),
        "{text}"
    );
    let accepted = shown(vec![hostile()], super::text);
    assert!(accepted.contains("\nno new leak: "), "{accepted}");
    assert!(accepted.contains("LEAK 1 (accepted)"), "{accepted}");
}

#[test]
fn an_annotation_is_one_line_whatever_the_place_is_called() {
    let lines = shown(vec![leak(), hostile()], github);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(
        lines[0],
        "::error file=shop/cache.py,line=7,title=leakhunt%3A leak in shop.cache.RENDERED::\
         shop.cache.RENDERED grew at every round: 12, 15, 18, 21, 24, 27 shop.Template%0A\
         path: sys.modules['shop.cache'].RENDERED[*]%0Awhy: grew in 5 of 5 intervals%0A\
         known as f5e49da7104ce58b"
    );
    let (properties, _) = lines[1]
        .strip_prefix("::notice title=")
        .unwrap()
        .split_once("::")
        .unwrap();
    assert!(!properties.contains([':', ',']), "{properties}");
    assert!(!lines[1].contains('\u{1b}'), "{}", lines[1]);
}

#[test]
fn a_sentence_counts_what_grows() {
    assert_eq!(
        leak().sentence(),
        "shop.cache.RENDERED grew at every round: 12, 15, 18, 21, 24, 27 shop.Template"
    );
    let mut of_references = leak();
    of_references.finding.of = GrowthOf::References;
    assert_eq!(
        of_references.sentence(),
        "shop.cache.RENDERED grew at every round: 12, 15, 18, 21, 24, 27 references"
    );
}

#[test]
fn junit_fails_by_leaks_and_skips_those_accepted() {
    let xml = shown(vec![leak(), hostile()], junit);
    assert!(
        xml.contains("<testsuites tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\">"),
        "{xml}"
    );
    assert!(
        xml.contains("name=\"shop.cache.RENDERED\" file=\"shop/cache.py\" line=\"7\"><failure"),
        "{xml}"
    );
    assert!(
        xml.contains("name=\"x&quot;&lt;&amp;&gt;%\\n::error::,:\\x1b[31m|`\""),
        "{xml}"
    );
    let well = shown(Vec::new(), junit);
    assert!(well.contains("tests=\"1\" failures=\"0\""), "{well}");
}

/// What the standard requires, and what code scanning does.
#[test]
fn sarif_has_its_required_fields() {
    let log: Value = serde_json::from_str(&shown(vec![leak(), hostile()], sarif)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "leakhunt");
    let [result, accepted] = run["results"].as_array().unwrap().as_slice() else {
        panic!("{run}")
    };
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
    assert!(
        result["message"]["text"]
            .as_str()
            .unwrap()
            .starts_with("shop.cache.RENDERED grew")
    );
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "shop/cache.py");
    assert_eq!(physical["region"]["startLine"], 7);
    assert_eq!(
        result["partialFingerprints"]["leakhunt/v1"],
        "f5e49da7104ce58b"
    );
    assert!(result.get("suppressions").is_none());
    assert_eq!(accepted["suppressions"][0]["kind"], "external");
}

#[test]
fn json_has_all_of_a_leak() {
    let document: Value = serde_json::from_str(&shown(vec![leak()], json)).unwrap();
    assert_eq!(document["schema"], "leakhunt.check/1");
    assert_eq!(document["verdict"], "leak");
    let finding = &document["findings"][0];
    assert_eq!(
        finding["counts"],
        serde_json::json!([12, 15, 18, 21, 24, 27])
    );
    assert_eq!(
        (&finding["file"], &finding["line"]),
        (&"shop/cache.py".into(), &7.into())
    );
    assert_eq!(document["uneven"][0]["rounds_grown"], 4);
    let accepted: Value = serde_json::from_str(&shown(vec![hostile()], json)).unwrap();
    assert_eq!(accepted["verdict"], "accepted");
}

#[test]
fn markdown_keeps_its_table() {
    let shown = shown(vec![leak(), hostile()], markdown);
    assert!(
        shown.starts_with("### leakhunt: 1 leak: grew at each of 5 rounds\n"),
        "{shown}"
    );
    let n_cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<&str> = shown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| n_cells(row) == 7), "{rows:?}");
}
