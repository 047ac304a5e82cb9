//! Descriptors by what they lead to, and the objects that own such.

use std::collections::BTreeMap;

use super::{Destination, Group, grouped};
use crate::snapshot::{Snapshot, Type};

const SOCKET: &str = "socket";
const FILE: &str = "file";
const PIPE: &str = "pipe";
const POLL: &str = "poll";
const OTHER: &str = "other";

/// Types whose objects own a descriptor, and of which kinds. A `FileIO` may have a pipe, too.
const OWNERS: [(&str, &[&str]); 6] = [
    ("_socket.socket", &[SOCKET]),
    ("socket.socket", &[SOCKET]),
    ("_io.FileIO", &[FILE, PIPE]),
    ("select.epoll", &[POLL]),
    ("select.poll", &[POLL]),
    ("mmap.mmap", &[FILE]),
];

pub(super) fn groups(links: &[String]) -> Vec<Group> {
    grouped(links.iter().map(|link| group_of(link)))
}

/// A group by what the link in `/proc/PID/fd` says.
fn group_of(link: &str) -> Group {
    let (kind, name) = match Destination::of_link(link) {
        Destination::File { .. } | Destination::Memory(_) => {
            (FILE, format!("files {}", masked(link)))
        }
        Destination::Socket(_) => (SOCKET, "sockets".to_owned()),
        Destination::Pipe(_) => (PIPE, "pipes".to_owned()),
        Destination::Anonymous(sort) => {
            let kind = if sort == "eventpoll" { POLL } else { OTHER };
            (kind, format!("descriptors of kind {sort}"))
        }
        Destination::Other(link) => (OTHER, format!("descriptors of kind {}", masked(link))),
    };
    Group {
        name,
        n: 1,
        kind,
        ..Group::default()
    }
}

/// Each run of digits becomes one `#`.
pub(super) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            _ => masked.push(character),
        }
    }
    masked
}

/// How many objects of each type own a descriptor of a kind, the closed ones included.
pub(super) fn owners(snapshot: &Snapshot) -> BTreeMap<(&'static str, String), u64> {
    let kinds_of_key = |of_type: &Type| {
        let key = of_type.key();
        OWNERS
            .iter()
            .find(|(owner, _)| *owner == key)
            .map(|(_, kinds)| *kinds)
    };
    let kinds: Vec<&[&'static str]> = snapshot
        .types
        .iter()
        .map(|of_type| {
            let base = || {
                snapshot
                    .types
                    .iter()
                    .find(|one| one.address == of_type.base)
            };
            let inherited = || base().filter(|_| of_type.base != 0).and_then(kinds_of_key);
            kinds_of_key(of_type).or_else(inherited).unwrap_or(&[])
        })
        .collect();
    let mut owners = BTreeMap::new();
    for type_id in &snapshot.objects.type_id {
        for &kind in kinds[type_id.0 as usize] {
            let key = snapshot.types[type_id.0 as usize].key();
            *owners.entry((kind, key)).or_insert(0) += 1;
        }
    }
    owners
}
