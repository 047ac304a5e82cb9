//! Looks at the processes of a tree in turns, never at two of them at the same moment.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use leakhunt_attach::{Candidate, process_tree};
use leakhunt_heap::hunt::trend::FEWEST_LOOKS;

use super::member::{Interrupted, Member};
use super::{Hunt, plan};
use crate::interrupt::Urgency;
use crate::render::numbers::counted;
use crate::render::text::escape_controls;
use crate::rounds::{LIFE_CHECK, Schedule};
use crate::target::Target;

/// So many processes are named in a note.
const MOST_NAMED: usize = 10;
/// So much of a command line is.
const COMMAND_CHARS: usize = 60;

/// The processes of a tree, and when they are looked at: in each turn each of them once.
pub(super) struct Turns<'a> {
    hunt: Hunt<'a>,
    target: &'a Target,
    pub(super) members: Vec<Member<'a>>,
    n_turns: u64,
    /// At even distances; since the second turn.
    schedule: Schedule,
    /// The distances to the turns that are left.
    intervals: std::vec::IntoIter<Duration>,
    /// When the last turn is due.
    ends_at: Instant,
    /// Processes that are not hunted in, and of those that were there at the start why.
    passed_over: BTreeSet<u32>,
    reasons: Vec<String>,
    /// Processes that appeared too late.
    late: BTreeSet<u32>,
    /// Processes that appeared after so many turns.
    joined: Vec<(u32, u64)>,
}

impl<'a> Turns<'a> {
    /// Does not touch any of them yet.
    pub(super) fn new(hunt: Hunt<'a>, target: &'a Target) -> Self {
        let span = hunt.args.span;
        Self {
            hunt,
            target,
            members: Vec::new(),
            n_turns: 0,
            schedule: plan::schedule(span, hunt.args.scans, Duration::ZERO),
            intervals: Vec::new().into_iter(),
            ends_at: Instant::now() + span,
            passed_over: BTreeSet::new(),
            reasons: Vec::new(),
            late: BTreeSet::new(),
            joined: Vec::new(),
        }
    }

    /// Takes turns until the last, or until none of the processes is left.
    ///
    /// # Errors
    /// When the end was asked for, or this build carries no agent.
    pub(super) fn run(&mut self) -> anyhow::Result<Result<(), Interrupted>> {
        let mut n_left = u64::MAX;
        let mut due = Instant::now();
        while n_left > 0 {
            let n_before = self.members.len();
            self.admit(n_left)?;
            if self.watched().next().is_none() {
                break;
            }
            for index in 0..self.members.len() {
                if self.hunt.interrupts.urgency() > Urgency::None {
                    return Ok(Err(Interrupted));
                }
                let member = &mut self.members[index];
                if member.is_watched()
                    && let Err(interrupted) = member.look(self.schedule)
                {
                    return Ok(Err(interrupted));
                }
            }
            // What a shell that leakhunt started has started may be there by now.
            if self.n_turns == 0 && self.watched().next().is_none() {
                continue;
            }
            self.n_turns += 1;
            if self.n_turns == 1 {
                due = Instant::now();
                self.ends_at = due + self.hunt.args.span;
            }
            n_left = self.plan(n_left, self.members.len() > n_before);
            due = (due + self.intervals.next().unwrap_or_default()).max(Instant::now());
            if n_left > 0 && self.wait(due).is_err() {
                return Ok(Err(Interrupted));
            }
        }
        Ok(Ok(()))
    }

    /// How many turns are left. Those who joined make a turn longer.
    fn plan(&mut self, n_left: u64, have_joined: bool) -> u64 {
        let cost = self.watched().map(|member| member.cost).sum();
        if self.n_turns == 1 {
            self.schedule = plan::schedule(self.hunt.args.span, self.hunt.args.scans, cost);
            return self.space(self.schedule.count.unwrap_or(1) - 1);
        }
        let n_left = n_left - 1;
        if !have_joined || n_left == 0 {
            return n_left;
        }
        let left = self.ends_at.saturating_duration_since(Instant::now());
        self.schedule = plan::schedule_again(left, n_left, self.hunt.args.scans, cost);
        self.space(self.schedule.count.unwrap_or(n_left))
    }

