//! Who holds single objects of a live process, by name: from the graph of its heap.

use leakhunt_heap::{Dominators, ObjId, Paths, Snapshot};
use leakhunt_wire::Names;

use super::Scene;
use crate::capture::{Wish, capture};
use crate::rounds::LookEnd;
use crate::session::{Link, Session};

/// Who holds an object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held {
    /// From a root to it, as an expression where it can be one; empty where nothing leads to it.
    pub(crate) path: String,
    /// The nearest holder that is no builtin: its name; empty for none.
    pub(crate) holder: String,
    /// The package that owns the holder; empty where it is not known.
    pub(crate) package: String,
    /// What would go with it.
    pub(crate) retained_bytes: u64,
}

impl Held {
    /// Its path; `None` where nothing leads to it.
    pub(crate) fn known_path(&self) -> Option<&str> {
        known(&self.path)
    }

    /// Its holder; `None` where none has a name.
    pub(crate) fn known_holder(&self) -> Option<&str> {
        known(&self.holder)
    }

    /// The package of the holder; `None` where it is not known.
    pub(crate) fn known_package(&self) -> Option<&str> {
        known(&self.package)
    }
}

fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// The graph of a moment, to be asked for objects by address.
pub(crate) struct Holders {
    pub(crate) snapshot: Snapshot,
    paths: Paths,
    dominators: Dominators,
}

/// Takes the graph of the heap. Costs a capture: a pause as for any look, and time and memory by the
/// size of the heap.
///
/// # Errors
/// As [`capture`].
pub(crate) fn holders<L: Link>(
    session: &mut Session<L>,
    scene: &Scene<'_>,
) -> Result<Holders, LookEnd> {
    let wish = Wish {
        pid: scene.pid,
        names: Names::Small,
        collect: false,
        target: &scene.args.target,
    };
    let snapshot = capture(session, &wish, scene.memory, scene.output)?;
    Ok(Holders {
        paths: Paths::find(&snapshot),
        dominators: Dominators::of(&snapshot),
        snapshot,
    })
}

impl Holders {
    /// The object at an address, if one of this type is there: what has changed between two looks
    /// may have put another in its place.
    pub(crate) fn object(&self, address: u64, type_name: &str) -> Option<ObjId> {
        let object = self.snapshot.objects.at(address)?;
        (self.snapshot.type_of(object).key() == type_name).then_some(object)
    }

    /// Who holds an object.
    pub(crate) fn of(&self, object: ObjId) -> Held {
        let retained_bytes = self.dominators.retained_bytes(object);
        let Some(path) = self.paths.to(&self.snapshot, object) else {
            return Held {
                retained_bytes,
                ..Held::default()
            };
        };
        let holder = self.paths.holder(&self.snapshot, &path);
        let (holder, package) =
            holder.map_or_else(Default::default, |holder| (holder.name, holder.package));
        Held {
            path: path.expression,
            holder,
            package,
            retained_bytes,
        }
    }
}
