//! Paths as Python code.

use leakhunt_wire::TypeFlags;

use super::at_exit;
use super::classes::Shadow;
use super::spoken::{Role, spoken};
use super::{Path, PathRoot, PathStep, Paths, is_class, is_exact};
use crate::attributes::key_at;
use crate::python_repr::python_repr;
use crate::snapshot::{Label, LabelName, ObjId, Objects, Snapshot};

/// How an object is reached.
#[derive(Clone, Debug)]
pub(super) struct Place {
    text: String,
    /// What people call it: mostly the text.
    pub(super) name: String,
    is_evaluable: bool,
    part: Part,
    /// What its references go by.
    pub(super) role: Role,
}

/// Of what an object is but a part, so that the next step is one from there.
#[derive(Clone, Debug)]
enum Part {
    /// Of nothing.
    Itself,
    /// It is the `__dict__` of an object.
    Attributes(Box<Owner>),
    /// It is the cell of a local variable: what is in it goes by the text, too.
    Cell { is_evaluable: bool },
    /// It holds the dicts that are the attributes of a `threading.local`, one for each thread.
    Threads(Box<Owner>),
}

/// Who has a `__dict__`.
#[derive(Clone, Debug)]
struct Owner {
    /// `None` for the module `builtins`.
    object: Option<ObjId>,
    text: String,
    name: String,
    is_evaluable: bool,
}

/// Goes along a path.
pub(super) struct Printer<'a> {
    pub(super) paths: &'a Paths,
    pub(super) snapshot: &'a Snapshot,
}

/// `is_cut`: objects before the last one are left out.
pub(super) fn path(
    paths: &Paths,
    snapshot: &Snapshot,
    root: PathRoot,
    objects: &[(Label, ObjId)],
    is_cut: bool,
) -> Path {
    let printer = Printer { paths, snapshot };
    let mut steps = Vec::with_capacity(objects.len());
    let mut place = Place::fixed(String::new(), false);
    let mut from = None;
    for (index, &(label, object)) in objects.iter().enumerate() {
        place = match from {
            None => printer.start(&root, object),
            Some(_) if is_cut && index + 1 == objects.len() => place.hidden("…"),
            Some(from) => printer.step(from, &place, label, object),
        };
        from = Some(object);
        steps.push(PathStep {
            object,
            label,
            expression: match place.part {
                Part::Attributes(_) | Part::Threads(_) | Part::Cell { .. } => String::new(),
                Part::Itself => place.text.clone(),
            },
            name: place.name.clone(),
            is_evaluable: place.is_evaluable,
        });
    }
    if let Some(last) = steps.last_mut() {
        last.expression.clone_from(&place.text);
    }
    Path {
        expression: place.text,
        is_evaluable: place.is_evaluable,
        root,
        steps,
    }
}

impl Place {
    fn fixed(text: String, is_evaluable: bool) -> Self {
        Self {
            name: text.clone(),
            text,
            is_evaluable,
            part: Part::Itself,
            role: Role::None,
        }
    }

    /// Another text and name of what is reached by code as this is.
    fn like(&self, change: impl Fn(&str) -> String) -> Self {
        Self {
            name: change(&self.name),
            ..Self::fixed(change(&self.text), self.is_evaluable)
        }
    }

    /// Appends to the text.
    fn then(&self, suffix: &str) -> Self {
        self.like(|text| format!("{text}{suffix}"))
    }

    /// Puts the text between.
    fn within(&self, before: &str, after: &str) -> Self {
        self.like(|text| format!("{before}{text}{after}"))
    }

    /// Appends what no code can name.
    fn hidden(&self, name: &str) -> Self {
        Self {
            is_evaluable: false,
            ..self.then(&format!("->{name}"))
        }
    }

    /// The same by another name.
    pub(super) fn called(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Of a `__dict__` whose it is: the object, and what it is called.
    pub(super) fn owner(&self) -> Option<(ObjId, &str)> {
        match &self.part {
            Part::Attributes(owner) => Some((owner.object?, &owner.name)),
            _ => None,
        }
    }

    /// The same with something to know for its references.
    pub(super) fn with(self, role: Role) -> Self {
        Self { role, ..self }
    }
}

impl Owner {
    fn place(&self) -> Place {
        Place::fixed(self.text.clone(), self.is_evaluable).called(self.name.clone())
    }
}

impl Printer<'_> {
    /// What the root of a path is called.
    pub(super) fn root_text(&self, root: &PathRoot, object: ObjId) -> String {
        match root {
            PathRoot::Builtins => builtins().text,
            root => self.start(root, object).text,
        }
    }

