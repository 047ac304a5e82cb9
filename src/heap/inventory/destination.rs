//! What a descriptor leads to, by what the kernel's link says.

/// A link of `/proc/PID/fd`, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination<'l> {
    /// A path: a file, a folder, a device, a named pipe.
    File {
        /// Where it is, or was.
        path: &'l str,
        /// Whether nothing has this name any more; its blocks are free when the descriptor is closed.
        is_deleted: bool,
    },
    /// Memory of `memfd_create`, by the name that was given.
    Memory(&'l str),
    /// A socket, by its inode.
    Socket(u64),
    /// One end of a pipe, by its inode.
    Pipe(u64),
    /// What the kernel made without a name: `eventpoll`, `eventfd`, `timerfd`, `inotify`, …
    Anonymous(&'l str),
    /// Anything else, whole: `net:[4026531840]`.
    Other(&'l str),
}

const DELETED: &str = " (deleted)";

impl<'l> Destination<'l> {
    /// Reads a link. A file whose name ends in ` (deleted)` looks as if it were.
    pub fn of_link(link: &'l str) -> Self {
        if let Some(name) = link.strip_prefix("/memfd:") {
            return Self::Memory(name.strip_suffix(DELETED).unwrap_or(name));
        }
        if link.starts_with('/') {
            return match link.strip_suffix(DELETED) {
                Some(path) => Self::File {
                    path,
                    is_deleted: true,
                },
                None => Self::File {
                    path: link,
                    is_deleted: false,
                },
            };
        }
        if let Some(inode) = inode(link, "socket:[") {
            return Self::Socket(inode);
        }
        if let Some(inode) = inode(link, "pipe:[") {
            return Self::Pipe(inode);
        }
        match link.strip_prefix("anon_inode:") {
            Some(sort) => Self::Anonymous(sort.trim_matches(['[', ']'])),
            None => Self::Other(link),
        }
    }
}

fn inode(link: &str, start: &str) -> Option<u64> {
    link.strip_prefix(start)?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_each_kind_are_read() {
        let file = |path, is_deleted| Destination::File { path, is_deleted };
        for (link, expected) in [
            ("/var/log/a b", file("/var/log/a b", false)),
            ("/tmp/x (deleted)", file("/tmp/x", true)),
            ("/memfd:shm (deleted)", Destination::Memory("shm")),
            ("socket:[1060]", Destination::Socket(1060)),
            ("pipe:[7]", Destination::Pipe(7)),
            (
                "anon_inode:[eventpoll]",
                Destination::Anonymous("eventpoll"),
            ),
            ("anon_inode:inotify", Destination::Anonymous("inotify")),
            ("net:[4026531840]", Destination::Other("net:[4026531840]")),
            ("socket:[x]", Destination::Other("socket:[x]")),
        ] {
            assert_eq!(Destination::of_link(link), expected, "{link}");
        }
    }
}
