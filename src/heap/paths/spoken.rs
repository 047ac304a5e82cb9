//! What people call what code names in a roundabout way: the variables of closures, default arguments,
//! caches, the local variables of suspended functions.

use super::is_exact;
use super::print::{Place, Printer};
use crate::snapshot::{Label, LabelName, ObjId, Snapshot, Type};

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
    let from_type = snapshot.type_of(from);
    if let Some(name) = of_its_type(snapshot.type_of(to)) {
        return next.called(name.to_owned());
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
            of_function(from, before, text(name), next)
        }
        (LabelName::Attribute(name), Role::Cell) if text(name) == "cell_contents" => {
            next.called(before.name.clone())
        }
        (LabelName::Attribute(name), _) if text(name) == "data" && is_weak_container(from_type) => {
            next.called(before.name.clone())
        }
        (LabelName::Item(index), Role::Closure(function)) => {
            match free_variable(snapshot, function.object, from, index) {
                Some(variable) => next
                    .called(format!("cell '{variable}' of {}()", function.name))
                    .with(Role::Cell),
                None => next,
            }
        }
        (LabelName::Item(index), Role::Defaults(function)) => {
            let argument = match n_items(snapshot, from) {
                1 => String::new(),
                _ => format!(" {index}"),
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
        (LabelName::Local(name), _) if is_suspended(from_type) || from_type.name == "frame" => {
            match called(snapshot, from) {
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

/// The module whose function a frame or a suspended function runs.
pub(super) fn module_of_frame(snapshot: &Snapshot, frame: ObjId) -> Option<&str> {
    let globals = field(snapshot, frame, "f_globals")
        .or_else(|| field(snapshot, field(snapshot, frame, "function")?, "__globals__"))
        .or_else(|| field(snapshot, field(snapshot, frame, "frame")?, "f_globals"))?;
    let modules = snapshot
        .roots
        .iter()
        .find(|root| root.kind == crate::snapshot::RootKind::Modules)?;
    let mut name = None;
    for (label, module) in snapshot.references_of(modules.object) {
        match label.name() {
            LabelName::Key(_) => name = snapshot.key_text(module),
            _ if field(snapshot, module, "__dict__") == Some(globals) => return name,
            _ => {}
        }
    }
    None
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

fn of_function(function: ObjId, before: &Place, attribute: &str, next: Place) -> Place {
    let function = Function {
        object: function,
        name: before.name.clone(),
    };
    let role = match attribute {
        "__closure__" => Role::Closure(function),
        "__defaults__" => Role::Defaults(function),
        "__kwdefaults__" => Role::KeywordDefaults(function),
        _ => return next,
    };
    next.with(role)
}

/// The name of a variable in the closure of a function. The last of all names of its code are those.
fn free_variable(snapshot: &Snapshot, function: ObjId, closure: ObjId, index: u32) -> Option<&str> {
    let code = field(snapshot, function, "__code__")?;
    let names = field(snapshot, code, "co_localsplusnames")
        .or_else(|| field(snapshot, code, "co_freevars"))?;
    let n_before = n_items(snapshot, names).checked_sub(n_items(snapshot, closure))?;
    let wanted = n_before + index as usize;
    let (_, name) = snapshot
        .references_of(names)
        .find(|(label, _)| label.name() == LabelName::Item(wanted as u32))?;
    snapshot.key_text(name)
}

/// `coroutine work()`, of a suspended function or of a frame object.
fn called(snapshot: &Snapshot, frame: ObjId) -> Option<String> {
    let code = ["f_code", "code"]
        .into_iter()
        .find_map(|name| field(snapshot, frame, name))
        .or_else(|| field(snapshot, field(snapshot, frame, "frame")?, "f_code"))?;
    let name = ["co_qualname", "co_name"]
        .into_iter()
        .find_map(|name| snapshot.key_text(field(snapshot, code, name)?))?;
    let kind = match &*snapshot.type_of(frame).name {
        "async_generator" => "async generator",
        kind => kind,
    };
    Some(format!("{kind} {name}()"))
}

/// How many items a tuple has. A name may stand in it twice: places count.
fn n_items(snapshot: &Snapshot, tuple: ObjId) -> usize {
    let items = snapshot
        .references_of(tuple)
        .filter_map(|(label, _)| match label.name() {
            LabelName::Item(index) => Some(index as usize + 1),
            _ => None,
        });
    items.max().unwrap_or(0)
}

/// What an object refers to under a name, whether or not code can use it.
fn field(snapshot: &Snapshot, object: ObjId, name: &str) -> Option<ObjId> {
    let name = snapshot.strings.find(name)?;
    snapshot.references_of(object).find_map(|(label, target)| {
        let is_it = match label.name() {
            LabelName::Attribute(text) | LabelName::Internal(text) => text == name,
            _ => false,
        };
        is_it.then_some(target)
    })
}
