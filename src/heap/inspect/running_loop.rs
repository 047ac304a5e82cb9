//! Event loops that run.

use super::Found;
use super::view::View;
use crate::snapshot::LabelName;

const LOOPS: [(&str, &str); 3] = [
    ("asyncio.base_events", "BaseEventLoop"),
    ("uvloop.loop", "Loop"),
    ("uvloop", "Loop"),
];

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let types = view.types_deriving_from(&LOOPS);
    if !types.contains(&true) {
        return;
    }
    let snapshot = view.snapshot;
    let is_loop = |object: crate::snapshot::ObjId| {
        types[snapshot.objects.type_id[object.0 as usize].0 as usize]
    };
    for frame in view.running_frames() {
        for (label, target) in snapshot.references_of(frame) {
            let is_variable = matches!(label.name(), LabelName::Local(_) | LabelName::None);
            if is_variable && is_loop(target) {
                found.not_leaking(target, "running event loop");
            }
        }
    }
}
