use super::*;
use crate::look::TypeCount;

const SECOND: i64 = 1_000_000;

fn look(types: &[(&str, u64, u64)]) -> Look {
    let types = types.iter().map(|&(key, n_objects, size_bytes)| TypeCount {
        type_key: key.into(),
        name: key.into(),
        n_objects,
        size_bytes,
        ..TypeCount::default()
    });
    Look::from_types(types.collect(), true)
}

fn row<'a>(step: &'a Step, key: &str) -> &'a TypeGrowth {
    step.rows.iter().find(|row| row.type_key == key).unwrap()
}

#[test]
fn the_baseline_shows_no_change() {
    let step = Growth::default().observe(&look(&[("dict", 5, 500)]), 0);
    assert_eq!(
        (step.look, step.elapsed_us, step.objects_delta),
        (1, None, 0)
    );
    assert_eq!(step.rows[0].delta, 0);
    assert_eq!(step.rows[0].per_minute, None);
    assert_eq!(step.rows[0].history, [5]);
}

#[test]
fn changes_are_told_against_the_look_before() {
    let mut growth = Growth::default();
    growth.observe(&look(&[("dict", 5, 500), ("gone", 2, 64)]), 0);
    let step = growth.observe(&look(&[("dict", 8, 400), ("new", 3, 30)]), 30 * SECOND);
    assert_eq!(step.elapsed_us, Some(30_000_000));
    assert_eq!((step.objects_delta, step.bytes_delta), (4, -134));
    let dict = row(&step, "dict");
    assert_eq!((dict.delta, dict.bytes_delta), (3, -100));
    assert_eq!(dict.per_minute, Some(6.0));
    assert_eq!(
        (row(&step, "new").delta, row(&step, "new").history.len()),
        (3, 1)
    );
    let gone = row(&step, "gone");
    assert_eq!((gone.n_objects, gone.delta, gone.bytes_delta), (0, -2, -64));
    let step = growth.observe(&look(&[("dict", 8, 400)]), 60 * SECOND);
    assert!(
        step.rows.iter().all(|row| row.type_key != "gone"),
        "told once"
    );
}

#[test]
fn a_type_is_marked_only_when_it_grew_at_every_look() {
    let mut growth = Growth::default();
    let mut marked = Vec::new();
    for (time, (always, sometimes)) in [(1, 1), (2, 2), (3, 2), (4, 3)].into_iter().enumerate() {
        let step = growth.observe(
            &look(&[("always", always, 0), ("sometimes", sometimes, 0)]),
            time as i64,
        );
        let flags = ["always", "sometimes"].map(|key| row(&step, key).grew_at_every_look);
        marked.push(flags);
    }
    assert_eq!(
        marked,
        [[false, false], [false, false], [true, false], [true, false]]
    );
}

#[test]
fn a_latecomer_is_not_marked_until_it_grew_for_a_whole_history() {
    let mut growth = Growth::default();
    growth.observe(&look(&[("dict", 1, 0)]), 0);
    growth.observe(&look(&[("dict", 1, 0)]), 1);
    let mut marked_at = None;
    for n in 1..=40 {
        let step = growth.observe(&look(&[("dict", 1, 0), ("late", n, 0)]), n as i64 + 1);
        assert!(row(&step, "late").history.len() <= HISTORY_LEN);
        if row(&step, "late").grew_at_every_look {
            marked_at.get_or_insert(n);
        }
    }
    assert_eq!(marked_at, Some(HISTORY_LEN as u64));
}

#[test]
fn types_that_come_and_go_are_forgotten() {
    let mut growth = Growth::default();
    for n in 0..1000 {
        let key = format!("type_{n}");
        growth.observe(&look(&[("dict", 1, 0), (&key, 1, 0)]), n);
    }
    assert!(
        growth.tracks.len() <= HISTORY_LEN + 1,
        "{}",
        growth.tracks.len()
    );
    assert_eq!(growth.baseline.len(), 2);
}

#[test]
fn the_summary_tells_the_first_look_from_the_last() {
    let mut growth = Growth::default();
    growth.observe(&look(&[("a", 10, 100), ("b", 5, 50), ("c", 1, 1)]), 0);
    assert_eq!(growth.summary(), None);
    growth.observe(&look(&[("a", 1, 100), ("b", 50, 50)]), 30 * SECOND);
    growth.observe(&look(&[("a", 30, 200), ("b", 7, 60)]), 60 * SECOND);
    let summary = growth.summary().unwrap();
    assert_eq!((summary.n_looks, summary.elapsed_us), (3, Some(60_000_000)));
    assert_eq!((summary.objects_delta, summary.bytes_delta), (21, 109));
    let grown: Vec<_> = summary
        .grown
        .iter()
        .map(|row| (row.type_key.as_str(), row.delta, row.bytes_delta))
        .collect();
    assert_eq!(grown, [("a", 20, 100), ("b", 2, 10)]);
    assert_eq!(summary.grown[0].per_minute, Some(20.0));
}

#[test]
fn a_clock_that_is_set_back_gives_no_rate() {
    let mut growth = Growth::default();
    growth.observe(&look(&[("a", 10, 100)]), 60 * SECOND);
    let step = growth.observe(&look(&[("a", 20, 100)]), 30 * SECOND);
    assert_eq!((step.elapsed_us, row(&step, "a").per_minute), (None, None));
    assert_eq!(row(&step, "a").delta, 10);
}

#[test]
fn numbers_of_a_hostile_target_do_not_overflow() {
    let mut growth = Growth::default();
    growth.observe(&look(&[("a", u64::MAX, u64::MAX)]), i64::MIN);
    let step = growth.observe(&look(&[("a", 0, 0)]), i64::MAX);
    assert_eq!(row(&step, "a").delta, -i64::MAX);
    growth.summary().unwrap();
}
