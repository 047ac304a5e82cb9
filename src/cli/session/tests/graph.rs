use super::super::fake::{FakeAgent, describe_done, described, graph, graph_block, graph_done};
use super::*;
use leakhunt_heap::Capture;
use leakhunt_wire::{
    DescribeRequest, GraphRequest, GraphWriter, Names, Node, Note, Shape, Traced, TypeDef,
};

const REQUEST: GraphRequest = GraphRequest {
    place: Place::Auto,
    refused_max_objects: 0,
    names: Names::Small,
    collect: false,
    time_bare_walk: false,
    time_limit_ms: 100,
    memory_limit_bytes: 1 << 28,
};
const LIMITS: DescribeLimits = DescribeLimits {
    max_chars: 100,
    safe: false,
    object: Duration::from_millis(10),
    total: Duration::from_millis(100),
};

/// A block with objects of one type at these addresses; the last ends the graph.
fn block(addresses: &[u64], ends: bool) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let mut writer = GraphWriter::new(&mut buffer);
    for &address in addresses {
        writer
            .node(&Node {
                address,
                type_index: 0,
                size_bytes: 56,
                reference_count: None,
                is_tracked: false,
                holds_type: false,
                shape: Shape::Labelled,
            })
            .unwrap();
        writer.end_node();
    }
    if ends {
        let def = TypeDef {
            index: 0,
            address: 8,
            module: "app",
            qualname: "Row",
            name: "Row",
            flags: 0,
            basic_size: 56,
            base: 0,
        };
        writer.type_def(&def).unwrap();
        writer.end(&graph_end(2)).unwrap();
    }
    writer.bytes().to_vec()
}

fn graph_end(n_nodes: u64) -> leakhunt_wire::GraphEnd {
    leakhunt_wire::GraphEnd {
        n_nodes,
        n_edges: 0,
        n_tracked: 0,
        walk_us: 10,
        bare_walk_us: 0,
        capture_us: 20,
        own_bytes: 4096,
        is_during_collection: false,
        n_full_collections: 0,
    }
}

fn capture(answer: Vec<Act>) -> Result<Captured, SessionError> {
    greet(greeting(), answer)?.graph(&REQUEST, 1 << 20, |_| {})
}

#[test]
fn a_graph_becomes_a_snapshot() {
    let answer = graph(&[&block(&[16], false), &block(&[32], true)]);
    let mut seen = Vec::new();
    let mut session = greet(greeting(), answer).unwrap();
    let captured = session.graph(&REQUEST, 1 << 20, |n| seen.push(n)).unwrap();
    assert_eq!(seen, [1, 2]);
    assert_eq!(
        (captured.end.ended, captured.end.pause_us),
        (Ended::Whole, 6_214)
    );
    let snapshot = captured.assembler.finish(Capture::default()).unwrap();
    assert_eq!(snapshot.objects.address, [16, 32]);
}

#[test]
fn a_second_attempt_forgets_the_graph_of_the_first() {
    let mut answer = vec![say(&Reply::Attempt(1)), graph_block(&block(&[16], false))];
    answer.push(say(&Reply::Attempt(2)));
    answer.push(graph_block(&block(&[64, 80], true)));
    answer.push(graph_done(Ended::Whole, 2));
    let captured = capture(answer).unwrap();
    let snapshot = captured.assembler.finish(Capture::default()).unwrap();
    assert_eq!(snapshot.objects.address, [64, 80]);
    assert_eq!(captured.end.attempts, 2);
}

#[test]
fn a_graph_that_is_cut_short_says_why() {
    let cut = || vec![say(&Reply::Attempt(1)), graph_block(&block(&[16], false))];
    let mut answer = cut();
    answer.push(graph_done(Ended::MemoryLimit, 1));
    let captured = capture(answer).unwrap();
    assert_eq!(captured.end.ended, Ended::MemoryLimit);
    assert!(captured.assembler.finish(Capture::default()).is_err());
    let mut answer = cut();
    answer.push(Act::Exit);
    assert!(matches!(capture(answer), Err(SessionError::TargetExited)));
    assert!(matches!(capture(cut()), Err(SessionError::Silent(_))));
}

