//! The first word at a door that an application has opened.

/// What a command line says there before anything else, and again for each further session on the
/// same connection. The agent answers as it does after an attach: `Hello`, or a `Goodbye` that tells
/// why not. It holds the version, because the two sides may come from different releases and only
/// those of one release understand each other.
pub const KNOCK: &[u8] = concat!("leakhunt/", env!("CARGO_PKG_VERSION")).as_bytes();

/// What somebody said at a door.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Knock {
    /// A command line of this release.
    Ours,
    /// A command line of another one.
    OtherVersion,
    /// Somebody else.
    Strange,
}

impl Knock {
    /// Of a first packet, whatever it holds.
    pub fn of(packet: &[u8]) -> Self {
        if packet == KNOCK {
            Self::Ours
        } else if packet.starts_with(b"leakhunt/") {
            Self::OtherVersion
        } else {
            Self::Strange
        }
    }
}

/// The file name of a process's door, in whichever folder: `PID-START.sock`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DoorName {
    /// Its process id as it sees it itself: in its own namespace.
    pub pid: u32,
    /// When it was started, in ticks since boot; tells apart two processes of one id.
    pub start_ticks: u64,
}

impl DoorName {
    /// Of a file name; `None` when it is not that of a door.
    pub fn parse(name: &str) -> Option<Self> {
        let (pid, start_ticks) = name.strip_suffix(".sock")?.split_once('-')?;
        Some(Self {
            pid: pid.parse().ok()?,
            start_ticks: start_ticks.parse().ok()?,
        })
    }
}

impl core::fmt::Display for DoorName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}-{}.sock", self.pid, self.start_ticks)
    }
}
