//! Who is to blame for an object: the nearest place on its path that the program's own code made.

use leakhunt_wire::TypeFlags;

use super::spoken::is_suspended;
use super::stdlib::is_stdlib;
use super::{Path, PathRoot, PathStep, Paths, is_class, is_exact};
use crate::snapshot::{LabelName, ObjId, Snapshot};

/// The place that holds an object: an attribute of a module, a class or an instance, a variable of a
/// function, a container there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// For people: `shop.cache.RENDER_CACHE`, `frame handle(): local rows`, `shop.price cache`.
    pub name: String,
    /// As [`Path::expression`], of the place.
    pub expression: String,
    /// See [`Path::is_evaluable`].
    pub is_evaluable: bool,
    /// What is at the place: mostly a container.
    pub object: ObjId,
    /// The module that the place belongs to; empty where it is not known.
    pub module: String,
    /// Its top-level package; empty where it is not known.
    pub package: String,
    /// Whether it is a part of Python, as nothing else on the path has a name.
    pub is_stdlib: bool,
}

/// A step whose object has a name of its own, and the module of it.
struct Owner<'p> {
    index: usize,
    module: &'p str,
}

pub(super) fn of(paths: &Paths, snapshot: &Snapshot, path: &Path) -> Option<Holder> {
    let before = path.steps.len().checked_sub(2)?;
    let owner = nearest_owner(paths, snapshot, path, before)?;
    let index = place(snapshot, path, owner.index);
    Some(holder(paths, path, &owner, index))
}

/// The holder of what a step of the path holds.
pub(super) fn at(paths: &Paths, snapshot: &Snapshot, path: &Path, step: usize) -> Option<Holder> {
    let owner = nearest_owner(paths, snapshot, path, step)?;
    // Where the way to the owner has a step without a name, what is beyond still has one in it.
    let n_nameless = |index: usize| path.steps[index].name.matches("->").count();
    let has_name = |&index: &usize| {
        !path.steps[index].expression.is_empty() && n_nameless(index) <= n_nameless(owner.index)
    };
    let index = (owner.index..=step).rev().find(has_name);
    let index = index.unwrap_or(owner.index);
    Some(holder(paths, path, &owner, index))
}

/// Up from a step: first without Python's own.
fn nearest_owner<'p>(
    paths: &'p Paths,
    snapshot: &'p Snapshot,
    path: &'p Path,
    step: usize,
) -> Option<Owner<'p>> {
    let owners = || {
        (0..=step)
            .rev()
            .filter_map(|index| owner(paths, snapshot, path, index))
    };
    owners()
        .find(|owner| !is_stdlib(owner.module))
        .or_else(|| owners().next())
}

fn holder(paths: &Paths, path: &Path, owner: &Owner<'_>, index: usize) -> Holder {
    let step = &path.steps[index];
    Holder {
        name: step.name.clone(),
        expression: step.expression.clone(),
        is_evaluable: step.is_evaluable,
        object: step.object,
        module: owner.module.to_owned(),
        package: paths.functions.package_of(owner.module).to_owned(),
        is_stdlib: is_stdlib(owner.module),
    }
}

/// Whether a step's object is one that a program gives a name or makes of a class of its own.
fn owner<'p>(
    paths: &'p Paths,
    snapshot: &'p Snapshot,
    path: &'p Path,
    index: usize,
) -> Option<Owner<'p>> {
    let step = &path.steps[index];
    let of_type = snapshot.type_of(step.object);
    let module = if is_class(snapshot, step.object) {
        // A class may be reached through a module that has but imported it.
        match paths.classes.type_id(step.object) {
            Some(class) => &snapshot.types[class.0 as usize].module,
            None => paths
                .functions
                .module_of_class(snapshot, step.object)
                .unwrap_or_else(|| module_of(&step.expression)),
        }
    } else if is_exact(snapshot, step.object, "function") {
        // One that no module leads to says itself where it was made.
        match module_of(&step.expression) {
            "" => paths
                .functions
                .module_of(snapshot, step.object)
                .unwrap_or(""),
            module => module,
        }
    } else if is_exact(snapshot, step.object, "module")
        // The value of a context variable, which a module has.
        || step.expression.ends_with(".get()")
    {
        module_of(&step.expression)
    } else if of_type.flags & TypeFlags::PYTHON != 0 {
        &of_type.module
    } else if of_type.is_frame() || is_suspended(of_type) {
        paths
            .functions
            .module_of(snapshot, step.object)
            .unwrap_or("")
    } else if index == 0 && path.root == PathRoot::Modules {
        "sys"
    } else {
        return None;
    };
    Some(Owner { index, module })
}

/// How far the place of an owner goes: not into what is one of many, nor into what has no name.
fn place(snapshot: &Snapshot, path: &Path, owner: usize) -> usize {
    let last = path.steps.len() - 1;
    let after = owner + 1..=last;
    let one_of_many = after.clone().find(|&index| {
        let [before, step] = &path.steps[index - 1..=index] else {
            return false;
        };
        is_one_of_many(snapshot, before, step)
    });
    let entry = after.clone().rev().find(|&index| {
        let label = path.steps[index].label.name();
        let is_attribute = path.steps[index - 1].expression.is_empty();
        matches!(label, LabelName::Value(_) | LabelName::Item(_)) && !is_attribute
    });
    let end = one_of_many.or(entry).unwrap_or(last + 1);
    // What is but a part of the next stands for what it is a part of.
    (owner..end)
        .rev()
        .find(|&index| !path.steps[index].expression.is_empty())
        .unwrap_or(owner)
}

/// Whether another object of the kind may be next to it, or it is in no place that has a name.
fn is_one_of_many(snapshot: &Snapshot, before: &PathStep, step: &PathStep) -> bool {
    match step.label.name() {
        LabelName::Key(_) | LabelName::Member(_) => true,
        LabelName::None | LabelName::Internal(_) => {
            step.name.contains("->") && !before.name.contains("->")
        }
        LabelName::Value(_) => {
            step.expression.ends_with(']')
                && step.expression.starts_with("list(")
                && !before.expression.is_empty()
        }
        LabelName::Item(_) => !is_exact(snapshot, before.object, "tuple"),
        LabelName::Attribute(_) | LabelName::Local(_) | LabelName::Type => false,
    }
}

/// The module that an expression goes through.
fn module_of(expression: &str) -> &str {
    expression
        .split_once("sys.modules['")
        .and_then(|(_, rest)| rest.split_once("']"))
        .map_or("", |(module, _)| module)
}
