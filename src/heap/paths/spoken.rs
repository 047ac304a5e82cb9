//! What people call what code names in a roundabout way: the variables of closures, default arguments,
//! caches, the local variables of suspended functions.

use super::print::{Place, Printer};
use super::{at_exit, is_exact};
use crate::attributes::items;
use crate::snapshot::{Label, LabelName, ObjId, ObjectState, Type};

/// What the references of an object go by.
#[derive(Clone, Debug, Default)]
pub(super) enum Role {
    /// By what code calls them.
    #[default]
    None,
    /// The tuple of the cells of a function.
    Closure(Function),
    /// One of these cells.
    Cell,
    /// The tuple of the default arguments of a function.
    Defaults(Function),
    /// The `dict` of those that are given by name.
    KeywordDefaults(Function),
    /// The frame of a suspended function, by what that is called.
    Frame(String),
    /// The list of what `atexit` calls.
    AtExit,
    /// An entry there: a function and its arguments.
    AtExitEntry,
}

/// A function, and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Function {
    object: ObjId,
    name: String,
}

/// Classes that keep what they hold in an attribute `data`, which is not for programs.
const WEAK_CONTAINERS: [(&str, &str); 3] = [
    ("weakref", "WeakKeyDictionary"),
    ("weakref", "WeakValueDictionary"),
    ("_weakrefset", "WeakSet"),
];

/// A step with the name of what it leads to.
pub(super) fn spoken(
    printer: &Printer<'_>,
    (from, before): (ObjId, &Place),
    label: Label,
    (to, next): (ObjId, Place),
) -> Place {
    let snapshot = printer.snapshot;
    let functions = &printer.paths.functions;
    let from_type = snapshot.type_of(from);
    if let Some(name) = of_its_type(snapshot.type_of(to)) {
        return next.called(name.to_owned());
    }
    let (owner, called_owner) = before.owner().unwrap_or((from, &before.name));
    let is_data = || next.name.strip_prefix(called_owner) == Some(".data");
    if is_weak_container(snapshot.type_of(owner)) && is_data() {
        return next.called(called_owner.to_owned());
    }
    let text = |text| snapshot.strings.get(text);
    match (label.name(), &before.role) {
        (LabelName::Value(_), _) if before.name == "sys.modules" => {
            let name = module(&next.name).map(str::to_owned);
            match name {
                Some(name) => next.called(name),
                None => next,
            }
        }
        (LabelName::Attribute(name), Role::None) if is_exact(snapshot, from, "function") => {
            of_function(printer, (from, before), text(name), next)
        }
        (LabelName::Attribute(name), Role::Cell) if text(name) == "cell_contents" => {
            next.called(before.name.clone())
        }
        (LabelName::Item(_), Role::Closure(function)) => {
            match functions.free_variable(snapshot, function.object, to) {
                Some(variable) => next
                    .called(format!("cell '{variable}' of {}()", function.name))
                    .with(Role::Cell),
                None => next,
            }
        }
        (LabelName::Item(index), Role::Defaults(function)) => {
            let parameter = functions.parameter(snapshot, function.object, index);
            let argument = match parameter {
                Some(name) => format!(" '{name}'"),
                None if items(snapshot, from).count() == 1 => String::new(),
                None => format!(" {index}"),
            };
            next.called(format!("default argument{argument} of {}()", function.name))
        }
        (LabelName::Value(index), Role::KeywordDefaults(function)) => {
            match printer.key(from, index) {
                Some(key) => {
                    next.called(format!("default argument '{key}' of {}()", function.name))
                }
                None => next,
            }
        }
        (LabelName::Item(_), Role::AtExit) => next
            .called("atexit callback".to_owned())
            .with(Role::AtExitEntry),
        (LabelName::Item(_), Role::AtExitEntry) => next.called(at_exit::name(printer, to)),
        (LabelName::None, _) if at_exit::is_its_module(printer, from, &before.name) => {
            next.called(at_exit::name(printer, to))
        }
        (LabelName::Internal(_), _)
            if is_suspended(from_type) && is_exact(snapshot, to, "frame") =>
        {
            match called(printer, from, to) {
                Some(function) => next.with(Role::Frame(function)),
                None => next,
            }
        }
        (LabelName::Local(name), Role::Frame(function)) => {
            next.called(format!("{function}: local {}", text(name)))
        }
        (LabelName::Local(name), _) if is_suspended(from_type) || from_type.name == "frame" => {
            match called(printer, from, from) {
                Some(function) => next.called(format!("{function}: local {}", text(name))),
                None => next,
            }
        }
        (LabelName::None | LabelName::Internal(_), _)
            if from_type.name == "_lru_cache_wrapper" && is_exact(snapshot, to, "dict") =>
        {
            next.called(format!("{} cache", before.name))
        }
        _ => next,
    }
}

/// Whether the objects of a type are functions that wait to go on.
pub(super) fn is_suspended(of_type: &Type) -> bool {
    of_type.module.is_empty()
        && matches!(
            &*of_type.name,
            "generator" | "coroutine" | "async_generator"
        )
}

/// Objects of which a program has one, and that many refer to.
fn of_its_type(of_type: &Type) -> Option<&'static str> {
    let is_loop = of_type.name.ends_with("EventLoop") && of_type.module.starts_with("asyncio.")
        || (&*of_type.module, &*of_type.name) == ("uvloop", "Loop");
    match &*of_type.module {
        _ if is_loop => Some("asyncio loop"),
        "logging" if of_type.name == "Manager" => Some("logging.Logger.manager"),
        _ => None,
    }
}

fn is_weak_container(of_type: &Type) -> bool {
    WEAK_CONTAINERS.contains(&(&*of_type.module, &*of_type.name))
}

/// The name of a module in `sys.modules['name']`.
fn module(expression: &str) -> Option<&str> {
    let name = expression.strip_prefix("sys.modules['")?;
    name.strip_suffix("']")
}

fn of_function(
    printer: &Printer<'_>,
    (function, before): (ObjId, &Place),
    attribute: &str,
    next: Place,
) -> Place {
    // A function in the closure of another goes by its own name.
    let own_name = || {
        let name = printer
            .paths
            .functions
            .name_of(printer.snapshot, function)?;
        Some(name.key())
    };
    let name = match before.name.ends_with("()") {
        true => own_name(),
        false => None,
    };
    let function = Function {
        object: function,
        name: name.unwrap_or_else(|| before.name.clone()),
    };
    let role = match attribute {
        "__closure__" => Role::Closure(function),
        "__defaults__" => Role::Defaults(function),
        "__kwdefaults__" => Role::KeywordDefaults(function),
        _ => return next,
    };
    next.with(role)
}

/// `coroutine work() at line 31`, of a suspended function with its frame, or of a frame object alone.
fn called(printer: &Printer<'_>, suspended: ObjId, frame: ObjId) -> Option<String> {
    let snapshot = printer.snapshot;
    let function = printer.paths.functions.name_of(snapshot, frame)?;
    let kind = match &*snapshot.type_of(suspended).name {
        "async_generator" => "async generator",
        kind => kind,
    };
    let line = match snapshot.state_of(suspended) {
        Some(ObjectState::Suspended(line @ 1..)) => format!(" at line {line}"),
        _ => String::new(),
    };
    Some(format!("{kind} {}(){line}", function.name))
}

#[cfg(test)]
mod tests;
