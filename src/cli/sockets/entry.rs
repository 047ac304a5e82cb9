//! One socket, as everything that is known of it says.

use crate::commands::inventory::Held;
use crate::kernel_sockets::State;

/// A socket of the process, or an object that was one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Socket {
    /// The kernel's name for it; `None` where there is only an object left.
    pub(crate) inode: Option<u64>,
    /// Its descriptors, ascending; more than one where it was duplicated.
    pub(crate) fds: Vec<u32>,
    /// `inet`, `inet6`, `unix`, `netlink`, …; empty where it is not known.
    pub(crate) family: String,
    /// `tcp`, `udp`, `stream`, …; empty where it is not known.
    pub(crate) protocol: String,
    /// `None` where there is no socket behind the object.
    pub(crate) state: Option<State>,
    pub(crate) local: Option<String>,
    /// Where the socket is closed: the last one that its transport remembers.
    pub(crate) peer: Option<String>,
    /// Of a unix socket: what it is connected to.
    pub(crate) peer_inode: Option<u64>,
    /// Of a unix socket: the process that connected or listened, as the target's namespace has it.
    pub(crate) peer_pid: Option<u64>,
    /// Bytes that nobody has read; connections that nobody has accepted.
    pub(crate) receive_queue: Option<u64>,
    /// Bytes that are not acknowledged.
    pub(crate) send_queue: Option<u64>,
    /// Bytes that wait in the transport of asyncio or uvloop.
    pub(crate) buffered_bytes: Option<u64>,
    /// Of TCP: since when nothing was sent and nothing came.
    pub(crate) idle_ms: Option<u64>,
    /// The version of TLS.
    pub(crate) tls: Option<String>,
    /// The name that the TLS session was made for.
    pub(crate) server_name: Option<String>,
    /// What stands out.
    pub(crate) marks: Vec<Mark>,
    /// The socket object first, then what is around it.
    pub(crate) objects: Vec<PythonObject>,
    /// The protocol of asyncio that uses it: type and address.
    pub(crate) used_by: Option<(String, u64)>,
    /// Who holds it; `None` where it was not asked for or nothing is known.
    pub(crate) held: Option<Held>,
    /// What it is counted under.
    pub(crate) group: String,
}

/// An object that is a socket or stands for one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PythonObject {
    pub(crate) address: u64,
    /// `module.qualname`.
    pub(crate) type_name: String,
    pub(crate) size_bytes: u64,
    pub(crate) role: Role,
}

/// What an object is to a socket. In the order in which they are named.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// It owns the descriptor.
    Socket,
    /// A TLS session.
    Tls,
    /// A transport of asyncio or uvloop.
    Transport,
    /// What asyncio shows of a socket.
    Wrapper,
    /// A server that accepts on it.
    Server,
}

impl Role {
    /// For programs.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Tls => "tls",
            Self::Transport => "transport",
            Self::Wrapper => "wrapper",
            Self::Server => "server",
        }
    }
}

/// What stands out about a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// No Python object has it, as far as the collector knows.
    Native,
    /// The object is closed, or was detached, and something still refers to it.
    Closed,
    /// `close()` was called, but a file of `makefile()` keeps it open.
    KeptOpenByFile,
    /// The object still believes in a descriptor that is closed, or leads to this now.
    Stale(Option<String>),
    /// It was connected, or tried to be, and is not any more.
    Over,
    /// A TLS session over buffers in memory, or a transport over what is not known: somebody else moves
    /// the bytes.
    NoSocket,
    /// The transport is closing and has not come to its end.
    Closing,
}

impl Mark {
    /// For people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Native => "no Python object".into(),
            Self::Closed => "closed, still referenced".into(),
            Self::KeptOpenByFile => "close() called, kept open by makefile()".into(),
            Self::Stale(None) => "its descriptor was closed without it".into(),
            Self::Stale(Some(link)) => format!("its descriptor is now {link}"),
            Self::Over => "its connection is over".into(),
            Self::NoSocket => "its socket is not known".into(),
            Self::Closing => "transport is closing".into(),
        }
    }

    /// For programs.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Closed => "closed",
            Self::KeptOpenByFile => "kept_open_by_file",
            Self::Stale(_) => "stale_descriptor",
            Self::Over => "connection_over",
            Self::NoSocket => "no_socket",
            Self::Closing => "closing",
        }
    }
}

impl Socket {
    /// How far it is from what a healthy program has: the lowest comes first.
    pub(crate) fn rank(&self) -> u8 {
        let has = |key: &str| self.marks.iter().any(|mark| mark.key() == key);
        match self.state {
            Some(State::CloseWait) => 0,
            _ if has("stale_descriptor") => 1,
            _ if has("kept_open_by_file") => 2,
            _ if has("connection_over") => 3,
            None => 6,
            Some(State::FinWait2 | State::FinWait1 | State::Closing | State::LastAck) => 4,
            Some(State::SynSent | State::SynReceived) => 5,
            Some(_) if has("closing") => 7,
            Some(State::Established) if has("native") => 8,
            Some(State::Established) => 9,
            Some(State::TimeWait | State::Unconnected | State::Disconnecting) => 10,
            Some(State::Listen) => 11,
        }
    }

    /// The object that stands for it; `None` for one without Python.
    pub(crate) fn object(&self) -> Option<&PythonObject> {
        self.objects.first()
    }

    /// The bytes of its objects.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size_bytes).sum()
    }

    /// What tells it from others, at other looks too.
    pub(crate) fn key(&self) -> u64 {
        let address = || self.object().map_or(0, |object| object.address);
        self.inode.unwrap_or_else(address)
    }

    /// What it is counted under: the state, and the other end as far as many may share it.
    pub(super) fn name_group(&mut self, local_port_listens: bool) {
        let Some(state) = self.state else {
            self.group = match self.marks.first() {
                Some(Mark::Stale(None)) => "descriptor closed without the object".into(),
                Some(Mark::Stale(_)) => "descriptor is not a socket any more".into(),
                Some(Mark::NoSocket) => "TLS or transport over an unknown socket".into(),
                _ => "closed, still referenced".into(),
            };
            return;
        };
        let what = match (self.family.as_str(), self.protocol.as_str()) {
            (_, "tcp") => state.name().to_owned(),
            ("inet" | "inet6", protocol) => format!("{protocol} {state}"),
            ("", "") => format!("{state} of an unknown protocol"),
            (family, protocol) => format!("{family} {protocol} {state}")
                .trim_start()
                .to_owned(),
        };
        let is_unix = self.family == "unix";
        let other_end = match (&self.local, &self.peer) {
            _ if state == State::Listen || state == State::Unconnected => String::new(),
            (Some(local), _) if local_port_listens => match local.rsplit_once(':') {
                Some((_, port)) => format!(" from clients at port {port}"),
                None => String::new(),
            },
            (Some(local), None) if is_unix => format!(" from clients at {local}"),
            (_, Some(peer)) => format!(" to {peer}"),
            _ => String::new(),
        };
        let native = if self.marks.contains(&Mark::Native) {
            ", no Python object"
        } else {
            ""
        };
        let over = if self.marks.contains(&Mark::Over) {
            ", connection over"
        } else {
            ""
        };
        self.group = format!("{what}{other_end}{over}{native}");
    }
}
