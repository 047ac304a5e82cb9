//! Suspects as a document of JSON.

use leakhunt_heap::{Held, Suspect, SuspectShape, Suspects};
use serde::Serialize;

use super::{SuspectsView, place};
use crate::render::rows::rfc3339;

/// The name and version of the schema.
const SUSPECTS_SCHEMA: &str = "leakhunt.suspects/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    file: &'a str,
    baseline: Option<&'a str>,
    pid: u32,
    python: &'a str,
    time: Option<String>,
    objects: u64,
    bytes: u64,
    bytes_before: Option<u64>,
    threshold_bytes: u64,
    suspects: Vec<Row<'a>>,
    spread: Vec<HeldRow<'a>>,
    next: String,
}

#[derive(Serialize)]
struct Row<'a> {
    place: String,
    shape: &'static str,
    #[serde(rename = "type")]
    type_key: &'a str,
    address: u64,
    places: u64,
    holds: Vec<HeldRow<'a>>,
    objects: u64,
    shallow_bytes: u64,
    retained_bytes: u64,
    retained_bytes_before: Option<u64>,
    share: f64,
    path: Option<&'a str>,
    evaluates: bool,
    pattern: Option<&'a str>,
    sample: Option<Sample>,
    package: Option<&'a str>,
    stdlib: bool,
    next: String,
}

#[derive(Serialize)]
struct HeldRow<'a> {
    #[serde(rename = "type")]
    type_key: &'a str,
    objects: u64,
    retained_bytes: u64,
}

#[derive(Serialize)]
struct Sample {
    objects: u64,
    through: u64,
}

pub(super) fn document(view: &SuspectsView<'_>, found: &Suspects) -> Vec<u8> {
    let capture = &view.snapshot.capture;
    let rows = found
        .suspects
        .iter()
        .map(|suspect| row(view, suspect, found));
    super::super::json_line(&Document {
        schema: SUSPECTS_SCHEMA,
        file: view.name,
        baseline: view.baseline,
        pid: capture.pid,
        python: &capture.python,
        time: i64::try_from(capture.taken_at_us).ok().and_then(rfc3339),
        objects: found.n_objects,
        bytes: found.size_bytes,
        bytes_before: found.size_bytes_before,
        threshold_bytes: found.threshold_bytes,
        suspects: rows.collect(),
        spread: found.spread.iter().map(held).collect(),
        next: view.next(),
    })
}

fn row<'a>(view: &SuspectsView<'_>, suspect: &'a Suspect, found: &Suspects) -> Row<'a> {
    let path = suspect.path.as_ref();
    let holder = suspect.holder.as_ref();
    let package = holder.map(|holder| &*holder.package);
    Row {
        place: place(suspect),
        shape: match suspect.shape {
            SuspectShape::Object => "object",
            SuspectShape::Group => "group",
            SuspectShape::Chain => "chain",
        },
        type_key: &suspect.type_key,
        address: view.snapshot.objects.address[suspect.object.0 as usize],
        places: suspect.n_places,
        holds: suspect.holds.iter().map(held).collect(),
        objects: suspect.n_objects,
        shallow_bytes: suspect.shallow_bytes,
        retained_bytes: suspect.retained_bytes,
        retained_bytes_before: suspect.retained_bytes_before,
        share: match found.size_bytes {
            0 => 0.0,
            bytes => suspect.retained_bytes as f64 / bytes as f64,
        },
        path: path.map(|path| &*path.expression),
        evaluates: path.is_some_and(|path| path.is_evaluable),
        pattern: suspect.pattern.as_deref(),
        sample: suspect
            .sample
            .map(|(objects, through)| Sample { objects, through }),
        package: package.filter(|package| !package.is_empty()),
        stdlib: holder.is_some_and(|holder| holder.is_stdlib),
        next: format!("{} --trace", view.next()),
    }
}

fn held(held: &Held) -> HeldRow<'_> {
    HeldRow {
        type_key: &held.type_key,
        objects: held.n_objects,
        retained_bytes: held.retained_bytes,
    }
}
