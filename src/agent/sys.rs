//! The system calls that the agent makes, without the target's libc.
//!
//! Each answers the kernel's value, or its errno as [`Errno`].

mod sockets;

use core::arch::asm;
use core::ffi::CStr;

pub(crate) use sockets::{
    AF_INET, AF_INET6, AF_UNIX, peer_name, peer_pid, socket_inode, socket_name, tcp_info,
};

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Errno(pub u32);

impl Errno {
    const PERM: Self = Self(1);
    pub(crate) const INTR: Self = Self(4);
    pub(crate) const AGAIN: Self = Self(11);
    const NOSYS: Self = Self(38);
}

pub(crate) type Result<T> = core::result::Result<T, Errno>;

mod nr {
    pub(super) const READ: usize = 0;
    pub(super) const WRITE: usize = 1;
    pub(super) const CLOSE: usize = 3;
    pub(super) const FSTAT: usize = 5;
    pub(super) const MMAP: usize = 9;
    pub(super) const MUNMAP: usize = 11;
    pub(super) const RT_SIGACTION: usize = 13;
    pub(super) const RT_SIGPROCMASK: usize = 14;
    pub(super) const MREMAP: usize = 25;
    pub(super) const MINCORE: usize = 27;
    pub(super) const DUP2: usize = 33;
    pub(super) const SETITIMER: usize = 38;
    pub(super) const GETPID: usize = 39;
    pub(super) const SENDTO: usize = 44;
    pub(super) const RECVFROM: usize = 45;
    pub(super) const SHUTDOWN: usize = 48;
    pub(super) const GETSOCKNAME: usize = 51;
    pub(super) const GETPEERNAME: usize = 52;
    pub(super) const GETSOCKOPT: usize = 55;
    pub(super) const CLONE: usize = 56;
    #[cfg(feature = "image")]
    pub(super) const EXIT: usize = 60;
    pub(super) const WAIT4: usize = 61;
    pub(super) const KILL: usize = 62;
    pub(super) const FCNTL: usize = 72;
    pub(super) const SETPGID: usize = 109;
    pub(super) const GETPPID: usize = 110;
    pub(super) const PRCTL: usize = 157;
    pub(super) const SETRLIMIT: usize = 160;
    pub(super) const CLOCK_GETTIME: usize = 228;
    pub(super) const EXIT_GROUP: usize = 231;
    pub(super) const OPENAT: usize = 257;
    pub(super) const PPOLL: usize = 271;
    pub(super) const PROCESS_VM_READV: usize = 310;
    pub(super) const CLOSE_RANGE: usize = 436;
}

/// One system call.
///
/// # Safety
/// The call must be one whose effect on memory and process is what the caller means.
unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize> {
    let value: isize;
    // SAFETY: the kernel's calling convention; rcx and r11 are its scratch registers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => value,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    if (-4095..0).contains(&value) {
        Err(Errno(-value as u32))
    } else {
        Ok(value as usize)
    }
}

/// Fresh zeroed memory, not backed before it is touched.
pub(crate) fn map(len: usize) -> Result<*mut u8> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS_NORESERVE: usize = 0x4022;
    let args = [
        0,
        len,
        READ_WRITE,
        PRIVATE_ANONYMOUS_NORESERVE,
        usize::MAX,
        0,
    ];
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    unsafe { call(nr::MMAP, args) }.map(|address| address as *mut u8)
}

/// Fresh zeroed memory that a copy of this process shares with it.
pub(crate) fn map_shared(len: usize) -> Result<*mut u8> {
    const READ_WRITE: usize = 3;
    const SHARED_ANONYMOUS: usize = 0x21;
    // SAFETY: as in `map`.
    unsafe {
        call(
            nr::MMAP,
            [0, len, READ_WRITE, SHARED_ANONYMOUS, usize::MAX, 0],
        )
    }
    .map(|address| address as *mut u8)
}

/// Makes a mapping longer; it may move.
///
/// # Safety
/// `address` and `old_len` are of a mapping of the caller's, to which no reference is left.
pub(crate) unsafe fn remap(address: *mut u8, old_len: usize, new_len: usize) -> Result<*mut u8> {
    const MAY_MOVE: usize = 1;
    // SAFETY: by this function's contract nothing else uses the mapping.
    unsafe {
        call(
            nr::MREMAP,
            [address as usize, old_len, new_len, MAY_MOVE, 0, 0],
        )
    }
    .map(|address| address as *mut u8)
}

