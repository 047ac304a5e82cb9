//! One thread of the target under ptrace. All calls are made by one thread of ours, the tracer.

use std::io;
use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, c_ulong, c_void, user_regs_struct};

/// Why a thread stands still, or that it does not any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// We asked for it; within the kernel's handling of signals, so that it restarts a system call
    /// that was interrupted.
    Interrupted,
    /// Job control stopped the process; else as `Interrupted`.
    JobControl(c_int),
    /// At the entry or the exit of a system call.
    Syscall,
    /// A signal is about to be delivered.
    Signal(c_int),
    /// The thread has ended, or it has become another by an exec.
    Gone,
}

/// How a stopped thread goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resume {
    /// Up to the next signal or interrupt.
    Freely,
    /// Up to the entry or the exit of a system call.
    ToSyscall,
}

/// A traced thread. It goes on when this is detached, or when the tracer thread ends.
#[derive(Debug)]
pub(crate) struct Tracee {
    tid: u32,
    is_stopped: bool,
}

/// `PTRACE_GETREGSET` of the extended state; 32 KB hold the tiles of AMX too.
const NT_X86_XSTATE: usize = 0x202;
/// From `linux/ptrace.h`.
const PTRACE_SECCOMP_GET_FILTER: libc::c_uint = 0x420c;
const XSTATE_BUFFER: usize = 32 * 1024;
const SYSCALL_STOP: c_int = libc::SIGTRAP | 0x80;
const EVENT_STOP: c_int = 128;

impl Tracee {
    /// Starts to trace a thread, which goes on running. It is not killed if we are.
    ///
    /// # Errors
    /// When that is not allowed or the thread is ending.
    pub(crate) fn seize(tid: u32) -> io::Result<Self> {
        let options = libc::PTRACE_O_TRACESYSGOOD as usize;
        request(libc::PTRACE_SEIZE, tid, 0, options)?;
        Ok(Self {
            tid,
            is_stopped: false,
        })
    }

    /// The thread.
    pub(crate) fn tid(&self) -> u32 {
        self.tid
    }

