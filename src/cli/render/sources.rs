//! The newest objects of growing types in any of the formats.

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_wire::Note;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::numbers::{bytes, count, count_delta, counted, duration};
use super::python_repr::python_repr;
use super::text::{cut_end, escape_controls};
use crate::args::{SourcesFormat, SourcesRank};

/// The name and version of the JSON schema.
const SOURCES_SCHEMA: &str = "leakhunt.sources/1";
/// How much of a repr is shown to people.
const TEXT_CHARS: usize = 120;

/// One look.
#[derive(Clone, Debug)]
pub(crate) struct SourcesLook {
    pub(crate) pid: u32,
    pub(crate) time: OffsetDateTime,
    /// 1 is the first.
    pub(crate) look: u64,
    /// Since the look before.
    pub(crate) elapsed: Option<Duration>,
    pub(crate) pause_us: u64,
    pub(crate) n_objects: u64,
    pub(crate) size_bytes: u64,
    /// Types that grew, shown or not.
    pub(crate) n_types: u64,
    /// Those of one type and holder stand together.
    pub(crate) objects: Vec<SourceObject>,
    /// By `__name__`: new objects beyond those shown.
    pub(crate) overflow: Vec<(String, u64)>,
    /// What keeps the look from being all that it could be.
    pub(crate) notes: Vec<String>,
    /// Whether the look before had none, or others.
    pub(crate) has_other_notes: bool,
}

/// One new object.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SourceObject {
    pub(crate) address: u64,
    /// `module.qualname`.
    #[serde(rename = "type")]
    pub(crate) type_key: String,
    /// `__name__`.
    #[serde(skip)]
    pub(crate) type_name: String,
    /// Objects of the type at the look before; with rank `gc` the most there ever were, of all types
    /// of the name.
    pub(crate) count_before: u64,
    pub(crate) count: u64,
    /// The nearest that is not builtin; `None` where there is none.
    pub(crate) holder: Option<SourceHolder>,
    /// The part of the new objects of the type that it holds, from a sample; `None`: not known.
    pub(crate) holder_share_estimate: Option<f64>,
    /// From a root; `None` where none leads there.
    pub(crate) path: Option<String>,
    /// Whether the path, typed in the target, gives the object.
    pub(crate) evaluates: bool,
    /// What it looks like.
    #[serde(flatten)]
    pub(crate) looks: Looks,
    /// The file that a class, function, module or frame comes from.
    pub(crate) file: Option<String>,
    /// What the first object that refers to it looks like.
    #[serde(skip)]
    pub(crate) referrer: Option<Looks>,
    /// `file:line`, the newest frame first.
    pub(crate) made_at: Vec<String>,
}

/// What holds an object.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct SourceHolder {
    /// `shop.cache.RENDER_CACHE`.
    pub(crate) name: String,
    /// `dict`.
    #[serde(rename = "type")]
    pub(crate) type_key: String,
    /// `shop`.
    pub(crate) package: Option<String>,
}

/// What an object looks like.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Looks {
    /// `None` where there is no text: the object is gone, or its repr failed.
    pub(crate) text: Option<String>,
    /// As of a dump; `none` where nothing was asked or the object is gone.
    pub(crate) note: &'static str,
}

impl Looks {
    /// Not known.
    pub(crate) fn unknown() -> Self {
        Self {
            text: None,
            note: "none",
        }
    }

    /// As the target tells.
    pub(crate) fn new(note: Note, text: &str) -> Self {
        let (note, has_text) = match note {
            Note::Whole => ("whole", true),
            Note::Shortened => ("shortened", true),
            Note::Raised => ("raised", true),
            Note::TimedOut => ("timed_out", false),
            Note::Crashed => ("crashed", false),
        };
        Self {
            text: has_text.then(|| text.to_owned()),
            note,
        }
    }
}

impl SourceObject {
    /// `Template@0x7f3a1c204a90`, where there is nothing better.
    fn plain(&self) -> String {
        format!("<{}@{:#x}>", self.type_key, self.address)
    }

