//! Makes a stopped thread start the agent: maps the region, runs the stub, puts the thread back.

use std::io;
use std::time::{Duration, Instant};

use crate::borrowed::{AWAY_MASK, Borrowed};
use crate::preflight::gone;
use crate::region::{Plan, Region};
use crate::stub::{self, Context};
use crate::tracee::{Resume, pause};
use crate::{AgentImage, AttachError};

/// The stub needs some 10 µs, unless it waits for a lock.
const STUB_LIMIT: Duration = Duration::from_secs(3);

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

/// The work on one thread.
struct Hijack<'t> {
    thread: Borrowed<'t>,
    region: Option<Region>,
    /// What becomes of the region and the thread in the end.
    ending: Ending,
}

/// Starts the agent's thread, and puts this one back and lets it go in each case.
///
/// # Errors
/// Whatever failed.
pub(crate) fn hijack(
    thread: Borrowed<'_>,
    image: &AgentImage,
    plan: &Plan,
) -> Result<Started, AttachError> {
    let mut hijack = Hijack {
        thread,
        region: None,
        ending: Ending::Undo,
    };
    let outcome = hijack.start(image, plan);
    let release = hijack.release();
    match (outcome, release) {
        (Ok(started), Ok(())) => Ok(started),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

impl Hijack<'_> {
    fn start(&mut self, image: &AgentImage, plan: &Plan) -> Result<Started, AttachError> {
        let target = self.thread.target;
        // The way back comes first.
        self.thread
            .write(self.thread.frame.address, &self.thread.frame.bytes)?;
        let region = self.map(plan)?;
        self.thread.write(region.start, stub::code())?;
        self.thread
            .write(region.image, &image.relocated(region.image))?;
        let frame = self.thread.frame.context_address();
        let context = Context::new(&region, &target.interpreter, &target.libc, frame);
        self.thread.write(region.context, context.as_bytes())?;
        self.run_stub(&region)?;
        let result = self.thread.read_i32(region.context + stub::RESULT)?;
        if result != 0 {
            self.ending = Ending::Undo;
            return Err(self.stub_error(result));
        }
        if self.thread.saw_job_control {
            return Err(AttachError::Stopped { pid: target.pid });
        }
        Ok(Started {
            context: region.context,
            peer: self.thread.read_i32(region.context + stub::PEER)?,
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
        let start = self
            .thread
            .syscall(call, "mmap", [0, plan.len, DATA, PRIVATE, NO_FILE, 0])?;
        let region = plan.at(start);
        self.region = Some(region);
        self.lead_back_by_munmap(&region)?;
        let arguments = [start, plan.code_len, CODE, FIXED, NO_FILE, 0];
        self.thread.syscall(call, "mmap (for code)", arguments)?;
        if self.thread.saw_job_control {
            let pid = self.thread.target.pid;
            return Err(AttachError::Stopped { pid });
        }
        Ok(region)
    }

    /// From here on a thread that is left alone unmaps the region on its way home.
    fn lead_back_by_munmap(&mut self, region: &Region) -> Result<(), AttachError> {
        let thread = &mut self.thread;
        let libc = &thread.target.libc;
        let call = (libc.munmap, [region.start, region.len]);
        let frame = thread
            .frame
            .before(&thread.saved.registers, libc.sigreturn, call, AWAY_MASK);
        thread.write(frame.address, &frame.bytes)?;
        thread.way_back = frame.address;
        Ok(())
    }

    fn run_stub(&mut self, region: &Region) -> Result<(), AttachError> {
        const DIRECTION_FLAG: u64 = 0x400;
        let mut registers = self.thread.registers_at(region.hijacked_entry);
        registers.rdi = region.context;
        registers.rsp = region.stack_top;
        registers.rbp = 0;
        registers.eflags &= !DIRECTION_FLAG;
        self.thread.send(&registers)?;
        self.ending = Ending::PutBack;
        self.thread.resume(Resume::Freely, 0)?;
        let start = Instant::now();
        while self.thread.read_i32(region.context + stub::DONE)? == 0 {
            if let Some(stop) = self.thread.tracee.poll() {
                self.thread.pass_on(stop, Resume::Freely)?;
            }
            let waited = start.elapsed();
            if waited > STUB_LIMIT {
                self.thread.stop_again("in pthread_create")?;
                return Err(self.lock_held(waited));
            }
            pause(waited);
        }
        self.thread.stop_again("after the stub")
    }

    /// A thread that waits for its first lock can be put back: it will never look at the mapping
    /// again. In any other place it must come to the end of `pthread_create`.
    fn lock_held(&mut self, waited: Duration) -> AttachError {
        let registers = self.thread.tracee.registers();
        let is_waiting = registers.is_ok_and(|r| r.orig_rax as i64 == libc::SYS_futex);
        if !is_waiting {
            self.ending = Ending::LeaveAlone;
        }
        let pid = self.thread.target.pid;
        AttachError::LockHeld { pid, waited }
    }

    fn stub_error(&self, result: i32) -> AttachError {
        let pid = self.thread.target.pid;
        let error = result.saturating_abs();
        if error == libc::EMFILE {
            return AttachError::NoFreeDescriptor { pid };
        }
        let call = if result < 0 {
            "socketpair"
        } else {
            "pthread_create"
        };
        self.thread.call_failed(call, error)
    }

    /// Puts the thread back and lets it go.
    fn release(mut self) -> Result<(), AttachError> {
        if !self.thread.is_away {
            self.thread.tracee.detach(0);
            return Ok(());
        }
        if self.ending == Ending::Undo
            && let Some(region) = self.region
        {
            // Where it fails, a mapping stays that nobody uses.
            self.thread.way_back = self.thread.frame.address;
            let arguments = [region.start, region.len, 0, 0, 0, 0];
            if self
                .thread
                .syscall(libc::SYS_munmap, "munmap", arguments)
                .is_ok()
            {
                self.region = None;
            }
        }
        if let Err(error) = self.thread.stop_again("to be put back") {
            self.ending = Ending::LeaveAlone;
            self.let_go();
            return Err(error);
        }
        let put_back = match self.ending {
            Ending::LeaveAlone => Ok(true),
            Ending::Undo | Ending::PutBack => self.put_back(),
        };
        let target = self.thread.target;
        self.let_go();
        match put_back {
            Ok(true) => Ok(()),
            Ok(false) => Err(AttachError::TooSlow { pid: target.pid }),
            Err(_) => Err(gone(target.pid, &target.handle)),
        }
    }

    /// Sets the thread to what it was; says whether it still worked for us.
    fn put_back(&self) -> io::Result<bool> {
        if !self.is_ours(self.thread.tracee.registers()?.rip) {
            return Ok(false);
        }
        if let Some(region) = self.region {
            // Should we be killed between here and the end, the thread waits no more and goes back
            // at once, long before the new thread unmaps anything.
            let memory = &self.thread.target.memory;
            memory.write(region.context + stub::PATIENCE, &[0; 16])?;
            memory.write(region.context + stub::IS_BACK, &1_u32.to_le_bytes())?;
        }
        // The general registers come last: until then the thread would go back by its frame.
        self.thread
            .tracee
            .set_signal_mask(self.thread.saved.signal_mask)?;
        self.thread
            .tracee
            .set_extended_state(&self.thread.saved.extended_state)?;
        self.thread
            .tracee
            .set_registers(&self.thread.saved.registers)?;
        Ok(true)
    }

    fn let_go(self) {
        if self.ending == Ending::LeaveAlone
            && let Some(region) = self.region
        {
            // It need not wait for us. Where the write fails it waits for some seconds.
            let patience = region.context + stub::PATIENCE;
            let _ = self.thread.target.memory.write(patience, &[0; 16]);
        }
        self.thread.tracee.detach(0);
    }

    /// Whether the thread still works for us: it goes back alone when we are away for seconds.
    fn is_ours(&self, rip: u64) -> bool {
        const INSTRUCTIONS: u64 = 16;
        let libc = &self.thread.target.libc;
        let borrowed = [libc.syscall_return, libc.sigreturn];
        let in_stub = |region: Region| (region.start..region.stub_end).contains(&rip);
        self.region.is_some_and(in_stub)
            || borrowed
                .iter()
                .any(|&start| (start..start + INSTRUCTIONS).contains(&rip))
    }
}
