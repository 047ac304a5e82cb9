//! The private channel between the command line and the agent.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use leakhunt_wire::{DecodeError, MAX_PACKET, Reply, Request, Writer};

use crate::pidfd::PidFd;
use crate::session::THREAD_NAME;
use crate::status::Status;

/// A connection to the agent in a target.
#[derive(Debug)]
pub struct Channel {
    pid: u32,
    socket: OwnedFd,
    process: Arc<PidFd>,
    buffer: Box<[u8]>,
}

/// Why nothing more comes from the agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The process has ended.
    #[error("process {pid} has exited")]
    TargetExited {
        /// Which one.
        pid: u32,
    },
    /// The agent is gone and the process lives.
    #[error("the agent in process {pid} closed the channel")]
    Closed {
        /// In which process.
        pid: u32,
    },
    /// The agent sent what is no packet.
    #[error("process {pid} sent an unreadable packet")]
    BadPacket {
        /// Which one.
        pid: u32,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The socket failed.
    #[error("cannot talk to the agent in process {pid}")]
    Io {
        /// In which process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
}

/// What the agent's end buffers for us does not depend on this; what we send is small.
const SEND_BUFFER: libc::c_int = 1 << 20;
/// How long the agent may not read what we send. It reads at any time but during a walk in place.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// Whether a thread of that process has the name of the agent's.
fn has_agent(pid: u32) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    tasks.flatten().any(|task| {
        std::fs::read(task.path().join("comm"))
            .is_ok_and(|comm| comm.trim_ascii_end() == THREAD_NAME.as_bytes())
    })
}

/// Lets the agent's thread start.
const GO: [u8; 1] = [1];

