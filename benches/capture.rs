//! How long a capture of the graph takes and stalls the target, against a bare chase of the collector's
//! lists, a capture in the target itself, and guppy's `heap()`; and what becomes of it here.
//!
//! `cargo bench --bench capture`; `LEAKHUNT_BENCH_OBJECTS=1000000` keeps to some sizes. Goals: the
//! capture takes at most 3.5 times as long as the bare chase, at a million objects and more the longest
//! stall of a thread that ticks each millisecond is at least 20 times shorter than in place, an object
//! takes at most 9 bytes on the wire, and the copy's own memory is at most 4 % of the target's.

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use leakhunt_heap::{Assembler, Capture, Snapshot, SnapshotPart, read_snapshot, write_snapshot};
use leakhunt_wire::{
    Ended, GraphEnd, GraphReader, GraphRequest, Names, Place, Record, Reply, Request,
};
use support::print;
use support::session::{Session, agent};
use support::statistics::Sample;
use support::target::Target;

const N_CAPTURES: usize = 5;

#[derive(Debug, Default)]
struct Captures {
    stall: Sample,
    pause: Sample,
    whole: Sample,
    capture: Sample,
    walk: Sample,
    bare_walk: Sample,
    last: Option<Stream>,
}

/// What one capture sent.
#[derive(Debug)]
struct Stream {
    assembler: Assembler,
    n_wire_bytes: u64,
    n_raw_bytes: u64,
    end: GraphEnd,
}

fn main() {
    let sizes = std::env::var("LEAKHUNT_BENCH_OBJECTS");
    let sizes = sizes.unwrap_or_else(|_| "1000000,5000000".into());
    for size in sizes.split(',') {
        let size = size.trim().parse();
        measure(size.expect("LEAKHUNT_BENCH_OBJECTS holds numbers"));
    }
}

fn measure(n_objects: u64) {
    let mut target = Target::start(n_objects);
    let n_tracked = target.measure("objects").unwrap_or(0.0);
    let rss = rss_bytes(target.pid());
    print(&format!(
        "{:.2} million tracked objects, {:.0} MB resident; milliseconds",
        n_tracked / 1e6,
        rss / 1e6
    ));
    let mut quiet = Sample::default();
    for _ in 0..N_CAPTURES {
        target.measure("reset");
        target.measure("rest");
        quiet.add(target.measure("stall").unwrap_or(0.0));
    }
    let mut session = Session::open(target.pid(), &agent());
    print(&format!(
        "  attached in {:.1}, its thread stopped for {:.2}",
        session.first_answer.as_secs_f64() * 1000.0,
        session.report.stopped.as_secs_f64() * 1000.0
    ));
    let copied = captures(&mut target, &mut session, Place::Copy, N_CAPTURES);
    let in_place = captures(&mut target, &mut session, Place::Target, 3);
    session.close();
    print(&format!("  stall with nothing       {quiet}"));
    print(&format!("  capture: stall           {}", copied.stall));
    print(&format!("  capture: pause           {}", copied.pause));
    print(&format!("  capture: in all          {}", copied.whole));
    print(&format!("  capture: in the copy     {}", copied.capture));
    print(&format!("  capture: of it the lists {}", copied.walk));
    print(&format!("  bare chase of the lists  {}", copied.bare_walk));
    print(&format!("  in place: stall          {}", in_place.stall));
    let ratio = copied.capture.median() / copied.bare_walk.median();
    print(&format!("  capture / bare chase: {ratio:.2}, goal: <= 3.5"));
    let ratio = in_place.stall.median() / copied.stall.median();
    print(&format!(
        "  in place stalls {ratio:.1} times as long as a capture, goal: >= 20"
    ));
    let stream = copied.last.expect("there were captures");
    tell_of_the_wire(&stream, rss);
    // guppy makes the `__dict__` of each instance, so it is the last to look.
    target.measure("reset");
    if let Some(time) = target.measure("guppy") {
        let stall = target.measure("stall").unwrap_or(0.0);
        let ratio = stall / copied.stall.median();
        print(&format!(
            "  guppy's heap(): {time:.0}, stall {stall:.0}, {ratio:.1} times as long as a capture"
        ));
    }
    drop(target);
    tell_of_the_snapshot(stream);
}

/// Resident memory of a process.
fn rss_bytes(pid: u32) -> f64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).expect("the target runs");
    let n_pages = statm.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    n_pages.unwrap_or(0.0) * 4096.0
}

