use std::sync::LazyLock;

use leakhunt_heap::Fingerprint;
use leakhunt_heap::hunt::trend::{Course, Trend};
use leakhunt_heap::hunt::{Inside, UnclearPlace};

use super::*;
use crate::memory_limit::LimitSource;

pub(super) fn trend(per_second: f64) -> Trend {
    Trend {
        course: Course::Grows,
        per_second,
        low: per_second * 0.9,
        high: per_second * 1.1,
        n_rises: 7,
        n_intervals: 8,
    }
}

pub(super) fn cache() -> Finding {
    let rate = Rate::of(&trend(41.25));
    let bytes = Rate::of(&trend(61_000.0));
    Finding {
        also: vec!["shop.render.Renderer.seen".into()],
        holder_type: "dict".into(),
        holds: vec![
            Held {
                type_key: "shop.render.RenderInfo".into(),
                is_key: false,
                n_first: 9_870,
                n_last: 12_310,
            },
            Held {
                type_key: "str".into(),
                is_key: true,
                n_first: 9_870,
                n_last: 12_310,
            },
        ],
        rate,
        bytes_rate: bytes,
        share_bytes: 312_000_000,
        exclusive_bytes: 290_000_000,
        exclusive_objects: 49_240,
        path: "sys.modules['shop.cache'].RENDER_CACHE[*]".into(),
        package: "shop".into(),
        made_at: vec!["shop/render.py:88".into(), "shop/views.py:12".into()],
        fingerprint: Fingerprint(0x0123_4567_89ab_cdef),
        ..Finding::beside_places(
            FindingKind::Place,
            "shop.cache.RENDER_CACHE".into(),
            &trend(41.25),
            "never fewer than at the look before",
        )
    }
}

/// A finding that is accepted, of a place that tries to do harm to what shows it.
pub(super) fn hostile() -> Finding {
    Finding {
        of: GrowthOf::Bytes,
        inside: Some(Inside {
            name: "a|b.Cart`\u{1b}".into(),
            package: "a|b".into(),
        }),
        bytes_rate: Rate::of(&trend(0.5)),
        share_bytes: 4_096,
        path: "sys.modules['a|b'].X`".into(),
        fingerprint: Fingerprint(0xff),
        is_accepted: true,
        ..Finding::beside_places(
            FindingKind::Place,
            "a|b.X`\u{1b}[2J".into(),
            &trend(0.5),
            "",
        )
    }
}

pub(super) fn unclear() -> UnclearPlace {
    UnclearPlace {
        place: "shop.RECENT".into(),
        held: Held {
            type_key: "shop.Hit".into(),
            is_key: false,
            n_first: 10,
            n_last: 20,
        },
        slows: false,
        bound: Some(1_000),
    }
}

static CAPTURE: LazyLock<Capture> = LazyLock::new(|| Capture {
    python: "3.12.1".into(),
    command: "python -m shop".into(),
    ..Capture::default()
});
static SECONDS: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..9).map(|look| 0.25 + 7.5 * f64::from(look)).collect());
static NOTES: LazyLock<Vec<String>> = LazyLock::new(|| vec!["a note".to_owned()]);

/// A report on findings in a format, after 9 looks in a minute.
pub(super) fn report_on(pid: u32, judged: &PlaceFindings, format: HuntFormat) -> Report<'_> {
    Report {
        pid,
        capture: &CAPTURE,
        n_objects: 4_200_000,
        rss_bytes: &[400_000_000, 412_000_000],
        seconds: &SECONDS,
        longest_pause: Duration::from_micros(6_214),
        verdict: Verdict::of(judged, SECONDS.len(), false),
        judged,
        account: None,
        memory_limit: Some(MemoryLimit {
            limit_bytes: 2 << 30,
            used_bytes: (2 << 30) - 1_610_000_000,
            source: LimitSource::Cgroup,
        }),
        is_traced: false,
        limit: 10,
        notes: &NOTES,
        format,
        width: None,
    }
}

fn shown(judged: &PlaceFindings, format: HuntFormat) -> String {
    String::from_utf8(report(&report_on(4121, judged, format))).unwrap()
}

pub(super) fn leaks() -> PlaceFindings {
    PlaceFindings {
        findings: vec![cache(), hostile()],
        unclear: vec![unclear()],
    }
}

