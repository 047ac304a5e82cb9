//! Which objects, descriptors and kernel sockets are the same socket.

use std::collections::{BTreeMap, BTreeSet};

use leakhunt_heap::Destination;

use super::entry::{Mark, PythonObject, Role, Socket};
use super::rows::{Object, Told, objects};
use crate::kernel_sockets::{KernelSocket, KernelSockets, State, Within};
use crate::session::Row;

/// What the kernel tells around a look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    /// The links of `/proc/PID/fd` before the look.
    pub(crate) before: BTreeMap<u32, String>,
    /// Those after it.
    pub(crate) after: BTreeMap<u32, String>,
    /// The sockets that `after` leads to.
    pub(crate) seen: KernelSockets,
    /// What the kernel told the process itself of its sockets, by inode, between these two. The agent's own
    /// is not among them.
    pub(crate) within: BTreeMap<u64, Within>,
}

/// The sockets of a look; the most suspicious first. What was opened or closed while it went on is left
/// out: of that nobody can say whether a Python object has it.
pub(crate) fn join(rows: &[Row], kernel: &Kernel) -> Vec<Socket> {
    let objects = objects(rows);
    let fds = fds_by_inode(&kernel.after);
    let before = fds_by_inode(&kernel.before);
    let mut sockets: BTreeMap<u64, Socket> = BTreeMap::new();
    let mut without: Vec<Socket> = Vec::new();
    for members in components(&objects) {
        let mut owners = members.iter().flat_map(|object| &object.told);
        let owned = owners.find_map(|told| Some(owned(told.fd?, kernel)));
        match owned {
            Some(Owned::Socket(inode)) => add(sockets.entry(inode).or_default(), &members),
            Some(Owned::Changed) => {}
            Some(Owned::Nothing | Owned::Other) | None => {
                let mut socket = Socket::default();
                add(&mut socket, &members);
                mark_without(&mut socket, &members, kernel);
                without.push(socket);
            }
        }
    }
    for (&inode, seen) in &kernel.seen.sockets {
        let is_known = sockets.contains_key(&inode);
        let was_there = || before.contains_key(&inode) && kernel.within.contains_key(&inode);
        if !is_known && !was_there() {
            continue;
        }
        let socket = sockets.entry(inode).or_default();
        if !is_known {
            socket.marks.push(Mark::Native);
        }
        socket.fds = fds.get(&inode).cloned().unwrap_or_default();
        tell_of_kernel(socket, seen, kernel, &fds);
    }
    serve(&objects, &mut sockets, kernel);
    let mut all: Vec<Socket> = sockets.into_values().chain(without).collect();
    for socket in &mut all {
        socket
            .objects
            .sort_by_key(|object| (object.role, object.address));
        let listens =
            port(socket.local.as_deref()).is_some_and(|port| kernel.seen.listening.contains(&port));
        socket.name_group(listens && socket.protocol == "tcp");
    }
    sort(&mut all);
    all
}

/// The most suspicious first, those of large groups before others, then those that were idle longest.
fn sort(sockets: &mut [Socket]) {
    let mut counts = BTreeMap::<String, usize>::new();
    for socket in sockets.iter() {
        *counts.entry(socket.group.clone()).or_default() += 1;
    }
    sockets.sort_by_cached_key(|socket| {
        let count = counts.get(&socket.group).copied().unwrap_or(0);
        (
            socket.rank(),
            std::cmp::Reverse(count),
            socket.group.clone(),
            std::cmp::Reverse(socket.idle_ms),
            socket.fds.clone(),
            socket.key(),
        )
    });
}

fn fds_by_inode(links: &BTreeMap<u32, String>) -> BTreeMap<u64, Vec<u32>> {
    let mut fds = BTreeMap::<u64, Vec<u32>>::new();
    for (&fd, link) in links {
        if let Destination::Socket(inode) = Destination::of_link(link) {
            fds.entry(inode).or_default().push(fd);
        }
    }
    fds
}