    /// Whether it stands still.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn interrupt(&self) -> io::Result<()> {
        request(libc::PTRACE_INTERRUPT, self.tid, 0, 0).map(drop)
    }

    /// The next stop; `None` when there was none in time.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<Stop> {
        let start = Instant::now();
        loop {
            if let Some(stop) = self.poll() {
                return Some(stop);
            }
            let waited = start.elapsed();
            if waited >= limit {
                return None;
            }
            pause(waited);
        }
    }

    /// The next stop if there is one already.
    pub(crate) fn poll(&mut self) -> Option<Stop> {
        let mut status = 0;
        let flags = libc::__WALL | libc::WNOHANG;
        // SAFETY: `status` is a valid int for the call's whole time.
        let tid = unsafe { libc::waitpid(self.tid as i32, &raw mut status, flags) };
        if tid == 0 || (tid < 0 && errno() == libc::EINTR) {
            return None;
        }
        if tid < 0 || !libc::WIFSTOPPED(status) {
            return Some(Stop::Gone);
        }
        self.is_stopped = true;
        let signal = libc::WSTOPSIG(status);
        Some(match (status >> 16, signal) {
            (EVENT_STOP, libc::SIGTRAP) => Stop::Interrupted,
            (EVENT_STOP, signal) => Stop::JobControl(signal),
            (_, SYSCALL_STOP) => Stop::Syscall,
            (_, signal) => Stop::Signal(signal),
        })
    }

    /// Lets it go on, with a signal if it is not 0.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn resume(&mut self, how: Resume, signal: c_int) -> io::Result<()> {
        let call = match how {
            Resume::Freely => libc::PTRACE_CONT,
            Resume::ToSyscall => libc::PTRACE_SYSCALL,
        };
        self.is_stopped = false;
        request(call, self.tid, 0, signal as usize).map(drop)
    }

    /// Lets it go for good, with a signal if it is not 0.
    pub(crate) fn detach(mut self, signal: c_int) {
        self.is_stopped = false;
        // It fails when the thread is gone, and then there is nothing to let go.
        let _ = request(libc::PTRACE_DETACH, self.tid, 0, signal as usize);
    }

    /// The general registers.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn registers(&self) -> io::Result<user_regs_struct> {
        // SAFETY: the struct is made of integers only, for which zero is a value.
        let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
        let place = (&raw mut registers).expose_provenance();
        request(libc::PTRACE_GETREGS, self.tid, 0, place)?;
        Ok(registers)
    }

    /// Sets the general registers.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn set_registers(&self, registers: &user_regs_struct) -> io::Result<()> {
        let place = ptr::from_ref(registers).expose_provenance();
        request(libc::PTRACE_SETREGS, self.tid, 0, place).map(drop)
    }

    /// The floating-point and vector registers, in the format of `xsave`.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn extended_state(&self) -> io::Result<Vec<u8>> {
        let mut state = vec![0; XSTATE_BUFFER];
        let mut part = libc::iovec {
            iov_base: state.as_mut_ptr().cast(),
            iov_len: state.len(),
        };
        let place = (&raw mut part).expose_provenance();
        request(libc::PTRACE_GETREGSET, self.tid, NT_X86_XSTATE, place)?;
        state.truncate(part.iov_len);
        Ok(state)
    }

    /// Sets them.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn set_extended_state(&self, state: &[u8]) -> io::Result<()> {
        let part = libc::iovec {
            iov_base: state.as_ptr().cast_mut().cast(),
            iov_len: state.len(),
        };
        let place = (&raw const part).expose_provenance();
        request(libc::PTRACE_SETREGSET, self.tid, NT_X86_XSTATE, place).map(drop)
    }

    /// The blocked signals, one bit each.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn signal_mask(&self) -> io::Result<u64> {
        let mut mask = 0_u64;
        let place = (&raw mut mask).expose_provenance();
        request(libc::PTRACE_GETSIGMASK, self.tid, 8, place)?;
        Ok(mask)
    }

    /// Sets them.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn set_signal_mask(&self, mask: u64) -> io::Result<()> {
        let place = (&raw const mask).expose_provenance();
        request(libc::PTRACE_SETSIGMASK, self.tid, 8, place).map(drop)
    }

    /// Writes memory word by word; slower than [`Memory`](crate::memory::Memory), and allowed where
    /// the kernel forbids to force writes there.
    ///
    /// # Errors
    /// When it is gone or there is no memory.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        for (place, chunk) in (address..).step_by(8).zip(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word) as usize;
            request(libc::PTRACE_POKEDATA, self.tid, place as usize, word)?;
        }
        Ok(())
    }

    /// The program of its seccomp filter number `index`, as raw instructions; `None` after the last.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN, or where the kernel was built without it.
    pub(crate) fn seccomp_filter(&self, index: usize) -> io::Result<Option<Vec<u64>>> {
        let call = PTRACE_SECCOMP_GET_FILTER;
        let is_end = |error: &io::Error| error.raw_os_error() == Some(libc::ENOENT);
        let len = match request(call, self.tid, index, 0) {
            Ok(len) => usize::try_from(len).unwrap_or(0),
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut program = vec![0_u64; len];
        request(
            call,
            self.tid,
            index,
            program.as_mut_ptr().expose_provenance(),
        )?;
        Ok(Some(program))
    }
}

/// Waits a moment: the longer we wait, the longer the next moment.
pub(crate) fn pause(waited: Duration) {
    if waited < Duration::from_micros(40) {
        std::hint::spin_loop();
    } else if waited < Duration::from_millis(2) {
        std::thread::sleep(Duration::from_micros(10));
    } else {
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// One ptrace call; `address` and `data` are numbers, or addresses of live values of ours whose
/// type fits the request.
fn request(call: libc::c_uint, tid: u32, address: usize, data: usize) -> io::Result<i64> {
    let address = ptr::without_provenance_mut::<c_void>(address);
    let data = ptr::with_exposed_provenance_mut::<c_void>(data);
    // SAFETY: errno is a valid int of this thread.
    unsafe { *libc::__errno_location() = 0 };
    // SAFETY: all callers are in this file and pass what the request asks for: integers, or the
    // address of a live value of the right type and size.
    let result = unsafe { libc::ptrace(call, tid as c_ulong, address, data) };
    if result == -1 && errno() != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn errno() -> c_int {
    // SAFETY: errno is a valid int of this thread.
    unsafe { *libc::__errno_location() }
}
