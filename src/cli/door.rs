//! Opens sessions with a target, the first and those that replace a lost one.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use leakhunt_attach::{AgentImage, AttachError, AttachOptions, Channel, FrontDoor, attach};

use crate::agent_image::agent_image;
use crate::args::TargetArgs;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::procfs::start_ticks;
use crate::render::numbers::{counted, duration};
use crate::session::{Session, SessionError};
use crate::target::Target;

/// How long a command that leakhunt started may take until it has an interpreter.
const START: Duration = Duration::from_secs(10);
/// How often that is tried.
const START_RETRY: Duration = Duration::from_millis(50);
/// How long a process takes from the end of its interpreter to its own, mostly.
const LAST_STEPS: Duration = Duration::from_secs(1);

/// The way into one target.
pub(crate) struct Door<'a> {
    pub(crate) pid: u32,
    /// Tells a later process of the same id apart.
    start_ticks: Option<u64>,
    /// Whether there was such a process at first; one that leakhunt started was, however brief.
    was_there: bool,
    image: AgentImage,
    /// Where there is but one way in.
    front_door: Option<FrontDoor>,
    options: &'a TargetArgs,
    interrupts: Interrupts,
    output: &'a Output,
    was_opened: bool,
    /// Until when a target that has no interpreter yet may get one.
    starting_until: Option<Instant>,
}

impl<'a> Door<'a> {
    /// The way into `target`; it is not touched yet.
    ///
    /// # Errors
    /// When this build carries no agent, or the inherited connection is none.
    pub(crate) fn new(
        target: &Target,
        options: &'a TargetArgs,
        interrupts: &Interrupts,
        output: &'a Output,
    ) -> anyhow::Result<Self> {
        let start_ticks = start_ticks(target.pid);
        Ok(Self {
            pid: target.pid,
            start_ticks,
            was_there: start_ticks.is_some() || target.child.is_some(),
            image: agent_image()?,
            front_door: inherited(target.pid, options)?,
            options,
            interrupts: interrupts.clone(),
            output,
            was_opened: false,
            starting_until: target.child.is_some().then(|| Instant::now() + START),
        })
    }

    /// Attaches and waits until the agent is in the interpreter.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn open(&mut self) -> Result<Session<Channel>, OpenError> {
        loop {
            match self.try_open() {
                Ok(session) => {
                    self.was_opened = true;
                    self.starting_until = None;
                    return Ok(session);
                }
                Err(error) if self.may_come_up(&error) => self.interrupts.sleep(START_RETRY),
                Err(OpenError::Session(SessionError::NotRunning | SessionError::AgentGone(_)))
                    if self.ends_now() =>
                {
                    return Err(SessionError::TargetExited.into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn try_open(&self) -> Result<Session<Channel>, OpenError> {
        if self.interrupts.urgency() > Urgency::None {
            return Err(SessionError::Interrupted.into());
        }
        if self.is_target_gone() {
            return Err(SessionError::TargetExited.into());
        }
        let channel = self.way_in().map_err(|error| {
            if self.interrupts.urgency() > Urgency::None {
                SessionError::Interrupted.into()
            } else if self.is_target_gone() {
                SessionError::TargetExited.into()
            } else {
                OpenError::Attach(error)
            }
        })?;
        Ok(Session::greet(
            channel,
            self.options.timeout,
            &self.interrupts,
            self.output,
        )?)
    }

    /// By the connection that was inherited; else by ptrace; else by the target's own door.
    fn way_in(&self) -> Result<Channel, AttachError> {
        let pid = self.pid;
        if let Some(door) = &self.front_door {
            return door.knock(pid);
        }
        if self.options.door {
            return self.knock(&FrontDoor::of(pid).ok_or(AttachError::NoDoor { pid })?);
        }
        match self.attach() {
            Err(error) if error.is_refusal() => match FrontDoor::of(pid) {
                Some(door) => {
                    self.output.detail(1, format_args!("{error}"));
                    self.knock(&door)
                }
                None => Err(error),
            },
            result => result,
        }
    }

    fn knock(&self, door: &FrontDoor) -> Result<Channel, AttachError> {
        let channel = door.knock(self.pid)?;
        self.output
            .detail(1, format_args!("went in by the door of {}", self.pid));
        Ok(channel)
    }

    fn attach(&self) -> Result<Channel, AttachError> {
        let options = AttachOptions {
            timeout: self.options.timeout,
            force: self.options.force,
            interrupted: self.interrupts.requested,
        };
        let (channel, report) = attach(self.pid, &self.image, &options)?;
        self.output.detail(
            1,
            format_args!(
                "attached to {} in {}; its thread was stopped for {} at {}, {} tried",
                self.pid,
                duration(report.took),
                duration(report.stopped),
                report.safe_point,
                report.tries
            ),
        );
        Ok(channel)
    }

    /// Whether the process is gone that was there before; one that never was is the attach's to
    /// explain.
    pub(crate) fn is_target_gone(&self) -> bool {
        let start_ticks = start_ticks(self.pid);
        self.was_there && (start_ticks.is_none() || start_ticks != self.start_ticks)
    }

    /// Whether a target without an interpreter, or without the agent that was in it, ends within a
    /// moment: it has been about to.
    pub(crate) fn ends_now(&self) -> bool {
        let until = Instant::now() + LAST_STEPS;
        while !self.is_target_gone() && Instant::now() < until {
            self.interrupts.sleep(START_RETRY);
        }
        self.is_target_gone()
    }

    /// Whether the target is on its way from `exec` to an interpreter, when it was just started.
    fn may_come_up(&self, error: &OpenError) -> bool {
        let is_starting = self
            .starting_until
            .is_some_and(|until| Instant::now() < until);
        is_starting
            && match error {
                OpenError::Attach(_) => true,
                OpenError::Session(error) => matches!(error, SessionError::NotRunning),
            }
    }
}

/// The connection that a parent has left to this process, for that target alone.
fn inherited(pid: u32, options: &TargetArgs) -> anyhow::Result<Option<FrontDoor>> {
    match options.door_fd {
        Some(fd) if options.pid == Some(pid) => FrontDoor::inherited(fd)
            .map(Some)
            .with_context(|| format!("--door-fd {fd}")),
        _ => Ok(None),
    }
}

/// Why a session did not come about.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// No way in.
    Attach(AttachError),
    /// The agent got in, but no further.
    Session(SessionError),
}

impl OpenError {
    /// What a person is told.
    pub(crate) fn into_error(self, pid: u32) -> anyhow::Error {
        match self {
            Self::Attach(error) => error.into(),
            Self::Session(error) => error.into_failure(pid).into(),
        }
    }
}

impl From<SessionError> for OpenError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// The target had gone before there was anything to show.
pub(crate) fn ended_too_early(pid: u32) -> Failure {
    Failure::new(
        Exit::TargetGone,
        format!("process {pid} ended before leakhunt could look at it"),
    )
}

/// The target had gone after so many looks, which were shown.
pub(crate) fn ended_after(pid: u32, n_looks: u64) -> Failure {
    Failure::new(
        Exit::TargetGoneAfterLooks,
        format!("process {pid} exited after {}", counted(n_looks, "look")),
    )
}
