//! How an object is held: the shortest path to it from a root, printed so that a person can type it.

mod at_exit;
mod classes;
mod fleeting;
mod holder;
mod label;
mod print;
mod search;
mod spoken;
mod stage;
mod stdlib;

use leakhunt_wire::TypeFlags;

use crate::functions::{FunctionName, Functions};
use crate::reach::{held_from_outside, static_types};
use crate::snapshot::{Label, LabelName, ObjId, RootKind, Snapshot};
use classes::Classes;
pub(crate) use search::{Search, reference};
pub(crate) use stage::Stage;

pub use holder::Holder;
pub(crate) use label::{Part, StepLabel};
pub(crate) use print::is_identifier;
pub use stdlib::is_stdlib;
pub(crate) use stdlib::package;

/// The most objects of a path that are shown. Chains of a million links are common leaks, nobody types
/// such a path, and Python reads no expression that is nested much deeper.
pub(crate) const MOST_STEPS: usize = 100;

/// The shortest paths to all objects that something alive refers to. 9 bytes an object.
#[derive(Debug)]
pub struct Paths {
    search: Search,
    classes: Classes,
    functions: Functions,
}

/// How an object is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The path as Python code, or as near to it as can be.
    pub expression: String,
    /// Whether the expression, with `import sys` before it, evaluates to this very object.
    pub is_evaluable: bool,
    /// Where it starts.
    pub root: PathRoot,
    /// From the root's object to this one; the first is the root's object itself. Of a very long path
    /// those before the last are left out, from the middle on.
    pub steps: Vec<PathStep>,
}

/// Where a path starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathRoot {
    /// `sys.modules`.
    Modules,
    /// The `dict` of the module `builtins`.
    Builtins,
    /// A running frame of a thread, by its native id.
    Frame {
        /// The function's qualified name.
        function: String,
        /// The thread.
        thread: u64,
    },
    /// A field of the interpreter's state.
    Interpreter {
        /// The field.
        field: String,
    },
    /// A field of the state of a thread, by its native id.
    Thread {
        /// The field.
        field: String,
        /// The thread.
        thread: u64,
    },
    /// A type that was not made in dynamic memory.
    StaticType,
    /// Something that is no object of the snapshot: native code, or it is never freed.
    Outside,
}

/// One object of a path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathStep {
    /// The object.
    pub object: ObjId,
    /// What the object before refers to it for; [`Label`] of no name for the first.
    pub label: Label,
    /// The path up to here. Empty where the step is but a part of the next, as `__dict__` is.
    pub expression: String,
    /// What people call it: `shop.cache.RENDER_CACHE`, `cell 'calls' of shop.price()`.
    pub name: String,
    /// See [`Path::is_evaluable`].
    pub is_evaluable: bool,
}

impl Path {
    /// What people call the object.
    fn name(&self) -> &str {
        self.steps.last().map_or("", |step| &step.name)
    }

    /// The module that it starts with, where it does.
    pub(crate) fn module(&self) -> Option<ObjId> {
        let step = self.steps.get(1)?;
        (self.root == PathRoot::Modules).then_some(step.object)
    }
}

impl Paths {
    /// Searches from all roots. Where several paths lead to an object, one from `sys.modules` is taken
    /// before one from a running frame, that before one from another root, and one from outside only
    /// where there is no other; of those from frames one from the oldest, which is not gone at the next
    /// look, as that of a request is; of those of one kind, or from one frame, the shortest, and those
    /// through caches, `__mro__` and such at last. `O(V + E)`.
    pub fn find(snapshot: &Snapshot) -> Self {
        let mut search = Search::new(snapshot);
        for stage in Stage::all(snapshot) {
            match stage {
                Stage::Root(index, object) => search.start(object, index),
                Stage::Spread => search.spread(snapshot),
                Stage::SpreadPlainly => search.spread_plainly(snapshot),
            }
        }
        search.spread_on_byways(snapshot);
        for class in static_types(snapshot) {
            search.start(class, Search::STATIC_TYPE);
        }
        search.spread(snapshot);
        search.spread_on_byways(snapshot);
        for object in held_from_outside(snapshot) {
            search.start(object, Search::OUTSIDE);
        }
        search.spread(snapshot);
        search.spread_on_byways(snapshot);
        Self::of_search(search, snapshot)
    }

    /// The paths that a search found.
    pub(crate) fn of_search(search: Search, snapshot: &Snapshot) -> Self {
        Self {
            search,
            classes: Classes::of(snapshot),
            functions: Functions::of(snapshot),
        }
    }

    /// Who refers to an object on its path; `None` for roots and garbage.
    pub(crate) fn parent(&self, object: ObjId) -> Option<ObjId> {
        self.search.parent(object)
    }

    /// See [`Search::label_to`].
    pub(crate) fn label_to(&self, snapshot: &Snapshot, object: ObjId) -> Option<Label> {
        self.search.label_to(snapshot, object)
    }

    /// See [`Search::is_weak`].
    pub(crate) fn is_weak(&self, snapshot: &Snapshot, object: ObjId) -> bool {
        self.search.is_weak(snapshot, object)
    }

