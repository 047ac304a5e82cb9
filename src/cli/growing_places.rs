//! What is seen of the places of one target from look to look.

mod limits;
mod makers;

use std::time::Duration;

use leakhunt_heap::hunt::{Beside, PlaceFindings, PlaceHistory, Places, judge};
use leakhunt_heap::{Capture, Inspections, KernelView, Mapped, Snapshot};

use crate::render::snapshot::shortcomings;
use crate::session::{Link, Session, SessionError};
use limits::Limits;
use makers::Makers;

/// Which places grow, and what was asked of the target to judge them. 70 to 370 bytes a place.
pub(crate) struct GrowingPlaces {
    history: PlaceHistory,
    beside: Beside,
    /// The files in the target's memory at the last look.
    mapped: Vec<Mapped>,
    limits: Limits,
    makers: Makers,
    longest_pause: Duration,
    /// What was amiss with the looks, each once.
    notes: Vec<String>,
    is_traced: bool,
}

impl GrowingPlaces {
    /// Of a target that was not looked at yet; `is_traced`: it knows where its objects were made.
    pub(crate) fn new(is_traced: bool) -> Self {
        Self {
            history: PlaceHistory::default(),
            beside: Beside::default(),
            mapped: Vec::new(),
            limits: Limits::default(),
            makers: Makers::default(),
            longest_pause: Duration::ZERO,
            notes: Vec::new(),
            is_traced,
        }
    }

    /// Adds a look at a time, in seconds or rounds. Gives its places.
    pub(crate) fn observe(
        &mut self,
        snapshot: &Snapshot,
        kernel: &KernelView,
        mapped: Vec<Mapped>,
        time: f64,
    ) -> Places {
        let mut places = Places::of(snapshot);
        self.history.observe(&mut places, time);
        self.beside.observe(snapshot, kernel, time);
        self.mapped = mapped;
        let pause = Duration::from_micros(snapshot.capture.pause_us);
        self.longest_pause = self.longest_pause.max(pause);
        for note in shortcomings(&snapshot.capture) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        places
    }

    /// Judges the places of the last look by all looks.
    pub(crate) fn judge(
        &self,
        snapshot: &Snapshot,
        places: &Places,
        inspections: &Inspections,
    ) -> PlaceFindings {
        judge(snapshot, places, &self.history, inspections)
    }

    /// Asks the target for what is not known yet of places that were found, and tells that.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn ask<L: Link>(
        &mut self,
        session: &mut Session<L>,
        snapshot: &Snapshot,
        judged: &mut PlaceFindings,
    ) -> Result<(), SessionError> {
        self.limits.ask(session, snapshot, judged)?;
        self.limits.apply(judged);
        if self.is_traced {
            self.makers.ask(session, snapshot, judged)?;
            self.makers.tell(judged);
        }
        Ok(())
    }

    /// Tells what the target was asked for.
    pub(crate) fn tell(&self, judged: &mut PlaceFindings) {
        self.limits.apply(judged);
        self.makers.tell(judged);
    }

    /// Adds what grows beside the places. Gives all that is to be noted.
    pub(crate) fn add_beside(&self, judged: &mut PlaceFindings, capture: &Capture) -> Vec<String> {
        let beside = self.beside.findings(capture, &self.mapped);
        let notes = [&self.notes[..], &beside.notes].concat();
        beside.merge_into(&mut judged.findings);
        notes
    }

    /// How many looks there were.
    pub(crate) fn n_looks(&self) -> usize {
        self.history.n_looks()
    }

    /// When each of them was.
    pub(crate) fn times(&self) -> &[f64] {
        self.history.seconds()
    }

    /// How long the target stood still at most.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.longest_pause
    }
}
