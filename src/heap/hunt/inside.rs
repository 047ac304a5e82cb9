//! What of the program is in objects of Python's own.

use std::collections::VecDeque;

use leakhunt_wire::TypeFlags;

use super::places::Places;
use crate::attributes::field;
use crate::paths::is_stdlib;
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
/// half of `objects` lead to, as far as nothing else does, with what that calls in another package; else
/// the nearest function of the program that they refer to. `None` where they are of such a class
/// themselves, and call nothing of another package.
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
    if let Some(own) = of_program(snapshot, places, object) {
        let function = called_by(snapshot, places, object)?;
        return (own.package != function.package).then(|| own.that_calls(function));
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
                return Some(match called_by(snapshot, places, target) {
                    Some(function) => found.that_calls(function),
                    None => found,
                });
            }
            queue.push_back(target);
        }
    }
    called
}

/// What an object of the program alone has to call, as one of a framework that stands for a call:
/// whoever wrote that function asked for it.
fn called_by(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    let attributes = field(snapshot, object, "__dict__");
    let owners = [Some(object), attributes].into_iter().flatten();
    let references = owners.flat_map(|owner| {
        let references = snapshot.references_of(owner).take(MOST_STEPS);
        references.map(move |(_, target)| (owner, target))
    });
    references
        .filter(|&(owner, target)| places.paths().parent(target) == Some(owner))
        .find_map(|(_, target)| called_of_program(snapshot, places, target))
}

impl Inside {
    /// With the function that it calls, where that is of another package.
    fn that_calls(self, function: Self) -> Self {
        if function.package == self.package {
            return self;
        }
        Self {
            name: format!("{} that calls {}", self.name, function.name),
            package: function.package,
        }
    }
}

/// A function of the program, as what a timer or a finalizer calls.
fn called_of_program(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    let function = places.paths().callable(snapshot, object)?;
    of_module(places, &function.module, || {
        format!("function {}()", function.key())
    })
}

fn of_module(places: &Places, module: &str, name: impl FnOnce() -> String) -> Option<Inside> {
    (!module.is_empty() && !is_stdlib(module)).then(|| Inside {
        name: name(),
        package: places.paths().package_of(module).to_owned(),
    })
}

fn of_program(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    let of_type = snapshot.type_of(object);
    let is_instance =
        of_type.flags & TypeFlags::PYTHON != 0 && of_type.flags & TypeFlags::TYPE == 0;
    if is_instance {
        return of_module(places, &of_type.module, || of_type.key());
    }
    let suspended = places.paths().suspended(snapshot, object)?;
    let kind = of_type.name.replace('_', " ");
    of_module(places, &suspended.module, || {
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

    /// A listener of a framework, which refers to a function of `program`.
    fn listener_of(program: &str) -> Inside {
        let mut heap = SnapshotBuilder::new();
        heap.flags("framework.Job", TypeFlags::PYTHON);
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let framework = heap.module(modules, "framework");
        let module = heap.module(modules, program);
        let globals = heap.object("dict");
        heap.reference(module, Via::Attribute("__dict__"), globals);
        // The package that its module is in has no file.
        let plugins = heap.module(modules, "plugins");
        let path = heap.object("_frozen_importlib_external._NamespacePath");
        heap.attribute(plugins, "__path__", path);
        let listeners = heap.object("list");
        heap.attribute(framework, "listeners", listeners);
        let listener = heap.object("tuple");
        heap.reference(listeners, Via::Item(0), listener);
        let job = heap.object("framework.Job");
        heap.reference(listener, Via::Item(0), job);
        let target = heap.object("function");
        heap.attribute(job, "target", target);
        let code = heap.object("code");
        heap.reference(target, Via::Attribute("__code__"), code);
        let name = heap.object("str");
        heap.key_text(name, "on_event");
        heap.reference(code, Via::Attribute("co_name"), name);
        heap.reference(target, Via::Attribute("__globals__"), globals);
        let heap = heap.finish();
        inside(&heap, &Places::of(&heap), &[listener]).unwrap()
    }

    #[test]
    fn an_object_of_a_framework_is_told_with_what_it_calls_in_another_package() {
        let found = listener_of("plugins.lamp.events");
        assert_eq!(
            found.name,
            "framework.Job that calls function plugins.lamp.events.on_event()"
        );
        assert_eq!(found.package, "plugins.lamp");
        let own = listener_of("framework.events");
        assert_eq!((&*own.name, &*own.package), ("framework.Job", "framework"));
    }
}
