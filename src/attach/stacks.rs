//! The threads of a live Python process, read from outside: nothing is stopped, nothing is written, no
//! agent goes in. So it works on a process that never lets go of its interpreter, that is deadlocked, or
//! that is stopped. What the process changes meanwhile is read again or marked.

mod code;
mod frames;
mod gil;
mod interpreters;
mod layout;
mod locals;
mod locks;
mod names;
mod objects;

use std::collections::BTreeMap;
use std::time::Duration;

use leakhunt_wire::Capi;

use self::gil::Gil;
use self::interpreters::State;
use self::layout::Layout;
pub use self::locks::{LockKind, LockWait};
use self::locks::{Locks, Searched};
use self::names::Named;
use self::objects::{Objects, is_address};
use crate::AttachError;
use crate::interpreter::{self, Found, Interpreter};
use crate::kernel_threads::{KernelThread, kernel_threads};
use crate::maps::mappings;
use crate::memory::{CachedMemory, Memory};
use crate::permission::denial;
use crate::preflight::{gone, open, status};

/// The threads of a process at about one moment.
#[derive(Clone, Debug)]
pub struct Threads {
    /// The version of the interpreter: `3.12.1`, or `3.9` where the patch level cannot be told.
    pub python: String,
    /// Who has the GIL.
    pub gil: GilState,
    /// Those that Python knows, in the order of `threading.enumerate()`, others by their number.
    pub python_threads: Vec<PythonThread>,
    /// Those that run no Python code, by their number.
    pub native_threads: Vec<KernelThread>,
}

/// Who has the GIL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GilState {
    /// A thread of Python's.
    Held,
    /// Nobody.
    Free,
    /// The build has none, or it is off.
    Absent,
    /// That could not be read.
    Unknown,
}

/// A thread that Python knows.
#[derive(Clone, Debug)]
pub struct PythonThread {
    /// What `threading.get_ident()` answers in it.
    pub ident: u64,
    /// `Thread.name`; `None` for one that module `threading` does not know.
    pub name: Option<String>,
    /// `Thread.daemon`; `None` likewise.
    pub is_daemon: Option<bool>,
    /// `module.qualname` of what it was started with; `None` for the main thread and where it is not
    /// known.
    pub target: Option<String>,
    /// Whether it is the thread that the process began with.
    pub is_main: bool,
    /// Whether it has the GIL; `None` where there is none or that could not be read.
    pub holds_gil: Option<bool>,
    /// Whether it waits for the GIL.
    pub waits_for_gil: bool,
    /// The lock of `threading` that it waits for, where that was found.
    pub waits_for_lock: Option<LockWait>,
    /// Whether it and others wait for each other in a ring.
    pub is_deadlocked: bool,
    /// Newest first; at most 1000.
    pub frames: Vec<Frame>,
    /// The thread ran on while it was read: frames of different moments may be mixed.
    pub is_torn: bool,
    /// There are more frames.
    pub is_cut: bool,
    /// The kernel's view; `None` where its number is not known or it ended meanwhile.
    pub kernel: Option<KernelThread>,
}

/// A call that has not returned.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frame {
    /// `co_name`.
    pub name: String,
    /// `co_qualname`; from 3.11.
    pub qualified_name: Option<String>,
    /// `co_filename`.
    pub file: String,
    /// `None` where the instruction has no line.
    pub line: Option<u32>,
    /// Names and short values of the variables; empty where they were not asked for.
    pub locals: Vec<(String, String)>,
}

/// Whether values of variables are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Locals {
    /// No.
    Leave,
    /// Yes: at most 20 a frame, 60 characters each.
    Read,
}

