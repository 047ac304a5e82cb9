//! The sockets of a process: its Python objects and the kernel's view, joined.

mod descriptors;
mod entry;
mod join;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use descriptors::{OtherDescriptor, other_descriptors};
pub(crate) use entry::{Mark, Socket};
#[cfg(test)]
pub(crate) use entry::{PythonObject, Role};
pub(crate) use join::{Kernel, join};

/// Types whose objects are sockets or stand for some, with their subclasses.
pub(crate) const TYPES: [&str; 7] = [
    "_socket.socket",
    "ssl.SSLObject",
    "asyncio.trsock.TransportSocket",
    "asyncio.transports.BaseTransport",
    "asyncio.base_events.Server",
    "uvloop.loop.UVBaseTransport",
    "uvloop.loop.Server",
];

/// What asks them, in the copy.
pub(crate) const PROBE: &str = include_str!("probes/sockets.py");
