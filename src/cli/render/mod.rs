//! Values in, bytes out. Nothing here writes, reads the clock or knows the environment.

pub(crate) mod account;
pub(crate) mod asyncio_debug;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod dump;
pub(crate) mod growth;
mod growth_table;
pub(crate) mod hunt;
mod inventory;
pub(crate) mod lru;
pub(crate) mod numbers;
pub(crate) mod paths;
pub(crate) mod picture;
pub(crate) mod ps;
pub(crate) mod retained;
pub(crate) mod rows;
pub(crate) mod scheduled;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod sockets;
pub(crate) mod sources;
mod sparkline;
pub(crate) mod suspects;
mod table;
pub(crate) mod tasks;
pub(crate) mod text;
pub(crate) mod threads;

use leakhunt_heap::python_repr;

/// A document of JSON as one line.
fn json_line(document: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(document).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A document of JSON for people, too.
fn json_pretty(document: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}