    fn start(&self, root: &PathRoot, object: ObjId) -> Place {
        let of_type = self.snapshot.type_of(object);
        match root {
            PathRoot::Modules => Place::fixed("sys.modules".into(), true),
            PathRoot::Builtins => self.attributes(None, &builtins()),
            PathRoot::Frame { function, .. } => Place::fixed(format!("frame {function}()"), false),
            PathRoot::Interpreter { field } => {
                let root = Place::fixed(format!("<{field} of the interpreter>"), false);
                match field == at_exit::FIELD {
                    true => at_exit::root(self, object, root),
                    false => root,
                }
            }
            PathRoot::Thread { field, thread } => {
                Place::fixed(format!("<{field} of thread {thread}>"), false)
            }
            PathRoot::StaticType => {
                let name = self.paths.classes.type_id(object).map_or_else(
                    || of_type.key(),
                    |class| self.snapshot.types[class.0 as usize].key(),
                );
                Place::fixed(format!("<static type {name}>"), false)
            }
            PathRoot::Outside if is_never_freed(self.snapshot, object) => {
                Place::fixed(format!("<{} that is never freed>", of_type.key()), false)
            }
            PathRoot::Outside => {
                Place::fixed(format!("<{} held by native code>", of_type.key()), false)
            }
        }
    }

    fn step(&self, from: ObjId, place: &Place, label: Label, to: ObjId) -> Place {
        let next = self.code(from, place, label, to);
        spoken(self, (from, place), label, (to, next))
    }

    /// A step as Python code.
    fn code(&self, from: ObjId, place: &Place, label: Label, to: ObjId) -> Place {
        let text = |text| self.snapshot.strings.get(text);
        match (label.name(), &place.part) {
            (LabelName::Attribute(name), Part::Cell { is_evaluable })
                if text(name) == "cell_contents" =>
            {
                Place::fixed(place.text.clone(), *is_evaluable).called(place.name.clone())
            }
            (LabelName::Value(_), Part::Threads(owner)) => {
                self.attributes(owner.object, &owner.place())
            }
            (LabelName::Value(index), Part::Attributes(owner)) => match self.key(from, index) {
                Some(key) => self.attribute(owner, key, true, to),
                None => owner
                    .place()
                    .within("list(vars(", &format!(").values())[{index}]")),
            },
            (LabelName::Key(index), Part::Attributes(owner)) => {
                owner.place().within("list(vars(", &format!("))[{index}]"))
            }
            (LabelName::Value(index), _) => match self.key(from, index) {
                Some(key) => self.item(from, place, &python_repr(key)),
                None => self.entry(from, place, "values", index),
            },
            (LabelName::Key(index), _) => self.entry(from, place, "keys", index),
            (LabelName::Member(index), _) => place.within("list(", &format!(")[{index}]")),
            (LabelName::Item(index), _) => self.item(from, place, &index.to_string()),
            (LabelName::Attribute(name), _) if text(name) == "__dict__" => {
                self.attributes(Some(from), place)
            }
            (LabelName::Attribute(name), _) => {
                let owner = Owner {
                    object: Some(from),
                    text: place.text.clone(),
                    name: place.name.clone(),
                    is_evaluable: place.is_evaluable,
                };
                self.attribute(&owner, text(name), false, to)
            }
            (LabelName::Local(name), _) => self.local(from, place, text(name), to),
            (LabelName::Type, _) => place.within("type(", ")"),
            (LabelName::Internal(name), _) => self.internal(from, place, text(name), to),
            (LabelName::None, _) => self.internal(from, place, "", to),
        }
    }

    /// The `__dict__` of an object; that of a class is shown by a view alone.
    fn attributes(&self, object: Option<ObjId>, owner: &Place) -> Place {
        let has_view = object.is_some_and(|object| is_class(self.snapshot, object));
        Place {
            part: Part::Attributes(Box::new(Owner {
                object,
                text: owner.text.clone(),
                name: owner.name.clone(),
                is_evaluable: owner.is_evaluable,
            })),
            is_evaluable: owner.is_evaluable && !has_view,
            ..owner.then(".__dict__")
        }
    }

