//! Closed sockets.

use super::Found;
use super::view::View;
use crate::snapshot::ObjectState;

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    for socket in view.instances_of(&[("_socket", "socket")]) {
        let is_closed = view.snapshot.state_of(socket) == Some(ObjectState::Closed);
        if is_closed && !view.is_in_hand(socket) {
            found.leaking(socket, "closed socket");
        }
    }
}
