//! One session: from the agent's first step in the target to its last.

use leakhunt_wire::{
    BOOT_VERSION, Boot, CensusDone, CensusRequest, DumpDone, DumpRequest, Ended, Goodbye,
    MAX_PACKET, Place, Ready, Reply, Request, Writer,
};

use crate::capi::CApi;
use crate::copy::{self, HangWatch, MemoryWatch, WaitEnd, code};
use crate::exit_guard;
use crate::heap::Heap;
use crate::interpreter::{Inside, Interpreter};
use crate::job::{Job, Start, Started};
use crate::memory::Memory;
use crate::progress::SharedProgress;
use crate::sys::{self, ChildEnd, Errno};
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
    exit_guard::close_channel(boot.socket);
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
    // SAFETY: the agent is inside, and has been since it registered its callback.
    let heap = unsafe { Heap::find(capi, interpreter.layout, memory, interpreter.callback()) };
    let gil_held_us = inside.let_go();
    let goodbye = match SharedProgress::new() {
        None => Goodbye::NoMemory,
        Some(progress) => {
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
                heap: &heap,
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
    let left = interpreter.leave_for_good(&heap);
    send(socket, &Reply::Goodbye(goodbye));
    left
}

/// How long the agent waits for a command line that does not read what it asked for.
const LONGEST_SEND_US: u64 = 10_000_000;

/// Sends, and waits for room if need be; the agent is not inside. `false` when the command line does
/// not read, or the interpreter begins to end.
fn send_patiently(socket: i32, packet: &[u8], is_closing: &dyn Fn() -> bool) -> bool {
    let start_us = sys::now_us();
    const SLICE_US: u64 = 50_000;
    loop {
        match sys::send(socket, packet, false) {
            Ok(()) => return true,
            Err(Errno::AGAIN) => {}
            Err(_) => return false,
        }
        if is_closing() || sys::now_us() - start_us > LONGEST_SEND_US {
            return false;
        }
        sys::wait_writable(socket, SLICE_US);
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
    heap: &'s Heap,
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
    /// At its time limit a copy had been with one object for long.
    is_hang: bool,
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
        self.send_last(&Reply::CensusDone(done));
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
        self.send_last(&Reply::DumpDone(done));
        outcome.leave
    }

    /// Sends the last packet of an answer, behind all that a copy has sent.
    fn send_last(&self, reply: &Reply<'_>) {
        let mut buffer = [0; MAX_PACKET];
        let mut writer = Writer::new(&mut buffer);
        reply.encode(&mut writer);
        if let Some(packet) = writer.bytes() {
            send_patiently(self.socket, packet, &|| self.interpreter.is_closing());
        }
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
            is_hang: false,
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
            heap: self.heap,
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
                    Err(WalkError::TimeLimit) => Ended::TimeLimit,
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
            Job::Census(_) => sys::kill_child(pid),
            // It has a copy of its own to end first.
            Job::Dump(_) => self.progress.stop(),
        };
        let end = copy::wait(pid, must_stop, stop);
        outcome.is_hang = false;
        outcome.ended = match end {
            WaitEnd::Stopped if is_over => Ended::MemoryLimit,
            WaitEnd::Stopped => Ended::Cancelled,
            WaitEnd::Ended(ChildEnd::Exited(0)) => Ended::Whole,
            WaitEnd::Ended(ChildEnd::Exited(code::NO_MEMORY)) => Ended::MemoryLimit,
            WaitEnd::Ended(ChildEnd::Exited(code::BROKEN_LIST)) => Ended::Unreadable,
            WaitEnd::Ended(ChildEnd::Exited(code::TIME_LIMIT)) => Ended::TimeLimit,
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
