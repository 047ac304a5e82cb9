use serde_json::json;
use time::OffsetDateTime;

use super::*;
use crate::commands::inventory::Group;
use crate::render::inventory::samples::{HOW, first_look};
use crate::tasks::{Frame, Place, Raised, Waiter, group_of};

fn place(module: &str, name: &str, file: &str, line: Option<u64>) -> Place {
    Place {
        kind: "coroutine".into(),
        name: name.into(),
        module: Some(module.into()),
        file: Some(file.into()),
        line,
        first_line: Some(80),
    }
}

/// A task that waits for a queue in `shop.worker.poll`.
fn task(address: u64) -> Task {
    Task {
        address,
        type_name: "_asyncio.Task".into(),
        name: Some(format!("Task-{address}")),
        state: State::Waiting,
        event_loop: Some(7),
        loop_is_closed: false,
        coroutine: Some(address + 1000),
        chain: vec![
            place("shop.worker", "poll", "/srv/shop/worker.py", Some(88)),
            place(
                "asyncio.queues",
                "Queue.get",
                "/lib/asyncio/queues.py",
                Some(158),
            ),
        ],
        chain_is_cut: false,
        waits_for: Some(crate::tasks::Future {
            address: 9,
            type_name: "_asyncio.Future".into(),
            is_task: false,
            is_done: false,
            n_children: None,
            n_pending: None,
        }),
        awaited_by: Vec::new(),
        created_at: Vec::new(),
        exception: None,
        is_unretrieved: false,
        repr: None,
        held: None,
        seen_seconds: 0.0,
    }
}

fn finished(address: u64, state: State) -> Task {
    Task {
        state,
        chain: vec![place("shop.worker", "handle", "/srv/shop/worker.py", None)],
        waits_for: None,
        held: Some(held()),
        ..task(address)
    }
}

fn held() -> Held {
    Held {
        path: "sys.modules['app'].TASKS[0]".into(),
        holder: "app.TASKS".into(),
        package: "app".into(),
        retained_bytes: 900,
    }
}

fn unawaited(address: u64) -> Item {
    Item::Unawaited(Box::new(Unawaited {
        address,
        place: place("shop.mail", "send", "/srv/shop/mail.py", Some(80)),
        created_at: Vec::new(),
        held: Some(held()),
        seen_seconds: 0.0,
    }))
}

fn item(task: Task) -> Item {
    Item::Task(Box::new(task))
}

fn event_loop() -> Loop {
    Loop {
        address: 7,
        type_name: "uvloop.Loop".into(),
        running: Some(true),
        closed: Some(false),
        debug: Some(true),
        thread: Some(140),
        native_thread: Some(4121),
        thread_name: Some("Main\x1bThread".into()),
    }
}

