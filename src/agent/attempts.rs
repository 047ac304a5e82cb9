//! The attempts of one request: where each is made, and what becomes of it.

use leakhunt_wire::{Ended, Goodbye, MAX_PACKET, Place, Reply, Request, WalkDone};

use crate::capi::CApi;
use crate::copy::{self, HangWatch, MemoryWatch, WaitEnd, code};
use crate::heap::Heap;
use crate::interpreter::{Inside, Interpreter};
use crate::job::{Job, Start, Started};
use crate::memory::Memory;
use crate::session::{Session, send, send_patiently};
use crate::sys::{self, ChildEnd};
use crate::tally::WalkError;
use crate::text::NameText;
use crate::types::TypeName;

/// So many copies in which Python does not get on are given up for another.
const MOST_STUCK: u32 = 3;

/// What the command line did while a copy works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    Nothing,
    Cancel,
    Leave(Goodbye),
}

/// What all attempts of a request came to.
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    pub(crate) attempts: u32,
    place: Place,
    pub(crate) clone_errno: u32,
    pub(crate) pause_us: u64,
    clone_us: u64,
    gil_wait_us: u64,
    collect_us: u64,
    pub(crate) signal: u32,
    /// At its time limit a copy had been with one object for long.
    is_hang: bool,
    /// Python did not get on in a copy.
    is_stuck: bool,
    n_stuck: u32,
    skipped_type: usize,
    pub(crate) skipped_name: NameText,
    pub(crate) leave: Option<Goodbye>,
}

impl Outcome {
    /// The last packet of a census or a graph.
    pub(crate) fn walk_done(&self) -> WalkDone<'_> {
        WalkDone {
            ended: self.ended,
            attempts: self.attempts,
            place: self.place,
            clone_errno: self.clone_errno,
            pause_us: self.pause_us,
            clone_us: self.clone_us,
            gil_wait_us: self.gil_wait_us,
            collect_us: self.collect_us,
            signal: self.signal,
            skipped_type: self.skipped_name.as_str(),
        }
    }
}

