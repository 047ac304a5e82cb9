//! The code that runs in the target before the agent, and the struct that it works on.

use std::mem::offset_of;

use leakhunt_wire::{BOOT_VERSION, Boot};

use crate::interpreter::Interpreter;
use crate::libc_in_target::Libc;
use crate::region::Region;

/// What the stub and the command line share; the agent gets the address of it as that of its
/// first field. It has no padding.
#[repr(C)]
pub(crate) struct Context {
    boot: Boot,
    agent: u64,
    attr_init: u64,
    attr_setstacksize: u64,
    attr_setdetachstate: u64,
    thread_create: u64,
    munmap: u64,
    /// The `ucontext` by which the hijacked thread can go back alone.
    signal_frame: u64,
    /// How long it waits to be taken back: seconds and nanoseconds.
    patience: [u64; 2],
    /// The `pthread_t` of the new thread.
    thread: u64,
    /// A `pthread_attr_t`: 56 bytes in glibc and musl.
    attributes: [u64; 16],
    /// A `pollfd`: the socket and `POLLIN`.
    poll: [u32; 2],
    /// 1 when `result` is there.
    done: u32,
    /// Below 0 the error of `socketpair`, above 0 that of `pthread_create`.
    result: i32,
    /// 1 when the hijacked thread does not use the mapping any more.
    is_back: u32,
    /// Receives the go.
    go: u32,
}

const _: () = assert!(
    size_of::<Context>() == size_of::<Boot>() + 8 * 26 + 4 * 6,
    "the context has no padding"
);

/// Offsets that the command line uses too.
pub(crate) const PEER: u64 = offset_of!(Context, boot.peer) as u64;
pub(crate) const DONE: u64 = offset_of!(Context, done) as u64;
pub(crate) const RESULT: u64 = offset_of!(Context, result) as u64;
pub(crate) const PATIENCE: u64 = offset_of!(Context, patience) as u64;
pub(crate) const IS_BACK: u64 = offset_of!(Context, is_back) as u64;

/// How long the hijacked thread waits for the command line before it goes back alone. The command
/// line comes back within microseconds unless it was killed.
const PATIENCE_SECONDS: u64 = 2;
/// How long the new thread waits at once. It leaves after the hijacked thread has been back for one
/// whole wait.
const WAIT_MS: u32 = 3000;
/// The agent's thread gets what main threads get; only touched pages cost.
const STACK_SIZE: u32 = 8 << 20;

std::arch::global_asm!(
    include_str!("stub.s"),
    SYS_SOCKETPAIR = const libc::SYS_socketpair,
    SYS_CLOSE = const libc::SYS_close,
    SYS_POLL = const libc::SYS_poll,
    SYS_PPOLL = const libc::SYS_ppoll,
    SYS_RT_SIGRETURN = const libc::SYS_rt_sigreturn,
    AF_UNIX = const libc::AF_UNIX,
    SOCKET_KIND = const libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
    DETACHED = const libc::PTHREAD_CREATE_DETACHED,
    STACK_SIZE = const STACK_SIZE,
    WAIT_MS = const WAIT_MS,
    SOCKET = const offset_of!(Context, boot.socket),
    PEER = const offset_of!(Context, boot.peer),
    MAP_START = const offset_of!(Context, boot.map_start),
    MAP_LEN = const offset_of!(Context, boot.map_len),
    AGENT = const offset_of!(Context, agent),
    ATTR_INIT = const offset_of!(Context, attr_init),
    ATTR_SETSTACKSIZE = const offset_of!(Context, attr_setstacksize),
    ATTR_SETDETACHSTATE = const offset_of!(Context, attr_setdetachstate),
    THREAD_CREATE = const offset_of!(Context, thread_create),
    MUNMAP = const offset_of!(Context, munmap),
    SIGNAL_FRAME = const offset_of!(Context, signal_frame),
    PATIENCE = const offset_of!(Context, patience),
    THREAD = const offset_of!(Context, thread),
    ATTRIBUTES = const offset_of!(Context, attributes),
    POLL = const offset_of!(Context, poll),
    DONE = const offset_of!(Context, done),
    RESULT = const offset_of!(Context, result),
    IS_BACK = const offset_of!(Context, is_back),
    GO = const offset_of!(Context, go),
);

unsafe extern "C" {
    static leakhunt_stub_start: u8;
    static leakhunt_stub_hijacked: u8;
    static leakhunt_stub_end: u8;
}

/// The stub's code, which runs at any address.
pub(crate) fn code() -> &'static [u8] {
    let start = &raw const leakhunt_stub_start;
    let end = &raw const leakhunt_stub_end;
    // SAFETY: both symbols are in one section, the start before the end, and what is between them
    // is constant bytes.
    unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// Where in the code the hijacked thread starts.
pub(crate) fn hijacked_offset() -> u64 {
    let start = &raw const leakhunt_stub_start;
    let hijacked = &raw const leakhunt_stub_hijacked;
    (hijacked.addr() - start.addr()) as u64
}

impl Context {
    /// For a target, the agent in `region`, and the frame to go back by.
    pub(crate) fn new(
        region: &Region,
        interpreter: &Interpreter,
        libc: &Libc,
        signal_frame: u64,
    ) -> Self {
        let boot = Boot {
            version: BOOT_VERSION,
            socket: -1,
            peer: -1,
            is_guarded: 0,
            map_start: region.start,
            map_len: region.len,
            capi: interpreter.capi,
        };
        Self {
            boot,
            agent: region.agent_entry,
            attr_init: libc.attr_init,
            attr_setstacksize: libc.attr_setstacksize,
            attr_setdetachstate: libc.attr_setdetachstate,
            thread_create: libc.thread_create,
            munmap: libc.munmap,
            signal_frame,
            patience: [PATIENCE_SECONDS, 0],
            thread: 0,
            attributes: [0; 16],
            poll: [0, libc::POLLIN as u32],
            done: 0,
            result: 0,
            is_back: 0,
            go: 0,
        }
    }

    /// As it stands in the target's memory.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        // SAFETY: the struct is `repr(C)`, made of integers and without padding (asserted above),
        // so that all its bytes are initialised; the borrow keeps it alive and unchanged.
        unsafe { std::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) }
    }
}
