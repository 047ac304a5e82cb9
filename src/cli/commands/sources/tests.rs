use super::*;
use crate::args::{Cli, Command};
use crate::failure::exit_of;
use crate::rounds::fake::{FakeTarget, Sees};
use crate::session::fake::Act;
use clap::Parser as _;
use leakhunt_wire::Ended;

fn run(target: &mut FakeTarget, options: &str) -> anyhow::Result<Exit> {
    let line = format!("leakhunt sources --interval 1ms --format ha {options}");
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Sources(args) = cli.command else {
        panic!("not sources")
    };
    let (interrupts, output) = (Interrupts::none(), Output::silent());
    Watch::new(&args, args.format, 7, &interrupts, &output).run(target)
}

fn args(options: &str) -> SourcesArgs {
    let line = format!("leakhunt sources {options}");
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let Command::Sources(args) = cli.command else {
        panic!("not sources")
    };
    args
}

fn chooser(options: &str) -> Chooser {
    Chooser::new(&args(options))
}

#[test]
fn a_limit_of_types_is_refused_where_types_do_not_count() {
    let failure = check(&args("--rank gc --limit 3")).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.to_string().starts_with("--limit "), "{failure}");
    for options in ["--rank gc", "--rank growth --limit 3", ""] {
        assert!(check(&args(options)).is_ok(), "{options}");
    }
}

#[test]
fn a_run_asks_for_graphs_and_for_what_is_new() {
    let mut target = FakeTarget::new(vec![Sees::Rows(1), Sees::Rows(3), Sees::Rows(3)]);
    assert_eq!(run(&mut target, "--count 3").unwrap(), Exit::Done);
    assert_eq!(
        *target.asked.borrow(),
        ["graph Small", "graph Small", "describe", "graph Small"]
    );
}

#[test]
fn tracing_begins_once_and_before_the_first_look() {
    let mut target = FakeTarget::new(vec![Sees::Rows(1), Sees::Rows(1)]);
    assert_eq!(
        run(&mut target, "--count 2 --trace --no-names").unwrap(),
        Exit::Done
    );
    assert_eq!(
        *target.asked.borrow(),
        ["trace 5", "graph Hidden", "graph Hidden"]
    );
    assert_eq!(target.n_opened, 1);
}

#[test]
fn tracing_begins_anew_with_another_agent() {
    let mut target = FakeTarget::new(vec![
        Sees::Rows(1),
        Sees::Acts(vec![Act::Close]),
        Sees::Rows(1),
    ]);
    run(&mut target, "--count 2 --trace").unwrap();
    let asked = target.asked.borrow();
    let n_traced = asked.iter().filter(|word| *word == "trace 5").count();
    assert_eq!((n_traced, target.n_opened), (2, 2));
}

#[test]
fn a_target_that_exits_ends_the_run_with_4() {
    let error = run(&mut FakeTarget::new(vec![]), "").unwrap_err();
    assert_eq!(exit_of(&error).code(), 4);
    let error = run(&mut FakeTarget::new(vec![Sees::Rows(1)]), "").unwrap_err();
    assert_eq!(error.to_string(), "process 7 exited after 1 look");
}

#[test]
fn looks_that_fail_are_passed_over_but_not_the_first() {
    let failed = Sees::Ends(Ended::Crashed);
    let looks = vec![Sees::Rows(1), failed.clone(), Sees::Rows(2)];
    run(&mut FakeTarget::new(looks), "--count 2").unwrap();
    let error = run(&mut FakeTarget::new(vec![failed]), "").unwrap_err();
    assert_eq!(exit_of(&error).code(), 3);
}

/// The snapshot of a heap of so many rows.
fn snapshot(n_rows: u64) -> Snapshot {
    let mut target = FakeTarget::new(vec![Sees::Rows(n_rows)]);
    let memory = target.memory();
    let mut session = target.open().unwrap();
    let cli = Cli::try_parse_from(["leakhunt", "sources"]).unwrap();
    let Command::Sources(args) = cli.command else {
        panic!("not sources")
    };
    let wish = Wish {
        pid: 7,
        names: args.names.into(),
        collect: false,
        target: &args.target,
    };
    capture(&mut session, &wish, &memory, &Output::silent()).unwrap()
}

fn addresses(snapshot: &Snapshot, choice: &Choice) -> Vec<u64> {
    let chosen = choice.objects.iter();
    chosen
        .map(|chosen| snapshot.objects.address[chosen.object.0 as usize])
        .collect()
}

#[test]
fn by_growth_the_newest_come_first_and_the_first_look_shows_nothing() {
    let mut chooser = chooser("--max 2");
    let (one, four) = (snapshot(1), snapshot(4));
    assert_eq!(chooser.choose(&one), Choice::default());
    chooser.keep(one);
    let choice = chooser.choose(&four);
    assert_eq!(addresses(&four, &choice), [0x10_0c0, 0x10_080]);
    let first = &choice.objects[0];
    assert_eq!((first.n_before, first.n_objects, choice.n_types), (1, 4, 1));
    chooser.keep(four);
    assert_eq!(chooser.choose(&snapshot(4)).objects, []);
}

#[test]
fn by_gc_all_is_new_at_first() {
    let mut chooser = chooser("--rank gc --max 2");
    let three = snapshot(3);
    let choice = chooser.choose(&three);
    assert_eq!(addresses(&three, &choice), [0x1000, 0x3000]);
    assert_eq!(choice.overflow, [("Row".into(), 3)]);
    let five = snapshot(5);
    let choice = chooser.choose(&five);
    assert_eq!(addresses(&five, &choice), [0x10_0c0, 0x10_100]);
    assert_eq!(choice.objects[0].n_before, 3);
}

#[test]
fn only_types_that_match_are_chosen() {
    for rank in ["gc", "growth"] {
        let mut chooser = chooser(&format!("--rank {rank} --match ^other"));
        chooser.choose(&snapshot(1));
        chooser.keep(snapshot(1));
        assert_eq!(chooser.choose(&snapshot(4)).objects, [], "{rank}");
    }
}

#[test]
fn an_object_is_shown_with_its_path_and_look() {
    let mut chooser = chooser("--max 1");
    let one = snapshot(1);
    chooser.choose(&one);
    chooser.keep(one);
    let two = snapshot(2);
    let choice = chooser.choose(&two);
    let how = describe::How {
        has_repr: true,
        is_whole: true,
        is_traced: true,
    };
    let mut session = FakeTarget::new(vec![]).open().unwrap();
    let objects: Vec<_> = choice.objects.iter().map(|chosen| chosen.object).collect();
    let described = describe(&mut session, &two, &objects, how).unwrap();
    let look = look_at(&two, &choice, &described, how);
    let object = &look.objects[0];
    assert_eq!(object.path.as_deref(), Some("sys.modules['app'][1]"));
    assert_eq!(object.looks.text.as_deref(), Some("<Row 1>"));
    assert_eq!(object.made_at, ["app.py:3", "app.py:9"]);
    assert_eq!(look.notes, <[String; 0]>::default());
    let mut cut = Described::default();
    cut.is_cut = true;
    assert_eq!(look_at(&two, &choice, &cut, how).notes.len(), 1);
    let quiet = describe::How {
        has_repr: false,
        ..how
    };
    let look = look_at(&two, &choice, &described, quiet);
    assert_eq!(look.objects[0].looks.text, None);
}
