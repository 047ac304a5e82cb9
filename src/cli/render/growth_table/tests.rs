use super::*;
use crate::args::GrowthFormat;
use leakhunt_heap::{Growth, Look, TypeCount};
use time::macros::datetime;

fn of_type(key: &str, n_objects: u64, size_bytes: u64) -> TypeCount {
    TypeCount {
        type_key: key.into(),
        name: key.into(),
        n_objects,
        size_bytes,
        ..TypeCount::default()
    }
}

fn frame_of(growth: &mut Growth, types: Vec<TypeCount>, seconds: i64) -> Frame {
    let look = Look::from_types(types, true);
    let step = growth.observe(&look, seconds * 1_000_000);
    let time = datetime!(2026-02-03 04:05:06 UTC) + Duration::from_secs(seconds as u64);
    let record = GrowthRecord {
        pause_ms: 6.214,
        python: "3.12.1".into(),
        ..GrowthRecord::new(4121, time, &step)
    };
    Frame { look, step, record }
}

fn view(limit: usize) -> GrowthView {
    GrowthView::new(GrowthFormat::Table, Some(limit), None)
}

fn rows(n: u64) -> Vec<TypeCount> {
    let mut estimate = of_type("lib.Native", 7, 700 + n);
    estimate.is_estimate = true;
    let mut garbage = of_type("shop.Node", 50 - n, 3200);
    garbage.n_garbage = Some(4 * (n / 2));
    vec![
        of_type("shop.cache.Entry", 12_000 + 155 * n, 576_000 + 7440 * n),
        of_type("dict", 3_000 + 2 * (n % 2), 192_000),
        of_type("tuple", 900, 57_600),
        estimate,
        garbage,
    ]
}

#[test]
fn the_baseline_shows_the_biggest_types() {
    let mut growth = Growth::default();
    let frame = frame_of(&mut growth, rows(0), 0);
    assert_eq!(
        super::frame(&frame, &view(3)),
        "\
look 1 of process 4121, CPython 3.12.1 at 04:05:06 UTC: the baseline
type               count    bytes
shop.cache.Entry  12,000   576 kB
dict               3,000   192 kB
tuple                900  57.6 kB
2 more types
objects 15,957  bytes 829.5 kB  pause 6.2 ms  walked in a copy
growth shows from the second look on

"
    );
}

#[test]
fn growth_stands_first_and_what_grew_always_is_marked() {
    let mut growth = Growth::default();
    frame_of(&mut growth, rows(0), 0);
    frame_of(&mut growth, rows(1), 30);
    let frame = frame_of(&mut growth, rows(2), 60);
    assert_eq!(
        super::frame(&frame, &view(0)),
        "\
look 3 at 04:06:06 UTC, 30 s after the last
type                 count  delta  per minute     bytes  bytes delta  garbage  trend
shop.cache.Entry *  12,310   +155    +310/min  590.9 kB      +7.4 kB           ▁▄█
lib.Native               7                       ~702 B         +1 B           ▁▁▁
dict                 3,000     -2      -4/min    192 kB                        ▁█▁
shop.Node               48     -1      -2/min    3.2 kB                     4  █▄▁
1 type did not change
objects 16,265 (+152)  bytes 844.4 kB (+7.4 kB)  pause 6.2 ms  walked in a copy
garbage 4 objects: nothing reaches them, the collector has still to free them
* grew at every look
~ an estimate: basic size and items, the layout of the type is not known

"
    );
}

#[test]
fn the_circumstances_of_a_look_are_told() {
    let mut growth = Growth::default();
    frame_of(&mut growth, rows(0), 0);
    let mut frame = frame_of(&mut growth, rows(0), 30);
    frame.record.place = WalkedIn::Target;
    frame.record.clone_errno = Some(12);
    frame.record.attempts = 2;
    frame.record.skipped_type = Some("bad\x1b.Type".into());
    frame.step.n_garbage = None;
    let shown = super::frame(&frame, &view(5));
    assert!(
        shown.contains("nothing grew or shrank\n5 types did not change\n"),
        "{shown}"
    );
    assert!(
        shown.contains("walked in place: a copy was refused (Cannot allocate"),
        "{shown}"
    );
    assert!(
        shown.contains("took 2 walks\na walk failed at type bad\\x1b.Type"),
        "{shown}"
    );
    assert!(shown.contains("garbage not known"), "{shown}");
}

#[test]
fn names_are_cut_to_the_terminal() {
    let mut growth = Growth::default();
    let long = format!("{}.Entry", "package".repeat(20));
    let frame = frame_of(&mut growth, vec![of_type(&long, 1, 1)], 0);
    let mut view = view(5);
    view.width = Some(60);
    let shown = super::frame(&frame, &view);
    let table: Vec<_> = shown.lines().skip(1).take(2).collect();
    assert!(
        table[1].starts_with('…') && table[1].contains(".Entry"),
        "{shown}"
    );
    assert!(
        table.iter().all(|line| line.chars().count() <= 60),
        "{shown}"
    );
}

#[test]
fn the_summary_tells_what_grew_over_all() {
    let mut growth = Growth::default();
    for (n, seconds) in [(0, 0), (1, 30), (3, 90)] {
        frame_of(&mut growth, rows(n), seconds);
    }
    assert_eq!(
        super::summary(&growth.summary().unwrap(), &view(1)),
        "\
all 3 looks in 1 m 30 s
type               count  delta  per minute  bytes delta
shop.cache.Entry  12,465   +465    +310/min     +22.3 kB
1 more type grew
objects 16,421 (+464)  bytes 851.8 kB (+22.3 kB)
"
    );
}

#[test]
fn colour_is_only_added() {
    let mut growth = Growth::default();
    let frame = frame_of(&mut growth, rows(0), 0);
    let mut colored = view(3);
    colored.color = true;
    let shown = super::frame(&frame, &colored);
    assert!(shown.contains("\x1b["));
    assert!(!super::frame(&frame, &view(3)).contains('\x1b'));
}
