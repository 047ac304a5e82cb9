//! How long an attach takes, and how long the one thread of the target stands still for it.
//!
//! `cargo bench --bench attach`. Goals: first answer from an idle target within 10 ms, its thread
//! stopped for at most 1 ms, both medians. Beside it, in the same run: how long gdb takes to get in
//! and out of the same process, which it stops for all that time.

mod support;

use std::process::{Command, Stdio};
use std::time::Instant;

use support::print;
use support::session::{Session, agent};
use support::statistics::Sample;
use support::target::Target;

const N_ATTACHES: usize = 200;
const N_GDB: usize = 5;

fn main() {
    let image = agent();
    let mut target = Target::start(1_000);
    let n_objects = target.measure("objects").unwrap_or(0.0);
    let (mut first_answer, mut stopped, mut detach) =
        (Sample::default(), Sample::default(), Sample::default());
    for _ in 0..N_ATTACHES {
        let session = Session::open(target.pid(), &image);
        first_answer.add_time(session.first_answer);
        stopped.add_time(session.report.stopped);
        let start = Instant::now();
        session.close();
        detach.add_time(start.elapsed());
    }
    print(&format!(
        "attach to an idle target with {n_objects} objects, milliseconds"
    ));
    print(&format!(
        "  first answer     {first_answer}  goal: median <= 10"
    ));
    print(&format!("  thread stopped   {stopped}  goal: median <= 1"));
    print(&format!("  detach           {detach}"));
    let gdb = gdb(&target);
    if gdb.median() > 0.0 {
        print(&format!("  gdb in and out   {gdb}"));
        print(&format!(
            "  gdb stops the target {:.0} times as long as leakhunt stops its thread",
            gdb.median() / stopped.median()
        ));
    }
}

/// How long gdb takes; empty where there is none.
fn gdb(target: &Target) -> Sample {
    let mut sample = Sample::default();
    for _ in 0..N_GDB {
        let mut gdb = Command::new("gdb");
        gdb.args(["-q", "-nx", "-batch", "-p"])
            .arg(target.pid().to_string());
        gdb.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        if gdb.status().is_ok_and(|status| status.success()) {
            sample.add_time(start.elapsed());
        }
    }
    sample
}
