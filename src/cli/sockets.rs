//! The sockets of a process: its Python objects and the kernel's view, joined.

mod descriptors;
mod entry;
mod join;
mod rows;
#[cfg(test)]
mod tests;

use crate::session::Row;
pub(crate) use descriptors::{OtherDescriptor, other_descriptors};
pub(crate) use entry::{Mark, Socket};
#[cfg(test)]
pub(crate) use entry::{PythonObject, Role};
pub(crate) use join::{Kernel, join};

/// Types whose objects are sockets or stand for some, with their subclasses.
pub(crate) const TYPES: [&str; 5] = [
    "_socket.socket",
    "ssl.SSLObject",
    "asyncio.trsock.TransportSocket",
    "asyncio.transports.BaseTransport",
    "asyncio.base_events.Server",
];

/// Those of uvloop, which do not know their descriptors without asking the kernel for their addresses.
pub(crate) const UVLOOP_TYPES: [&str; 2] = ["uvloop.loop.UVBaseTransport", "uvloop.loop.Server"];

/// Whether the probe found uvloop in the process.
pub(crate) fn uses_uvloop(rows: &[Row]) -> bool {
    let mut of_process = rows.iter().filter(|row| row.address == 0);
    of_process.any(|row| row.value["uses_uvloop"] == true)
}

/// What asks them, in the copy.
pub(crate) const PROBE: &str = include_str!("probes/sockets.py");