#[test]
fn leaks_as_text() {
    let expected = "\
process 4121 (CPython 3.12.1, 4,200,000 objects, RSS 412 MB)
9 looks in 1 m, longest pause 6.2 ms

LEAK 1  shop.cache.RENDER_CACHE  (dict)  +41 /s  +61 kB/s  cgroup limit 2 GiB in 7 h 19 m
  holds    12,310 shop.render.RenderInfo, were 9,870
           12,310 str as keys, were 9,870
  keeps    312 MB alive, 290 MB of it alone
  also in  shop.render.Renderer.seen
  path     sys.modules['shop.cache'].RENDER_CACHE[*]
  package  shop
  made at  shop/render.py:88
           shop/views.py:12
  why      grew in 7 of 8 intervals; never fewer than at the look before
  known as 0123456789abcdef
  next     leakhunt hunt --pid 4121 --trace

LEAK 2 (accepted)  a|b.X`\\x1b[2J  +1.8 kB/h
  inside   a|b.Cart`\\x1b
  keeps    4.1 kB alive
  path     sys.modules['a|b'].X`
  why      grew in 7 of 8 intervals
  known as 00000000000000ff
  next     leakhunt snapshot --pid 4121

may grow, too; a longer watch tells
  perhaps  shop.RECENT: 20 shop.Hit, were 10; it takes 1,000 at most
a note
";
    assert_eq!(shown(&leaks(), HuntFormat::Text), expected);
}

#[test]
fn leaks_as_markdown() {
    let expected = "\
### leakhunt: 1 leak

Process 4121 (CPython `3.12.1`), 4,200,000 objects, RSS 412 MB; 9 looks in 1 m.

| place | holds | growth | keeps | package |
|---|---|---|---|---|
| `shop.cache.RENDER_CACHE` | `12,310 shop.render.RenderInfo, were 9,870`<br>`12,310 str as keys, were 9,870` | +41 /s, +61 kB/s | 312 MB alive, 290 MB of it alone | `shop` |
| `a\\|b.X'\\x1b[2J` (accepted) | inside `a\\|b.Cart'\\x1b` | +1.8 kB/h | 4.1 kB alive |  |

- `shop.cache.RENDER_CACHE`: grew in 7 of 8 intervals; never fewer than at the look before; path `sys.modules['shop.cache'].RENDER_CACHE[*]`; next: `leakhunt hunt --pid 4121 --trace`

- `a\\|b.X'\\x1b[2J`: grew in 7 of 8 intervals; path `sys.modules['a\\|b'].X'`; next: `leakhunt snapshot --pid 4121`

a note
";
    assert_eq!(shown(&leaks(), HuntFormat::Markdown), expected);
}

#[test]
fn leaks_as_json() {
    let expected = serde_json::json!({
        "schema": "leakhunt.findings/1",
        "pid": 4121,
        "python": "3.12.1",
        "command": "python -m shop",
        "looks": 9,
        "seconds": 60.0,
        "longest_pause_ms": 6.214,
        "objects_total": 4_200_000,
        "rss_bytes": 412_000_000,
        "verdict": "leak",
        "findings": [{
            "kind": "place",
            "place": "shop.cache.RENDER_CACHE",
            "also": ["shop.render.Renderer.seen"],
            "holder_type": "dict",
            "grows_by": "objects",
            "holds": [
                {
                    "type": "shop.render.RenderInfo",
                    "is_key": false,
                    "objects_first": 9_870,
                    "objects": 12_310,
                },
                { "type": "str", "is_key": true, "objects_first": 9_870, "objects": 12_310 },
            ],
            "inside": null,
            "objects_per_s": 41.25,
            "objects_per_s_interval": [37.125, 45.375],
            "bytes_per_s": 61_000.0,
            "bytes_per_s_interval": [54_900.0, 67_100.0],
            "share_bytes": 312_000_000,
            "exclusive_bytes": 290_000_000,
            "exclusive_objects": 49_240,
            "path": "sys.modules['shop.cache'].RENDER_CACHE[*]",
            "package": "shop",
            "made_at": ["shop/render.py:88", "shop/views.py:12"],
            "intervals_grown": 7,
            "intervals": 8,
            "why": "grew in 7 of 8 intervals; never fewer than at the look before",
            "seconds_to_limit": 26_393,
            "fingerprint": "0123456789abcdef",
            "accepted": false,
            "next": "leakhunt hunt --pid 4121 --trace",
        }, {
            "kind": "place",
            "place": "a|b.X`\u{1b}[2J",
            "also": [],
            "holder_type": null,
            "grows_by": "bytes",
            "holds": [],
            "inside": "a|b.Cart`\u{1b}",
            "objects_per_s": 0.0,
            "objects_per_s_interval": [0.0, 0.0],
            "bytes_per_s": 0.5,
            "bytes_per_s_interval": [0.45, 0.55],
            "share_bytes": 4_096,
            "exclusive_bytes": 0,
            "exclusive_objects": 0,
            "path": "sys.modules['a|b'].X`",
            "package": null,
            "made_at": [],
            "intervals_grown": 7,
            "intervals": 8,
            "why": "grew in 7 of 8 intervals",
            "seconds_to_limit": null,
            "fingerprint": "00000000000000ff",
            "accepted": true,
            "next": "leakhunt snapshot --pid 4121",
        }],
        "unclear": [{
            "place": "shop.RECENT",
            "holds": {
                "type": "shop.Hit",
                "is_key": false,
                "objects_first": 10,
                "objects": 20,
            },
            "slows": false,
            "at_most": 1_000,
        }],
        "memory": null,
        "notes": ["a note"],
    });
    let document: serde_json::Value =
        serde_json::from_str(&shown(&leaks(), HuntFormat::Json)).unwrap();
    assert_eq!(document, expected, "{document:#}");
}

