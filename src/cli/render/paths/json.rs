//! The JSON of `leakhunt paths`.

use leakhunt_heap::{Branch, HeldObject, Snapshot};
use serde::Serialize;

use super::PathsShown;

/// The name and version of the JSON schema.
const PATHS_SCHEMA: &str = "leakhunt.paths/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    file: &'a str,
    /// What was asked for.
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
    address: Option<u64>,
    objects: u64,
    bytes: u64,
    garbage_objects: u64,
    garbage_bytes: u64,
    merged_objects: u64,
    merged_bytes: u64,
    branches: Vec<Row<'a>>,
    paths: Vec<Whole<'a>>,
}

/// A branch; parents come before their children.
#[derive(Serialize)]
struct Row<'a> {
    /// Its place among the branches.
    id: usize,
    /// That of the branch before.
    parent: Option<usize>,
    label: &'a str,
    /// The labels from the root on.
    path: String,
    #[serde(rename = "type")]
    type_name: &'a str,
    objects: u64,
    bytes: u64,
    ending: u64,
    places: u64,
    /// Of one of the places.
    address: Option<u64>,
    repeats: bool,
}

#[derive(Serialize)]
struct Whole<'a> {
    address: u64,
    #[serde(rename = "type")]
    type_name: String,
    bytes: u64,
    path: &'a str,
    evaluates: bool,
    holder: Option<HeldBy<'a>>,
}

#[derive(Serialize)]
struct HeldBy<'a> {
    name: &'a str,
    path: &'a str,
    evaluates: bool,
    #[serde(rename = "type")]
    type_name: String,
    address: u64,
    package: Option<&'a str>,
}

pub(super) fn document(shown: &PathsShown<'_>) -> Vec<u8> {
    let merged = shown.merged;
    let mut branches = Vec::new();
    for root in &merged.root {
        add(&mut branches, root, None, shown.snapshot);
    }
    let document = Document {
        schema: PATHS_SCHEMA,
        file: shown.file,
        type_name: shown.subject.type_name.as_deref(),
        address: shown.subject.address,
        objects: merged.n_objects,
        bytes: merged.size_bytes,
        garbage_objects: merged.n_garbage,
        garbage_bytes: merged.garbage_bytes,
        merged_objects: merged.n_merged,
        merged_bytes: merged.merged_bytes,
        branches,
        paths: shown
            .whole
            .iter()
            .map(|one| whole(one, shown.snapshot))
            .collect(),
    };
    let mut json = serde_json::to_vec(&document).unwrap_or_default();
    json.push(b'\n');
    json
}

fn add<'a>(
    rows: &mut Vec<Row<'a>>,
    branch: &'a Branch,
    parent: Option<usize>,
    snapshot: &Snapshot,
) {
    let before = parent.map_or("", |parent| &rows[parent].path);
    let id = rows.len();
    rows.push(Row {
        id,
        parent,
        label: &branch.label,
        path: format!("{before}{}", branch.label),
        type_name: &branch.type_name,
        objects: branch.n_objects,
        bytes: branch.size_bytes,
        ending: branch.n_ending,
        places: branch.n_places,
        address: branch
            .place
            .map(|place| snapshot.objects.address[place.0 as usize]),
        repeats: branch.repeats,
    });
    for child in &branch.children {
        add(rows, child, Some(id), snapshot);
    }
}

fn whole<'a>(one: &'a HeldObject, snapshot: &Snapshot) -> Whole<'a> {
    let address_of = |object: leakhunt_heap::ObjId| snapshot.objects.address[object.0 as usize];
    Whole {
        address: address_of(one.object),
        type_name: snapshot.type_of(one.object).key(),
        bytes: snapshot.objects.size_bytes[one.object.0 as usize],
        path: &one.path.expression,
        evaluates: one.path.is_evaluable,
        holder: one.holder.as_ref().map(|holder| HeldBy {
            name: &holder.name,
            path: &holder.expression,
            evaluates: holder.is_evaluable,
            type_name: snapshot.type_of(holder.object).key(),
            address: address_of(holder.object),
            package: (!holder.package.is_empty()).then_some(&*holder.package),
        }),
    }
}
