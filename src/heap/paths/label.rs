//! One step of a path by a label that many steps share: indices and keys are masked.

use super::print::{Printer, is_identifier, is_thread_local};
use super::{Arrival, PathRoot, Paths, is_exact};
use crate::python_repr::python_repr;
use crate::snapshot::{Label, LabelName, ObjId, RootKind, Snapshot};

/// A step of a path, to be put after those before it: `sys.modules` `['shop.cache']` `.ROWS` `[*]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StepLabel {
    /// As a person types it after what comes before; after `->` what no code can name.
    pub(crate) text: String,
    /// Whether the next step is one from what comes before this one.
    pub(crate) part: Part,
}

/// Of what an object is but a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Of nothing.
    Itself,
    /// It is the `__dict__` of the object before.
    Attributes,
    /// It is the cell of a local variable, which has the same name as what is in it.
    Cell,
    /// It holds the dicts of attributes of the `threading.local` before, one for each thread.
    Threads,
}

impl Paths {
    /// The label of an object's last step; `before` is that of the step before, if there is one.
    pub(crate) fn step_label(
        &self,
        snapshot: &Snapshot,
        arrival: &Arrival,
        before: Option<&StepLabel>,
        object: ObjId,
    ) -> StepLabel {
        let printer = Printer {
            paths: self,
            snapshot,
        };
        match arrival {
            Arrival::Root(root) => root_label(&printer, root, object),
            Arrival::Reference { from, label, key } => {
                let nothing = StepLabel::itself("");
                let before = before.unwrap_or(&nothing);
                label_of(&printer, (*from, before), *label, *key, object)
            }
        }
    }
}

impl StepLabel {
    fn itself(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            part: Part::Itself,
        }
    }

    fn part(text: impl Into<String>, part: Part) -> Self {
        Self {
            text: text.into(),
            part,
        }
    }
}

fn root_label(printer: &Printer<'_>, root: &PathRoot, object: ObjId) -> StepLabel {
    match root {
        PathRoot::Builtins => StepLabel::part(printer.root_text(root, object), Part::Attributes),
        PathRoot::Thread { field, .. } => StepLabel::itself(format!("<{field} of a thread>")),
        root => StepLabel::itself(printer.root_text(root, object)),
    }
}

fn label_of(
    printer: &Printer<'_>,
    (from, before): (ObjId, &StepLabel),
    label: Label,
    key: Option<ObjId>,
    to: ObjId,
) -> StepLabel {
    let snapshot = printer.snapshot;
    let text = |text| snapshot.strings.get(text);
    match (label.name(), before.part) {
        (LabelName::Attribute(name), Part::Cell) if text(name) == "cell_contents" => {
            StepLabel::itself(&*before.text)
        }
        (LabelName::Value(_), Part::Threads) => StepLabel::part(".__dict__", Part::Attributes),
        (LabelName::Value(_), Part::Attributes) => {
            StepLabel::itself(match key.and_then(|key| key_text(snapshot, key)) {
                Some(name) if is_identifier(name) => format!(".{name}"),
                Some(name) => format!(".__dict__[{}]", python_repr(name)),
                None => ".__dict__[*]".to_owned(),
            })
        }
        (LabelName::Key(_), Part::Attributes) => StepLabel::itself(".__dict__.keys()[*]"),
        (LabelName::Value(_), _) if is_sys_modules(snapshot, from) => {
            let module = key.and_then(|key| key_text(snapshot, key));
            StepLabel::itself(match module {
                Some(module) => format!("[{}]", python_repr(module)),
                None => "[*]".to_owned(),
            })
        }
        (LabelName::Key(_), _) => StepLabel::itself(".keys()[*]"),
        (LabelName::Value(_) | LabelName::Member(_) | LabelName::Item(_), _) => {
            StepLabel::itself("[*]")
        }
        (LabelName::Attribute(name), _) => match text(name) {
            "__dict__" => StepLabel::part(".__dict__", Part::Attributes),
            name if is_identifier(name) => StepLabel::itself(format!(".{name}")),
            name => StepLabel::itself(format!("->{name}")),
        },
        (LabelName::Local(name), _) => local(snapshot, from, text(name), to),
        (LabelName::Type, _) => StepLabel::itself(".__class__"),
        (LabelName::Internal(name), _) => internal(printer, from, text(name), to),
        (LabelName::None, _) => internal(printer, from, "", to),
    }
}

fn local(snapshot: &Snapshot, from: ObjId, name: &str, to: ObjId) -> StepLabel {
    let of_type = snapshot.type_of(from);
    let text = match &*of_type.name {
        _ if of_type.is_frame() => format!(": local {name}"),
        "generator" => format!(".gi_frame.f_locals[{}]", python_repr(name)),
        "coroutine" => format!(".cr_frame.f_locals[{}]", python_repr(name)),
        "async_generator" => format!(".ag_frame.f_locals[{}]", python_repr(name)),
        "frame" => format!(".f_locals[{}]", python_repr(name)),
        _ => format!("->{name}"),
    };
    match is_exact(snapshot, to, "cell") {
        true => StepLabel::part(text, Part::Cell),
        false => StepLabel::itself(text),
    }
}

fn internal(printer: &Printer<'_>, from: ObjId, name: &str, to: ObjId) -> StepLabel {
    let snapshot = printer.snapshot;
    if is_thread_local(snapshot, from) && is_exact(snapshot, to, "dict") {
        return StepLabel::part("->threads", Part::Threads);
    }
    if let Some(variable) = printer.context_variable(from, to) {
        return StepLabel::itself(format!("[{}]", variable.expression));
    }
    StepLabel::itself(match name {
        "" => format!("->({})", snapshot.type_of(to).key()),
        name => format!("->{name}"),
    })
}

/// The characters of a key that is a plain `str`.
fn key_text(snapshot: &Snapshot, key: ObjId) -> Option<&str> {
    let is_plain = is_exact(snapshot, key, "str");
    is_plain.then(|| snapshot.key_text(key)).flatten()
}

/// Whether an object is `sys.modules`, whose keys are names.
fn is_sys_modules(snapshot: &Snapshot, object: ObjId) -> bool {
    snapshot
        .roots
        .iter()
        .any(|root| root.kind == RootKind::Modules && root.object == object)
}