    fn text(&self) -> String {
        self.looks.text.clone().unwrap_or_else(|| self.plain())
    }
}

/// How sources are to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourcesView {
    pub(crate) format: SourcesFormat,
    pub(crate) rank: SourcesRank,
    pub(crate) interval: Duration,
    /// Whether another look follows the first.
    pub(crate) goes_on: bool,
}

impl SourcesView {
    /// One look.
    pub(crate) fn look(&self, look: &SourcesLook) -> Vec<u8> {
        match self.format {
            SourcesFormat::Text => self.text(look).into_bytes(),
            SourcesFormat::Ha => self.home_assistant(look).into_bytes(),
            SourcesFormat::Json => self.json(look),
        }
    }

    /// Whether the first look has nothing to compare with.
    fn is_baseline(&self, look: &SourcesLook) -> bool {
        look.look == 1 && self.rank == SourcesRank::Growth
    }

    fn text(&self, look: &SourcesLook) -> String {
        let mut shown = heading(look);
        if self.is_baseline(look) {
            let next = match self.goes_on {
                true => format!(
                    "growth shows from the next look on, in {}",
                    duration(self.interval)
                ),
                false => "growth shows from a second look on: leave --count 1 out".into(),
            };
            let _ = writeln!(shown, "the baseline: {next}");
        } else if look.objects.is_empty() {
            shown.push_str(match look.n_types {
                0 => "no type grew\n",
                _ => "no new object to show\n",
            });
        }
        let mut last: Option<&SourceObject> = None;
        for object in &look.objects {
            let is_of_last_place = last.is_some_and(|last| is_of_one_place(last, object));
            if !is_of_last_place {
                place_line(&mut shown, object);
            }
            if !is_of_last_place || last.is_none_or(|last| last.type_key != object.type_key) {
                type_line(&mut shown, object);
            }
            object_lines(&mut shown, object);
            last = Some(object);
        }
        let n_shown = n_types_of(&look.objects);
        if look.n_types > n_shown && n_shown > 0 {
            let n_more = look.n_types - n_shown;
            let _ = writeln!(
                shown,
                "{} grew; --limit 0 shows all",
                counted(n_more, "more type")
            );
        }
        let _ = writeln!(
            shown,
            "objects {}  bytes {}  pause {}",
            count(look.n_objects),
            bytes(look.size_bytes),
            duration(Duration::from_micros(look.pause_us))
        );
        for note in look.notes.iter().filter(|_| look.has_other_notes) {
            let _ = writeln!(shown, "{note}");
        }
        shown.push('\n');
        shown
    }

    /// As Home Assistant's profiler logs it.
    fn home_assistant(&self, look: &SourcesLook) -> String {
        let mut shown = String::new();
        if self.is_baseline(look) {
            return shown;
        }
        for object in &look.objects {
            let text = object.text();
            let _ = writeln!(
                shown,
                "New object {} ({}/{}) at {}: {}",
                object.type_name,
                object.count_before,
                object.count,
                location(object, &text),
                text
            );
        }
        if !look.overflow.is_empty() {
            let counts: Vec<_> = look
                .overflow
                .iter()
                .map(|(name, count)| format!("{}: {count}", python_repr(name)))
                .collect();
            let _ = writeln!(shown, "New objects overflowed by {{{}}}", counts.join(", "));
        } else if look.objects.is_empty() {
            shown.push_str("No new object growth found\n");
        }
        shown
    }

    fn json(&self, look: &SourcesLook) -> Vec<u8> {
        #[derive(Serialize)]
        struct Overflow<'a> {
            name: &'a str,
            count: u64,
        }
        #[derive(Serialize)]
        struct Line<'a> {
            schema: &'static str,
            pid: u32,
            time: String,
            look: u64,
            rank: &'static str,
            is_baseline: bool,
            pause_ms: f64,
            objects_total: u64,
            bytes_total: u64,
            types_grown: u64,
            objects: &'a [SourceObject],
            overflow: Vec<Overflow<'a>>,
            notes: &'a [String],
        }
        let line = Line {
            schema: SOURCES_SCHEMA,
            pid: look.pid,
            time: look.time.format(&Rfc3339).unwrap_or_default(),
            look: look.look,
            rank: match self.rank {
                SourcesRank::Growth => "growth",
                SourcesRank::Gc => "gc",
            },
            is_baseline: self.is_baseline(look),
            pause_ms: look.pause_us as f64 / 1000.0,
            objects_total: look.n_objects,
            bytes_total: look.size_bytes,
            types_grown: look.n_types,
            objects: &look.objects,
            overflow: look
                .overflow
                .iter()
                .map(|(name, count)| Overflow {
                    name,
                    count: *count,
                })
                .collect(),
            notes: &look.notes,
        };
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

