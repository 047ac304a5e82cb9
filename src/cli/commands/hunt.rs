//! `leakhunt hunt`.

mod accepted;
mod account;
mod makers;
mod native_memory;
mod plan;

use std::time::{Duration, Instant};

use leakhunt_heap::hunt::{Beside, PlaceHistory, Places, judge};
use leakhunt_heap::{Inspections, Mapped, MemoryVerdict, Snapshot, inspect};

use crate::account::{account, name_owners};
use crate::args::{Common, HuntArgs, HuntFormat};
use crate::budget::Memory;
use crate::capture::{Wish, capture};
use crate::door::{Door, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::kernel_view::{kernel_view, mapped_files};
use crate::memory_limit::memory_limit;
use crate::output::Output;
use crate::render::hunt::{Report, Verdict, progress, report};
use crate::render::snapshot::shortcomings;
use crate::rounds::{LiveTarget, LookEnd, Looks, Missed, Rounds, Schedule};
use crate::session::{Link, Session, SessionError};
use crate::target::Target;
use crate::trace::trace;
use accepted::Accepted;
use makers::Makers;
use native_memory::NativeMemory;

pub(super) fn run(args: &HuntArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let accepted = Accepted::read(args.accept.as_deref())?;
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    if args.account {
        let result = account::run_account(args, common, &target, &interrupts, output);
        return target.conclude(result, &interrupts, output);
    }
    let hunt = || -> anyhow::Result<Exit> {
        let mut door = Door::new(&target, &args.target, &interrupts, output)?;
        let format = match common.json {
            true => HuntFormat::Json,
            false => args.format,
        };
        Hunt::new(args, format, target.pid, accepted, &interrupts, output).run(&mut door)
    };
    let result = hunt();
    target.conclude(result, &interrupts, output)
}

/// Looks at one target until there is a verdict.
struct Hunt<'a> {
    args: &'a HuntArgs,
    format: HuntFormat,
    pid: u32,
    started: Instant,
    history: PlaceHistory,
    beside: Beside,
    /// The files in the target's memory at the last look.
    mapped: Vec<Mapped>,
    /// The heap at the last look.
    last: Option<(Snapshot, Places)>,
    schedule: Option<Schedule>,
    native_memory: NativeMemory,
    accepted: Accepted,
    longest_pause: Duration,
    makers: Makers,
    notes: Vec<String>,
    interrupts: &'a Interrupts,
    output: &'a Output,
}

impl<'a> Hunt<'a> {
    fn new(
        args: &'a HuntArgs,
        format: HuntFormat,
        pid: u32,
        accepted: Accepted,
        interrupts: &'a Interrupts,
        output: &'a Output,
    ) -> Self {
        Self {
            args,
            format,
            pid,
            started: Instant::now(),
            history: PlaceHistory::default(),
            beside: Beside::default(),
            mapped: Vec::new(),
            last: None,
            schedule: None,
            native_memory: NativeMemory::default(),
            accepted,
            longest_pause: Duration::ZERO,
            makers: Makers::default(),
            notes: Vec::new(),
            interrupts,
            output,
        }
    }

    fn run(mut self, target: &mut impl LiveTarget) -> anyhow::Result<Exit> {
        let rounds = Rounds {
            pid: self.pid,
            schedule: plan::schedule(self.args.span, self.args.scans, Duration::ZERO),
            max_pause: self.args.target.max_pause,
            // tracemalloc is off again as soon as the agent leaves.
            stays: self.args.trace,
            interrupts: self.interrupts,
            output: self.output,
        };
        let end = rounds.run(&mut self, target);
        self.output.progress_is_over();
        match end {
            Ok(()) => self.conclude(),
            Err(Missed::Interrupted) if self.last.is_none() => {
                Err(SessionError::Interrupted.into_failure(self.pid).into())
            }
            Err(Missed::Interrupted) if self.interrupts.urgency() == Urgency::AtOnce => {
                Ok(Exit::Interrupted)
            }
            Err(Missed::Interrupted) => {
                self.notes
                    .push("ended early: the verdict is on what was seen so far".into());
                self.conclude()
            }
            Err(Missed::TargetExited) if self.last.is_none() => {
                Err(ended_too_early(self.pid).into())
            }
            Err(Missed::TargetExited) => {
                self.notes
                    .push("the process exited meanwhile: the verdict is on what was seen".into());
                self.conclude()?;
                let message = format!("process {} exited during the hunt", self.pid);
                Err(Failure::new(Exit::TargetGone, message).into())
            }
            Err(Missed::ForNow(error) | Missed::ForGood(error)) => Err(error),
        }
    }

    fn conclude(&self) -> anyhow::Result<Exit> {
        let Some((snapshot, places)) = &self.last else {
            return Err(ended_too_early(self.pid).into());
        };
        self.output.progress("weighing what was seen");
        let mut judged = judge(snapshot, places, &self.history, &inspect(snapshot));
        self.makers.tell(&mut judged);
        let memory = account(self.pid, snapshot);
        let beside = self.beside.findings(&snapshot.capture, &self.mapped);
        let notes = [&self.notes[..], &beside.notes].concat();
        beside.merge_into(&mut judged.findings);
        // What tracemalloc keeps for each block is beside Python's objects, too.
        if !self.args.trace {
            let native = self.native_memory.finding(self.history.seconds());
            judged.findings.extend(native);
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
        let shown = report(&Report {
            pid: self.pid,
            capture: &snapshot.capture,
            n_objects: snapshot.n_objects() as u64,
            rss_bytes: self.native_memory.rss_bytes(),
            seconds: self.history.seconds(),
            longest_pause: self.longest_pause,
            verdict: Verdict::of(&judged, self.history.n_looks(), is_fragmented),
            judged: &judged,
            account: account.as_ref(),
            memory_limit: memory_limit(self.pid),
            is_traced: self.args.trace,
            limit: self.args.limit,
            notes: &notes,
            format: self.format,
            width: self.output.width,
        });
        self.output.result(&shown)?;
        let has_new = judged.findings.iter().any(|finding| !finding.is_accepted);
        Ok(match has_new && self.args.fail {
            true => Exit::OverLimit,
            false => Exit::Done,
        })
    }
}

impl Looks for Hunt<'_> {
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
        self.mapped = mapped_files(self.pid);
        let snapshot = capture(session, &wish, memory, self.output)?;
        let places = Places::of(&snapshot);
        let seconds = (began - self.started).as_secs_f64();
        self.history.observe(&places, seconds);
        self.native_memory.observe(memory, &snapshot);
        self.beside.observe(&snapshot, &kernel, seconds);
        let pause = Duration::from_micros(snapshot.capture.pause_us);
        self.longest_pause = self.longest_pause.max(pause);
        for note in shortcomings(&snapshot.capture) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        if self.schedule.is_none() {
            let schedule = plan::schedule(self.args.span, self.args.scans, began.elapsed());
            self.schedule = Some(schedule);
        }
        if self.args.trace || self.output.shows_progress {
            let judged = judge(&snapshot, &places, &self.history, &Inspections::default());
            if self.args.trace {
                self.makers.ask(session, &snapshot, &judged)?;
            }
            let n_planned = self.schedule.and_then(|schedule| schedule.count);
            let n_looks = self.history.n_looks();
            self.output.progress(progress(n_looks, n_planned, &judged));
        }
        self.last = Some((snapshot, places));
        Ok(())
    }

    fn n_looks(&self) -> u64 {
        self.history.n_looks() as u64
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }

    fn schedule(&self) -> Option<Schedule> {
        self.schedule
    }
}
