//! What `atexit` keeps: its callbacks, which are C's own up to 3.13 and in a list later, and their
//! arguments.

use super::print::{Place, Printer};
use super::spoken::Role;
use super::{is_exact, is_module};
use crate::snapshot::ObjId;

/// The field of a root of the interpreter's.
pub(super) const FIELD: &str = "atexit callbacks";

/// A root: a callback, its arguments, or the list of all.
pub(super) fn root(printer: &Printer<'_>, object: ObjId, root: Place) -> Place {
    match is_exact(printer.snapshot, object, "list") {
        true => root.called(FIELD.to_owned()).with(Role::AtExit),
        false => root.called(name(printer, object)),
    }
}

/// What one of these objects is called.
pub(super) fn name(printer: &Printer<'_>, object: ObjId) -> String {
    let snapshot = printer.snapshot;
    if ["tuple", "dict"]
        .iter()
        .any(|kind| is_exact(snapshot, object, kind))
    {
        return "arguments of an atexit callback".to_owned();
    }
    match printer.paths.functions.name_of(snapshot, object) {
        Some(function) => format!("atexit callback {}", function.key()),
        None => "atexit callback".to_owned(),
    }
}

/// Whether an object is the module, which refers to what it keeps up to 3.9.
pub(super) fn is_its_module(printer: &Printer<'_>, object: ObjId, called: &str) -> bool {
    called == "atexit" && is_module(printer.snapshot, object)
}
