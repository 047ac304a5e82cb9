//! Modules that are imported: in use.

use super::Found;
use super::view::View;

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    for module in view.modules() {
        found.not_leaking(module, "imported module");
    }
}