    /// Spaces so many turns.
    fn space(&mut self, n_left: u64) -> u64 {
        let intervals = plan::uneven(self.schedule.interval, n_left, self.target.pid);
        self.intervals = intervals.into_iter();
        n_left
    }

    fn watched(&self) -> impl Iterator<Item = &Member<'a>> {
        self.members.iter().filter(|member| member.is_watched())
    }

    /// Takes in the processes that are new, when enough turns are left to see whether they leak.
    fn admit(&mut self, n_left: u64) -> anyhow::Result<()> {
        let is_first = self.n_turns == 0;
        for process in process_tree(self.target.pid) {
            let pid = process.pid;
            let is_ours = self.target.child.is_some() && pid == self.target.pid;
            if self.members.iter().any(|member| member.pid == pid) {
                continue;
            }
            match process.candidate {
                // One that leakhunt started may have no interpreter yet.
                None if !is_ours => {
                    if self.passed_over.insert(pid) && is_first {
                        self.pass_over(pid, &process.command, "runs no CPython");
                    }
                }
                Some(Candidate {
                    obstacle: Some(obstacle),
                    ..
                }) if !is_ours => {
                    if self.passed_over.insert(pid) {
                        let why = format!("cannot be attached: {obstacle}");
                        self.pass_over(pid, &process.command, &why);
                    }
                }
                _ if n_left < FEWEST_LOOKS as u64 => {
                    self.late.insert(pid);
                }
                _ => self.join(pid)?,
            }
        }
        // One that is not there is the attach's to explain.
        if is_first && self.members.is_empty() && self.passed_over.len() <= 1 {
            self.join(self.target.pid)?;
        }
        Ok(())
    }

    fn join(&mut self, pid: u32) -> anyhow::Result<()> {
        let other = Target { pid, child: None };
        let target = match pid == self.target.pid {
            true => self.target,
            false => &other,
        };
        self.members.push(Member::new(self.hunt, target)?);
        if self.n_turns > 0 {
            self.joined.push((pid, self.n_turns));
        }
        Ok(())
    }

    fn pass_over(&mut self, pid: u32, command: &str, why: &str) {
        let command: String = command.chars().take(COMMAND_CHARS).collect();
        let command = escape_controls(&command);
        self.reasons
            .push(format!("process {pid} ({command}) {why}: passed over"));
    }

    /// What became of those that were not looked at to the end, as notes.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = self.reasons.clone();
        for &(pid, n_turns) in &self.joined {
            let member = self.members.iter().find(|member| member.pid == pid);
            if member.is_some_and(|member| member.n_looks() > 0) {
                notes.push(format!(
                    "process {pid} appeared after {}: hunted in from then on",
                    counted(n_turns, "turn")
                ));
            }
        }
        if !self.late.is_empty() {
            notes.push(format!(
                "appeared too late to be hunted in: {}",
                named(self.late.iter().copied())
            ));
        }
        notes
    }

    /// Waits with no look under way.
    fn wait(&mut self, due: Instant) -> Result<(), Interrupted> {
        loop {
            if self.hunt.interrupts.urgency() > Urgency::None {
                return Err(Interrupted);
            }
            for member in &mut self.members {
                if member.is_watched() {
                    member.check_life();
                }
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || self.watched().next().is_none() {
                return Ok(());
            }
            self.hunt.interrupts.sleep(left.min(LIFE_CHECK));
        }
    }
}

/// `4121, 4122 and 7 more`.
pub(super) fn named(pids: impl ExactSizeIterator<Item = u32>) -> String {
    let n_more = pids.len().saturating_sub(MOST_NAMED);
    let named: Vec<String> = pids.take(MOST_NAMED).map(|pid| pid.to_string()).collect();
    match n_more {
        0 => named.join(", "),
        n => format!("{} and {n} more", named.join(", ")),
    }
}
