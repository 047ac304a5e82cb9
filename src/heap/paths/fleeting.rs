//! What refers to something only as long as it is at work.

use crate::attributes::{attribute, entry};
use crate::snapshot::{ObjId, RootKind, Snapshot, Type};

/// Where asyncio up to 3.13 has the task that runs just now, by its loop: from C, and from Python.
const CURRENT_TASKS: [&str; 2] = ["_asyncio", "asyncio.tasks"];

/// Tables whose entries are there for a step of the program and gone at the next. A path that leads
/// through one would be another at the next look.
pub(super) fn fleeting(snapshot: &Snapshot) -> Vec<ObjId> {
    let modules = snapshot
        .roots
        .iter()
        .filter(|root| root.kind == RootKind::Modules);
    modules
        .flat_map(|root| CURRENT_TASKS.map(|name| entry(snapshot, root.object, name)))
        .flatten()
        .filter_map(|module| attribute(snapshot, module, "_current_tasks"))
        .collect()
}

/// Whether the objects of a type are calls that an event loop is to make, at once or at some time: what
/// they lead to is held by another one after it, and mostly by the program as well.
pub(super) fn is_planned_call(of_type: &Type) -> bool {
    matches!(&*of_type.name, "Handle" | "TimerHandle")
        && matches!(
            &*of_type.module,
            "asyncio.events" | "uvloop.loop" | "uvloop"
        )
}
