//! What guppy calls a type.

use crate::snapshot::Type;

/// The name of a type as guppy3 3.1.7 gives it: `types.CodeType`, `str`, `__main__.Inner`. Its last name
/// in the modules `types` or `builtins`, else `__module__` and `__name__`, not `__qualname__`.
/// `python_minor` is the 13 of 3.13.
pub(super) fn type_name(of: &Type, python_minor: u32) -> String {
    if let Some(alias) = alias(&of.module, &of.name, python_minor) {
        return alias.to_owned();
    }
    if !of.module.is_empty() || of.flags & leakhunt_wire::TypeFlags::PYTHON != 0 {
        return format!("{}.{}", of.module, of.name);
    }
    format!("builtins.{}", of.name)
}

fn alias(module: &str, name: &str, python_minor: u32) -> Option<&'static str> {
    if module.is_empty()
        && let Ok(index) = BUILTINS.binary_search(&name)
    {
        return Some(BUILTINS[index]);
    }
    let same = |alias: &&Alias| alias.module == module && alias.name == name;
    let alias = ALIASES.iter().find(same)?;
    (python_minor >= alias.since).then_some(alias.alias)
}

/// A type that has another name in `types` or `builtins`.
struct Alias {
    /// Empty for the builtins.
    module: &'static str,
    name: &'static str,
    alias: &'static str,
    /// The first Python 3 where it has that name.
    since: u32,
}

const fn alias_of(
    module: &'static str,
    name: &'static str,
    alias: &'static str,
    since: u32,
) -> Alias {
    Alias {
        module,
        name,
        alias,
        since,
    }
}

/// Types of the module `builtins`, from Python 3.8 on. Sorted.
#[rustfmt::skip]
const BUILTINS: &[&str] = &[
    "ArithmeticError", "AssertionError", "AttributeError", "BaseException", "BlockingIOError",
    "BrokenPipeError", "BufferError", "BytesWarning", "ChildProcessError",
    "ConnectionAbortedError", "ConnectionError", "ConnectionRefusedError", "ConnectionResetError",
    "DeprecationWarning", "EOFError", "Exception", "FileExistsError", "FileNotFoundError",
    "FloatingPointError", "FutureWarning", "GeneratorExit", "ImportError", "ImportWarning",
    "IndentationError", "IndexError", "InterruptedError", "IsADirectoryError", "KeyError",
    "KeyboardInterrupt", "LookupError", "MemoryError", "ModuleNotFoundError", "NameError",
    "NotADirectoryError", "NotImplementedError", "OSError", "OverflowError",
    "PendingDeprecationWarning", "PermissionError", "ProcessLookupError", "RecursionError",
    "ReferenceError", "ResourceWarning", "RuntimeError", "RuntimeWarning", "StopAsyncIteration",
    "StopIteration", "SyntaxError", "SyntaxWarning", "SystemError", "SystemExit", "TabError",
    "TimeoutError", "TypeError", "UnboundLocalError", "UnicodeDecodeError", "UnicodeEncodeError",
    "UnicodeError", "UnicodeTranslateError", "UnicodeWarning", "UserWarning", "ValueError",
    "Warning", "ZeroDivisionError", "bool", "bytearray", "bytes", "classmethod", "complex",
    "dict", "enumerate", "filter", "float", "frozenset", "function", "int", "list", "map",
    "memoryview", "module", "object", "property", "range", "reversed", "set", "slice",
    "staticmethod", "str", "super", "tuple", "type", "zip",
];

