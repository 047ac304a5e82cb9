use serde_json::{Value, json};

use super::*;
use crate::render::inventory::samples::{HOW, first_look};
use crate::session::Row;
use crate::timers::schedules;

fn row(address: u64, type_name: &str, value: Value) -> Row {
    Row {
        address,
        type_name: type_name.into(),
        size_bytes: 64,
        value,
    }
}

/// A loop with a timer of a method, one for a task, a cancelled one, and one that is ready.
fn rows() -> Vec<Row> {
    let timer = |address: u64, value: Value| row(address, "asyncio.events.TimerHandle", value);
    vec![
        row(
            16,
            "asyncio.Loop",
            json!({"kind": "loop", "has_queues": true, "is_running": true, "is_closed": false,
                   "debug": true, "thread_name": "MainThread"}),
        ),
        row(16, "asyncio.Loop", json!({"kind": "time", "now": 100.0})),
        row(
            16,
            "asyncio.Loop",
            json!({"kind": "timers", "addresses": [32, 48, 64]}),
        ),
        row(
            16,
            "asyncio.Loop",
            json!({"kind": "ready", "addresses": [80]}),
        ),
        timer(
            32,
            json!({"kind": "handle", "loop": 16, "when": 105.0, "callback": "shop.Till.tick\n",
                   "bound_type": "shop.Till", "bound_address": 4096, "n_args": 2,
                   "file": "/srv/shop.py", "line": 12,
                   "made_at": [{"file": "/srv/shop.py", "line": 20, "function": "open"},
                               {"file": "/usr/lib/asyncio/base_events.py", "line": 1,
                                "function": "call_later"}]}),
        ),
        timer(
            32,
            json!({"kind": "ha", "text": "Scheduled: <TimerHandle when=105>"}),
        ),
        timer(
            48,
            json!({"kind": "handle", "loop": 16, "when": 100_100.0, "callback": "sleep"}),
        ),
        timer(
            48,
            json!({"kind": "waiter", "task": "Task-3", "coroutine": "shop.poll",
                   "file": "/srv/shop.py", "line": 31, "task_address": 5000}),
        ),
        timer(
            48,
            json!({"kind": "ha", "text": "Scheduled: <TimerHandle when=100100>"}),
        ),
        timer(
            64,
            json!({"kind": "handle", "loop": 16, "when": 101.0, "is_cancelled": true}),
        ),
        timer(
            64,
            json!({"kind": "ha", "text": "Scheduled: <TimerHandle cancelled>"}),
        ),
        row(
            80,
            "asyncio.events.Handle",
            json!({"kind": "handle", "loop": 16, "callback": "now"}),
        ),
    ]
}

fn shown(is_grouped: bool, how: &How) -> String {
    let found = schedules(&rows());
    let listing = first_look(found.handles.clone());
    let view = ScheduledView {
        loops: &found.loops,
        is_grouped,
        has_paths: false,
    };
    String::from_utf8(scheduled(&listing, &view, how)).unwrap()
}

#[test]
fn a_table_comes_in_the_order_of_time_with_what_was_cancelled_last() {
    assert_eq!(
        shown(false, &HOW),
        "\
loop 1: asyncio.Loop in MainThread, running, debug mode: 2 timers, 1 ready, 1 cancelled
     in  due                  callback          of         args  for                 at               note
  ready                       now                             0
    5 s  00:00:05             shop.Till.tick\\n  shop.Till     2                      /srv/shop.py:12
1 d 3 h  1970-01-02 03:46:40  sleep                           0  shop.poll (Task-3)  /srv/shop.py:31  far away
    1 s  00:00:01             (cancelled)                     0                                       cancelled
  shop.Till.tick\\n made at /srv/shop.py:20 in open
4 handles  pause 3 ms
"
    );
}

