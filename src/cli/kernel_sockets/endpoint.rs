//! One end of a socket.

use std::fmt;
use std::net::SocketAddr;

/// Its name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Endpoint {
    /// Address and port.
    Inet(SocketAddr),
    /// The path of a unix socket, or its abstract name with `@` in front.
    Unix(String),
    /// A port of netlink: mostly the id of the process.
    Netlink(u32),
    /// An Ethernet protocol on an interface; 0: any.
    Link {
        /// Such as 0x0800.
        protocol: u16,
        /// Its index.
        interface: u32,
    },
}

impl Endpoint {
    /// The port, of those that have one.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Inet(address) => Some(address.port()),
            _ => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(name) => f.write_str(name),
            Self::Netlink(port) => write!(f, "port {port}"),
            Self::Link {
                protocol,
                interface,
            } => write!(f, "protocol {protocol:#06x} on interface {interface}"),
        }
    }
}
