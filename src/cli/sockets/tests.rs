use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::entry::Role;
use super::*;
use crate::kernel_sockets::{Endpoint, KernelSocket, KernelSockets, State, Tcp, Within};
use crate::session::Row;

fn row(address: u64, type_name: &str, value: Value) -> Row {
    Row {
        address,
        type_name: type_name.to_owned(),
        size_bytes: 100,
        value,
    }
}

/// A TCP socket object with a descriptor.
fn tcp(address: u64, fd: i64) -> Row {
    let value = json!({"role": "socket", "fd": fd, "family": 2, "type": 1, "protocol": 6,
        "is_closed": false});
    row(address, "socket.socket", value)
}

/// What the kernel tells the process of a TCP socket.
fn idle(state: Option<State>) -> Within {
    Within {
        family: "inet",
        local: "10.0.0.1:9".parse().ok().map(Endpoint::Inet),
        tcp: Some(Tcp {
            state,
            idle_ms: 5,
            was_answered: Some(true),
        }),
        ..Within::default()
    }
}

fn seen(inode: u64, state: State, local: &str, peer: &str) -> KernelSocket {
    let endpoint = |text: &str| text.parse().ok().map(Endpoint::Inet);
    KernelSocket {
        inode,
        family: "inet",
        protocol: "tcp".into(),
        state,
        local: endpoint(local),
        peer: endpoint(peer),
        peer_inode: None,
        receive_queue: Some(1),
        send_queue: Some(2),
    }
}

/// What the kernel tells of these, each at the descriptor of its place from 3 on.
fn kernel(sockets: Vec<KernelSocket>, listening: &[u16]) -> Kernel {
    let links: BTreeMap<u32, String> = (3..)
        .zip(&sockets)
        .map(|(fd, socket)| (fd, format!("socket:[{}]", socket.inode)))
        .collect();
    let unnamed = sockets.iter().map(|one| (one.inode, Within::default()));
    let within = unnamed.collect();
    Kernel {
        before: links.clone(),
        after: links,
        seen: KernelSockets {
            sockets: sockets.into_iter().map(|one| (one.inode, one)).collect(),
            listening: listening.iter().copied().collect(),
        },
        within,
    }
}

fn groups(sockets: &[Socket]) -> Vec<&str> {
    sockets.iter().map(|one| one.group.as_str()).collect()
}

#[test]
fn an_object_and_its_socket_are_one_and_what_nobody_closes_comes_first() {
    let mut kernel = kernel(
        vec![
            seen(30, State::Listen, "0.0.0.0:80", ""),
            seen(31, State::Established, "10.0.0.1:80", "10.0.0.7:51000"),
            seen(32, State::CloseWait, "10.0.0.1:40000", "10.0.0.5:5432"),
            seen(33, State::Established, "10.0.0.1:40001", "10.0.0.5:5432"),
        ],
        &[80],
    );
    for inode in [30, 32] {
        kernel.within.insert(inode, idle(None));
    }
    let rows = [tcp(1000, 3), tcp(1001, 4), tcp(1002, 5)];
    let sockets = join(&rows, &kernel);
    assert_eq!(
        groups(&sockets),
        [
            "CLOSE_WAIT to 10.0.0.5:5432",
            "ESTABLISHED to 10.0.0.5:5432, no Python object",
            "ESTABLISHED from clients at port 80",
            "LISTEN",
        ]
    );
    let first = &sockets[0];
    assert_eq!((first.inode, &*first.fds), (Some(32), &[5][..]));
    assert_eq!(first.object().map(|one| one.address), Some(1002));
    assert_eq!(
        first.local.as_deref(),
        Some("10.0.0.1:40000"),
        "the kernel's"
    );
    assert_eq!((first.receive_queue, first.idle_ms), (Some(1), Some(5)));
    assert_eq!(first.marks, []);
    assert_eq!(sockets[1].marks, [Mark::Native]);
    assert_eq!(sockets[3].idle_ms, None, "a listening one");
}

