//! Threads by what they run.

use std::collections::BTreeSet;

use super::{Group, grouped};
use crate::attributes::{attribute, entries, entry};
use crate::functions::{FunctionName, Functions};
use crate::paths::package;
use crate::snapshot::{ObjId, Snapshot};

/// The `threading.Thread`s that run, and what the kernel knows beside them: threads of native code.
pub(super) fn groups(snapshot: &Snapshot, kernel: &[(u64, String)]) -> Vec<Group> {
    let functions = Functions::of(snapshot);
    let running = running(snapshot, &functions);
    let of_python = running
        .iter()
        .map(|&thread| group_of(snapshot, &functions, thread));
    // The ids are the target's own: in another namespace the kernel tells others.
    let with_state: BTreeSet<u64> = snapshot
        .roots
        .iter()
        .map(|root| root.thread)
        .filter(|&id| id != 0)
        .collect();
    let is_same_namespace = kernel.iter().any(|(id, _)| with_state.contains(id));
    let native = kernel
        .iter()
        .filter(|(id, _)| is_same_namespace && !with_state.contains(id))
        .map(|(_, name)| Group {
            name: format!("native threads {}", super::descriptors::masked(name)),
            n: 1,
            ..Group::default()
        });
    grouped(of_python.chain(native))
}

/// The threads in `threading._active`, which the main thread always is among.
fn running(snapshot: &Snapshot, functions: &Functions) -> Vec<ObjId> {
    let threading = functions.globals_of("threading");
    let active = threading.and_then(|globals| entry(snapshot, globals, "_active"));
    active.map_or_else(Vec::new, |active| {
        entries(snapshot, active)
            .map(|(_, thread)| thread)
            .collect()
    })
}

fn group_of(snapshot: &Snapshot, functions: &Functions, thread: ObjId) -> Group {
    let class = snapshot.type_of(thread);
    let target = attribute(snapshot, thread, "_target")
        .and_then(|target| functions.name_of(snapshot, target));
    let (name, module) = match target {
        Some(FunctionName { module, name }) if module.is_empty() => {
            (format!("threads of {name}()"), module)
        }
        Some(FunctionName { module, name }) => (format!("threads of {name}() in {module}"), module),
        None => (
            format!("threads of class {}", class.key()),
            class.module.clone(),
        ),
    };
    Group {
        package: package(&module).to_owned(),
        name,
        n: 1,
        ..Group::default()
    }
}
