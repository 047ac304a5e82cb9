use serde_json::{Value, json};

use super::*;

const LOOP: u64 = 0x10;

fn row(address: u64, value: Value) -> Row {
    Row {
        address,
        type_name: "asyncio.events.TimerHandle".into(),
        size_bytes: 64,
        value,
    }
}

/// A loop at 100 s of its clock with so many timers, due one second apart from 101 s on.
fn rows(n: u64) -> Vec<Row> {
    let addresses: Vec<u64> = (0..n).map(|index| 0x1000 + index).collect();
    let mut rows = vec![
        row(0, json!({"kind": "process", "has_asyncio": true})),
        row(
            LOOP,
            json!({"kind": "loop", "has_queues": true, "is_running": true}),
        ),
        row(LOOP, json!({"kind": "time", "now": 100.0})),
        row(LOOP, json!({"kind": "timers", "addresses": addresses})),
    ];
    rows.extend(
        addresses
            .iter()
            .map(|&address| timer(address, 101.0 + (address - 0x1000) as f64)),
    );
    rows
}

fn timer(address: u64, when: f64) -> Row {
    let said = json!({"kind": "handle", "loop": LOOP, "when": when, "callback": "shop.tick"});
    row(address, said)
}

#[test]
fn a_timer_is_due_by_its_loops_clock() {
    let found = schedules(&rows(2));
    assert!(found.has_asyncio);
    let due: Vec<_> = found
        .handles
        .iter()
        .map(|handle| handle.in_seconds)
        .collect();
    assert_eq!(due, [Some(1.0), Some(2.0)]);
    assert!(
        found
            .handles
            .iter()
            .all(|handle| handle.state == State::Waiting)
    );
    assert!(found.handles.iter().all(|handle| handle.marks.is_empty()));
}

#[test]
fn handles_come_in_the_order_of_their_queues() {
    let mut rows = rows(3);
    rows.push(row(LOOP, json!({"kind": "ready", "addresses": [9, 8]})));
    for address in [8, 9] {
        rows.push(row(
            address,
            json!({"kind": "handle", "loop": LOOP, "callback": "shop.now"}),
        ));
    }
    rows.reverse();
    // The rows of a loop come before those of its handles, and in their order.
    rows.sort_by_key(|row| row.address != LOOP);
    let found = schedules(&rows);
    let order: Vec<_> = found.handles.iter().map(|handle| handle.address).collect();
    assert_eq!(order, [9, 8, 0x1000, 0x1001, 0x1002]);
}

#[test]
fn queues_that_come_in_parts_keep_their_order() {
    let mut rows = rows(1);
    rows.insert(4, row(LOOP, json!({"kind": "timers", "addresses": [7]})));
    rows.push(timer(7, 200.0));
    let places: Vec<_> = schedules(&rows)
        .handles
        .iter()
        .map(|one| one.place)
        .collect();
    assert_eq!(places, [Some(0), Some(1)]);
}

#[test]
fn what_is_in_no_queue_is_kept_if_it_is_a_timer() {
    let mut rows = rows(1);
    rows.push(timer(7, 50.0));
    rows.push(row(
        8,
        json!({"kind": "handle", "loop": LOOP, "callback": "shop.reader"}),
    ));
    let found = schedules(&rows);
    assert_eq!(
        found.handles.len(),
        2,
        "a reader of a selector is not scheduled"
    );
    assert_eq!(found.handles[1].state, State::Kept);
    assert_eq!(found.handles[1].marks, [], "one may be kept for a moment");
    rows.extend((20..29).map(|address| timer(address, 50.0)));
    let found = schedules(&rows);
    let marks = found
        .handles
        .iter()
        .filter(|handle| handle.marks == [Mark::Kept]);
    assert_eq!(marks.count(), 10);
}

#[test]
fn timers_of_a_loop_whose_queues_are_not_known_are_not_kept() {
    let mut rows = rows(0);
    rows[1].value = json!({"kind": "loop", "has_queues": false});
    rows.push(timer(7, 150.0));
    assert_eq!(schedules(&rows).handles[0].state, State::Waiting);
}

#[test]
fn cancelled_timers_stay_in_the_heap() {
    let mut rows = rows(2);
    rows[5].value["is_cancelled"] = json!(true);
    let states: Vec<_> = schedules(&rows)
        .handles
        .iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states, [State::Waiting, State::Cancelled]);
}

#[test]
fn overdue_and_far_timers_are_marked() {
    let marks_at = |when: f64| {
        let mut rows = rows(1);
        rows[4] = timer(0x1000, when);
        schedules(&rows).handles[0].marks.clone()
    };
    assert_eq!(marks_at(98.9), [Mark::Overdue]);
    assert_eq!(marks_at(99.1), []);
    assert_eq!(marks_at(100.0 + 86_400.0), []);
    assert_eq!(marks_at(101.0 + 86_400.0), [Mark::Far]);
}

#[test]
fn a_callback_that_many_timers_share_is_marked() {
    let marked = |n| {
        let found = schedules(&rows(n));
        found
            .handles
            .iter()
            .filter(|handle| handle.marks == [Mark::Many])
            .count()
    };
    assert_eq!((marked(99), marked(100)), (0, 100));
}

#[test]
fn the_task_that_waits_is_part_of_the_group() {
    let mut rows = rows(1);
    let said = json!({"kind": "waiter", "coroutine": "shop.poll", "task": "Task-3",
                      "file": "/shop.py", "line": 7});
    rows.push(row(0x1000, said));
    let found = schedules(&rows);
    assert_eq!(found.handles[0].group(), "shop.tick for shop.poll");
    assert_eq!(found.handles[0].place_text().unwrap(), "/shop.py:7");
}

#[test]
fn rows_that_are_not_of_the_probe_are_passed_over() {
    let mut rows = rows(1);
    rows.push(row(1, json!({"kind": "handle", "when": "soon"})));
    rows.push(row(
        99,
        json!({"kind": "waiter", "coroutine": "of nothing"}),
    ));
    rows.push(row(2, json!(null)));
    assert_eq!(schedules(&rows).handles.len(), 1);
    assert_eq!(schedules(&[]), Schedules::default());
}
