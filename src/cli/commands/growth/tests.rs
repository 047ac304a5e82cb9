use super::follow::Follow;
use super::*;
use crate::args::{Cli, Command};
use crate::budget::Memory;
use crate::door::OpenError;
use crate::rounds::LiveTarget;
use crate::session::fake::{Act, FakeAgent, census, greeting};
use crate::session::{Session, SessionError};
use clap::Parser as _;
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// A target whose n-th census is answered by the n-th script; `None` is a lost agent.
struct Scripted {
    scripts: Rc<Vec<Vec<Act>>>,
    n_asked: Rc<Cell<usize>>,
    n_opened: usize,
    memory: Memory,
}

impl Scripted {
    fn new(scripts: Vec<Vec<Act>>) -> Self {
        Self {
            scripts: Rc::new(scripts),
            n_asked: Rc::default(),
            n_opened: 0,
            memory: Memory::default(),
        }
    }
}

impl LiveTarget for Scripted {
    type Link = FakeAgent;

    fn open(&mut self) -> Result<Session<FakeAgent>, OpenError> {
        self.n_opened += 1;
        let (scripts, n_asked) = (self.scripts.clone(), self.n_asked.clone());
        let agent = FakeAgent::new(greeting(), move |_| {
            let index = n_asked.replace(n_asked.get() + 1);
            scripts.get(index).cloned().unwrap_or(vec![Act::Exit])
        });
        Ok(Session::greet(
            agent,
            Duration::from_millis(100),
            &Interrupts::none(),
            &Output::silent(),
        )?)
    }

    fn memory(&self) -> Memory {
        self.memory
    }

    fn has_exited(&self) -> bool {
        false
    }

    fn ends_now(&self) -> bool {
        self.has_exited()
    }
}

fn rows(n: u64) -> Vec<Act> {
    census(&[("Entry", 100 + 10 * n), ("dict", 50)])
}

/// Runs to its end with a log; what was logged is what was seen.
fn run(name: &str, target: &mut Scripted, options: &str) -> (anyhow::Result<Exit>, String) {
    let path: PathBuf =
        std::env::temp_dir().join(format!("leakhunt-growth-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let line = format!("leakhunt growth --interval 1ms --format objgraph {options}");
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Growth(args) = cli.command else {
        panic!("not growth")
    };
    let output = Output::silent();
    let interrupts = Interrupts::none();
    let mut view = GrowthView::new(GrowthFormat::Objgraph, None, None);
    view.color = false;
    let result = Follow {
        args: &args,
        pid: 7,
        // A view that matches nothing keeps the tests' stdout clean.
        view: GrowthView::new(GrowthFormat::Objgraph, None, Some("^$".parse().unwrap())),
        log: Some(GrowthLog::open(&path, &output).unwrap()),
        growth: Growth::default(),
        interrupts: &interrupts,
        output: &output,
    }
    .run(target);
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    (result, log)
}

fn counts(log: &str) -> Vec<(u64, i64)> {
    log.lines()
        .map(|line| GrowthRecord::parse(line.as_bytes()).unwrap())
        .map(|record| (record.types[0].count, record.types[0].delta))
        .collect()
}

#[test]
fn looks_are_counted_and_logged() {
    let mut target = Scripted::new(vec![rows(0), rows(1), rows(2), rows(3)]);
    let (result, log) = run("count", &mut target, "--count 3");
    assert_eq!(result.unwrap(), Exit::Done);
    assert_eq!(counts(&log), [(100, 0), (110, 10), (120, 10)]);
    assert!(
        log.contains(r#""python":"3.12.1","place":"copy","attempts":1,"#),
        "{log}"
    );
    assert!(
        log.contains(r#""pid":7,"#) && log.contains(r#""pause_ms":6.214,"#),
        "{log}"
    );
    assert_eq!(target.n_opened, 1);
}

#[test]
fn a_target_that_exits_ends_the_run_with_4() {
    let mut target = Scripted::new(vec![rows(0), rows(1), vec![Act::Exit]]);
    let (result, log) = run("exit", &mut target, "");
    let error = result.unwrap_err();
    assert_eq!(crate::failure::exit_of(&error), Exit::TargetGoneAfterLooks);
    assert_eq!(error.to_string(), "process 7 exited after 2 looks");
    assert_eq!(log.lines().count(), 2);
}

#[test]
fn an_agent_that_is_gone_is_replaced_within_the_look() {
    let mut target = Scripted::new(vec![rows(0), vec![Act::Close], rows(1)]);
    let (result, log) = run("gone", &mut target, "--count 2");
    assert_eq!(result.unwrap(), Exit::Done);
    assert_eq!(counts(&log), [(100, 0), (110, 10)]);
    assert_eq!(target.n_opened, 2);
}

#[test]
fn a_hostile_agent_is_given_up_after_some_looks() {
    let bad = || vec![Act::Say(vec![200])];
    let mut scripts = vec![rows(0)];
    scripts.extend(std::iter::repeat_with(bad).take(9));
    let mut target = Scripted::new(scripts);
    let (result, log) = run("hostile", &mut target, "");
    let error = result.unwrap_err();
    assert_eq!(crate::failure::exit_of(&error).code(), 3);
    assert!(
        format!("{error:#}").starts_with("5 looks one after the other failed: "),
        "{error:#}"
    );
    assert_eq!(log.lines().count(), 1);
    let (result, _) = run("hostile-at-first", &mut Scripted::new(vec![bad()]), "");
    assert_eq!(crate::failure::exit_of(&result.unwrap_err()).code(), 3);
}

#[test]
fn a_target_that_is_too_large_is_not_touched() {
    let mut target = Scripted::new(vec![rows(0)]);
    target.memory.anonymous_bytes = 20_000_000_000;
    let (result, _) = run("large", &mut target, "--max-pause 100ms");
    assert_eq!(crate::failure::exit_of(&result.unwrap_err()).code(), 3);
    assert_eq!(target.n_opened, 0);
}

#[test]
fn a_target_that_never_was_reached_is_told_apart() {
    let mut target = Scripted::new(vec![vec![Act::Exit]]);
    let (result, _) = run("never", &mut target, "");
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "process 7 ended before leakhunt could look at it"
    );
    assert_eq!(crate::failure::exit_of(&error).code(), 4);
    let error = SessionError::TargetExited.into_failure(7);
    assert_eq!(error.exit.code(), 4);
}

#[test]
fn a_replayed_log_gives_its_records_again() {
    let mut target = Scripted::new(vec![rows(0), rows(1), rows(0), rows(4)]);
    let (_, log) = run("replay", &mut target, "--count 4");
    let mut growth = Growth::default();
    let mut view = GrowthView::new(GrowthFormat::Json, None, None);
    let mut again = Vec::new();
    for line in log.lines() {
        let record = GrowthRecord::parse(line.as_bytes()).unwrap();
        again.extend(view.frame(&replayed(&mut growth, record)));
    }
    assert_eq!(String::from_utf8(again).unwrap(), log);
}
