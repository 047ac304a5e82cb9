//! `leakhunt.sockets/1`.

use serde::Serialize;

use super::super::rows::rfc3339;
use super::{Item, descriptors, limited, sockets, split_groups};
use crate::commands::inventory::{Group, How, Listing};
use crate::sockets::{Mark, Socket};

const SCHEMA: &str = "leakhunt.sockets/1";

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    pid: u32,
    time: Option<String>,
    look: u64,
    pause_ms: f64,
    n_sockets: usize,
    n_gone: usize,
    n_missing: usize,
    groups: Vec<GroupLine<'a>>,
    sockets: Vec<SocketLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptors: Option<Descriptors<'a>>,
}

#[derive(Serialize)]
struct GroupLine<'a> {
    name: &'a str,
    count: usize,
    delta: i64,
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
    groups: Vec<GroupLine<'a>>,
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
    let line = Line {
        schema: SCHEMA,
        pid: listing.pid,
        time: rfc3339(
            (listing.time.unix_timestamp_nanos() / 1000)
                .try_into()
                .unwrap_or(0),
        ),
        look: listing.look,
        pause_ms: listing.pause_us as f64 / 1000.0,
        n_sockets: sockets(listing).count(),
        n_gone: listing.n_gone,
        n_missing: listing.missing.len(),
        groups: group_lines(&of_sockets),
        sockets: limited(sockets(listing), how.limit)
            .map(|(one, socket)| socket_line(socket, one.is_new))
            .collect(),
        descriptors: has_descriptors.then(|| Descriptors {
            groups: group_lines(&of_others),
            list: limited(descriptors(listing), how.limit)
                .map(|(one, descriptor)| DescriptorLine {
                    fd: descriptor.fd,
                    kind: &descriptor.kind,
                    what: &descriptor.what,
                    is_new: one.is_new,
                })
                .collect(),
        }),
    };
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn group_lines<'a>(groups: &[&'a Group]) -> Vec<GroupLine<'a>> {
    let line = |group: &&'a Group| GroupLine {
        name: &group.name,
        count: group.count,
        delta: group.delta,
    };
    groups.iter().map(line).collect()
}

fn socket_line(socket: &Socket, is_new: bool) -> SocketLine<'_> {
    let held = socket.held.as_ref();
    let not_empty = |text: &'_ String| !text.is_empty();
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
        path: held
            .map(|held| &held.path)
            .filter(|path| not_empty(path))
            .map(String::as_str),
        holder: held
            .map(|held| &held.holder)
            .filter(|name| not_empty(name))
            .map(String::as_str),
        package: held
            .map(|held| &held.package)
            .filter(|name| not_empty(name))
            .map(String::as_str),
        retained_bytes: held.map(|held| held.retained_bytes),
    }
}
