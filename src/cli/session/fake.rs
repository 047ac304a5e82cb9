//! An agent that follows a script.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use leakhunt_attach::ChannelError;
use leakhunt_wire::{
    Count, Described, DumpDone, DumpObject, Ended, Garbage, Goodbye, GraphBlock, MAX_PACKET, Note,
    Place, Ready, Reply, Request, TypeRow, WalkDone, WalkEnd, Writer,
};

use super::Link;

/// What the agent does next.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It sends this packet.
    Say(Vec<u8>),
    /// It sends this packet for ever.
    Chatter(Vec<u8>),
    /// The channel fails.
    Close,
    /// The process ends.
    Exit,
}

/// What a request is answered with.
type Answer = dyn Fn(&Request<'_>) -> Vec<Act>;

/// An agent that follows a script: `on_request` gives what a request is answered with.
pub(crate) struct FakeAgent {
    acts: RefCell<VecDeque<Act>>,
    on_request: Box<Answer>,
    packet: Vec<u8>,
    has_exited: bool,
}

impl FakeAgent {
    pub(crate) fn new(
        greeting: Vec<Act>,
        on_request: impl Fn(&Request<'_>) -> Vec<Act> + 'static,
    ) -> Self {
        Self {
            acts: RefCell::new(greeting.into()),
            on_request: Box::new(on_request),
            packet: Vec::new(),
            has_exited: false,
        }
    }
}

impl std::fmt::Debug for FakeAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeAgent")
    }
}

impl Link for FakeAgent {
    fn send(&self, request: &Request<'_>) -> Result<(), ChannelError> {
        let answer = match request {
            Request::Detach => vec![say(&Reply::Goodbye(Goodbye::Asked))],
            Request::Ping => vec![say(&Reply::Pong)],
            Request::Cancel => vec![],
            _ => (self.on_request)(request),
        };
        self.acts.borrow_mut().extend(answer);
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Reply<'_>>, ChannelError> {
        let act = self.acts.borrow_mut().pop_front();
        if let Some(Act::Chatter(_)) = act {
            self.acts.borrow_mut().extend(act.clone());
        }
        match act {
            Some(Act::Say(packet) | Act::Chatter(packet)) => {
                self.packet = packet;
                match Reply::decode(&self.packet) {
                    Ok(reply) => Ok(Some(reply)),
                    Err(source) => Err(ChannelError::BadPacket { pid: 1, source }),
                }
            }
            Some(Act::Close) => Err(ChannelError::Closed { pid: 1 }),
            Some(Act::Exit) => {
                self.has_exited = true;
                Err(ChannelError::TargetExited { pid: 1 })
            }
            None => {
                std::thread::sleep(timeout);
                Ok(None)
            }
        }
    }

    fn has_target_exited(&self) -> bool {
        self.has_exited
    }

    fn wait_for_end(&mut self, _: Duration) {}
}

pub(crate) fn say(reply: &Reply<'_>) -> Act {
    let mut buffer = vec![0; MAX_PACKET];
    let mut writer = Writer::new(&mut buffer);
    reply.encode(&mut writer);
    Act::Say(writer.bytes().unwrap().to_vec())
}

pub(crate) fn greeting() -> Vec<Act> {
    let ready = Ready {
        version: "3.12.1",
        free_threaded: false,
        gil_wait_us: 5,
        gil_held_us: 7,
    };
    vec![say(&Reply::Hello), say(&Reply::Ready(ready))]
}

pub(crate) fn type_row(address: u64, qualname: &'static str, n_objects: u64) -> Act {
    say(&Reply::Type(TypeRow {
        address,
        module: if qualname == "dict" { "" } else { "app" },
        qualname,
        name: qualname,
        all: Count {
            n_objects,
            size_bytes: n_objects * 64,
        },
        frozen: Count {
            n_objects: 0,
            size_bytes: 0,
        },
        is_estimate: false,
        first_seen: address,
    }))
}

pub(crate) fn walk_end() -> Act {
    let none = Count {
        n_objects: 0,
        size_bytes: 0,
    };
    say(&Reply::WalkEnd(WalkEnd {
        all: none,
        frozen: none,
        cross_check: 0,
        walk_us: 10,
        bare_walk_us: 0,
        is_during_collection: false,
        own_bytes: 4096,
    }))
}

pub(crate) fn garbage(type_address: u64, n_objects: u64) -> Act {
    say(&Reply::Garbage(Garbage {
        type_address,
        count: Count {
            n_objects,
            size_bytes: n_objects * 64,
        },
    }))
}

pub(crate) fn census_done(ended: Ended, attempts: u32) -> Act {
    say(&Reply::CensusDone(walk_done(ended, attempts)))
}

pub(crate) fn graph_done(ended: Ended, attempts: u32) -> Act {
    say(&Reply::GraphDone(walk_done(ended, attempts)))
}

fn walk_done(ended: Ended, attempts: u32) -> WalkDone<'static> {
    WalkDone {
        ended,
        attempts,
        place: Place::Copy,
        clone_errno: 0,
        pause_us: 6_214,
        clone_us: 6_000,
        gil_wait_us: 3,
        collect_us: 0,
        signal: 0,
        skipped_type: "",
    }
}

/// A block that is not compressed.
pub(crate) fn graph_block(bytes: &[u8]) -> Act {
    say(&Reply::Block(GraphBlock { raw_len: 0, bytes }))
}

/// The answer to a request for the graph that goes well.
pub(crate) fn graph(blocks: &[&[u8]]) -> Vec<Act> {
    let mut acts = vec![say(&Reply::Attempt(1))];
    acts.extend(blocks.iter().map(|block| graph_block(block)));
    acts.push(graph_done(Ended::Whole, 1));
    acts
}

/// An object that was made by two frames.
pub(crate) fn described(address: u64) -> Act {
    say(&Reply::Described(Described {
        object: DumpObject {
            address,
            size_bytes: 56,
            type_name: "app.Row",
            note: Note::Whole,
            text: "<Row>",
        },
        file: "",
        made_at: "app.py:3\napp.py:9",
    }))
}

pub(crate) fn describe_done(ended: Ended) -> Act {
    say(&Reply::DescribeDone(DumpDone {
        ended,
        attempts: 1,
        n_matching: 0,
        pause_us: 70,
        signal: 0,
        clone_errno: 0,
        skipped_type: "",
    }))
}

/// The answer to a census that goes well.
pub(crate) fn census(rows: &[(&'static str, u64)]) -> Vec<Act> {
    let mut acts = vec![say(&Reply::Attempt(1))];
    for (address, (qualname, n_objects)) in (1..).zip(rows) {
        acts.push(type_row(address, qualname, *n_objects));
    }
    acts.extend([
        walk_end(),
        say(&Reply::GarbageEnd(9)),
        census_done(Ended::Whole, 1),
    ]);
    acts
}
