use super::*;
use crate::codec::DecodeError;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

/// A record with what follows it: places or references.
#[derive(Clone, Debug, PartialEq)]
enum Whole {
    Alone(Record<'static>),
    Order(OrderHead, Vec<u64>),
    Node(Node, Vec<Edge>),
    More(More, Vec<Edge>),
}

fn write(writer: &mut GraphWriter<'_>, whole: &Whole) -> Result<(), NoRoom> {
    let edges = |writer: &mut GraphWriter<'_>, edges: &[Edge]| {
        let result = edges.iter().try_for_each(|edge| writer.edge(edge));
        writer.end_node();
        result
    };
    match whole {
        Whole::Alone(Record::Type(def)) => writer.type_def(def),
        Whole::Alone(Record::Field(def)) => writer.field(def),
        Whole::Alone(Record::Label(def)) => writer.label(def),
        Whole::Alone(Record::Key(key)) => writer.key(key),
        Whole::Alone(Record::Root(root)) => writer.root(root),
        Whole::Alone(Record::End(end)) => writer.end(end),
        Whole::Alone(Record::Collector(collector)) => writer.collector(collector),
        Whole::Alone(Record::State(state)) => writer.state(state),
        Whole::Alone(other) => panic!("{other:?} does not stand alone"),
        Whole::Order(head, places) => {
            let n_written = writer.order(head.list, head.from_end, places)?;
            assert_eq!(n_written, places.len());
            Ok(())
        }
        Whole::Node(node, of_node) => {
            writer.node(node)?;
            edges(writer, of_node)
        }
        Whole::More(more, of_more) => {
            writer.more(more)?;
            edges(writer, of_more)
        }
    }
}

fn edges(reader: &mut GraphReader<'_>) -> Result<Vec<Edge>, DecodeError> {
    let mut edges = Vec::new();
    while let Some(edge) = reader.edge()? {
        edges.push(edge);
    }
    Ok(edges)
}

fn read(block: &'static [u8]) -> Result<Vec<Whole>, DecodeError> {
    let mut reader = GraphReader::new(block);
    let mut records = Vec::new();
    while let Some(record) = reader.record()? {
        records.push(match record {
            Record::Order(head) => {
                let mut places = Vec::new();
                while let Some(place) = reader.place()? {
                    places.push(place);
                }
                Whole::Order(head, places)
            }
            Record::Node(node) => Whole::Node(node, edges(&mut reader)?),
            Record::More(more) => Whole::More(more, edges(&mut reader)?),
            other => Whole::Alone(other),
        });
    }
    Ok(records)
}

const HIGH: u64 = 0xffff_ffff_ffff_fff8;

fn node(address: u64) -> Node {
    Node {
        address,
        type_index: 0,
        size_bytes: 56,
        reference_count: Some(2),
        is_tracked: true,
        holds_type: false,
        shape: Shape::Items,
    }
}

fn edge(target: u64, name: EdgeName) -> Edge {
    Edge { target, name }
}

