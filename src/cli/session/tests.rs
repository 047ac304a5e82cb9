mod graph;

use super::fake::{
    Act, FakeAgent, census, census_done, garbage, greeting, say, type_row, walk_end,
};
use super::*;
use leakhunt_wire::{CensusRequest, Ended, Place};

const TIMEOUT: Duration = Duration::from_millis(200);
const REQUEST: CensusRequest = CensusRequest {
    place: Place::Auto,
    in_place_max_objects: 0,
    refused_max_objects: 0,
    collect: false,
    garbage: true,
    time_bare_walk: false,
    time_limit_ms: 100,
    memory_limit_bytes: 1 << 28,
};

fn greet(acts: Vec<Act>, answer: Vec<Act>) -> Result<Session<FakeAgent>, SessionError> {
    let agent = FakeAgent::new(acts, move |_| answer.clone());
    Session::greet(agent, TIMEOUT, &Interrupts::none(), &Output::silent())
}

fn look_at(answer: Vec<Act>) -> Result<Sighting, SessionError> {
    greet(greeting(), answer)?.census(&REQUEST)
}

#[test]
fn a_census_gives_a_look() {
    let sighting = look_at(census(&[("Row", 10), ("dict", 5)])).unwrap();
    let look = sighting.look.unwrap();
    assert_eq!(look.n_objects, 15);
    assert_eq!(look.types[0].type_key, "app.Row");
    assert_eq!(look.n_garbage, Some(0));
    assert_eq!(sighting.end.pause_us, 6_214);
}

#[test]
fn a_second_attempt_forgets_the_rows_of_the_first() {
    let mut answer = vec![
        say(&Reply::Attempt(1)),
        type_row(1, "Row", 99),
        walk_end(),
        garbage(1, 3),
        say(&Reply::Attempt(2)),
        type_row(7, "Row", 10),
        walk_end(),
        garbage(7, 4),
        say(&Reply::GarbageEnd(1)),
    ];
    answer.push(census_done(Ended::Whole, 2));
    let sighting = look_at(answer).unwrap();
    let look = sighting.look.unwrap();
    assert_eq!((look.n_objects, look.n_garbage), (10, Some(4)));
    assert_eq!(sighting.end.attempts, 2);
}

#[test]
fn a_walk_without_end_is_no_look_and_garbage_without_end_is_unknown() {
    let start = || vec![say(&Reply::Attempt(1)), type_row(1, "Row", 99)];
    let mut answer = start();
    answer.push(census_done(Ended::TimeLimit, 1));
    let sighting = look_at(answer).unwrap();
    assert!(sighting.look.is_none());
    assert_eq!(sighting.end.ended, Ended::TimeLimit);
    let mut answer = start();
    answer.extend([walk_end(), garbage(1, 3), census_done(Ended::Crashed, 2)]);
    let look = look_at(answer).unwrap().look.unwrap();
    assert_eq!((look.n_objects, look.n_garbage), (99, None));
}

#[test]
fn what_cannot_be_is_refused() {
    let cases = [
        vec![say(&Reply::Attempt(1)), garbage(5, 1)],
        vec![type_row(1, "Row", 3), garbage(1, 4)],
        vec![say(&Reply::Hello)],
        vec![Act::Say(vec![77, 1, 2])],
        vec![walk_end(), type_row(1, "Row", 3)],
    ];
    for answer in cases {
        let error = look_at(answer.clone()).unwrap_err();
        assert!(
            matches!(error, SessionError::Untrusted(_) | SessionError::OutOfTurn),
            "{answer:?}: {error:?}"
        );
        assert!(error.may_pass());
    }
}

#[test]
fn an_agent_that_says_nothing_is_not_waited_for_without_end() {
    let error = look_at(vec![]).unwrap_err();
    assert!(matches!(error, SessionError::Silent(_)), "{error:?}");
    let error = look_at(vec![say(&Reply::Attempt(1))]).unwrap_err();
    assert!(matches!(error, SessionError::Silent(_)), "{error:?}");
    let error = greet(vec![], vec![]).unwrap_err();
    assert!(matches!(error, SessionError::Silent(_)), "{error:?}");
    let error = greet(vec![say(&Reply::Hello)], vec![]).unwrap_err();
    assert!(matches!(error, SessionError::GilHeld(_)), "{error:?}");
    assert_eq!(error.into_failure(7).exit.code(), 3);
}

#[test]
fn an_agent_that_talks_without_end_is_cut_off() {
    let Act::Say(pong) = say(&Reply::Pong) else {
        panic!("say says")
    };
    let error = look_at(vec![Act::Chatter(pong)]).unwrap_err();
    assert!(matches!(error, SessionError::Silent(_)), "{error:?}");
}

#[test]
fn farewells_are_explained() {
    let leave = |reason| {
        greet(
            vec![say(&Reply::Hello), say(&Reply::Goodbye(reason))],
            vec![],
        )
    };
    for (reason, exit, text) in [
        (
            Goodbye::NotInitialised,
            3,
            "is starting up or shutting down",
        ),
        (Goodbye::Finalising, 4, "is shutting down"),
    ] {
        let failure = leave(reason).unwrap_err().into_failure(7);
        assert_eq!(failure.exit.code(), exit);
        assert!(failure.to_string().contains(text), "{failure}");
    }
    assert!(leave(Goodbye::Silence).unwrap_err().may_pass());
    assert!(!leave(Goodbye::UnknownPython).unwrap_err().may_pass());
}

#[test]
fn a_target_that_exits_is_told_from_an_agent_that_is_gone() {
    let error = look_at(vec![Act::Exit]).unwrap_err();
    assert!(matches!(error, SessionError::TargetExited));
    assert_eq!(error.into_failure(7).exit.code(), 4);
    let error = look_at(vec![Act::Close]).unwrap_err();
    assert!(matches!(error, SessionError::AgentGone(_)) && error.may_pass());
}

#[test]
fn one_interrupt_lets_a_look_finish_and_two_do_not() {
    let look = |n_signals| {
        let agent = FakeAgent::new(vec![], |_| census(&[("Row", 1)]));
        let mut session = Session {
            link: agent,
            interrupts: Interrupts::after(n_signals),
            output: Output::silent(),
            python: String::new(),
            free_threaded: false,
            timeout: TIMEOUT,
            last_sent: Instant::now(),
            is_traced: false,
            is_over: false,
        };
        session.census(&REQUEST)
    };
    assert!(look(1).is_ok());
    assert!(matches!(look(2).unwrap_err(), SessionError::Interrupted));
    let agent = FakeAgent::new(greeting(), |_| vec![]);
    let error =
        Session::greet(agent, TIMEOUT, &Interrupts::after(1), &Output::silent()).unwrap_err();
    assert!(matches!(error, SessionError::Interrupted));
}
