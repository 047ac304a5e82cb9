//! Looks for tests of renderers.

use time::OffsetDateTime;

use crate::args::InventoryFormat;
use crate::commands::inventory::{How, Listed, Listing};

/// A whole table, without colours.
pub(in crate::render) const HOW: How = How {
    format: InventoryFormat::Table,
    limit: 0,
    color: false,
    width: None,
};

/// The only look, in which nothing is new or missing.
pub(in crate::render) fn first_look<T>(items: impl IntoIterator<Item = T>) -> Listing<T> {
    let items = items.into_iter().map(|item| Listed {
        item,
        is_new: false,
    });
    let items: Vec<Listed<T>> = items.collect();
    Listing {
        pid: 4121,
        time: OffsetDateTime::UNIX_EPOCH,
        look: 1,
        is_repeated: false,
        n_items: items.len(),
        items,
        groups: Vec::new(),
        n_gone: 0,
        missing: Vec::new(),
        pause_us: 3000,
    }
}
