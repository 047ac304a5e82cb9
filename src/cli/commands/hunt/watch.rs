//! The watch over one target.

use std::time::{Duration, Instant};

use leakhunt_heap::hunt::trend::FEWEST_LOOKS;
use leakhunt_heap::hunt::{PlaceFindings, Places};
use leakhunt_heap::{Capture, Inspections, MemoryAccount, MemoryVerdict, Snapshot, inspect};

use super::native_memory::{NativeMemory, comes_with};
use super::plan;
use crate::accepted::Accepted;
use crate::account::{account, name_owners};
use crate::args::{HuntArgs, HuntFormat};
use crate::budget::Memory;
use crate::capture::{Wish, capture};
use crate::growing_places::GrowingPlaces;
use crate::kernel_view::{kernel_view, mapped_files};
use crate::memory_limit::{MemoryLimit, memory_limit};
use crate::output::Output;
use crate::procfs::memory_of;
use crate::render::hunt::{Report, Verdict, progress};
use crate::render::numbers::duration;
use crate::rounds::{LookEnd, Looks, Schedule};
use crate::session::{Link, Session};
use crate::trace::trace;

/// What is known of one target from look to look, and the heap of the last look until [`Watch::let_go`].
pub(super) struct Watch<'a> {
    args: &'a HuntArgs,
    pub(super) pid: u32,
    accepted: &'a Accepted,
    output: &'a Output,
    started: Instant,
    places: GrowingPlaces,
    /// The heap at the last look.
    last: Option<(Snapshot, Places)>,
    /// At even distances.
    schedule: Option<Schedule>,
    /// The distances that are kept instead.
    intervals: Vec<Duration>,
    native_memory: NativeMemory,
}

impl<'a> Watch<'a> {
    /// Over a target that was not looked at yet.
    pub(super) fn new(
        args: &'a HuntArgs,
        pid: u32,
        accepted: &'a Accepted,
        output: &'a Output,
    ) -> Self {
        Self {
            args,
            pid,
            accepted,
            output,
            started: Instant::now(),
            places: GrowingPlaces::new(args.trace),
            last: None,
            schedule: None,
            intervals: Vec::new(),
            native_memory: NativeMemory::default(),
        }
    }

    /// Drops the heap of the last look.
    pub(super) fn let_go(&mut self) {
        self.last = None;
    }

    /// Judges what was seen, and takes the target's memory apart where it is still there. `None` when
    /// there is no heap to judge.
    pub(super) fn judged(&self) -> Option<Watched> {
        let (snapshot, places) = self.last.as_ref()?;
        self.output.progress("weighing what was seen");
        let mut judged = self.places.judge(snapshot, places, &inspect(snapshot));
        self.places.tell(&mut judged);
        let memory = account(self.pid, snapshot);
        let mut notes = self.places.add_beside(&mut judged, &snapshot.capture);
        notes.extend(self.overrun());
        // What tracemalloc keeps for each block is beside Python's objects, too.
        let native = match self.args.trace {
            true => None,
            false => {
                let last = memory.as_ref().ok();
                self.native_memory.finding(self.places.times(), last)
            }
        };
        if let Some(native) = native {
            match &memory {
                Ok(account) if comes_with(&native, &judged.findings, account) => {}
                _ => judged.findings.push(native),
            }
        }
        self.accepted.mark(&mut judged.findings);
        let account = memory.ok().map(|mut account| {
            name_owners(&mut account, snapshot);
            account
        });
        self.output.progress_is_over();
        let is_fragmented = account
            .as_ref()
            .is_some_and(|account| account.verdict() == Some(MemoryVerdict::Fragmentation));
        Some(Watched {
            pid: self.pid,
            capture: snapshot.capture.clone(),
            n_objects: snapshot.n_objects() as u64,
            rss_bytes: self.native_memory.rss_bytes().to_vec(),
            seconds: self.places.times().to_vec(),
            longest_pause: self.places.longest_pause(),
            verdict: Verdict::of(&judged, self.places.n_looks(), is_fragmented),
            judged,
            account,
            memory_limit: memory_limit(self.pid),
            notes,
        })
    }

