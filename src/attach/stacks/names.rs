//! What module `threading` knows of its threads.

use super::code::callable_name;
use super::objects::Objects;

/// The most characters of a thread's name.
const LONGEST_NAME: u64 = 300;

/// A `threading.Thread`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Named {
    pub(super) ident: u64,
    pub(super) name: Option<String>,
    pub(super) is_daemon: Option<bool>,
    /// The number that it has for itself.
    pub(super) inner_id: Option<u32>,
    /// What it runs.
    pub(super) target: Option<String>,
}

/// The threads in `threading._active`, in its order; none where the module is not loaded.
pub(super) fn named_threads(objects: &Objects<'_>, interpreter: u64) -> Vec<Named> {
    let active = || {
        let modules = modules(objects, interpreter)?;
        let threading = objects.entry(modules, "threading")?;
        let globals = objects.globals(threading)?;
        objects.entries(objects.entry(globals, "_active")?)
    };
    let threads = active().unwrap_or_default();
    threads
        .into_iter()
        .filter_map(|(ident, thread)| named(objects, ident, thread))
        .collect()
}

/// `sys.modules`: it has `sys` and `builtins`.
fn modules(objects: &Objects<'_>, interpreter: u64) -> Option<u64> {
    /// How far from where it is expected it is looked for, in bytes.
    const NEARBY: u64 = 256;
    let is_it = |address: u64| {
        ["sys", "builtins"]
            .iter()
            .all(|name| objects.entry(address, name).is_some())
    };
    let place = interpreter + objects.layout.runtime.modules;
    objects
        .word(place)
        .filter(|&address| is_it(address))
        .or_else(|| {
            let words = objects.words(place.saturating_sub(NEARBY), 2 * NEARBY / 8)?;
            words.into_iter().find(|&address| is_it(address))
        })
}

fn named(objects: &Objects<'_>, ident: u64, thread: u64) -> Option<Named> {
    let ident = u64::try_from(objects.int(ident)?).ok()?;
    let attributes = objects.attributes(thread).unwrap_or_default();
    let named = |name: &str| objects.named(&attributes, name);
    let is = |object: u64, symbol: leakhunt_wire::Capi| object == objects.capi[symbol as usize];
    let target = named("_target")
        .filter(|&target| !is(target, leakhunt_wire::Capi::_Py_NoneStruct))
        .and_then(|target| callable_name(objects, target))
        .or_else(|| {
            let class = objects.class_name(objects.type_of(thread)?)?;
            let is_own = !class.starts_with("threading.");
            is_own.then(|| format!("{class}.run"))
        });
    Some(Named {
        ident,
        name: named("_name").and_then(|name| objects.text(name, LONGEST_NAME)),
        is_daemon: named("_daemonic").map(|value| is(value, leakhunt_wire::Capi::_Py_TrueStruct)),
        inner_id: named("_native_id")
            .and_then(|id| objects.int(id))
            .and_then(|id| u32::try_from(id).ok()),
        target,
    })
}