/// One of each record, with the least and the most of each value.
fn all_records() -> Vec<Whole> {
    let definitions = [
        Record::Type(TypeDef {
            index: u32::MAX,
            address: HIGH,
            module: "shop.cache",
            qualname: "Outer.Größe",
            name: "",
            flags: TypeFlags::HEAP_TYPE | TypeFlags::TYPE,
            basic_size: u64::MAX,
            base: 8,
        }),
        Record::Field(FieldDef {
            type_index: 3,
            text: "rows",
        }),
        Record::Label(LabelDef {
            index: 0,
            kind: LabelKind::Internal,
            text: "cache",
        }),
        Record::Key(KeyText {
            address: 0x7f00_0000_0010,
            text: "session",
            is_cut: true,
        }),
        Record::Root(RootDef {
            kind: RootKind::Thread,
            address: 64,
            number: u64::MAX,
            text: "context",
        }),
        Record::Collector(CollectorDef {
            enabled: Some(1),
            debug: None,
            has_generations: true,
            thresholds: [700, 10, u64::MAX],
            counts: [1, 2, 3],
            collections: [4, 5, 6],
            n_uncollectable: Some(0),
            long_lived: Some(7),
            long_lived_pending: Some(u64::MAX - 1),
        }),
        Record::State(StateDef {
            address: HIGH,
            kind: StateKind::Bounded,
            number: u64::MAX,
        }),
        Record::End(GraphEnd {
            n_nodes: 1,
            n_edges: u64::MAX,
            n_tracked: 3,
            walk_us: 4,
            bare_walk_us: 5,
            capture_us: 6,
            own_bytes: 7,
            is_during_collection: true,
            n_full_collections: 8,
        }),
    ];
    let mut records: Vec<Whole> = definitions.into_iter().map(Whole::Alone).collect();
    let head = OrderHead {
        list: 3,
        from_end: true,
        n_objects: 4,
    };
    records.push(Whole::Order(head, vec![0x7f00_0000_0010, 8, HIGH, 0]));
    for (index, shape) in [
        Shape::Labelled,
        Shape::Items,
        Shape::Members,
        Shape::Entries,
        Shape::Fields,
    ]
    .into_iter()
    .enumerate()
    {
        let is_odd = index % 2 == 1;
        let node = Node {
            address: 0x7f00_0000_0000 + index as u64 * 48,
            type_index: u32::MAX * (index as u32 % 2),
            size_bytes: u64::MAX * (index as u64 % 2),
            reference_count: [None, Some(0), Some(u64::MAX - 1)][index % 3],
            is_tracked: is_odd,
            holds_type: !is_odd,
            shape,
        };
        let mut edges = vec![
            edge(0x7f00_0000_0000, EdgeName::Position(0)),
            edge(0, EdgeName::Position(1)),
            edge(8, EdgeName::Label(u32::MAX)),
            edge(HIGH, EdgeName::Position(2)),
            edge(0x7f00_0000_0040, EdgeName::None),
        ];
        edges.truncate(index + 1);
        records.push(Whole::Node(node, edges));
    }
    records.push(Whole::Node(node(16), Vec::new()));
    let more = More {
        address: 0x5500_0000_0000,
        position: u64::from(u32::MAX),
    };
    let next = EdgeName::Position(more.position);
    records.push(Whole::More(more, vec![edge(24, next)]));
    records
}

fn block_of(records: &[Whole]) -> (&'static [u8], Vec<usize>) {
    let mut block = vec![0; MAX_BLOCK];
    let mut writer = GraphWriter::new(&mut block);
    let mut ends = vec![0];
    for record in records {
        write(&mut writer, record).expect("there is room");
        ends.push(writer.bytes().len());
    }
    let len = writer.bytes().len();
    block.truncate(len);
    (Box::leak(block.into_boxed_slice()), ends)
}

#[test]
fn each_record_is_read_as_it_was_written() {
    let records = all_records();
    let (block, _) = block_of(&records);
    assert_eq!(read(block), Ok(records));
}

#[test]
fn a_cleared_writer_begins_a_block_that_stands_for_itself() {
    let mut block = vec![0; 1000];
    let mut writer = GraphWriter::new(&mut block);
    let records = all_records();
    write(&mut writer, &records[6]).unwrap();
    writer.clear();
    write(&mut writer, &records[7]).unwrap();
    let block: &'static [u8] = Box::leak(writer.bytes().into());
    assert_eq!(read(block).unwrap(), [records[7].clone()]);
}

#[test]
fn an_object_goes_on_in_as_many_blocks_as_it_takes() {
    let n_edges = 1000_u64;
    let target = |index: u64| 0x7f00_0000_0000 + index * 0x10_0000;
    let mut block = vec![0; 200];
    let mut writer = GraphWriter::new(&mut block);
    let mut blocks: Vec<&'static [u8]> = Vec::new();
    writer.node(&node(64)).unwrap();
    for position in 0..n_edges {
        // Each third is unset: it takes a byte, and its place counts.
        let set = if position % 3 == 0 {
            0
        } else {
            target(position)
        };
        let one = edge(set, EdgeName::Position(position));
        if writer.edge(&one) == Err(NoRoom) {
            writer.end_node();
            blocks.push(Box::leak(writer.bytes().into()));
            writer.clear();
            let more = More {
                address: 64,
                position,
            };
            writer.more(&more).and_then(|()| writer.edge(&one)).unwrap();
        }
    }
    writer.end_node();
    blocks.push(Box::leak(writer.bytes().into()));
    assert!(blocks.len() > 10, "{}", blocks.len());
    let mut position = 0;
    for block in blocks {
        for whole in read(block).unwrap() {
            let (Whole::Node(_, edges) | Whole::More(_, edges)) = whole else {
                panic!("{whole:?}");
            };
            for edge in edges {
                assert_eq!(edge.name, EdgeName::Position(position));
                assert!(edge.target == 0 || edge.target == target(position));
                position += 1;
            }
        }
    }
    assert_eq!(position, n_edges);
}