/// Reads them. Some ms, and 100 µs for each thread.
///
/// # Errors
/// When there is no such process, it may not be looked at, or has no interpreter that is known.
pub fn threads_from_outside(pid: u32, locals: Locals) -> Result<Threads, AttachError> {
    let before = status(pid)?;
    let handle = open(pid)?;
    if before.process != pid {
        return Err(AttachError::IsThread {
            pid,
            process: before.process,
        });
    }
    if before.has_ended() {
        return Err(AttachError::Exited { pid });
    }
    let denied = |source| denial(pid, &before, source);
    let mappings = mappings(pid).map_err(denied)?;
    let memory = Memory::open_to_read(pid).map_err(denied)?;
    let cached = CachedMemory::new(&memory, &mappings);
    let comm = before.comm.clone();
    let interpreter = match interpreter::find(&cached, &mappings) {
        Found::Python(interpreter) => *interpreter,
        _ if handle.has_exited() => return Err(AttachError::Exited { pid }),
        _ if before.is_kernel_thread() => return Err(AttachError::KernelThread { pid, comm }),
        _ if mappings.is_empty() => return Err(gone(pid, &handle)),
        Found::OtherArchitecture => return Err(AttachError::OtherArchitecture { pid, comm }),
        Found::Static if comm.contains("python") => {
            return Err(AttachError::StaticallyLinked { pid, comm });
        }
        Found::Nothing | Found::Static => return Err(AttachError::NotPython { pid, comm }),
    };
    let threads = read(pid, &memory, &interpreter, locals);
    match threads {
        Err(_) if handle.has_exited() => Err(AttachError::Exited { pid }),
        threads => threads,
    }
}

fn read(
    pid: u32,
    memory: &Memory,
    interpreter: &Interpreter,
    locals: Locals,
) -> Result<Threads, AttachError> {
    let python = interpreter.version.clone().unwrap_or_else(|| "?".into());
    if interpreter::is_too_old(&python) {
        let version = python;
        return Err(AttachError::PythonTooOld { pid, version });
    }
    let address = |symbol: Capi| interpreter.capi[symbol as usize];
    let runtime = address(Capi::_PyRuntime);
    let unknown = || AttachError::UnknownLayout {
        pid,
        version: python.clone(),
    };
    let layout = minor(&python)
        .filter(|_| runtime != 0 && is_address(runtime))
        .and_then(|minor| Layout::of(memory, minor, runtime, address(Capi::PyType_Type)))
        .ok_or_else(unknown)?;
    let objects = Objects {
        memory,
        layout: &layout,
        capi: &interpreter.capi,
    };
    let found = interpreters::interpreters(&objects, runtime);
    let main = *found.last().ok_or_else(unknown)?;
    let kernel = kernel_threads(pid).map_err(|_| AttachError::Exited { pid })?;
    let mut look = Look {
        pid,
        objects,
        locals,
        kernel: kernel.into_iter().map(|one| (one.inner_id, one)).collect(),
        codes: BTreeMap::new(),
    };
    let mut python_threads = Vec::new();
    let mut gil = GilState::Unknown;
    for &interpreter in found.iter().rev() {
        let states = interpreters::states(&objects, interpreter);
        let of_interpreter = gil::gil_of(&objects, runtime, interpreter, &states);
        if interpreter == main {
            gil = of_interpreter.state(layout.is_free_threaded);
        }
        let named = names::named_threads(&objects, interpreter);
        look.threads(&states, &named, &of_interpreter, &mut python_threads);
    }
    look.find_locks(&mut python_threads);
    let python_threads = python_threads.into_iter().map(|read| read.thread).collect();
    Ok(Threads {
        python,
        gil,
        python_threads,
        native_threads: look.kernel.into_values().collect(),
    })
}

/// The `x` of `3.x…`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("3.")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// What is at hand during a look.
struct Look<'a> {
    pid: u32,
    objects: Objects<'a>,
    locals: Locals,
    /// By the number that a thread has for itself; those that were met are taken out.
    kernel: BTreeMap<u32, KernelThread>,
    codes: frames::Codes,
}

