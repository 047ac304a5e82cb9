//! The threads of a live process: what the kernel, the process's memory and a probe in its copy tell of
//! them, put together.

mod from_outside;
mod from_probe;
mod source_lines;
mod traceback;

use std::time::Duration;

use leakhunt_attach::{GilState, LockKind};
use serde::{Deserialize, Serialize};

pub(crate) use from_outside::from_outside;
pub(crate) use from_probe::told;
pub(crate) use source_lines::SourceLines;
pub(crate) use traceback::format_stack;

/// The threads of a process at about one moment.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// `3.12.1`; `None` where it is not known.
    pub(crate) python: Option<String>,
    pub(crate) gil: GilState,
    pub(crate) source: Source,
    /// Those of Python in the order of `threading.enumerate()`, then those of native code.
    pub(crate) threads: Vec<Thread>,
    /// How many of native code there are, shown or not.
    pub(crate) n_native: usize,
}

/// Where the stacks come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// A copy that was made under the GIL: all of one moment.
    Agent,
    /// The memory of the process while it ran on.
    Outside,
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thread {
    /// `threading.get_ident()` in it; `None` for one of native code.
    pub(crate) ident: Option<u64>,
    /// The number that the kernel has for it, as leakhunt sees it.
    pub(crate) native_id: Option<u32>,
    /// `Thread.name`; `None` for one that `threading` does not know.
    pub(crate) name: Option<String>,
    /// The name that the kernel has.
    pub(crate) comm: Option<String>,
    pub(crate) is_daemon: Option<bool>,
    pub(crate) is_main: bool,
    /// What it was started with, or what a `threading.Timer` will call.
    pub(crate) target: Option<String>,
    /// Where it was made, innermost last; empty unless `tracemalloc` is on.
    pub(crate) made_at: Vec<Place>,
    /// Since its start; `None` where the kernel does not tell.
    pub(crate) age: Option<Duration>,
    /// As the kernel tells it: `R`, `S`, `D`, `T`.
    pub(crate) state: Option<char>,
    pub(crate) user_time: Duration,
    pub(crate) system_time: Duration,
    pub(crate) wait: Wait,
    /// The system call that it is in, by name or number.
    pub(crate) syscall: Option<String>,
    /// `None` where there is no GIL or nothing is known of it.
    pub(crate) holds_gil: Option<bool>,
    pub(crate) lock: Option<Lock>,
    /// It and others wait for each other in a ring.
    pub(crate) is_deadlocked: bool,
    /// Newest first.
    pub(crate) frames: Vec<Frame>,
    /// Frames of different moments may be mixed.
    pub(crate) is_torn: bool,
    /// There are more frames.
    pub(crate) is_cut: bool,
}

/// A line of a file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// What a thread waits for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Wait {
    /// The kernel does not tell.
    #[default]
    Unknown,
    /// It runs, or is about to.
    Nothing,
    /// The GIL.
    Gil,
    /// A lock or condition, of Python or of C.
    Lock,
    /// Any of several descriptors.
    Poll,
    /// Time to pass, or a signal.
    Sleep,
    /// A system call that does something else.
    Call,
    /// To go on after a signal such as SIGSTOP, or a debugger.
    Stopped,
}

/// A lock of `threading`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lock {
    pub(crate) address: u64,
    pub(crate) kind: LockKind,
    /// The ident of the thread that has it; `None` where that is not known.
    pub(crate) holder: Option<u64>,
}

/// A call that has not returned.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) file: String,
    pub(crate) line: Option<u32>,
    /// `co_name`.
    pub(crate) name: String,
    /// `co_qualname`, from 3.11.
    pub(crate) qualified_name: Option<String>,
    /// The source line without blanks at its ends, as the target's `traceback` has it; `None` where it was
    /// not asked.
    pub(crate) source: Option<String>,
    /// Names and short values.
    pub(crate) locals: Vec<(String, String)>,
}

impl Thread {
    /// Whether it runs no Python code.
    pub(crate) fn is_native(&self) -> bool {
        self.ident.is_none()
    }

    /// What it is called: by `threading`, else by the kernel.
    pub(crate) fn label(&self) -> &str {
        let name = self.name.as_deref().or(self.comm.as_deref());
        name.unwrap_or("?")
    }

    /// What it is counted under: those that were started with one function grow together.
    pub(crate) fn group(&self) -> String {
        match &self.target {
            Some(target) => target.clone(),
            None if self.is_main => "main thread".to_owned(),
            None if self.is_native() => format!("native {}", without_numbers(self.label())),
            None => format!("threads named {}", without_numbers(self.label())),
        }
    }

    pub(crate) fn cpu_time(&self) -> Duration {
        self.user_time + self.system_time
    }
}

impl Frame {
    /// The qualified name where there is one.
    pub(crate) fn function(&self) -> &str {
        self.qualified_name.as_deref().unwrap_or(&self.name)
    }
}

impl Wait {
    /// The word for it in JSON.
    pub(crate) fn key(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Nothing => Some("nothing"),
            Self::Gil => Some("gil"),
            Self::Lock => Some("lock"),
            Self::Poll => Some("poll"),
            Self::Sleep => Some("sleep"),
            Self::Call => Some("call"),
            Self::Stopped => Some("stopped"),
        }
    }
}

/// A name in which each number is a `N`, so that those of a pool are one.
fn without_numbers(name: &str) -> String {
    let mut masked = String::with_capacity(name.len());
    let mut is_in_number = false;
    for character in name.chars() {
        let is_digit = character.is_ascii_digit();
        if !is_digit {
            masked.push(character);
        } else if !is_in_number {
            masked.push('N');
        }
        is_in_number = is_digit;
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted_by_what_they_were_started_with() {
        let thread = |name: &str, target: Option<&str>| Thread {
            ident: Some(7),
            name: Some(name.to_owned()),
            target: target.map(str::to_owned),
            ..Thread::default()
        };
        assert_eq!(thread("w-1", Some("shop.work")).group(), "shop.work");
        assert_eq!(
            thread("Dummy-12 (3)", None).group(),
            "threads named Dummy-N (N)"
        );
        let native = Thread {
            comm: Some("tokio-rt-11".to_owned()),
            ..Thread::default()
        };
        assert_eq!(native.group(), "native tokio-rt-N");
    }
}
