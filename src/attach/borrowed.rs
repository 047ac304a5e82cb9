//! One thread of the target that does what we want, and what makes it do so.
//!
//! At each moment it can be left alone: its stack pointer stands at a [`SignalFrame`], or the stub
//! knows that frame. So every failure, our death included, lets it go on where it was.

use std::io;
use std::time::Duration;

use libc::user_regs_struct;

use crate::AttachError;
use crate::maps::mapping_at;
use crate::preflight::{Target, gone};
use crate::signal_frame::{Saved, SignalFrame};
use crate::tracee::{Resume, Stop, Tracee};

/// A system call that we make in the target returns at once, unless its memory map is busy.
const SYSCALL_LIMIT: Duration = Duration::from_secs(5);
/// A thread that can be interrupted stops in microseconds.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);

/// A thread that stands at a safe point, or works for us.
pub(crate) struct Borrowed<'t> {
    pub(crate) target: &'t Target,
    pub(crate) tracee: Tracee,
    pub(crate) saved: Saved,
    /// The way back.
    pub(crate) frame: SignalFrame,
    /// Address of the frame that is to be returned to: `frame`, or one that leads there.
    pub(crate) way_back: u64,
    last_stop: Stop,
    /// Whether the thread was sent to do anything for us.
    pub(crate) is_away: bool,
    /// Whether a SIGSTOP came meanwhile, which we have let through.
    pub(crate) saw_job_control: bool,
}

impl<'t> Borrowed<'t> {
    /// Reads all that the thread is.
    ///
    /// # Errors
    /// When it is gone; it is let go otherwise.
    pub(crate) fn new(
        target: &'t Target,
        tracee: Tracee,
        registers: user_regs_struct,
    ) -> Result<Self, AttachError> {
        let saved = (|| {
            io::Result::Ok(Saved {
                registers,
                extended_state: tracee.extended_state()?,
                signal_mask: tracee.signal_mask()?,
            })
        })();
        let saved = match saved {
            Ok(saved) => saved,
            Err(_) => {
                tracee.detach(0);
                return Err(gone(target.pid, &target.handle));
            }
        };
        let mut instruction = [0; 2];
        let before = registers.rip.wrapping_sub(2);
        let resumes_at_syscall =
            target.memory.read(before, &mut instruction).is_ok() && instruction == [0x0f, 0x05];
        let frame = SignalFrame::new(&saved, target.libc.sigreturn, resumes_at_syscall);
        Ok(Self {
            target,
            tracee,
            way_back: frame.address,
            frame,
            saved,
            last_stop: Stop::Interrupted,
            is_away: false,
            saw_job_control: false,
        })
    }

    /// Whether the way back fits on what is left of the thread's stack. That of a main thread
    /// grows.
    pub(crate) fn has_room(&self) -> bool {
        const SECOND_FRAME: u64 = 1024;
        let stack = mapping_at(&self.target.mappings, self.saved.registers.rsp);
        stack.is_none_or(|stack| {
            stack.path == "[stack]" || stack.range.contains(&(self.frame.address - SECOND_FRAME))
        })
    }

