//! What the agent in the target and the command line say to each other.
//!
//! One packet of a `SOCK_SEQPACKET` socket carries one [`Request`] or one [`Reply`]. Numbers are
//! LEB128, strings are length-prefixed UTF-8. Neither side trusts the other: decoding checks every
//! length and never allocates.
//!
//! ```
//! use leakhunt_wire::{MAX_PACKET, Reply, Writer};
//!
//! let mut packet = [0; MAX_PACKET];
//! let mut writer = Writer::new(&mut packet);
//! Reply::Pong.encode(&mut writer);
//! assert!(matches!(Reply::decode(writer.bytes().unwrap()), Ok(Reply::Pong)));
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod boot;
mod bounds;
mod capi;
mod codec;
mod frames;
mod graph;
mod knock;
mod lines;
mod reply;
mod request;

pub use boot::{BOOT_VERSION, Boot};
pub use capi::{Capi, N_CAPI};
pub use codec::{DecodeError, MAX_PACKET, Reader, Writer};
pub use frames::{NewFrame, OldFrame, ThreadState};
pub use graph::{
    CollectorDef, Edge, EdgeName, FieldDef, GraphEnd, GraphReader, GraphWriter, KeyText, LabelDef,
    LabelKind, MAX_BLOCK, MAX_KEY_CHARS, MAX_TEXT, More, NoRoom, Node, OrderHead, Record, RootDef,
    RootKind, Shape, StateDef, StateKind, TypeDef, TypeFlags,
};
pub use knock::{DoorName, KNOCK, Knock};
pub use lines::line_of;
pub use reply::{
    Count, Described, DumpDone, DumpObject, Ended, Garbage, Goodbye, GraphBlock, Note, OpenSocket,
    Ready, Reply, Traced, TypeRow, WalkDone, WalkEnd,
};
pub use request::{
    CensusRequest, DescribeRequest, DumpRequest, GraphRequest, Names, Place, ProbeRequest, Request,
};

#[cfg(test)]
mod tests;
