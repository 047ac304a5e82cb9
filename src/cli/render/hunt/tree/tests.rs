use serde_json::{Value, json};

use super::super::PlaceFindings;
use super::super::tests::{cache, hostile, report_on, trend, unclear};
use super::*;

fn cache_at(per_second: f64) -> Finding {
    Finding {
        rate: Rate::of(&trend(per_second)),
        bytes_rate: Rate::of(&trend(per_second * 1000.0)),
        ..cache()
    }
}

/// A master that may leak, and three workers of which two leak, one elsewhere too.
fn shown(format: HuntFormat) -> String {
    let of = |findings, unclear| PlaceFindings { findings, unclear };
    let judged = [
        of(Vec::new(), vec![unclear()]),
        of(vec![cache_at(44.0)], vec![unclear()]),
        of(vec![cache_at(38.0), hostile()], Vec::new()),
        of(Vec::new(), Vec::new()),
    ];
    let processes: Vec<Report<'_>> = (4120..)
        .zip(&judged)
        .map(|(pid, judged)| report_on(pid, judged, format))
        .collect();
    let findings = [
        TreeFinding {
            seen: vec![(1, &judged[1].findings[0]), (2, &judged[2].findings[0])],
        },
        TreeFinding {
            seen: vec![(2, &judged[2].findings[1])],
        },
    ];
    let notes = ["process 4130 (sleep 60) runs no CPython: passed over".to_owned()];
    let shown = tree_report(&TreeReport {
        root: 4120,
        processes: &processes,
        findings: &findings,
        notes: &notes,
    });
    String::from_utf8(shown).unwrap()
}

#[test]
fn each_leak_is_told_with_the_processes_that_have_it() {
    let text = shown(HuntFormat::Text);
    let expected = "\
tree of process 4120 (4 processes, 16,800,000 objects, RSS 1.6 GB in all)
9 looks at each in 1 m, longest pause 6.2 ms

";
    assert!(text.starts_with(expected), "{text}");
    for line in [
        "4120  4,200,000  412 MB      9  unclear  python -m shop",
        "4121  4,200,000  412 MB      9  leak     python -m shop",
        // Both come to the limit of their control group together: 1.61 GB at 82 kB/s.
        "LEAK 1  shop.cache.RENDER_CACHE  (dict)  +44 /s  +44 kB/s  cgroup limit 2 GiB in 5 h 27 m",
        "  in       2 of 4 processes: +44 /s each (38 to 44); not in 4120, 4123",
        "  next     leakhunt hunt --pid 4121 --trace",
        "  in       only in process 4122 (of 4)",
        "  next     leakhunt snapshot --pid 4122",
        "may grow, too; a longer watch tells",
        "  perhaps  shop.RECENT: 20 shop.Hit, were 10; it takes 1,000 at most, in 4120, 4121",
        "process 4130 (sleep 60) runs no CPython: passed over",
    ] {
        assert!(text.lines().any(|one| one == line), "{line:?} in\n{text}");
    }
}

#[test]
fn a_tree_in_markdown_has_a_row_for_each_process() {
    let text = shown(HuntFormat::Markdown);
    assert!(text.starts_with("### leakhunt: 1 leak\n"), "{text}");
    for line in [
        "| 4123 | 4,200,000 | 412 MB | no leak | `python -m shop` |",
        "| place | holds | growth | keeps | package | in |",
        "|---|---|---|---|---|---|",
    ] {
        assert!(text.lines().any(|one| one == line), "{line:?} in\n{text}");
    }
    let seen = " | `shop` | 2 of 4 processes: +44 /s each (38 to 44); not in 4120, 4123 |";
    assert!(text.lines().any(|one| one.ends_with(seen)), "{text}");
}

#[test]
fn a_tree_in_json_has_its_processes() {
    let document: Value = serde_json::from_str(&shown(HuntFormat::Json)).unwrap();
    assert_eq!(document["pid"], 4120);
    assert_eq!(document["verdict"], "leak");
    assert_eq!(document["objects_total"], 16_800_000);
    assert_eq!(document["rss_bytes"], 1_648_000_000);
    let expected = json!({
        "pid": 4122,
        "command": "python -m shop",
        "objects": 4_200_000,
        "rss_bytes": 412_000_000,
        "looks": 9,
        "verdict": "leak",
        "memory": null,
    });
    assert_eq!(document["processes"][2], expected);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0]["processes"], json!([4121, 4122]));
    assert_eq!(findings[0]["objects_per_s"], 44.0);
    assert_eq!(findings[0]["seconds_to_limit"], 19_634);
    assert_eq!(findings[1]["processes"], json!([4122]));
    assert_eq!(findings[1]["accepted"], true);
    assert_eq!(document["unclear"].as_array().unwrap().len(), 1);
}

#[test]
fn a_process_with_too_few_looks_says_nothing_of_what_it_has_not() {
    let judged = [
        PlaceFindings {
            findings: vec![cache()],
            unclear: Vec::new(),
        },
        PlaceFindings::default(),
    ];
    let mut processes = [
        report_on(7, &judged[0], HuntFormat::Text),
        report_on(8, &judged[1], HuntFormat::Text),
    ];
    processes[1].seconds = &processes[1].seconds[..3];
    let finding = TreeFinding {
        seen: vec![(0, &judged[0].findings[0])],
    };
    let tree = TreeReport {
        root: 7,
        processes: &processes,
        findings: &[],
        notes: &[],
    };
    let expected = "only in process 7 (of 1); too few looks to tell in 8";
    assert_eq!(tree.seen_in(&finding), expected);
}
