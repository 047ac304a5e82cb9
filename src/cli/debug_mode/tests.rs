use serde_json::json;

use super::*;

const PAUSE: Duration = Duration::from_millis(250);

fn row(address: u64, value: serde_json::Value) -> Row {
    Row {
        address,
        type_name: "asyncio.Loop".into(),
        size_bytes: 64,
        value,
    }
}

/// Two loops, one of them closed, and a root logger at a level.
fn mode(debug: bool, root_level: i64) -> DebugMode {
    DebugMode::of(&[
        row(
            0,
            json!({"kind": "process", "has_asyncio": true, "root_level": root_level}),
        ),
        row(
            16,
            json!({"kind": "loop", "debug": debug, "slow_callback_seconds": 0.1,
                       "is_running": true, "is_closed": false}),
        ),
        row(
            32,
            json!({"kind": "loop", "debug": false, "is_closed": true}),
        ),
        row(48, json!({"kind": "loop", "debug": "perhaps"})),
    ])
}

#[test]
fn loops_and_the_process_are_read() {
    let mode = mode(true, 30);
    assert_eq!(
        mode.loops.len(),
        2,
        "what is no row of the probe is passed over"
    );
    assert_eq!(mode.loops[0].debug, Some(true));
    assert_eq!(mode.process.root_level, Some(30));
    assert_eq!(mode.open_loops().count(), 1);
}

#[test]
fn on_is_for_open_loops_and_lowers_the_bar_of_the_logger() {
    let wanted = Wanted::on(&mode(false, 30), Some(0.05), PAUSE);
    assert_eq!(wanted.loops, [(16, true, Some(0.05))]);
    let source = wanted.source();
    assert!(
        source.starts_with("WANTED = {16: (True, 0.05), }\nLEVEL = (20, True)\nMAX_PAUSE = 0.25\n"),
        "{source}"
    );
    assert!(
        Wanted::on(&mode(false, 30), None, PAUSE)
            .source()
            .contains("16: (True, None)")
    );
}

#[test]
fn off_without_a_record_leaves_the_logger() {
    let wanted = Wanted::off(&mode(true, 20), None, PAUSE);
    assert_eq!(wanted.loops, [(16, false, None)]);
    assert!(wanted.source().contains("\nLEVEL = None\n"));
}

#[test]
fn off_restores_what_the_record_has() {
    let record = Record::default().with(&mode(false, 30));
    let wanted = Wanted::off(&mode(true, INFO), Some(&record), PAUSE);
    assert_eq!(wanted.loops, [(16, false, Some(0.1))]);
    assert_eq!(wanted.root_level, Some(Level::Exactly(30)));
    let wanted = Wanted::off(&mode(true, 10), Some(&record), PAUSE);
    assert_eq!(wanted.root_level, None, "others have set it since then");
    let record = Record::default().with(&mode(true, 10));
    let wanted = Wanted::off(&mode(true, 10), Some(&record), PAUSE);
    assert_eq!(wanted.loops, [(16, true, Some(0.1))], "it was on before");
    assert_eq!(wanted.root_level, None, "it was low enough before");
}

#[test]
fn the_answer_of_the_target_is_read() {
    let answer = Answer::parse("loop 16 0 0.1\nfailed 32 RuntimeError\nlevel 30 20\nend").unwrap();
    let before = Before {
        debug: false,
        slow_callback_seconds: Some(0.1),
    };
    assert_eq!(answer.reached, [(16, before)]);
    assert_eq!(answer.failed, [(32, "RuntimeError".to_owned())]);
    assert_eq!(answer.root_level, Some((30, 20)));
    assert!(!answer.is_locked);
    assert!(Answer::parse("locked\nend").unwrap().is_locked);
    let pause = Answer::parse("pause 300\nend").unwrap().pause;
    assert_eq!(pause, Some(Duration::from_millis(300)));
    assert_eq!(Answer::parse("\nend"), Some(Answer::default()));
    for broken in ["", "loop 16 0 0.1", "loop x 0 0.1\nend", "surprise\nend"] {
        assert_eq!(Answer::parse(broken), None, "{broken:?}");
    }
    let none = Answer::parse("loop 16 1 None\nend").unwrap();
    assert_eq!(none.reached[0].1.slow_callback_seconds, None);
}

#[test]
fn what_was_not_reached_is_told() {
    let wanted = Wanted::on(&mode(false, 30), None, PAUSE);
    let mut after = mode(false, 30);
    Answer::default().add_to(&mut after, &wanted);
    assert!(after.loops[0].obstacle.is_some());
    let too_long = Answer::parse("pause 300\nend").unwrap();
    too_long.add_to(&mut after, &wanted);
    let obstacle = after.loops[0].obstacle.clone().unwrap();
    assert!(
        obstacle.ends_with("for about 300 ms; to do so: --max-pause 300ms"),
        "{obstacle}"
    );
    assert!(
        after.loops[1].obstacle.is_none(),
        "it is closed: nothing was wanted"
    );
    let answer = Answer::parse("loop 16 0 0.1\nlevel 30 20\nend").unwrap();
    let mut after = mode(true, 20);
    answer.add_to(&mut after, &wanted);
    assert_eq!(
        after.loops[0].before.map(|before| before.debug),
        Some(false)
    );
    assert_eq!(after.process.root_level_before, Some(30));
    let mut unchanged = mode(false, 20);
    let answer = Answer::parse("loop 16 0 0.1\nlevel 20 20\nend").unwrap();
    answer.add_to(&mut unchanged, &wanted);
    assert_eq!(unchanged.loops[0].before, None);
    assert_eq!(unchanged.process.root_level_before, None);
}
