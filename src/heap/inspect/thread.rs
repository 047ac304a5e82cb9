//! Threads of `threading`: those that run and those that ended.

use super::Found;
use super::view::View;
use crate::attributes::{attribute, entries};
use crate::object_set::ObjectSet;

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let snapshot = view.snapshot;
    let registries = ["_active", "_limbo"].map(|name| view.global("threading", name));
    let ([Some(active), Some(limbo)], Some(yes)) = (registries, view.constant("True")) else {
        return;
    };
    let mut alive = ObjectSet::none(snapshot.n_objects());
    for registry in [active, limbo] {
        for (_, thread) in entries(snapshot, registry) {
            alive.add(thread);
        }
    }
    let foreign = view.types_deriving_from(&[("threading", "_DummyThread")]);
    for thread in view.instances_of(&[("threading", "Thread")]) {
        if alive.contains(thread) {
            // Of a thread that it did not start `threading` never learns the end.
            if !view.is_of(thread, &foreign) {
                found.not_leaking(thread, "running thread");
            }
            continue;
        }
        let started = attribute(snapshot, thread, "_started")
            .and_then(|event| attribute(snapshot, event, "_flag"));
        if started == Some(yes) && !view.is_in_hand(thread) {
            found.leaking(thread, "finished thread");
        }
    }
}