    fn attribute(&self, owner: &Owner, name: &str, is_in_dict: bool, value: ObjId) -> Place {
        let (snapshot, classes) = (self.snapshot, &self.paths.classes);
        let place = owner.place();
        let plain = || place.then(&format!(".{name}"));
        let in_dict = || place.within("vars(", &format!(")[{}]", python_repr(name)));
        if !is_identifier(name) {
            let is_slot = || {
                let owner = owner.object;
                owner.is_some_and(|owner| classes.shadow(snapshot, owner, name) == Shadow::Field)
            };
            return match is_in_dict || !is_keyword(name) && !is_slot() {
                true => in_dict(),
                false => place.within("getattr(", &format!(", {})", python_repr(name))),
            };
        }
        // To ask a module for it would import (3.15 on).
        if is_in_dict && is_exact(snapshot, value, "lazy_import") {
            return in_dict();
        }
        if answers_another(snapshot, name, is_in_dict, value) {
            return place.hidden(name);
        }
        let Some(object) = owner.object else {
            return plain();
        };
        if is_class(snapshot, object) {
            return match !is_in_dict || classes.answers_itself(snapshot, object, name, value) {
                true => plain(),
                false => in_dict(),
            };
        }
        if classes.overrides(snapshot, object, "__getattribute__") {
            let name = python_repr(name);
            return place.within("object.__getattribute__(", &format!(", {name})"));
        }
        if is_in_dict && matches!(name, "__dict__" | "__class__" | "__weakref__") {
            return in_dict();
        }
        match classes.shadow(snapshot, object, name) {
            Shadow::Property => in_dict(),
            Shadow::Field if is_in_dict => in_dict(),
            Shadow::None | Shadow::Field => plain(),
        }
    }

    /// An entry of a `dict` whose key is not known.
    fn entry(&self, dict: ObjId, place: &Place, what: &str, index: u32) -> Place {
        // A subclass may have an order of its own.
        let is_subclass = self.snapshot.type_of(dict).flags & TypeFlags::DICT != 0
            && !is_exact(self.snapshot, dict, "dict");
        match (!is_subclass, what) {
            (true, "keys") => place.within("list(", &format!(")[{index}]")),
            (true, _) => place.within("list(", &format!(".{what}())[{index}]")),
            (false, _) => place.within(&format!("list(dict.{what}("), &format!("))[{index}]")),
        }
    }

    /// `container[item]`, also where a subclass would answer something else.
    fn item(&self, container: ObjId, place: &Place, item: &str) -> Place {
        let flags = self.snapshot.type_of(container).flags;
        let classes = &self.paths.classes;
        if !classes.overrides(self.snapshot, container, "__getitem__") {
            return place.then(&format!("[{item}]"));
        }
        let builtin = match flags {
            _ if flags & TypeFlags::LIST != 0 => "list",
            _ if flags & TypeFlags::TUPLE != 0 => "tuple",
            _ if flags & TypeFlags::DICT != 0 => "dict",
            _ => return place.hidden(&format!("[{item}]")),
        };
        place.within(&format!("{builtin}.__getitem__("), &format!(", {item})"))
    }

    fn local(&self, from: ObjId, place: &Place, name: &str, to: ObjId) -> Place {
        let of_type = self.snapshot.type_of(from);
        if of_type.is_frame() {
            let is_cell = is_exact(self.snapshot, to, "cell");
            return Place {
                part: match is_cell {
                    true => Part::Cell {
                        is_evaluable: false,
                    },
                    false => Part::Itself,
                },
                ..place.then(&format!(": local {name}"))
            };
        }
        let frame = match &*of_type.name {
            "frame" => "",
            of_type => match frame_attribute("frame", of_type) {
                Some(frame) => frame,
                None => return place.hidden(name),
            },
        };
        let mut local = place.then(&format!("{frame}.f_locals[{}]", python_repr(name)));
        // The first argument of a generator expression, which is no variable.
        local.is_evaluable &= !name.starts_with('.');
        if is_exact(self.snapshot, to, "cell") {
            local.part = Part::Cell {
                is_evaluable: local.is_evaluable,
            };
            local.is_evaluable = false;
        }
        local
    }

