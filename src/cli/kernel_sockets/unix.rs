//! The table of unix sockets.
//!
//! One line a socket: `pointer: references protocol flags type state inode path`, the path absent where
//! there is none, `@` in front where it is abstract, each byte 0 of it `@` too (Linux,
//! `net/unix/af_unix.c`).

use std::collections::BTreeMap;

use super::peers::Peer;
use super::{Endpoint, KernelSocket, State};

/// `__SO_ACCEPTCON`: it listens.
const ACCEPTS: u32 = 1 << 16;

/// Reads the table; what is no line of it is passed over.
pub(super) fn sockets(table: &str) -> Vec<KernelSocket> {
    table.lines().filter_map(socket).collect()
}

fn socket(line: &str) -> Option<KernelSocket> {
    let mut rest = line;
    let mut field = || {
        let start = rest.trim_start_matches(' ');
        let (field, after) = start.split_once(' ').unwrap_or((start, ""));
        rest = after;
        (!field.is_empty()).then_some(field)
    };
    field()?.strip_suffix(':')?;
    field()?;
    field()?;
    let flags = u32::from_str_radix(field()?, 16).ok()?;
    let protocol = match u16::from_str_radix(field()?, 16).ok()? {
        1 => "stream",
        2 => "dgram",
        5 => "seqpacket",
        _ => "other",
    };
    let state = match (flags & ACCEPTS != 0, field()?) {
        (true, _) => State::Listen,
        (false, "02") => State::SynSent,
        (false, "03") => State::Established,
        (false, "04") => State::Disconnecting,
        (false, _) => State::Unconnected,
    };
    let inode = field()?.parse().ok()?;
    // A path may hold blanks.
    let path = rest;
    Some(KernelSocket {
        state,
        local: (!path.is_empty()).then(|| Endpoint::Unix(path.to_owned())),
        ..KernelSocket::unconnected(inode, "unix", protocol.to_owned())
    })
}

/// Names the other ends, given which socket is connected to which.
pub(super) fn connect(sockets: &mut [KernelSocket], peers: &BTreeMap<u64, Peer>) {
    let names: BTreeMap<u64, Endpoint> = sockets
        .iter()
        .filter_map(|socket| Some((socket.inode, socket.local.clone()?)))
        .collect();
    for socket in sockets {
        match peers.get(&socket.inode) {
            Some(Peer::Socket(inode)) => socket.peer_inode = Some(*inode),
            // As TCP calls it.
            Some(Peer::Closed) if socket.state == State::Established => {
                socket.state = State::CloseWait;
            }
            Some(Peer::Closed) | None => {}
        }
        socket.peer = socket
            .peer_inode
            .and_then(|inode| names.get(&inode).cloned());
    }
}