#[test]
fn objects_that_wrap_one_another_are_one_socket() {
    let rows = [
        tcp(1000, 3),
        row(
            1001,
            "asyncio.trsock.TransportSocket",
            json!({"role": "wrapper", "wraps": [1000]}),
        ),
        row(
            1002,
            "asyncio.selector_events._SelectorSocketTransport",
            json!({"role": "transport", "wraps": [1000], "buffered_bytes": 70, "is_closed": false}),
        ),
        row(
            1003,
            "asyncio.sslproto._SSLProtocolTransport",
            json!({"role": "transport", "wraps": [1002, 1004], "used_by": "shop.Client",
                "used_by_address": 7, "is_closed": false}),
        ),
        row(1004, "ssl.SSLObject", json!({"role": "tls"})),
        row(
            1004,
            "ssl.SSLObject",
            json!({"tls": "TLSv1.3", "server_name": "db"}),
        ),
        row(
            1005,
            "asyncio.base_events.Server",
            json!({"role": "server", "wraps": [1000, 2000]}),
        ),
        tcp(2000, 4),
    ];
    let kernel = kernel(
        vec![
            seen(30, State::Established, "10.0.0.1:1", "10.0.0.2:2"),
            seen(31, State::Listen, "10.0.0.1:3", ""),
        ],
        &[],
    );
    let sockets = join(&rows, &kernel);
    assert_eq!(sockets.len(), 2, "{sockets:#?}");
    let roles: Vec<Role> = sockets[0].objects.iter().map(|one| one.role).collect();
    use Role::{Server, Socket, Tls, Transport, Wrapper};
    assert_eq!(roles, [Socket, Tls, Transport, Transport, Wrapper, Server]);
    assert_eq!(sockets[0].tls.as_deref(), Some("TLSv1.3"));
    assert_eq!(sockets[0].server_name.as_deref(), Some("db"));
    assert_eq!(sockets[0].buffered_bytes, Some(70));
    assert_eq!(sockets[0].used_by, Some(("shop.Client".into(), 7)));
    assert_eq!(sockets[0].size_bytes(), 600);
    assert_eq!(sockets[1].objects.len(), 2);
}

#[test]
fn objects_without_a_socket_say_why() {
    let mut kernel = kernel(vec![], &[]);
    kernel.before.insert(9, "/dev/null".into());
    let closed = json!({"role": "socket", "fd": -1, "family": 1, "type": 1, "is_closed": true});
    let stale = |fd: i64| json!({"role": "socket", "fd": fd, "is_closed": false});
    let rows = [
        row(1, "socket.socket", closed),
        row(2, "socket.socket", stale(9)),
        row(3, "socket.socket", stale(10)),
        row(4, "ssl.SSLObject", json!({"role": "tls"})),
        row(
            5,
            "asyncio.selector_events._SelectorSocketTransport",
            json!({"role": "transport", "is_closed": true, "peer": "10.0.0.5:80"}),
        ),
    ];
    let sockets = join(&rows, &kernel);
    let marks: BTreeMap<u64, &Mark> = sockets
        .iter()
        .map(|one| (one.key(), &one.marks[0]))
        .collect();
    assert_eq!(marks[&1], &Mark::Closed);
    assert_eq!(marks[&2], &Mark::Stale(Some("/dev/null".into())));
    assert_eq!(marks[&3], &Mark::Stale(None));
    assert_eq!(marks[&4], &Mark::NoSocket);
    assert_eq!(marks[&5], &Mark::Closed);
    assert_eq!(
        sockets[0].rank(),
        1,
        "a descriptor that is another's comes first"
    );
    let transport = sockets.iter().find(|one| one.key() == 5).unwrap();
    assert_eq!(transport.peer.as_deref(), Some("10.0.0.5:80"));
}

#[test]
fn what_comes_and_goes_during_the_look_is_left_out() {
    let mut kernel = kernel(
        vec![seen(30, State::Established, "10.0.0.1:1", "10.0.0.2:2")],
        &[],
    );
    let rows = [tcp(1, 3)];
    assert_eq!(join(&rows, &kernel).len(), 1);
    kernel.before.clear();
    assert_eq!(join(&rows, &kernel), [], "another may have been there");
    kernel.before.insert(3, "socket:[29]".into());
    assert_eq!(join(&rows, &kernel), [], "another was there");
    kernel.after.clear();
    kernel.seen.sockets.clear();
    assert_eq!(join(&rows, &kernel), [], "it was closed");
}