impl Look<'_> {
    /// Adds the threads of an interpreter: first those that `threading` knows, in its order.
    fn threads(&mut self, states: &[State], named: &[Named], gil: &Gil, threads: &mut Vec<Read>) {
        let place = |state: &State| {
            let place = named.iter().position(|one| one.ident == state.ident);
            (place.unwrap_or(usize::MAX), state.inner_id)
        };
        let mut states = states.to_vec();
        states.sort_by_key(place);
        for state in states {
            let named = named.iter().find(|one| one.ident == state.ident);
            let named = named.cloned().unwrap_or_default();
            threads.push(self.thread(state, named, gil));
        }
    }

    fn thread(&mut self, state: State, named: Named, gil: &Gil) -> Read {
        let mut stack = frames::stack_of(&self.objects, state.address, &mut self.codes);
        if self.locals == Locals::Read {
            for (frame, raw) in stack.frames.iter_mut().zip(&stack.raw) {
                frame.locals = locals::locals(&self.objects, raw);
            }
        }
        let inner_id = state.inner_id.or(named.inner_id);
        let kernel = inner_id.and_then(|id| self.kernel.remove(&id));
        let kernel = kernel.map(|thread| self.settled(thread, state, gil));
        let lock = kernel
            .as_ref()
            .and_then(|thread| thread.syscall.as_ref()?.lock_address());
        let waits_for_gil = lock.is_some_and(|address| gil.place.contains(&address));
        let thread = PythonThread {
            ident: state.ident,
            name: named.name,
            is_daemon: named.is_daemon,
            target: named.target,
            is_main: kernel
                .as_ref()
                .is_some_and(|thread| thread.native_id == self.pid),
            holds_gil: gil.is_known.then_some(gil.holder == Some(state.address)),
            waits_for_gil,
            waits_for_lock: None,
            is_deadlocked: false,
            frames: stack.frames,
            is_torn: stack.is_torn,
            is_cut: stack.is_cut,
            kernel,
        };
        Read {
            thread,
            raw: stack.raw,
            waits_at: lock.filter(|_| !waits_for_gil),
        }
    }

    /// A thread may be found running on its way into the next system call: who waits for the GIL wakes
    /// every 5 ms and looks for it, and an attach wakes a thread, too. One that does not have the GIL is
    /// looked at again.
    fn settled(&self, thread: KernelThread, state: State, gil: &Gil) -> KernelThread {
        const LOOKS: u32 = 5;
        const PAUSE: Duration = Duration::from_micros(300);
        if thread.state != 'R' || gil.holder == Some(state.address) || !gil.is_known {
            return thread;
        }
        let asleep = (0..LOOKS).find_map(|_| {
            std::thread::sleep(PAUSE);
            let again = thread.read_again(self.pid)?;
            (again.state != 'R').then_some(again)
        });
        asleep.unwrap_or(thread)
    }

    /// Finds the locks that threads wait for, and who has them.
    fn find_locks(&self, threads: &mut [Read]) {
        let mut locks = Locks::new(self.objects);
        let mut waits: BTreeMap<u64, LockWait> = threads
            .iter()
            .filter_map(|read| {
                let ident = read.thread.ident;
                let wait = locks.waited_for(ident, read.raw.first()?, read.waits_at?)?;
                Some((ident, wait))
            })
            .collect();
        let searched: Vec<_> = threads
            .iter()
            .map(|read| Searched {
                ident: read.thread.ident,
                frames: &read.raw,
            })
            .collect();
        locks.find_holders(&mut waits, &searched);
        let deadlocked = locks::deadlocked(&waits);
        for read in threads {
            let thread = &mut read.thread;
            thread.waits_for_lock = waits.get(&thread.ident).copied();
            thread.is_deadlocked = deadlocked.contains(&thread.ident);
        }
    }
}

/// A thread, and what its locks are found by.
struct Read {
    thread: PythonThread,
    raw: Vec<frames::RawFrame>,
    /// Where it waits, unless that is the GIL.
    waits_at: Option<u64>,
}

impl Gil {
    fn state(&self, is_free_threaded: bool) -> GilState {
        match self {
            Self {
                is_known: true,
                holder: Some(_),
                ..
            } => GilState::Held,
            Self { is_known: true, .. } => GilState::Free,
            _ if is_free_threaded => GilState::Absent,
            _ => GilState::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
