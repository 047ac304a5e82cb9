//! Who has the GIL, and where it is.

use std::ops::Range;

use super::interpreters::State;
use super::layout::GilPlace;
use super::objects::Objects;

/// Length of a `_gil_runtime_state`, with its condition and its mutex: what a thread that wants the
/// GIL waits at is in it. 8 more in a free-threaded build.
const GIL_BYTES: u64 = 208;
/// Fields of it, in a build with the GIL.
const LAST_HOLDER: u64 = 8;
const LOCKED: u64 = 16;

/// The GIL of an interpreter; by default nothing is known of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Gil {
    /// Whether it is known who has it.
    pub(super) is_known: bool,
    /// The state of the thread that has it; `None` where nobody does.
    pub(super) holder: Option<u64>,
    /// Where it is.
    pub(super) place: Range<u64>,
}

/// The GIL of an interpreter with these threads, if it has one that is on.
pub(super) fn gil_of(
    objects: &Objects<'_>,
    runtime: u64,
    interpreter: u64,
    states: &[State],
) -> Gil {
    let found = match objects.layout.runtime.gil {
        GilPlace::Runtime {
            main_interpreter,
            holder_before,
            gil_before,
        } => {
            let expected = runtime + main_interpreter;
            main_pointer(objects, runtime, interpreter, expected).and_then(|pointer| {
                let holder = objects.word(pointer - holder_before)?;
                let gil = pointer - gil_before;
                Some((holder, gil))
            })
        }
        GilPlace::Interpreter { pointer } => of_interpreter(objects, interpreter + pointer),
    };
    let Some((holder, place)) = found else {
        return Gil::default();
    };
    let is_state = |address: u64| states.iter().any(|state| state.address == address);
    Gil {
        is_known: holder == 0 || is_state(holder),
        holder: Some(holder).filter(|&holder| is_state(holder)),
        place: place..place + GIL_BYTES,
    }
}

/// Where `gilstate` has its pointer to the main interpreter: what follows is a key that is in use.
fn main_pointer(
    objects: &Objects<'_>,
    runtime: u64,
    interpreter: u64,
    expected: u64,
) -> Option<u64> {
    /// From here on: before it there are the lists of interpreters.
    const FIRST: u64 = 256;
    const LAST: u64 = 2048;
    let is_it = |&place: &u64| {
        objects.word(place) == Some(interpreter) && objects.half(place + 8) == Some(1)
    };
    Some(expected).filter(is_it).or_else(|| {
        let mut places = (runtime + FIRST..runtime + LAST).step_by(8);
        places.find(is_it)
    })
}

/// The state of the thread that has it, and where it is.
fn of_interpreter(objects: &Objects<'_>, pointer: u64) -> Option<(u64, u64)> {
    let gil = objects.pointer(pointer).filter(|&gil| gil != 0)?;
    let before = if objects.layout.is_free_threaded {
        8
    } else {
        0
    };
    if objects.layout.is_free_threaded && objects.half(gil)? == 0 {
        return None;
    }
    let holder = match objects.half(gil + before + LOCKED)? {
        1 => objects.word(gil + before + LAST_HOLDER)?,
        0 => 0,
        _ => return None,
    };
    Some((holder, gil + before))
}