    /// Whether the thread works for another leakhunt already, which may be dead: then it goes back
    /// alone soon.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.saved.signal_mask == AWAY_MASK
    }

    /// Makes a system call in the thread, by an instruction of its libc.
    pub(crate) fn syscall(
        &mut self,
        number: i64,
        name: &'static str,
        arguments: [u64; 6],
    ) -> Result<u64, AttachError> {
        const ERRORS: std::ops::RangeInclusive<i64> = -4095..=-1;
        if !self.tracee.is_stopped() {
            self.stop_again(name)?;
        }
        let mut registers = self.registers_at(self.target.libc.syscall_return);
        registers.rax = number as u64;
        registers.rsp = self.way_back;
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ] = arguments;
        self.send(&registers)?;
        // Entry and exit.
        for _ in 0..2 {
            self.resume(Resume::ToSyscall, 0)?;
            loop {
                match self.wait(SYSCALL_LIMIT, name)? {
                    Stop::Syscall => break,
                    stop => self.pass_on(stop, Resume::ToSyscall)?,
                }
            }
        }
        let result = self.ok(self.tracee.registers())?.rax;
        if ERRORS.contains(&(result as i64)) {
            return Err(self.call_failed(name, -(result as i64) as i32));
        }
        Ok(result)
    }

    pub(crate) fn call_failed(&self, call: &'static str, error: i32) -> AttachError {
        AttachError::CallFailed {
            pid: self.target.pid,
            call,
            has_seccomp: self.target.status.seccomp == 2,
            source: io::Error::from_raw_os_error(error),
        }
    }

    /// The saved registers with another place to run, and no system call to restart.
    pub(crate) fn registers_at(&self, rip: u64) -> user_regs_struct {
        let mut registers = self.saved.registers;
        registers.orig_rax = u64::MAX;
        registers.rip = rip;
        registers
    }

    /// Sets the registers. From the first time on no signal handler runs on our stack, and the
    /// threads made here take none of the target's signals. Signals that the processor raises stay
    /// open: blocked ones kill.
    pub(crate) fn send(&mut self, registers: &user_regs_struct) -> Result<(), AttachError> {
        self.ok(self.tracee.set_registers(registers))?;
        if !self.is_away {
            self.is_away = true;
            let open = FAULTS
                .iter()
                .fold(0, |mask, signal| mask | 1_u64 << (signal - 1));
            self.ok(self.tracee.set_signal_mask(!open))?;
        }
        Ok(())
    }

    /// Lets the thread run on after a stop that is not the one we wait for.
    pub(crate) fn pass_on(&mut self, stop: Stop, how: Resume) -> Result<(), AttachError> {
        self.last_stop = stop;
        match stop {
            Stop::Gone => Err(gone(self.target.pid, &self.target.handle)),
            Stop::Interrupted | Stop::Syscall => self.resume(how, 0),
            Stop::JobControl(_) => {
                self.saw_job_control = true;
                self.resume(how, 0)
            }
            Stop::Signal(signal) if FAULTS.contains(&signal) => {
                let registers = self.ok(self.tracee.registers())?;
                Err(AttachError::Fault {
                    pid: self.target.pid,
                    thread: self.tracee.tid(),
                    signal,
                    address: registers.rip,
                })
            }
            Stop::Signal(signal) => self.resume(how, signal),
        }
    }

    /// Brings the thread to a stop within the kernel's handling of signals: only there the kernel
    /// restarts the system call that was interrupted when the registers are put back.
    pub(crate) fn stop_again(&mut self, step: &'static str) -> Result<(), AttachError> {
        if self.tracee.is_stopped() {
            if self.last_stop != Stop::Syscall {
                return Ok(());
            }
            self.ok(self.tracee.interrupt())?;
            self.resume(Resume::Freely, 0)?;
        } else {
            self.ok(self.tracee.interrupt())?;
        }
        loop {
            match self.wait(STOP_LIMIT, step)? {
                Stop::Interrupted => return Ok(()),
                Stop::JobControl(_) => {
                    self.saw_job_control = true;
                    return Ok(());
                }
                stop => self.pass_on(stop, Resume::Freely)?,
            }
        }
    }

    fn wait(&mut self, limit: Duration, step: &'static str) -> Result<Stop, AttachError> {
        let stop = self.tracee.wait(limit).ok_or(AttachError::NoStop {
            pid: self.target.pid,
            thread: self.tracee.tid(),
            step,
        })?;
        self.last_stop = stop;
        Ok(stop)
    }

    pub(crate) fn resume(&mut self, how: Resume, signal: i32) -> Result<(), AttachError> {
        let result = self.tracee.resume(how, signal);
        self.ok(result)
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), AttachError> {
        let result = self
            .target
            .memory
            .write(address, bytes)
            .or_else(|_| self.tracee.write(address, bytes));
        result.map_err(|source| AttachError::CannotWrite {
            pid: self.target.pid,
            source,
        })
    }

    pub(crate) fn read_i32(&self, address: u64) -> Result<i32, AttachError> {
        let value = self.target.memory.read_u32(address);
        self.ok(value).map(u32::cast_signed)
    }

    pub(crate) fn ok<T>(&self, result: io::Result<T>) -> Result<T, AttachError> {
        result.map_err(|_| gone(self.target.pid, &self.target.handle))
    }
}

/// Signals that the processor raises.
const FAULTS: [i32; 5] = [
    libc::SIGTRAP,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
];

/// Blocks all signals but [`FAULTS`], and those that cannot be blocked.
pub(crate) const AWAY_MASK: u64 = {
    let mut open = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
    let mut i = 0;
    while i < FAULTS.len() {
        open |= 1 << (FAULTS[i] - 1);
        i += 1;
    }
    !open
};
