//! The descriptors that are no sockets.

use std::collections::BTreeMap;

use leakhunt_heap::Destination;

/// A descriptor and what it leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OtherDescriptor {
    pub(crate) fd: u32,
    /// `file`, `deleted file`, `memory`, `pipe`, `eventpoll`, `eventfd`, `timerfd`, …
    pub(crate) kind: String,
    /// A path, a name, an inode; empty where there is none.
    pub(crate) what: String,
}

/// Those among the links of `/proc/PID/fd`, by number.
pub(crate) fn other_descriptors(links: &BTreeMap<u32, String>) -> Vec<OtherDescriptor> {
    let other = |(&fd, link): (&u32, &String)| {
        let (kind, what) = match Destination::of_link(link) {
            Destination::Socket(_) => return None,
            Destination::File {
                path,
                is_deleted: true,
            } => ("deleted file", path.to_owned()),
            Destination::File { path, .. } => ("file", path.to_owned()),
            Destination::Memory(name) => ("memory", name.to_owned()),
            Destination::Pipe(inode) => ("pipe", format!("inode {inode}")),
            Destination::Anonymous(sort) => (sort, String::new()),
            Destination::Other(link) => ("other", link.to_owned()),
        };
        Some(OtherDescriptor {
            fd,
            kind: kind.to_owned(),
            what,
        })
    };
    links.iter().filter_map(other).collect()
}

impl OtherDescriptor {
    /// What tells it from others, at other looks too; no inode and no address has the highest bit.
    pub(crate) fn key(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        (self.fd, &self.kind, &self.what).hash(&mut hasher);
        hasher.finish() | 1 << 63
    }
}
