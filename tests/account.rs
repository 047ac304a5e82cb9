use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::{
    Fingerprint, Interpreter, Leakhunt, Start, Target, assert_unharmed, few, on_each, python3,
    scratch_file, skipped,
};

const MB: u64 = 1 << 20;

/// Keys of the parts.
const PARTS: [&str; 10] = [
    "python_pool_bytes",
    "python_malloc_bytes",
    "python_elsewhere_bytes",
    "buffer_bytes",
    "free_pool_bytes",
    "malloc_used_bytes",
    "malloc_free_bytes",
    "file_bytes",
    "stack_bytes",
    "unexplained_bytes",
];

/// The account of a target that does nothing meanwhile, which is as before.
fn account(target: &mut Target) -> Value {
    let before = Fingerprint::of(target);
    let memory = memory(target);
    assert_unharmed(&before, target);
    check_sum(&memory, 0);
    memory
}

fn memory(target: &Target) -> Value {
    let done = Leakhunt::at(target.pid, "hunt", &["--account", "--json"]).run();
    let mut document: Value = serde_json::from_str(&done.expect(0).stdout).unwrap();
    assert_eq!(document["schema"], "leakhunt.account/1");
    let mut memory = document["memory"].take();
    // Short enough for the message of a failure.
    for rows in ["files", "buffers"] {
        memory[rows].as_array_mut().unwrap().truncate(1);
    }
    memory
}

/// Fails unless the parts are the whole, and explain nine tenths of it but for `churn` bytes, which
/// come and go between the kernel's account and malloc's.
fn check_sum(memory: &Value, churn: u64) {
    let sum: u64 = PARTS.iter().map(|part| bytes(memory, part)).sum();
    let rss = bytes(memory, "rss_bytes");
    assert_eq!(sum, rss, "the parts are the whole: {memory:#}");
    let unexplained = bytes(memory, "unexplained_bytes");
    let allowed = rss / 10 + churn;
    assert!(unexplained <= allowed, "most is explained: {memory:#}");
}

fn bytes(memory: &Value, part: &str) -> u64 {
    let bytes = memory[part].as_u64();
    bytes.unwrap_or_else(|| panic!("{part}: {memory:#}"))
}

/// Fails unless a part grew by `expected` bytes, give or take 15 %, and more than any other.
fn check_growth(before: &Value, after: &Value, part: &str, expected: u64) {
    let growth = |part: &str| bytes(after, part).saturating_sub(bytes(before, part));
    let grown = growth(part);
    assert!(
        grown.abs_diff(expected) * 100 <= expected * 15,
        "{part} grew by {grown}, not by {expected}: {before:#} {after:#}"
    );
    let most = PARTS.into_iter().max_by_key(|part| growth(part));
    assert_eq!(most, Some(part), "{before:#} {after:#}");
}

/// Brings a target into a state, between two accounts.
fn check(start: Start, state: &str, part: &str, expected: u64) -> Value {
    let mut target = start.ready();
    let before = account(&mut target);
    target.exec(state);
    let after = account(&mut target);
    check_growth(&before, &after, part, expected);
    target.finish_unharmed();
    after
}

fn states(py: &Interpreter) -> Start {
    Start::new(py, "memory_states")
}

/// Objects of free-threaded builds are in mimalloc's memory.
fn with_pools() -> impl Iterator<Item = &'static Interpreter> {
    few().into_iter().filter(|py| !py.free_threaded)
}

#[test]
fn live_objects_are_told_from_free_pools() {
    on_each(with_pools(), |py| {
        let memory = check(states(py), "keep_objects()", "python_pool_bytes", 200 * MB);
        assert_eq!(memory["verdict"], Value::Null, "{memory:#}");
        let memory = check(states(py), "fragment_pools()", "free_pool_bytes", 190 * MB);
        assert_eq!(memory["verdict"], "fragmentation", "{memory:#}");
        assert!(bytes(&memory, "free_pool_bytes") >= 150 * MB);
    });
}

#[test]
fn objects_without_the_gil_are_found() {
    let free_threaded = few().into_iter().find(|py| py.free_threaded);
    let Some(py) = free_threaded else {
        return skipped("objects without the GIL", "no free-threaded interpreter");
    };
    check(
        states(py),
        "keep_objects()",
        "python_elsewhere_bytes",
        200 * MB,
    );
}

#[test]
fn objects_in_mimalloc_are_found() {
    let newest = few().into_iter().max_by_key(|py| py.version).unwrap();
    if newest.version < (3, 13, 0) || newest.free_threaded {
        return skipped("objects in mimalloc", "no interpreter with a choice");
    }
    let start = || {
        let mut start = states(newest);
        start.command().env("PYTHONMALLOC", "mimalloc");
        start
    };
    let objects = "python_elsewhere_bytes";
    check(start(), "keep_objects()", objects, 180 * MB);
    // Blocks of 384 bytes for objects of 333.
    check(start(), "fragment_pools()", "free_pool_bytes", 225 * MB);
}

#[test]
fn large_objects_are_found_in_malloc() {
    on_each(with_pools(), |py| {
        let part = "python_malloc_bytes";
        check(states(py), "keep_large_objects()", part, 200 * MB);
    });
}

#[test]
fn the_blocks_of_a_deque_are_its_own() {
    on_each(with_pools(), |py| {
        let part = "python_malloc_bytes";
        check(states(py), "keep_deque()", part, 105 * MB);
    });
}

