//! The CPython in a process: its module, the addresses of its C API, its version.

use std::ops::Range;

use leakhunt_wire::{Capi, N_CAPI};

use crate::maps::Mapping;
use crate::memory::CachedMemory;
use crate::module::{Module, first_pages};
use crate::symbols::Addressed;

/// A CPython.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    /// Addresses in the order of [`Capi`]; 0 where it has none.
    pub(crate) capi: [u64; N_CAPI],
    /// `3.12.1`, or `3.9` where the patch level cannot be told.
    pub(crate) version: Option<String>,
    /// Its code: no thread in it is within malloc or the loader.
    pub(crate) text: Vec<Range<u64>>,
    /// Whether the same module defines `malloc`, so that its code may be the allocator's.
    pub(crate) has_malloc: bool,
}

/// What a look for the interpreter finds.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// An interpreter.
    Python(Box<Interpreter>),
    /// None, and the executable has dynamic symbols or is not for us.
    Nothing,
    /// None, and the executable is statically linked.
    Static,
    /// The executable is not for x86-64.
    OtherArchitecture,
}

/// Looks through the executable, modules named after Python, and then all others.
pub(crate) fn find(memory: &CachedMemory<'_>, mappings: &[Mapping]) -> Found {
    let mut pages = first_pages(mappings);
    if let Some(libraries) = pages.get_mut(1..) {
        libraries.sort_by_key(|page| !page.file_name().contains("python"));
    }
    let mut has_module = false;
    let mut is_static = false;
    for (place, page) in pages.iter().enumerate() {
        let Some(module) = Module::read(memory, mappings, page) else {
            continue;
        };
        if place == 0 {
            is_static = !module.has_loader && !module.has_symbols();
        }
        has_module = true;
        if let Some(interpreter) = read(memory, mappings, &module) {
            return Found::Python(Box::new(interpreter));
        }
    }
    if is_static {
        Found::Static
    } else if has_module {
        Found::Nothing
    } else {
        Found::OtherArchitecture
    }
}

/// The version as the names of mapped files tell it: `libpython3.9.so` or `/lib/python3.9/`.
pub(crate) fn version_by_names(mappings: &[Mapping]) -> Option<String> {
    mappings
        .iter()
        .filter(|mapping| mapping.has_file())
        .find_map(|mapping| version_in_path(&mapping.path))
}

fn version_in_path(path: &str) -> Option<String> {
    path.match_indices("python3.").find_map(|(at, found)| {
        let minor = path.get(at + found.len()..)?;
        let n_digits = minor.bytes().take_while(u8::is_ascii_digit).count();
        (n_digits > 0).then(|| format!("3.{}", &minor[..n_digits]))
    })
}

fn read(memory: &CachedMemory<'_>, mappings: &[Mapping], module: &Module) -> Option<Interpreter> {
    module.symbol(memory, Capi::PyGILState_Ensure.name())?;
    let mut capi = [0; N_CAPI];
    for symbol in Capi::ALL {
        capi[symbol as usize] = module.symbol(memory, symbol.name()).unwrap_or(0);
    }
    let version = version(memory, module).or_else(|| version_by_names(mappings));
    Some(Interpreter {
        capi,
        version,
        text: module.text.clone(),
        has_malloc: module.symbol(memory, "malloc").is_some(),
    })
}

/// By `Py_Version`, which holds `PY_VERSION_HEX`, since 3.11; before that by what each version was
/// the first to export (CPython, `Doc/data/stable_abi.dat` and `Misc/HISTORY`).
fn version(memory: &CachedMemory<'_>, module: &Module) -> Option<String> {
    if let Some(at) = module.symbol(memory, "Py_Version") {
        return memory.read_u32(at).map(format_version);
    }
    const FIRST_EXPORTS: [(&str, &str); 4] = [
        ("PyModule_AddObjectRef", "3.10"),
        ("PyObject_CallNoArgs", "3.9"),
        ("Py_RunMain", "3.8"),
        ("PyContextVar_New", "3.7"),
    ];
    let first = FIRST_EXPORTS
        .iter()
        .find(|(symbol, _)| module.symbol(memory, symbol).is_some());
    first.map(|(_, version)| (*version).into())
}

/// `0x030c01f0` is `3.12.1`, `0x030f00a3` is `3.15.0a3`.
fn format_version(hex: u32) -> String {
    let [major, minor, micro, level] = hex.to_be_bytes();
    let serial = level & 15;
    let suffix = match level >> 4 {
        0xa => format!("a{serial}"),
        0xb => format!("b{serial}"),
        0xc => format!("rc{serial}"),
        _ => String::new(),
    };
    format!("{major}.{minor}.{micro}{suffix}")
}

/// Whether `version` is one from before 3.8.
pub(crate) fn is_too_old(version: &str) -> bool {
    let mut parts = version
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(3), Some(minor)) => minor < 8,
        (Some(major), _) => major < 3,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_number_is_shown_as_python_shows_it() {
        assert_eq!(format_version(0x030c_01f0), "3.12.1");
        assert_eq!(format_version(0x030f_00a3), "3.15.0a3");
        assert_eq!(format_version(0x030e_00c1), "3.14.0rc1");
    }

    #[test]
    fn a_version_is_found_in_a_path() {
        let found = |path| version_in_path(path);
        assert_eq!(found("/usr/lib/libpython3.9.so.1.0"), Some("3.9".into()));
        assert_eq!(found("/usr/lib/python3.13t/x.so"), Some("3.13".into()));
        assert_eq!(found("/usr/lib/python3/x.so"), None);
        assert_eq!(found("/opt/python3./lib/python3.8/x"), Some("3.8".into()));
    }

    #[test]
    fn versions_before_3_8_are_too_old() {
        assert!(is_too_old("3.7") && is_too_old("2.7") && is_too_old("3.6.15"));
        assert!(!is_too_old("3.8") && !is_too_old("3.15.0a3") && !is_too_old("4.0"));
    }
}
