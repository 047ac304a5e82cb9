//! Exceptions that are kept with a traceback, which keeps frames and all their variables.

use super::Found;
use super::view::{View, is_builtin};
use crate::attributes::field;
use crate::object_set::ObjectSet;
use crate::snapshot::ObjId;

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let handled = handled(view);
    for exception in exceptions(view) {
        if !handled.contains(exception) {
            found.leaking(exception, "exception that is kept with its traceback");
        }
    }
}

/// Exceptions that have a traceback.
fn exceptions<'s>(view: &View<'s>) -> impl Iterator<Item = ObjId> + use<'s> {
    let snapshot = view.snapshot;
    view.instances_of(&[("builtins", "BaseException")])
        .filter(move |&exception| {
            field(snapshot, exception, "__traceback__")
                .is_some_and(|traceback| is_builtin(snapshot.type_of(traceback), "traceback"))
        })
}

/// Exceptions that somebody handles, what led to them, and their tracebacks.
pub(super) fn handled(view: &View<'_>) -> ObjectSet {
    let snapshot = view.snapshot;
    let mut handled = ObjectSet::none(snapshot.n_objects());
    let is_exception = view.types_deriving_from(&[("builtins", "BaseException")]);
    let traceback = |of_type: &crate::snapshot::Type| is_builtin(of_type, "traceback");
    let mut waiting: Vec<ObjId> = view
        .objects_with(is_exception)
        .chain(view.objects_of(traceback))
        .filter(|&object| view.is_in_hand(object))
        .collect();
    while let Some(object) = waiting.pop() {
        if !handled.add(object) {
            continue;
        }
        for name in ["__traceback__", "tb_next", "__context__", "__cause__"] {
            waiting.extend(field(snapshot, object, name));
        }
        if let Some(group) = field(snapshot, object, "exceptions") {
            waiting.extend(snapshot.references_of(group).map(|(_, member)| member));
        }
    }
    handled
}