/// Gives memory back.
///
/// # Safety
/// `address` and `len` are of a mapping of the caller's, to which no reference is left.
pub(crate) unsafe fn unmap(address: *mut u8, len: usize) {
    // SAFETY: by this function's contract.
    let _ = unsafe { call(nr::MUNMAP, [address as usize, len, 0, 0, 0, 0]) };
}

/// Monotonic time in microseconds.
pub(crate) fn now_us() -> u64 {
    let mut time = [0_u64; 2];
    const MONOTONIC: usize = 1;
    // SAFETY: the kernel writes one timespec into `time`.
    let _ = unsafe {
        call(
            nr::CLOCK_GETTIME,
            [MONOTONIC, &raw mut time as usize, 0, 0, 0, 0],
        )
    };
    time[0] * 1_000_000 + time[1] / 1_000
}

pub(crate) fn pid() -> u32 {
    // SAFETY: no arguments, no effect.
    unsafe { call(nr::GETPID, [0; 6]) }.unwrap_or(0) as u32
}

pub(crate) fn parent_pid() -> u32 {
    // SAFETY: no arguments, no effect.
    unsafe { call(nr::GETPPID, [0; 6]) }.unwrap_or(0) as u32
}

/// A copy of this process that sends no signal when it ends. `Ok(0)` in the copy.
///
/// # Safety
/// The copy holds what this thread held and has no other thread: it must stay in the agent's code
/// and end by [`exit_process`].
pub(crate) unsafe fn clone_process() -> Result<u32> {
    // SAFETY: without CLONE_VM the copy goes on with a stack of its own.
    unsafe { call(nr::CLONE, [0; 6]) }.map(|pid| pid as u32)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChildEnd {
    Exited(u32),
    Killed(u32),
}

/// Looks whether a child has ended, without waiting; `Err` when there is no such child.
pub(crate) fn child_end(pid: u32) -> Result<Option<ChildEnd>> {
    const NO_HANG: usize = 1;
    const ALL_KINDS: usize = 0x4000_0000;
    let mut status = 0_u32;
    let args = [
        pid as usize,
        &raw mut status as usize,
        NO_HANG | ALL_KINDS,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes one int into `status`.
    match unsafe { call(nr::WAIT4, args) } {
        Ok(0) => Ok(None),
        Ok(_) if status & 0x7f == 0 => Ok(Some(ChildEnd::Exited(status >> 8 & 0xff))),
        Ok(_) => Ok(Some(ChildEnd::Killed(status & 0x7f))),
        Err(Errno::INTR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Ends a child of the agent's.
pub(crate) fn kill_child(pid: u32) {
    // SAFETY: the pid is of a child that was not reaped, so that it cannot be another process.
    let _ = unsafe { call(nr::KILL, [pid as usize, SIGKILL as usize, 0, 0, 0, 0]) };
}

/// Ends this process at once.
pub(crate) fn exit_process(code: u32) -> ! {
    loop {
        // SAFETY: does not return.
        let _ = unsafe { call(nr::EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Ends this thread at once.
#[cfg(feature = "image")]
pub(crate) fn exit_thread() -> ! {
    loop {
        // SAFETY: does not return.
        let _ = unsafe { call(nr::EXIT, [0; 6]) };
    }
}

/// Sends one packet. `may_wait`: whether to wait for room.
pub(crate) fn send(socket: i32, packet: &[u8], may_wait: bool) -> Result<()> {
    const DONT_WAIT: usize = 0x40;
    const NO_SIGNAL: usize = 0x4000;
    let flags = NO_SIGNAL | if may_wait { 0 } else { DONT_WAIT };
    loop {
        let args = [
            socket as usize,
            packet.as_ptr() as usize,
            packet.len(),
            flags,
            0,
            0,
        ];
        // SAFETY: the kernel reads `packet`.
        match unsafe { call(nr::SENDTO, args) } {
            Err(Errno::INTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Takes one packet if there is one. `Ok(0)`: the other side is gone.
pub(crate) fn receive(socket: i32, buffer: &mut [u8]) -> Result<usize> {
    const DONT_WAIT: usize = 0x40;
    let args = [
        socket as usize,
        buffer.as_mut_ptr() as usize,
        buffer.len(),
        DONT_WAIT,
        0,
        0,
    ];
    // SAFETY: the kernel writes into `buffer`.
    unsafe { call(nr::RECVFROM, args) }
}

/// Wakes whoever waits to receive from `socket`.
pub(crate) fn shut_down_reading(socket: i32) {
    // SAFETY: affects only the agent's own socket.
    let _ = unsafe { call(nr::SHUTDOWN, [socket as usize, 0, 0, 0, 0, 0]) };
}

/// Waits until `socket` can be read, or for `wait_us`.
pub(crate) fn wait_readable(socket: i32, wait_us: u64) -> bool {
    const READABLE: u64 = 1;
    wait_for(socket, READABLE, wait_us)
}

/// Waits until there is room to send, or for `wait_us`.
pub(crate) fn wait_writable(socket: i32, wait_us: u64) -> bool {
    const WRITABLE: u64 = 4;
    wait_for(socket, WRITABLE, wait_us)
}

fn wait_for(socket: i32, events: u64, wait_us: u64) -> bool {
    let mut poll = [socket as u32 as u64 | events << 32];
    let time = [wait_us / 1_000_000, wait_us % 1_000_000 * 1_000];
    let args = [&raw mut poll as usize, 1, &raw const time as usize, 0, 8, 0];
    // SAFETY: the kernel reads one timespec and writes one pollfd.
    unsafe { call(nr::PPOLL, args) }.is_ok_and(|n_ready| n_ready == 1)
}

/// Sleeps.
pub(crate) fn sleep_us(wait_us: u64) {
    let time = [wait_us / 1_000_000, wait_us % 1_000_000 * 1_000];
    // SAFETY: the kernel reads one timespec.
    let _ = unsafe { call(nr::PPOLL, [0, 0, &raw const time as usize, 0, 8, 0]) };
}

pub(crate) fn close(fd: i32) {
    // SAFETY: the agent closes only descriptors that it owns.
    let _ = unsafe { call(nr::CLOSE, [fd as usize, 0, 0, 0, 0, 0]) };
}

/// Which descriptors of a process its copy keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    None,
    /// Sockets, but not in the place of 0, 1 and 2.
    Sockets,
}

/// Closes every descriptor but `keep` and what is to be kept, and puts `/dev/null` in the place of 0,
/// 1 and 2. For a copy of the process. Answers the new number of `keep`.
pub(crate) fn keep_only(keep: i32, others: Kept) -> i32 {
    const DUP_CLOEXEC: usize = 1030;
    const READ_WRITE: usize = 2;
    const AT_CWD: usize = -100_isize as usize;
    // SAFETY: this is the copy, whose descriptors nobody else uses.
    unsafe {
        let kept =
            call(nr::FCNTL, [keep as usize, DUP_CLOEXEC, 3, 0, 0, 0]).map_or(keep, |fd| fd as i32);
        match others {
            Kept::None => {
                close_range(0, kept - 1);
                close_range(kept + 1, i32::MAX);
            }
            Kept::Sockets => {
                close_range(0, 2);
                close_but_sockets(3, kept - 1);
                close_but_sockets(kept + 1, i32::MAX);
            }
        }
        let null = c"/dev/null".as_ptr() as usize;
        if call(nr::OPENAT, [AT_CWD, null, READ_WRITE, 0, 0, 0]) == Ok(0) {
            let _ = call(nr::DUP2, [0, 1, 0, 0, 0, 0]);
            let _ = call(nr::DUP2, [0, 2, 0, 0, 0, 0]);
        }
        kept
    }
}

/// More descriptors than this are rarely allowed.
const ENOUGH: i32 = 65_536;

fn close_but_sockets(first: i32, last: i32) {
    for fd in first..=last.min(ENOUGH) {
        if socket_inode(fd) == Ok(None) {
            close(fd);
        }
    }
    close_range(first.max(ENOUGH + 1), last);
}

fn close_range(first: i32, last: i32) {
    if first > last {
        return;
    }
    // SAFETY: as in `keep_only`, which this is for.
    let closed = unsafe { call(nr::CLOSE_RANGE, [first as usize, last as usize, 0, 0, 0, 0]) };
    if closed.is_err() {
        (first..=last.min(ENOUGH)).for_each(close);
    }
}

/// Gives all signals their default action and lets them come. For a copy of the process.
pub(crate) fn reset_signals() {
    const SET_MASK: usize = 2;
    let default = [0_u64; 4];
    for signal in 1..=64 {
        let args = [signal, &raw const default as usize, 0, 8, 0, 0];
        // SAFETY: this is the copy; the kernel reads one sigaction. KILL and STOP are refused.
        let _ = unsafe { call(nr::RT_SIGACTION, args) };
    }
    let none = 0_u64;
    // SAFETY: the kernel reads one mask.
    let _ = unsafe {
        call(
            nr::RT_SIGPROCMASK,
            [SET_MASK, &raw const none as usize, 0, 8, 0, 0],
        )
    };
}

/// Ends this process by SIGALRM after `time_us`; 0 calls it off.
pub(crate) fn alarm(time_us: u64) {
    let timer = [0, 0, time_us / 1_000_000, time_us % 1_000_000];
    // SAFETY: the kernel reads one itimerval; the timer is of this process alone.
    let _ = unsafe { call(nr::SETITIMER, [0, &raw const timer as usize, 0, 0, 0, 0]) };
}

/// The signal by which [`alarm`] ends a process.
pub(crate) const SIGALRM: u32 = 14;
/// The signal by which the kernel ends a process when memory is short.
pub(crate) const SIGKILL: u32 = 9;

/// Ends this process when the thread that made it ends.
pub(crate) fn die_with_parent() {
    const SET_PDEATHSIG: usize = 1;
    // SAFETY: affects this process alone.
    let _ = unsafe { call(nr::PRCTL, [SET_PDEATHSIG, SIGKILL as usize, 0, 0, 0, 0]) };
}

/// Puts this process into a group of its own.
pub(crate) fn leave_group() {
    // SAFETY: affects this process alone.
    let _ = unsafe { call(nr::SETPGID, [0; 6]) };
}

/// Names this thread for `ps` and the like.
pub(crate) fn name_thread() {
    const SET_NAME: usize = 15;
    let name = c"leakhunt".as_ptr() as usize;
    // SAFETY: the kernel reads at most 16 bytes of a text that is 9 long with its end.
    let _ = unsafe { call(nr::PRCTL, [SET_NAME, name, 0, 0, 0, 0]) };
}

/// This process leaves no core file.
pub(crate) fn no_core() {
    const CORE: usize = 4;
    let limit = [0_u64; 2];
    // SAFETY: the kernel reads one rlimit.
    let _ = unsafe { call(nr::SETRLIMIT, [CORE, &raw const limit as usize, 0, 0, 0, 0]) };
}

/// Out of memory, the kernel takes this process first.
pub(crate) fn be_first_out_of_memory() {
    const AT_CWD: usize = -100_isize as usize;
    const WRITE_ONLY: usize = 1;
    let path = c"/proc/self/oom_score_adj".as_ptr() as usize;
    // SAFETY: opens, writes and closes a file of this process alone.
    unsafe {
        if let Ok(fd) = call(nr::OPENAT, [AT_CWD, path, WRITE_ONLY, 0, 0, 0]) {
            let text = b"1000";
            let _ = call(nr::WRITE, [fd, text.as_ptr() as usize, text.len(), 0, 0, 0]);
            close(fd as i32);
        }
    }
}

/// Reads the start of a small file of `/proc` into `buffer`.
pub(crate) fn read_file<'b>(path: &CStr, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    const AT_CWD: usize = -100_isize as usize;
    const CLOEXEC: usize = 0o2_000_000;
    // SAFETY: the kernel reads `path` and writes into `buffer`.
    unsafe {
        let args = [AT_CWD, path.as_ptr() as usize, CLOEXEC, 0, 0, 0];
        let fd = call(nr::OPENAT, args).ok()?;
        let args = [fd, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        let len = call(nr::READ, args);
        close(fd as i32);
        buffer.get(..len.ok()?)
    }
}

/// Reads words of this process at an address that may not be mapped any more.
pub(crate) fn read_words_carefully(address: usize, words: &mut [usize]) -> bool {
    let len = size_of_val(words);
    let own = [words.as_mut_ptr() as usize, len];
    let other = [address, len];
    let args = [
        pid() as usize,
        &raw const own as usize,
        1,
        &raw const other as usize,
        1,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes into `words` and answers EFAULT for what is
    // not mapped.
    match unsafe { call(nr::PROCESS_VM_READV, args) } {
        Err(Errno::PERM | Errno::NOSYS) if is_mapped(address, len) => {
            for (index, word) in words.iter_mut().enumerate() {
                // SAFETY: the pages are mapped; any bits are a word.
                *word = unsafe { (address as *const usize).add(index).read_unaligned() };
            }
            true
        }
        n_read => n_read == Ok(len),
    }
}

/// Whether all pages of a short range are mapped.
fn is_mapped(address: usize, len: usize) -> bool {
    const PAGE: usize = 4096;
    const MOST_PAGES: usize = 4;
    let start = address & !(PAGE - 1);
    let n_pages = (address + len - start).div_ceil(PAGE);
    let mut residence = [0_u8; MOST_PAGES];
    let args = [
        start,
        n_pages * PAGE,
        residence.as_mut_ptr() as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes a byte for each page.
    n_pages <= MOST_PAGES && unsafe { call(nr::MINCORE, args) }.is_ok()
}