    /// The path to an object; `None` for garbage.
    pub fn to(&self, snapshot: &Snapshot, object: ObjId) -> Option<Path> {
        let (root, mut steps) = self.objects_to(snapshot, object)?;
        let is_cut = steps.len() > MOST_STEPS;
        if is_cut {
            steps.drain(MOST_STEPS - 1..steps.len() - 1);
        }
        Some(print::path(self, snapshot, root, &steps, is_cut))
    }

    /// Who is to blame: see [`Holder`]. `None` where nobody on the path is known by a name.
    pub fn holder(&self, snapshot: &Snapshot, path: &Path) -> Option<Holder> {
        holder::of(self, snapshot, path)
    }

    /// The holder of what a step of a path holds.
    pub(crate) fn holder_at(
        &self,
        snapshot: &Snapshot,
        path: &Path,
        step: usize,
    ) -> Option<Holder> {
        holder::at(self, snapshot, path, step)
    }

    /// See [`Functions::package_of`].
    pub(crate) fn package_of<'m>(&self, module: &'m str) -> &'m str {
        self.functions.package_of(module)
    }

    /// The name of the class that an object is, if it is one.
    pub(crate) fn class_name(&self, snapshot: &Snapshot, object: ObjId) -> Option<String> {
        let class = self.classes.type_id(object)?;
        Some(snapshot.types[class.0 as usize].key())
    }

    /// What a function that waits to go on is called.
    pub(crate) fn suspended(&self, snapshot: &Snapshot, object: ObjId) -> Option<FunctionName> {
        let is_suspended = spoken::is_suspended(snapshot.type_of(object));
        is_suspended.then(|| self.functions.name_of(snapshot, object))?
    }

    /// What a function, a method or a `functools.partial` is called.
    pub(crate) fn callable(&self, snapshot: &Snapshot, object: ObjId) -> Option<FunctionName> {
        let is_callable =
            ["function", "method", "functools.partial"].contains(&&*snapshot.type_of(object).key());
        is_callable.then(|| self.functions.name_of(snapshot, object))?
    }

    /// Whether something alive refers to an object.
    pub fn is_reached(&self, object: ObjId) -> bool {
        self.search.is_reached(object)
    }

    /// The root and the objects on the way, each with the label of the reference to it.
    fn objects_to(
        &self,
        snapshot: &Snapshot,
        object: ObjId,
    ) -> Option<(PathRoot, Vec<(Label, ObjId)>)> {
        let (root, steps) = self.search.steps_to(snapshot, object)?;
        Some((path_root(snapshot, root), steps))
    }

    /// The last step of the path to an object; `None` for garbage.
    pub(crate) fn arrival(&self, snapshot: &Snapshot, object: ObjId) -> Option<Arrival> {
        Some(match self.search.arrival(object)? {
            Ok(root) => Arrival::Root(path_root(snapshot, root)),
            Err((from, via)) => {
                let (label, _) = search::reference(snapshot, from, via)?;
                // That to the key of an entry comes before that to its value.
                let before = via
                    .checked_sub(1)
                    .and_then(|before| search::reference(snapshot, from, before));
                let key = match (label.name(), before) {
                    (LabelName::Value(place), Some((before, key))) => {
                        (before.name() == LabelName::Key(place)).then_some(key)
                    }
                    _ => None,
                };
                Arrival::Reference { from, label, key }
            }
        })
    }
}

/// The last step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arrival {
    /// The object is a root.
    Root(PathRoot),
    /// Another object refers to it.
    Reference {
        /// Which.
        from: ObjId,
        /// What for.
        label: Label,
        /// Of the value of an entry its key.
        key: Option<ObjId>,
    },
}

/// What the index of a root in a [`Search`] stands for.
fn path_root(snapshot: &Snapshot, root: u32) -> PathRoot {
    match snapshot.roots.get(root as usize) {
        _ if root == Search::STATIC_TYPE => PathRoot::StaticType,
        None => PathRoot::Outside,
        Some(root) => match root.kind {
            RootKind::Modules => PathRoot::Modules,
            RootKind::Builtins => PathRoot::Builtins,
            RootKind::Frame => PathRoot::Frame {
                function: root.text.clone(),
                thread: root.thread,
            },
            RootKind::Interpreter => PathRoot::Interpreter {
                field: root.text.clone(),
            },
            RootKind::Thread => PathRoot::Thread {
                field: root.text.clone(),
                thread: root.thread,
            },
        },
    }
}

/// Whether an object is a class.
fn is_class(snapshot: &Snapshot, object: ObjId) -> bool {
    snapshot.type_of(object).flags & TypeFlags::TYPE != 0
}

/// Whether an object is a module.
pub(crate) fn is_module(snapshot: &Snapshot, object: ObjId) -> bool {
    is_exact(snapshot, object, "module")
}

/// Whether the type of an object is this builtin itself.
fn is_exact(snapshot: &Snapshot, object: ObjId, builtin: &str) -> bool {
    let of_type = snapshot.type_of(object);
    of_type.qualname == builtin && of_type.flags & TypeFlags::PYTHON == 0
}

#[cfg(test)]
mod tests;
