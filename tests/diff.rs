use std::path::{Path, PathBuf};
use std::process::Command;

use crate::show::{file, look, snapshot, table};
use crate::support::Leakhunt;
use crate::support::leakhunt::program;

fn before() -> PathBuf {
    let rows = [("shop.Template", 100, 5_600), ("str", 900, 50_000)];
    file("before.hpy", table(&rows))
}

fn after() -> PathBuf {
    let rows = [("shop.Template", 255, 14_280), ("str", 900, 50_000)];
    file("after.hpy", table(&rows))
}

fn diff(before: impl AsRef<Path>, after: impl AsRef<Path>) -> Leakhunt {
    Leakhunt::new(["diff"])
        .arg(before.as_ref())
        .arg(after.as_ref())
}

#[test]
fn the_gate_fails_a_build_that_grows_too_much() {
    let done = diff(before(), after())
        .args(&["--fail-on", "shop.Template:+100"])
        .args(&["--fail-on", "total:+10MB"])
        .run()
        .expect(1);
    assert_eq!(
        done.stderr,
        "leakhunt: error: over 1 of 2 limits\n  shop.Template grew by 155 objects (100 to 255), \
         55 more than shop.Template:+100 allows\n"
    );
    assert!(done.stdout.contains("shop.Template !"), "{done:#?}");
    for within in [
        "shop.Template:+155",
        "shop.*:+8680B",
        "str:+0",
        "total:+16%",
    ] {
        let done = diff(before(), after()).args(&["--fail-on", within]).run();
        let done = done.expect(0);
        assert_eq!(done.stderr, "leakhunt: within the limit\n", "{within}");
    }
    for over in ["shop.Template:+154", "*:+8679B", "total:+15%", "total:+0"] {
        diff(before(), after())
            .args(&["--fail-on", over])
            .run()
            .expect(1);
    }
    diff(before(), after()).run().expect(0);
    diff(after(), before())
        .args(&["--fail-on", "*:+0"])
        .run()
        .expect(0);
}

#[test]
fn a_limit_that_names_nothing_is_told() {
    let done = diff(before(), after())
        .args(&["--fail-on", "shop.Templte:+100", "--json"])
        .run()
        .expect(0);
    assert_eq!(done.json()["limits"][0]["names_nothing"], true);
    assert_eq!(done.json()["passed"], true);
    done.expect_stderr("warning: --fail-on shop.Templte:+100 names nothing in either file");
}

#[test]
fn limits_that_are_none_are_wrong_usage() {
    for limit in ["shop.Template", "x:+", "x:+many", ":+5", "x:-5", "x:+5XB"] {
        let done = diff(before(), after()).args(&["--fail-on", limit]).run();
        let done = done.expect(2);
        assert!(done.stderr.contains("--fail-on"), "{done:#?}");
    }
    diff(before(), after())
        .args(&["--fail-on", "x:+99999999999999999999"])
        .run()
        .expect(2)
        .expect_stderr("too large");
    diff(before(), after())
        .args(&["--fail-on", "total:+9223372036854775807"])
        .run()
        .expect(0);
}

#[test]
fn matching_hides_rows_but_not_growth() {
    let done = diff(before(), after())
        .args(&["--match", "^str$", "--fail-on", "shop.Template:+1"])
        .run()
        .expect(1);
    assert!(!done.stdout.contains("shop.Template"), "{done:#?}");
}

#[test]
fn each_format_is_for_somebody() {
    let show = |format: &str| {
        let args = ["--format", format, "--fail-on", "shop.*:+1"];
        diff(before(), after()).args(&args).run().expect(1)
    };
    assert!(
        show("guppy")
            .stdout
            .starts_with("Summary of difference operation (A-B).")
    );
    assert!(
        show("markdown")
            .stdout
            .contains("| **`shop.Template`** | 100 | 255 |")
    );
    assert!(show("github").stdout.starts_with("::error title=leakhunt"));
    assert_eq!(show("json").json()["exceeded"][0]["over"], 154);
    assert!(show("table").stdout.contains("before  after  delta"));
}

