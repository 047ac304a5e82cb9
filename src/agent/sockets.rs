//! What the kernel tells of the sockets of this process.
//!
//! By the agent's thread, which needs neither the interpreter nor a copy for it: a copy that had them
//! open would keep their peers from seeing that they are closed.

use leakhunt_wire::{OpenSocket, Reply};

use crate::sys;

/// `sockaddr_un` is the longest.
const MOST_NAME: usize = 128;
/// As long as the fields that somebody reads.
const MOST_TCP_INFO: usize = 256;
/// After so many numbers in a row that are not open there is no other that came since the request was made:
/// the lowest are taken first.
const LONGEST_GAP: i32 = 8192;

/// Gives all sockets but `channel` to `send`, which answers whether to go on. `highest` is the highest
/// descriptor that is known to be open: about 100 ns for each number up to it.
pub(crate) fn each(channel: i32, highest: u32, send: impl Fn(&Reply<'_>) -> bool) {
    let mut last_open = i32::try_from(highest).unwrap_or(i32::MAX - LONGEST_GAP);
    last_open = last_open.min(i32::MAX - LONGEST_GAP);
    let mut fd = 0;
    while fd - last_open < LONGEST_GAP {
        match sys::socket_inode(fd) {
            Ok(Some(inode)) if fd != channel && !tell(fd, inode, &send) => return,
            Ok(_) => last_open = last_open.max(fd),
            Err(_) => {}
        }
        fd += 1;
    }
}

fn tell(fd: i32, inode: u64, send: &impl Fn(&Reply<'_>) -> bool) -> bool {
    let (mut local, mut peer) = ([0; MOST_NAME], [0; MOST_NAME]);
    let local = sys::socket_name(fd, &mut local);
    let peer = sys::peer_name(fd, &mut peer);
    let mut tcp_info = [0; MOST_TCP_INFO];
    let family = local
        .first_chunk()
        .map_or(0, |&family| u16::from_ne_bytes(family));
    let is_internet = matches!(family, sys::AF_INET | sys::AF_INET6);
    let tcp_info = if is_internet {
        sys::tcp_info(fd, &mut tcp_info)
    } else {
        &[]
    };
    let peer_pid = match family {
        sys::AF_UNIX if !peer.is_empty() => sys::peer_pid(fd),
        _ => 0,
    };
    send(&Reply::Socket(OpenSocket {
        fd: fd as u32,
        inode,
        local,
        peer,
        peer_pid,
        tcp_info,
    }))
}