/// Those that came later, and all whose name is another. From the namespaces of `types` and `builtins`
/// of Python 3.8 to 3.15.
#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    alias_of("", "BaseExceptionGroup", "BaseExceptionGroup", 11),
    alias_of("", "EncodingWarning", "EncodingWarning", 10),
    alias_of("", "ExceptionGroup", "ExceptionGroup", 11),
    alias_of("", "ImportCycleError", "ImportCycleError", 15),
    alias_of("", "PythonFinalizationError", "PythonFinalizationError", 13),
    alias_of("", "_IncompleteInputError", "_IncompleteInputError", 13),
    alias_of("", "frozendict", "frozendict", 15),
    alias_of("", "sentinel", "sentinel", 15),
    alias_of("_frozen_importlib", "BuiltinImporter", "__loader__", 8),
    alias_of("", "FrameLocalsProxy", "types.FrameLocalsProxyType", 15),
    alias_of("", "NoneType", "types.NoneType", 10),
    alias_of("", "NotImplementedType", "types.NotImplementedType", 10),
    alias_of("", "PyCapsule", "types.CapsuleType", 14),
    alias_of("", "async_generator", "types.AsyncGeneratorType", 8),
    alias_of("", "builtin_function_or_method", "types.BuiltinMethodType", 8),
    alias_of("", "cell", "types.CellType", 8),
    alias_of("", "classmethod_descriptor", "types.ClassMethodDescriptorType", 8),
    alias_of("", "code", "types.CodeType", 8),
    alias_of("", "coroutine", "types.CoroutineType", 8),
    alias_of("", "ellipsis", "types.EllipsisType", 10),
    alias_of("", "frame", "types.FrameType", 8),
    alias_of("", "generator", "types.GeneratorType", 8),
    alias_of("", "getset_descriptor", "types.GetSetDescriptorType", 8),
    alias_of("", "lazy_import", "types.LazyImportType", 15),
    alias_of("", "mappingproxy", "types.MappingProxyType", 8),
    alias_of("", "member_descriptor", "types.MemberDescriptorType", 8),
    alias_of("", "method", "types.MethodType", 8),
    alias_of("", "method-wrapper", "types.MethodWrapperType", 8),
    alias_of("", "method_descriptor", "types.MethodDescriptorType", 8),
    alias_of("", "traceback", "types.TracebackType", 8),
    alias_of("", "wrapper_descriptor", "types.WrapperDescriptorType", 8),
    alias_of("typing", "Union", "types.UnionType", 14),
];

#[cfg(test)]
mod tests {
    use leakhunt_wire::TypeFlags;

    use super::*;

    const PYTHON: u32 = TypeFlags::PYTHON | TypeFlags::HEAP_TYPE;

    #[test]
    fn types_are_called_as_guppy_calls_them() {
        let name = |module: &str, name: &str, flags, minor| {
            let of = Type {
                module: module.to_owned(),
                qualname: format!("Outer.{name}"),
                name: name.to_owned(),
                flags,
                ..Type::default()
            };
            type_name(&of, minor)
        };
        for (module, short, flags, minor, expected) in [
            ("", "str", 0, 13, "str"),
            ("", "module", 0, 13, "module"),
            ("", "function", 0, 13, "function"),
            ("", "code", 0, 13, "types.CodeType"),
            (
                "",
                "builtin_function_or_method",
                0,
                8,
                "types.BuiltinMethodType",
            ),
            ("", "ellipsis", 0, 9, "builtins.ellipsis"),
            ("", "ellipsis", 0, 10, "types.EllipsisType"),
            ("", "PyCapsule", 0, 13, "builtins.PyCapsule"),
            ("", "PyCapsule", 0, 14, "types.CapsuleType"),
            ("", "ExceptionGroup", PYTHON, 11, "ExceptionGroup"),
            ("", "StgDict", 0, 11, "builtins.StgDict"),
            ("", "NoMod", PYTHON, 11, ".NoMod"),
            (
                "_frozen_importlib",
                "BuiltinImporter",
                PYTHON,
                11,
                "__loader__",
            ),
            ("types", "SimpleNamespace", 0, 11, "types.SimpleNamespace"),
            ("types", "UnionType", 0, 13, "types.UnionType"),
            ("typing", "Union", 0, 14, "types.UnionType"),
            ("__main__", "Inner", PYTHON, 11, "__main__.Inner"),
            ("code", "code", PYTHON, 11, "code.code"),
        ] {
            assert_eq!(name(module, short, flags, minor), expected);
        }
    }
}