/// Objects that wrap one another, together. A server is no part of it: it has many sockets.
fn components(objects: &BTreeMap<u64, Object>) -> Vec<Vec<&Object>> {
    let is_member = |object: &Object| object.told[0].role != Some(Role::Server);
    let mut neighbours = BTreeMap::<u64, Vec<u64>>::new();
    for object in objects.values().filter(|object| is_member(object)) {
        for wrapped in object.told.iter().flat_map(|told| &told.wraps) {
            if objects.get(wrapped).is_some_and(is_member) {
                neighbours.entry(object.address).or_default().push(*wrapped);
                neighbours.entry(*wrapped).or_default().push(object.address);
            }
        }
    }
    let mut seen = BTreeSet::new();
    let mut components = Vec::new();
    for object in objects.values().filter(|object| is_member(object)) {
        if !seen.insert(object.address) {
            continue;
        }
        let mut members = vec![object];
        let mut next = 0;
        while let Some(member) = members.get(next) {
            next += 1;
            for neighbour in neighbours.get(&member.address).into_iter().flatten() {
                if seen.insert(*neighbour) {
                    members.extend(objects.get(neighbour));
                }
            }
        }
        components.push(members);
    }
    components
}

/// What the descriptor of an object leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owned {
    /// It has none: it is closed.
    Nothing,
    /// This socket, before and after the look.
    Socket(u64),
    /// No socket, before and after the look.
    Other,
    /// It was opened, closed or replaced meanwhile.
    Changed,
}

fn owned(fd: i64, kernel: &Kernel) -> Owned {
    let Ok(fd) = u32::try_from(fd) else {
        return Owned::Nothing;
    };
    let socket = |links: &BTreeMap<u32, String>| match Destination::of_link(links.get(&fd)?) {
        Destination::Socket(inode) => Some(inode),
        _ => None,
    };
    match (socket(&kernel.before), socket(&kernel.after)) {
        (Some(before), Some(after)) if before == after => Owned::Socket(after),
        (None, None) => Owned::Other,
        _ => Owned::Changed,
    }
}

/// What the objects of a socket say.
fn add(socket: &mut Socket, members: &[&Object]) {
    for object in members {
        for told in &object.told {
            socket.objects.push(PythonObject {
                address: object.address,
                type_name: object.type_name.clone(),
                size_bytes: object.size_bytes,
                role: told.role.unwrap_or(Role::Socket),
            });
            take(socket, told);
        }
    }
}

fn take(socket: &mut Socket, told: &Told) {
    fn first<T: Clone>(known: &mut Option<T>, told: &Option<T>) {
        if known.is_none() {
            known.clone_from(told);
        }
    }
    let (family, protocol) = told.kind();
    if socket.family.is_empty() {
        socket.family = family.to_owned();
        socket.protocol = protocol.to_owned();
    }
    first(&mut socket.local, &told.local);
    first(&mut socket.peer, &told.peer);
    first(&mut socket.tls, &told.tls);
    first(&mut socket.server_name, &told.server_name);
    first(&mut socket.buffered_bytes, &told.buffered_bytes);
    if let (Some(type_name), Some(address)) = (&told.used_by, told.used_by_address) {
        first(&mut socket.used_by, &Some((type_name.clone(), address)));
    }
    let mut mark = |mark: Mark, applies: bool| {
        if applies && !socket.marks.contains(&mark) {
            socket.marks.push(mark);
        }
    };
    let is_open = told.fd.is_some_and(|fd| fd >= 0);
    mark(
        Mark::KeptOpenByFile,
        is_open && told.is_closed && told.n_files.is_some_and(|n| n > 0),
    );
    mark(Mark::Closing, told.is_closing);
}