#[test]
fn the_agents_own_is_no_socket_of_the_program() {
    let mut kernel = kernel(
        vec![seen(30, State::Established, "10.0.0.1:1", "10.0.0.2:2")],
        &[],
    );
    assert_eq!(join(&[], &kernel)[0].marks, [Mark::Native]);
    kernel.within.clear();
    assert_eq!(join(&[], &kernel), []);
}

#[test]
fn standard_descriptors_and_duplicates_are_known() {
    let mut kernel = kernel(
        vec![seen(30, State::Established, "10.0.0.1:1", "10.0.0.2:2")],
        &[],
    );
    for links in [&mut kernel.before, &mut kernel.after] {
        links.insert(0, "socket:[30]".into());
    }
    let at_zero = json!({"role": "socket", "fd": 0, "is_closed": false});
    let sockets = join(&[row(1, "socket.socket", at_zero)], &kernel);
    assert_eq!(sockets.len(), 1);
    assert_eq!(
        (sockets[0].inode, &*sockets[0].fds),
        (Some(30), &[0, 3][..])
    );
}

#[test]
fn a_connection_that_is_over_stands_in_no_table_and_is_marked() {
    let over = KernelSocket {
        local: None,
        peer: None,
        ..seen(30, State::Unconnected, "", "")
    };
    let mut of_one = kernel(vec![over], &[]);
    of_one.within.insert(30, idle(Some(State::Unconnected)));
    let sockets = join(&[tcp(1, 3)], &of_one);
    assert_eq!(sockets[0].marks, [Mark::Over]);
    assert_eq!(sockets[0].group, "UNCONNECTED, connection over");
    assert_eq!(
        sockets[0].local.as_deref(),
        Some("10.0.0.1:9"),
        "the process's word"
    );
    let open = seen(30, State::Established, "10.0.0.1:1", "10.0.0.2:2");
    let sockets = join(&[tcp(1, 3)], &kernel(vec![open], &[]));
    assert_eq!(sockets[0].marks, []);
}

#[test]
fn a_closed_socket_that_a_file_keeps_open_is_marked() {
    let value = json!({"role": "socket", "fd": 3, "family": 2, "type": 1,
        "is_closed": true, "n_files": 1});
    let seen = seen(30, State::Established, "10.0.0.1:1", "10.0.0.2:2");
    let sockets = join(&[row(1, "socket.socket", value)], &kernel(vec![seen], &[]));
    assert_eq!(sockets[0].marks, [Mark::KeptOpenByFile]);
}

#[test]
fn rows_that_are_nonsense_are_left_out() {
    let rows = [
        row(1, "socket.socket", json!("text")),
        row(2, "socket.socket", json!({"role": "no such role"})),
        row(3, "socket.socket", json!({"tls": "before anything else"})),
        row(
            4,
            "socket.socket",
            json!({"role": "socket", "wraps": [4, 5, 1_u64 << 60]}),
        ),
        row(5, "socket.socket", json!({"role": "wrapper", "wraps": [4]})),
    ];
    let sockets = join(&rows, &kernel(vec![], &[]));
    assert_eq!(sockets.len(), 1, "{sockets:#?}");
    let addresses: BTreeSet<u64> = sockets[0].objects.iter().map(|one| one.address).collect();
    assert_eq!(addresses, BTreeSet::from([4, 5]));
}

#[test]
fn other_descriptors_are_told_by_kind() {
    let links = [
        (0, "/var/log/app.log"),
        (1, "/tmp/x (deleted)"),
        (2, "pipe:[77]"),
        (3, "socket:[30]"),
        (4, "anon_inode:[eventpoll]"),
        (5, "/memfd:shm (deleted)"),
    ];
    let links = links.map(|(fd, link)| (fd, link.to_owned())).into();
    let others = other_descriptors(&links);
    let told: Vec<_> = others
        .iter()
        .map(|one| (one.fd, &*one.kind, &*one.what))
        .collect();
    assert_eq!(
        told,
        [
            (0, "file", "/var/log/app.log"),
            (1, "deleted file", "/tmp/x"),
            (2, "pipe", "inode 77"),
            (4, "eventpoll", ""),
            (5, "memory", "shm"),
        ]
    );
    let keys: BTreeSet<u64> = others.iter().map(OtherDescriptor::key).collect();
    assert_eq!(keys.len(), others.len());
}
