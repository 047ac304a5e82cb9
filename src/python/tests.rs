//! The agent against the interpreter's own answers, in one process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use leakhunt_wire::{
    CensusRequest, Count, DescribeRequest, DumpRequest, Ended, MAX_PACKET, Place, Reply, Request,
    Traced, WalkDone, WalkEnd,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{Session, open};

mod graph;
mod probe;

const CENSUS: CensusRequest = CensusRequest {
    place: Place::Copy,
    in_place_max_objects: 0,
    refused_max_objects: 0,
    collect: false,
    garbage: true,
    time_bare_walk: true,
    time_limit_ms: 60_000,
    memory_limit_bytes: 1 << 30,
};

#[derive(Debug, Default)]
struct Census {
    types: BTreeMap<String, (Count, bool)>,
    garbage: BTreeMap<String, Count>,
    end: Option<WalkEnd>,
    done: Option<(Ended, u32, Place)>,
}

fn census(session: &Session, request: CensusRequest) -> Census {
    session.send(&Request::Census(request)).unwrap();
    let mut census = Census::default();
    let mut names = BTreeMap::new();
    let mut buffer = [0; MAX_PACKET];
    loop {
        match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
            Reply::Type(row) => {
                let name = match row.module {
                    "" => row.qualname.to_owned(),
                    module => format!("{module}.{}", row.qualname),
                };
                names.insert(row.address, name.clone());
                let sum = &mut census.types.entry(name).or_insert((NONE, false));
                // 3.12.1 freezes some tuples of its own, which `gc.get_objects` does not show.
                sum.0.n_objects += row.all.n_objects - row.frozen.n_objects;
                sum.0.size_bytes += row.all.size_bytes - row.frozen.size_bytes;
                sum.1 |= row.is_estimate;
            }
            Reply::WalkEnd(end) => census.end = Some(end),
            Reply::Garbage(row) => {
                census
                    .garbage
                    .insert(names[&row.type_address].clone(), row.count);
            }
            Reply::CensusDone(WalkDone {
                ended,
                attempts,
                place,
                ..
            }) => {
                census.done = Some((ended, attempts, place));
                return census;
            }
            Reply::Hello | Reply::Ready(_) | Reply::Attempt(_) | Reply::GarbageEnd(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// The tests share one interpreter, whose heap each of them looks at.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

const NONE: Count = Count {
    n_objects: 0,
    size_bytes: 0,
};

/// Runs Python code and answers its globals.
fn run<'py>(py: Python<'py>, code: &str) -> Bound<'py, PyDict> {
    let globals = PyDict::new(py);
    let code = std::ffi::CString::new(code).unwrap();
    py.run(&code, Some(&globals), None).unwrap();
    globals
}

const ZOO: &str = r#"
import gc, sys, collections, array, io, itertools, functools, types
class Plain: pass
class Slots: __slots__ = ('a', 'b')
class Nested:
    class Inner(dict): pass
class Text(str): pass
class Number(int): pass
class Items(list): pass
class Deque(collections.deque): pass
class Sized:
    def __sizeof__(self): return 12345
def generate(a, b=1):
    c = a; yield c
async def coroutine(): pass
async def asyncgen():
    yield 1
def frame():
    try: 1 / 0
    except ZeroDivisionError as error: return error
keep = [Plain() for _ in range(100)] + [Slots() for _ in range(50)] + [Nested.Inner({i: i}) for i in range(30)]
for index, plain in enumerate(keep[:100]):
    if index % 2: plain.name, plain.index = str(index), index
    if index % 3: plain.__dict__['late'] = index
keep += [Text('abc' * n) for n in range(20)] + [Text('\u20ac' * n) for n in range(20)] + [Number(-1 << n) for n in range(0, 200, 10)] + [Number(0)]
keep += [Items(range(n)) for n in range(30)] + [Deque(range(n * 11)) for n in range(40)] + [collections.deque([1])]
keep += [collections.OrderedDict((i, i) for i in range(n * 7)) for n in range(20)] + [collections.Counter(range(9)), collections.defaultdict(list, {1: [2]})]
keep += [set(range(n)) for n in range(0, 300, 7)] + [frozenset(map(str, range(n))) for n in range(0, 90, 7)]
keep += [{i: str(i) for i in range(n)} for n in range(0, 3000, 101)] + [{str(i): i for i in range(n)} for n in range(0, 300, 11)]
for d in keep[-20:]: d['x'] = [1]; d.pop('0', None)
keep += [array.array('d', range(n)) for n in range(20)] + [io.BytesIO(b'x' * n) for n in range(20)] + [io.StringIO('x')]
keep += [generate(1), generate(2), coroutine(), asyncgen(), frame(), functools.partial(print, 1), functools.lru_cache(len), Sized(), types.SimpleNamespace(a=1)]
next(keep[-8] if isinstance(keep[-8], types.GeneratorType) else generate(3))
used = generate(4); list(used); keep.append(used)
keep += [(1, [i]) for i in range(9)] + [memoryview(b'abc'), iter([1]), zip([1]), map(len, [1]), slice([1]), classmethod(len), property(len)]
frames = []
def deep(n):
    frames.append(sys._getframe())
    if n: deep(n - 1)
deep(5)
"#;

#[test]
fn counts_and_sizes_are_those_of_the_interpreter() {
    let _alone = alone();
    let oracle = Python::attach(|py| {
        let globals = run(py, &format!("{ZOO}\ngc.collect(); gc.disable()"));
        globals.unbind()
    });
    let session = open().unwrap();
    // Answers what is alive besides its own work: nothing is allocated between the two looks but
    // what the loop below leaves out.
    let warm = census(&session, CENSUS);
    assert_eq!(
        warm.done,
        Some((Ended::Whole, 1, Place::Copy)),
        "{:?}",
        warm.end
    );
    let seen = census(&session, CENSUS);
    // While it is there the interpreter shows the agent's own objects, which the agent does not.
    drop(session);
    let (counts, sizes) = Python::attach(|py| {
        let globals = oracle.bind(py);
        let code = c"
def name(t):
    return t.__qualname__ if t.__module__ == 'builtins' else f'{t.__module__}.{t.__qualname__}'
objects = gc.get_objects()
counts = {}; sizes = {}
for o in objects:
    if o is globals() or o is objects: continue
    n = name(type(o)); counts[n] = counts.get(n, 0) + 1; sizes[n] = sizes.get(n, 0) + sys.getsizeof(o)
";
        py.run(code, Some(globals), None).unwrap();
        let get = |name: &str| {
            globals
                .get_item(name)
                .unwrap()
                .unwrap()
                .extract::<BTreeMap<String, u64>>()
                .unwrap()
        };
        (get("counts"), get("sizes"))
    });
    let mut wrong = Vec::new();
    let mut estimates = Vec::new();
    for (name, &(sum, is_estimate)) in &seen.types {
        let count = counts.get(name).copied().unwrap_or(0);
        let size = sizes.get(name).copied().unwrap_or(0);
        // The looking itself makes and drops a few of these.
        let tolerance = match name.as_str() {
            "dict" | "tuple" | "function" | "list" | "frame" | "cell" => 8,
            _ => 0,
        };
        if sum.n_objects.abs_diff(count) > tolerance {
            wrong.push(format!("{name}: {} objects, not {count}", sum.n_objects));
        } else if is_estimate {
            estimates.push(name.clone());
        } else if sum.n_objects == count && sum.size_bytes != size && tolerance == 0 {
            wrong.push(format!("{name}: {} bytes, not {size}", sum.size_bytes));
        } else if sum.size_bytes.abs_diff(size) > tolerance * 2048 {
            wrong.push(format!(
                "{name}: {} bytes, not about {size}",
                sum.size_bytes
            ));
        }
    }
    println!("sizes are estimates of {estimates:?}; {:?}", seen.end);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.types.len() > 50);
}