    /// Whether looks took so long that the hunt took longer than was asked for.
    fn overrun(&self) -> Option<String> {
        let seconds = self.places.times();
        let span = Duration::from_secs_f64(seconds.last()? - seconds.first()?);
        (span > self.args.span * 3 / 2).then(|| {
            format!(
                "it took {} rather than {}: a look takes long here",
                duration(span),
                duration(self.args.span)
            )
        })
    }
}

impl Looks for Watch<'_> {
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd> {
        let wish = Wish {
            pid: self.pid,
            names: self.args.names.into(),
            collect: self.args.collect,
            target: &self.args.target,
        };
        if self.args.trace {
            trace(session, self.pid, self.output)?;
        }
        let began = Instant::now();
        let kernel = kernel_view(self.pid);
        let mapped = mapped_files(self.pid);
        let snapshot = capture(session, &wish, memory, self.output)?;
        let seconds = (began - self.started).as_secs_f64();
        let places = self.places.observe(&snapshot, &kernel, mapped, seconds);
        self.native_memory.observe(memory, &snapshot);
        if self.schedule.is_none() {
            let schedule = plan::schedule(self.args.span, self.args.scans, began.elapsed());
            let n_intervals = schedule.count.map_or(0, |count| count - 1);
            self.intervals = plan::uneven(schedule.interval, n_intervals, self.pid);
            self.schedule = Some(schedule);
            if let Ok(account) = account(self.pid, &snapshot) {
                self.native_memory.start(&memory_of(self.pid), &account);
            }
        }
        let n_looks = self.places.n_looks();
        let mut judged = PlaceFindings::default();
        if n_looks >= FEWEST_LOOKS {
            let inspections = Inspections::default();
            judged = self.places.judge(&snapshot, &places, &inspections);
            self.places.ask(session, &snapshot, &mut judged)?;
        }
        let n_planned = self.schedule.and_then(|schedule| schedule.count);
        self.output.progress(progress(n_looks, n_planned, &judged));
        self.last = Some((snapshot, places));
        Ok(())
    }

    fn n_looks(&self) -> u64 {
        self.places.n_looks() as u64
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }

    fn schedule(&self) -> Option<Schedule> {
        let schedule = self.schedule?;
        let next = self.places.n_looks().saturating_sub(1);
        let interval = self.intervals.get(next).copied();
        Some(Schedule {
            interval: interval.unwrap_or(schedule.interval),
            ..schedule
        })
    }
}

/// What the watch over one target came to.
pub(super) struct Watched {
    pub(super) pid: u32,
    /// The last look.
    capture: Capture,
    n_objects: u64,
    /// At each look.
    rss_bytes: Vec<u64>,
    /// When each look was.
    pub(super) seconds: Vec<f64>,
    longest_pause: Duration,
    verdict: Verdict,
    pub(super) judged: PlaceFindings,
    account: Option<MemoryAccount>,
    memory_limit: Option<MemoryLimit>,
    pub(super) notes: Vec<String>,
}

impl Watched {
    /// As it is shown.
    pub(super) fn report<'a>(
        &'a self,
        args: &HuntArgs,
        format: HuntFormat,
        output: &Output,
    ) -> Report<'a> {
        Report {
            pid: self.pid,
            capture: &self.capture,
            n_objects: self.n_objects,
            rss_bytes: &self.rss_bytes,
            seconds: &self.seconds,
            longest_pause: self.longest_pause,
            verdict: self.verdict,
            judged: &self.judged,
            account: self.account.as_ref(),
            memory_limit: self.memory_limit,
            is_traced: args.trace,
            limit: args.limit,
            notes: &self.notes,
            format,
            width: output.width,
        }
    }

    /// Whether something leaks that is not accepted.
    pub(super) fn has_new_leaks(&self) -> bool {
        let findings = &self.judged.findings;
        findings.iter().any(|finding| !finding.is_accepted)
    }
}
