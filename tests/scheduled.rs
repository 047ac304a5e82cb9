use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::{
    Fingerprint, Leakhunt, Start, Target, all, assert_unharmed, few, on_each, python3, skipped,
    unharmed_look,
};

/// Takes the inventory of the target, which must be unharmed by it.
fn look(target: &mut Target, args: &[&str]) -> Value {
    unharmed_look(target, "scheduled", args)
}

fn finish(mut target: Target) {
    target.exec("stop()");
    target.finish_unharmed();
}

fn handles(document: &Value) -> &[Value] {
    document["handles"].as_array().unwrap()
}

/// The one handle at the address that an expression has in the target.
fn at(document: &Value, target: &mut Target, expression: &str) -> Value {
    let address = target.eval(&format!("id({expression})"));
    let found = handles(document)
        .iter()
        .find(|one| one["address"] == address);
    let found = found.unwrap_or_else(|| panic!("no {expression} in {document:#}"));
    found.clone()
}

#[test]
fn lines_are_those_of_home_assistant() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "loops");
        target.exec("one = start_loop()");
        target.exec(
            "def plan():\n\
             \x20for seconds in (900, 100, 500, 300, 700, 200):\n\
             \x20\x20kept.append(one.call_later(seconds, till.tick, 'x' * 500, seconds))\n\
             \x20kept.append(one.call_later(600, functools.partial(till.tick, 5), 1))\n\
             \x20kept.append(one.call_later(650, Calling()))\n\
             \x20kept.append(one.call_later(60, print, 3))\n\
             \x20kept[2].cancel()\n\
             in_loop(one, plan)",
        );
        target.exec("sleep_in(one, 1000)");
        let expected = target.eval("scheduled_lines(one)");
        let before = Fingerprint::of(&mut target);
        let done = Leakhunt::at(target.pid, "scheduled", &["--format", "ha"])
            .run()
            .expect(0);
        assert_unharmed(&before, &mut target);
        let told: Vec<_> = done.stdout.lines().collect();
        assert_eq!(json!(told), expected);
        assert_eq!(told.len(), 9);
        finish(target);
    });
}

#[test]
fn timers_are_those_of_each_loop() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "loops");
        target.exec("one, two = start_loop(), start_loop()");
        target.exec("in_loop(one, lambda: kept.append(one.call_later(500, till.tick, 1, 2)))");
        target.exec("in_loop(two, lambda: kept.append(two.call_later(90_000, len, 'four')))");
        target.exec("sleep_in(two, 300)");
        let document = look(&mut target, &[]);
        let tick = at(&document, &mut target, "kept[0]");
        assert_eq!(tick["callback"], "__main__.Till.tick");
        assert_eq!(tick["bound_type"], "__main__.Till");
        assert_eq!(tick["bound_address"], target.eval("id(till)"));
        assert_eq!(tick["args"], 2);
        assert_eq!(tick["state"], "waiting");
        assert_eq!(tick["when_seconds"], target.eval("kept[0].when()"));
        assert_eq!(tick["loop"], target.eval("id(one)"));
        assert_eq!(
            tick["line"],
            target.eval("Till.tick.__code__.co_firstlineno")
        );
        let far = at(&document, &mut target, "kept[1]");
        assert_eq!(far["callback"], "builtins.len");
        assert_eq!(far["marks"], json!(["far"]));
        assert_eq!(far["loop"], target.eval("id(two)"));
        let of_sleeper = handles(&document).iter();
        let mut of_sleeper =
            of_sleeper.filter(|one| one["waiter"]["coroutine"] == "__main__.sleeper");
        let waiter = &of_sleeper.next().unwrap()["waiter"];
        assert_eq!(waiter["task"], target.eval("kept[2].get_name()"));
        assert_eq!(waiter["address"], target.eval("id(kept[2])"));
        let mut threads: Vec<_> = document["loops"].as_array().unwrap().iter().collect();
        threads.sort_by_key(|one| one["thread"].to_string());
        let threads: Vec<_> = threads
            .iter()
            .map(|one| [&one["thread"], &one["running"]])
            .collect();
        assert_eq!(json!(threads), json!([["loop-0", true], ["loop-1", true]]));
        finish(target);
    });
}

