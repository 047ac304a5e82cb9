//! A target with a heap of its own making: rows in a list that a module holds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leakhunt_wire::{
    Described, DumpObject, Edge, EdgeName, Ended, GraphEnd, GraphWriter, KeyText, Node, Note,
    Reply, Request, RootDef, RootKind, Shape, Traced, TypeDef, TypeFlags,
};

use super::LiveTarget;
use crate::budget::Memory;
use crate::door::OpenError;
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::session::Session;
use crate::session::fake::{Act, FakeAgent, describe_done, graph, graph_done, greeting, say};

const MODULES: u64 = 0x1000;
const KEY: u64 = 0x2000;
const LIST: u64 = 0x3000;
const ROWS: u64 = 0x10_000;

/// What the n-th look finds.
#[derive(Clone, Debug)]
pub(crate) enum Sees {
    /// So many rows.
    Rows(u64),
    /// A walk that ends so.
    Ends(Ended),
    /// Something else.
    Acts(Vec<Act>),
}

/// A target whose looks are given.
pub(crate) struct FakeTarget {
    looks: Rc<Vec<Sees>>,
    n_looks: Rc<Cell<usize>>,
    /// What else was asked, a word each.
    pub(crate) asked: Rc<RefCell<Vec<String>>>,
    pub(crate) n_opened: usize,
    pub(crate) memory: Memory,
}

impl FakeTarget {
    pub(crate) fn new(looks: Vec<Sees>) -> Self {
        Self {
            looks: Rc::new(looks),
            n_looks: Rc::default(),
            asked: Rc::default(),
            n_opened: 0,
            memory: Memory::default(),
        }
    }

    /// Another way into the same target.
    pub(crate) fn again(&self) -> Self {
        Self {
            looks: self.looks.clone(),
            n_looks: self.n_looks.clone(),
            asked: self.asked.clone(),
            n_opened: 0,
            memory: self.memory,
        }
    }
}

impl LiveTarget for FakeTarget {
    type Link = FakeAgent;

    fn open(&mut self) -> Result<Session<FakeAgent>, OpenError> {
        self.n_opened += 1;
        let (looks, n_looks, asked) =
            (self.looks.clone(), self.n_looks.clone(), self.asked.clone());
        let agent = FakeAgent::new(greeting(), move |request| match request {
            Request::Graph(request) => {
                asked
                    .borrow_mut()
                    .push(format!("graph {:?}", request.names));
                let index = n_looks.replace(n_looks.get() + 1);
                match looks.get(index) {
                    Some(Sees::Rows(n_rows)) => graph(&[&block(*n_rows)]),
                    Some(Sees::Ends(ended)) => vec![graph_done(*ended, 2)],
                    Some(Sees::Acts(acts)) => acts.clone(),
                    None => vec![Act::Exit],
                }
            }
            Request::Describe(request) => {
                asked.borrow_mut().push("describe".into());
                let mut acts = vec![say(&Reply::Attempt(1))];
                for wanted in request.objects.chunks(16) {
                    acts.push(described(u64::from_le_bytes(
                        wanted[..8].try_into().unwrap(),
                    )));
                }
                acts.push(describe_done(Ended::Whole));
                acts
            }
            Request::Trace(n_frames) => {
                asked.borrow_mut().push(format!("trace {n_frames}"));
                vec![say(&Reply::Traced(Traced::Done))]
            }
            other => panic!("not asked for: {other:?}"),
        });
        Ok(Session::greet(
            agent,
            Duration::from_millis(200),
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
        false
    }
}

fn described(address: u64) -> Act {
    let text = match address.checked_sub(ROWS) {
        Some(offset) => format!("<Row {}>", offset / 64),
        None => "something else".into(),
    };
    say(&Reply::Described(Described {
        object: DumpObject {
            address,
            size_bytes: 48,
            type_name: "app.Row",
            note: Note::Whole,
            text: &text,
        },
        file: "",
        made_at: "app.py:3\napp.py:9",
    }))
}

fn block(n_rows: u64) -> Vec<u8> {
    let mut buffer = vec![0; leakhunt_wire::MAX_BLOCK];
    let mut writer = GraphWriter::new(&mut buffer);
    let rows: Vec<u64> = (0..n_rows).map(|row| ROWS + 64 * row).collect();
    let tracked: Vec<u64> = [MODULES, LIST].into_iter().chain(rows.clone()).collect();
    assert_eq!(writer.order(2, false, &tracked), Ok(tracked.len()));
    let base = TypeFlags::COLLECTED;
    for (index, (module, name, flags)) in (0..).zip([
        ("", "dict", base | TypeFlags::DICT),
        ("", "str", TypeFlags::STR),
        ("", "list", base | TypeFlags::LIST),
        (
            "app",
            "Row",
            base | TypeFlags::PYTHON | TypeFlags::HEAP_TYPE,
        ),
    ]) {
        let def = TypeDef {
            index,
            address: 0x100 + 8 * u64::from(index),
            module,
            qualname: name,
            name,
            flags,
            basic_size: 48,
            base: 0,
        };
        writer.type_def(&def).unwrap();
    }
    let key = KeyText {
        address: KEY,
        text: "app",
        is_cut: false,
    };
    writer.key(&key).unwrap();
    let root = RootDef {
        kind: RootKind::Modules,
        address: MODULES,
        number: 0,
        text: "modules",
    };
    writer.root(&root).unwrap();
    node(&mut writer, MODULES, 0, Shape::Entries, &[KEY, LIST]);
    node(&mut writer, KEY, 1, Shape::Labelled, &[]);
    node(&mut writer, LIST, 2, Shape::Items, &rows);
    for &row in &rows {
        node(&mut writer, row, 3, Shape::Labelled, &[]);
    }
    let end = GraphEnd {
        n_nodes: 3 + n_rows,
        n_edges: 2 + n_rows,
        n_tracked: 2 + n_rows,
        walk_us: 10,
        bare_walk_us: 0,
        capture_us: 20,
        own_bytes: 4096,
        is_during_collection: false,
        n_full_collections: 1,
    };
    writer.end(&end).unwrap();
    writer.bytes().to_vec()
}

fn node(writer: &mut GraphWriter<'_>, address: u64, type_index: u32, shape: Shape, to: &[u64]) {
    writer
        .node(&Node {
            address,
            type_index,
            size_bytes: 48,
            reference_count: Some(1),
            is_tracked: type_index != 1,
            holds_type: false,
            shape,
        })
        .unwrap();
    for (place, &target) in (0..).zip(to) {
        let name = EdgeName::Position(place);
        writer.edge(&Edge { target, name }).unwrap();
    }
    writer.end_node();
}
