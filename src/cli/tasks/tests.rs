use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::session::{Missing, Row};

fn row(address: u64, value: Value) -> Row {
    Row {
        address,
        type_name: "_asyncio.Task".into(),
        size_bytes: 0,
        value,
    }
}

/// A task that waits in `shop.poll`, with what differs.
fn task(address: u64, differs: Value) -> Row {
    let mut value = json!({
        "kind": "task", "name": format!("Task-{address}"), "loop": 7, "state": "PENDING",
        "running": false, "begun": true, "must_cancel": false, "n_cancels": 0, "coroutine": address + 1000,
        "chain": [{"kind": "coroutine", "name": "poll", "module": "shop", "file": "/srv/shop.py",
                   "line": 88, "first_line": 80}],
        "chain_is_cut": false, "waits_for": null, "awaited_by": [], "created_at": [],
        "exception": null, "unretrieved": false,
    });
    for (key, one) in differs.as_object().unwrap() {
        value[key] = one.clone();
    }
    row(address, value)
}

fn waiting_for(address: u64, is_task: bool) -> Value {
    json!({"address": address, "type": "_asyncio.Future", "is_task": is_task, "is_done": false})
}

/// The tree as lines: `-` for each level, the task, and by what.
fn drawn(rows: Vec<Row>, fold: Fold) -> (String, Vec<Vec<u64>>) {
    let look = Look::from_rows(rows);
    assert_eq!(look.n_unreadable, 0);
    let tasks: Vec<&Task> = look.tasks.iter().collect();
    let forest = Forest::of(&tasks, fold);
    let mut text = String::new();
    for branch in &forest.branches {
        let last = if *branch.is_last.last().unwrap() {
            "."
        } else {
            ""
        };
        let what = match branch.what {
            What::Task(one) => tasks[one].address.to_string(),
            What::Again(one) => format!("({})", tasks[one].address),
            What::More { like, n } => format!("{n} like {}", tasks[like].address),
            What::Deeper => "…".into(),
        };
        let depth = "-".repeat(branch.is_last.len());
        let _ = write!(text, "{depth}{what}{}{last} ", branch.via);
    }
    let rings = forest.rings.iter();
    let rings = rings.map(|ring| ring.iter().map(|&one| tasks[one].address).collect());
    (text.trim_end().to_owned(), rings.collect())
}

fn states(rows: Vec<Row>) -> Vec<State> {
    Look::from_rows(rows)
        .tasks
        .iter()
        .map(|task| task.state)
        .collect()
}

#[test]
fn the_state_of_a_task_is_told_by_what_asyncio_keeps() {
    let done = json!({"address": 9, "type": "_asyncio.Future", "is_task": false, "is_done": true});
    let error = json!({"type": "ValueError", "file": null, "line": null});
    let rows = vec![
        task(1, json!({"running": true})),
        task(2, json!({})),
        task(3, json!({"waits_for": done})),
        task(4, json!({"waits_for": waiting_for(9, false)})),
        task(
            5,
            json!({"waits_for": waiting_for(9, false), "n_cancels": 1}),
        ),
        task(6, json!({"must_cancel": true})),
        task(7, json!({"state": "FINISHED"})),
        task(8, json!({"state": "FINISHED", "exception": error})),
        task(9, json!({"state": "CANCELLED", "n_cancels": 1})),
    ];
    assert_eq!(
        states(rows),
        [
            State::Running,
            State::Ready,
            State::Ready,
            State::Waiting,
            State::Cancelling,
            State::Cancelling,
            State::Done,
            State::Failed,
            State::Cancelled
        ]
    );
}

#[test]
fn a_coroutine_of_a_task_is_not_forgotten() {
    let coroutine = |address| {
        row(
            address,
            json!({"kind": "coroutine", "created_at": [],
                   "place": {"kind": "coroutine", "name": "send", "module": "shop",
                             "file": "/srv/shop.py", "line": 5, "first_line": 5}}),
        )
    };
    let of_trio = row(2, json!({"kind": "owner", "coroutine": 6}));
    let mut look = Look::from_rows(vec![
        coroutine(1001),
        coroutine(5),
        coroutine(6),
        task(1, json!({})),
        of_trio,
    ]);
    let found: Vec<u64> = look.coroutines.iter().map(|one| one.address).collect();
    assert_eq!(found, [5]);
    let item = Item::Unawaited(Box::new(look.coroutines[0].clone()));
    assert_eq!(group_of(&item), "never awaited shop.send at shop.py:5");
    let missing = |address, type_name: &str| Missing {
        address,
        type_name: type_name.into(),
        why: "it took too long".into(),
    };
    assert!(look.leave_out_unsure(&[missing(9, "coroutine")]).is_empty());
    assert!(
        look.leave_out_unsure(&[missing(1, "_asyncio.Task")])
            .is_empty()
    );
    let unsure = look.leave_out_unsure(&[missing(9, "shop.OwnTask")]);
    assert_eq!(
        unsure.len(),
        1,
        "it may be that of the task that is not told"
    );
    assert!(look.coroutines.is_empty());
}

#[test]
fn a_task_of_a_closed_loop_is_told_so() {
    let event_loop = row(
        7,
        json!({"kind": "loop", "type": "uvloop.Loop", "running": false, "closed": true,
               "debug": false, "thread": null, "native_thread": null, "thread_name": null}),
    );
    let look = Look::from_rows(vec![
        task(1, json!({})),
        event_loop,
        task(2, json!({"loop": 8})),
    ]);
    assert!(look.tasks[0].loop_is_closed && !look.tasks[1].loop_is_closed);
    let item = Item::Task(Box::new(look.tasks[0].clone()));
    assert_eq!(
        group_of(&item),
        "ready on a closed loop shop.poll at shop.py:88"
    );
}

