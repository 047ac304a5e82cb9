use std::time::Duration;

use leakhunt_attach::LockKind;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::commands::inventory::Group;
use crate::render::inventory::samples::{HOW, first_look};
use crate::threads::{Frame, Lock};

fn frame(name: &str, line: u32) -> Frame {
    Frame {
        file: "/srv/shop/app.py".to_owned(),
        line: Some(line),
        name: name.to_owned(),
        qualified_name: Some(format!("Shop.{name}")),
        source: Some(format!("self.{name}()")),
        locals: vec![("order".to_owned(), "17".to_owned())],
    }
}

fn thread(number: u32, name: &str) -> Thread {
    Thread {
        ident: Some(u64::from(number) + 1000),
        native_id: Some(number),
        name: Some(name.to_owned()),
        comm: Some("python".to_owned()),
        is_daemon: Some(false),
        state: Some('S'),
        user_time: Duration::from_millis(120),
        holds_gil: Some(false),
        frames: vec![frame("wait", 12), frame("run", 40)],
        ..Thread::default()
    }
}

/// The main thread, two that wait for each other, two of a pool, and one of native code.
fn threads() -> Vec<Thread> {
    let waits = |number, name: &str, kind, holder: u64| Thread {
        wait: Wait::Lock,
        syscall: Some("futex".to_owned()),
        lock: Some(Lock {
            address: 0x7f00,
            kind,
            holder: Some(holder),
        }),
        is_deadlocked: true,
        ..thread(number, name)
    };
    let pool = |number, name: &str| Thread {
        wait: Wait::Poll,
        syscall: Some("epoll_wait".to_owned()),
        is_daemon: Some(true),
        target: Some("shop.serve".to_owned()),
        ..thread(number, name)
    };
    vec![
        Thread {
            is_main: true,
            wait: Wait::Nothing,
            state: Some('R'),
            holds_gil: Some(true),
            ..thread(5, "MainThread")
        },
        waits(6, "a", LockKind::RLock, 1007),
        waits(7, "b", LockKind::Lock, 1006),
        pool(8, "w-1"),
        pool(9, "w\x1b-2"),
        Thread {
            native_id: Some(10),
            comm: Some("tokio".to_owned()),
            state: Some('D'),
            syscall: Some("fsync".to_owned()),
            wait: Wait::Call,
            ..Thread::default()
        },
    ]
}

fn listing(threads: Vec<Thread>, look: u64) -> Listing<Thread> {
    let mut listing = Listing {
        pid: 5,
        time: datetime!(2026-02-03 04:05:06 UTC),
        look,
        is_repeated: look > 1,
        groups: vec![
            Group {
                name: "shop.serve".to_owned(),
                count: 2,
                delta: i64::from(look > 1),
            },
            Group {
                name: "main thread".to_owned(),
                count: 1,
                delta: 0,
            },
        ],
        pause_us: 412,
        ..first_look(threads)
    };
    for one in &mut listing.items {
        one.is_new = look > 1 && one.item.native_id == Some(9);
    }
    listing
}

fn shown(look: u64, depth: ThreadsDepth, format: InventoryFormat, limit: usize) -> String {
    let listing = listing(threads(), look);
    let view = ThreadsView {
        listing: &listing,
        look: &Look {
            python: Some("3.12.1".to_owned()),
            gil: GilState::Held,
            source: Source::Outside,
            threads: Vec::new(),
            n_native: 1,
        },
        depth,
        with_main: false,
        how: &How {
            format,
            limit,
            ..HOW
        },
    };
    String::from_utf8(view.bytes()).unwrap()
}