#[test]
fn garbage_is_what_a_collection_finds() {
    let _alone = alone();
    let session = open().unwrap();
    Python::attach(|py| {
        run(py, "import gc\nwhile gc.collect(): pass\ngc.disable()");
    });
    let before = census(&session, CENSUS);
    assert!(before.garbage.is_empty(), "{:?}", before.garbage);
    Python::attach(|py| {
        run(
            py,
            "
class Node: pass
class Live: pass
import builtins
builtins.leakhunt_live = Live(); builtins.leakhunt_live.me = builtins.leakhunt_live
for _ in range(1000):
    a, b = Node(), Node(); a.other = b; b.other = a; b.list = [a]
del a, b",
        );
    });
    for place in [Place::Copy, Place::Target] {
        let seen = census(&session, CensusRequest { place, ..CENSUS });
        assert_eq!(seen.done.map(|done| done.2), Some(place));
        assert_eq!(seen.garbage["Node"].n_objects, 2000, "{place:?}");
        assert!(!seen.garbage.contains_key("Live"), "{place:?}");
        let n_garbage: u64 = seen.garbage.values().map(|count| count.n_objects).sum();
        println!("{place:?}: {n_garbage} {:?} {:?}", seen.garbage, seen.end);
        if place == Place::Target {
            let found = Python::attach(|py| {
                run(py, "import gc; found = gc.collect()")
                    .get_item("found")
                    .unwrap()
                    .unwrap()
                    .extract::<u64>()
                    .unwrap()
            });
            assert_eq!(found, n_garbage);
        }
    }
    let after = census(&session, CENSUS);
    assert!(after.garbage.is_empty(), "{:?}", after.garbage);
}