impl Channel {
    /// Around our end of the socket.
    pub(crate) fn new(pid: u32, socket: OwnedFd, process: Arc<PidFd>) -> Self {
        let value = SEND_BUFFER;
        let len = size_of_val(&value) as libc::socklen_t;
        // SAFETY: the option's value is an int, alive for the call. A refusal is no harm: the
        // kernel's default holds several packets.
        unsafe {
            let fd = socket.as_raw_fd();
            libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_SNDBUF,
                (&raw const value).cast(),
                len,
            );
        }
        Self {
            pid,
            socket,
            process,
            buffer: vec![0; MAX_PACKET].into(),
        }
    }

    /// Tells the thread in the target that it may start the agent.
    ///
    /// # Errors
    /// When nobody has the other end, or what we have is no such socket.
    pub(crate) fn start(&self) -> io::Result<()> {
        self.check()?;
        self.send_now(&GO)
    }

    /// Asks for a session at a door.
    ///
    /// # Errors
    /// When nobody has the other end, or what we have is no such socket.
    pub(crate) fn knock(&self, word: &[u8]) -> io::Result<()> {
        self.check()?;
        self.send_now(word)
    }

    fn check(&self) -> io::Result<()> {
        if self.option(libc::SO_TYPE)? != libc::SOCK_SEQPACKET
            || self.option(libc::SO_DOMAIN)? != libc::AF_UNIX
        {
            return Err(io::Error::other("the descriptor is no channel"));
        }
        Ok(())
    }

    /// Asks something of the agent.
    ///
    /// # Errors
    /// When the agent or its process is gone.
    pub fn send(&self, request: &Request<'_>) -> Result<(), ChannelError> {
        let mut packet = vec![0; MAX_PACKET];
        let mut writer = Writer::new(&mut packet);
        request.encode(&mut writer);
        let packet = writer.bytes().ok_or_else(|| {
            self.failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the request is too long",
            ))
        })?;
        let start = Instant::now();
        loop {
            match self.send_now(packet) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if start.elapsed() >= SEND_LIMIT {
                        return Err(self.failed(error));
                    }
                    self.wait(libc::POLLOUT, Duration::from_secs(1))
                        .map_err(|error| self.failed(error))?;
                    if self.has_target_exited() {
                        return Err(ChannelError::TargetExited { pid: self.pid });
                    }
                }
                Err(error) => return Err(self.ended(error)),
            }
        }
    }

    /// The agent's next packet; `None` when there was none within `timeout`.
    ///
    /// # Errors
    /// When the agent or its process is gone. What was sent before that is still received first.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Reply<'_>>, ChannelError> {
        let start = Instant::now();
        let len = loop {
            // Before the packets are looked for: what a process sent came before its end.
            let has_exited = self.has_target_exited();
            match self.receive_now() {
                Ok(0) => return Err(self.ended(io::ErrorKind::BrokenPipe.into())),
                Ok(len) => break len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.ended(error)),
            }
            if has_exited {
                return Err(ChannelError::TargetExited { pid: self.pid });
            }
            let Some(rest) = timeout
                .checked_sub(start.elapsed())
                .filter(|r| !r.is_zero())
            else {
                return Ok(None);
            };
            self.wait(libc::POLLIN, rest)
                .map_err(|error| self.failed(error))?;
        };
        let pid = self.pid;
        let bad_packet = |source| ChannelError::BadPacket { pid, source };
        let packet = self
            .buffer
            .get(..len)
            .ok_or(bad_packet(DecodeError::TooLong))?;
        Reply::decode(packet).map(Some).map_err(bad_packet)
    }

    /// The target.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the target has ended.
    pub fn has_target_exited(&self) -> bool {
        self.process.has_exited()
    }

    /// Waits until nothing of the agent is in the target any more: after its goodbye its thread
    /// still has to end. For at most `limit`.
    pub fn wait_for_end(&mut self, limit: Duration) {
        let start = Instant::now();
        let left = || limit.saturating_sub(start.elapsed());
        while matches!(self.receive(left()), Ok(Some(_))) {}
        while has_agent(self.pid) && !left().is_zero() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn failed(&self, source: io::Error) -> ChannelError {
        let pid = self.pid;
        ChannelError::Io { pid, source }
    }

    /// What an end or an error of the socket means.
    fn ended(&self, error: io::Error) -> ChannelError {
        let pid = self.pid;
        if !matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        ) {
            return self.failed(error);
        }
        // A process that ends gives up its memory, then its descriptors, and then its handle says so.
        let has_memory = Status::of(pid).is_ok_and(|status| status.rss_bytes.is_some());
        if self.has_target_exited() || !has_memory {
            ChannelError::TargetExited { pid }
        } else {
            ChannelError::Closed { pid }
        }
    }

    fn send_now(&self, packet: &[u8]) -> io::Result<()> {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the packet is valid for its whole length.
        let sent = unsafe {
            let fd = self.socket.as_raw_fd();
            libc::send(fd, packet.as_ptr().cast(), packet.len(), flags)
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Length of the next packet, which may be more than the buffer holds.
    fn receive_now(&mut self) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: the buffer is valid for writes for its whole length.
        let len = unsafe {
            let fd = self.socket.as_raw_fd();
            let buffer = &mut self.buffer;
            libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags)
        };
        usize::try_from(len).map_err(|_| io::Error::last_os_error())
    }

    /// Waits for the socket, the end of the process, or the time.
    fn wait(&self, events: libc::c_short, limit: Duration) -> io::Result<()> {
        let entry = |fd: RawFd, events| libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        let mut polls = [
            entry(self.socket.as_raw_fd(), events),
            entry(self.process.as_raw_fd(), libc::POLLIN),
        ];
        let limit_ms = limit.as_micros().div_ceil(1000);
        let limit_ms = libc::c_int::try_from(limit_ms).unwrap_or(libc::c_int::MAX);
        // SAFETY: the array is valid for its whole length, which is passed.
        let n = unsafe { libc::poll(polls.as_mut_ptr(), 2, limit_ms) };
        let error = io::Error::last_os_error();
        if n < 0 && error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        Ok(())
    }

    fn option(&self, name: libc::c_int) -> io::Result<libc::c_int> {
        let mut value: libc::c_int = 0;
        let mut len = size_of_val(&value) as libc::socklen_t;
        let fd = self.socket.as_raw_fd();
        // SAFETY: the value is an int and its size is passed.
        let result = unsafe {
            libc::getsockopt(
                fd,
                libc::SOL_SOCKET,
                name,
                (&raw mut value).cast(),
                &raw mut len,
            )
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(value)
    }
}
