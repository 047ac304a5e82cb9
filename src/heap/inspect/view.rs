//! A heap as inspectors ask about it.

use std::collections::HashMap;

use leakhunt_wire::TypeFlags;

use crate::attributes::{entries, entry, field};
use crate::object_set::ObjectSet;
use crate::snapshot::{LabelName, ObjId, ObjectState, RootKind, Snapshot, Type};

/// What several inspectors go by. Three bits an object.
pub(super) struct View<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// The modules in `sys.modules`, by name.
    modules: HashMap<&'s str, ObjId>,
    /// Frames of threads, and the frame objects of these.
    running_frames: ObjectSet,
    /// The same in the order of discovery.
    running: Vec<ObjId>,
    /// See [`View::is_in_hand`].
    in_hand: ObjectSet,
    /// See [`View::is_near_hand`].
    near_hand: ObjectSet,
}

impl<'s> View<'s> {
    pub(super) fn of(snapshot: &'s Snapshot) -> Self {
        let none = || ObjectSet::none(snapshot.n_objects());
        let mut view = Self {
            snapshot,
            modules: modules(snapshot),
            running_frames: none(),
            running: Vec::new(),
            in_hand: none(),
            near_hand: none(),
        };
        view.look_at_frames();
        view
    }

    /// All objects of types for which `is_wanted` holds.
    pub(super) fn objects_of(
        &self,
        is_wanted: fn(&Type) -> bool,
    ) -> impl Iterator<Item = ObjId> + use<'s> {
        let types = self.snapshot.types.iter();
        self.objects_with(types.map(is_wanted).collect())
    }

    /// All objects of the types that are marked.
    pub(super) fn objects_with(
        &self,
        is_wanted: Vec<bool>,
    ) -> impl Iterator<Item = ObjId> + use<'s> {
        let type_ids = &self.snapshot.objects.type_id;
        let has_any = is_wanted.contains(&true);
        let ids = if has_any { type_ids.len() } else { 0 };
        (0..ids as u32)
            .map(ObjId)
            .filter(move |object| is_wanted[type_ids[object.0 as usize].0 as usize])
    }

    /// The instances of some classes, given by module and qualified name, and of their subclasses.
    pub(super) fn instances_of(
        &self,
        classes: &[(&str, &str)],
    ) -> impl Iterator<Item = ObjId> + use<'s> {
        self.objects_with(self.types_deriving_from(classes))
    }

    /// Of each type, whether it is one of some classes or derives from one.
    pub(super) fn types_deriving_from(&self, classes: &[(&str, &str)]) -> Vec<bool> {
        let snapshot = self.snapshot;
        let is_named = |of_type: &Type| {
            let own = match &*of_type.module {
                "" => "builtins",
                module => module,
            };
            classes
                .iter()
                .any(|&(module, name)| own == module && of_type.qualname == name)
        };
        // A class without instances is no type of the snapshot's: it goes by its name in its module.
        let mut objects: Vec<ObjId> = classes
            .iter()
            .filter_map(|&(module, name)| self.global(module, name))
            .collect();
        let named = snapshot.types.iter().filter(|of_type| is_named(of_type));
        objects.extend(named.filter_map(|of_type| snapshot.objects.at(of_type.address)));
        let derives = |of_type: &Type| {
            let class = snapshot.objects.at(of_type.address);
            class.is_some_and(|class| self.bases(class).any(|base| objects.contains(&base)))
        };
        let is_one = |of_type: &Type| is_named(of_type) || !objects.is_empty() && derives(of_type);
        snapshot.types.iter().map(is_one).collect()
    }

    /// Whether the type of an object is marked, as [`View::types_deriving_from`] marks them.
    pub(super) fn is_of(&self, object: ObjId, types: &[bool]) -> bool {
        types[self.snapshot.objects.type_id[object.0 as usize].0 as usize]
    }

    /// What is in the `__mro__` of a class.
    pub(super) fn bases(&self, class: ObjId) -> impl Iterator<Item = ObjId> + use<'s> {
        let snapshot = self.snapshot;
        let order = field(snapshot, class, "__mro__");
        order
            .into_iter()
            .flat_map(|order| snapshot.references_of(order))
            .filter(|(label, _)| matches!(label.name(), LabelName::Item(_)))
            .map(|(_, base)| base)
    }

    /// The class of an object.
    pub(super) fn class_of(&self, object: ObjId) -> Option<ObjId> {
        let address = self.snapshot.type_of(object).address;
        self.snapshot.objects.at(address)
    }

    /// The modules in `sys.modules`.
    pub(super) fn modules(&self) -> Vec<ObjId> {
        let mut modules: Vec<_> = self.modules.values().copied().collect();
        modules.sort_unstable();
        modules
    }

    /// A global of a module that is imported.
    pub(super) fn global(&self, module: &str, name: &str) -> Option<ObjId> {
        let module = *self.modules.get(module)?;
        entry(
            self.snapshot,
            field(self.snapshot, module, "__dict__")?,
            name,
        )
    }

    /// `None`, `True` or `False`.
    pub(super) fn constant(&self, name: &str) -> Option<ObjId> {
        let roots = self.snapshot.roots.iter();
        let builtins = roots
            .filter(|root| root.kind == RootKind::Builtins)
            .find_map(|root| entry(self.snapshot, root.object, name));
        builtins.or_else(|| self.global("builtins", name))
    }

    /// Whether a frame runs, or waits for one that it called.
    pub(super) fn is_running(&self, frame: ObjId) -> bool {
        self.running_frames.contains(frame)
    }

    /// Whether a running frame, a suspended generator or coroutine, or the state of a thread refers to
    /// an object itself: it is somebody's variable, and may be in use.
    pub(super) fn is_in_hand(&self, object: ObjId) -> bool {
        self.in_hand.contains(object)
    }

    /// Whether it is in hand, or an entry of a container in hand.
    pub(super) fn is_near_hand(&self, object: ObjId) -> bool {
        self.is_in_hand(object) || self.near_hand.contains(object)
    }

    /// Frames of threads, and the frame objects of these.
    pub(super) fn running_frames(&self) -> impl Iterator<Item = ObjId> + '_ {
        self.running.iter().copied()
    }

    fn look_at_frames(&mut self) {
        let snapshot = self.snapshot;
        for root in &snapshot.roots {
            match root.kind {
                RootKind::Frame => self.add_frame(root.object),
                RootKind::Thread if root.text.ends_with("exception") => {
                    self.take_in_hand(root.object);
                }
                _ => {}
            }
        }
        for frame in self.objects_of(Type::is_frame) {
            self.add_frame(frame);
        }
        for generator in self.objects_of(is_generator) {
            if snapshot.state_of(generator) != Some(ObjectState::Finished) {
                self.take_references_in_hand(generator);
            }
        }
    }

    fn add_frame(&mut self, frame: ObjId) {
        if !self.running_frames.add(frame) {
            return;
        }
        self.running.push(frame);
        for (label, target) in self.snapshot.references_of(frame) {
            // Its own frame object, not one on its stack.
            let is_own = matches!(label.name(), LabelName::Internal(name)
                if self.snapshot.strings.get(name) == "frame object");
            let is_one = is_frame_object(self.snapshot.type_of(target));
            if is_own && is_one && self.running_frames.add(target) {
                self.running.push(target);
            }
        }
        self.take_references_in_hand(frame);
    }

    fn take_references_in_hand(&mut self, owner: ObjId) {
        for (label, target) in self.snapshot.references_of(owner) {
            if is_variable(self.snapshot, label.name()) {
                self.take_in_hand(target);
            }
        }
    }

    fn take_in_hand(&mut self, object: ObjId) {
        if !self.in_hand.add(object) {
            return;
        }
        let of_type = self.snapshot.type_of(object);
        // The variables of a generator up to 3.10, and what closures share.
        if is_frame_object(of_type) || is_builtin(of_type, "cell") {
            return self.take_references_in_hand(object);
        }
        let is_container = of_type.flags & (TypeFlags::LIST | TypeFlags::TUPLE) != 0
            || ["dict", "set", "frozenset"]
                .iter()
                .any(|name| is_builtin(of_type, name))
            || of_type.module == "collections";
        if is_container {
            for (_, target) in self.snapshot.references_of(object) {
                self.near_hand.add(target);
            }
        }
    }
}