    /// What no code can name, except where a person knows another name.
    fn internal(&self, from: ObjId, place: &Place, name: &str, to: ObjId) -> Place {
        let snapshot = self.snapshot;
        let to_type = snapshot.type_of(to);
        if is_thread_local(snapshot, from) && is_exact(snapshot, to, "dict") {
            return Place {
                part: Part::Threads(Box::new(Owner {
                    object: None,
                    text: place.text.clone(),
                    name: place.name.clone(),
                    is_evaluable: false,
                })),
                ..place.hidden("threads")
            };
        }
        if let Some(variable) = self.context_variable(from, to) {
            let get = |text: &str| format!("{text}.get()");
            return Place::fixed(get(&variable.expression), false).called(get(variable.name()));
        }
        // Up to 3.10, where it is an object at all times.
        if let Some(frame) = frame_attribute(&to_type.name, &snapshot.type_of(from).name) {
            return place.then(frame);
        }
        match name {
            "" => place.hidden(&format!("({})", to_type.key())),
            name => place.hidden(name),
        }
    }

    /// The `ContextVar` whose value something is in a node of a `Context`. Keys come after values,
    /// as the nodes are gone over from their end.
    pub(super) fn context_variable(&self, node: ObjId, value: ObjId) -> Option<Path> {
        const NODES: [&str; 2] = ["hamt_bitmap_node", "hamt_collision_node"];
        let snapshot = self.snapshot;
        let is_variable = |object| snapshot.type_of(object).name == "ContextVar";
        if !NODES.contains(&&*snapshot.type_of(node).name) || is_variable(value) {
            return None;
        }
        let mut targets = snapshot.references_of(node).map(|(_, target)| target);
        targets.find(|&target| target == value)?;
        let variable = targets.next().filter(|&key| is_variable(key))?;
        self.paths.to(snapshot, variable)
    }

    /// The characters of a key by which its entry is found.
    pub(super) fn key(&self, dict: ObjId, index: u32) -> Option<&str> {
        let snapshot = self.snapshot;
        let key = key_at(snapshot, dict, index)?;
        let is_plain = is_exact(snapshot, key, "str");
        // A character that cannot be told stands for any.
        let text = snapshot.key_text(key)?;
        (is_plain && !text.contains(char::REPLACEMENT_CHARACTER)).then_some(text)
    }
}

/// Whether who asks for an attribute is given something else, which is made then.
fn answers_another(snapshot: &Snapshot, name: &str, is_in_dict: bool, value: ObjId) -> bool {
    match name {
        // Python 3.10 and 3.11: a function makes a dict of a tuple.
        "__annotations__" => is_exact(snapshot, value, "tuple"),
        // That of a class keeps its slots sorted, beside what the program wrote.
        "__slots__" => !is_in_dict,
        _ => false,
    }
}

/// Where a suspended function has its frame.
fn frame_attribute(of_type: &str, owner: &str) -> Option<&'static str> {
    match owner {
        _ if of_type != "frame" => None,
        "generator" => Some(".gi_frame"),
        "coroutine" => Some(".cr_frame"),
        "async_generator" => Some(".ag_frame"),
        _ => None,
    }
}

fn builtins() -> Place {
    Place::fixed("sys.modules['builtins']".into(), true)
}

fn is_never_freed(snapshot: &Snapshot, object: ObjId) -> bool {
    snapshot.objects.reference_count[object.0 as usize] == Objects::NEVER_FREED
}

/// Whether an object is a `threading.local` or of a subclass.
pub(super) fn is_thread_local(snapshot: &Snapshot, object: ObjId) -> bool {
    let of_type = snapshot.type_of(object);
    let is_local =
        |of_type: &crate::snapshot::Type| of_type.module == "_thread" && of_type.name == "_local";
    is_local(of_type)
        || of_type.base != 0
            && snapshot
                .types
                .iter()
                .any(|base| base.address == of_type.base && is_local(base))
}

/// Whether a name can stand after a dot. Others than ASCII letters may be taken for similar ones.
pub(crate) fn is_identifier(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_letter)
        && name
            .bytes()
            .all(|byte| is_letter(byte) || byte.is_ascii_digit())
        && !is_keyword(name)
}

fn is_keyword(name: &str) -> bool {
    const KEYWORDS: &str = " False None True and as assert async await break class continue def del \
        elif else except finally for from global if import in is lambda nonlocal not or pass raise \
        return try while with yield ";
    KEYWORDS.contains(&format!(" {name} "))
}
