//! What of the program is in objects of Python's own.

use std::collections::VecDeque;

use leakhunt_wire::TypeFlags;

use super::places::Places;
use crate::paths::{is_stdlib, package};
use crate::snapshot::{ObjId, Snapshot};

/// What of the program most of some objects have in them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inside {
    /// `shop.cart.Cart`, `coroutine shop.mail.watch()`.
    pub name: String,
    /// Its top-level package.
    pub package: String,
}

/// So many objects are gone over for each one that is looked into.
const MOST_STEPS: usize = 200;

/// The nearest object of a class of the program, or function of it that waits to go on, that more than
/// half of `objects` lead to, as far as nothing else does. `None` where they are of such a class
/// themselves.
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
    while let Some(from) = queue.pop_front() {
        let references = snapshot.references_of(from);
        for (_, target) in references.take(MOST_STEPS) {
            n_steps += 1;
            if n_steps > MOST_STEPS {
                return None;
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
    None
}

fn of_program(snapshot: &Snapshot, places: &Places, object: ObjId) -> Option<Inside> {
    let of_type = snapshot.type_of(object);
    let is_instance =
        of_type.flags & TypeFlags::PYTHON != 0 && of_type.flags & TypeFlags::TYPE == 0;
    if is_instance && !is_stdlib(&of_type.module) {
        return Some(Inside {
            name: of_type.key(),
            package: package(&of_type.module).to_owned(),
        });
    }
    let suspended = places.paths().suspended(snapshot, object)?;
    let is_known = !suspended.module.is_empty() && !is_stdlib(&suspended.module);
    is_known.then(|| Inside {
        name: format!("{} {}()", of_type.name.replace('_', " "), suspended.key()),
        package: package(&suspended.module).to_owned(),
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
    fn what_the_program_holds_elsewhere_is_not_in_them() {
        assert_eq!(timers(&["shop.Order", "shop.Order"], Some("order")), None);
    }
}
