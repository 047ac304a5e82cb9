//! One process of a tree that is hunted in.

use std::time::{Duration, Instant};

use leakhunt_attach::Channel;

use super::Hunt;
use super::watch::{Watch, Watched};
use crate::door::Door;
use crate::rounds::{LiveTarget as _, Looks as _, MAX_FAILURES, Missed, Rounds, Schedule};
use crate::session::Session;
use crate::target::Target;

/// How long an agent that stays is listened to in a wait.
const GLANCE: Duration = Duration::from_millis(2);

/// A process and what is known of it. No heap is kept from one look to the next: it is judged at once.
pub(super) struct Member<'a> {
    hunt: Hunt<'a>,
    pub(super) pid: u32,
    watch: Watch<'a>,
    door: Door<'a>,
    /// With `--trace`: the agent stays between looks.
    session: Option<Session<Channel>>,
    /// How long the last look took, with all that was made of it.
    pub(super) cost: Duration,
    n_failures: u32,
    /// The verdict by the last look.
    pub(super) watched: Option<Watched>,
    /// Why there are no more looks.
    pub(super) end: Option<MemberEnd>,
}

/// Why a process is not looked at any more.
#[derive(Debug)]
pub(super) enum MemberEnd {
    /// It exited.
    Exited,
    /// It cannot be looked at.
    Failed(anyhow::Error),
}

impl<'a> Member<'a> {
    /// Does not touch the process yet.
    ///
    /// # Errors
    /// When this build carries no agent.
    pub(super) fn new(hunt: Hunt<'a>, target: &Target) -> anyhow::Result<Self> {
        let Hunt {
            args,
            accepted,
            interrupts,
            output,
            ..
        } = hunt;
        Ok(Self {
            hunt,
            pid: target.pid,
            watch: Watch::new(args, target.pid, accepted, output),
            door: Door::new(target, &args.target, interrupts, output)?,
            session: None,
            cost: Duration::ZERO,
            n_failures: 0,
            watched: None,
            end: None,
        })
    }

    /// Whether there are to be more looks.
    pub(super) fn is_watched(&self) -> bool {
        self.end.is_none()
    }

    /// Whether it exited.
    pub(super) fn has_exited(&self) -> bool {
        matches!(self.end, Some(MemberEnd::Exited))
    }

    /// Lets an agent that stayed go.
    pub(super) fn leave(&mut self) {
        self.session = None;
    }

    /// How many looks there were.
    pub(super) fn n_looks(&self) -> u64 {
        self.watch.n_looks()
    }

    /// One look and the verdict by it.
    ///
    /// # Errors
    /// When the end was asked for.
    pub(super) fn look(&mut self, schedule: Schedule) -> Result<(), Interrupted> {
        let began = Instant::now();
        let rounds = Rounds {
            pid: self.pid,
            schedule,
            max_pause: self.hunt.args.target.max_pause,
            stays: self.hunt.args.trace,
            interrupts: self.hunt.interrupts,
            output: self.hunt.output,
        };
        let looked = rounds.look(&mut self.watch, &mut self.door, &mut self.session);
        if !rounds.stays {
            self.session = None;
        }
        match looked {
            Ok(()) => {
                self.n_failures = 0;
                self.watched = self.watch.judged();
                self.watch.let_go();
            }
            Err(Missed::Interrupted) => return Err(Interrupted),
            Err(Missed::TargetExited) => self.ends(MemberEnd::Exited),
            Err(Missed::ForGood(error)) => self.ends(MemberEnd::Failed(error)),
            Err(Missed::ForNow(error)) => self.fails(error),
        }
        self.cost = began.elapsed();
        Ok(())
    }

    /// A look that may go better next time.
    fn fails(&mut self, error: anyhow::Error) {
        self.n_failures += 1;
        if self.door.has_exited() {
            self.ends(MemberEnd::Exited);
        } else if self.n_looks() == 0 || self.n_failures >= MAX_FAILURES {
            self.ends(MemberEnd::Failed(error));
        } else {
            self.hunt.output.warn(format_args!(
                "no look at process {} this time: {error:#}",
                self.pid
            ));
        }
    }

    /// Notes an end between two looks, and tells an agent that stays that somebody is there.
    pub(super) fn check_life(&mut self) {
        let has_exited = match &mut self.session {
            Some(session) => session.wait(Instant::now() + GLANCE).is_err(),
            None => self.door.has_exited(),
        };
        if has_exited {
            self.ends(MemberEnd::Exited);
        }
    }

    fn ends(&mut self, end: MemberEnd) {
        self.session = None;
        self.end = Some(end);
    }
}

/// The end was asked for.
#[derive(Debug)]
pub(super) struct Interrupted;
