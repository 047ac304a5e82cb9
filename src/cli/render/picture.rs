//! Objects and references as a picture.

pub(crate) mod dot;
pub(crate) mod json;
mod layout;
pub(crate) mod svg;
#[cfg(test)]
mod tests;

use leakhunt_heap::{GraphNode, GraphScope, ObjectGraph, Snapshot};

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    /// `who holds 3 of the 1,204 objects of shop.Template`.
    pub(crate) title: &'a str,
    /// The file that the objects are from.
    pub(crate) file: &'a str,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) graph: &'a ObjectGraph,
    pub(crate) scope: GraphScope,
}

impl Picture<'_> {
    fn address(&self, node: &GraphNode) -> u64 {
        self.snapshot.objects.address[node.object.0 as usize]
    }

    /// `12 more backreferences`.
    fn more_text(&self, n_more: usize) -> String {
        let what = match self.scope.direction {
            leakhunt_heap::Direction::Back => "backreference",
            leakhunt_heap::Direction::Forward => "reference",
        };
        let plural = if n_more == 1 { "" } else { "s" };
        format!("{n_more} more {what}{plural}")
    }
}