#[test]
fn a_timer_that_was_called_and_is_held_is_told_from_one_that_waits() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "loops");
        target.exec("one = start_loop()");
        target.exec(
            "fired = threading.Event()\n\
             def plan():\n\
             \x20kept.extend(one.call_later(0, till.tick) for _ in range(12))\n\
             \x20kept.append(one.call_later(0.001, fired.set))\n\
             \x20kept.append(one.call_later(100, till.tick))\n\
             \x20kept.append(one.call_later(100, till.tick)); kept[-1].cancel()\n\
             in_loop(one, plan); fired.wait(); settle(one)",
        );
        let document = look(&mut target, &[]);
        let states = ["kept[0]", "kept[13]", "kept[14]"].map(|handle| {
            let handle = at(&document, &mut target, handle);
            (
                handle["state"].as_str().unwrap().to_owned(),
                handle["marks"].clone(),
            )
        });
        let expected = [
            ("kept".to_owned(), json!(["kept"])),
            ("waiting".to_owned(), json!([])),
            ("cancelled".to_owned(), json!([])),
        ];
        assert_eq!(states, expected, "{document:#}");
        finish(target);
    });
}

#[test]
fn callbacks_that_many_timers_share_are_counted() {
    let mut target = Target::start(python3(), "loops");
    target.exec("one = start_loop()");
    target.exec("in_loop(one, lambda: [one.call_later(500 + n, till.tick) for n in range(120)])");
    let document = look(&mut target, &["--match", "Till"]);
    let group = &document["groups"][0];
    assert_eq!(group["callback"], "__main__.Till.tick");
    assert_eq!(
        (&group["waiting"], &group["marks"]),
        (&json!(120), &json!(["many"]))
    );
    let done = Leakhunt::at(target.pid, "scheduled", &["--group"])
        .run()
        .expect(0);
    let line = done
        .stdout
        .lines()
        .find(|line| line.starts_with("__main__.Till.tick"));
    let line = line.unwrap_or_else(|| panic!("{done:#?}"));
    assert!(
        line.contains(" 120 ") && line.contains("one of many"),
        "{line}"
    );
    finish(target);
}

#[test]
fn a_repr_that_hangs_takes_its_own_line_only() {
    let mut target = Target::start(python3(), "loops");
    target.exec("one = start_loop()");
    target.exec("in_loop(one, lambda: one.call_later(50, HangingRepr()))");
    target.exec("in_loop(one, lambda: one.call_later(60, till.tick))");
    let done = Leakhunt::at(target.pid, "scheduled", &["--format", "ha"])
        .run()
        .expect(0);
    assert_eq!(done.stdout.lines().count(), 1, "{done:#?}");
    assert!(done.stdout.contains("Till.tick"), "{done:#?}");
    assert!(
        done.stderr.contains("of 1 nothing, or not all, is known"),
        "{done:#?}"
    );
    let document = look(&mut target, &[]);
    assert_eq!(document["n_missing"], 0, "without its repr: {document:#}");
    let names: Vec<_> = handles(&document)
        .iter()
        .map(|one| &one["callback"])
        .collect();
    assert_eq!(
        json!(names),
        json!(["__main__.HangingRepr", "__main__.Till.tick"])
    );
    finish(target);
}

#[test]
fn paths_say_who_holds_what_a_timer_is_for() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "loops");
        target.exec("one = start_loop()");
        target.exec("in_loop(one, lambda: one.call_later(50, till.tick) and None)");
        let document = look(&mut target, &["--paths", "--match", "Till"]);
        assert_eq!(handles(&document).len(), 1, "{document:#}");
        let path = handles(&document)[0]["path"].as_str().unwrap();
        assert_eq!(target.eval(&format!("{path} is till")), true, "{path}");
        finish(target);
    });
}

