//! The same name for the same leak, wherever it is seen.

use std::fmt::{self, Display};
use std::ops::Range;

use leakhunt_wire::TypeFlags;

use super::view::is_frame_object;
use crate::attributes::key_at;
use crate::fnv::fnv1a;
use crate::paths::{Path, PathRoot};
use crate::snapshot::{LabelName, Snapshot};

/// A hash of the labels of a suspect stretch. Printed as 16 digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub u64);

impl Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Fingerprint {
    /// Of labels, `.name`, `[*]` for every entry of a collection, `local name`, `->` for
    /// what has no name. A run that comes again and again counts once: a list of
    /// links is the same however long it is.
    pub fn of_labels(labels: &[String]) -> Self {
        Self(fnv1a(folded(labels).join("\n").as_bytes()))
    }
}

/// The fingerprint of a stretch of a path, as of [`super::suspect_stretch`]: where it begins, as a
/// module, a class or a function, and the names on the way.
///
/// No address, index, count, key or number in a name is in it, nor what depends on the version of
/// Python: whether attributes are in a `__dict__` or in the object, whether a coroutine has a frame
/// object.
pub fn fingerprint(snapshot: &Snapshot, path: &Path, stretch: Range<usize>) -> Fingerprint {
    Fingerprint::of_labels(&labels(snapshot, path, stretch))
}

/// The longest run of labels that is known again when it repeats.
const LONGEST_RUN: usize = 4;

fn labels(snapshot: &Snapshot, path: &Path, stretch: Range<usize>) -> Vec<String> {
    let (anchor, first) = anchor(snapshot, path, stretch.start);
    let steps = first..stretch.end.min(path.steps.len());
    let labels = steps.filter_map(|index| label(snapshot, path, index));
    std::iter::once(anchor).chain(labels).collect()
}

/// What the stretch hangs on, and the first step whose label counts.
fn anchor(snapshot: &Snapshot, path: &Path, start: usize) -> (String, usize) {
    let fine = path.steps.get(..start).unwrap_or_default();
    let Some(last_fine) = fine.last() else {
        return (root(snapshot, path), start.max(1));
    };
    let of_type = snapshot.type_of(last_fine.object);
    let is_class = of_type.flags & TypeFlags::TYPE != 0;
    // A class goes by its module and the names from there on: types without instances have no other.
    let module = (0..start)
        .rev()
        .find_map(|index| Some((module_name(snapshot, path, index)?, index + 1)));
    match module {
        Some((name, first)) if is_class || first == start => (format!("module {name}"), first),
        _ if start == 1 => (root(snapshot, path), start),
        _ => (masked(&of_type.key()), start),
    }
}

fn root(snapshot: &Snapshot, path: &Path) -> String {
    let first = path.steps.first();
    let type_key = || first.map_or_else(String::new, |step| snapshot.type_of(step.object).key());
    match &path.root {
        PathRoot::Modules => "sys.modules".to_owned(),
        PathRoot::Builtins => "module builtins".to_owned(),
        // Up to 3.10 the code of a function knows its name alone, not that of its class.
        PathRoot::Frame { function, .. } => {
            format!("frame {}", function.rsplit('.').next().unwrap_or_default())
        }
        PathRoot::Interpreter { field } => format!("interpreter {field}"),
        PathRoot::Thread { field, .. } => format!("thread {field}"),
        PathRoot::StaticType => "static type".to_owned(),
        PathRoot::Outside => format!("outside {}", masked(&type_key())),
    }
}

/// The name of a module that a step of the path leads to from `sys.modules`.
fn module_name<'s>(snapshot: &'s Snapshot, path: &Path, index: usize) -> Option<&'s str> {
    let is_first = index == 1 && path.root == PathRoot::Modules;
    match path.steps[index].label.name() {
        LabelName::Value(place) if is_first => {
            snapshot.key_text(key_at(snapshot, path.steps[0].object, place)?)
        }
        _ => None,
    }
}

/// The label of a step; `None` for one that is but a part of the next or the last one.
fn label(snapshot: &Snapshot, path: &Path, index: usize) -> Option<String> {
    let step = &path.steps[index];
    if let Some(name) = module_name(snapshot, path, index) {
        return Some(format!("module {name}"));
    }
    if step.expression.ends_with(".get()") {
        // The value of a context variable.
        return Some(masked(&step.expression));
    }
    let text = |text| snapshot.strings.get(text);
    Some(match step.label.name() {
        LabelName::Attribute(name) if matches!(text(name), "__dict__" | "cell_contents") => {
            return None;
        }
        LabelName::Internal(_) if is_frame_object(snapshot.type_of(step.object)) => return None,
        LabelName::Value(place) if index > 0 && is_namespace(snapshot, path, index - 1) => {
            let key = key_at(snapshot, path.steps[index - 1].object, place);
            let key = key.and_then(|key| snapshot.key_text(key)).unwrap_or("*");
            format!(".{}", masked(key))
        }
        LabelName::Attribute(name) => format!(".{}", masked(text(name))),
        LabelName::Local(name) => format!("local {}", masked(text(name))),
        LabelName::Value(_) | LabelName::Item(_) | LabelName::Member(_) => "[*]".to_owned(),
        LabelName::Key(_) => "key".to_owned(),
        LabelName::Type => "type".to_owned(),
        LabelName::Internal(_) | LabelName::None => "->".to_owned(),
    })
}

/// Whether a step leads to a `dict` whose keys are names of attributes.
fn is_namespace(snapshot: &Snapshot, path: &Path, index: usize) -> bool {
    match path.steps[index].label.name() {
        LabelName::Attribute(name) => snapshot.strings.get(name) == "__dict__",
        _ => index == 0 && path.root == PathRoot::Builtins,
    }
}

/// A name with `#` for each number in it.
fn masked(name: &str) -> String {
    let mut masked = String::with_capacity(name.len());
    for character in name.chars() {
        if !character.is_ascii_digit() {
            masked.push(character);
        } else if !masked.ends_with('#') {
            masked.push('#');
        }
    }
    masked
}

fn folded(labels: &[String]) -> Vec<&str> {
    let mut folded: Vec<&str> = Vec::with_capacity(labels.len());
    for label in labels {
        folded.push(label);
        for len in 1..=LONGEST_RUN {
            let Some(before) = folded.len().checked_sub(2 * len) else {
                break;
            };
            if folded[before..before + len] == folded[before + len..] {
                folded.truncate(before + len);
                break;
            }
        }
    }
    folded
}
