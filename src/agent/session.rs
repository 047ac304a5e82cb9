//! One session: from the agent's first step in the target to its last.

use leakhunt_wire::{
    BOOT_VERSION, Boot, CensusRequest, DescribeRequest, DumpDone, DumpRequest, Goodbye,
    GraphRequest, MAX_PACKET, ProbeRequest, Ready, Reply, Request, Writer,
};

use crate::attempts::Outcome;
use crate::capi::CApi;
use crate::dump::ObjectText;
use crate::exit_guard;
use crate::heap::Heap;
use crate::interpreter::Interpreter;
use crate::job::Job;
use crate::probe;
use crate::progress::SharedProgress;
use crate::sockets;
use crate::sys::{self, Errno};
use crate::trace;

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
        serve_interpreter(&CApi::new(&boot.capi), boot.socket, boot.is_guarded != 0)
    } else {
        send(boot.socket, &Reply::Goodbye(Goodbye::OtherVersion));
        Left::Cleanly
    };
    exit_guard::close_channel(boot.socket);
    left
}

fn serve_interpreter(capi: &CApi, socket: i32, is_guarded: bool) -> Left {
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
                is_guarded,
            };
            session.answer_requests()
        }
    };
    let left = if interpreter.is_closing() {
        Left::BehindTheInterpreter
    } else {
        interpreter.leave_for_good(&heap)
    };
    // Its end shuts the channel down before it says that it has begun, but does so with the GIL.
    if exit_guard::is_closing() {
        // Behind all that a copy has sent: without this word it looks as if the agent had crashed.
        send_in_turn(socket, &Reply::Goodbye(Goodbye::Finalising), &|| false);
    } else {
        send(socket, &Reply::Goodbye(goodbye));
    }
    left
}

/// How long the agent waits for a command line that does not read what it asked for.
const LONGEST_SEND_US: u64 = 10_000_000;

/// Sends, and waits for room if need be; the agent is not inside. `false` when the command line does
/// not read, or the interpreter begins to end.
pub(crate) fn send_patiently(socket: i32, packet: &[u8], is_closing: &dyn Fn() -> bool) -> bool {
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
pub(crate) fn send(socket: i32, reply: &Reply<'_>) {
    let mut buffer = [0; MAX_PACKET];
    let mut writer = Writer::new(&mut buffer);
    reply.encode(&mut writer);
    if let Some(packet) = writer.bytes() {
        let _ = sys::send(socket, packet, false);
    }
}

/// Sends behind all that a copy has sent, as [`send_patiently`].
fn send_in_turn(socket: i32, reply: &Reply<'_>, is_closing: &dyn Fn() -> bool) -> bool {
    let mut buffer = [0; MAX_PACKET];
    let mut writer = Writer::new(&mut buffer);
    reply.encode(&mut writer);
    let packet = writer.bytes();
    packet.is_some_and(|packet| send_patiently(socket, packet, is_closing))
}

/// The memory of this process; 0 where `/proc` does not tell.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let mut buffer = [0; 128];
    let text = sys::read_file(c"/proc/self/statm", &mut buffer).unwrap_or_default();
    let text = core::str::from_utf8(text).unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64).saturating_mul(PAGE_BYTES)
}

