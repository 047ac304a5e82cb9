//! Frames: those that run, and those that ended and that a traceback keeps.

use super::Found;
use super::exception;
use super::view::{View, is_builtin, is_frame_object};
use crate::attributes::field;
use crate::object_set::ObjectSet;
use crate::snapshot::{ObjectState, Type};

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let snapshot = view.snapshot;
    for frame in view.running_frames() {
        found.not_leaking(frame, "running frame");
    }
    let handled = exception::handled(view);
    let suspended = suspended(view);
    for traceback in view.objects_of(|of_type| is_builtin(of_type, "traceback")) {
        let frame = field(snapshot, traceback, "tb_frame");
        let Some(frame) = frame.filter(|_| !handled.contains(traceback)) else {
            continue;
        };
        if !view.is_running(frame) && !suspended.contains(frame) {
            found.leaking(frame, "frame that ended and that a traceback keeps");
        }
    }
}

/// Frame objects of generators that did not end.
fn suspended(view: &View<'_>) -> ObjectSet {
    let snapshot = view.snapshot;
    let mut frames = ObjectSet::none(snapshot.n_objects());
    for generator in view.objects_of(super::view::is_generator) {
        if snapshot.state_of(generator) == Some(ObjectState::Finished) {
            continue;
        }
        for (_, target) in snapshot.references_of(generator) {
            let of_type: &Type = snapshot.type_of(target);
            if is_frame_object(of_type) {
                frames.add(target);
            }
        }
    }
    frames
}
