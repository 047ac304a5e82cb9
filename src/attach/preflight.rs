//! Everything that can be known of a target before it is touched.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leakhunt_wire::Capi;

use crate::AttachError;
use crate::interpreter::{self, Found, Interpreter};
use crate::libc_in_target::Libc;
use crate::maps::{Mapping, mappings};
use crate::memory::{CachedMemory, Memory};
use crate::module::first_pages;
use crate::permission::denial;
use crate::pidfd::PidFd;
use crate::status::Status;

/// A process that can be attached as far as one can know.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) pid: u32,
    pub(crate) handle: Arc<PidFd>,
    pub(crate) status: Status,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) memory: Memory,
    pub(crate) interpreter: Interpreter,
    pub(crate) libc: Libc,
}

/// The largest process id that Linux gives.
const MAX_PID: u32 = 1 << 22;

/// Looks at a process without touching it.
///
/// # Errors
/// What will make an attach fail.
pub(crate) fn look(pid: u32) -> Result<Target, AttachError> {
    let status = status(pid)?;
    let handle = Arc::new(open(pid)?);
    check_state(pid, &status)?;
    let result = look_inside(pid, handle.clone(), status);
    // Whatever failed, the truth is that the process ended meanwhile.
    match result {
        Err(_) if handle.has_exited() => Err(AttachError::Exited { pid }),
        result => result,
    }
}

/// What stands against an attach at the moment: the process has ended, is stopped, or is traced.
///
/// # Errors
/// That.
pub(crate) fn check_now(pid: u32) -> Result<(), AttachError> {
    check_state(pid, &status(pid)?)
}

/// The status of a process.
///
/// # Errors
/// When there is none.
pub(crate) fn status(pid: u32) -> Result<Status, AttachError> {
    if pid == 0 || pid > MAX_PID {
        return Err(AttachError::NoSuchProcess { pid });
    }
    Status::of(pid).map_err(|source| match source.raw_os_error() {
        Some(libc::ESRCH) => AttachError::Exited { pid },
        Some(libc::ENOENT) if std::path::Path::new("/proc/self/status").exists() => {
            AttachError::NoSuchProcess { pid }
        }
        _ => AttachError::CannotRead {
            path: format!("/proc/{pid}/status"),
            source,
        },
    })
}

/// A handle of a process.
///
/// # Errors
/// When there is none, or it is a thread of another.
pub(crate) fn open(pid: u32) -> Result<PidFd, AttachError> {
    PidFd::open(pid).map_err(|source| match source.raw_os_error() {
        Some(libc::ESRCH) => AttachError::Exited { pid },
        Some(libc::ENOSYS) => AttachError::OldKernel { call: "pidfd_open" },
        // A thread's id: told better from the status.
        _ => match Status::of(pid) {
            Ok(status) if status.process != pid => AttachError::IsThread {
                pid,
                process: status.process,
            },
            _ => AttachError::Own {
                doing: "open a process handle",
                source,
            },
        },
    })
}

fn check_state(pid: u32, status: &Status) -> Result<(), AttachError> {
    if status.process != pid {
        return Err(AttachError::IsThread {
            pid,
            process: status.process,
        });
    }
    if status.has_ended() {
        return Err(AttachError::Exited { pid });
    }
    if status.tracer != 0 {
        return Err(traced(pid, status.tracer));
    }
    match status.state {
        'T' | 't' => Err(AttachError::Stopped { pid }),
        _ => Ok(()),
    }
}

/// The error that names the tracer.
pub(crate) fn traced(pid: u32, tracer: u32) -> AttachError {
    let comm = Status::of(tracer).map(|status| status.comm);
    AttachError::Traced {
        pid,
        tracer,
        comm: comm.unwrap_or_else(|_| "unknown".into()),
    }
}

fn look_inside(pid: u32, handle: Arc<PidFd>, status: Status) -> Result<Target, AttachError> {
    let mappings = mappings(pid).map_err(|source| denial(pid, &status, source))?;
    if mappings.is_empty() {
        // A process that is ending has none either.
        return Err(if status.is_kernel_thread() {
            AttachError::KernelThread {
                pid,
                comm: status.comm,
            }
        } else {
            gone(pid, &handle)
        });
    }
    let memory = Memory::open(pid).map_err(|source| denial(pid, &status, source))?;
    let (interpreter, libc) = match find_parts(pid, &status, &memory, &mappings) {
        Ok(parts) => parts,
        Err(error) => {
            // What was not found may have been there a moment ago.
            let is_readable = first_pages(&mappings)
                .first()
                .is_none_or(|page| memory.read_u32(page.range.start).is_ok());
            return Err(if is_readable {
                error
            } else {
                gone(pid, &handle)
            });
        }
    };
    if status.seccomp == 1 {
        return Err(AttachError::SeccompStrict { pid });
    }
    Ok(Target {
        pid,
        handle,
        status,
        memory,
        interpreter,
        libc,
        mappings,
    })
}

fn find_parts(
    pid: u32,
    status: &Status,
    memory: &Memory,
    mappings: &[Mapping],
) -> Result<(Interpreter, Libc), AttachError> {
    let cached = CachedMemory::new(memory, mappings);
    let comm = status.comm.clone();
    let interpreter = match interpreter::find(&cached, mappings) {
        Found::Python(interpreter) => *interpreter,
        Found::Static if comm.contains("python") => {
            return Err(AttachError::StaticallyLinked { pid, comm });
        }
        Found::Nothing | Found::Static => return Err(AttachError::NotPython { pid, comm }),
        Found::OtherArchitecture => return Err(AttachError::OtherArchitecture { pid, comm }),
    };
    check_interpreter(pid, comm, &interpreter)?;
    let libc = Libc::find(memory, &cached, mappings)
        .map_err(|missing| AttachError::UnsupportedLibc { pid, missing })?;
    Ok((interpreter, libc))
}

/// What it means that a thread or the memory of a process is not there any more: the process ended,
/// or it became another program.
pub(crate) fn gone(pid: u32, handle: &PidFd) -> AttachError {
    // A process that ends loses its memory a little before its handle says so.
    const LIMIT: Duration = Duration::from_millis(50);
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if handle.has_exited() {
            return AttachError::Exited { pid };
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    match Status::of(pid) {
        Ok(status) if status.rss_bytes.is_some() => AttachError::Replaced { pid },
        _ => AttachError::Exited { pid },
    }
}

fn check_interpreter(pid: u32, comm: String, interpreter: &Interpreter) -> Result<(), AttachError> {
    if let Some(version) = &interpreter.version
        && interpreter::is_too_old(version)
    {
        let version = version.clone();
        return Err(AttachError::PythonTooOld { pid, version });
    }
    let is_missing =
        |symbol: &&Capi| symbol.is_required() && interpreter.capi[**symbol as usize] == 0;
    match Capi::ALL.iter().find(is_missing) {
        Some(symbol) => Err(AttachError::MissingSymbol {
            pid,
            comm,
            symbol: symbol.name(),
        }),
        None => Ok(()),
    }
}

/// Whether an error says that the process or thread is gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}
