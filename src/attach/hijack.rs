//! Borrows one stopped thread: maps the region, runs the stub, and puts the thread back.
//!
//! At each moment the thread can be left alone: its stack pointer stands at a [`SignalFrame`] or the
//! stub knows it. So every failure here, our death included, lets it go on where it was.

use std::io;
use std::time::{Duration, Instant};

use libc::user_regs_struct;

use crate::maps::mapping_at;
use crate::preflight::Target;
use crate::region::{Plan, Region};
use crate::signal_frame::{Saved, SignalFrame};
use crate::stub::{self, Context};
use crate::tracee::{Resume, Stop, Tracee, pause};
use crate::{AgentImage, AttachError};

/// A system call that we make in the target returns at once, unless its memory map is busy.
const SYSCALL_LIMIT: Duration = Duration::from_secs(5);
/// The stub needs some 10 µs, unless it waits for a lock.
const STUB_LIMIT: Duration = Duration::from_secs(3);
/// A thread that can be interrupted stops in microseconds.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What was started in the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// Address of the [`Context`].
    pub(crate) context: u64,
    /// The channel's other end, a descriptor of the target.
    pub(crate) peer: i32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// Nobody uses the mapping: unmap it, put the thread back.
    Undo,
    /// The new thread uses the mapping, or may: put the thread back.
    PutBack,
    /// The thread is in the middle of something: it goes back alone when that is done.
    LeaveAlone,
}

/// A thread that stands at a safe point.
pub(crate) struct Hijack<'t> {
    target: &'t Target,
    tracee: Tracee,
    saved: Saved,
    frame: SignalFrame,
    last_stop: Stop,
    /// Whether the thread was sent to do anything for us.
    is_away: bool,
    /// Whether a SIGSTOP came meanwhile, which we have let through.
    saw_job_control: bool,
    region: Option<Region>,
    /// What becomes of the region and the thread in the end.
    ending: Ending,
}

