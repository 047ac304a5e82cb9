//! What a hunt costs a large target, beside the nearest job of objgraph, guppy and Pympler in the same
//! target: each of these runs in the target itself, and stops it.
//!
//! `cargo bench --bench hunt`; `LEAKHUNT_BENCH_OBJECTS=1000000` keeps to other sizes. A hunt is four
//! looks; a peer's row is one look. The longest stall is that of a thread that ticks each millisecond.

#[expect(dead_code, reason = "a hunt needs no session of its own")]
mod support;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::print;
use support::target::Target;

/// Looks of one hunt.
const N_SCANS: u32 = 4;

fn main() {
    let sizes = std::env::var("LEAKHUNT_BENCH_OBJECTS").unwrap_or_else(|_| "5000000".into());
    for size in sizes.split(',') {
        let size = size.trim().parse();
        measure(size.expect("LEAKHUNT_BENCH_OBJECTS holds numbers"));
    }
}

fn measure(n_objects: u64) {
    let mut target = Target::start(n_objects);
    let n_tracked = target.measure("objects").unwrap_or(0.0);
    let rss = memory(target.pid(), "VmRSS:");
    print(&format!(
        "{:.2} million tracked objects, {:.0} MB resident",
        n_tracked / 1e6,
        rss as f64 / 1e6
    ));
    print("                         seconds  longest stall (ms)  memory of its own (MB)");
    target.measure("reset");
    let (time, own) = hunt(target.pid());
    let stall = target.measure("stall").unwrap_or(0.0);
    row("leakhunt hunt, 4 looks", time.as_secs_f64(), stall, own);
    row(
        "  a look of these",
        time.as_secs_f64() / f64::from(N_SCANS),
        stall,
        own,
    );
    // guppy makes the `__dict__` of each instance, so it is the last to look.
    for (name, question) in [
        ("objgraph.growth()", "growth"),
        ("pympler muppy summary", "pympler"),
        ("guppy hpy().heap()", "guppy"),
    ] {
        let before = memory(target.pid(), "VmHWM:");
        target.measure("reset");
        match target.measure(question) {
            Some(millis) => {
                let stall = target.measure("stall").unwrap_or(0.0);
                let own = memory(target.pid(), "VmHWM:").saturating_sub(before);
                row(name, millis / 1000.0, stall, own);
            }
            None => print(&format!("{name}: not there")),
        }
    }
}

fn row(name: &str, seconds: f64, stall_ms: f64, own_bytes: u64) {
    let own = own_bytes as f64 / 1e6;
    print(&format!(
        "{name:<24} {seconds:7.1} {stall_ms:19.1} {own:23.0}"
    ));
}

/// How long a hunt takes, and the most memory that leakhunt had.
fn hunt(pid: u32) -> (Duration, u64) {
    let start = Instant::now();
    let mut hunt = Command::new(env!("CARGO_BIN_EXE_leakhunt"))
        .args([
            "hunt",
            "--json",
            "--quiet",
            "--for",
            "1s",
            "--max-pause",
            "10s",
        ])
        .args(["--scans", &N_SCANS.to_string(), "--pid", &pid.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("leakhunt starts");
    let mut most = 0;
    let status = loop {
        most = most.max(memory(hunt.id(), "VmHWM:"));
        if let Some(status) = hunt.try_wait().expect("it is a child") {
            break status;
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "the hunt came to its end: {status}");
    (start.elapsed(), most)
}

/// A line of a process's status, in bytes; 0 when it is gone.
fn memory(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
