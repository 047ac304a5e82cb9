//! Caches: as a table, as JSON, as Home Assistant's profiler logs them.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::Serialize;

use super::inventory::{Head, framed, last_line, pause_ms, shown};
use super::json_line;
use super::numbers::{bytes, count, count_delta};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_start, escape_controls};
use crate::args::InventoryFormat;
use crate::caches::{Cache, HaLine, Mark};
use crate::commands::inventory::{Held, How, Listed, Listing};

/// The name and version of the JSON schema.
const LRU_SCHEMA: &str = "leakhunt.lru/1";
/// A longer name or place loses its start in a table.
const MOST_NAME_CHARS: usize = 60;

/// A look at all caches.
pub(crate) fn lru(listing: &Listing<Cache>, lines: &[HaLine], how: &How) -> Vec<u8> {
    match how.format {
        InventoryFormat::Table => as_table(listing, how).into_bytes(),
        InventoryFormat::Json => json(listing, how),
        InventoryFormat::Ha => as_lines(lines, how).into_bytes(),
    }
}

fn as_table(listing: &Listing<Cache>, how: &How) -> String {
    let shown = shown(&listing.items, how);
    let has_before = shown.iter().any(|listed| listed.item.since.is_some());
    let mut columns = vec![text("cache"), number("size"), number("limit")];
    columns.extend([number("hits"), number("misses"), number("hit rate")]);
    columns.push(number("retained"));
    if has_before {
        columns.extend([number("size +"), number("misses +")]);
    }
    columns.extend([text("at"), text("note")]);
    let rows = shown.iter().map(|listed| row(listed, has_before));
    let mut out = table(&columns, rows, how.color);
    out.push_str(&last_line(listing, listing.items.len(), "cache", how));
    framed(listing, out)
}

fn row(listed: &Listed<Cache>, has_before: bool) -> (Emphasis, Vec<String>) {
    let cache = &listed.item;
    let marks = cache.marks();
    let or_nothing = |number: Option<u64>| number.map(count).unwrap_or_default();
    let name = escape_controls(&cache.name()).into_owned();
    let star = if marks.is_empty() { "" } else { " *" };
    let mut cells = vec![
        format!("{}{star}", cut_start(&name, MOST_NAME_CHARS)),
        or_nothing(cache.size),
        match (cache.has_limit, cache.max_size) {
            (Some(false), _) => "none".to_owned(),
            (_, most) => or_nothing(most),
        },
        or_nothing(cache.hits),
        or_nothing(cache.misses),
        cache
            .hit_percent()
            .map(|percent| format!("{percent:.0} %"))
            .unwrap_or_default(),
        cache.retained_bytes().map(bytes).unwrap_or_default(),
    ];
    if has_before {
        let since = cache.since.unwrap_or_default();
        cells.extend([count_delta(since.size), count_delta(since.misses)]);
    }
    cells.push(place(cache));
    cells.push(notes(listed, &marks));
    let emphasis = if marks.is_empty() {
        Emphasis::None
    } else {
        Emphasis::Strong
    };
    (emphasis, cells)
}

/// `shop/cart.py:12`, or the package that the cache is of.
fn place(cache: &Cache) -> String {
    match (&cache.file, cache.line) {
        (Some(file), Some(line)) => {
            let place = format!("{file}:{line}");
            cut_start(&escape_controls(&place), MOST_NAME_CHARS).into_owned()
        }
        _ => escape_controls(&cache.type_name).into_owned(),
    }
}

fn notes(listed: &Listed<Cache>, marks: &[Mark]) -> String {
    let cache = &listed.item;
    let mut notes: Vec<String> = marks
        .iter()
        .map(|mark| match mark {
            Mark::Unbounded => "unbounded".to_owned(),
            Mark::NeverHits => "never hits".to_owned(),
            Mark::OnlyMisses => "full, hardly ever hits".to_owned(),
        })
        .collect();
    if let Some(first) = cache
        .first_arguments
        .as_ref()
        .filter(|_| cache.keeps_self())
    {
        let type_name = escape_controls(&first.type_name).into_owned();
        notes.push(format!(
            "keeps {} {type_name} alive",
            count(first.n_objects)
        ));
    }
    if listed.is_new {
        notes.push("new".to_owned());
    }
    notes.join(", ")
}

fn as_lines(lines: &[HaLine], how: &How) -> String {
    let mut out = String::new();
    for line in shown(lines, how) {
        let _ = writeln!(out, "{}", line.text);
    }
    out
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head,
    pause_ms: f64,
    n_caches: usize,
    n_gone: usize,
    n_missing: usize,
    caches: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    address: u64,
    kind: &'static str,
    #[serde(rename = "type")]
    type_name: &'a str,
    name: String,
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
    hits: Option<u64>,
    misses: Option<u64>,
    hit_percent: Option<f64>,
    uses: Option<u64>,
    size: Option<u64>,
    weight: Option<u64>,
    max_size: Option<u64>,
    bounded: Option<bool>,
    first_argument: Option<&'a str>,
    first_arguments: Option<u64>,
    keeps_self: bool,
    retained_bytes: Option<u64>,
    path: Option<&'a str>,
    holder: Option<&'a str>,
    marks: Vec<&'static str>,
    is_new: bool,
    hits_delta: Option<i64>,
    misses_delta: Option<i64>,
    size_delta: Option<i64>,
}

fn json(listing: &Listing<Cache>, how: &How) -> Vec<u8> {
    json_line(&Document {
        head: Head::new(LRU_SCHEMA, listing),
        pause_ms: pause_ms(listing),
        n_caches: listing.n_items,
        n_gone: listing.n_gone,
        n_missing: listing.missing.len(),
        caches: shown(&listing.items, how).iter().map(json_row).collect(),
    })
}

fn json_row(listed: &Listed<Cache>) -> Row<'_> {
    let cache = &listed.item;
    let first = cache.first_arguments.as_ref();
    let held = cache.held.as_ref();
    Row {
        address: cache.address,
        kind: cache.kind.key(),
        type_name: &cache.type_name,
        name: cache.name(),
        function: cache.function.as_deref(),
        file: cache.file.as_deref(),
        line: cache.line,
        hits: cache.hits,
        misses: cache.misses,
        hit_percent: cache.hit_percent(),
        uses: cache.uses,
        size: cache.size,
        weight: cache.weight,
        max_size: cache.max_size,
        bounded: cache.has_limit,
        first_argument: first.map(|first| first.type_name.as_str()),
        first_arguments: first.map(|first| first.n_objects),
        keeps_self: cache.keeps_self(),
        retained_bytes: cache.retained_bytes(),
        path: held.and_then(Held::known_path),
        holder: held.and_then(Held::known_holder),
        marks: cache.marks().into_iter().map(Mark::key).collect(),
        is_new: listed.is_new,
        hits_delta: cache.since.map(|since| since.hits),
        misses_delta: cache.since.map(|since| since.misses),
        size_delta: cache.since.map(|since| since.size),
    }
}
