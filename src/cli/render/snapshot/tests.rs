use super::*;
use leakhunt_heap::KindRow;

fn capture() -> Capture {
    Capture {
        python: "3.12.1".into(),
        pid: 4121,
        taken_at_us: 1_770_091_506_789_000,
        pause_us: 6_214,
        walk_us: 210_000,
        rss_bytes: 81_000_000,
        names: "small".into(),
        ..Capture::default()
    }
}

static NO_GARBAGE: GarbageLook = GarbageLook {
    n_objects: 0,
    size_bytes: 0,
    n_cycles: 0,
    n_frozen: 0,
    n_old: 0,
    n_young: 0,
    types: Vec::new(),
    groups: Vec::new(),
};

fn taken(capture: &Capture) -> Taken<'_> {
    Taken {
        garbage: &NO_GARBAGE,
        path: "before.leakhunt",
        capture,
        n_objects: 241_009,
        size_bytes: 17_500_000,
        n_references: Some(524_100),
        file_bytes: 1_400_000,
    }
}

#[test]
fn a_whole_snapshot_is_three_lines() {
    assert_eq!(
        taken_text(&taken(&capture())),
        "before.leakhunt: 241,009 objects of 17.5 MB, 524,100 references\n\
         pause 6.2 ms  walk 210 ms  on disk 1.4 MB\n\
         coverage: whole; no object has more references than its count\n"
    );
}

#[test]
fn what_is_missing_is_said() {
    let capture = Capture {
        skipped_type: "lib.Bad".into(),
        is_during_collection: true,
        n_dangling: 3,
        n_violations: 1,
        ..capture()
    };
    let shown = taken_text(&taken(&capture));
    assert_eq!(shown.lines().count(), 6, "{shown}");
    for part in [
        "lib.Bad",
        "collector",
        "3 references to",
        "1 object has more",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("whole"), "{shown}");
}

#[test]
fn json_of_a_snapshot_is_the_documented_schema() {
    assert_eq!(
        String::from_utf8(taken_json(&taken(&capture()))).unwrap(),
        concat!(
            r#"{"schema":"leakhunt.snapshot-taken/1","path":"before.leakhunt","pid":4121,"#,
            r#""python":"3.12.1","free_threaded":false,"taken_at_us":1770091506789000,"#,
            r#""pause_ms":6.214,"walk_ms":210.0,"objects":241009,"bytes":17500000,"#,
            r#""references":524100,"file_bytes":1400000,"rss_bytes":81000000,"names":"small","#,
            r#""during_collection":false,"skipped_type":null,"dangling":0,"violations":0,"#,
            r#""collector":{"enabled":null,"thresholds":null,"counts":null,"collections":null,"#,
            r#""debug":null,"uncollectable":null,"long_lived":null,"long_lived_pending":null},"#,
            r#""garbage":{"objects":0,"bytes":0,"frozen":0,"n_cycles":0,"cycles":[],"why":[]}}"#,
            "\n"
        )
    );
}

fn kinds(n_rows: i64) -> KindTable {
    let rows: Vec<_> = (1..=n_rows)
        .map(|row| KindRow {
            kind: format!("dict of shop.T{row}"),
            n_objects: row,
            size_bytes: 1000 * row,
        })
        .collect();
    KindTable {
        n_objects: rows.iter().map(|row| row.n_objects).sum(),
        size_bytes: rows.iter().map(|row| row.size_bytes).sum(),
        kind_header: "Referrers".into(),
        rows,
        ..KindTable::default()
    }
}

fn appeared(table: &KindTable) -> Appeared<'_> {
    Appeared {
        path: "heap_profile.1.hpy",
        pid: 4121,
        python: "3.12.1",
        elapsed: Duration::from_millis(60_012),
        table,
        file_bytes: 2_000,
        pause_us: 12_400,
        notes: vec!["n".into()],
    }
}

