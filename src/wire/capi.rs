//! The symbols of CPython that the agent uses.

macro_rules! capi {
    ($($name:ident $need:ident)*) => {
        /// A symbol of the target's interpreter: its place in [`Boot::capi`](crate::Boot::capi).
        #[allow(non_camel_case_types, missing_docs, reason = "these are the names of C symbols")]
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(usize)]
        pub enum Capi { $($name),* }

        /// Number of symbols in the table.
        pub const N_CAPI: usize = [$(Capi::$name),*].len();

        impl Capi {
            /// Every symbol, in the order of the table.
            pub const ALL: [Capi; N_CAPI] = [$(Capi::$name),*];

            /// The symbol's name.
            pub fn name(self) -> &'static str {
                match self { $(Capi::$name => stringify!($name)),* }
            }

            /// Whether a process without this symbol is no CPython that leakhunt can enter.
            pub fn is_required(self) -> bool {
                match self { $(Capi::$name => capi!(@ $need)),* }
            }
        }
    };
    (@ required) => { true };
    (@ optional) => { false };
}

capi! {
    Py_IsInitialized required
    Py_GetVersion required
    PyGILState_Ensure required
    PyGILState_Release required
    PyEval_SaveThread required
    PyEval_RestoreThread required
    PyThreadState_New required
    PyThreadState_Swap required
    PyInterpreterState_Main optional
    PyInterpreterState_Head required
    PyInterpreterState_ThreadHead required
    Py_IsFinalizing optional
    _Py_IsFinalizing optional
    Py_IncRef required
    Py_DecRef required
    PyImport_ImportModule required
    PyModule_GetState optional
    PyModule_GetDict required
    PyImport_GetModuleDict required
    PyType_GetDict optional
    PyInit__tracemalloc optional
    _Py_tracemalloc_config optional
    _PyTraceMalloc_GetTraceback optional
    PyThreadState_Get required
    PyMem_Free required
    PyList_SetSlice required
    PyObject_CallMethod required
    PyCFunction_NewEx required
    PyErr_Clear required
    PyObject_Repr required
    PyUnicode_AsUTF8AndSize required
    PyUnicode_AsEncodedString required
    PyBytes_AsStringAndSize required
    PyList_New required
    PyGC_Enable optional
    PyGC_Disable optional
    PyUnstable_GC_VisitObjects optional
    PyType_Type required
    PyBaseObject_Type required
    PyList_Type required
    PyTuple_Type required
    PyDict_Type required
    PySet_Type required
    PyFrozenSet_Type required
    PyUnicode_Type required
    PyBytes_Type required
    PyByteArray_Type required
    PyLong_Type required
    PyBool_Type required
    PyFloat_Type required
    PyODict_Type required
    PyFrame_Type required
    PyGen_Type required
    PyCoro_Type required
    PyAsyncGen_Type required
    PyModule_Type required
    PyFunction_Type required
    PyMethodDescr_Type required
    PyMethod_Type required
    PyCode_Type required
    PyTraceBack_Type required
    _Py_NoneStruct required
    _Py_TrueStruct required
    _Py_FalseStruct required
    _PyRuntime optional
    PyGC_IsEnabled optional
    PyRun_String required
    PyDict_New required
    PyDict_GetItemString required
}
