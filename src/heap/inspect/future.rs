//! Tasks and Futures that are done, asyncio's and those of executors.

use super::Found;
use super::view::View;
use crate::attributes::attribute;
use crate::snapshot::{ObjId, ObjectState};

/// Classes of asyncio, in C and in Python; all tasks derive from one of the futures in Python.
const ASYNCIO: [(&str, &str); 3] = [
    ("_asyncio", "Future"),
    ("_asyncio", "Task"),
    ("asyncio.futures", "_PyFuture"),
];
const EXECUTOR: (&str, &str) = ("concurrent.futures._base", "Future");

/// Where the constants are that `_state` of a class in Python code is one of, and what they say.
const STATES: [(&str, &str, ObjectState); 6] = [
    ("asyncio.base_futures", "_FINISHED", ObjectState::Finished),
    ("asyncio.base_futures", "_CANCELLED", ObjectState::Cancelled),
    (
        "concurrent.futures._base",
        "FINISHED",
        ObjectState::Finished,
    ),
    (
        "concurrent.futures._base",
        "CANCELLED",
        ObjectState::Cancelled,
    ),
    (
        "concurrent.futures._base",
        "CANCELLED_AND_NOTIFIED",
        ObjectState::Cancelled,
    ),
    ("asyncio.base_futures", "_PENDING", ObjectState::Pending),
];

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let constants: Vec<(ObjId, ObjectState)> = STATES
        .iter()
        .filter_map(|&(module, name, state)| Some((view.global(module, name)?, state)))
        .collect();
    let tasks = view.types_deriving_from(&[
        ("_asyncio", "Task"),
        ("asyncio.tasks", "_PyTask"),
        ("asyncio.tasks", "Task"),
    ]);
    let state_of = |object| {
        view.snapshot.state_of(object).or_else(|| {
            let value = attribute(view.snapshot, object, "_state")?;
            let known = constants.iter().find(|&&(constant, _)| constant == value)?;
            Some(known.1)
        })
    };
    for object in view.objects_with(types_of_futures(view)) {
        let reason = match (state_of(object), view.is_of(object, &tasks)) {
            (Some(ObjectState::Finished), true) => "finished task",
            (Some(ObjectState::Finished), false) => "finished future",
            (Some(ObjectState::Cancelled), true) => "cancelled task",
            (Some(ObjectState::Cancelled), false) => "cancelled future",
            _ => continue,
        };
        if !view.is_in_hand(object) {
            found.leaking(object, reason);
        }
    }
}

/// Of each type, whether its objects are Tasks or Futures.
pub(super) fn types_of_futures(view: &View<'_>) -> Vec<bool> {
    let [future, task, in_python] = ASYNCIO;
    view.types_deriving_from(&[
        future,
        task,
        in_python,
        ("asyncio.futures", "Future"),
        EXECUTOR,
    ])
}
