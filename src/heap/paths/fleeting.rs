//! What refers to something only as long as it is at work.

use rustc_hash::FxHashMap;

use crate::attributes::{attribute, entries, entry};
use crate::snapshot::{ObjId, RootKind, Snapshot, Type};

/// Where asyncio up to 3.13 has the task that runs just now, by its loop: from C, and from Python.
const CURRENT_TASKS: [&str; 2] = ["_asyncio", "asyncio.tasks"];

/// What a thread is to run, and with what.
const CALL_OF_THREAD: [&str; 3] = ["_target", "_args", "_kwargs"];

/// Objects whose references are there for a step of the program and gone at the next: tables of what
/// runs just now, and what a thread was started with, which its frames show as well, and which is gone
/// with the thread that serves one request. A path that leads through one would be another at the next
/// look.
///
/// What a thread was started with comes with the thread, as it may be there for others, too.
pub(super) fn fleeting(snapshot: &Snapshot) -> FxHashMap<ObjId, Option<ObjId>> {
    let modules = snapshot
        .roots
        .iter()
        .filter(|root| root.kind == RootKind::Modules)
        .map(|root| root.object);
    let mut found = FxHashMap::default();
    for modules in modules {
        let table = |module: &str, name| {
            let module = entry(snapshot, modules, module)?;
            attribute(snapshot, module, name)
        };
        let starting = table("threading", "_limbo");
        let current = CURRENT_TASKS.map(|module| table(module, "_current_tasks"));
        let tables = current.into_iter().chain([starting]).flatten();
        found.extend(tables.map(|table| (table, None)));
        let of_threads = table("threading", "_active").into_iter().chain(starting);
        for (_, thread) in of_threads.flat_map(|table| entries(snapshot, table)) {
            let call = CALL_OF_THREAD.map(|name| attribute(snapshot, thread, name));
            found.extend(call.into_iter().flatten().map(|part| (part, Some(thread))));
        }
    }
    found
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
