//! The socket on which a program says that a round is done, and waits until it was looked at.
//!
//! The program sends the line `round PID`; the answer is `more` or `enough`. Where the socket is closed
//! a program goes on as after `enough`.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Context as _;
use rustix::fs::{FileType, fstat};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::failure::{Exit, Failure};

/// Tells the program which descriptor is its end: `FD:INODE`. By the inode a descriptor of another
/// process that has but inherited the environment is not taken for it.
pub(super) const VARIABLE: &str = "LEAKHUNT_ROUNDS";
/// The longest line that is taken.
const LONGEST_LINE: usize = 64;

/// What came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// A process has done a round, and waits.
    Round { pid: u32 },
    /// Nothing yet.
    Nothing,
    /// All that could say something are gone.
    Closed,
}

/// leakhunt's end.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    received: Vec<u8>,
}

/// The program's end, until the program has it.
#[derive(Debug)]
pub(super) struct ProgramEnd(OwnedFd);

impl Channel {
    /// Both ends of a new one.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(super) fn pair() -> anyhow::Result<(Self, ProgramEnd)> {
        let (own, other) = UnixStream::pair().context("cannot make a socket")?;
        let other = OwnedFd::from(other);
        fcntl_setfd(&other, FdFlags::empty()).context("cannot hand a socket on")?;
        Ok((Self::of(own), ProgramEnd(other)))
    }

    /// The one that stdin is.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn stdin() -> anyhow::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let is_socket = fstat(stdin)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket);
        if !is_socket {
            return Err(Failure::new(Exit::Usage, "stdin is no socket")
                .with_help("--rounds-on-stdin is for test runners; see docs/check.md")
                .into());
        }
        let own = stdin.try_clone_to_owned().context("stdin")?;
        Ok(Self::of(own.into()))
    }

    fn of(stream: UnixStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Waits for a line, not longer than `timeout`.
    ///
    /// # Errors
    /// When something else comes than is agreed upon.
    pub(super) fn listen(&mut self, timeout: Duration) -> anyhow::Result<Heard> {
        self.stream.set_read_timeout(Some(timeout))?;
        let mut part = [0; LONGEST_LINE];
        match self.stream.read(&mut part) {
            Ok(0) => return Ok(Heard::Closed),
            Ok(n_bytes) => self.received.extend_from_slice(&part[..n_bytes]),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                io::ErrorKind::ConnectionReset => return Ok(Heard::Closed),
                _ => return Err(error).context("cannot hear of rounds"),
            },
        }
        let Some(end) = self.received.iter().position(|&byte| byte == b'\n') else {
            return match self.received.len() {
                ..LONGEST_LINE => Ok(Heard::Nothing),
                _ => Err(out_of_turn()),
            };
        };
        let line: Vec<u8> = self.received.drain(..=end).collect();
        let line = String::from_utf8_lossy(&line);
        let pid = line.trim_end().strip_prefix("round ");
        match pid.and_then(|pid| pid.parse().ok()) {
            Some(pid) => Ok(Heard::Round { pid }),
            None => Err(out_of_turn()),
        }
    }

    /// Lets the program go on; one that is gone needs no answer.
    pub(super) fn answer(&mut self, wants_more: bool) {
        let _ = self.stream.write_all(match wants_more {
            true => b"more\n",
            false => b"enough\n",
        });
    }
}

impl ProgramEnd {
    /// The value of [`VARIABLE`].
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) fn name(&self) -> anyhow::Result<OsString> {
        use std::os::fd::AsRawFd as _;
        let inode = fstat(&self.0).context("cannot hand a socket on")?.st_ino;
        Ok(format!("{}:{inode}", self.0.as_raw_fd()).into())
    }
}

fn out_of_turn() -> anyhow::Error {
    let message = "the program said something else on the socket for rounds than `round PID`";
    Failure::new(Exit::Usage, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(sent: &[u8]) -> anyhow::Result<Heard> {
        let (mut channel, ProgramEnd(end)) = Channel::pair().unwrap();
        UnixStream::from(end).write_all(sent).unwrap();
        channel.listen(Duration::from_millis(10))
    }

    #[test]
    fn a_round_is_heard_and_nothing_else() {
        assert_eq!(heard(b"round 71\n").unwrap(), Heard::Round { pid: 71 });
        assert_eq!(heard(b"").unwrap(), Heard::Closed);
        assert_eq!(heard(b"round").unwrap(), Heard::Nothing);
        for other in [&b"round\n"[..], b"round -1\n", b"\n", &[b'x'; 200]] {
            assert!(heard(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn nothing_is_waited_for_in_vain() {
        let (mut channel, _end) = Channel::pair().unwrap();
        let heard = channel.listen(Duration::from_millis(1)).unwrap();
        assert_eq!(heard, Heard::Nothing);
    }

    #[test]
    fn the_program_can_tell_its_end_by_number_and_inode() {
        let (_channel, end) = Channel::pair().unwrap();
        let name = end.name().unwrap().into_string().unwrap();
        let (number, inode) = name.split_once(':').unwrap();
        let shown = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        assert_eq!(shown.to_str().unwrap(), format!("socket:[{inode}]"));
    }
}