#[test]
fn a_block_that_cannot_be_is_refused() {
    let answer = graph(&[&[0x7f, 1, 2]]);
    assert!(matches!(capture(answer), Err(SessionError::Untrusted(_))));
    let answer = vec![say(&Reply::Attempt(1)), walk_end()];
    assert!(matches!(capture(answer), Err(SessionError::OutOfTurn)));
}

/// An agent that answers each request for descriptions with `answer`, which is told the addresses.
fn describing(answer: impl Fn(&[u64]) -> Vec<Act> + 'static) -> Session<FakeAgent> {
    let agent = FakeAgent::new(greeting(), move |request| {
        let Request::Describe(DescribeRequest { objects, .. }) = request else {
            panic!("asked for something else: {request:?}")
        };
        let words: Vec<u64> = objects
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        let pairs = words.chunks_exact(2);
        assert!(pairs.clone().all(|pair| pair[1] == pair[0] + 8));
        answer(&pairs.map(|pair| pair[0]).collect::<Vec<_>>())
    });
    // Nothing is waited for in vain: a busy machine may take its time.
    let timeout = Duration::from_secs(60);
    Session::greet(agent, timeout, &Interrupts::none(), &Output::silent()).unwrap()
}

fn wanted(n_objects: u64) -> Vec<Wanted> {
    let of = |n| Wanted {
        address: n * 16,
        type_address: n * 16 + 8,
    };
    (1..=n_objects).map(of).collect()
}

#[test]
fn many_objects_are_described_by_several_requests() {
    let mut session = describing(|addresses| {
        assert!(addresses.len() <= 1000);
        let mut acts = vec![say(&Reply::Attempt(1))];
        acts.extend(addresses.iter().map(|&address| described(address)));
        acts.push(describe_done(Ended::Whole));
        acts
    });
    let (objects, ended) = session.describe(&wanted(2001), &LIMITS).unwrap();
    assert_eq!((objects.len(), ended), (2001, Ended::Whole));
    let last = &objects[2000];
    assert_eq!((last.address, last.note), (2001 * 16, Note::Whole));
    assert_eq!(last.made_at, ["app.py:3", "app.py:9"]);
    assert!(session.describe(&[], &LIMITS).unwrap().0.is_empty());
}

#[test]
fn a_second_attempt_forgets_the_descriptions_of_the_first() {
    let mut session = describing(|addresses| {
        let mut acts = vec![say(&Reply::Attempt(1)), described(addresses[0])];
        acts.push(say(&Reply::Attempt(2)));
        acts.extend([described(addresses[0]), described(addresses[2])]);
        acts.push(describe_done(Ended::Whole));
        acts
    });
    let (objects, _) = session.describe(&wanted(3), &LIMITS).unwrap();
    let addresses: Vec<u64> = objects.iter().map(|object| object.address).collect();
    assert_eq!(addresses, [16, 48]);
}

#[test]
fn more_descriptions_than_were_asked_for_are_refused() {
    let mut session = describing(|_| vec![described(16), described(32)]);
    let error = session.describe(&wanted(1), &LIMITS).unwrap_err();
    assert!(matches!(error, SessionError::OutOfTurn), "{error:?}");
}

#[test]
fn descriptions_end_where_a_request_is_not_whole() {
    let mut session =
        describing(|addresses| vec![described(addresses[0]), describe_done(Ended::TimeLimit)]);
    let (objects, ended) = session.describe(&wanted(2001), &LIMITS).unwrap();
    assert_eq!((objects.len(), ended), (1, Ended::TimeLimit));
}

#[test]
fn a_wish_to_trace_is_answered() {
    let answer = vec![say(&Reply::Traced(Traced::WasOn))];
    let mut session = greet(greeting(), answer).unwrap();
    assert_eq!(session.trace(5).unwrap(), Traced::WasOn);
    let mut session = greet(greeting(), vec![say(&Reply::Hello)]).unwrap();
    assert!(matches!(session.trace(5), Err(SessionError::OutOfTurn)));
}
