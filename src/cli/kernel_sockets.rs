//! What the kernel knows of the sockets of a process.
//!
//! Read from the tables of the process's own network namespace, so that it holds for containers too.
//! A socket that is bound to nothing and connected to nothing stands in no table; then the kernel
//! tells the protocol alone.

mod endpoint;
mod family;
mod inet;
mod link;
mod peers;
mod state;
mod unix;
mod within;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use leakhunt_heap::Destination;

pub(crate) use endpoint::Endpoint;
pub(crate) use family::family_name;
pub(crate) use state::State;
#[cfg(test)]
pub(crate) use within::Tcp;
pub(crate) use within::{Within, within};

/// A socket as the kernel has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KernelSocket {
    /// What `/proc/PID/fd` calls it by.
    pub(crate) inode: u64,
    /// As [`family_name`]; empty where it is not known.
    pub(crate) family: &'static str,
    /// `tcp`, `udp`, `stream`, `dgram`, …; what `/proc/PID/fd` tells of a socket that is in no table.
    pub(crate) protocol: String,
    /// Where it is in its life.
    pub(crate) state: State,
    /// Its own end; `None` where it has no name or none is known.
    pub(crate) local: Option<Endpoint>,
    /// The other end; `None` where it is not connected or the other end has no name.
    pub(crate) peer: Option<Endpoint>,
    /// The socket at the other end, of a unix socket; `None` where it is not known.
    pub(crate) peer_inode: Option<u64>,
    /// Bytes that came and were not read; of a listening one connections that were not accepted;
    /// `None` where it is not known.
    pub(crate) receive_queue: Option<u64>,
    /// Bytes that were sent and not acknowledged; `None` where it is not known.
    pub(crate) send_queue: Option<u64>,
}

impl KernelSocket {
    /// One of which no more is known.
    fn unconnected(inode: u64, family: &'static str, protocol: String) -> Self {
        Self {
            inode,
            family,
            protocol,
            state: State::Unconnected,
            local: None,
            peer: None,
            peer_inode: None,
            receive_queue: None,
            send_queue: None,
        }
    }
}

/// The sockets of a process at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct KernelSockets {
    /// By inode.
    pub(crate) sockets: BTreeMap<u64, KernelSocket>,
    /// TCP ports of the namespace that somebody listens on.
    pub(crate) listening: BTreeSet<u16>,
}

/// The tables of the internet protocols: name, family, protocol.
const INET: [(&str, &str, &str); 10] = [
    ("tcp", "inet", "tcp"),
    ("tcp6", "inet6", "tcp"),
    ("udp", "inet", "udp"),
    ("udp6", "inet6", "udp"),
    ("udplite", "inet", "udplite"),
    ("udplite6", "inet6", "udplite"),
    ("raw", "inet", "raw"),
    ("raw6", "inet6", "raw"),
    ("icmp", "inet", "icmp"),
    ("icmp6", "inet6", "icmp"),
];

/// Reads what the kernel tells of the sockets that `links` of `/proc/PID/fd` lead to. A table that
/// cannot be read is as one that is empty.
pub(crate) fn kernel_sockets(pid: u32, links: &BTreeMap<u32, String>) -> KernelSockets {
    let wanted: BTreeMap<u64, u32> = links
        .iter()
        .filter_map(|(&fd, link)| match Destination::of_link(link) {
            Destination::Socket(inode) => Some((inode, fd)),
            _ => None,
        })
        .collect();
    if wanted.is_empty() {
        return KernelSockets::default();
    }
    // Names of unix sockets are bytes.
    let table = |name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut found: Vec<KernelSocket> = Vec::new();
    for (name, family, protocol) in INET {
        found.extend(inet::sockets(&table(name), family, protocol));
    }
    let listening = found
        .iter()
        .filter(|socket| socket.state == State::Listen)
        .filter_map(|socket| socket.local.as_ref()?.port())
        .collect();
    let mut of_unix = unix::sockets(&table("unix"));
    if of_unix.iter().any(|one| wanted.contains_key(&one.inode)) {
        unix::connect(&mut of_unix, &peers::unix_peers(pid));
    }
    found.extend(of_unix);
    found.extend(link::netlink(&table("netlink")));
    found.extend(link::packet(&table("packet")));
    let mut sockets: BTreeMap<u64, KernelSocket> = found
        .into_iter()
        .filter(|socket| wanted.contains_key(&socket.inode))
        .map(|socket| (socket.inode, socket))
        .collect();
    for (inode, fd) in wanted {
        sockets
            .entry(inode)
            .or_insert_with(|| unlisted(inode, protocol_of(pid, fd)));
    }
    KernelSockets { sockets, listening }
}

/// A socket that stands in no table.
fn unlisted(inode: u64, protocol: String) -> KernelSocket {
    let (family, protocol) = match protocol.as_str() {
        "TCP" => ("inet", "tcp".to_owned()),
        "TCPv6" => ("inet6", "tcp".to_owned()),
        "UDP" => ("inet", "udp".to_owned()),
        "UDPv6" => ("inet6", "udp".to_owned()),
        other => ("", other.to_lowercase()),
    };
    KernelSocket::unconnected(inode, family, protocol)
}

/// The kernel's name for the protocol of a socket, `TCP`, `UNIX-STREAM`; empty where it does not tell.
fn protocol_of(pid: u32, fd: u32) -> String {
    let mut name = [0_u8; 64];
    let path = format!("/proc/{pid}/fd/{fd}");
    let length = rustix::fs::getxattr(path, "system.sockprotoname", &mut name).unwrap_or(0);
    let name = String::from_utf8_lossy(name.get(..length).unwrap_or_default());
    name.trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests;
