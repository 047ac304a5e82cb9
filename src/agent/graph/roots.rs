//! What keeps objects alive from outside of the heap, frames aside.

use leakhunt_wire::{Capi, RootKind};

use crate::atexit_entry;
use crate::dicts;
use crate::graph::threads;
use crate::heap::Heap;
use crate::memory::Memory;

/// Hands on each root: its kind, the object, the thread's native id or 0, and the field.
pub(crate) fn each(
    heap: &Heap,
    memory: Memory,
    see: &mut dyn FnMut(RootKind, usize, u64, &'static [u8]),
) {
    // SAFETY: whoever reads the heap is inside, or is a copy of a thread that was.
    let modules = unsafe { heap.capi.modules() } as usize;
    let is_a = |object: usize, symbol| {
        object != 0 && heap.layout.type_of(memory, object) == heap.capi.address(symbol)
    };
    if is_a(modules, Capi::PyDict_Type) {
        see(RootKind::Modules, modules, 0, b"modules");
        let str_type = heap.capi.address(Capi::PyUnicode_Type);
        // The interpreter has these two whatever becomes of the modules.
        let of_modules: [(&[u8], RootKind, &'static [u8]); 2] = [
            (b"builtins", RootKind::Builtins, b"builtins"),
            (b"sys", RootKind::Interpreter, b"sysdict"),
        ];
        for (name, kind, text) in of_modules {
            let module = dicts::get(&heap.layout, memory, modules, str_type, name);
            if is_a(module, Capi::PyModule_Type) {
                let dict = memory.word(module + heap.layout.header);
                if is_a(dict, Capi::PyDict_Type) {
                    see(kind, dict, 0, text);
                }
            }
        }
    }
    atexit_entry::each_kept(heap, heap.own.callback(), &mut |kept| {
        see(RootKind::Interpreter, kept, 0, b"atexit callbacks");
    });
    threads::each(heap, memory, &mut |thread| {
        threads::each_reference(heap, memory, thread, &mut |target, field| {
            see(RootKind::Thread, target, thread.native_id, field);
        });
    });
}
