//! What of the program is in objects of Python's own.

use std::collections::VecDeque;

use leakhunt_wire::TypeFlags;

use super::places::Places;
use crate::paths::{is_stdlib, package};
use crate::snapshot::{ObjId, Snapshot};

/// What of the program most of some objects have in them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inside {
    /// `shop.cart.Cart`, `coroutine shop.mail.watch()`, `function shop.mail.forget()`.
    pub name: String,
    /// Its top-level package.
    pub package: String,
}

/// So many objects are gone over for each one that is looked into.
const MOST_STEPS: usize = 200;

/// The nearest object of a class of the program, or function of it that waits to go on, that more than
/// half of `objects` lead to, as far as nothing else does; else the nearest function of the program that
/// they refer to. `None` where they are of such a class themselves.
pub(super) fn inside(snapshot: &Snapshot, places: &Places, objects: &[ObjId]) -> Option<Inside> {
    let mut found: Vec<(Inside, usize)> = Vec::new();
    for &object in objects {
        let Some(nearest) = nearest(snapshot, places, object) else {
            continue;
        };
        match found.iter_mut().find(|(one, _)| *one == nearest) {
            Some((_, n_objects)) => *n_objects += 1,
            None => found.push((nearest, 1)),
        }
    }
    let (inside, n_objects) = found.into_iter().max_by_key(|(_, n_objects)| *n_objects)?;
    (n_objects * 2 > objects.len()).then_some(inside)
}

fn nearest(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    if of_program(snapshot, places, object).is_some() {
        return None;
    }
    let mut queue = VecDeque::from([object]);
    let mut n_steps = 0;
    let mut called = None;
    while let Some(from) = queue.pop_front() {
        let references = snapshot.references_of(from);
        for (_, target) in references.take(MOST_STEPS) {
            n_steps += 1;
            if n_steps > MOST_STEPS {
                return called;
            }
            if called.is_none() {
                called = called_of_program(snapshot, places, target);
            }
            if places.paths().parent(target) != Some(from) {
                continue;
            }
            if let Some(found) = of_program(snapshot, places, target) {
                return Some(found);
            }
            queue.push_back(target);
        }
    }
    called
}

/// A function of the program, as what a timer or a finalizer calls.
fn called_of_program(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    let function = places.paths().callable(snapshot, object)?;
    of_module(&function.module, || {
        format!("function {}()", function.key())
    })
}

fn of_module(module: &str, name: impl FnOnce() -> String) -> Option<Inside> {
    (!module.is_empty() && !is_stdlib(module)).then(|| Inside {
        name: name(),
        package: package(module).to_owned(),
    })
}

fn of_program(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    let of_type = snapshot.type_of(object);
    let is_instance =
        of_type.flags & TypeFlags::PYTHON != 0 && of_type.flags & TypeFlags::TYPE == 0;
    if is_instance {
        return of_module(&of_type.module, || of_type.key());
    }
    let suspended = places.paths().suspended(snapshot, object)?;
    let kind = of_type.name.replace('_', " ");
    of_module(&suspended.module, || {
        format!("{kind} {}()", suspended.key())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{SnapshotBuilder, Via};
    use crate::snapshot::RootKind;

    /// Timers with one argument each, of these types.
    fn timers(types: &[&str], owner: Option<&str>) -> Option<Inside> {
        let mut heap = SnapshotBuilder::new();
        for program in ["shop.Order", "shop.Cart"] {
            heap.flags(program, TypeFlags::PYTHON);
        }
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let planned = heap.object("list");
        heap.attribute(shop, "planned", planned);
        let mut timers = Vec::new();
        for (index, of_type) in (0..).zip(types) {
            let timer = heap.object("threading.Timer");
            heap.reference(planned, Via::Item(index), timer);
            let arguments = heap.object("tuple");
            heap.reference(timer, Via::Attribute("args"), arguments);
            let argument = heap.object(of_type);
            heap.reference(arguments, Via::Item(0), argument);
            if let Some(name) = owner {
                heap.attribute(shop, &format!("{name}{index}"), argument);
            }
            timers.push(timer);
        }
        let heap = heap.finish();
        inside(&heap, &Places::of(&heap), &timers)
    }

    #[test]
    fn what_of_the_program_most_objects_have_in_them_is_told() {
        let found = timers(&["shop.Order", "shop.Cart", "shop.Order"], None).unwrap();
        assert_eq!((&*found.name, &*found.package), ("shop.Order", "shop"));
        assert_eq!(timers(&["shop.Order", "shop.Cart"], None), None);
        assert_eq!(timers(&["str", "str"], None), None);
    }

    #[test]
    fn what_they_call_is_told_where_nothing_of_the_program_is_in_them() {
        let called = |argument: Option<&str>| {
            let mut heap = SnapshotBuilder::new();
            heap.flags("shop.Order", TypeFlags::PYTHON);
            let modules = heap.object("dict");
            heap.root(RootKind::Modules, modules);
            let shop = heap.module(modules, "shop");
            let forget = heap.object("function");
            let globals = heap.object("dict");
            heap.reference(shop, Via::Attribute("__dict__"), globals);
            heap.entry(globals, "forget", forget);
            let code = heap.object("code");
            heap.reference(forget, Via::Attribute("__code__"), code);
            let name = heap.object("str");
            heap.key_text(name, "forget");
            heap.reference(code, Via::Attribute("co_name"), name);
            heap.reference(forget, Via::Attribute("__globals__"), globals);
            let timer = heap.object("threading.Timer");
            heap.entry(globals, "timer", timer);
            heap.reference(timer, Via::Attribute("function"), forget);
            if let Some(argument) = argument {
                let argument = heap.object(argument);
                heap.reference(timer, Via::Attribute("args"), argument);
            }
            let heap = heap.finish();
            inside(&heap, &Places::of(&heap), &[timer])
        };
        let found = called(None).unwrap();
        assert_eq!(
            (&*found.name, &*found.package),
            ("function shop.forget()", "shop")
        );
        assert_eq!(called(Some("shop.Order")).unwrap().name, "shop.Order");
    }

    #[test]
    fn what_the_program_holds_elsewhere_is_not_in_them() {
        assert_eq!(timers(&["shop.Order", "shop.Order"], Some("order")), None);
    }
}