#[test]
fn a_log_is_compared_with_itself() {
    let log = file(
        "growth.jsonl",
        look(1, &[("str", 9, 500)]) + &look(2, &[("str", 50, 900)]) + &look(3, &[("str", 12, 600)]),
    );
    let one = Leakhunt::new(["diff"]).arg(&log);
    let done = one.args(&["--json", "--fail-on", "str:+2"]).run().expect(1);
    assert_eq!(done.json()["rows"][0]["objects_delta"], 3);
    let alone = file("one.jsonl", look(1, &[]));
    Leakhunt::new(["diff"])
        .arg(&alone)
        .run()
        .expect(2)
        .expect_stderr("holds one look");
    let done = diff(&alone, &log).arg("--json").run().expect(0);
    assert_eq!(done.json()["rows"][0]["objects_after"], 12, "the last look");
}

#[test]
fn tables_of_a_series_are_compared() {
    let tables: String = (1..=4).map(|n| table(&[("str", n * n, 50)])).collect();
    let series = file("series.hpy", tables);
    let delta = |leakhunt: Leakhunt| {
        let done = leakhunt.arg("--json").run().expect(0);
        done.json()["total"]["objects_delta"].as_i64().unwrap()
    };
    let alone = || Leakhunt::new(["diff"]).arg(&series);
    assert_eq!(delta(alone()), 15);
    assert_eq!(delta(alone().args(&["--snapshot", "2,3"])), 5);
    assert_eq!(
        delta(alone().args(&["--snapshot", "-2", "--snapshot", "-1"])),
        7
    );
    assert_eq!(delta(diff(&series, &series)), 0);
    assert_eq!(
        delta(diff(&series, &series).args(&["--snapshot", "1,4"])),
        15
    );
    alone()
        .args(&["--snapshot", "1"])
        .run()
        .expect(2)
        .expect_stderr("give it twice");
    diff(&series, before())
        .run()
        .expect(0)
        .expect_stderr("holds 4 tables; the last is compared");
}

#[test]
fn snapshots_of_one_process_tell_what_is_new() {
    let done = diff(snapshot(), snapshot()).arg("--json").run().expect(0);
    let identity = &done.json()["identity"];
    assert_eq!(identity["new"], 0, "{done:#?}");
    assert!(identity["survivors"].as_u64() > Some(0), "{done:#?}");
    diff(snapshot(), snapshot())
        .args(&["--by", "clodo", "--fail-on", "*:+0"])
        .run()
        .expect(0);
    Leakhunt::new(["diff"])
        .arg(snapshot())
        .run()
        .expect(2)
        .expect_stderr("is one snapshot");
}

#[test]
fn files_that_cannot_be_compared_are_told_apart() {
    let log = file("growth.jsonl", look(1, &[]));
    diff(before(), &log)
        .run()
        .expect(2)
        .expect_stderr("is a growth log; compare two files of one kind");
    diff(before(), snapshot()).run().expect(2);
    let by_rcs = table(&[("str", 1, 50)]).replace("Type", "Referrers by Kind");
    diff(before(), file("rcs.hpy", by_rcs))
        .run()
        .expect(2)
        .expect_stderr("compare what was written with the same --by");
    diff(before(), "/no/such.hpy").run().expect(2);
    diff("-", "-").run().expect(2).expect_stderr("stdin");
    Leakhunt::new(["diff"]).run().expect(2);
}

#[test]
fn the_gate_holds_though_nobody_reads() {
    let names: Vec<String> = (0..10_000).map(|n| format!("shop.Row{n}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 50)).collect();
    let after = file("long.hpy", table(&rows));
    let script = "\"$3\" diff \"$1\" \"$2\" --format json --fail-on 'total:+0' | true; \
        exit ${PIPESTATUS[0]}";
    let mut command = Command::new("bash");
    command.args(["-c", script, "sh"]);
    command.arg(before()).arg(&after).arg(program());
    let done = Leakhunt::of(command).run().expect(1);
    done.expect_stderr("all together grew by");
}

#[test]
fn quiet_tells_only_of_growth_over_a_limit() {
    let run = |limit: &str| {
        diff(before(), after())
            .args(&["-q", "--fail-on", limit])
            .run()
    };
    assert_eq!(run("shop.*:+155").expect(0).stderr, "");
    assert_eq!(run("nothing:+1").expect(0).stderr, "");
    run("shop.*:+1")
        .expect(1)
        .expect_stderr("grew by 155 objects");
}