#[test]
fn answers_that_are_none_are_counted() {
    let rows = vec![
        row(1, json!({"kind": "nonsense"})),
        row(2, json!([1])),
        row(3, json!({"kind": "repr", "text": "of no task"})),
        task(4, json!({"chain": 5})),
        row(0, json!({"kind": "process", "asyncio": true})),
    ];
    let look = Look::from_rows(rows);
    assert_eq!((look.n_unreadable, look.tasks.len()), (4, 0));
    assert!(look.has_asyncio);
}

#[test]
fn a_task_stands_under_those_that_wait_for_it() {
    let rows = vec![
        task(3, json!({"awaited_by": [[2, "gather"], [1, "TaskGroup"]]})),
        task(2, json!({"awaited_by": [[1, "TaskGroup"]]})),
        task(1, json!({})),
        task(4, json!({"state": "FINISHED", "awaited_by": [[1, "wait"]]})),
        task(5, json!({"awaited_by": [[99, "await"], [4, "await"]]})),
    ];
    let (text, rings) = drawn(rows, Fold::No);
    assert_eq!(text, "-1 --3TaskGroup --2TaskGroup. ---(3)gather. -5.");
    assert!(rings.is_empty());
}

#[test]
fn who_waits_is_known_from_either_side_and_told_once() {
    let rows = vec![
        task(1, json!({"waits_for": waiting_for(2, true)})),
        task(2, json!({"awaited_by": [[1, "wait_for"]]})),
        task(3, json!({"waits_for": waiting_for(2, true)})),
    ];
    let (text, _) = drawn(rows, Fold::No);
    assert_eq!(text, "-1 --2wait_for. -3. --(2)await.");
}

#[test]
fn a_ring_is_found_and_stands_under_one_of_its_own() {
    let rows = vec![
        task(1, json!({"awaited_by": [[3, "await"]]})),
        task(2, json!({"waits_for": waiting_for(3, true)})),
        task(3, json!({"waits_for": waiting_for(2, true)})),
        task(4, json!({})),
    ];
    let (text, rings) = drawn(rows, Fold::No);
    assert_eq!(rings, [[2, 3]]);
    assert_eq!(text, "-4 -2. --3await. ---1await ---(2)await.");
}

#[test]
fn tasks_that_are_alike_are_counted_unless_all_are_asked_for() {
    let rows = |n: u64| -> Vec<Row> {
        let children = (1..=n).map(|one| task(one, json!({"awaited_by": [[100, "gather"]]})));
        children.chain([task(100, json!({}))]).collect()
    };
    let (text, _) = drawn(rows(6), Fold::Yes);
    assert_eq!(text.matches("gather").count(), 6);
    let (text, rings) = drawn(rows(7), Fold::Yes);
    assert_eq!(
        text,
        "-100. --1gather --2gather --3gather --4 like 4gather."
    );
    assert!(rings.is_empty(), "what is counted is no ring");
    let (text, _) = drawn(rows(7), Fold::No);
    assert_eq!(text.matches("gather").count(), 7);
}

#[test]
fn a_chain_of_thousands_is_cut_and_is_no_ring() {
    let rows = (1..=5000).map(|one| task(one, json!({"awaited_by": [[one + 1, "await"]]})));
    let (text, rings) = drawn(rows.collect(), Fold::No);
    assert!(text.ends_with("…."), "{text}");
    assert!(rings.is_empty());
    assert_eq!(text.split(' ').count(), 101);
}

/// Each task that is not finished stands in the tree, and each line stands under its waiter.
#[test]
fn the_tree_of_any_tasks_holds_each_of_them_once() {
    let mut seed = 0x9e37_79b9_u64;
    let mut next = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..300 {
        let n = 1 + next(12);
        let edges: Vec<(u64, u64)> = (0..next(2 * n)).map(|_| (next(n), next(n))).collect();
        let rows = (0..n).map(|one| {
            let above: Vec<Value> = edges
                .iter()
                .filter(|&&(awaited, _)| awaited == one)
                .map(|&(_, by)| json!([by + 1, "await"]))
                .collect();
            task(one + 1, json!({"awaited_by": above}))
        });
        let look = Look::from_rows(rows.collect());
        let tasks: Vec<&Task> = look.tasks.iter().collect();
        let forest = Forest::of(&tasks, Fold::No);
        let mut way: Vec<u64> = Vec::new();
        let mut shown = vec![0; n as usize];
        for branch in &forest.branches {
            let index = match branch.what {
                What::Task(index) => {
                    shown[index] += 1;
                    index
                }
                What::Again(index) => index,
                other => panic!("{other:?}"),
            };
            let depth = branch.is_last.len();
            way.truncate(depth - 1);
            if let Some(&by) = way.last() {
                assert!(edges.contains(&(index as u64, by)), "{edges:?}");
            }
            way.push(index as u64);
        }
        assert_eq!(shown, vec![1; n as usize], "{edges:?}");
        for ring in &forest.rings {
            for (place, &one) in ring.iter().enumerate() {
                let next = ring[(place + 1) % ring.len()];
                assert!(
                    edges.contains(&(next as u64, one as u64)),
                    "{edges:?} {ring:?}"
                );
            }
        }
    }
}

#[test]
fn a_file_is_called_by_its_name_unless_that_says_nothing() {
    assert_eq!(short_file("/srv/shop/worker.py"), "worker.py");
    assert_eq!(short_file("/srv/shop/__init__.py"), "shop/__init__.py");
    assert_eq!(short_file("__main__.py"), "__main__.py");
    assert_eq!(short_file("<string>"), "<string>");
    assert_eq!(short_file("/__main__.py"), "/__main__.py");
}
