//! The tables of netlink and packet sockets.

use super::{Endpoint, KernelSocket};

/// `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
pub(super) fn netlink(table: &str) -> Vec<KernelSocket> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode = fields.get(9)?.parse().ok()?;
        let protocol = netlink_protocol(fields.get(1)?.parse().ok()?);
        let mut socket = KernelSocket::unconnected(inode, "netlink", protocol.to_owned());
        socket.local = Some(Endpoint::Netlink(fields.get(2)?.parse().ok()?));
        socket.receive_queue = fields.get(4)?.parse().ok();
        socket.send_queue = fields.get(5)?.parse().ok();
        Some(socket)
    };
    table.lines().filter_map(socket).collect()
}

/// `sk RefCnt Type Proto Iface R Rmem User Inode`.
pub(super) fn packet(table: &str) -> Vec<KernelSocket> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode = fields.get(8)?.parse().ok()?;
        let protocol = match *fields.get(2)? {
            "3" => "raw",
            "2" => "dgram",
            _ => "other",
        };
        let mut socket = KernelSocket::unconnected(inode, "packet", protocol.to_owned());
        socket.local = Some(Endpoint::Link {
            protocol: u16::from_str_radix(fields.get(3)?, 16).ok()?,
            interface: fields.get(4)?.parse().ok()?,
        });
        socket.receive_queue = fields.get(6)?.parse().ok();
        Some(socket)
    };
    table.lines().filter_map(socket).collect()
}

/// Names of `linux/netlink.h`; those that programs use.
fn netlink_protocol(number: u32) -> &'static str {
    match number {
        0 => "route",
        4 => "sock_diag",
        6 => "xfrm",
        9 => "audit",
        12 => "netfilter",
        15 => "kobject_uevent",
        16 => "generic",
        _ => "other",
    }
}
