//! Generators and coroutines: those that ended, and coroutines that nobody awaits.

use super::Found;
use super::view::{View, is_builtin, is_generator};
use crate::object_set::ObjectSet;
use crate::snapshot::{ObjId, ObjectState};

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let scheduled = scheduled(view);
    for object in view.objects_of(is_generator) {
        let of_type = view.snapshot.type_of(object);
        let is_coroutine = is_builtin(of_type, "coroutine");
        match view.snapshot.state_of(object) {
            Some(ObjectState::Running) => found.not_leaking(object, "it runs"),
            Some(ObjectState::Finished) if !view.is_in_hand(object) => {
                found.leaking(object, ended(&of_type.name));
            }
            // A generator may be kept to be iterated over later, a coroutine is awaited at once or
            // made a task.
            Some(ObjectState::Created)
                if is_coroutine && !scheduled.contains(object) && !view.is_near_hand(object) =>
            {
                found.leaking(object, "coroutine that was never awaited");
            }
            _ => {}
        }
    }
}

fn ended(type_name: &str) -> &'static str {
    match type_name {
        "coroutine" => "finished coroutine",
        "generator" => "exhausted or closed generator",
        _ => "exhausted or closed asynchronous generator",
    }
}

/// What tasks refer to themselves: their coroutines, which may wait for the loop to start them.
fn scheduled(view: &View<'_>) -> ObjectSet {
    let mut scheduled = ObjectSet::none(view.snapshot.n_objects());
    let tasks = view.objects_with(super::future::types_of_futures(view));
    let mut add_targets = |owner: ObjId| {
        for (_, target) in view.snapshot.references_of(owner) {
            scheduled.add(target);
        }
    };
    for task in tasks {
        add_targets(task);
        // A task in Python code that made its `__dict__`.
        let dict = crate::attributes::field(view.snapshot, task, "__dict__");
        dict.into_iter().for_each(&mut add_targets);
    }
    scheduled
}
