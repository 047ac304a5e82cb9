//! A heap with one module, for tests of what objects are called and how they are held.

use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::{ObjId, RootKind};

/// `sys.modules` with a module of a shop.
pub(crate) struct Shop {
    pub(crate) heap: SnapshotBuilder,
    pub(crate) modules: ObjId,
    pub(crate) module: ObjId,
}

impl Shop {
    pub(crate) fn new(module: &str) -> Self {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let module = heap.module(modules, module);
        Self {
            heap,
            modules,
            module,
        }
    }

    /// An object of a type, which the module has under a name.
    pub(crate) fn global(&mut self, name: &str, type_name: &str) -> ObjId {
        let object = self.heap.object(type_name);
        self.heap.attribute(self.module, name, object);
        object
    }

    /// An object that another refers to.
    pub(crate) fn held(&mut self, by: ObjId, via: Via<'_>, type_name: &str) -> ObjId {
        let object = self.heap.object(type_name);
        self.heap.reference(by, via, object);
        object
    }
}