impl<'t> Hijack<'t> {
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
            Err(error) => {
                tracee.detach(0);
                return Err(gone(target, error));
            }
        };
        let mut instruction = [0; 2];
        let before = registers.rip.wrapping_sub(2);
        let resumes_at_syscall =
            target.memory.read(before, &mut instruction).is_ok() && instruction == [0x0f, 0x05];
        Ok(Self {
            target,
            tracee,
            frame: SignalFrame::new(&saved, target.libc.sigreturn, resumes_at_syscall),
            saved,
            last_stop: Stop::Interrupted,
            is_away: false,
            saw_job_control: false,
            region: None,
            ending: Ending::Undo,
        })
    }

    /// The thread.
    pub(crate) fn tracee(&self) -> &Tracee {
        &self.tracee
    }

    /// Starts the agent's thread, and puts this one back and lets it go in each case.
    ///
    /// # Errors
    /// Whatever failed.
    pub(crate) fn run(mut self, image: &AgentImage, plan: &Plan) -> Result<Started, AttachError> {
        let outcome = self.start(image, plan);
        let release = self.release();
        match (outcome, release) {
            (Ok(started), Ok(())) => Ok(started),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// Whether the way back fits on what is left of the thread's stack. That of a main thread
    /// grows.
    pub(crate) fn has_room(&self) -> bool {
        let stack = mapping_at(&self.target.mappings, self.saved.registers.rsp);
        stack.is_none_or(|stack| {
            stack.path == "[stack]" || stack.range.contains(&self.frame.address)
        })
    }

    /// Whether the thread works for another leakhunt already, which may be dead: then it goes back
    /// alone soon.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.saved.signal_mask == AWAY_MASK
    }

    /// Lets the thread go as it is: nothing was done yet.
    pub(crate) fn abandon(self) {
        self.tracee.detach(0);
    }

    fn start(&mut self, image: &AgentImage, plan: &Plan) -> Result<Started, AttachError> {
        let target = self.target;
        // The way back comes first.
        self.write(self.frame.address, &self.frame.bytes)?;
        let region = self.map(plan)?;
        self.write(region.start, stub::code())?;
        self.write(region.image, &image.relocated(region.image))?;
        let frame = self.frame.context_address();
        let context = Context::new(&region, &target.interpreter, &target.libc, frame);
        self.write(region.context, context.as_bytes())?;
        self.run_stub(&region)?;
        let result = self.read_i32(region.context + stub::RESULT)?;
        if result != 0 {
            self.ending = Ending::Undo;
            return Err(self.stub_error(result));
        }
        if self.saw_job_control {
            return Err(AttachError::Stopped { pid: target.pid });
        }
        Ok(Started {
            context: region.context,
            peer: self.read_i32(region.context + stub::PEER)?,
        })
    }

    /// The mapping: all of it for data, then its first part for code. No page is ever both.
    fn map(&mut self, plan: &Plan) -> Result<Region, AttachError> {
        const DATA: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        const CODE: u64 = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        const PRIVATE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        const FIXED: u64 = PRIVATE | libc::MAP_FIXED as u64;
        const NO_FILE: u64 = u64::MAX;
        let call = libc::SYS_mmap;
        let start = self.syscall(call, "mmap", [0, plan.len, DATA, PRIVATE, NO_FILE, 0])?;
        let region = plan.at(start);
        self.region = Some(region);
        let arguments = [start, plan.code_len, CODE, FIXED, NO_FILE, 0];
        self.syscall(call, "mmap (for code)", arguments)?;
        if self.saw_job_control {
            let pid = self.target.pid;
            return Err(AttachError::Stopped { pid });
        }
        Ok(region)
    }

    fn run_stub(&mut self, region: &Region) -> Result<(), AttachError> {
        const DIRECTION_FLAG: u64 = 0x400;
        let mut registers = self.registers_at(region.hijacked_entry);
        registers.rdi = region.context;
        registers.rsp = region.stack_top;
        registers.rbp = 0;
        registers.eflags &= !DIRECTION_FLAG;
        self.send(&registers)?;
        self.ending = Ending::PutBack;
        self.resume(Resume::Freely, 0)?;
        let start = Instant::now();
        while self.read_i32(region.context + stub::DONE)? == 0 {
            if let Some(stop) = self.tracee.poll() {
                self.pass_on(stop, Resume::Freely)?;
            }
            let waited = start.elapsed();
            if waited > STUB_LIMIT {
                self.stop_again("in pthread_create")?;
                return Err(self.lock_held(waited));
            }
            pause(waited);
        }
        self.stop_again("after the stub")
    }

    /// A thread that waits for its first lock can be put back: it will never look at the mapping
    /// again. In any other place it must come to the end of `pthread_create`.
    fn lock_held(&mut self, waited: Duration) -> AttachError {
        let registers = self.tracee.registers();
        let is_waiting = registers.is_ok_and(|r| r.orig_rax as i64 == libc::SYS_futex);
        if !is_waiting {
            self.ending = Ending::LeaveAlone;
        }
        let pid = self.target.pid;
        AttachError::LockHeld { pid, waited }
    }

    fn stub_error(&self, result: i32) -> AttachError {
        let pid = self.target.pid;
        let error = result.saturating_abs();
        if error == libc::EMFILE {
            return AttachError::NoFreeDescriptor { pid };
        }
        let call = if result < 0 {
            "socketpair"
        } else {
            "pthread_create"
        };
        self.call_failed(call, error)
    }

    fn call_failed(&self, call: &'static str, error: i32) -> AttachError {
        AttachError::CallFailed {
            pid: self.target.pid,
            call,
            has_seccomp: self.target.status.seccomp == 2,
            source: io::Error::from_raw_os_error(error),
        }
    }

    /// Puts the thread back and lets it go.
    fn release(mut self) -> Result<(), AttachError> {
        if !self.is_away {
            self.tracee.detach(0);
            return Ok(());
        }
        if self.ending == Ending::Undo
            && let Some(region) = self.region
        {
            // Where it fails, a mapping stays that nobody uses.
            let arguments = [region.start, region.len, 0, 0, 0, 0];
            if self.syscall(libc::SYS_munmap, "munmap", arguments).is_ok() {
                self.region = None;
            }
        }
        if let Err(error) = self.stop_again("to be put back") {
            self.ending = Ending::LeaveAlone;
            self.let_go();
            return Err(error);
        }
        let put_back = match self.ending {
            Ending::LeaveAlone => Ok(true),
            Ending::Undo | Ending::PutBack => self.put_back(),
        };
        let target = self.target;
        self.let_go();
        match put_back {
            Ok(true) => Ok(()),
            Ok(false) => Err(AttachError::TooSlow { pid: target.pid }),
            Err(error) => Err(gone(target, error)),
        }
    }

    /// Sets the thread to what it was; says whether it still worked for us.
    fn put_back(&self) -> io::Result<bool> {
        if !self.is_ours(self.tracee.registers()?.rip) {
            return Ok(false);
        }
        if let Some(region) = self.region {
            // Should we be killed between here and the end, the thread waits no more and goes back
            // at once, long before the new thread unmaps anything.
            let memory = &self.target.memory;
            memory.write(region.context + stub::PATIENCE, &[0; 16])?;
            memory.write(region.context + stub::IS_BACK, &1_u32.to_le_bytes())?;
        }
        // The general registers come last: until then the thread would go back by its frame.
        self.tracee.set_signal_mask(self.saved.signal_mask)?;
        self.tracee.set_extended_state(&self.saved.extended_state)?;
        self.tracee.set_registers(&self.saved.registers)?;
        Ok(true)
    }

    fn let_go(self) {
        if self.ending == Ending::LeaveAlone
            && let Some(region) = self.region
        {
            // It need not wait for us. Where the write fails it waits for some seconds.
            let patience = region.context + stub::PATIENCE;
            let _ = self.target.memory.write(patience, &[0; 16]);
        }
        self.tracee.detach(0);
    }

    /// Whether the thread still works for us: it goes back alone when we are away for seconds.
    fn is_ours(&self, rip: u64) -> bool {
        const INSTRUCTIONS: u64 = 16;
        let libc = &self.target.libc;
        let borrowed = [libc.syscall_return, libc.sigreturn];
        let in_stub = |region: Region| (region.start..region.stub_end).contains(&rip);
        self.region.is_some_and(in_stub)
            || borrowed
                .iter()
                .any(|&start| (start..start + INSTRUCTIONS).contains(&rip))
    }

    /// Makes a system call in the thread, by an instruction of its libc.
    fn syscall(
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
        registers.rsp = self.frame.address;
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

    /// The saved registers with another place to run, and no system call to restart.
    fn registers_at(&self, rip: u64) -> user_regs_struct {
        let mut registers = self.saved.registers;
        registers.orig_rax = u64::MAX;
        registers.rip = rip;
        registers
    }

    /// Sets the registers. From the first time on no signal handler runs on our stack, and the
    /// threads made here take none of the target's signals. Signals that the processor raises stay
    /// open: blocked ones kill.
    fn send(&mut self, registers: &user_regs_struct) -> Result<(), AttachError> {
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
    fn pass_on(&mut self, stop: Stop, how: Resume) -> Result<(), AttachError> {
        self.last_stop = stop;
        match stop {
            Stop::Gone => Err(gone(self.target, io::Error::from_raw_os_error(libc::ESRCH))),
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
    fn stop_again(&mut self, step: &'static str) -> Result<(), AttachError> {
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

    fn resume(&mut self, how: Resume, signal: i32) -> Result<(), AttachError> {
        let result = self.tracee.resume(how, signal);
        self.ok(result)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), AttachError> {
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

    fn read_i32(&self, address: u64) -> Result<i32, AttachError> {
        let value = self.target.memory.read_u32(address);
        self.ok(value).map(u32::cast_signed)
    }

    fn ok<T>(&self, result: io::Result<T>) -> Result<T, AttachError> {
        result.map_err(|error| gone(self.target, error))
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
const AWAY_MASK: u64 = {
    let mut open = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
    let mut i = 0;
    while i < FAULTS.len() {
        open |= 1 << (FAULTS[i] - 1);
        i += 1;
    }
    !open
};

/// What a failed call on a thread means: the process ended or became another program.
pub(crate) fn gone(target: &Target, _error: io::Error) -> AttachError {
    // A dying process is traced no more a little before its handle says so.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(50) {
        if target.handle.has_exited() {
            return AttachError::Exited { pid: target.pid };
        }
        pause(start.elapsed());
    }
    AttachError::Replaced { pid: target.pid }
}
