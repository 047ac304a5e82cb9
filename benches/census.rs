//! How long a look stops the target, against `objgraph.growth()` and `gc.get_objects()` in the same
//! process.
//!
//! `cargo bench --bench census`; `LEAKHUNT_BENCH_OBJECTS=100000,1000000` keeps to some sizes. Goals:
//! at a million objects the longest stall of a thread that ticks each millisecond is at least 20
//! times shorter than with `objgraph.growth()`, and the walk takes at most 1.5 times as long as a bare
//! chase of the same lists.

mod support;

use std::time::Instant;

use leakhunt_wire::{CensusRequest, Ended, Place, Reply, Request, WalkDone};
use support::print;
use support::session::{Session, agent};
use support::statistics::Sample;
use support::target::Target;

const N_LOOKS: usize = 7;
const N_PEERS: usize = 3;

#[derive(Debug, Default)]
struct Looks {
    pause: Sample,
    clone: Sample,
    stall: Sample,
    whole: Sample,
    walk: Sample,
    bare_walk: Sample,
}

#[derive(Debug, Default)]
struct Peer {
    time: Sample,
    stall: Sample,
}

fn main() {
    let sizes = std::env::var("LEAKHUNT_BENCH_OBJECTS");
    let sizes = sizes.unwrap_or_else(|_| "100000,1000000,5000000".into());
    for size in sizes.split(',') {
        measure(
            size.trim()
                .parse()
                .expect("LEAKHUNT_BENCH_OBJECTS holds numbers"),
        );
    }
}

fn measure(n_objects: u64) {
    let mut target = Target::start(n_objects);
    let n_found = target.measure("objects").unwrap_or(0.0);
    print(&format!(
        "{:.2} million tracked objects, milliseconds",
        n_found / 1e6
    ));
    let mut quiet = Sample::default();
    for _ in 0..N_PEERS {
        target.measure("reset");
        target.measure("rest");
        quiet.add(target.measure("stall").unwrap_or(0.0));
    }
    let looks = looks(&mut target);
    let growth = peer(&mut target, "growth");
    let get_objects = peer(&mut target, "get_objects");
    print(&format!("  stall with nothing       {quiet}"));
    print(&format!("  leakhunt: stall          {}", looks.stall));
    print(&format!("  leakhunt: pause          {}", looks.pause));
    print(&format!("  leakhunt: of it clone    {}", looks.clone));
    print(&format!("  leakhunt: look in all    {}", looks.whole));
    print(&format!("  leakhunt: walk           {}", looks.walk));
    print(&format!("  leakhunt: bare walk      {}", looks.bare_walk));
    for (name, peer) in [
        ("objgraph.growth()", &growth),
        ("gc.get_objects()", &get_objects),
    ] {
        if peer.time.median() > 0.0 {
            print(&format!("  {name:17} stall  {}", peer.stall));
            print(&format!("  {name:17} time   {}", peer.time));
            print(&format!(
                "  {name:17} stalls {:.1} times as long as a look{}",
                peer.stall.median() / looks.stall.median(),
                if name.starts_with("objgraph") {
                    ", goal at 1 M: >= 20"
                } else {
                    ""
                }
            ));
        }
    }
    let ratio = looks.walk.median() / looks.bare_walk.median();
    print(&format!("  walk / bare walk: {ratio:.2}, goal: <= 1.5"));
}

fn looks(target: &mut Target) -> Looks {
    let mut session = Session::open(target.pid(), &agent());
    print(&format!(
        "  attach: first answer     {:.1}, thread stopped {:.3}",
        session.first_answer.as_secs_f64() * 1000.0,
        session.report.stopped.as_secs_f64() * 1000.0
    ));
    let mut looks = Looks::default();
    for _ in 0..N_LOOKS {
        target.measure("reset");
        let start = Instant::now();
        let mut walk = None;
        let done = session.ask(&Request::Census(REQUEST), |reply| match reply {
            Reply::WalkEnd(end) => {
                walk = Some((end.walk_us, end.bare_walk_us));
                None
            }
            Reply::CensusDone(WalkDone {
                ended,
                pause_us,
                clone_us,
                ..
            }) => Some((ended, pause_us, clone_us)),
            _ => None,
        });
        looks.whole.add_time(start.elapsed());
        looks.stall.add(target.measure("stall").unwrap_or(0.0));
        let (ended, pause_us, clone_us) = done;
        assert_eq!(ended, Ended::Whole, "the look came to its end");
        looks.pause.add(pause_us as f64 / 1000.0);
        looks.clone.add(clone_us as f64 / 1000.0);
        let (walk_us, bare_walk_us) = walk.expect("a walk that ends says so");
        looks.walk.add(walk_us as f64 / 1000.0);
        looks.bare_walk.add(bare_walk_us as f64 / 1000.0);
    }
    session.close();
    looks
}

const REQUEST: CensusRequest = CensusRequest {
    place: Place::Copy,
    in_place_max_objects: 0,
    refused_max_objects: 0,
    collect: false,
    garbage: true,
    time_bare_walk: true,
    time_limit_ms: 60_000,
    memory_limit_bytes: 4 << 30,
};

fn peer(target: &mut Target, name: &str) -> Peer {
    let mut peer = Peer::default();
    for _ in 0..N_PEERS {
        target.measure("reset");
        if let Some(time) = target.measure(name) {
            peer.time.add(time);
            peer.stall.add(target.measure("stall").unwrap_or(0.0));
        }
    }
    peer
}
