//! Why a talk with the agent ends before it should.

use std::time::Duration;

use leakhunt_attach::ChannelError;
use leakhunt_heap::{AssembleError, LookError};

use crate::failure::{Exit, Failure};
use crate::render::numbers::duration;

/// Why a talk with the agent ends before it should.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// The process has ended.
    TargetExited,
    /// The agent is gone, the process lives: attach again.
    AgentGone(&'static str),
    /// The agent has not answered for so long.
    Silent(Duration),
    /// The agent did not get into the interpreter for so long.
    GilHeld(Duration),
    /// The interpreter has begun to end, and the process with it.
    Ending,
    /// The interpreter is not to be had: it is starting, or has ended.
    NotRunning,
    /// A version of Python that leakhunt cannot read.
    UnknownPython,
    /// Another command line is at the door that the target has opened.
    Busy,
    /// That door is of another release of leakhunt.
    OtherRelease,
    /// The door that the target has opened does not do that.
    NotByTheDoor,
    /// The agent cannot work.
    Agent(&'static str),
    /// A packet that should not come now.
    OutOfTurn,
    /// What the agent sends cannot be.
    Untrusted(String),
    /// Ctrl-C.
    Interrupted,
}

impl SessionError {
    /// Whether it may go better next time, and so is not the end of a run.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::AgentGone(_)
                | Self::Silent(_)
                | Self::Busy
                | Self::GilHeld(_)
                | Self::Agent(_)
                | Self::OutOfTurn
                | Self::Untrusted(_)
        )
    }

    /// What a person is told.
    pub(crate) fn into_failure(self, pid: u32) -> Failure {
        let no_attach = |message: String| Failure::new(Exit::NoAttach, message);
        match self {
            Self::TargetExited => {
                Failure::new(Exit::TargetGone, format!("process {pid} has exited"))
            }
            Self::Ending => Failure::new(
                Exit::TargetGone,
                format!("the interpreter of process {pid} is shutting down"),
            ),
            Self::AgentGone(why) => no_attach(format!("the agent in process {pid} is gone: {why}"))
                .with_help("the process goes on; try again"),
            Self::Silent(waited) => no_attach(format!(
                "the agent in process {pid} has not answered for {}",
                duration(waited)
            ))
            .with_help(
                "the process may be stopped or busy in native code; the agent leaves by itself as \
                 soon as it can\nwait longer with --timeout 60s",
            ),
            Self::GilHeld(waited) => no_attach(format!(
                "the interpreter of process {pid} was not to be had for {}: a thread in native \
                 code holds the GIL",
                duration(waited)
            ))
            .with_help(
                "the agent leaves by itself as soon as it can\nwait longer with --timeout 60s\n`leakhunt \
                 threads --outside` shows what that thread does",
            ),
            Self::NotRunning => no_attach(format!(
                "the interpreter of process {pid} is starting up or shutting down"
            ))
            .with_help("try again in a moment"),
            Self::UnknownPython => no_attach(format!(
                "process {pid} runs a version of Python that leakhunt does not know how to read"
            ))
            .with_help("CPython 3.8 to 3.15 can be read; `leakhunt ps` shows the version"),
            Self::Busy => no_attach(format!("another leakhunt is in process {pid} by its door"))
                .with_help("one at a time: try again when it has left"),
            Self::OtherRelease => no_attach(format!(
                "the module leakhunt in process {pid} is of another release than {}",
                env!("CARGO_PKG_VERSION")
            ))
            .with_help("use the command `leakhunt` of the environment that the process runs in"),
            Self::NotByTheDoor => no_attach(format!(
                "the door of process {pid} is for looking: nothing is changed through it"
            ))
            .with_help("this command needs ptrace: run leakhunt without --door, or as root"),
            Self::Agent(why) => no_attach(format!("the agent cannot work in process {pid}: {why}")),
            Self::OutOfTurn => no_attach(format!(
                "the agent in process {pid} sent something that it was not asked for"
            )),
            Self::Untrusted(why) => no_attach(format!(
                "the agent in process {pid} sent what cannot be: {why}"
            )),
            Self::Interrupted => Failure::new(Exit::Interrupted, "interrupted"),
        }
    }
}

impl From<ChannelError> for SessionError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::TargetExited { .. } => Self::TargetExited,
            ChannelError::BadPacket { source, .. } => Self::Untrusted(source.to_string()),
            ChannelError::Closed { .. } => Self::AgentGone("it closed the channel"),
            _ => Self::AgentGone("the channel failed"),
        }
    }
}

impl From<LookError> for SessionError {
    fn from(error: LookError) -> Self {
        Self::Untrusted(error.to_string())
    }
}

impl From<AssembleError> for SessionError {
    fn from(error: AssembleError) -> Self {
        Self::Untrusted(error.to_string())
    }
}
