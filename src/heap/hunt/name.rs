//! What a growing place is called.

use rustc_hash::FxHashMap;

use super::growing::{Growing, GrowthOf};
use super::places::{Places, Way, WayId};
use crate::paths::{Holder, Path, PathRoot, is_stdlib};
use crate::snapshot::{LabelName, ObjId, Objects, Snapshot, Type};

/// A growing place, as people know it.
#[derive(Clone, Debug)]
pub struct PlaceName {
    /// `shop.cache.RENDER_CACHE`; of places that are many, as an attribute of each session, with `[*]`.
    pub place: String,
    /// The object that grows, or the one of many that holds most.
    pub holder: ObjId,
    /// As Python code, with `[*]` for each of the entries.
    pub expression: String,
    /// The way from a root to one of the objects that it holds.
    pub path: Path,
    /// The module that the place belongs to; empty where it is not known.
    pub module: String,
    /// Its top-level package; empty where it is not known.
    pub package: String,
    /// The class of the nearest object on the way to it, itself included, that is neither Python's own
    /// nor of the standard library; empty where there is none.
    pub owner_type: String,
    /// Whether nothing on the way to it was made by the program or its packages.
    pub is_stdlib: bool,
    /// The newest of the objects that it holds, at most 16.
    pub examples: Vec<ObjId>,
}

/// So many of the newest objects are named.
pub(super) const MOST_EXAMPLES: usize = 16;

/// Of so many links it is asked which chain they are of.
const FEW_LINKS: usize = 8;

/// So many objects at most are between two links of a chain, and the second of them.
const MOST_BETWEEN_LINKS: usize = 16;

/// The names of growing places, in their order; `None` where no path leads to one.
pub fn name_places(
    snapshot: &Snapshot,
    places: &Places,
    growing: &[Growing],
) -> Vec<Option<PlaceName>> {
    let mut members: FxHashMap<WayId, Vec<ObjId>> = growing
        .iter()
        .map(|one| (one.ways[0], Vec::new()))
        .collect();
    for object in snapshot.ids() {
        if let Some(way) = places.way_of(object)
            && let Some(members) = members.get_mut(&way)
        {
            members.push(object);
        }
    }
    growing
        .iter()
        .map(|one| name(snapshot, places, one, &members[&one.ways[0]]))
        .collect()
}

fn name(
    snapshot: &Snapshot,
    places: &Places,
    growing: &Growing,
    members: &[ObjId],
) -> Option<PlaceName> {
    let paths = places.paths();
    let (holder, object, is_one) = match growing.of {
        GrowthOf::Objects => largest_holder(places, growing.ways[0], members)?,
        GrowthOf::References | GrowthOf::Bytes => {
            let object = *members.first()?;
            (object, object, members.len() == 1)
        }
    };
    let path = paths.to(snapshot, object)?;
    let step = path
        .steps
        .iter()
        .rposition(|step| step.object == holder)
        .unwrap_or(0);
    let found = paths.holder_at(snapshot, &path, step);
    let mut place = match &found {
        Some(found) => found.name.clone(),
        None => path.steps[step].name.clone(),
    };
    let mut expression = expression_of(&path, step);
    if !is_one {
        place = many(&path, step, &place);
        expression = many(&path, step, &expression);
    }
    if growing.of == GrowthOf::Objects {
        let last = path.steps.last()?;
        let before = path.steps.len().checked_sub(2);
        let is_in_dict = before.is_some_and(|before| path.steps[before].expression.is_empty());
        expression = match last.label.name() {
            LabelName::Item(_) | LabelName::Member(_) | LabelName::Key(_) | LabelName::Value(_)
                if !is_in_dict && !path.steps[step].expression.is_empty() =>
            {
                format!("{expression}[*]")
            }
            _ => many(&path, path.steps.len() - 1, &path.expression),
        };
    }
    let Holder {
        module,
        package,
        is_stdlib,
        ..
    } = found.unwrap_or_else(|| Holder {
        name: String::new(),
        expression: String::new(),
        is_evaluable: false,
        object: holder,
        module: String::new(),
        package: String::new(),
        is_stdlib: true,
    });
    Some(PlaceName {
        place,
        holder,
        expression,
        module,
        package,
        owner_type: owner_type(snapshot, &path, step),
        is_stdlib,
        examples: newest(snapshot, members),
        path,
    })
}

/// See [`PlaceName::owner_type`].
fn owner_type(snapshot: &Snapshot, path: &Path, step: usize) -> String {
    let steps = path.steps[..=step].iter().rev();
    let mut types = steps.map(|step| snapshot.type_of(step.object));
    let owner = types.find(|of_type| !of_type.module.is_empty() && !is_stdlib(&of_type.module));
    owner.map_or_else(String::new, Type::key)
}

/// The expression of a step, or of what it is a part of.
fn expression_of(path: &Path, step: usize) -> String {
    let named = path.steps[..=step].iter().rev();
    let mut named = named.filter(|step| !step.expression.is_empty());
    named
        .next()
        .map_or_else(String::new, |step| step.expression.clone())
}