#[test]
fn a_dump_shows_what_repr_says_and_survives_what_it_does() {
    let _alone = alone();
    Python::attach(|py| {
        run(
            py,
            "
import builtins, os
class Shown:
    def __init__(self, n): self.n = n
    def __repr__(self):
        if self.n == 1: raise ValueError('no')
        if self.n == 2:
            while True: pass
        if self.n == 3: os.abort()
        builtins.leakhunt_touched = True
        return f'<shown {self.n}>'
Shown.__module__ = 'shop'
builtins.leakhunt_shown = [Shown(n) for n in range(5)]",
        );
    });
    let session = open().unwrap();
    let request = DumpRequest {
        type_name: "shop.Shown",
        limit: 0,
        max_chars: 0,
        safe: false,
        object_time_limit_ms: 300,
        time_limit_ms: 60_000,
    };
    let mut texts = Vec::new();
    for safe in [false, true] {
        session
            .send(&Request::Dump(DumpRequest { safe, ..request }))
            .unwrap();
        let mut buffer = [0; MAX_PACKET];
        loop {
            match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
                Reply::Object(object) => texts.push((object.note, object.text.to_owned())),
                Reply::DumpDone(done) => {
                    assert_eq!((done.n_matching, done.ended), (5, Ended::Whole));
                    break;
                }
                _ => {}
            }
        }
    }
    use leakhunt_wire::Note::{Crashed, Raised, TimedOut, Whole};
    let expected = [
        (Whole, "<shown 0>"),
        (Raised, "Failed to serialize <class 'shop.Shown'>"),
        (TimedOut, ""),
        (Crashed, ""),
        (Whole, "<shown 4>"),
    ];
    let shown: Vec<_> = texts[..5]
        .iter()
        .map(|(note, text)| (*note, text.as_str()))
        .collect();
    assert_eq!(shown, expected);
    for (n, (_, text)) in texts[5..].iter().enumerate() {
        assert!(
            text.starts_with("<shop.Shown at 0x") && text.ends_with(&format!(": n={n}>")),
            "{text}"
        );
    }
    Python::attach(|py| {
        let touched = py
            .import("builtins")
            .unwrap()
            .hasattr("leakhunt_touched")
            .unwrap();
        assert!(!touched, "the target itself ran the repr");
    });
}

/// The answer to a wish to trace.
fn trace(session: &Session, n_frames: u32) -> Traced {
    session.send(&Request::Trace(n_frames)).unwrap();
    let mut buffer = [0; MAX_PACKET];
    loop {
        if let Reply::Traced(traced) = Reply::decode(session.receive(&mut buffer).unwrap()).unwrap()
        {
            return traced;
        }
    }
}

/// What Python says about its tracing: `(is it on, its limit of frames, modules of it)`.
fn tracing() -> (bool, u32, Vec<String>) {
    Python::attach(|py| {
        let code = "
import sys
before = [name for name in sys.modules if 'tracemalloc' in name]
import _tracemalloc
state = (_tracemalloc.is_tracing(), _tracemalloc.get_traceback_limit(), before)
if not before: del sys.modules['_tracemalloc']";
        let state = run(py, code).get_item("state").unwrap().unwrap();
        state.extract().unwrap()
    })
}

