//! The functions of the target's interpreter, by the table of addresses that came with the start
//! data.

use core::ffi::{CStr, c_char, c_int, c_void};

use leakhunt_wire::{Capi, N_CAPI};

/// A `PyObject *`.
pub(crate) type Object = *mut c_void;

/// A `PyMethodDef`.
#[repr(C)]
pub(crate) struct MethodDef {
    pub(crate) name: *const c_char,
    pub(crate) function: Option<unsafe extern "C" fn(Object, Object) -> Object>,
    pub(crate) flags: c_int,
    pub(crate) doc: *const c_char,
}

/// `tp_traverse`'s callback.
pub(crate) type Visit = unsafe extern "C" fn(Object, *mut c_void) -> c_int;
/// `tp_traverse`.
pub(crate) type Traverse = unsafe extern "C" fn(Object, Visit, *mut c_void) -> c_int;

/// What a method is called with.
#[derive(Clone, Copy)]
pub(crate) enum Argument {
    None,
    Object(Object),
    Int(c_int),
}

/// The table of addresses.
#[derive(Clone, Copy)]
pub(crate) struct CApi {
    table: [u64; N_CAPI],
}

macro_rules! functions {
    ($($(#[$meta:meta])* $method:ident = $symbol:ident($($arg:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        impl CApi {$(
            $(#[$meta])*
            ///
            /// # Safety
            /// As the function of the C-API: mostly, the caller holds the GIL.
            pub(crate) unsafe fn $method(&self, $($arg: $type),*) $(-> $result)? {
                type Function = unsafe extern "C" fn($($type),*) $(-> $result)?;
                // SAFETY: the address is that of the symbol of this name, whose type is this; the
                // rest is this function's contract.
                unsafe {
                    let function: Function = core::mem::transmute(self.address(Capi::$symbol));
                    function($($arg),*)
                }
            }
        )*}
    };
}

functions! {
    /// Whether the interpreter runs. Needs no GIL.
    is_initialized = Py_IsInitialized() -> c_int;
    /// A new thread state, or the one that the thread has, with the GIL.
    ensure = PyGILState_Ensure() -> c_int;
    /// The opposite of `ensure`.
    release = PyGILState_Release(state: c_int);
    /// Lets the GIL go.
    save_thread = PyEval_SaveThread() -> *mut c_void;
    /// Takes the GIL.
    restore_thread = PyEval_RestoreThread(thread: *mut c_void);
    /// A new thread state for this thread.
    thread_new = PyThreadState_New(interpreter: *mut c_void) -> *mut c_void;
    /// Makes another thread state the current one.
    thread_swap = PyThreadState_Swap(thread: *mut c_void) -> *mut c_void;
    /// The first interpreter.
    interpreter_head = PyInterpreterState_Head() -> *mut c_void;
    /// The newest thread state.
    thread_head = PyInterpreterState_ThreadHead(interpreter: *mut c_void) -> *mut c_void;
    /// Another reference.
    incref = Py_IncRef(object: Object);
    /// One reference less.
    decref = Py_DecRef(object: Object);
    /// `import name`.
    import = PyImport_ImportModule(name: *const c_char) -> Object;
    /// `sys.modules`, borrowed.
    modules = PyImport_GetModuleDict() -> Object;
    /// `type.__dict__` itself, a new reference (3.12 on).
    type_dict = PyType_GetDict(class: Object) -> Object;
    /// `module.__dict__`, borrowed.
    module_dict = PyModule_GetDict(module: Object) -> Object;
    /// This thread's state.
    thread_state = PyThreadState_Get() -> *mut c_void;
    /// A fresh module `_tracemalloc`, which is not in `sys.modules`.
    new_tracemalloc = PyInit__tracemalloc() -> Object;
    /// Where a block was made: a tuple of `(file, line)`, the newest frame first, or `None`.
    made_at = _PyTraceMalloc_GetTraceback(domain: u32, block: usize) -> Object;
    /// A builtin function.
    new_function = PyCFunction_NewEx(def: *mut MethodDef, this: Object, module: Object) -> Object;
    /// Forgets the exception.
    clear_error = PyErr_Clear();
    /// `repr(object)`.
    repr = PyObject_Repr(object: Object) -> Object;
    /// The UTF-8 of a `str`.
    as_utf8 = PyUnicode_AsUTF8AndSize(text: Object, len: *mut isize) -> *const c_char;
    /// `text.encode(encoding, errors)`.
    encode = PyUnicode_AsEncodedString(text: Object, encoding: *const c_char, errors: *const c_char) -> Object;
    /// The contents of `bytes`.
    as_bytes = PyBytes_AsStringAndSize(bytes: Object, start: *mut *mut c_char, len: *mut isize) -> c_int;
    /// `exec(text, globals)`, by `start` = 257.
    run = PyRun_String(text: *const c_char, start: c_int, globals: Object, locals: Object) -> Object;
    /// `{}`.
    new_dict = PyDict_New() -> Object;
    /// `dict[key]`, borrowed; null where there is none.
    dict_get = PyDict_GetItemString(dict: Object, key: *const c_char) -> Object;
    /// `[]` of a length.
    new_list = PyList_New(len: isize) -> Object;
}

impl CApi {
    pub(crate) fn new(table: &[u64; N_CAPI]) -> Self {
        Self { table: *table }
    }

    /// Address of a symbol; 0 where the target has none.
    #[inline(always)]
    pub(crate) fn address(&self, symbol: Capi) -> usize {
        self.table[symbol as usize] as usize
    }

    pub(crate) fn has(&self, symbol: Capi) -> bool {
        self.address(symbol) != 0
    }

    /// Address of the text of `sys.version`. Needs no GIL.
    pub(crate) fn version_text(&self) -> usize {
        // SAFETY: answers the address of a static text, and needs neither GIL nor thread state.
        unsafe {
            let function: unsafe extern "C" fn() -> usize =
                core::mem::transmute(self.address(Capi::Py_GetVersion));
            function()
        }
    }

    /// Whether the interpreter is on its way out. Needs no GIL.
    pub(crate) fn is_finalizing(&self) -> bool {
        [Capi::Py_IsFinalizing, Capi::_Py_IsFinalizing]
            .into_iter()
            .find(|&symbol| self.has(symbol))
            .is_some_and(|symbol| {
                // SAFETY: reads one word of the runtime, and needs neither GIL nor thread state.
                unsafe {
                    let function: unsafe extern "C" fn() -> c_int =
                        core::mem::transmute(self.address(symbol));
                    function() != 0
                }
            })
    }

    /// The main interpreter.
    ///
    /// # Safety
    /// The interpreter is initialised.
    pub(crate) unsafe fn main_interpreter(&self) -> usize {
        // SAFETY: answers the value of a global of an initialised runtime.
        unsafe {
            if !self.has(Capi::PyInterpreterState_Main) {
                return self.interpreter_head() as usize;
            }
            let function: unsafe extern "C" fn() -> usize =
                core::mem::transmute(self.address(Capi::PyInterpreterState_Main));
            function()
        }
    }

    /// `object.method()` or `object.method(argument)`; whether it did not raise.
    ///
    /// # Safety
    /// The caller holds the GIL and a reference to each object. This runs code of the target.
    pub(crate) unsafe fn call_method(&self, object: Object, name: &CStr, argument: Object) -> bool {
        let argument = if argument.is_null() {
            Argument::None
        } else {
            Argument::Object(argument)
        };
        // SAFETY: by this function's contract.
        unsafe {
            let result = self.call(object, name, argument);
            if result.is_null() {
                return false;
            }
            self.decref(result);
            true
        }
    }

    /// The result of a method, a new reference; null when it raised, which is then forgotten.
    ///
    /// # Safety
    /// As `call_method`.
    pub(crate) unsafe fn call(&self, object: Object, name: &CStr, argument: Argument) -> Object {
        type Function = unsafe extern "C" fn(Object, *const c_char, *const c_char, ...) -> Object;
        let name = name.as_ptr();
        // SAFETY: the format asks for what is passed.
        unsafe {
            let function: Function = core::mem::transmute(self.address(Capi::PyObject_CallMethod));
            let result = match argument {
                Argument::None => function(object, name, core::ptr::null()),
                Argument::Object(argument) => function(object, name, c"O".as_ptr(), argument),
                Argument::Int(argument) => function(object, name, c"i".as_ptr(), argument),
            };
            if result.is_null() {
                self.clear_error();
            }
            result
        }
    }

    /// Switches the collector off or on, where that can be done without running code (3.10), or only
    /// asks. Answers whether it was on.
    ///
    /// # Safety
    /// The caller holds the GIL.
    pub(crate) unsafe fn collector_switch(&self, symbol: Capi) -> Option<bool> {
        if !self.has(symbol) {
            return None;
        }
        // SAFETY: `PyGC_Enable`, `PyGC_Disable` and `PyGC_IsEnabled` take nothing and answer the state
        // before.
        unsafe {
            let function: unsafe extern "C" fn() -> c_int =
                core::mem::transmute(self.address(symbol));
            Some(function() != 0)
        }
    }

    /// Calls `visit` with each object that the collector tracks, until it answers 0.
    ///
    /// # Safety
    /// The caller holds the GIL (or is attached), and `visit` must not touch the heap.
    pub(crate) unsafe fn visit_objects(&self, visit: Visit, argument: *mut c_void) {
        type Function = unsafe extern "C" fn(Visit, *mut c_void);
        // SAFETY: by this function's contract.
        unsafe {
            let function: Function =
                core::mem::transmute(self.address(Capi::PyUnstable_GC_VisitObjects));
            function(visit, argument);
        }
    }
}