impl Session<'_> {
    /// Walks; once more without the type at which a copy crashed or hung.
    pub(crate) fn attempt(&mut self, job: Job<'_>) -> Outcome {
        let mut outcome = Outcome {
            ended: Ended::Whole,
            attempts: 0,
            place: Place::Copy,
            clone_errno: 0,
            pause_us: 0,
            clone_us: 0,
            gil_wait_us: 0,
            collect_us: 0,
            signal: 0,
            is_hang: false,
            is_stuck: false,
            n_stuck: 0,
            skipped_type: 0,
            skipped_name: NameText::new(),
            leave: None,
        };
        const MOST_ATTEMPTS: u32 = 2;
        while outcome.attempts - outcome.n_stuck < MOST_ATTEMPTS {
            outcome.attempts += 1;
            send(self.socket, &Reply::Attempt(outcome.attempts));
            if let Err(goodbye) = self.attempt_once(job, &mut outcome) {
                outcome.leave = Some(goodbye);
                break;
            }
            if outcome.is_stuck {
                outcome.n_stuck += 1;
                continue;
            }
            if outcome.ended != Ended::Crashed && !outcome.is_hang {
                break;
            }
            outcome.skipped_type = self.progress.current_type();
        }
        self.n_looks += 1;
        outcome
    }

    fn attempt_once(&mut self, job: Job<'_>, outcome: &mut Outcome) -> Result<(), Goodbye> {
        let asked_us = sys::now_us();
        let (mut inside, is_during_collection) =
            enter_between_collections(self.interpreter, self.heap)?;
        outcome.gil_wait_us += inside.since_us - asked_us;
        if job.collects() && outcome.attempts == 1 {
            outcome.collect_us = collect(&self.heap.capi, &mut inside);
        }
        if outcome.skipped_type != 0 && outcome.skipped_name.as_str().is_empty() {
            outcome.skipped_name = self.name_of(inside.memory, outcome.skipped_type);
        }
        let start = Start {
            job,
            heap: self.heap,
            progress: &self.progress,
            socket: self.socket,
            skipped_type: outcome.skipped_type,
            is_careful: outcome.attempts > 1,
            cross_check: self.n_looks == 0,
            is_during_collection,
            has_other_copies: outcome.n_stuck < MOST_STUCK,
        };
        let mut started = if start.wants_target(inside.memory) {
            outcome.place = Place::Target;
            start.in_target(&inside)
        } else {
            outcome.place = Place::Copy;
            start.in_copy(&inside)
        };
        if let Started::Refused {
            ended: Ended::Refused,
            clone_errno,
        } = started
        {
            outcome.clone_errno = clone_errno;
            if start.puts_up_with_target(inside.memory) {
                outcome.place = Place::Target;
                started = start.in_target(&inside);
            }
        }
        outcome.pause_us += inside.let_go();
        self.follow(started, job, outcome)
    }

    /// What becomes of a walk after the interpreter was let go.
    fn follow(
        &mut self,
        started: Started,
        job: Job<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Goodbye> {
        match started {
            Started::Refused { ended, clone_errno } => {
                outcome.ended = ended;
                outcome.clone_errno = clone_errno;
                Ok(())
            }
            Started::Target { outbox, result } => {
                outcome.ended = match result {
                    Ok(()) => Ended::Whole,
                    Err(WalkError::NoMemory | WalkError::NotSent) => Ended::MemoryLimit,
                    Err(WalkError::BrokenList) => Ended::Unreadable,
                    Err(WalkError::Stopped) => Ended::Cancelled,
                    Err(WalkError::TimeLimit | WalkError::Stuck) => Ended::TimeLimit,
                };
                let is_closing = || self.interpreter.is_closing();
                let send = |packet: &[u8]| send_patiently(self.socket, packet, &is_closing);
                outbox.flush(send).map_err(|_| Goodbye::Asked)
            }
            Started::Copy { pid, clone_us } => {
                outcome.clone_us += clone_us;
                self.follow_copy(pid, job, outcome)
            }
        }
    }

    fn follow_copy(
        &mut self,
        pid: u32,
        job: Job<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Goodbye> {
        // Without lists the interpreter's own enumeration writes to every object of the copy.
        let factor = if self.heap.lists.is_none() { 4 } else { 1 };
        let limit_bytes = job.memory_limit_bytes().saturating_mul(factor);
        let mut memory = MemoryWatch::new(pid, limit_bytes);
        let mut hang = HangWatch::default();
        let mut heard = Heard::Nothing;
        let mut is_over = false;
        let must_stop = |pause_us| {
            heard = self.listen(pause_us);
            is_over = memory.is_over();
            hang.look(self.progress.traversed());
            heard != Heard::Nothing || is_over
        };
        let stop = || match job {
            Job::Census(_) | Job::Graph(_) => sys::kill_child(pid),
            // It has a copy of its own to end first.
            Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => self.progress.stop(),
        };
        let end = copy::wait(pid, must_stop, stop);
        outcome.is_hang = false;
        outcome.is_stuck = false;
        outcome.ended = match end {
            WaitEnd::Stopped if is_over => Ended::MemoryLimit,
            WaitEnd::Stopped => Ended::Cancelled,
            WaitEnd::Ended(ChildEnd::Exited(0)) => Ended::Whole,
            WaitEnd::Ended(ChildEnd::Exited(code::NO_MEMORY)) => Ended::MemoryLimit,
            WaitEnd::Ended(ChildEnd::Exited(code::BROKEN_LIST)) => Ended::Unreadable,
            WaitEnd::Ended(ChildEnd::Exited(code::TIME_LIMIT)) => Ended::TimeLimit,
            WaitEnd::Ended(ChildEnd::Exited(code::STUCK)) => {
                outcome.is_stuck = true;
                Ended::TimeLimit
            }
            WaitEnd::Ended(ChildEnd::Exited(code::FAULT)) => Ended::Crashed,
            WaitEnd::Ended(ChildEnd::Exited(_)) => Ended::Cancelled,
            WaitEnd::Ended(ChildEnd::Killed(sys::SIGALRM)) => {
                outcome.is_hang = hang.is_hang();
                Ended::TimeLimit
            }
            // Nobody but the kernel, short of memory, kills a copy.
            WaitEnd::Ended(ChildEnd::Killed(sys::SIGKILL)) => Ended::MemoryLimit,
            WaitEnd::Ended(ChildEnd::Killed(signal)) => {
                outcome.signal = signal;
                Ended::Crashed
            }
        };
        match heard {
            Heard::Leave(goodbye) => Err(goodbye),
            Heard::Cancel | Heard::Nothing => Ok(()),
        }
    }

    /// Waits a little for a word from the command line.
    fn listen(&self, pause_us: u64) -> Heard {
        if self.interpreter.is_closing() {
            return Heard::Leave(Goodbye::Finalising);
        }
        if !sys::wait_readable(self.socket, pause_us) {
            return Heard::Nothing;
        }
        let mut buffer = [0; MAX_PACKET];
        match sys::receive(self.socket, &mut buffer) {
            Ok(0) => Heard::Leave(Goodbye::Asked),
            Ok(len) => match Request::decode(&buffer[..len]) {
                Ok(Request::Ping) => Heard::Nothing,
                Ok(Request::Cancel) => Heard::Cancel,
                _ => Heard::Leave(Goodbye::Asked),
            },
            Err(_) => Heard::Nothing,
        }
    }

    fn name_of(&self, memory: Memory, type_object: usize) -> NameText {
        TypeName::of(&self.heap.layout, memory, &self.heap.capi, type_object).full()
    }
}

/// Goes in at a moment when no collection is under way, if there is one within a second.
fn enter_between_collections<'i>(
    interpreter: &'i Interpreter,
    heap: &Heap,
) -> Result<(Inside<'i>, bool), Goodbye> {
    const LONGEST_WAIT_US: u64 = 1_000_000;
    let start = sys::now_us();
    loop {
        let inside = interpreter.enter()?;
        let is_collecting = heap.is_collecting(inside.memory);
        if !is_collecting || sys::now_us() - start > LONGEST_WAIT_US {
            return Ok((inside, is_collecting));
        }
        inside.let_go();
        sys::sleep_us(1000);
    }
}

/// `gc.collect()`, which is done even where the collector is switched off. Answers how long it took.
fn collect(capi: &CApi, inside: &mut Inside<'_>) -> u64 {
    let start = sys::now_us();
    // SAFETY: the agent is inside; the user asked for a collection, with the finalizers it runs.
    unsafe {
        let gc = capi.import(c"gc".as_ptr());
        if gc.is_null() {
            capi.clear_error();
        } else {
            capi.call_method(gc, c"collect", core::ptr::null_mut());
            capi.decref(gc);
        }
    }
    let took_us = sys::now_us() - start;
    inside.since_us += took_us;
    took_us
}
