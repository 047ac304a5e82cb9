use super::*;
use crate::args::{Cli, Command};
use crate::failure::exit_of;
use crate::rounds::fake::{FakeTarget, Sees};
use crate::session::fake::Act;
use clap::Parser as _;
use leakhunt_wire::Ended;

/// Runs to the end and answers what was written, if anything.
fn run(
    name: &str,
    target: &mut FakeTarget,
    n_signals: u32,
) -> (anyhow::Result<Exit>, Option<String>) {
    let path = format!("leakhunt-memory-{}-{name}.hpy", std::process::id());
    let path = std::env::temp_dir().join(path);
    let _ = std::fs::remove_file(&path);
    let line = format!("leakhunt memory --seconds 0 --json -o {}", path.display());
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let Command::Memory(args) = cli.command else {
        panic!("not memory")
    };
    let interrupts = Interrupts::after(n_signals);
    let output = Output::silent();
    let mut last = target.again();
    let result = Window {
        args: &args,
        common: &cli.common,
        path: path.clone(),
        pid: 7,
        interrupts: &interrupts,
        output: &output,
    }
    .run(
        HpyFile::open(&path, Existing::Replaced).unwrap(),
        target,
        &mut last,
    );
    let written = std::fs::read_to_string(&path).ok();
    let _ = std::fs::remove_file(&path);
    (result, written)
}

fn rows_of(written: &str) -> Vec<&str> {
    let rows = written.lines().filter(|line| line.starts_with(".r: "));
    rows.collect()
}

#[test]
fn what_appeared_is_written_by_its_referrers() {
    let mut target = FakeTarget::new(vec![Sees::Rows(3), Sees::Rows(5)]);
    let (result, written) = run("new", &mut target, 0);
    assert_eq!(result.unwrap(), Exit::Done);
    assert_eq!(rows_of(&written.unwrap()), [".r: 2 96 list"]);
    assert_eq!(*target.asked.borrow(), ["graph Hidden", "graph Hidden"]);
}

#[test]
fn nothing_new_is_an_empty_table() {
    let mut target = FakeTarget::new(vec![Sees::Rows(3), Sees::Rows(2)]);
    let (result, written) = run("nothing", &mut target, 0);
    assert_eq!(result.unwrap(), Exit::Done);
    assert_eq!(rows_of(&written.unwrap()), <[&str; 0]>::default());
}

#[test]
fn a_second_look_that_fails_is_tried_again() {
    let mut target = FakeTarget::new(vec![
        Sees::Rows(3),
        Sees::Ends(Ended::TimeLimit),
        Sees::Rows(4),
    ]);
    let (result, written) = run("again", &mut target, 0);
    assert_eq!(result.unwrap(), Exit::Done);
    assert_eq!(rows_of(&written.unwrap()).len(), 1);
}

#[test]
fn a_look_that_cannot_be_leaves_no_file() {
    let cases = [
        (vec![Sees::Ends(Ended::MemoryLimit)], 3),
        (vec![Sees::Acts(vec![Act::Exit])], 4),
        (vec![Sees::Rows(1), Sees::Acts(vec![Act::Exit])], 4),
        (vec![Sees::Acts(vec![Act::Say(vec![200])])], 3),
    ];
    for (index, (looks, exit)) in cases.into_iter().enumerate() {
        let (result, written) = run(&format!("not-{index}"), &mut FakeTarget::new(looks), 0);
        assert_eq!(exit_of(&result.unwrap_err()).code(), exit, "{index}");
        assert_eq!(written, None, "{index}");
    }
}

#[test]
fn a_target_that_is_too_large_is_not_touched() {
    let mut target = FakeTarget::new(vec![]);
    target.memory.anonymous_bytes = 40_000_000_000;
    let (result, _) = run("large", &mut target, 0);
    assert_eq!(exit_of(&result.unwrap_err()).code(), 3);
    assert_eq!(target.n_opened, 0);
}

#[test]
fn the_default_name_is_that_of_home_assistant() {
    let cli = Cli::try_parse_from(["leakhunt", "memory"]).unwrap();
    let Command::Memory(mut args) = cli.command else {
        panic!("not memory")
    };
    let name = path(&args).unwrap().display().to_string();
    let micros = name
        .strip_prefix("heap_profile.")
        .and_then(|rest| rest.strip_suffix(".hpy"))
        .unwrap();
    assert!(micros.parse::<u64>().unwrap() > 1_700_000_000_000_000);
    args.output = Some("a.leakhunt".into());
    assert_eq!(path(&args).unwrap_err().exit, Exit::Usage);
}
