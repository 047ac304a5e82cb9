//! Which unix socket is connected to which: no table has that, `sock_diag(7)` does.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd as _;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `NLMSG_ERROR`, `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `UDIAG_SHOW_PEER`.
const SHOW_PEER: u32 = 4;
/// `UNIX_DIAG_PEER`: the attribute with the other inode; 0 where no process has the other end.
const PEER: u16 = 2;
/// `UNIX_DIAG_SHUTDOWN`: the attribute that says in which directions nothing goes any more.
const SHUTDOWN: u16 = 6;
/// Both: what becomes of a socket when the other end is closed.
const BOTH: u8 = 3;
/// Lengths of `nlmsghdr` and `unix_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 16;
/// As much as the kernel puts into an answer.
const BUFFER: usize = 32 << 10;

/// The other end of a unix socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Peer {
    /// A socket, by its inode.
    Socket(u64),
    /// It was closed.
    Closed,
}

/// The peers of the connected unix sockets of the namespace of `pid`, by inode. Empty where the kernel
/// does not tell, or where it is another namespace that may not be entered.
pub(super) fn unix_peers(pid: u32) -> BTreeMap<u64, Peer> {
    // A thread of its own, so that a namespace that it enters ends with it.
    let asked = std::thread::spawn(move || ask(pid).unwrap_or_default());
    asked.join().unwrap_or_default()
}

fn ask(pid: u32) -> rustix::io::Result<BTreeMap<u64, Peer>> {
    let its = format!("/proc/{pid}/ns/net");
    if fs::read_link(&its).ok() != fs::read_link("/proc/self/ns/net").ok() {
        let namespace = File::open(its).map_err(|_| rustix::io::Errno::ACCESS)?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    }
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut peers = BTreeMap::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let (length, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        if length == 0 || read(&buffer[..length], &mut peers) == Answer::Ended {
            return Ok(peers);
        }
    }
}

/// A dump of all unix sockets, in any state, with their peers.
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(40_u32.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(SHOW_PEER.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

/// Whether more comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    GoesOn,
    Ended,
}

/// Reads the messages of one answer.
fn read(mut answer: &[u8], peers: &mut BTreeMap<u64, Peer>) -> Answer {
    while let (Some(length), Some(kind)) = (u32_at(answer, 0), u16_at(answer, 4)) {
        let length = length as usize;
        if kind == DONE || kind == ERROR || length < HEADER {
            return Answer::Ended;
        }
        let Some(message) = answer.get(HEADER..length) else {
            return Answer::Ended;
        };
        if let (Some(inode), Some(peer)) = (u32_at(message, 4), peer(message)) {
            peers.insert(inode.into(), peer);
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Answer::GoesOn
}

/// `None` for a socket without one, and where it waits to be accepted.
fn peer(message: &[u8]) -> Option<Peer> {
    let mut attributes = message.get(MESSAGE..)?;
    let (mut peer, mut is_shut) = (None, false);
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        match kind {
            PEER => peer = u32_at(attributes, 4),
            SHUTDOWN => is_shut = attributes.get(4) == Some(&BOTH),
            _ => {}
        }
        let length = usize::from(length).max(4).next_multiple_of(4);
        attributes = attributes.get(length..).unwrap_or_default();
    }
    match peer {
        Some(0) | None if is_shut => Some(Peer::Closed),
        Some(0) | None => None,
        Some(inode) => Some(Peer::Socket(inode.into())),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    bytes.try_into().ok().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_broken_ones_end_it() {
        let mut message = Vec::new();
        message.extend(40_u32.to_ne_bytes());
        message.extend(BY_FAMILY.to_ne_bytes());
        message.extend([0; 10]);
        message.extend([1, 1, 1, 0]);
        message.extend(1056_u32.to_ne_bytes());
        message.extend([0; 8]);
        message.extend([8_u16, PEER].map(u16::to_ne_bytes).as_flattened());
        message.extend(1057_u32.to_ne_bytes());
        let mut peers = BTreeMap::new();
        assert_eq!(read(&message, &mut peers), Answer::GoesOn);
        assert_eq!(peers, BTreeMap::from([(1056, Peer::Socket(1057))]));
        for n in 0..message.len() {
            read(&message[..n], &mut BTreeMap::new());
        }
        message[4..6].copy_from_slice(&DONE.to_ne_bytes());
        assert_eq!(read(&message, &mut peers), Answer::Ended);
        message[0] = 3;
        assert_eq!(read(&message, &mut peers), Answer::Ended);
    }

    #[test]
    fn a_pair_of_our_own_knows_its_peer() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let inode = |socket: &std::os::unix::net::UnixStream| {
            rustix::fs::fstat(socket).map(|stat| stat.st_ino).unwrap()
        };
        let peers = unix_peers(std::process::id());
        assert_eq!(peers.get(&inode(&one)), Some(&Peer::Socket(inode(&other))));
        let (kept, closed) = (inode(&one), other);
        drop(closed);
        let peers = unix_peers(std::process::id());
        assert_eq!(peers.get(&kept), Some(&Peer::Closed));
    }
}
