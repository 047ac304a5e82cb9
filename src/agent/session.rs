//! One session: from the agent's first step in the target to its last.

use leakhunt_wire::{
    BOOT_VERSION, Boot, CensusDone, CensusRequest, DumpDone, DumpRequest, Ended, Goodbye,
    MAX_PACKET, Place, Ready, Reply, Request, Writer,
};

use crate::capi::CApi;
use crate::copy::{self, MemoryWatch, WaitEnd, code};
use crate::heap::Heap;
use crate::interpreter::{Inside, Interpreter};
use crate::job::{Job, Start, Started};
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::progress::SharedProgress;
use crate::sys::{self, ChildEnd};
use crate::tally::WalkError;
use crate::text::NameText;
use crate::types::TypeName;

/// What [`serve`] answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// Nothing refers to the agent's code and data any more.
    Cleanly,
    /// The interpreter is ending and may still call the agent's code.
    BehindTheInterpreter,
}

/// Without a word from the command line the agent leaves after this time.
const LONGEST_SILENCE_US: u64 = 60_000_000;

/// Serves a command line until it, or the interpreter, has had enough. Closes both descriptors.
///
/// # Safety
/// `boot` is the start data: its addresses are those of the symbols of the interpreter of this
/// process, its descriptors are open and the agent's own. This thread has no thread state. At most
/// one session runs in a process at a time for each image of the agent.
pub unsafe fn serve(boot: &Boot) -> Left {
    sys::close(boot.peer);
    sys::name_thread();
    let left = if boot.version == BOOT_VERSION {
        send(boot.socket, &Reply::Hello);
        serve_interpreter(&CApi::new(&boot.capi), boot.socket)
    } else {
        send(boot.socket, &Reply::Goodbye(Goodbye::OtherVersion));
        Left::Cleanly
    };
    sys::close(boot.socket);
    left
}

fn serve_interpreter(capi: &CApi, socket: i32) -> Left {
    let asked_us = sys::now_us();
    let (interpreter, since_us) = match Interpreter::enter_first(capi, socket) {
        Ok(entered) => entered,
        Err(goodbye) => {
            send(socket, &Reply::Goodbye(goodbye));
            return Left::Cleanly;
        }
    };
    let inside = interpreter.first_stay(since_us);
    let memory = inside.memory;
    // SAFETY: the agent is inside.
    let heap = unsafe { Heap::find(capi, memory, interpreter.callback()) };
    let gil_held_us = inside.let_go();
    let progress = SharedProgress::new();
    let goodbye = match (heap, progress) {
        (None, _) => Goodbye::UnknownPython,
        (_, None) => Goodbye::NoMemory,
        (Some(heap), Some(progress)) => {
            let version = memory.c_string(capi.version_text());
            let end = version
                .iter()
                .position(|&byte| byte == b' ')
                .unwrap_or(version.len());
            let ready = Ready {
                version: core::str::from_utf8(&version[..end]).unwrap_or("3"),
                free_threaded: heap.layout.is_free_threaded,
                gil_wait_us: since_us - asked_us,
                gil_held_us,
            };
            send(socket, &Reply::Ready(ready));
            let mut session = Session {
                socket,
                interpreter: &interpreter,
                heap,
                progress,
                n_looks: 0,
            };
            session.answer_requests()
        }
    };
    if interpreter.is_closing() {
        send(socket, &Reply::Goodbye(Goodbye::Finalising));
        return Left::BehindTheInterpreter;
    }
    match interpreter.leave_for_good() {
        Ok(()) => {
            send(socket, &Reply::Goodbye(goodbye));
            Left::Cleanly
        }
        Err(goodbye) => {
            send(socket, &Reply::Goodbye(goodbye));
            Left::BehindTheInterpreter
        }
    }
}

/// Sends without waiting: a command line that does not read must not keep the agent.
fn send(socket: i32, reply: &Reply<'_>) {
    let mut buffer = [0; MAX_PACKET];
    let mut writer = Writer::new(&mut buffer);
    reply.encode(&mut writer);
    if let Some(packet) = writer.bytes() {
        let _ = sys::send(socket, packet, false);
    }
}

/// What the command line did while a copy works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    Nothing,
    Cancel,
    Leave(Goodbye),
}

struct Session<'s> {
    socket: i32,
    interpreter: &'s Interpreter,
    heap: Heap,
    progress: SharedProgress,
    n_looks: u32,
}

/// What all attempts of a request came to.
struct Outcome {
    ended: Ended,
    attempts: u32,
    place: Place,
    clone_errno: u32,
    pause_us: u64,
    clone_us: u64,
    gil_wait_us: u64,
    collect_us: u64,
    signal: u32,
    skipped_type: usize,
    skipped_name: NameText,
    leave: Option<Goodbye>,
}