fn captures(target: &mut Target, session: &mut Session, place: Place, n: usize) -> Captures {
    let mut captures = Captures::default();
    for _ in 0..n {
        target.measure("reset");
        let start = Instant::now();
        let (stream, pause_us) = capture(session, place);
        captures.whole.add_time(start.elapsed());
        captures.stall.add(target.measure("stall").unwrap_or(0.0));
        captures.pause.add(pause_us as f64 / 1000.0);
        captures.capture.add(stream.end.capture_us as f64 / 1000.0);
        captures.walk.add(stream.end.walk_us as f64 / 1000.0);
        captures
            .bare_walk
            .add(stream.end.bare_walk_us as f64 / 1000.0);
        captures.last = Some(stream);
    }
    captures
}

fn capture(session: &mut Session, place: Place) -> (Stream, u64) {
    let request = GraphRequest {
        place,
        refused_max_objects: 0,
        names: Names::Small,
        collect: false,
        time_bare_walk: true,
        time_limit_ms: 120_000,
        memory_limit_bytes: 4 << 30,
    };
    let mut assembler = Assembler::new();
    let (mut n_wire_bytes, mut n_raw_bytes, mut last_block) = (0, 0, (0, Vec::new()));
    let (ended, pause_us) = session.ask(&Request::Graph(request), |reply| {
        match reply {
            Reply::Block(block) => {
                let (raw_len, bytes) = (block.raw_len, block.bytes);
                n_wire_bytes += bytes.len() as u64;
                n_raw_bytes += u64::from(raw_len.max(bytes.len() as u32));
                last_block = (raw_len, bytes.to_vec());
                assembler
                    .push(raw_len, bytes)
                    .expect("the agent sends blocks");
            }
            Reply::GraphDone(done) => return Some((done.ended, done.pause_us)),
            _ => {}
        }
        None
    });
    assert_eq!(ended, Ended::Whole, "the capture came to its end");
    let stream = Stream {
        assembler,
        n_wire_bytes,
        n_raw_bytes,
        end: end_of(&last_block.1, last_block.0),
    };
    (stream, pause_us)
}

/// The last record of the last block.
fn end_of(block: &[u8], raw_len: u32) -> GraphEnd {
    let raw = match raw_len {
        0 => block.to_vec(),
        raw_len => lz4_flex::block::decompress(block, raw_len as usize).expect("it is LZ4"),
    };
    let mut reader = GraphReader::new(&raw);
    let mut end = None;
    while let Some(record) = reader.record().expect("it holds records") {
        if let Record::End(found) = record {
            end = Some(found);
        }
    }
    end.expect("the last block has the end")
}

fn tell_of_the_wire(stream: &Stream, rss: f64) {
    let (n_nodes, n_edges) = (stream.end.n_nodes as f64, stream.end.n_edges as f64);
    print(&format!(
        "  {:.2} million objects with {:.2} million references: {:.2} bytes an object on the wire, \
         goal: <= 9; {:.2} before compression, goal: <= 16",
        n_nodes / 1e6,
        n_edges / 1e6,
        stream.n_wire_bytes as f64 / n_nodes,
        stream.n_raw_bytes as f64 / n_nodes
    ));
    print(&format!(
        "  the copy takes {:.1} MB for itself: {:.2} % of the target's memory, goal: <= 4",
        stream.end.own_bytes as f64 / 1e6,
        stream.end.own_bytes as f64 / rss * 100.0
    ));
}

/// How long it takes to make a snapshot of the stream, to write it and to read it.
fn tell_of_the_snapshot(stream: Stream) {
    let start = Instant::now();
    let snapshot = stream.assembler.finish(Capture::default());
    let snapshot = snapshot.expect("the stream is whole");
    print(&format!(
        "  assembled in {:.2} s",
        start.elapsed().as_secs_f64()
    ));
    let folder = std::env::temp_dir().join(format!("leakhunt-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is room for the snapshot");
    let start = Instant::now();
    let create = |part: SnapshotPart| File::create(folder.join(part.file_name()));
    write_snapshot(&snapshot, create).expect("it can be written");
    let n_bytes: u64 = SnapshotPart::ALL
        .iter()
        .filter_map(|part| fs::metadata(folder.join(part.file_name())).ok())
        .map(|file| file.len())
        .sum();
    print(&format!(
        "  written in {:.2} s: {:.2} bytes an object",
        start.elapsed().as_secs_f64(),
        n_bytes as f64 / snapshot.n_objects() as f64
    ));
    drop(snapshot);
    let start = Instant::now();
    let loaded = load(&folder);
    print(&format!(
        "  {:.2} million objects loaded in {:.2} s",
        loaded.n_objects() as f64 / 1e6,
        start.elapsed().as_secs_f64()
    ));
    let _ = fs::remove_dir_all(&folder);
}

fn load(folder: &Path) -> Snapshot {
    let meta = fs::read(folder.join(SnapshotPart::Meta.file_name())).expect("it was written");
    let open = |part: SnapshotPart| File::open(folder.join(part.file_name()));
    read_snapshot(&meta, open).expect("what was written can be read")
}
