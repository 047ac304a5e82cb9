//! One cycle of a component, and how it reads.

use std::collections::{HashMap, VecDeque};

use leakhunt_wire::TypeFlags;

use super::components::Components;
use crate::attributes::entries;
use crate::functions::{FunctionName, Functions};
use crate::paths::is_stdlib;
use crate::snapshot::{Label, LabelName, ObjId, Snapshot};

/// How far a cycle is written out.
const MOST_STEPS: usize = 12;
/// A larger `dict` has keys that are values rather than names.
const SMALL_DICT: usize = 64;

/// What names a component: see [`maker`].
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Maker {
    pub(super) module: String,
    pub(super) name: String,
}

/// Whose code a component comes from: a function whose function object, frame, generator or coroutine
/// is in it; else the class of an instance; else a class in it; each first one that is not Python's own. With it the
/// member to read the cycle from.
pub(super) fn maker(
    snapshot: &Snapshot,
    functions: &Functions,
    members: &[ObjId],
) -> (Maker, ObjId) {
    let mut best: Option<(u32, Maker, ObjId)> = None;
    for &member in members {
        let Some((rank, maker)) = candidate(snapshot, functions, member) else {
            continue;
        };
        if best.as_ref().is_none_or(|&(least, ..)| rank < least) {
            best = Some((rank, maker, member));
            if rank == 0 {
                break;
            }
        }
    }
    let found = best.map(|(_, maker, member)| (maker, member));
    found.unwrap_or_else(|| (Maker::default(), members[0]))
}

fn candidate(snapshot: &Snapshot, functions: &Functions, member: ObjId) -> Option<(u32, Maker)> {
    let of_type = snapshot.type_of(member);
    let (base, module, name) = match functions.name_of(snapshot, member) {
        Some(FunctionName { module, name }) => (0, module, name),
        None if of_type.flags & TypeFlags::TYPE != 0 => {
            let FunctionName { module, name } = functions.name_of_class(snapshot, member)?;
            (2, module, name)
        }
        None if of_type.flags & TypeFlags::PYTHON != 0 => {
            (1, of_type.module.clone(), of_type.qualname.clone())
        }
        None => return None,
    };
    let is_own = is_stdlib(&module);
    Some((base + 3 * u32::from(is_own), Maker { module, name }))
}

/// A shortest way from a member back to itself within its component: each object with the label of
/// its reference to the next. Empty where there is none.
pub(super) fn shortest(
    snapshot: &Snapshot,
    components: &Components,
    start: ObjId,
) -> Vec<(ObjId, Label)> {
    let component = components.of_object(start);
    let mut from: HashMap<ObjId, (ObjId, Label)> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(object) = queue.pop_front() {
        for (label, target) in snapshot.references_of(object) {
            if target == start {
                let mut way = vec![(object, label)];
                while let Some(&(before, label)) = from.get(&way[way.len() - 1].0) {
                    way.push((before, label));
                }
                way.reverse();
                return way;
            }
            if components.of_object(target) == component && !from.contains_key(&target) {
                from.insert(target, (object, label));
                queue.push_back(target);
            }
        }
    }
    Vec::new()
}

/// How a cycle reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    /// `shop.Node.on_close → method Node.close → shop.Node`.
    pub(super) cycle: String,
    /// The attributes, variables and entries that it goes through, in order.
    pub(super) through: Vec<String>,
}

/// Writes a cycle down. A `__dict__`, and the tuple and the cell of a closure, are but parts of whom
/// they belong to.
pub(super) fn text(snapshot: &Snapshot, functions: &Functions, way: &[(ObjId, Label)]) -> Text {
    let mut text = Text::default();
    let Some(&(start, _)) = way.first() else {
        return text;
    };
    let mut parts: Vec<String> = Vec::new();
    let mut index = 0;
    while index < way.len() {
        let (object, label) = way[index];
        let (suffix, n_steps) = step(snapshot, functions, &way[index..]);
        let name = suffix.trim_start_matches(['.', ' ', '-', '>']);
        if !name.is_empty() && label.name() != LabelName::None {
            text.through.push(name.to_owned());
        }
        parts.push(format!("{}{suffix}", name_of(snapshot, functions, object)));
        index += n_steps;
    }
    if parts.len() > MOST_STEPS {
        parts.drain(MOST_STEPS - 1..parts.len() - 1);
        parts.insert(MOST_STEPS - 1, "…".into());
    }
    parts.push(name_of(snapshot, functions, start));
    text.cycle = parts.join(" → ");
    text
}

/// What comes after an object's name, and how many references of the way it stands for.
fn step(snapshot: &Snapshot, functions: &Functions, way: &[(ObjId, Label)]) -> (String, usize) {
    let (object, label) = way[0];
    let text = |id| snapshot.strings.get(id);
    let next = |place: usize| way.get(place).copied();
    match label.name() {
        LabelName::Attribute(name) if text(name) == "__dict__" => match next(1) {
            Some((dict, label)) if matches!(label.name(), LabelName::Value(_)) => (
                format!(".{}", key(snapshot, dict, label).unwrap_or("[*]")),
                2,
            ),
            _ => (".__dict__".into(), 1),
        },
        LabelName::Attribute(name) if text(name) == "__closure__" => match (next(1), next(2)) {
            (Some(_), Some((cell, _))) => {
                let variable = functions.free_variable(snapshot, object, cell);
                (format!(" closure {}", variable.unwrap_or("cell")), 3)
            }
            _ => (".__closure__".into(), 1),
        },
        LabelName::Attribute(name) => (format!(".{}", text(name)), 1),
        LabelName::Local(name) => (format!(" local {}", text(name)), 1),
        LabelName::Internal(name) => (format!("->{}", text(name)), 1),
        LabelName::Value(_) => match key(snapshot, object, label) {
            Some(key) => (format!("[{}]", crate::python_repr::python_repr(key)), 1),
            None => ("[*]".into(), 1),
        },
        LabelName::Item(_) | LabelName::Member(_) => ("[*]".into(), 1),
        LabelName::Key(_) => (" key".into(), 1),
        LabelName::Type => (".__class__".into(), 1),
        LabelName::None => (String::new(), 1),
    }
}

/// The key of an entry of a small `dict`.
fn key(snapshot: &Snapshot, dict: ObjId, label: Label) -> Option<&str> {
    let LabelName::Value(place) = label.name() else {
        return None;
    };
    let place = Label::new(LabelName::Key(place));
    let (_, key) = snapshot
        .references_of(dict)
        .find(|&(label, _)| label == place)?;
    (entries(snapshot, dict).count() <= SMALL_DICT)
        .then(|| snapshot.key_text(key))
        .flatten()
}

fn name_of(snapshot: &Snapshot, functions: &Functions, object: ObjId) -> String {
    let kind = snapshot.type_of(object).key();
    if let Some(function) = functions.name_of(snapshot, object) {
        return format!("{kind} {}()", function.name);
    }
    let is_class = snapshot.type_of(object).flags & TypeFlags::TYPE != 0;
    match is_class.then(|| functions.name_of_class(snapshot, object)) {
        Some(Some(class)) => format!("{kind} {}", class.name),
        _ => kind,
    }
}