pub(crate) struct Session<'s> {
    pub(crate) socket: i32,
    pub(crate) interpreter: &'s Interpreter,
    pub(crate) heap: &'s Heap,
    pub(crate) progress: SharedProgress,
    pub(crate) n_looks: u32,
    /// Whether what is asked for is bounded here, as whoever asks may be anybody.
    is_guarded: bool,
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
            let request = match Request::decode(&buffer[..len]) {
                Ok(request) if self.is_guarded => match request.bounded(resident_bytes()) {
                    Some(request) => Ok(request),
                    None => return Goodbye::NotByTheDoor,
                },
                request => request,
            };
            let leave = match request {
                Ok(Request::Ping) => {
                    send(self.socket, &Reply::Pong);
                    None
                }
                Ok(Request::Cancel) => None,
                Ok(Request::Detach) | Err(_) => Some(Goodbye::Asked),
                Ok(Request::Census(request)) => self.census(&request),
                Ok(Request::Dump(request)) => self.dump(&request),
                Ok(Request::Graph(request)) => self.graph(&request),
                Ok(Request::Trace(n_frames)) => self.trace(n_frames),
                Ok(Request::Describe(request)) => self.describe(&request),
                Ok(Request::Probe(request)) => self.probe(&request),
                Ok(Request::Run(source)) => self.run(source),
                Ok(Request::Sockets(highest)) => self.sockets(highest),
            };
            heard_us = heard_us.max(sys::now_us());
            if let Some(goodbye) = leave {
                return goodbye;
            }
        }
    }

    fn census(&mut self, request: &CensusRequest) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Census(request));
        self.send_last(&outcome, &Reply::CensusDone(outcome.walk_done()))
    }

    fn graph(&mut self, request: &GraphRequest) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Graph(request));
        self.send_last(&outcome, &Reply::GraphDone(outcome.walk_done()))
    }

    fn dump(&mut self, request: &DumpRequest<'_>) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Dump(request));
        self.send_last(&outcome, &Reply::DumpDone(self.dump_done(&outcome)))
    }

    fn describe(&mut self, request: &DescribeRequest<'_>) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Describe(request));
        self.send_last(&outcome, &Reply::DescribeDone(self.dump_done(&outcome)))
    }

    fn probe(&mut self, request: &ProbeRequest<'_>) -> Option<Goodbye> {
        let outcome = self.attempt(Job::Probe(request));
        self.send_last(&outcome, &Reply::ProbeDone(self.dump_done(&outcome)))
    }

    fn dump_done<'o>(&self, outcome: &'o Outcome) -> DumpDone<'o> {
        DumpDone {
            ended: outcome.ended,
            attempts: outcome.attempts,
            n_matching: self.progress.n_matching(),
            pause_us: outcome.pause_us,
            signal: outcome.signal,
            clone_errno: outcome.clone_errno,
            skipped_type: outcome.skipped_name.as_str(),
        }
    }

    fn run(&self, source: &str) -> Option<Goodbye> {
        let inside = match self.interpreter.enter() {
            Ok(inside) => inside,
            Err(goodbye) => return Some(goodbye),
        };
        let mut text = ObjectText::new();
        // SAFETY: the agent is inside.
        unsafe { probe::run(&self.heap.capi, source, &mut text) };
        inside.let_go();
        self.send_behind(&Reply::Ran(text.as_str()));
        None
    }

    fn sockets(&self, highest: u32) -> Option<Goodbye> {
        let is_closing = || self.interpreter.is_closing();
        sockets::each(self.socket, highest, |reply| {
            send_in_turn(self.socket, reply, &is_closing)
        });
        self.send_behind(&Reply::SocketsDone);
        None
    }

    fn trace(&self, n_frames: u32) -> Option<Goodbye> {
        let inside = match self.interpreter.enter() {
            Ok(inside) => inside,
            Err(goodbye) => return Some(goodbye),
        };
        // SAFETY: the agent is inside.
        let traced = unsafe { trace::set(&self.heap.capi, self.heap.layout.minor, n_frames) };
        inside.let_go();
        self.send_behind(&Reply::Traced(traced));
        None
    }

    /// Sends the last packet of an answer, unless the agent leaves over it: then its goodbye is the
    /// answer, which says more than that the walk was cut off.
    fn send_last(&self, outcome: &Outcome, reply: &Reply<'_>) -> Option<Goodbye> {
        if outcome.leave.is_none() {
            self.send_behind(reply);
        }
        outcome.leave
    }

    fn send_behind(&self, reply: &Reply<'_>) {
        send_in_turn(self.socket, reply, &|| self.interpreter.is_closing());
    }
}
