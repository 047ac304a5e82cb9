//! The tracer thread: looks for a thread of the target that can be borrowed, and borrows it.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::borrowed::{Borrowed, STOP_LIMIT};
use crate::hijack::{Started, hijack};
use crate::permission::denial;
use crate::preflight::{Target, check_now, gone, is_gone, traced};
use crate::region::Plan;
use crate::safe_point::{Doing, SafePoints, doing};
use crate::session::THREAD_NAME;
use crate::status::Status;
use crate::tracee::{Stop, Tracee};
use crate::{AgentImage, AttachError, seccomp};

/// What the tracer thread works with.
#[derive(Debug)]
pub(crate) struct Search<'s> {
    pub(crate) target: &'s Target,
    pub(crate) image: &'s AgentImage,
    pub(crate) plan: &'s Plan,
    pub(crate) limit: Duration,
    pub(crate) force: bool,
    pub(crate) give_up: &'s AtomicBool,
}

/// A thread was borrowed and is back.
#[derive(Debug)]
pub(crate) struct Hijacked {
    pub(crate) started: Started,
    pub(crate) stopped: Duration,
    pub(crate) tries: u32,
    pub(crate) safe_point: String,
}

/// What became of one thread.
enum Try {
    Done(Hijacked),
    /// It was let go, for this reason.
    NotSafe(String),
    /// It cannot be traced, for this reason.
    NotTraced(io::Error),
}

/// How many waiting and how many running threads are tried in one round.
const PER_ROUND: usize = 4;
/// The more of them there are, the longer a round takes; a thousand are 10 ms.
const MAX_LOOKED_AT: usize = 2000;

