//! `leakhunt.sockets/1`.

use serde::Serialize;

use super::super::inventory::{GroupRow, Head, limited, pause_ms};
use super::super::json_line;
use super::{Item, descriptors, sockets, split_groups};
use crate::commands::inventory::{Group, Held, How, Listing};
use crate::sockets::{Mark, Socket};

const SCHEMA: &str = "leakhunt.sockets/1";

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    head: Head,
    pause_ms: f64,
    n_sockets: usize,
    n_gone: usize,
    n_missing: usize,
    groups: Vec<GroupRow<'a>>,
    sockets: Vec<SocketLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptors: Option<Descriptors<'a>>,
}

#[derive(Serialize)]
struct SocketLine<'a> {
    inode: Option<u64>,
    fds: &'a [u32],
    family: &'a str,
    protocol: &'a str,
    state: Option<&'static str>,
    local: Option<&'a str>,
    peer: Option<&'a str>,
    peer_inode: Option<u64>,
    peer_pid: Option<u64>,
    receive_queue: Option<u64>,
    send_queue: Option<u64>,
    buffered_bytes: Option<u64>,
    idle_ms: Option<u64>,
    tls: Option<&'a str>,
    server_name: Option<&'a str>,
    marks: Vec<&'static str>,
    descriptor_now: Option<&'a str>,
    group: &'a str,
    is_new: bool,
    objects: Vec<ObjectLine<'a>>,
    used_by: Option<UserLine<'a>>,
    path: Option<&'a str>,
    holder: Option<&'a str>,
    package: Option<&'a str>,
    retained_bytes: Option<u64>,
}

#[derive(Serialize)]
struct ObjectLine<'a> {
    address: u64,
    r#type: &'a str,
    size_bytes: u64,
    role: &'static str,
}

#[derive(Serialize)]
struct UserLine<'a> {
    address: u64,
    r#type: &'a str,
}

#[derive(Serialize)]
struct Descriptors<'a> {
    groups: Vec<GroupRow<'a>>,
    list: Vec<DescriptorLine<'a>>,
}

#[derive(Serialize)]
struct DescriptorLine<'a> {
    fd: u32,
    kind: &'a str,
    what: &'a str,
    is_new: bool,
}

/// A look as one line.
pub(super) fn line(listing: &Listing<Item>, how: &How, has_descriptors: bool) -> Vec<u8> {
    let (of_sockets, of_others) = split_groups(listing);
    json_line(&Line {
        head: Head::new(SCHEMA, listing),
        pause_ms: pause_ms(listing),
        n_sockets: sockets(listing).count(),
        n_gone: listing.n_gone,
        n_missing: listing.missing.len(),
        groups: group_rows(&of_sockets),
        sockets: limited(sockets(listing), how)
            .map(|(one, socket)| socket_line(socket, one.is_new))
            .collect(),
        descriptors: has_descriptors.then(|| Descriptors {
            groups: group_rows(&of_others),
            list: limited(descriptors(listing), how)
                .map(|(one, descriptor)| DescriptorLine {
                    fd: descriptor.fd,
                    kind: &descriptor.kind,
                    what: &descriptor.what,
                    is_new: one.is_new,
                })
                .collect(),
        }),
    })
}

fn group_rows<'a>(groups: &[&'a Group]) -> Vec<GroupRow<'a>> {
    groups.iter().map(|&group| group.into()).collect()
}

fn socket_line(socket: &Socket, is_new: bool) -> SocketLine<'_> {
    let held = socket.held.as_ref();
    SocketLine {
        inode: socket.inode,
        fds: &socket.fds,
        family: &socket.family,
        protocol: &socket.protocol,
        state: socket.state.map(|state| state.name()),
        local: socket.local.as_deref(),
        peer: socket.peer.as_deref(),
        peer_inode: socket.peer_inode,
        peer_pid: socket.peer_pid,
        receive_queue: socket.receive_queue,
        send_queue: socket.send_queue,
        buffered_bytes: socket.buffered_bytes,
        idle_ms: socket.idle_ms,
        tls: socket.tls.as_deref(),
        server_name: socket.server_name.as_deref(),
        marks: socket.marks.iter().map(Mark::key).collect(),
        descriptor_now: socket.marks.iter().find_map(|mark| match mark {
            Mark::Stale(now) => now.as_deref(),
            _ => None,
        }),
        group: &socket.group,
        is_new,
        objects: socket
            .objects
            .iter()
            .map(|object| ObjectLine {
                address: object.address,
                r#type: &object.type_name,
                size_bytes: object.size_bytes,
                role: object.role.key(),
            })
            .collect(),
        used_by: socket.used_by.as_ref().map(|(name, address)| UserLine {
            address: *address,
            r#type: name,
        }),
        path: held.and_then(Held::known_path),
        holder: held.and_then(Held::known_holder),
        package: held.and_then(Held::known_package),
        retained_bytes: held.map(|held| held.retained_bytes),
    }
}