#[test]
fn callbacks_are_counted() {
    assert_eq!(
        shown(true, &HOW),
        "\
loop 1: asyncio.Loop in MainThread, running, debug mode: 2 timers, 1 ready, 1 cancelled
callback          for        timers  ready  cancelled  kept  next in  last in  at               note
(cancelled)                       0                 1
now                               0      1
shop.Till.tick\\n                  1                              5 s      5 s  /srv/shop.py:12
sleep             shop.poll       1                          1 d 3 h  1 d 3 h  /srv/shop.py:31  far away
4 callbacks  pause 3 ms
"
    );
}

#[test]
fn a_limit_says_how_many_it_hides() {
    let text = shown(false, &How { limit: 1, ..HOW });
    assert!(text.contains("4 handles, 3 not shown"), "{text}");
    assert!(!text.contains("shop.poll"), "{text}");
}

#[test]
fn home_assistants_lines_are_of_timers_that_are_not_cancelled_in_the_order_of_the_heap() {
    let how = How {
        format: InventoryFormat::Ha,
        ..HOW
    };
    let lines = "Scheduled: <TimerHandle when=105>\nScheduled: <TimerHandle when=100100>\n";
    assert_eq!(shown(false, &how), lines);
}

#[test]
fn json_is_the_documented_schema() {
    let how = How {
        format: InventoryFormat::Json,
        ..HOW
    };
    let document: Value = serde_json::from_str(&shown(false, &how)).unwrap();
    assert_eq!(document["schema"], "leakhunt.scheduled/1");
    assert_eq!(
        document["loops"],
        json!([{
            "address": 16, "type": "asyncio.Loop", "uvloop": false, "queues_known": true,
            "running": true, "closed": false, "debug": true, "thread": "MainThread",
            "clock_seconds": 100.0,
        }])
    );
    assert_eq!(
        document["handles"][1],
        json!({
            "address": 32, "type": "asyncio.events.TimerHandle", "loop": 16, "state": "waiting",
            "when_seconds": 105.0, "in_seconds": 5.0, "due": "1970-01-01T00:00:05Z",
            "callback": "shop.Till.tick\n", "partial": false, "file": "/srv/shop.py", "line": 12,
            "bound_type": "shop.Till", "bound_address": 4096, "args": 2, "waiter": null,
            "made_at": [
                {"file": "/srv/shop.py", "line": 20, "function": "open"},
                {"file": "/usr/lib/asyncio/base_events.py", "line": 1, "function": "call_later"},
            ],
            "path": null, "holder": null, "marks": [], "is_new": false,
        })
    );
    let waiter = &document["handles"][2]["waiter"];
    assert_eq!(waiter["coroutine"], "shop.poll");
    assert_eq!(document["handles"][2]["marks"], json!(["far"]));
    let of_poll = document["groups"].as_array().unwrap();
    let of_poll = of_poll
        .iter()
        .find(|group| group["coroutine"] == "shop.poll")
        .unwrap();
    assert_eq!(
        of_poll,
        &json!({
            "callback": "sleep", "coroutine": "shop.poll", "waiting": 1, "ready": 0,
            "cancelled": 0, "kept": 0, "delta": 0, "soonest_in_seconds": 100_000.0,
            "latest_in_seconds": 100_000.0, "marks": ["far"],
        })
    );
}

#[test]
fn a_time_that_no_calendar_has_is_left_out() {
    let now = OffsetDateTime::UNIX_EPOCH;
    assert_eq!(due_text(now, 5.0).unwrap(), "00:00:05");
    assert_eq!(due_text(now, 90_000.0).unwrap(), "1970-01-02 01:00:00");
    assert_eq!(due_text(now, 1e300), None);
    assert_eq!(due_text(now, f64::NAN).unwrap(), "00:00:00");
    assert!(
        in_text(f64::INFINITY).ends_with('h'),
        "{}",
        in_text(f64::INFINITY)
    );
    assert_eq!(in_text(-3.0), "-3 s");
}
