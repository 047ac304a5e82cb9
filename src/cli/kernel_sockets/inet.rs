//! The tables of TCP, UDP, raw and ICMP sockets.
//!
//! One line a socket: `0: 0100007F:1F90 0200007F:C350 08 00000000:00000001 … uid timeout inode …`.
//! Each 32 bits of an address are in the order of the machine, ports are plain (Linux,
//! `net/ipv4/tcp_ipv4.c`).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Endpoint, KernelSocket, State};

/// Reads a table; what is no line of one is passed over.
pub(super) fn sockets<'t>(
    table: &'t str,
    family: &'static str,
    protocol: &'static str,
) -> impl Iterator<Item = KernelSocket> + 't {
    table
        .lines()
        .filter_map(move |line| socket(line, family, protocol))
}

fn socket(line: &str, family: &'static str, protocol: &'static str) -> Option<KernelSocket> {
    let mut fields = line.split_whitespace();
    fields.next()?.strip_suffix(':')?;
    let local = address(fields.next()?)?;
    let peer = address(fields.next()?)?;
    let state = State::of_inet(u8::from_str_radix(fields.next()?, 16).ok()?)?;
    let (send, receive) = fields.next()?.split_once(':')?;
    // Timer, retransmissions, user, timeout.
    let inode = fields.nth(4)?.parse().ok()?;
    Some(KernelSocket {
        inode,
        family,
        protocol: protocol.to_owned(),
        state,
        local: Some(Endpoint::Inet(local)),
        peer: (peer.port() != 0 || !peer.ip().is_unspecified()).then_some(Endpoint::Inet(peer)),
        peer_inode: None,
        receive_queue: u64::from_str_radix(receive, 16).ok(),
        send_queue: u64::from_str_radix(send, 16).ok(),
    })
}

/// `0100007F:1F90` or 32 digits and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !ip.is_ascii() {
        return None;
    }
    let word = |start: usize| {
        let word = u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}