fn heading(look: &SourcesLook) -> String {
    let clock = look
        .time
        .format(format_description!("[hour]:[minute]:[second]"))
        .unwrap_or_default();
    let after = look.elapsed.map_or(String::new(), |elapsed| {
        format!(", {} after the last", duration(elapsed))
    });
    format!("look {} at {clock} UTC{after}\n", look.look)
}

fn is_of_one_place(one: &SourceObject, other: &SourceObject) -> bool {
    one.holder == other.holder && one.path.is_some() == other.path.is_some()
}

/// `shop.cache.RENDER_CACHE (dict)`.
fn place_line(shown: &mut String, object: &SourceObject) {
    let place = match &object.holder {
        Some(holder) => {
            let package = holder.package.as_deref();
            let package = package
                .filter(|&package| !holder.name.contains(package))
                .map_or(String::new(), |package| {
                    format!(", package {}", escape_controls(package))
                });
            format!(
                "{} ({}){package}",
                escape_controls(&holder.name),
                escape_controls(&holder.type_key)
            )
        }
        None if object.path.is_some() => "held by builtin objects alone".into(),
        None => "not reached from any root".into(),
    };
    let _ = writeln!(shown, "{place}");
}

/// `+155 shop.cache.Entry, now 12,310`.
fn type_line(shown: &mut String, object: &SourceObject) {
    let delta = i64::try_from(object.count).unwrap_or(i64::MAX)
        - i64::try_from(object.count_before).unwrap_or(i64::MAX);
    let share = match object.holder_share_estimate.map(|share| share * 100.0) {
        Some(percent) if percent < 99.5 => format!(", about {percent:.0} % of the new ones here"),
        _ => String::new(),
    };
    let _ = writeln!(
        shown,
        "  {} {}, now {}{share}",
        count_delta(delta),
        escape_controls(&object.type_key),
        count(object.count)
    );
}

fn object_lines(shown: &mut String, object: &SourceObject) {
    let text = escape_controls(&object.text()).into_owned();
    let note = match object.looks.note {
        "timed_out" => "  (its repr took too long)",
        "crashed" => "  (its repr crashed)",
        _ => "",
    };
    let _ = writeln!(shown, "    {}{note}", cut_end(&text, TEXT_CHARS));
    if let Some(path) = &object.path {
        let about = if object.evaluates {
            ""
        } else {
            "  (not to be typed)"
        };
        let _ = writeln!(shown, "      path     {}{about}", escape_controls(path));
    }
    for (index, place) in object.made_at.iter().enumerate() {
        let title = if index == 0 { "made at" } else { "" };
        let _ = writeln!(shown, "      {title:<8} {}", escape_controls(place));
    }
}

/// The file of what has one, else the list of what the first that refers to it and it itself look like.
fn location(object: &SourceObject, text: &str) -> String {
    if let Some(file) = &object.file {
        return file.clone();
    }
    let referrer = object.referrer.iter().map(|looks| {
        let text = looks.text.as_deref();
        python_repr(text.unwrap_or("<no repr>"))
    });
    let chain: Vec<_> = referrer.chain([python_repr(text)]).collect();
    format!("[{}]", chain.join(", "))
}

fn n_types_of(objects: &[SourceObject]) -> u64 {
    let mut keys: Vec<&str> = objects.iter().map(|object| &*object.type_key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len() as u64
}

#[cfg(test)]
mod tests;
