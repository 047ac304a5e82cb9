//! The graph of the heap against what the interpreter says of its objects.

use std::collections::{BTreeMap, BTreeSet};

use leakhunt_wire::{
    EdgeName, Ended, GraphEnd, GraphReader, GraphRequest, MAX_PACKET, Names, Node, Place, Record,
    Reply, Request, Shape, StateKind, TypeFlags,
};
use pyo3::prelude::*;

use super::{alone, run};
use crate::{Session, open};

const GRAPH: GraphRequest = GraphRequest {
    place: Place::Copy,
    refused_max_objects: 0,
    names: Names::Small,
    collect: false,
    time_bare_walk: false,
    time_limit_ms: 60_000,
    memory_limit_bytes: 1 << 30,
};

struct Object {
    node: Node,
    edges: Vec<(u64, EdgeName)>,
}

#[derive(Default)]
struct Graph {
    objects: BTreeMap<u64, Object>,
    /// Address, name and flags.
    types: BTreeMap<u32, (u64, String, u32)>,
    fields: BTreeMap<u32, Vec<String>>,
    labels: BTreeMap<u32, String>,
    keys: BTreeMap<u64, String>,
    states: BTreeMap<u64, (StateKind, u64)>,
    n_ordered: u64,
    n_roots: u64,
    end: Option<GraphEnd>,
}

impl Graph {
    fn add_block(&mut self, block: &[u8]) {
        let mut reader = GraphReader::new(block);
        while let Some(record) = reader.record().unwrap() {
            let address = match record {
                Record::Type(def) => {
                    let entry = (def.address, def.qualname.to_owned(), def.flags);
                    assert!(self.types.insert(def.index, entry).is_none());
                    continue;
                }
                Record::Field(def) => {
                    let fields = self.fields.entry(def.type_index).or_default();
                    fields.push(def.text.to_owned());
                    continue;
                }
                Record::Label(def) => {
                    self.labels.insert(def.index, def.text.to_owned());
                    continue;
                }
                Record::Key(key) => {
                    let text = key.text.to_owned();
                    assert!(self.keys.insert(key.address, text).is_none(), "sent twice");
                    continue;
                }
                Record::Order(head) => {
                    self.n_ordered += u64::from(head.n_objects);
                    continue;
                }
                Record::State(state) => {
                    let known = (state.kind, state.number);
                    assert!(self.states.insert(state.address, known).is_none());
                    continue;
                }
                Record::Collector(_) => continue,
                Record::Root(_) => {
                    self.n_roots += 1;
                    continue;
                }
                Record::End(end) => {
                    self.end = Some(end);
                    continue;
                }
                Record::More(more) => more.address,
                Record::Node(node) => {
                    let object = Object {
                        node,
                        edges: Vec::new(),
                    };
                    let before = self.objects.insert(node.address, object);
                    assert!(before.is_none(), "an object was sent twice");
                    node.address
                }
            };
            while let Some(edge) = reader.edge().unwrap() {
                let edges = &mut self.objects.get_mut(&address).unwrap().edges;
                edges.push((edge.target, edge.name));
            }
        }
    }

    /// What an object refers to, under the names that Python code would use.
    fn names(&self, address: u64) -> Vec<(String, u64)> {
        let object = &self.objects[&address];
        let fields = self.fields.get(&object.node.type_index);
        let name = |name| match (name, object.node.shape) {
            (EdgeName::None, _) => "?".to_owned(),
            (EdgeName::Label(label), _) => self.labels[&label].clone(),
            (EdgeName::Position(place), Shape::Fields) => fields.unwrap()[place as usize].clone(),
            (EdgeName::Position(place), _) => place.to_string(),
        };
        let set = object.edges.iter().filter(|(target, _)| *target != 0);
        set.map(|&(target, own)| (name(own), target)).collect()
    }

    fn is_frame(&self, object: &Object) -> bool {
        self.types[&object.node.type_index].2 & TypeFlags::FRAME != 0
    }