/// Whether it is a type of generators, coroutines or asynchronous generators.
pub(super) fn is_generator(of_type: &Type) -> bool {
    ["generator", "coroutine", "async_generator"]
        .iter()
        .any(|name| is_builtin(of_type, name))
}

/// Whether it is the type of frame objects.
pub(super) fn is_frame_object(of_type: &Type) -> bool {
    is_builtin(of_type, "frame") && !of_type.is_frame()
}

/// Whether a type is this builtin itself.
pub(super) fn is_builtin(of_type: &Type, name: &str) -> bool {
    of_type.module.is_empty() && of_type.qualname == name
}

/// Whether a frame, a generator or a cell refers to something for it is a variable, a value that is
/// worked with, or an exception that is handled.
fn is_variable(snapshot: &Snapshot, label: LabelName) -> bool {
    let text = |text| snapshot.strings.get(text);
    match label {
        LabelName::Local(_) | LabelName::None => true,
        LabelName::Attribute(name) => text(name) == "cell_contents",
        LabelName::Internal(name) => {
            matches!(
                text(name),
                "local" | "stack" | "handled exception" | "frame"
            )
        }
        _ => false,
    }
}

fn modules(snapshot: &Snapshot) -> HashMap<&str, ObjId> {
    let roots = snapshot.roots.iter();
    roots
        .filter(|root| root.kind == RootKind::Modules)
        .flat_map(|root| entries(snapshot, root.object))
        .filter_map(|(key, module)| Some((snapshot.key_text(key)?, module)))
        .collect()
}
