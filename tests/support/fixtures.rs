//! The scripts of `python-fixtures/`, and what each says that must be found.

use std::fs;
use std::path::PathBuf;

/// A script.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    /// Its name without `.py`.
    pub(crate) module: String,
    pub(crate) promise: Promise,
}

/// What its docstring says after `leakhunt must say:`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Promise {
    Nothing,
    /// Objects of a type grow, held by one of these places.
    Place {
        type_name: String,
        places: Vec<String>,
    },
    /// Objects of a type grow that nothing holds.
    Garbage(String),
    /// Objects of a type grow that native code holds; in some versions one of these places does.
    Native {
        type_name: String,
        places: Vec<String>,
    },
    /// Memory grows that is not of Python's objects.
    NativeMemory,
    /// Threads grow that run a function.
    Threads(String),
    /// Descriptors grow.
    Descriptors,
}

/// The folder.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/python-fixtures"))
}

/// Those that leak and those that do not, in the order of their names.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut found: Vec<Fixture> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let module = path.file_name()?.to_str()?.strip_suffix(".py")?.to_owned();
            let is_one = module.starts_with("leaky_") || module.starts_with("bounded_");
            let text = is_one.then(|| fs::read_to_string(&path).unwrap())?;
            let promise = promise(&text).unwrap_or_else(|| panic!("{module} promises nothing"));
            Some(Fixture { module, promise })
        })
        .collect();
    found.sort_by(|one, other| one.module.cmp(&other.module));
    assert!(!found.is_empty());
    found
}

fn promise(text: &str) -> Option<Promise> {
    let (_, rest) = text.split_once("leakhunt must say: ")?;
    let (said, _) = rest.split_once("\n\"\"\"")?;
    let mut quoted = said.split('`').skip(1).step_by(2).map(str::to_owned);
    Some(match said {
        _ if said.starts_with("nothing grows") => Promise::Nothing,
        _ if said.starts_with("memory beside Python's objects grows") => Promise::NativeMemory,
        _ if said.starts_with("threads grow") => Promise::Threads(quoted.next()?),
        _ if said.starts_with("descriptors grow") => Promise::Descriptors,
        _ if said.ends_with("is garbage.") => Promise::Garbage(quoted.next()?),
        _ if said.contains(" grows, held by native code") => Promise::Native {
            type_name: quoted.next()?,
            places: quoted.collect(),
        },
        _ if said.contains(" grows, held by `") => Promise::Place {
            type_name: quoted.next()?,
            places: quoted.collect(),
        },
        _ => return None,
    })
}
