//! What is seen of a program after its rounds, and what that comes to.

use leakhunt_heap::hunt::{Finding, PlaceFindings};
use leakhunt_heap::{Capture, inspect};

use super::saved::Saved;
use super::site::sites;
use crate::accepted::Accepted;
use crate::args::CheckArgs;
use crate::budget::Memory;
use crate::capture::{Wish, capture};
use crate::growing_places::GrowingPlaces;
use crate::kernel_view::{kernel_view, mapped_files};
use crate::output::Output;
use crate::render::check::{Checked, Seen};
use crate::rounds::{LookEnd, Looks};
use crate::session::{Link, Session};
use crate::trace::trace;

/// The looks at one program.
pub(super) struct RoundLooks<'a> {
    args: &'a CheckArgs,
    pid: u32,
    accepted: &'a Accepted,
    output: &'a Output,
    places: GrowingPlaces,
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
            places: GrowingPlaces::new(args.trace),
            seen: None,
        }
    }

    /// Parts what was found by whether it grew at every round.
    fn seen(&self, mut judged: PlaceFindings, capture: &Capture, n_objects: usize) -> Seen {
        let notes = self.places.add_beside(&mut judged, capture);
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
            longest_pause: self.places.longest_pause(),
            notes,
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
        // Rounds are what time is here.
        let round = self.places.n_looks() as f64;
        let places = self.places.observe(&snapshot, &kernel, mapped, round);
        let is_last = self.n_looks() > self.args.rounds;
        if let Some(folder) = &self.args.save {
            Saved::of(self.n_looks() == 1, is_last).write(folder, &snapshot)?;
        }
        if is_last {
            let inspections = inspect(&snapshot);
            let mut judged = self.places.judge(&snapshot, &places, &inspections);
            self.places.ask(session, &snapshot, &mut judged)?;
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
        self.places.n_looks() as u64
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }
}
