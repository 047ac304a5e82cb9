//! Where a socket is in its life.

use std::fmt;

/// The states of TCP, and what comes nearest for other protocols. In the order of how often such a
/// socket is one that somebody forgot.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    /// The other end has closed, this one has not: nobody reads the end of the stream. Also of a unix
    /// socket whose other end is closed.
    CloseWait,
    /// This end has closed for writing, the other one has not.
    FinWait2,
    /// This end has closed; that is not acknowledged.
    FinWait1,
    /// Both have closed; that is not acknowledged.
    Closing,
    /// The same, the other one closed first.
    LastAck,
    /// Over.
    TimeWait,
    /// Nobody answers yet.
    SynSent,
    /// Half open.
    SynReceived,
    /// Neither connected nor listening: new, bound only, or reset by the other end.
    Unconnected,
    /// On its way out; of unix sockets.
    Disconnecting,
    /// Connected.
    Established,
    /// Waits for connections.
    Listen,
}

impl State {
    /// From the number that the tables of TCP, UDP and the like have.
    pub(super) fn of_inet(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Unconnected,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }

    /// As `ss` and RFC 9293 have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CloseWait => "CLOSE_WAIT",
            Self::FinWait2 => "FIN_WAIT2",
            Self::FinWait1 => "FIN_WAIT1",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECEIVED",
            Self::Unconnected => "UNCONNECTED",
            Self::Disconnecting => "DISCONNECTING",
            Self::Established => "ESTABLISHED",
            Self::Listen => "LISTEN",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