/// Why there is no socket behind these objects.
fn mark_without(socket: &mut Socket, members: &[&Object], kernel: &Kernel) {
    let stale = members
        .iter()
        .flat_map(|object| &object.told)
        .find_map(|told| {
            let fd = u32::try_from(told.fd?).ok()?;
            Some((fd, kernel.before.get(&fd).cloned()))
        });
    let is_closed = members.iter().flat_map(|object| &object.told).any(|told| {
        told.fd.is_some_and(|fd| fd < 0) || (told.role == Some(Role::Transport) && told.is_closed)
    });
    socket.marks.clear();
    match stale {
        Some((fd, link)) => {
            socket.fds = vec![fd];
            socket.marks.push(Mark::Stale(link));
        }
        None if is_closed => socket.marks.push(Mark::Closed),
        None => socket.marks.push(Mark::NoSocket),
    }
}

/// What the kernel says, in its tables and to the process itself. It knows better than the objects.
fn tell_of_kernel(
    socket: &mut Socket,
    seen: &KernelSocket,
    kernel: &Kernel,
    fds: &BTreeMap<u64, Vec<u32>>,
) {
    let nothing = Within::default();
    let within = kernel.within.get(&seen.inode).unwrap_or(&nothing);
    socket.inode = Some(seen.inode);
    let family = [seen.family, within.family]
        .into_iter()
        .find(|one| !one.is_empty());
    if let Some(family) = family {
        socket.family = family.to_owned();
    }
    if socket.protocol.is_empty() || !seen.family.is_empty() {
        socket.protocol.clone_from(&seen.protocol);
    }
    let local = seen.local.as_ref().or(within.local.as_ref());
    if let Some(local) = local {
        socket.local = Some(local.to_string());
    }
    socket.peer_inode = seen.peer_inode;
    socket.peer_pid = within.peer_pid;
    // A table has the moment of all its sockets, and TCP's own word is of a later one.
    let tcp = within.tcp.filter(|_| seen.local.is_none());
    let state = tcp.and_then(|tcp| tcp.state).unwrap_or(seen.state);
    socket.state = Some(state);
    let other = seen.peer_inode.map(|inode| match fds.get(&inode) {
        Some(own) => {
            let own: Vec<String> = own.iter().map(u32::to_string).collect();
            format!("fd {} of this process", own.join(", "))
        }
        None => format!("inode {inode}"),
    });
    match seen.peer.as_ref().or(within.peer.as_ref()) {
        Some(peer) => socket.peer = Some(peer.to_string()),
        None if state != State::Unconnected => socket.peer = socket.peer.take().or(other),
        None => {}
    }
    socket.receive_queue = seen.receive_queue;
    socket.send_queue = seen.send_queue;
    if let Some(tcp) = within.tcp {
        let is_connection = !matches!(state, State::Listen | State::Unconnected);
        socket.idle_ms = is_connection.then_some(tcp.idle_ms);
        if state == State::Unconnected && tcp.was_answered == Some(true) {
            socket.marks.push(Mark::Over);
        }
    }
}

/// Adds servers to the sockets that they accept on.
fn serve(objects: &BTreeMap<u64, Object>, sockets: &mut BTreeMap<u64, Socket>, kernel: &Kernel) {
    let inodes: BTreeMap<u64, u64> = sockets
        .iter()
        .flat_map(|(&inode, socket)| {
            let addresses = socket.objects.iter().map(|object| object.address);
            addresses.map(move |address| (address, inode))
        })
        .collect();
    for server in objects.values() {
        for told in &server.told {
            if told.role != Some(Role::Server) {
                continue;
            }
            let own = told.fd.and_then(|fd| match owned(fd, kernel) {
                Owned::Socket(inode) => Some(inode),
                _ => None,
            });
            let wrapped = told.wraps.iter().filter_map(|address| inodes.get(address));
            for inode in wrapped.copied().chain(own) {
                let Some(socket) = sockets.get_mut(&inode) else {
                    continue;
                };
                socket.marks.retain(|mark| *mark != Mark::Native);
                socket.objects.push(PythonObject {
                    address: server.address,
                    type_name: server.type_name.clone(),
                    size_bytes: server.size_bytes,
                    role: Role::Server,
                });
            }
        }
    }
}

/// The port of `127.0.0.1:80`.
fn port(endpoint: Option<&str>) -> Option<u16> {
    endpoint?.rsplit_once(':')?.1.parse().ok()
}