#[test]
fn what_appeared_is_shown_by_kind() {
    assert_eq!(
        appeared_text(&appeared(&kinds(2)), false, None),
        "heap_profile.1.hpy: 3 objects of 3 kB appeared in 1 m and are still there\n\
         count  bytes  kind\n\
         \x20   1   1 kB  dict of shop.T1\n\
         \x20   2   2 kB  dict of shop.T2\n\
         pause 12 ms, both looks together  on disk 2 kB\n"
    );
    let mut long = kinds(1);
    long.rows[0].kind = "dict of shop.T, ".repeat(30);
    let whole = appeared_text(&appeared(&long), false, None);
    assert!(whole.contains(long.rows[0].kind.trim_end()), "{whole}");
    let on_terminal = appeared_text(&appeared(&long), false, Some(80));
    assert!(
        on_terminal.lines().all(|line| line.chars().count() <= 80),
        "{on_terminal}"
    );
    let many = appeared_text(&appeared(&kinds(12)), false, None);
    assert!(many.contains("\n2 more kinds in the file\n"), "{many}");
    let none = appeared_text(&appeared(&kinds(0)), false, None);
    assert_eq!(none.lines().count(), 2, "{none}");
}

#[test]
fn json_of_what_appeared_is_the_documented_schema() {
    assert_eq!(
        String::from_utf8(appeared_json(&appeared(&kinds(1)))).unwrap(),
        concat!(
            r#"{"schema":"leakhunt.memory/1","path":"heap_profile.1.hpy","pid":4121,"#,
            r#""python":"3.12.1","seconds":60.012,"pause_ms":12.4,"objects":1,"bytes":1000,"#,
            r#""file_bytes":2000,"kind_header":"Referrers","#,
            r#""kinds":[{"kind":"dict of shop.T1","count":1,"bytes":1000}],"notes":["n"]}"#,
            "\n"
        )
    );
}

#[test]
fn garbage_is_told_with_its_largest_group_and_the_reason() {
    let mut capture = capture();
    capture.collector.enabled = Some(false);
    let garbage = GarbageLook {
        n_objects: 1_240,
        size_bytes: 80_000,
        n_cycles: 310,
        groups: vec![CycleGroup {
            n_cycles: 300,
            held_bytes: 79_000,
            cycle: "shop.Node.on_close → method close() → shop.Node".into(),
            made_by: "shop.Node.close".into(),
            ..CycleGroup::default()
        }],
        ..GarbageLook::default()
    };
    let taken = Taken {
        garbage: &garbage,
        ..taken(&capture)
    };
    let shown = taken_text(&taken);
    let lines: Vec<&str> = shown.lines().skip(3).collect();
    assert_eq!(
        lines,
        [
            "garbage: 1,240 objects of 80 kB, in 310 cycles",
            "  most: 300 cycles of 79 kB: shop.Node.on_close → method close() → shop.Node",
            "  the collector is switched off (gc.disable()): nothing starts it",
        ]
    );
    let document: serde_json::Value = serde_json::from_slice(&taken_json(&taken)).unwrap();
    assert_eq!(document["collector"]["enabled"], false);
    assert_eq!(document["garbage"]["objects"], 1_240);
    assert_eq!(
        document["garbage"]["cycles"][0]["made_by"],
        "shop.Node.close"
    );
    assert_eq!(
        document["garbage"]["cycles"][0]["package"],
        serde_json::Value::Null
    );
}

#[test]
fn little_garbage_is_a_line_as_long_as_the_collector_runs() {
    let mut capture = capture();
    let garbage = GarbageLook {
        n_objects: 37,
        size_bytes: 2_300,
        n_cycles: 5,
        n_young: 37,
        groups: vec![CycleGroup::default()],
        ..GarbageLook::default()
    };
    let told = |capture: &Capture| {
        let shown = taken_text(&Taken {
            garbage: &garbage,
            ..taken(capture)
        });
        shown.lines().skip(3).count()
    };
    capture.collector.enabled = Some(true);
    assert_eq!(told(&capture), 1);
    capture.collector.enabled = Some(false);
    assert_eq!(told(&capture), 3);
}
