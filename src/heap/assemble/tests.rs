use leakhunt_wire::{
    EdgeName, FieldDef, GraphEnd, GraphWriter, KeyText, LabelDef, LabelKind, More, NoRoom, RootDef,
    RootKind as SentRoot, StateDef, StateKind, TypeDef, TypeFlags,
};

use super::*;
use crate::snapshot::{ObjectState, RootKind};

/// Writes a stream, in blocks as small as are wanted, and keeps count for its end.
struct Stream {
    blocks: Vec<Vec<u8>>,
    most_bytes: usize,
    n_nodes: u64,
    n_edges: u64,
    n_tracked: u64,
}

type Write<'a> = &'a mut dyn FnMut(&mut GraphWriter<'_>) -> Result<(), NoRoom>;

impl Stream {
    fn new() -> Self {
        Self {
            blocks: Vec::new(),
            most_bytes: 256,
            n_nodes: 0,
            n_edges: 0,
            n_tracked: 0,
        }
    }

    /// A block of one record.
    fn write(&mut self, write: Write<'_>) {
        let mut block = vec![0; self.most_bytes.max(256)];
        let mut writer = GraphWriter::new(&mut block);
        write(&mut writer).expect("there is room");
        self.blocks.push(writer.bytes().to_vec());
    }

    fn types(&mut self) {
        for (index, (name, flags)) in [("list", 0), ("Row", TypeFlags::HEAP_TYPE), ("frame", 8)]
            .into_iter()
            .enumerate()
        {
            let def = TypeDef {
                index: index as u32,
                address: 0x100 * (index as u64 + 1),
                module: "",
                qualname: name,
                name,
                flags,
                basic_size: 40,
                base: 0,
            };
            self.write(&mut |writer| writer.type_def(&def));
        }
        for text in ["one", "other"] {
            let def = FieldDef {
                type_index: 1,
                text,
            };
            self.write(&mut |writer| writer.field(&def));
        }
    }

    fn label(&mut self, index: u32, kind: LabelKind, text: &str) {
        let def = LabelDef { index, kind, text };
        self.write(&mut |writer| writer.label(&def));
    }

    fn order(&mut self, list: u32, from_end: bool, places: &[u64]) {
        self.n_tracked += places.len() as u64;
        self.write(&mut |writer| {
            let n_written = writer.order(list, from_end, places)?;
            assert_eq!(n_written, places.len());
            Ok(())
        });
    }

    /// An object that goes on in as many blocks as it takes.
    fn node(&mut self, node: Node, edges: &[(u64, EdgeName)]) {
        self.n_nodes += 1;
        self.n_edges += u64::from(node.holds_type);
        let mut block = vec![0; self.most_bytes];
        let mut writer = GraphWriter::new(&mut block);
        writer.node(&node).expect("there is room");
        let mut position = 0;
        for &(target, name) in edges {
            self.n_edges += u64::from(target != 0);
            let edge = Edge { target, name };
            if writer.edge(&edge) == Err(NoRoom) {
                writer.end_node();
                self.blocks.push(writer.bytes().to_vec());
                writer.clear();
                let address = node.address;
                writer
                    .more(&More { address, position })
                    .and_then(|()| writer.edge(&edge))
                    .expect("there is room");
            }
            position += u64::from(matches!(name, EdgeName::Position(_)));
        }
        writer.end_node();
        self.blocks.push(writer.bytes().to_vec());
    }

    fn list(&mut self, address: u64, reference_count: u64, items: &[u64]) {
        let edges: Vec<_> = (0..)
            .zip(items)
            .map(|(place, &target)| (target, EdgeName::Position(place)))
            .collect();
        self.node(node(address, 0, Shape::Items, reference_count), &edges);
    }

    fn end(&mut self) {
        let end = GraphEnd {
            n_nodes: self.n_nodes,
            n_edges: self.n_edges,
            n_tracked: self.n_tracked,
            walk_us: 1,
            bare_walk_us: 0,
            capture_us: 7,
            own_bytes: 0,
            is_during_collection: true,
            n_full_collections: 3,
        };
        self.write(&mut |writer| writer.end(&end));
    }

    fn snapshot(&self) -> Result<Snapshot, AssembleError> {
        assemble(&self.blocks)
    }
}

fn assemble(blocks: &[Vec<u8>]) -> Result<Snapshot, AssembleError> {
    let mut assembler = Assembler::new();
    for (index, block) in blocks.iter().enumerate() {
        match index % 2 {
            0 => assembler.push(0, block)?,
            _ => assembler.push(block.len() as u32, &lz4_flex::block::compress(block))?,
        }
    }
    assembler.finish(Capture {
        pid: 42,
        ..Capture::default()
    })
}

fn node(address: u64, type_index: u32, shape: Shape, reference_count: u64) -> Node {
    Node {
        address,
        type_index,
        size_bytes: 56,
        reference_count: Some(reference_count),
        is_tracked: true,
        holds_type: type_index == 1,
        shape,
    }
}

fn references(snapshot: &Snapshot, address: u64) -> Vec<(LabelName, u64)> {
    let object = snapshot.objects.at(address).expect("it is there");
    let of_object = snapshot.references_of(object);
    of_object
        .map(|(label, target)| (label.name(), snapshot.objects.address[target.0 as usize]))
        .collect()
}

#[test]
fn blocks_become_a_snapshot_whatever_comes_first() {
    let mut stream = Stream::new();
    stream.order(0, false, &[0x3000]);
    // The young generation from both its ends: 0x3000, then what was met from the end, backwards.
    stream.order(0, true, &[0x2000, 0x1000]);
    stream.order(2, false, &[0x4008]);
    stream.order(3, false, &[0x5000]);
    let root = RootDef {
        kind: SentRoot::Thread,
        address: 0x4008,
        number: 7,
        text: "context",
    };
    stream.write(&mut |writer| writer.root(&root));
    let row = node(0x4008, 1, Shape::Fields, 1);
    let local = EdgeName::Label(1);
    let objects = |stream: &mut Stream| {
        stream.node(
            row,
            &[
                (0x1000, EdgeName::Position(0)),
                (0x2000, EdgeName::Position(1)),
                (0x5000, EdgeName::Label(0)),
                (0x3000, EdgeName::None),
            ],
        );
        stream.node(
            node(0x1000, 0, Shape::Entries, 1),
            &[
                (0x2000, EdgeName::Position(0)),
                (0x3000, EdgeName::Position(1)),
                (0x2000, EdgeName::Position(2)),
                (0x3000, EdgeName::Position(3)),
            ],
        );
        stream.node(
            node(0x5000, 0, Shape::Members, 1),
            &[(0x2000, EdgeName::Position(0))],
        );
        stream.list(0x2000, 9, &[]);
        stream.list(0x3000, 9, &[]);
        let class = Node {
            reference_count: None,
            ..node(0x200, 0, Shape::Labelled, 0)
        };
        stream.node(class, &[]);
        let frame = Node {
            size_bytes: 0,
            ..node(0x6000, 2, Shape::Labelled, 0)
        };
        stream.node(frame, &[(0x1000, local), (0x1000, EdgeName::None)]);
    };
    objects(&mut stream);
    let key = KeyText {
        address: 0x2000,
        text: "session",
        is_cut: false,
    };
    stream.write(&mut |writer| writer.key(&key));
    let cut = KeyText {
        address: 0x3000,
        is_cut: true,
        ..key
    };
    stream.write(&mut |writer| writer.key(&cut));
    stream.types();
    stream.label(0, LabelKind::Attribute, "__dict__");
    stream.label(1, LabelKind::Local, "rows");
    stream.end();
    let heap = stream.snapshot().expect("it is whole");

    let addresses = [0x200, 0x1000, 0x2000, 0x3000, 0x4008, 0x5000, 0x6000];
    assert_eq!(heap.objects.address, addresses);
    let untracked = Objects::UNTRACKED;
    let places = [untracked, 3, 4, 2, 1, 0, untracked];
    assert_eq!(heap.objects.birth_place, places);
    assert_eq!(heap.capture.generation_starts, [1, 2, 2]);
    assert_eq!(heap.objects.reference_count[0], Objects::NEVER_FREED);
    let text = |text| heap.strings.find(text).expect("it is known");
    let expected = [
        (LabelName::Type, 0x200),
        (LabelName::Attribute(text("one")), 0x1000),
        (LabelName::Attribute(text("other")), 0x2000),
        (LabelName::Attribute(text("__dict__")), 0x5000),
        (LabelName::None, 0x3000),
    ];
    assert_eq!(references(&heap, 0x4008), expected);
    let expected = [
        (LabelName::Key(0), 0x2000),
        (LabelName::Value(0), 0x3000),
        (LabelName::Key(1), 0x2000),
        (LabelName::Value(1), 0x3000),
    ];
    assert_eq!(references(&heap, 0x1000), expected);
    assert_eq!(references(&heap, 0x5000), [(LabelName::Member(0), 0x2000)]);
    let local = (LabelName::Local(text("rows")), 0x1000);
    assert_eq!(references(&heap, 0x6000)[0], local);
    assert_eq!(heap.key_text(ObjId(2)), Some("session"));
    assert_eq!(heap.key_start(ObjId(3)), Some("session…"));
    assert_eq!(heap.roots.len(), 1);
    let root = &heap.roots[0];
    assert_eq!(
        (root.kind, root.object, root.thread),
        (RootKind::Thread, ObjId(4), 7)
    );
    let capture = &heap.capture;
    assert_eq!((capture.pid, capture.n_full_collections), (42, 3));
    assert!(capture.is_during_collection);
    // The frame's two references to 0x1000, whose count is 1, are borrowed.
    assert_eq!((capture.n_violations, capture.n_dangling), (0, 0));
}

#[test]
fn an_object_that_goes_on_in_other_blocks_keeps_its_order() {
    let mut stream = Stream::new();
    stream.types();
    let items: Vec<u64> = (0..500).map(|index| 0x10_0000 * (index % 7)).collect();
    stream.list(0x8_0000, 1, &items);
    for index in 1..7 {
        stream.list(0x10_0000 * index, 100, &[]);
    }
    stream.end();
    assert!(stream.blocks.len() > 15);
    let heap = stream.snapshot().expect("it is whole");
    let expected: Vec<_> = (0..)
        .zip(items)
        .filter(|&(_, target)| target != 0)
        .map(|(place, target)| (LabelName::Item(place), target))
        .collect();
    assert_eq!(references(&heap, 0x8_0000), expected);
}

#[test]
fn references_to_nothing_are_left_out_and_too_many_to_something_are_counted() {
    let mut stream = Stream::new();
    stream.types();
    stream.list(0x1000, 1, &[0x9999_0000, 0x2000, 0x9999_0000]);
    stream.list(0x2000, 1, &[0x2000, 0x9999_0000, 0x1000]);
    stream.list(0x3000, 0, &[]);
    stream.end();
    let heap = stream.snapshot().expect("it is whole");
    assert_eq!((heap.capture.n_dangling, heap.capture.n_violations), (3, 1));
    assert_eq!(references(&heap, 0x1000), [(LabelName::Item(1), 0x2000)]);
    let kept = [(LabelName::Item(0), 0x2000), (LabelName::Item(2), 0x1000)];
    assert_eq!(references(&heap, 0x2000), kept);
    assert_eq!(references(&heap, 0x3000), []);
}

fn small() -> Stream {
    let mut stream = Stream::new();
    stream.types();
    stream.order(2, false, &[0x1000, 0x2000]);
    stream.list(0x1000, 1, &[0x2000]);
    stream.list(0x2000, 2, &[0x1000, 0x2000]);
    stream.end();
    stream
}

#[test]
fn a_stream_that_lacks_a_block_is_refused() {
    let whole = small().blocks;
    assert!(assemble(&whole).is_ok());
    for index in 0..whole.len() {
        let mut blocks = whole.clone();
        blocks.remove(index);
        // The last type, which has no objects, the fields of the one before, and the order.
        let is_needed = !(2..=5).contains(&index);
        assert_eq!(assemble(&blocks).is_err(), is_needed, "{index}");
        let cut = assemble(&whole[..index]);
        assert!(matches!(
            cut,
            Err(AssembleError::Truncated { n_sent: 0, .. })
        ));
    }
}

#[test]
fn two_objects_at_one_place_are_refused() {
    let mut stream = Stream::new();
    stream.types();
    stream.list(0x1000, 1, &[]);
    stream.list(0x1000, 1, &[]);
    stream.end();
    let error = AssembleError::Twice { address: 0x1000 };
    assert_eq!(stream.snapshot().unwrap_err(), error);
}

#[test]
fn nothing_may_follow_the_end() {
    let mut stream = small();
    stream.end();
    assert_eq!(stream.snapshot().unwrap_err(), AssembleError::AfterTheEnd);
}

#[test]
fn unknown_types_labels_and_beginnings_are_refused() {
    let mut type_less = Stream::new();
    type_less.list(0x1000, 1, &[]);
    let mut label_less = Stream::new();
    label_less.types();
    label_less.node(
        node(0x1000, 0, Shape::Labelled, 1),
        &[(0x1000, EdgeName::Label(0))],
    );
    let mut headless = Stream::new();
    headless.types();
    let more = More {
        address: 0x1000,
        position: 0,
    };
    headless.write(&mut |writer| {
        writer.more(&more)?;
        writer.end_node();
        Ok(())
    });
    let mut astray = Stream::new();
    astray.types();
    astray.list(0x1000, 1, &[]);
    astray.list(0x2000, 1, &[]);
    astray.blocks.extend(headless.blocks.last().cloned());
    for (stream, wanted) in [
        (&mut type_less, "type"),
        (&mut label_less, "label"),
        (&mut headless, "object at"),
        (&mut astray, "object before more references, at"),
    ] {
        stream.end();
        match stream.snapshot() {
            Err(AssembleError::Unknown { what, .. }) => assert_eq!(what, wanted),
            other => panic!("{wanted}: {other:?}"),
        }
    }
}

#[test]
fn a_second_attempt_begins_anew() {
    let mut assembler = Assembler::new();
    let blocks = small().blocks;
    for block in &blocks[..blocks.len() - 1] {
        assembler.push(0, block).unwrap();
    }
    assert_eq!(assembler.n_objects(), 2);
    assembler.clear();
    assert_eq!((assembler.n_objects(), assembler.n_bytes()), (0, 0));
    for block in &blocks {
        assembler.push(0, block).unwrap();
    }
    assert_eq!(assembler.finish(Capture::default()).unwrap().n_objects(), 2);
}

#[test]
fn what_does_not_decompress_to_its_length_is_refused() {
    let block = &small().blocks[0];
    let packed = lz4_flex::block::compress(block);
    let len = block.len() as u32;
    for (raw_len, bytes) in [
        (len - 1, &packed[..]),
        (len + 1, &packed),
        (u32::MAX, &packed),
        (len, &packed[..packed.len() - 1]),
        (len, &[]),
    ] {
        let error = Assembler::new().push(raw_len, bytes).unwrap_err();
        assert_eq!(error, AssembleError::Compression, "{raw_len}");
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let mut random = crate::random::Random::new(6);
    let whole = small().blocks;
    let (mut n_whole, mut n_refused) = (0, 0);
    for _ in 0..20_000 {
        let mut blocks = whole.clone();
        for _ in 0..=random.below(2) {
            let block = random.below(blocks.len() as u32) as usize;
            let at = random.below(blocks[block].len() as u32) as usize;
            blocks[block][at] = random.below(256) as u8;
        }
        match assemble(&blocks) {
            Ok(heap) => {
                assert_eq!(heap.references.first.len(), heap.n_objects() + 1);
                n_whole += 1;
            }
            Err(_) => n_refused += 1,
        }
    }
    assert!(n_whole > 100 && n_refused > 1000, "{n_whole} {n_refused}");
}

fn state(address: u64, kind: StateKind, number: u64) -> StateDef {
    StateDef {
        address,
        kind,
        number,
    }
}

#[test]
fn states_are_of_the_objects_before_them() {
    let mut stream = Stream::new();
    stream.types();
    stream.list(0x2000, 0, &[]);
    stream.write(&mut |writer| writer.state(&state(0x2000, StateKind::Bounded, 8)));
    stream.list(0x3000, 0, &[]);
    stream.list(0x1000, 0, &[]);
    stream.write(&mut |writer| writer.state(&state(0x1000, StateKind::Finished, 0)));
    stream.end();
    let heap = stream.snapshot().expect("it is whole");
    let expected = [
        Some(ObjectState::Finished),
        Some(ObjectState::Bounded(8)),
        None,
    ];
    let found: Vec<_> = heap.ids().map(|object| heap.state_of(object)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_state_of_another_object_or_a_second_one_is_refused() {
    let with = |states: &[u64]| {
        let mut stream = Stream::new();
        stream.types();
        stream.list(0x1000, 0, &[]);
        stream.list(0x2000, 0, &[]);
        for &address in states {
            stream.write(&mut |writer| writer.state(&state(address, StateKind::Open, 0)));
        }
        stream.end();
        stream.snapshot().map(|heap| heap.states.len())
    };
    assert_eq!(with(&[0x2000]), Ok(1));
    let twice = AssembleError::Twice { address: 0x2000 };
    assert_eq!(with(&[0x2000, 0x2000]), Err(twice));
    for address in [0x1000, 0x4000] {
        let error = with(&[address]).unwrap_err().to_string();
        assert!(error.contains("unknown object before a state"), "{error}");
    }
}

#[test]
fn an_endless_graph_ends_where_the_memory_of_the_process_does() {
    let mut buffer = vec![0; leakhunt_wire::MAX_BLOCK];
    let mut address = 0;
    let mut block = |n_edges: u64| {
        let mut writer = GraphWriter::new(&mut buffer);
        for _ in 0..100 {
            address += 16;
            let node = Node {
                address,
                ..node(0, 0, Shape::Labelled, 0)
            };
            writer.node(&node).unwrap();
            for _ in 0..n_edges {
                let edge = Edge {
                    name: EdgeName::None,
                    target: 16,
                };
                writer.edge(&edge).unwrap();
            }
            writer.end_node();
        }
        writer.bytes().to_vec()
    };
    for n_edges in [0, 20] {
        let mut assembler = Assembler::of_memory(16_000);
        let error = (0..1000).find_map(|_| assembler.push(0, &block(n_edges)).err());
        assert_eq!(error, Some(AssembleError::MoreThanMemory));
        assert!(assembler.n_objects() <= 1000 && assembler.n_bytes() <= 64_000);
        assembler.clear();
        assert!(assembler.push(0, &block(0)).is_ok(), "an attempt anew");
        let error = (0..1000).find_map(|_| assembler.push(0, &block(n_edges)).err());
        assert_eq!(error, Some(AssembleError::MoreThanMemory));
    }
}