/// A look at `items`; `before` of the first group were there at the look before.
fn listing(items: Vec<Item>, before: Option<usize>) -> Listing<Item> {
    let mut groups: Vec<Group> = Vec::new();
    for item in &items {
        let name = group_of(item);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.count += 1,
            None => groups.push(Group {
                name,
                count: 1,
                delta: 0,
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    if let (Some(before), Some(group)) = (before, groups.first_mut()) {
        group.delta = group.count as i64 - before as i64;
    }
    Listing {
        time: OffsetDateTime::from_unix_timestamp(1_770_091_506).unwrap(),
        look: if before.is_some() { 2 } else { 1 },
        is_repeated: before.is_some(),
        groups,
        n_gone: 3,
        pause_us: 6214,
        ..first_look(items)
    }
}

fn shown(
    listing: &Listing<Item>,
    shape: TaskShape,
    format: InventoryFormat,
    limit: usize,
) -> String {
    let how = How {
        format,
        limit,
        ..HOW
    };
    let loops = [event_loop()];
    let view = TasksView {
        listing,
        loops: &loops,
        shape,
        how: &how,
    };
    String::from_utf8(view.bytes()).unwrap()
}

fn table(listing: &Listing<Item>, shape: TaskShape) -> String {
    shown(listing, shape, InventoryFormat::Table, 50)
}

fn mixed() -> Vec<Item> {
    let mut items: Vec<Item> = (1..=120).map(|one| item(task(one))).collect();
    items.extend((201..=212).map(|one| item(finished(one, State::Done))));
    let failed = Task {
        exception: Some(Raised {
            type_name: "ValueError".into(),
            file: Some("/srv/shop/worker.py".into()),
            line: Some(12),
        }),
        is_unretrieved: true,
        ..finished(301, State::Failed)
    };
    items.push(item(failed));
    items.push(unawaited(401));
    items
}

#[test]
fn what_leaks_stands_out() {
    let text = table(&listing(mixed(), None), TaskShape::Groups);
    let expected = "\
process 4121, 2026-02-03 04:05:06 UTC: 133 tasks (120 waiting, 12 done, 1 failed), 1 coroutine never awaited
loop uvloop.Loop, running in thread Main\\x1bThread (4121), in debug mode: 120 tasks not finished
! 13 finished tasks of shop.worker.handle are kept by app.TASKS
! 1 coroutine of shop.mail.send (mail.py:80) was never awaited; kept by app.TASKS
! 120 tasks wait in shop.worker.poll at worker.py:88

COUNT  STATE          COROUTINE           AT            WAITS IN, KEPT BY                       TASKS
  120  waiting        shop.worker.poll    worker.py:88  asyncio.queues.Queue.get                Task-1, Task-2, Task-3, …
   12  done           shop.worker.handle  worker.py:80  app.TASKS                               Task-201, Task-202, Task-203, …
    1  failed         shop.worker.handle  worker.py:80  ValueError, never retrieved; app.TASKS  Task-301
    1  never awaited  shop.mail.send      mail.py:80    app.TASKS
";
    assert_eq!(text, expected);
}

#[test]
fn what_grows_and_what_is_stranded_stands_out_however_few() {
    let stranded = |address| Task {
        loop_is_closed: true,
        ..task(address)
    };
    let text = table(
        &listing(vec![item(task(1)), item(task(2))], Some(1)),
        TaskShape::Groups,
    );
    assert!(
        text.contains(
            "! 2 tasks wait in shop.worker.poll at worker.py:88, 1 more than at the look before\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("; 0 new, 3 gone\n") && text.contains("CHANGE") && text.contains("+1"),
        "{text}"
    );
    let text = table(&listing(vec![item(stranded(1))], None), TaskShape::Groups);
    assert!(
        text.contains("! 1 task waits in shop.worker.poll at worker.py:88, on a loop that is closed: it will not go on\n"),
        "{text}"
    );
    let text = table(
        &listing(vec![item(task(1)), item(task(2))], None),
        TaskShape::Groups,
    );
    assert!(!text.contains('!'), "{text}");
}

#[test]
fn a_table_is_as_wide_as_the_terminal_where_that_leaves_enough_of_it() {
    let listing = listing(mixed(), None);
    let of_width = |width: usize| {
        let how = How {
            width: Some(width),
            ..HOW
        };
        let view = TasksView {
            listing: &listing,
            loops: &[],
            shape: TaskShape::Groups,
            how: &how,
        };
        let text = String::from_utf8(view.bytes()).unwrap();
        let table = text.split_once("\n\n").unwrap().1.to_owned();
        let widest = table.lines().map(|line| line.chars().count()).max();
        (widest.unwrap(), table)
    };
    let (whole, _) = of_width(1000);
    assert_eq!(of_width(whole), of_width(1000));
    for width in [whole - 1, 120, 100] {
        let (widest, table) = of_width(width);
        assert!(widest <= width, "{width}: {table}");
    }
    let (_, table) = of_width(20);
    assert!(table.contains("…p.worker.handle  worker.py:80"), "{table}");
}

#[test]
fn a_tree_has_each_task_under_its_waiters() {
    let by = |task, via: &str| {
        vec![Waiter {
            task,
            via: via.into(),
        }]
    };
    let items = vec![
        item(Task {
            chain: task(1).chain[..1].to_vec(),
            ..task(1)
        }),
        item(Task {
            awaited_by: by(1, "TaskGroup"),
            ..task(2)
        }),
        item(Task {
            awaited_by: by(1, "TaskGroup"),
            ..task(3)
        }),
        item(Task {
            awaited_by: by(2, "gather"),
            name: Some("a\nb".into()),
            ..task(4)
        }),
        item(Task {
            awaited_by: by(6, "await"),
            ..task(5)
        }),
        item(Task {
            awaited_by: by(5, "await"),
            ..task(6)
        }),
    ];
    let text = table(&listing(items, None), TaskShape::Tree);
    let poll = "waiting shop.worker.poll at worker.py:88";
    let get = "→ asyncio.queues.Queue.get";
    let expected = format!(
        "! 2 tasks wait for each other and will not go on: Task-6 → Task-5 → Task-6

├── Task-1 {poll}
│   ├── [TaskGroup] Task-2 {poll} {get}
│   │   └── [gather] a\\nb {poll} {get}
│   └── [TaskGroup] Task-3 {poll} {get}
└── Task-6 {poll} {get}
    └── [await] Task-5 {poll} {get}
        └── [await] Task-6 (above)
"
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn stacks_tell_the_chain_and_who_waits() {
    let frame = |file: &str, line, function: &str| Frame {
        file: file.into(),
        line,
        function: function.into(),
    };
    let items = vec![
        item(Task {
            awaited_by: vec![
                Waiter {
                    task: 2,
                    via: "gather".into(),
                },
                Waiter {
                    task: 99,
                    via: "await".into(),
                },
            ],
            created_at: vec![
                frame("/srv/shop/app.py", 12, "start"),
                frame("/lib/asyncio/tasks.py", 400, "create_task"),
            ],
            chain_is_cut: true,
            seen_seconds: 60.0,
            ..task(1)
        }),
        item(task(2)),
        unawaited(0x10),
    ];
    let text = shown(
        &listing(items, None),
        TaskShape::Stacks,
        InventoryFormat::Table,
        2,
    );
    let expected = "
Task-1 waiting, seen for 1 m
    shop.worker.poll  /srv/shop/worker.py:88
    asyncio.queues.Queue.get  /lib/asyncio/queues.py:158
    …
    waits for a future
    awaited by Task-2 (gather)
    awaited by a task at 0x63 (await)
    made in start at /srv/shop/app.py:12

Task-2 waiting
    shop.worker.poll  /srv/shop/worker.py:88
    asyncio.queues.Queue.get  /lib/asyncio/queues.py:158
    waits for a future

1 more not shown; --limit 0 shows all
";
    assert!(text.ends_with(expected), "{text}");
    let text = table(&listing(vec![unawaited(0x10)], None), TaskShape::Stacks);
    assert!(
        text.ends_with(
            "\ncoroutine shop.mail.send at 0x10, never awaited\n    /srv/shop/mail.py:80\n    kept by app.TASKS\n"
        ),
        "{text}"
    );
}

#[test]
fn ha_format_is_that_of_its_log() {
    let items = vec![
        item(Task {
            repr: Some("<Task pending name='a'>".into()),
            ..task(1)
        }),
        item(finished(2, State::Done)),
        unawaited(3),
    ];
    let text = shown(
        &listing(items, None),
        TaskShape::Groups,
        InventoryFormat::Ha,
        0,
    );
    assert_eq!(text, "Task: <Task pending name='a'>\n");
}

#[test]
fn json_is_the_documented_schema() {
    let waiting = Task {
        awaited_by: vec![Waiter {
            task: 2,
            via: "gather".into(),
        }],
        chain: task(1).chain[..1].to_vec(),
        ..task(1)
    };
    let failed = Task {
        exception: Some(Raised {
            type_name: "ValueError".into(),
            file: None,
            line: None,
        }),
        is_unretrieved: true,
        ..finished(2, State::Failed)
    };
    let items = vec![item(waiting), item(failed), unawaited(3)];
    let text = shown(
        &listing(items, None),
        TaskShape::Groups,
        InventoryFormat::Json,
        0,
    );
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let held = json!({"holder": "app.TASKS", "path": "sys.modules['app'].TASKS[0]", "retained_bytes": 900});
    let place = |module: &str, name: &str, file: &str, line: Option<u64>| json!({"kind": "coroutine", "name": name, "module": module, "file": file, "line": line, "first_line": 80});
    let expected = json!({
        "schema": "leakhunt.tasks/1", "pid": 4121, "time": "2026-02-03T04:05:06.000Z", "look": 1,
        "pause_ms": 6.214, "n_items": 3, "n_gone": 3, "n_missing": 0,
        "loops": [{"address": 7, "type": "uvloop.Loop", "running": true, "closed": false, "debug": true,
                   "thread": 140, "native_thread": 4121, "thread_name": "Main\u{1b}Thread"}],
        "groups": [
            {"state": "waiting", "coroutine": "shop.worker.poll", "file": "/srv/shop/worker.py", "line": 88,
             "count": 1, "delta": 0, "kept_by": null, "kept": 0},
            {"state": "failed", "coroutine": "shop.worker.handle", "file": "/srv/shop/worker.py", "line": 80,
             "count": 1, "delta": 0, "kept_by": "app.TASKS", "kept": 1},
            {"state": "never_awaited", "coroutine": "shop.mail.send", "file": "/srv/shop/mail.py", "line": 80,
             "count": 1, "delta": 0, "kept_by": "app.TASKS", "kept": 1},
        ],
        "tasks": [
            {"address": 1, "type": "_asyncio.Task", "name": "Task-1", "state": "waiting", "loop": 7,
             "loop_closed": false, "is_new": false, "seen_seconds": 0.0,
             "chain": [place("shop.worker", "poll", "/srv/shop/worker.py", Some(88))], "chain_cut": false,
             "waits_for": {"address": 9, "type": "_asyncio.Future", "is_task": false, "is_done": false,
                           "n_children": null, "n_pending": null},
             "awaited_by": [{"task": 2, "name": "Task-2", "via": "gather"}], "created_at": [],
             "exception": null, "unretrieved": false, "held": null},
            {"address": 2, "type": "_asyncio.Task", "name": "Task-2", "state": "failed", "loop": 7,
             "loop_closed": false, "is_new": false, "seen_seconds": 0.0,
             "chain": [place("shop.worker", "handle", "/srv/shop/worker.py", None)], "chain_cut": false,
             "waits_for": null, "awaited_by": [], "created_at": [],
             "exception": {"type": "ValueError", "file": null, "line": null}, "unretrieved": true, "held": held},
        ],
        "coroutines": [
            {"address": 3, "name": "send", "module": "shop.mail", "file": "/srv/shop/mail.py", "line": 80,
             "is_new": false, "seen_seconds": 0.0, "created_at": [], "held": held},
        ],
    });
    assert_eq!(found, expected, "{text}");
}
