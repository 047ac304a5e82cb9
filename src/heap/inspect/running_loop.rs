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
    for frame in view.running_frames() {
        for (label, target) in snapshot.references_of(frame) {
            let is_variable = matches!(label.name(), LabelName::Local(_) | LabelName::None);
            if is_variable && view.is_of(target, &types) {
                found.not_leaking(target, "running event loop");
            }
        }
    }
}
