//! In which order a search for paths takes its roots.

use crate::snapshot::{ObjId, RootKind, Snapshot};

/// A step of a search.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// A root: its index and its object.
    Root(u32, ObjId),
    /// To go on from what was reached, but for what is put off.
    SpreadPlainly,
    /// To go on from what was reached, and with what caches of results refer to.
    Spread,
}

impl Stage {
    /// Roots that say most come first. Of frames these are the oldest: those of the thread that was
    /// started first, and in each the outermost.
    pub(crate) fn all(snapshot: &Snapshot) -> impl Iterator<Item = Self> {
        let of_kind = |kind: RootKind| {
            let roots = (0..).zip(&snapshot.roots);
            let roots = roots.filter(move |(_, root)| root.kind == kind && !root.is_interned());
            roots.map(|(index, root)| Self::Root(index, root.object))
        };
        let at_once = move |kind| of_kind(kind).chain([Self::Spread]);
        // They are in a snapshot as the interpreter has them, the newest first.
        let frames: Vec<Self> = of_kind(RootKind::Frame).collect();
        let frames = frames
            .into_iter()
            .rev()
            .flat_map(|frame| [frame, Self::SpreadPlainly]);
        at_once(RootKind::Modules)
            .chain(at_once(RootKind::Builtins))
            .chain(frames)
            .chain([Self::Spread])
            .chain(at_once(RootKind::Thread))
            .chain(at_once(RootKind::Interpreter))
    }
}
