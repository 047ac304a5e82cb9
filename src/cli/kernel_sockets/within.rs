//! What the kernel tells of a socket only to the process that has it open.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Endpoint, State, family_name};
use crate::session::OpenSocket;

/// Of one socket.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Within {
    /// As [`super::KernelSocket::family`].
    pub(crate) family: &'static str,
    /// Its own end; `None` where it is not bound.
    pub(crate) local: Option<Endpoint>,
    /// The other end; `None` where it is not connected.
    pub(crate) peer: Option<Endpoint>,
    /// Of a unix socket: the process that made the other end.
    pub(crate) peer_pid: Option<u64>,
    /// `None` where it is not TCP.
    pub(crate) tcp: Option<Tcp>,
}

/// What TCP counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tcp {
    pub(crate) state: Option<State>,
    /// Since when no data was sent and none came.
    pub(crate) idle_ms: u64,
    /// Whether anything ever came; `None` before Linux 4.2.
    pub(crate) was_answered: Option<bool>,
}

/// By inode.
pub(crate) fn within(open: &[OpenSocket]) -> BTreeMap<u64, Within> {
    open.iter()
        .map(|one| {
            let socket = Within {
                family: family(&one.local),
                local: endpoint(&one.local),
                peer: endpoint(&one.peer),
                peer_pid: (one.peer_pid != 0).then_some(one.peer_pid.into()),
                tcp: tcp(&one.tcp_info),
            };
            (one.inode, socket)
        })
        .collect()
}

/// The family of a `struct sockaddr`.
fn family(address: &[u8]) -> &'static str {
    let number = number::<2>(address, 0).map(u16::from_ne_bytes);
    number.map_or("", |number| family_name(number.into()))
}

/// `None` for an address of nothing.
fn endpoint(address: &[u8]) -> Option<Endpoint> {
    let port = || number::<2>(address, 2).map(u16::from_be_bytes);
    match family(address) {
        "inet" => inet(SocketAddr::new(
            Ipv4Addr::from(number::<4>(address, 4)?).into(),
            port()?,
        )),
        "inet6" => inet(SocketAddr::new(
            Ipv6Addr::from(number::<16>(address, 8)?).into(),
            port()?,
        )),
        "unix" => unix(address.get(2..)?),
        "netlink" => {
            number::<4>(address, 4).map(|port| Endpoint::Netlink(u32::from_ne_bytes(port)))
        }
        _ => None,
    }
}

fn inet(address: SocketAddr) -> Option<Endpoint> {
    let is_bound = address.port() != 0 || !address.ip().is_unspecified();
    is_bound.then_some(Endpoint::Inet(address))
}

/// A path ends with a zero byte, or with the address; an abstract name starts with one, and may have more.
fn unix(name: &[u8]) -> Option<Endpoint> {
    let name = match name {
        [] => return None,
        [0, ..] => name
            .iter()
            .map(|&byte| if byte == 0 { b'@' } else { byte })
            .collect(),
        path => path.split(|&byte| byte == 0).next()?.to_vec(),
    };
    Some(Endpoint::Unix(String::from_utf8_lossy(&name).into_owned()))
}

/// Fields of `struct tcp_info` by their offsets (`linux/tcp.h`, which only grows).
fn tcp(info: &[u8]) -> Option<Tcp> {
    const LAST_DATA_SENT: usize = 44;
    const LAST_DATA_RECEIVED: usize = 52;
    const SEGMENTS_IN: usize = 140;
    let field = |at: usize| number::<4>(info, at).map(u32::from_ne_bytes);
    let idle_ms = field(LAST_DATA_SENT)?.min(field(LAST_DATA_RECEIVED)?);
    Some(Tcp {
        state: info.first().and_then(|&state| State::of_inet(state)),
        idle_ms: idle_ms.into(),
        was_answered: field(SEGMENTS_IN).map(|n| n > 0),
    })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(address: &[u8]) -> Option<String> {
        endpoint(address).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn addresses_of_each_family_are_read() {
        let inet = [2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(name(&inet).as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(name(&[2, 0, 0, 0, 0, 0, 0, 0]), None, "bound to nothing");
        let mut inet6 = [0; 28];
        inet6[0] = 10;
        inet6[3] = 53;
        inet6[23] = 1;
        assert_eq!(name(&inet6).as_deref(), Some("[::1]:53"));
        assert_eq!(name(b"\x01\0/run/a b\0junk").as_deref(), Some("/run/a b"));
        assert_eq!(name(b"\x01\0/run/full").as_deref(), Some("/run/full"));
        assert_eq!(name(b"\x01\0\0a\0b").as_deref(), Some("@a@b"));
        assert_eq!(name(b"\x01\0"), None);
        let netlink = [16, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(name(&netlink).as_deref(), Some("port 7"));
        for address in [&inet[..], &inet6, b"\x01\0/run", &netlink] {
            for n in 0..address.len() {
                name(&address[..n]);
            }
        }
    }

    #[test]
    fn tcp_is_idle_since_the_later_of_both_directions() {
        let mut info = [0; 192];
        info[0] = 8;
        info[44..48].copy_from_slice(&7000_u32.to_ne_bytes());
        info[52..56].copy_from_slice(&5000_u32.to_ne_bytes());
        info[140] = 1;
        let expected = Tcp {
            state: Some(State::CloseWait),
            idle_ms: 5000,
            was_answered: Some(true),
        };
        assert_eq!(tcp(&info), Some(expected));
        assert_eq!(tcp(&info[..104]).unwrap().was_answered, None);
        assert_eq!(tcp(&[]), None);
    }
}
