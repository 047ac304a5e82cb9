//! The part of leakhunt that works within the target.
//!
//! Without features this crate is a constant: it tells the build script of the command line where
//! the sources are. With `runtime` it is the agent's code as a library, for a process that has an
//! interpreter of its own; with `image` it is what the command line maps into its targets, which
//! imports no symbol.
//!
//! It lives in someone else's house: it calls neither libc nor the target's allocator on its own
//! account, writes to no descriptor but its channel, never waits for the command line while it
//! holds the interpreter, and keeps no reference to an object.
#![no_std]

#[cfg(test)]
extern crate std;

/// Where this crate's sources are, for the build script of the command line.
pub const MANIFEST_DIR: &str = env!("CARGO_MANIFEST_DIR");

#[cfg(feature = "runtime")]
mod address_blocks;
#[cfg(feature = "runtime")]
mod arrays;
#[cfg(feature = "runtime")]
mod atexit_entry;
#[cfg(feature = "runtime")]
mod attempts;
#[cfg(feature = "runtime")]
mod buffer;
#[cfg(feature = "runtime")]
mod capi;
#[cfg(feature = "runtime")]
mod census;
#[cfg(feature = "runtime")]
mod collector;
#[cfg(feature = "runtime")]
mod copy;
#[cfg(feature = "runtime")]
mod describe;
#[cfg(feature = "runtime")]
mod dicts;
#[cfg(feature = "runtime")]
mod dump;
#[cfg(feature = "runtime")]
mod exit_guard;
#[cfg(feature = "runtime")]
mod fields;
#[cfg(feature = "runtime")]
mod garbage;
#[cfg(feature = "runtime")]
mod graph;
#[cfg(feature = "runtime")]
mod heap;
#[cfg(feature = "image")]
mod image;
#[cfg(feature = "runtime")]
mod instances;
#[cfg(feature = "runtime")]
mod interpreter;
#[cfg(feature = "runtime")]
mod job;
#[cfg(feature = "runtime")]
mod layout;
#[cfg(feature = "runtime")]
mod lists;
#[cfg(feature = "runtime")]
mod memory;
#[cfg(feature = "runtime")]
mod object_set;
#[cfg(feature = "runtime")]
mod outbox;
#[cfg(feature = "runtime")]
mod own;
#[cfg(feature = "runtime")]
mod probe;
#[cfg(feature = "runtime")]
mod progress;
#[cfg(feature = "runtime")]
mod requests_of_others;
#[cfg(feature = "runtime")]
mod session;
#[cfg(feature = "runtime")]
mod sizes;
#[cfg(feature = "runtime")]
mod sockets;
#[cfg(feature = "runtime")]
mod source_file;
#[cfg(feature = "runtime")]
mod sys;
#[cfg(feature = "runtime")]
mod tally;
#[cfg(all(test, feature = "runtime"))]
mod tests;
#[cfg(feature = "runtime")]
mod text;
#[cfg(feature = "runtime")]
mod trace;
#[cfg(feature = "runtime")]
mod types;
#[cfg(feature = "runtime")]
mod visits;

#[cfg(feature = "runtime")]
pub use session::{Left, serve};