#[test]
fn what_does_not_fit_is_not_written() {
    for record in all_records() {
        let (block, _) = block_of(std::slice::from_ref(&record));
        let mut small = vec![0; block.len() - 1];
        let mut writer = GraphWriter::new(&mut small);
        let is_long = matches!(&record, Whole::Node(_, edges) if !edges.is_empty());
        if is_long {
            continue;
        }
        assert_eq!(write(&mut writer, &record), Err(NoRoom), "{record:?}");
        assert_eq!(writer.bytes(), [], "{record:?}");
    }
    let mut small = [0; 100];
    let places: Vec<u64> = (0..50).map(|index| index << 40).collect();
    let mut writer = GraphWriter::new(&mut small);
    let n_written = writer.order(0, false, &places).unwrap();
    assert!((1..50).contains(&n_written), "{n_written}");
    let block: &'static [u8] = Box::leak(writer.bytes().into());
    let head = OrderHead {
        list: 0,
        from_end: false,
        n_objects: n_written as u32,
    };
    assert_eq!(
        read(block).unwrap(),
        [Whole::Order(head, places[..n_written].to_vec())]
    );
}

#[test]
fn a_block_that_is_cut_within_a_record_is_refused() {
    let records = all_records();
    let (block, ends) = block_of(&records);
    for len in 0..block.len() {
        let found = read(&block[..len]);
        match ends.iter().position(|&end| end == len) {
            Some(n_whole) => assert_eq!(found.unwrap(), records[..n_whole]),
            None => assert!(found.is_err(), "{len} bytes: {found:?}"),
        }
    }
}

#[test]
fn records_of_unknown_kinds_and_shapes_are_refused() {
    assert_eq!(read(&[0x7f]), Err(DecodeError::UnknownKind(0x7f)));
    assert_eq!(read(&[0x8f, 0, 0, 0, 0]), Err(DecodeError::OutOfRange));
    // A reference with a label whose target is "labelled", too.
    assert_eq!(
        read(&[0x91, 2, 0, 0, 0, 1, 0, 1]),
        Err(DecodeError::OutOfRange)
    );
}

/// Xorshift: the same numbers each time.
fn random() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |end| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) % end
    }
}

/// Reads all that there is; at most one record and one value come of a byte.
fn read_to_the_end(block: &[u8]) {
    let mut reader = GraphReader::new(block);
    let mut n_values = 0;
    while let Ok(Some(_)) = reader.record() {
        while let Ok(Some(_)) = reader.place() {
            n_values += 1;
        }
        while let Ok(Some(_)) = reader.edge() {
            n_values += 1;
        }
        n_values += 1;
        assert!(n_values <= 2 * block.len() + 1);
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let mut below = random();
    for _ in 0..200_000 {
        let mut block: Vec<u8> = (0..below(50)).map(|_| below(256) as u8).collect();
        if let Some(kind) = block.first_mut()
            && below(3) > 0
        {
            *kind = [1, 2, 3, 4, 5, 6, 7, 8, 0xf0, 0x91, 0xb4][*kind as usize % 11];
        }
        read_to_the_end(&block);
    }
}

#[test]
fn no_changed_byte_makes_the_reader_panic() {
    let (block, _) = block_of(&all_records());
    let mut below = random();
    for _ in 0..50_000 {
        let mut block = block.to_vec();
        for _ in 0..=below(3) {
            let at = below(block.len() as u64) as usize;
            block[at] = below(256) as u8;
        }
        read_to_the_end(&block);
    }
}