    /// Objects that more references lead to than their count tells: those from running frames and
    /// from keys of shared tables aside.
    fn counted_twice(&self) -> BTreeSet<String> {
        let mut in_degree = BTreeMap::<u64, u64>::new();
        for object in self
            .objects
            .values()
            .filter(|object| !self.is_frame(object))
        {
            if object.node.holds_type {
                let class = self.types[&object.node.type_index].0;
                *in_degree.entry(class).or_default() += 1;
            }
            for &(target, name) in &object.edges {
                let is_key = object.node.shape == Shape::SharedEntries
                    && matches!(name, EdgeName::Position(place) if place % 2 == 0);
                *in_degree.entry(target).or_default() += u64::from(!is_key);
            }
        }
        let rows = in_degree.into_iter().filter(|&(address, in_degree)| {
            let object = self.objects.get(&address);
            let count = object.and_then(|object| object.node.reference_count);
            count.is_some_and(|count| in_degree > count)
        });
        let class = |address| &self.types[&self.objects[&address].node.type_index].1;
        rows.map(|(address, _)| class(address).clone()).collect()
    }
}

fn graph(session: &Session, request: GraphRequest) -> Graph {
    session.send(&Request::Graph(request)).unwrap();
    let mut graph = Graph::default();
    let mut buffer = [0; MAX_PACKET];
    loop {
        match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
            Reply::Block(block) if block.raw_len == 0 => graph.add_block(block.bytes),
            Reply::Block(block) => {
                let raw = lz4_flex::block::decompress(block.bytes, block.raw_len as usize);
                graph.add_block(&raw.unwrap());
            }
            Reply::GraphDone(done) => {
                assert_eq!((done.ended, done.attempts), (Ended::Whole, 1));
                assert_eq!(done.place, request.place);
                return graph;
            }
            _ => {}
        }
    }
}

/// Objects, and what each refers to: `name, referent` in turn.
const FAMILY: &str = "
import builtins, collections, functools
class Slots: __slots__ = ('a', 'b')
class Plain: pass
class Items(list): __slots__ = ('extra',)
class Failure(Exception): pass
leaf = object()
slots = Slots(); slots.b = leaf
plain = Plain(); plain.name = leaf; plain.other = slots
owner = Plain(); owner.name = plain; owner.__dict__['late'] = leaf
items = Items([plain, leaf]); items.extra = slots
table = {'key': leaf, slots: plain}
members = {leaf}
queue = collections.deque([slots, leaf] * 100); queue.popleft()
def outer():
    def inner(): return leaf_of_cell
    leaf_of_cell = [leaf]
    return inner
inner = outer()
failure = Failure(leaf); failure.__cause__ = Failure(1); failure.note = plain
bound = plain.__init__
partial = functools.partial(print, leaf)
expected = [
    (slots, ['b', leaf]),
    (items, ['0', plain, '1', leaf, 'extra', slots]),
    ((plain, leaf), ['0', plain, '1', leaf]),
    (table, ['0', 'key', '1', leaf, '2', slots, '3', plain]),
    (members, ['0', leaf]),
    (queue, ['0', leaf, '1', slots, '198', leaf]),
    (inner, ['__closure__', inner.__closure__, '__code__', inner.__code__, '__globals__', globals()]),
    (inner.__closure__[0], ['cell_contents', inner.__closure__[0].cell_contents]),
    (failure, ['args', failure.args, '__cause__', failure.__cause__, '__dict__', failure.__dict__]),
    (partial, ['args', partial.args, 'func', print]),
    (Plain, ['__dict__', None, '__mro__', Plain.__mro__, '__name__', Plain.__name__]),
]
builtins.leakhunt_family = expected
rows = [(id(o), [(n, id(t)) for n, t in zip(e[::2], e[1::2]) if t is not None]) for o, e in expected]
attributes = [(id(o), [id(v) for v in vs]) for o, vs in [(owner, (plain, leaf)), (plain, (leaf, slots))]]
key = id(list(table)[0])
";