#[test]
fn all_objects_are_found_in_malloc() {
    on_each(with_pools(), |py| {
        let mut start = states(py);
        start.command().env("PYTHONMALLOC", "malloc");
        let memory = check(start, "keep_objects()", "python_malloc_bytes", 200 * MB);
        assert_eq!(bytes(&memory, "python_pool_bytes"), 0, "{memory:#}");
    });
}

#[test]
fn native_memory_is_told_from_objects() {
    on_each(few(), |py| {
        check(states(py), "keep_native()", "malloc_used_bytes", 100 * MB);
        let state = "keep_native_and_a_number_like_its_address()";
        check(states(py), state, "malloc_used_bytes", 100 * MB);
        check(
            states(py),
            "keep_small_native()",
            "malloc_used_bytes",
            100 * MB,
        );
        let memory = check(states(py), "free_native()", "malloc_free_bytes", 95 * MB);
        assert_eq!(memory["verdict"], "fragmentation", "{memory:#}");
    });
}

#[test]
fn native_memory_of_another_thread_is_found() {
    on_each(few(), |py| {
        let state = "keep_small_native_in_a_thread()";
        check(states(py), state, "malloc_used_bytes", 100 * MB);
    });
}

#[test]
fn a_file_is_no_memory_of_the_heap() {
    on_each(few().into_iter().filter(|py| py.sees_our_files()), |py| {
        let file = scratch_file("mapped");
        std::fs::write(&file, "").unwrap();
        let state = format!("map_file({:?})", file.display().to_string());
        let memory = check(states(py), &state, "file_bytes", 100 * MB);
        assert_eq!(memory["files"][0]["path"], file.display().to_string());
        assert_eq!(memory["files"][0]["type"], "mmap.mmap");
        std::fs::remove_file(&file).unwrap();
    });
}

#[test]
fn big_buffers_have_an_owner_with_a_name() {
    on_each(few(), |py| {
        let memory = check(states(py), "map_shared()", "buffer_bytes", 50 * MB);
        assert_eq!(memory["buffers"][0]["type"], "mmap.mmap", "{memory:#}");
        assert_eq!(
            memory["buffers"][0]["path"],
            "sys.modules['__main__'].kept[0]"
        );
        let memory = check(states(py), "grow_bytearray()", "buffer_bytes", 100 * MB);
        assert_eq!(memory["buffers"][0]["type"], "bytearray", "{memory:#}");
        assert_eq!(
            memory["buffers"][0]["path"],
            "sys.modules['__main__'].kept[0]"
        );
    });
}

#[test]
fn an_array_counts_by_what_of_it_is_in_ram() {
    on_each(few(), |py| {
        let folder = match packages(py, &["numpy"]) {
            Ok(folder) => folder,
            Err(reason) => return skipped(&format!("numpy on {py}"), &reason),
        };
        let state =
            "import numpy\narray = numpy.zeros(300 * MB, numpy.uint8)\narray[:150 * MB] = 1";
        let start = states(py).packages(&folder);
        let mut target = start.ready();
        target.exec("import numpy");
        let before = account(&mut target);
        target.exec(state);
        let after = account(&mut target);
        check_growth(&before, &after, "buffer_bytes", 150 * MB);
        let largest = &after["buffers"][0];
        assert_eq!(largest["type"], "numpy.ndarray", "{after:#}");
        assert_eq!(largest["path"], "sys.modules['__main__'].array");
        assert_eq!(bytes(largest, "mapped_bytes") / MB, 300);
        assert_eq!(bytes(largest, "resident_bytes") / MB, 150);
        target.finish_unharmed();
    });
}

#[test]
fn stacks_of_threads_are_found() {
    on_each(few(), |py| {
        check(states(py), "start_deep_threads()", "stack_bytes", 100 * MB);
    });
}

#[test]
fn the_account_is_told_to_people() {
    let mut target = states(python3()).ready();
    target.exec("grow_bytearray()");
    let done = Leakhunt::at(target.pid, "hunt", &["--account"]).run();
    let stdout = &done.expect(0).stdout;
    let first: String = stdout.chars().take(14).collect();
    assert_eq!(first, "memory    RSS ", "{stdout}");
    for text in [
        " big buffers 104.9 MB",
        "limit     ",
        "sys.modules['__main__'].kept[0]",
    ] {
        assert!(stdout.contains(text), "{text}: {stdout}");
    }
    assert_eq!(target.eval("len(kept)"), json!(1));
    target.finish_unharmed();
}

#[test]
fn the_account_of_a_busy_target_sums_up_too() {
    on_each(few(), |py| {
        // A thread of the last one makes and drops lists of 4.5 MB, without an end.
        for (kind, churn) in [
            ("busy_python", 0),
            ("threads", 0),
            ("asyncio_server", 0),
            ("fork_loop", 5 * MB),
        ] {
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            let memory = memory(&target);
            assert_unharmed(&before, &mut target);
            check_sum(&memory, churn);
            target.finish_unharmed();
        }
    });
}

#[test]
fn the_account_of_a_process_that_is_gone_is_refused() {
    let target = Target::start(python3(), "idle");
    let pid = target.pid;
    target.finish_unharmed();
    let done = Leakhunt::at(pid, "hunt", &["--account"]).run();
    done.expect(3).expect_stderr("leakhunt ps");
}
