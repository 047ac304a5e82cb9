//! Which extension module native references may come from.

use std::ops::Range;

use leakhunt_wire::TypeFlags;

use crate::snapshot::Type;

/// A file that is mapped into the process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapped {
    /// Where.
    pub range: Range<u64>,
    /// Its path.
    pub path: String,
}

/// Whose code may hold the objects of a type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NativeOwner {
    /// The extension module that has the type: it makes the objects and counts their references.
    Extension {
        /// Its file.
        path: String,
    },
    /// Not known: the type is Python's own, or a class of Python code.
    Unknown {
        /// The extension modules that are loaded and not Python's own, and `ctypes`, by which Python
        /// code can do what they can. Ascending, without folders.
        loaded: Vec<String>,
    },
}

/// Names the owner by where the type is, or by the module that it says it is of.
pub fn native_owner(of_type: &Type, mapped: &[Mapped]) -> NativeOwner {
    let is_python = of_type.flags & TypeFlags::PYTHON != 0;
    let by_place = || {
        mapped
            .iter()
            .find(|one| one.range.contains(&of_type.address) && is_extension(&one.path))
    };
    let module = of_type.module.rsplit('.').next().unwrap_or("");
    let by_name = || {
        mapped
            .iter()
            .find(|one| is_extension(&one.path) && stem(&one.path) == module)
    };
    let found = (!is_python).then(|| by_place().or_else(by_name)).flatten();
    if let Some(one) = found {
        return NativeOwner::Extension {
            path: one.path.clone(),
        };
    }
    let mut loaded: Vec<String> = mapped
        .iter()
        .filter(|one| is_extension(&one.path))
        .filter(|one| !is_stdlib_file(&one.path) || stem(&one.path) == "_ctypes")
        .map(|one| file_name(&one.path).to_owned())
        .collect();
    loaded.sort_unstable();
    loaded.dedup();
    NativeOwner::Unknown { loaded }
}

/// Whether Python could import the file: `name.so`, `name.abi3.so`, `name.cpython-312-….so`. Plain
/// libraries are told from it by `lib` at the start or a version at the end.
fn is_extension(path: &str) -> bool {
    let name = file_name(path);
    let Some(before) = name.strip_suffix(".so") else {
        return false;
    };
    before.contains(".cpython-") || before.ends_with(".abi3") || path.contains("-packages/")
}

fn is_stdlib_file(path: &str) -> bool {
    path.contains("/lib-dynload/")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What is before the first dot.
fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}