#[test]
fn a_graph_shows_what_objects_refer_to_and_under_which_names() {
    let _alone = alone();
    type Rows = Vec<(u64, Vec<(String, u64)>)>;
    let (rows, attributes, key) = Python::attach(|py| {
        let globals = run(py, FAMILY);
        let get = |name| globals.get_item(name).unwrap().unwrap();
        let rows = get("rows").extract::<Rows>().unwrap();
        let attributes = get("attributes").extract::<Vec<(u64, Vec<u64>)>>().unwrap();
        (rows, attributes, get("key").extract::<u64>().unwrap())
    });
    let session = open().unwrap();
    for place in [Place::Copy, Place::Target] {
        let graph = graph(&session, GraphRequest { place, ..GRAPH });
        for (object, expected) in &rows {
            let names = graph.names(*object);
            for row in expected {
                assert!(names.contains(row), "{row:?} is not in {names:?}");
            }
        }
        // Attributes are the object's own, or of its `__dict__`, which may be but a view of them.
        for (object, values) in &attributes {
            let own = graph.names(*object);
            let dict = own.iter().find(|(name, _)| name == "__dict__");
            let in_dict = dict.map_or_else(Vec::new, |&(_, dict)| graph.names(dict));
            for value in values {
                let n_found = own.iter().chain(&in_dict).filter(|(_, own)| own == value);
                assert_eq!(n_found.count(), 1, "{own:?} {in_dict:?}");
            }
        }
        assert_eq!(graph.keys[&key], "key");
        let end = graph.end.unwrap();
        assert_eq!(end.n_nodes, graph.objects.len() as u64);
        assert_eq!(end.n_tracked, graph.n_ordered);
        assert!(graph.n_roots >= 3, "{} roots", graph.n_roots);
        let targets = graph.objects.values().flat_map(|object| &object.edges);
        for &(target, _) in targets {
            assert!(target == 0 || graph.objects.contains_key(&target));
        }
        // 3.11 has code whose constants are not counted.
        let wrong = graph.counted_twice();
        assert!(wrong.iter().all(|class| class == "bool"), "{wrong:?}");
    }
}

#[test]
fn what_a_type_borrows_or_has_on_a_free_list_is_not_counted() {
    let _alone = alone();
    let (connection, error) = Python::attach(|py| {
        let code = "
import asyncio, builtins, sqlite3
builtins.leakhunt_connection = connection = sqlite3.connect(':memory:')
iterator = iter(asyncio.Future(loop=asyncio.new_event_loop()))
del iterator";
        let globals = run(py, code);
        let get = |name| globals.get_item(name).unwrap().unwrap();
        let address = |object: Bound<'_, PyAny>| object.as_ptr() as u64;
        let error = get("connection").getattr("Error").unwrap();
        (address(get("connection")), address(error))
    });
    let graph = graph(&open().unwrap(), GRAPH);
    let own = graph.names(connection);
    assert!(own.iter().all(|&(_, target)| target != error), "{own:?}");
    let wrong = graph.counted_twice();
    assert!(wrong.iter().all(|class| class == "bool"), "{wrong:?}");
}

#[test]
fn hidden_keys_stay_and_names_of_attributes_leave() {
    let _alone = alone();
    let (key, attribute) = Python::attach(|py| {
        let code = "
import builtins
class Plain: pass
o = Plain(); setattr(o, 'leakhunt ' + 'attribute', 1); d = o.__dict__
d[0] = 1
del d[0]
builtins.leakhunt_hidden = [{'leakhunt ' + 'key': 1}, o]
key = id(list(builtins.leakhunt_hidden[0])[0]); attribute = id(list(d)[0])";
        let globals = run(py, code);
        let get = |name| globals.get_item(name).unwrap().unwrap().extract::<u64>();
        (get("key").unwrap(), get("attribute").unwrap())
    });
    let session = open().unwrap();
    for (names, is_sent) in [
        (Names::Hidden, false),
        (Names::Small, true),
        (Names::All, true),
    ] {
        let graph = graph(&session, GraphRequest { names, ..GRAPH });
        assert_eq!(graph.keys.contains_key(&key), is_sent, "{names:?}");
        assert!(graph.keys.contains_key(&attribute), "{names:?}");
    }
}