impl Search<'_> {
    /// Tries thread after thread until one stands at a safe point.
    ///
    /// # Errors
    /// As [`attach`](crate::attach).
    pub(crate) fn run(&self) -> Result<Hijacked, AttachError> {
        prepare_thread();
        let pid = self.target.pid;
        let points = SafePoints::new(&self.target.interpreter, &self.target.libc);
        let start = Instant::now();
        let mut tries = 0;
        let mut last = String::from("no thread seen");
        // Threads that did not stop are still traced by us; they are let go when we end.
        let mut stuck = BTreeSet::new();
        for round in 0_u64.. {
            if self.give_up.load(Ordering::Relaxed) {
                return Err(AttachError::Interrupted { pid });
            }
            let mut refusal = None;
            for tid in threads(pid, &points, &mut last) {
                if stuck.contains(&tid) {
                    continue;
                }
                match self.try_thread(tid, &points, &mut tries, &mut stuck)? {
                    Try::Done(hijacked) => return Ok(hijacked),
                    Try::NotSafe(reason) => last = format!("thread {tid} {reason}"),
                    Try::NotTraced(error) => refusal = Some((tid, error)),
                }
            }
            if self.target.handle.has_exited() {
                return Err(AttachError::Exited { pid });
            }
            if let Some((tid, error)) = refusal {
                self.explain(tid, error)?;
            }
            if start.elapsed() > self.limit {
                let waited = start.elapsed();
                return Err(AttachError::NoSafePoint { pid, waited, last });
            }
            // Out of step with whatever the threads do at regular times.
            std::thread::sleep(Duration::from_micros(300 + round % 7 * 170));
        }
        Err(AttachError::Interrupted { pid })
    }

    fn try_thread(
        &self,
        tid: u32,
        points: &SafePoints,
        tries: &mut u32,
        stuck: &mut BTreeSet<u32>,
    ) -> Result<Try, AttachError> {
        let pid = self.target.pid;
        let mut tracee = match Tracee::seize(tid) {
            Ok(tracee) => tracee,
            Err(error) if is_gone(&error) => return Ok(Try::NotSafe("ended".into())),
            Err(error) => return Ok(Try::NotTraced(error)),
        };
        *tries += 1;
        let start = Instant::now();
        if tracee.interrupt().is_err() {
            return Ok(Try::NotSafe("ended".into()));
        }
        match tracee.wait(STOP_LIMIT) {
            Some(Stop::Interrupted) => {}
            Some(Stop::JobControl(_)) => {
                tracee.detach(0);
                return Err(AttachError::Stopped { pid });
            }
            Some(Stop::Gone) => return Ok(Try::NotSafe("ended".into())),
            Some(Stop::Signal(signal)) => {
                tracee.detach(signal);
                return Ok(Try::NotSafe(format!("was about to get signal {signal}")));
            }
            Some(Stop::Syscall) => {
                tracee.detach(0);
                return Ok(Try::NotSafe("was in a system call".into()));
            }
            None => {
                stuck.insert(tid);
                return Ok(Try::NotSafe("did not stop (waiting for a device?)".into()));
            }
        }
        let Ok(registers) = tracee.registers() else {
            return Ok(Try::NotSafe("ended".into()));
        };
        let safe_point = match points.check(&registers, &self.target.memory) {
            Ok(point) => format!("thread {tid} {point}"),
            Err(reason) => {
                tracee.detach(0);
                return Ok(Try::NotSafe(reason));
            }
        };
        let thread = Borrowed::new(self.target, tracee, registers)?;
        let obstacle = if thread.is_borrowed() {
            Some("works for another leakhunt")
        } else if !thread.has_room() {
            Some("has too little stack left")
        } else {
            None
        };
        if let Some(reason) = obstacle {
            thread.tracee.detach(0);
            return Ok(Try::NotSafe(reason.into()));
        }
        if self.target.status.seccomp == 2
            && let Err(error) = seccomp::check(pid, &thread.tracee, self.force)
        {
            thread.tracee.detach(0);
            return Err(error);
        }
        let started = hijack(thread, self.image, self.plan)?;
        Ok(Try::Done(Hijacked {
            started,
            stopped: start.elapsed(),
            tries: *tries,
            safe_point,
        }))
    }

    /// What it means that a thread cannot be traced. Nothing for one that is no thread of the
    /// program, such as a worker of io_uring, or one that is about to end.
    fn explain(&self, tid: u32, error: io::Error) -> Result<(), AttachError> {
        let pid = self.target.pid;
        check_now(pid)?;
        match Status::of(tid) {
            Ok(status) if status.tracer != 0 => Err(traced(pid, status.tracer)),
            Ok(status) if tid == pid && !status.has_ended() => {
                // The tracer may have gone between the two calls.
                if Tracee::seize(tid).is_ok_and(|tracee| {
                    tracee.detach(0);
                    true
                }) {
                    return Ok(());
                }
                match denial(pid, &self.target.status, error) {
                    AttachError::Exited { .. } => Err(gone(pid, &self.target.handle)),
                    denial => Err(denial),
                }
            }
            _ => Ok(()),
        }
    }
}

/// The threads to try: the best of those that wait, then some that run.
fn threads(pid: u32, points: &SafePoints, last: &mut String) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut waiting = Vec::new();
    let mut running = Vec::new();
    let ids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for tid in ids.take(MAX_LOOKED_AT) {
        match doing(pid, tid) {
            Some(Doing::Running) => running.push(tid),
            Some(Doing::InSyscall { number, arguments }) => match points.rank(number, &arguments) {
                Some(rank) => waiting.push((rank, tid)),
                None => *last = format!("thread {tid} in system call {number}"),
            },
            None => {}
        }
        if waiting.iter().filter(|(rank, _)| *rank == 0).count() >= PER_ROUND {
            break;
        }
    }
    waiting.sort_unstable();
    let waiting = waiting.into_iter().map(|(_, tid)| tid);
    let is_other_agent = |tid: &u32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == THREAD_NAME)
    };
    waiting
        .filter(|tid| !is_other_agent(tid))
        .take(PER_ROUND)
        .chain(running.into_iter().take(PER_ROUND))
        .collect()
}

/// Short sleeps that are short, and, where allowed, the processor before others: the target's
/// thread stands still while we do not run. Both end with this thread.
fn prepare_thread() {
    const PRIORITY: libc::c_int = -10;
    const TIMER_SLACK_NS: libc::c_ulong = 1;
    const CALLING_THREAD: libc::id_t = 0;
    // SAFETY: both calls take integers only and concern the calling thread.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NS);
        libc::setpriority(libc::PRIO_PROCESS, CALLING_THREAD, PRIORITY);
    }
}