impl Session<'_> {
    fn answer_requests(&mut self) -> Goodbye {
        let mut heard_us = sys::now_us();
        let mut buffer = [0; MAX_PACKET];
        loop {
            if self.interpreter.is_closing() {
                return Goodbye::Finalising;
            }
            let silence_us = sys::now_us() - heard_us;
            if silence_us > LONGEST_SILENCE_US {
                return Goodbye::Silence;
            }
            if !sys::wait_readable(self.socket, LONGEST_SILENCE_US - silence_us + 1000) {
                continue;
            }
            let len = match sys::receive(self.socket, &mut buffer) {
                Ok(0) => return Goodbye::Asked,
                Ok(len) => len,
                Err(_) => continue,
            };
            heard_us = sys::now_us();
            let leave = match Request::decode(&buffer[..len]) {
                Ok(Request::Ping) => {
                    send(self.socket, &Reply::Pong);
                    None
                }
                Ok(Request::Cancel) => None,
                Ok(Request::Detach) | Err(_) => Some(Goodbye::Asked),
                Ok(Request::Census(request)) => self.census(&request),
                Ok(Request::Dump(request)) => self.dump(&request),
            };
            heard_us = heard_us.max(sys::now_us());
            if let Some(goodbye) = leave {
                return goodbye;
            }
        }
    }

    fn census(&mut self, request: &CensusRequest) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Census(request));
        let done = CensusDone {
            ended: outcome.ended,
            attempts: outcome.attempts,
            place: outcome.place,
            clone_errno: outcome.clone_errno,
            pause_us: outcome.pause_us,
            clone_us: outcome.clone_us,
            gil_wait_us: outcome.gil_wait_us,
            collect_us: outcome.collect_us,
            signal: outcome.signal,
            skipped_type: outcome.skipped_name.as_str(),
        };
        send(self.socket, &Reply::CensusDone(done));
        outcome.leave
    }

    fn dump(&mut self, request: &DumpRequest<'_>) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Dump(request));
        let done = DumpDone {
            ended: outcome.ended,
            attempts: outcome.attempts,
            n_matching: self.progress.n_matching(),
            pause_us: outcome.pause_us,
            signal: outcome.signal,
            clone_errno: outcome.clone_errno,
            skipped_type: outcome.skipped_name.as_str(),
        };
        send(self.socket, &Reply::DumpDone(done));
        outcome.leave
    }

    /// Walks; once more without the type at which a copy crashed or hung.
    fn attempt(&mut self, job: Job<'_>) -> Outcome {
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
            skipped_type: 0,
            skipped_name: NameText::new(),
            leave: None,
        };
        const MOST_ATTEMPTS: u32 = 2;
        while outcome.attempts < MOST_ATTEMPTS {
            outcome.attempts += 1;
            send(self.socket, &Reply::Attempt(outcome.attempts));
            if let Err(goodbye) = self.attempt_once(job, &mut outcome) {
                outcome.leave = Some(goodbye);
                break;
            }
            if !matches!(outcome.ended, Ended::Crashed | Ended::TimeLimit) {
                break;
            }
            let crashed_in = self.progress.current_type();
            if outcome.ended == Ended::TimeLimit && crashed_in == 0 {
                break;
            }
            outcome.skipped_type = crashed_in;
        }
        self.n_looks += 1;
        outcome
    }

    fn attempt_once(&mut self, job: Job<'_>, outcome: &mut Outcome) -> Result<(), Goodbye> {
        let asked_us = sys::now_us();
        let (mut inside, is_during_collection) =
            enter_between_collections(self.interpreter, &self.heap)?;
        outcome.gil_wait_us += inside.since_us - asked_us;
        if let Job::Census(CensusRequest { collect: true, .. }) = job
            && outcome.attempts == 1
        {
            outcome.collect_us = collect(&self.heap.capi, &mut inside);
        }
        if outcome.skipped_type != 0 && outcome.skipped_name.as_str().is_empty() {
            outcome.skipped_name = self.name_of(inside.memory, outcome.skipped_type);
        }
        let start = Start {
            job,
            heap: &self.heap,
            progress: &self.progress,
            socket: self.socket,
            skipped_type: outcome.skipped_type,
            cross_check: self.n_looks == 0,
            is_during_collection,
        };
        let mut started = if start.wants_target(inside.memory) {
            outcome.place = Place::Target;
            start.in_target(&inside)
        } else {
            outcome.place = Place::Copy;
            start.in_copy(&inside)
        };
        if let (
            Started::Refused {
                ended: Ended::Refused,
                clone_errno,
            },
            Job::Census(_),
        ) = (&started, job)
        {
            outcome.clone_errno = *clone_errno;
            outcome.place = Place::Target;
            started = start.in_target(&inside);
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
                };
                Outbox::flush(outbox, self.socket).map_err(|_| Goodbye::Asked)
            }
            Started::Copy { pid, clone_us } => {
                outcome.clone_us += clone_us;
                self.follow_copy(MemoryWatch::new(pid, job.memory_limit_bytes()), outcome)
            }
        }
    }

    fn follow_copy(
        &mut self,
        mut memory: MemoryWatch,
        outcome: &mut Outcome,
    ) -> Result<(), Goodbye> {
        let mut heard = Heard::Nothing;
        let mut is_over = false;
        let end = copy::wait(memory.pid, |pause_us| {
            heard = self.listen(pause_us);
            is_over = memory.is_over();
            heard != Heard::Nothing || is_over
        });
        outcome.ended = match end {
            WaitEnd::Stopped if is_over => Ended::MemoryLimit,
            WaitEnd::Stopped => Ended::Cancelled,
            WaitEnd::Ended(ChildEnd::Exited(0)) => Ended::Whole,
            WaitEnd::Ended(ChildEnd::Exited(code::NO_MEMORY)) => Ended::MemoryLimit,
            WaitEnd::Ended(ChildEnd::Exited(code::BROKEN_LIST)) => Ended::Unreadable,
            WaitEnd::Ended(ChildEnd::Exited(_)) => Ended::Cancelled,
            WaitEnd::Ended(ChildEnd::Killed(sys::SIGALRM)) => Ended::TimeLimit,
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
