//! The file that an object comes from, as `inspect.getabsfile` finds it, without its help.

use leakhunt_wire::Capi;

use crate::dicts::{self, Text};
use crate::heap::Heap;
use crate::memory::Memory;
use crate::types::TypeName;

/// `Py_TPFLAGS_TYPE_SUBCLASS`: the objects of such a type are classes.
const TYPE_SUBCLASS: usize = 1 << 31;

/// The name of the file; `None` for what has none. `modules` is `sys.modules`.
pub(crate) fn of<'h>(
    heap: &'h Heap,
    memory: Memory,
    modules: usize,
    object: usize,
) -> Option<Text<'h>> {
    let finder = Finder { heap, memory };
    let file = if finder.is_class(object) {
        finder.of_class(modules, object)
    } else if finder.is_a(object, Capi::PyModule_Type) {
        finder.of_module(object)
    } else {
        let code = finder.code(object)?;
        memory.word(code + finder.filename()?)
    };
    (file != 0 && finder.is_a(file, Capi::PyUnicode_Type))
        .then(|| Text::of(&heap.layout, memory, file))
}

struct Finder<'h> {
    heap: &'h Heap,
    memory: Memory,
}

impl Finder<'_> {
    fn is_a(&self, object: usize, symbol: Capi) -> bool {
        object != 0
            && self.heap.layout.type_of(self.memory, object) == self.heap.capi.address(symbol)
    }

    fn is_class(&self, object: usize) -> bool {
        let layout = &self.heap.layout;
        let type_object = layout.type_of(self.memory, object);
        layout.flags(self.memory, type_object) & TYPE_SUBCLASS != 0
    }

    fn of_class(&self, modules: usize, class: usize) -> usize {
        let (layout, capi) = (&self.heap.layout, &self.heap.capi);
        let name = TypeName::of(layout, self.memory, capi, class);
        let module = self.get(modules, name.module().as_bytes());
        if self.is_a(module, Capi::PyModule_Type) {
            self.of_module(module)
        } else {
            0
        }
    }

    fn of_module(&self, module: usize) -> usize {
        let dict = self.memory.word(module + self.heap.layout.header);
        self.get(dict, b"__file__")
    }

    fn get(&self, dict: usize, key: &[u8]) -> usize {
        if !self.is_a(dict, Capi::PyDict_Type) {
            return 0;
        }
        let str_type = self.heap.capi.address(Capi::PyUnicode_Type);
        dicts::get(&self.heap.layout, self.memory, dict, str_type, key)
    }

    /// The code that a function, a method, a traceback or a frame runs, or the object itself.
    fn code(&self, object: usize) -> Option<usize> {
        let layout = &self.heap.layout;
        let field = |object: usize, offset: usize| self.memory.word(object + offset);
        let mut at = object;
        // A method of a method of … is not made by hand.
        const MOST_STEPS: usize = 4;
        for _ in 0..MOST_STEPS {
            at = if self.is_a(at, Capi::PyCode_Type) {
                return Some(at);
            } else if self.is_a(at, Capi::PyMethod_Type) {
                field(at, layout.header)
            } else if self.is_a(at, Capi::PyTraceBack_Type) {
                field(at, layout.header + 8)
            } else if self.is_a(at, Capi::PyFunction_Type) {
                field(at, layout.header + if layout.minor <= 9 { 0 } else { 32 })
            } else if self.is_a(at, Capi::PyFrame_Type) {
                if layout.minor <= 10 {
                    field(at, 32)
                } else {
                    let frame = field(at, layout.header + 8);
                    // The lowest bits are marks of a reference that is not counted.
                    field(frame, layout.frame_code) & !3
                }
            } else {
                return None;
            };
        }
        None
    }

    /// The offset of `co_filename`.
    fn filename(&self) -> Option<usize> {
        let code_type = self.heap.capi.address(Capi::PyCode_Type);
        self.heap
            .layout
            .member(self.memory, code_type, b"co_filename")
    }
}
