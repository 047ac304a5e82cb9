//! The interpreters of a process, and their threads' states.

use super::layout::Layout;
use super::objects::{Objects, is_address};
use crate::kernel_threads::MOST_THREADS;

/// The most interpreters of a process that are looked at.
const MOST_INTERPRETERS: usize = 100;
/// How much of `_PyRuntime` is searched for what does not stand where it is expected.
const SEARCHED: u64 = 2048;

/// The state of a thread in an interpreter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct State {
    /// Where it is.
    pub(super) address: u64,
    pub(super) interpreter: u64,
    /// What `threading.get_ident()` answers in it.
    pub(super) ident: u64,
    /// The number that it has for itself; `None` where that is not known.
    pub(super) inner_id: Option<u32>,
}

/// All interpreters, the newest first. Empty where none is: before the start or behind the end.
pub(super) fn interpreters(objects: &Objects<'_>, runtime: u64) -> Vec<u64> {
    let at = &objects.layout.runtime;
    let is_one = |address: u64| is_interpreter(objects, address);
    let expected = objects.word(runtime + at.interpreters);
    // The first versions of a minor one may have it elsewhere.
    let head = expected
        .filter(|&address| is_one(address))
        .or_else(|| search(objects, runtime, is_one));
    let mut found = Vec::new();
    let mut next = head;
    while let Some(interpreter) = next.filter(|&address| is_one(address)) {
        if found.len() == MOST_INTERPRETERS || found.contains(&interpreter) {
            break;
        }
        found.push(interpreter);
        next = objects.pointer(interpreter + at.next_interpreter);
    }
    found
}

fn search(objects: &Objects<'_>, runtime: u64, is_meant: impl Fn(u64) -> bool) -> Option<u64> {
    let words = objects.words(runtime, SEARCHED / 8)?;
    words.into_iter().find(|&word| is_meant(word))
}

/// Whether its newest thread says that it belongs there.
fn is_interpreter(objects: &Objects<'_>, address: u64) -> bool {
    let owner = || {
        let thread = objects.pointer(address + objects.layout.runtime.threads)?;
        objects.word(thread + OWNER)
    };
    is_address(address) && address != 0 && address.is_multiple_of(8) && owner() == Some(address)
}

// `prev`, `next` and `interp` are the first fields in all versions.
const NEXT: u64 = 8;
const OWNER: u64 = 16;

/// The states of an interpreter's threads, the newest first.
pub(super) fn states(objects: &Objects<'_>, interpreter: u64) -> Vec<State> {
    let Layout {
        runtime, thread, ..
    } = objects.layout;
    let mut states: Vec<State> = Vec::new();
    let mut next = objects.pointer(interpreter + runtime.threads);
    while let Some(address) = next.filter(|&address| address != 0 && address.is_multiple_of(8)) {
        let is_its_own = objects.word(address + OWNER) == Some(interpreter);
        if !is_its_own || states.len() == MOST_THREADS {
            break;
        }
        if let Some(ident) = objects.word(address + thread.thread_id as u64) {
            states.push(State {
                address,
                interpreter,
                ident,
                inner_id: inner_id(objects, address, ident),
            });
        }
        next = objects.pointer(address + NEXT);
    }
    states
}

fn inner_id(objects: &Objects<'_>, state: u64, ident: u64) -> Option<u32> {
    const HIGHEST: u64 = 1 << 22;
    let id = match objects.layout.thread.native_id {
        Some(offset) => objects.word(state + offset as u64)?,
        None => {
            let place = ident.checked_add(leakhunt_wire::ThreadState::NATIVE_ID_IN_GLIBC as u64)?;
            objects.half(place)?.into()
        }
    };
    (1..=HIGHEST)
        .contains(&id)
        .then(|| u32::try_from(id).ok())
        .flatten()
}