#[test]
fn debug_mode_tells_where_a_timer_was_made() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "loops");
        target.exec("one = start_loop(); one.set_debug(True)");
        target.exec("def make():\n kept.append(one.call_later(50, till.tick))");
        target.exec("in_loop(one, make)");
        let document = look(&mut target, &["--match", "Till"]);
        let handle = at(&document, &mut target, "kept[0]");
        let made_at = handle["made_at"].as_array().unwrap();
        let made_in = made_at.iter().any(|frame| frame["function"] == "make");
        assert!(made_in, "{handle:#}");
        target.exec("one.set_debug(False)");
        finish(target);
    });
}

#[test]
fn timers_of_uvloop_are_seen_as_objects() {
    on_each(few(), |py| {
        let folder = match packages(py, &["uvloop"]) {
            Ok(folder) => folder,
            Err(reason) => return skipped(&format!("uvloop on {py}"), &reason),
        };
        let mut target = Start::new(py, "loops").packages(&folder).ready();
        target.exec("import uvloop; one = start_loop(uvloop.new_event_loop)");
        target.exec("in_loop(one, lambda: kept.append(one.call_later(500, till.tick, 1)))");
        target.exec("sleep_in(one, 300)");
        let document = look(&mut target, &[]);
        let tick = at(&document, &mut target, "kept[0]");
        assert_eq!(tick["callback"], "__main__.Till.tick");
        assert_eq!(
            (&tick["state"], &tick["args"]),
            (&json!("waiting"), &json!(1))
        );
        let in_seconds = tick["in_seconds"].as_f64().unwrap();
        assert!((300.0..=500.0).contains(&in_seconds), "{tick:#}");
        let coroutines: BTreeMap<_, _> = handles(&document)
            .iter()
            .map(|one| (one["waiter"]["coroutine"].to_string(), &one["state"]))
            .collect();
        assert_eq!(
            coroutines.get("\"__main__.sleeper\""),
            Some(&&json!("waiting"))
        );
        let done = Leakhunt::at(target.pid, "scheduled", &["--format", "ha"])
            .run()
            .expect(0);
        assert_eq!(done.stdout, "", "{done:#?}");
        done.expect_stderr("not available for uvloop");
        finish(target);
    });
}

#[test]
fn a_second_look_tells_new_timers_and_growing_groups() {
    let mut target = Target::start(python3(), "loops");
    target.exec("one = start_loop(); in_loop(one, lambda: one.call_later(900, till.tick))");
    let args = ["--json", "--interval", "2", "--count", "2"];
    let mut running = Leakhunt::at(target.pid, "scheduled", &args).start();
    let first: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(first["groups"][0]["waiting"], 1);
    target.exec("in_loop(one, lambda: [one.call_later(900, till.tick) for _ in range(5)])");
    let second: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(second["groups"][0]["waiting"], 6);
    assert_eq!(second["groups"][0]["delta"], 5);
    let new = handles(&second).iter().filter(|one| one["is_new"] == true);
    assert_eq!(new.count(), 5, "{second:#}");
    running.end(crate::support::LIMIT).expect(0);
    finish(target);
}

#[test]
fn without_a_loop_it_is_said_what_there_is_not() {
    let mut target = Target::start(python3(), "idle");
    let look = |target: &Target| Leakhunt::at(target.pid, "scheduled", &[]).run().expect(1);
    let done = look(&target);
    done.expect_stderr("has not imported asyncio");
    target.exec("import asyncio");
    look(&target).expect_stderr("no event loop now");
    target.exec("loop = asyncio.new_event_loop()");
    look(&target).expect_stderr("nothing is scheduled on the 1 event loop");
    target.exec("loop.close()");
    target.finish_unharmed();
}