#[test]
fn each_verdict_without_a_leak_says_what_to_do_next() {
    let none = PlaceFindings::default();
    let accepted = PlaceFindings {
        findings: vec![hostile()],
        unclear: Vec::new(),
    };
    let perhaps = PlaceFindings {
        findings: Vec::new(),
        unclear: vec![unclear()],
    };
    for (judged, headline, sentence) in [
        (&none, "no leak", "hunt --pid 4121 --for 300s"),
        (
            &perhaps,
            "too little growth to tell",
            "hunt --pid 4121 --for 300s",
        ),
        (&accepted, "no new leak", "all that grows is accepted"),
    ] {
        let text = shown(judged, HuntFormat::Text);
        assert!(text.contains(sentence), "{text}");
        let markdown = shown(judged, HuntFormat::Markdown);
        let first = format!("### leakhunt: {headline}\n");
        assert!(markdown.starts_with(&first), "{markdown}");
        assert!(markdown.contains(sentence), "{markdown}");
    }
}

#[test]
fn the_first_finding_that_is_not_accepted_is_the_verdict() {
    let of = |findings: Vec<Finding>, n_looks| {
        let judged = PlaceFindings {
            findings,
            unclear: Vec::new(),
        };
        Verdict::of(&judged, n_looks, false)
    };
    assert_eq!(of(vec![cache()], 4), Verdict::Leak);
    assert_eq!(of(vec![hostile(), cache()], 4), Verdict::Leak);
    assert_eq!(of(vec![hostile()], 4), Verdict::Accepted);
    assert_eq!(of(Vec::new(), 4), Verdict::NoLeak);
    assert_eq!(of(Vec::new(), 3), Verdict::TooFewLooks);
    let garbage = Finding {
        kind: FindingKind::Garbage,
        ..cache()
    };
    assert_eq!(of(vec![garbage], 4), Verdict::Garbage);
}

#[test]
fn what_to_type_next_fits_the_kind_of_leak() {
    let next = |kind, of, type_key: &str| {
        let mut finding = Finding {
            of,
            ..Finding::beside_places(kind, "place".into(), &trend(1.0), "")
        };
        finding.holds.push(Held {
            type_key: type_key.into(),
            is_key: false,
            n_first: 1,
            n_last: 2,
        });
        let judged = PlaceFindings {
            findings: vec![finding],
            unclear: Vec::new(),
        };
        let text = shown(&judged, HuntFormat::Text);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("  next     "));
        line.unwrap().to_owned()
    };
    use FindingKind::{Descriptors, Garbage, NativeMemory, NativeReferences, Place};
    use GrowthOf::{Bytes, Objects};
    for (kind, of, type_key, expected) in [
        (Place, Objects, "str", "leakhunt hunt --pid 4121 --trace"),
        (Place, Bytes, "bytearray", "leakhunt snapshot --pid 4121"),
        (
            NativeMemory,
            Bytes,
            "",
            "leakhunt hunt --pid 4121 --account",
        ),
        (Descriptors, Objects, "", "ls -l /proc/4121/fd"),
        (
            Garbage,
            Objects,
            "shop.Node",
            "leakhunt snapshot --pid 4121",
        ),
        (
            NativeReferences,
            Objects,
            "fastcodec.Decoder",
            "leakhunt dump --pid 4121 --type 'fastcodec.Decoder' --limit 5",
        ),
    ] {
        assert_eq!(next(kind, of, type_key), expected, "{kind:?}");
    }
}

#[test]
fn what_is_not_known_of_a_leak_has_no_line() {
    let threads = "threads of worker() in shop.jobs".to_owned();
    let judged = PlaceFindings {
        findings: vec![Finding::beside_places(
            FindingKind::Threads,
            threads,
            &trend(2.0),
            "they start and do not end",
        )],
        unclear: Vec::new(),
    };
    let text = shown(&judged, HuntFormat::Text);
    let expected = "
LEAK 1  threads of worker() in shop.jobs  +2 /s
  why      grew in 7 of 8 intervals; they start and do not end
";
    assert!(text.contains(expected), "{text}");
}