/// The holder that most objects have in common, one of its objects, and whether it has half of them.
fn largest_holder(places: &Places, way: WayId, members: &[ObjId]) -> Option<(ObjId, ObjId, bool)> {
    let mut counts: FxHashMap<ObjId, usize> = FxHashMap::default();
    let mut n_held = 0;
    for &member in members {
        if let Some(parent) = places.paths().parent(member) {
            *counts.entry(parent).or_default() += 1;
            n_held += 1;
        }
    }
    let Some((&holder, &n_most)) = counts
        .iter()
        .max_by_key(|&(holder, count)| (count, std::cmp::Reverse(holder)))
    else {
        // Frames, and what the interpreter itself keeps, hang on nothing.
        let &first = members.first()?;
        return Some((first, first, true));
    };
    let is_one = n_most * 2 >= n_held;
    if places.way(way).to != way && !(is_one && n_held > 2) {
        let (first, next) = start_of_chain(places, way, *members.first()?)?;
        let starts_there = |&&member: &&ObjId| {
            start_of_chain(places, way, member).is_some_and(|(start, _)| start == first)
        };
        // One of many chains stands for all.
        let few = members.iter().step_by(members.len().div_ceil(FEW_LINKS));
        return Some((
            first,
            next,
            few.clone().count() == few.filter(starts_there).count(),
        ));
    }
    let object = members
        .iter()
        .copied()
        .find(|&member| places.paths().parent(member) == Some(holder))?;
    // Those that the links of a chain hold, each its own, are the chain's.
    let is_of_links = |&member: &ObjId| {
        let way = places.way_of(owner(places, member)?)?;
        Some(places.way(way).to != way)
    };
    if !is_one
        && members
            .iter()
            .filter_map(is_of_links)
            .any(|is_link| is_link)
    {
        let way = places.way_of(owner(places, object)?)?;
        let (first, next) = start_of_chain(places, way, object)?;
        return Some((first, next, true));
    }
    Some((holder, object, is_one))
}

/// Who refers to an object; for an attribute that is in a `__dict__` the one whose that is.
fn owner(places: &Places, object: ObjId) -> Option<ObjId> {
    let parents = std::iter::successors(places.paths().parent(object), |&parent| {
        places.paths().parent(parent)
    });
    parents
        .into_iter()
        .find(|&parent| places.way_of(parent).is_some())
}

/// Of a chain or a tree each link holds the next: the one that no other holds, and the object on the way
/// from it to `member` that it refers to.
fn start_of_chain(places: &Places, way: WayId, member: ObjId) -> Option<(ObjId, ObjId)> {
    let place = places.way(way).to;
    let is_link = |object| places.way_of(object).map(|way| places.way(way).to) == Some(place);
    let mut start = None;
    let mut next = member;
    for owner in owners(places, member) {
        if is_link(owner) {
            start = Some((owner, next));
        }
        next = owner;
    }
    start.map(|start| start_of_run(places, place, start))
}

/// Links of a type made in C are one place from the fourth on, as it takes some to know a chain by: the
/// first one, from a later one and what that refers to.
fn start_of_run(places: &Places, place: WayId, start: (ObjId, ObjId)) -> (ObjId, ObjId) {
    let Way { type_id, label, .. } = *places.way(place);
    let way_of = |object| places.way_of(object).map(|way| places.way(way));
    let (mut first, mut next) = start;
    let mut most_between = MOST_BETWEEN_LINKS;
    // What a link refers to by the label of the chain is one more, whatever leads to the link itself.
    while way_of(first).is_some_and(|way| way.type_id == type_id && way.label == label) {
        let mut refers_to = first;
        let mut before = None;
        for (n_between, owner) in owners(places, first).take(most_between).enumerate() {
            if way_of(owner).is_some_and(|way| way.type_id == type_id) {
                before = Some((owner, refers_to, n_between + 1));
                break;
            }
            refers_to = owner;
        }
        let Some((owner, refers_to, n_steps)) = before else {
            break;
        };
        (first, next) = (owner, refers_to);
        most_between = n_steps;
    }
    (first, next)
}

/// Who refers to an object, and so on up to a root; a `__dict__` is but a part of its owner.
fn owners(places: &Places, object: ObjId) -> impl Iterator<Item = ObjId> + '_ {
    std::iter::successors(owner(places, object), |&object| owner(places, object))
}

/// An expression in which the last step into a collection is any entry.
fn many(path: &Path, step: usize, expression: &str) -> String {
    // A module is no entry like others.
    let first = match path.root {
        PathRoot::Modules => 2,
        _ => 1,
    };
    let entry = (first..=step).rev().find(|&index| {
        let label = path.steps[index].label.name();
        matches!(label, LabelName::Item(_) | LabelName::Value(_))
            && !path.steps[index - 1].expression.is_empty()
    });
    let Some(entry) = entry else {
        return expression.to_owned();
    };
    let (before, at) = (
        &path.steps[entry - 1].expression,
        &path.steps[entry].expression,
    );
    let Some(index) = at.strip_prefix(before.as_str()) else {
        return expression.to_owned();
    };
    match expression.rfind(index) {
        Some(place) if !index.is_empty() => format!(
            "{}[*]{}",
            &expression[..place],
            &expression[place + index.len()..]
        ),
        _ => expression.to_owned(),
    }
}

/// The newest first, as far as the collector's order tells.
fn newest(snapshot: &Snapshot, members: &[ObjId]) -> Vec<ObjId> {
    let place = |object: &ObjId| match snapshot.objects.birth_place[object.0 as usize] {
        Objects::UNTRACKED => 0,
        place => place + 1,
    };
    let mut newest = members.to_vec();
    newest.sort_by_key(|object| std::cmp::Reverse((place(object), *object)));
    newest.truncate(MOST_EXAMPLES);
    newest
}

#[cfg(test)]
mod tests;