#[test]
fn tracing_ends_with_the_session_and_leaves_what_was_before() {
    let _alone = alone();
    let before = tracing();
    assert!(!before.0);
    let session = open().unwrap();
    assert_eq!(trace(&session, 0), Traced::Done);
    assert_eq!(trace(&session, 7), Traced::Done);
    assert_eq!(tracing(), (true, 7, before.2.clone()));
    assert_eq!(trace(&session, 3), Traced::Done);
    assert_eq!(tracing(), (true, 3, before.2.clone()));
    assert_eq!(trace(&session, 0), Traced::Done);
    assert_eq!(tracing(), before);
    assert_eq!(trace(&session, u32::MAX), Traced::Failed);
    assert_eq!(trace(&session, 5), Traced::Done);
    drop(session);
    assert_eq!(tracing(), before);
}

#[test]
fn an_interpreter_that_traces_can_be_entered_and_traces_on() {
    let _alone = alone();
    let before = tracing();
    let call = |code: &str| Python::attach(|py| drop(run(py, code)));
    call("import _tracemalloc; _tracemalloc.start(2)");
    let session = open().unwrap();
    assert_eq!(trace(&session, 9), Traced::WasOn);
    assert_eq!(trace(&session, 0), Traced::WasOn);
    drop(session);
    let after = tracing();
    assert_eq!((after.0, after.1), (true, 2));
    call(&format!(
        "import _tracemalloc; _tracemalloc.stop(); _tracemalloc.start({}); _tracemalloc.stop()",
        before.1
    ));
}

#[test]
fn an_object_is_described_only_while_it_is_the_one_that_was_meant() {
    let _alone = alone();
    let session = open().unwrap();
    assert_eq!(trace(&session, 4), Traced::Done);
    let pairs = Python::attach(|py| {
        let code = "
import builtins, json
class Thing:
    def __repr__(self): return 'a thing'
def make(): return Thing()
def pair(o): return [id(o), id(type(o))]
text = 'text ' * 3
keep = builtins.leakhunt_described = [make(), json, json.dumps, json.JSONEncoder, text]
pairs = [pair(o) for o in keep] + [[id(keep), id(dict)], [id(keep[0]) + 16, id(Thing)], [8, 8]]";
        let pairs = run(py, code).get_item("pairs").unwrap().unwrap();
        pairs.extract::<Vec<[u64; 2]>>().unwrap()
    });
    let objects: Vec<u8> = pairs
        .as_flattened()
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    for safe in [false, true] {
        let request = DescribeRequest {
            objects: &objects,
            max_chars: 0,
            safe,
            object_time_limit_ms: 1000,
            time_limit_ms: 60_000,
        };
        session.send(&Request::Describe(request)).unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; MAX_PACKET];
        loop {
            match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
                Reply::Described(described) => seen.push((
                    described.object.address,
                    described.object.text.to_owned(),
                    described.file.to_owned(),
                    described.made_at.to_owned(),
                )),
                Reply::DescribeDone(done) => {
                    assert_eq!((done.n_matching, done.ended), (5, Ended::Whole));
                    break;
                }
                _ => {}
            }
        }
        let addresses = |pairs: &[[u64; 2]]| pairs.iter().map(|pair| pair[0]).collect::<Vec<_>>();
        let seen_addresses: Vec<_> = seen.iter().map(|described| described.0).collect();
        assert_eq!(seen_addresses, addresses(&pairs[..5]));
        assert!(
            seen[0].3.starts_with("<string>:5\n<string>:"),
            "made at {:?}",
            seen[0].3
        );
        let ends = [
            "",
            "/json/__init__.py",
            "/json/__init__.py",
            "/json/encoder.py",
            "",
        ];
        for ((_, _, file, _), end) in seen.iter().zip(ends) {
            assert!(
                file.ends_with(end) && file.is_empty() == end.is_empty(),
                "{file:?}"
            );
        }
        assert_eq!(seen[4].1, "'text text text '");
        assert!(safe || seen[0].1 == "a thing", "{}", seen[0].1);
    }
    drop(session);
    Python::attach(|py| drop(run(py, "import builtins; del builtins.leakhunt_described")));
}