#[test]
fn a_line_tells_what_a_thread_does_and_where() {
    assert_eq!(
        shown(2, ThreadsDepth::Table, InventoryFormat::Table, 0),
        "\
process 5, 2026-02-03 04:05:06 UTC: 5 threads, 1 of native code; MainThread (5) has the GIL; 1 new, 0 gone; read from outside
deadlock:
  a (6) waits for an RLock that b (7) has
  b (7) waits for a Lock that a (6) has
thread      id     cpu  does                               at
MainThread   5  120 ms  runs                               Shop.wait (app.py:12)  has the GIL
a            6  120 ms  waits for an RLock that b (7) has  Shop.wait (app.py:12)  deadlock
b            7  120 ms  waits for a Lock that a (6) has    Shop.wait (app.py:12)  deadlock
w-1          8  120 ms  waits in epoll_wait                Shop.wait (app.py:12)  daemon
w\\x1b-2      9  120 ms  waits in epoll_wait                Shop.wait (app.py:12)  new, daemon
tokio       10    0 ms  waits in fsync, cannot be woken    -                      native
more threads than at the look before:
  shop.serve: 2 (+1)

"
    );
}

#[test]
fn threads_that_stand_at_the_same_place_are_shown_once() {
    let text = shown(1, ThreadsDepth::Locals, InventoryFormat::Table, 0);
    let (_, stacks) = text.split_once("\n\n").unwrap();
    assert!(stacks.starts_with(
        "\
MainThread (5)  runs  cpu 120 ms  [has the GIL]
    Shop.wait  /srv/shop/app.py:12
        order = 17
    Shop.run  /srv/shop/app.py:40
        order = 17

a (6)  waits for an RLock that b (7) has  cpu 120 ms  [deadlock]
"
    ));
    assert!(stacks.ends_with(
        "
2 threads: w-1 (8), w\\x1b-2 (9)  waits in epoll_wait  target shop.serve  [daemon]
    Shop.wait  /srv/shop/app.py:12
        order = 17
    Shop.run  /srv/shop/app.py:40
        order = 17

tokio (10)  waits in fsync, cannot be woken  cpu 0 ms  [native]

"
    ));
    let some = shown(1, ThreadsDepth::Stacks, InventoryFormat::Table, 2);
    assert!(some.ends_with("\n4 more; --limit 0 shows all\n"), "{some}");
    assert!(!some.contains("order"), "{some}");
}

#[test]
fn home_assistant_is_shown_all_threads_but_the_main_and_native_ones() {
    let text = shown(1, ThreadsDepth::Stacks, InventoryFormat::Ha, 0);
    let stack = "File \"/srv/shop/app.py\", line 40, in run\n    self.run()\n  \
                 File \"/srv/shop/app.py\", line 12, in wait\n    self.wait()\n";
    let names = ["a", "b", "w-1", "w\\x1b-2"];
    let expected = names.map(|name| format!("Thread [{name}]: {stack}"));
    assert_eq!(text, expected.concat());
    let some = shown(1, ThreadsDepth::Stacks, InventoryFormat::Ha, 1);
    assert_eq!(some, expected[0]);
}

#[test]
fn json_is_the_documented_schema() {
    let text = shown(2, ThreadsDepth::Stacks, InventoryFormat::Json, 0);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text.matches('\n').count(), 1);
    assert_eq!(document["schema"], "leakhunt.threads/1");
    assert_eq!(
        (&document["source"], &document["gil"], &document["n_native"]),
        (&json!("outside"), &json!("held"), &json!(1))
    );
    assert_eq!(
        document["threads"][1],
        json!({
            "ident": 1006, "native_id": 6, "name": "a", "comm": "python", "main": false,
            "daemon": false, "target": null, "group": "threads named a", "is_new": false,
            "state": "S", "cpu_user_ms": 120, "cpu_system_ms": 0, "waits_for": "lock",
            "syscall": "futex", "holds_gil": false,
            "lock": {"kind": "rlock", "address": 0x7f00, "holder": 1007}, "deadlocked": true,
            "stack": [
                {"file": "/srv/shop/app.py", "line": 12, "name": "wait", "qualname": "Shop.wait",
                 "locals": {"order": "17"}},
                {"file": "/srv/shop/app.py", "line": 40, "name": "run", "qualname": "Shop.run",
                 "locals": {"order": "17"}}
            ],
            "torn": false, "cut": false
        })
    );
    assert_eq!(
        document["groups"],
        json!([{"name": "shop.serve", "count": 2, "delta": 1},
               {"name": "main thread", "count": 1, "delta": 0}])
    );
}
