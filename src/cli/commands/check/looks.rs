//! What is seen of a program after its rounds, and what that comes to.

use std::time::Duration;

use leakhunt_heap::hunt::{Beside, Finding, PlaceFindings, PlaceHistory, Places, judge};
use leakhunt_heap::{Capture, inspect};

use super::saved::Saved;
use super::site::sites;
use crate::accepted::Accepted;
use crate::args::CheckArgs;
use crate::budget::Memory;
use crate::capture::{Wish, capture};
use crate::kernel_view::{kernel_view, mapped_files};
use crate::limits::Limits;
use crate::makers::Makers;
use crate::output::Output;
use crate::render::check::{Checked, Seen};
use crate::render::snapshot::shortcomings;
use crate::rounds::{LookEnd, Looks};
use crate::session::{Link, Session};
use crate::trace::trace;

/// The looks at one program. 50 to 350 bytes for each of its places.
pub(super) struct RoundLooks<'a> {
    args: &'a CheckArgs,
    pid: u32,
    accepted: &'a Accepted,
    output: &'a Output,
    history: PlaceHistory,
    beside: Beside,
    limits: Limits,
    makers: Makers,
    longest_pause: Duration,
    notes: Vec<String>,
    /// Since the last look.
    pub(super) seen: Option<Seen>,
}

impl<'a> RoundLooks<'a> {
    /// At a program that was not looked at yet.
    pub(super) fn new(
        args: &'a CheckArgs,
        pid: u32,
        accepted: &'a Accepted,
        output: &'a Output,
    ) -> Self {
        Self {
            args,
            pid,
            accepted,
            output,
            history: PlaceHistory::default(),
            beside: Beside::default(),
            limits: Limits::default(),
            makers: Makers::default(),
            longest_pause: Duration::ZERO,
            notes: Vec::new(),
            seen: None,
        }
    }

    /// Parts what was found by whether it grew at every round.
    fn seen(&mut self, mut judged: PlaceFindings, capture: &Capture, n_objects: usize) -> Seen {
        self.accepted.mark(&mut judged.findings);
        let (even, uneven): (Vec<Finding>, Vec<Finding>) = judged
            .findings
            .into_iter()
            .partition(|finding| finding.n_rises == finding.n_intervals);
        let (ignored, leaks): (Vec<Finding>, Vec<Finding>) =
            even.into_iter().partition(|finding| {
                self.args
                    .ignore_package
                    .iter()
                    .any(|one| one == owner(finding))
            });
        let leaks = leaks.into_iter().map(|finding| Checked {
            finding,
            site: None,
        });
        Seen {
            capture: capture.clone(),
            n_objects: n_objects as u64,
            leaks: leaks.collect(),
            uneven,
            ignored: ignored.into_iter().map(|finding| finding.place).collect(),
            unclear: judged.unclear,
            longest_pause: self.longest_pause,
            notes: std::mem::take(&mut self.notes),
        }
    }
}

/// The package that a place belongs to: that of the class of the nearest object of the program that it
/// is in, else that of its module.
fn owner(finding: &Finding) -> &str {
    match finding.owner_type.split_once('.') {
        Some((package, _)) => package,
        None => &finding.package,
    }
}

impl Looks for RoundLooks<'_> {
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd> {
        let wish = Wish {
            pid: self.pid,
            names: self.args.names.into(),
            collect: true,
            target: &self.args.target,
        };
        if self.args.trace {
            trace(session, self.pid, self.output)?;
        }
        let kernel = kernel_view(self.pid);
        let mapped = mapped_files(self.pid);
        let snapshot = capture(session, &wish, memory, self.output)?;
        let places = Places::of(&snapshot);
        // Rounds are what time is here.
        let round = self.history.n_looks() as f64;
        self.history.observe(&places, round);
        self.beside.observe(&snapshot, &kernel, round);
        let pause = Duration::from_micros(snapshot.capture.pause_us);
        self.longest_pause = self.longest_pause.max(pause);
        for note in shortcomings(&snapshot.capture) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        let is_last = self.n_looks() > self.args.rounds;
        if let Some(folder) = &self.args.save {
            Saved::of(self.n_looks() == 1, is_last).write(folder, &snapshot)?;
        }
        if is_last {
            let mut judged = judge(&snapshot, &places, &self.history, &inspect(&snapshot));
            self.limits.ask(session, &snapshot, &judged)?;
            self.limits.apply(&mut judged);
            if self.args.trace {
                self.makers.ask(session, &snapshot, &judged)?;
                self.makers.tell(&mut judged);
            }
            let beside = self.beside.findings(&snapshot.capture, &mapped);
            self.notes.extend(beside.notes.iter().cloned());
            beside.merge_into(&mut judged.findings);
            let mut seen = self.seen(judged, &snapshot.capture, snapshot.n_objects());
            let sites = sites(session, &snapshot, &seen.leaks)?;
            for (leak, site) in seen.leaks.iter_mut().zip(sites) {
                leak.site = site;
            }
            self.seen = Some(seen);
        }
        Ok(())
    }

    fn n_looks(&self) -> u64 {
        self.history.n_looks() as u64
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }
}
