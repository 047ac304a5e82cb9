//! Objects summed by what they have in common.

use std::collections::HashMap;

use super::Scope;
use super::by::Relation;
use super::ids::ModuleNames;
use super::kinds::{Kinds, OwnDict};
use super::referrers::Referrers;
use crate::kinds::{KindRow, KindTable, KindTableFormat};
use crate::snapshot::{ObjId, Snapshot};

/// What is counted: an object, or the `__dict__` that an object would make.
#[derive(Clone, Copy)]
enum Part {
    Object(ObjId),
    VirtualDict(ObjId),
}

/// A relation with what is needed to tell the class of an object.
struct Classifier<'s> {
    relation: Relation,
    snapshot: &'s Snapshot,
    kinds: &'s Kinds,
    referrers: Option<Referrers>,
}

pub(super) fn table(
    snapshot: &Snapshot,
    kinds: &Kinds,
    relations: &[Relation],
    scope: Scope<'_>,
) -> KindTable {
    let classifiers: Vec<Classifier<'_>> = relations
        .iter()
        .map(|&relation| Classifier {
            relation,
            snapshot,
            kinds,
            referrers: (relation == Relation::Rcs).then(|| Referrers::of(snapshot, kinds, scope)),
        })
        .collect();
    let mut sums = Sums::default();
    for object in snapshot.ids() {
        if snapshot.type_of(object).is_frame() || !(scope.is_counted)(object) {
            continue;
        }
        let size_bytes = snapshot.objects.size_bytes[object.0 as usize];
        sums.add(&classifiers, Part::Object(object), size_bytes);
        if let OwnDict::Virtual { size_bytes } = kinds.own_dict(snapshot, object) {
            sums.add(&classifiers, Part::VirtualDict(object), size_bytes);
        }
    }
    let is_alone = classifiers.len() == 1;
    let names = Names {
        of_kinds: kinds.names(snapshot),
        of_modules: ModuleNames::of(snapshot),
    };
    let name = |codes: &[u64]| {
        let parts = classifiers.iter().zip(codes);
        let parts = parts.map(|(of, &code)| of.name(code, is_alone, &names));
        parts.collect::<Vec<_>>().join(" & ")
    };
    let mut rows: Vec<KindRow> = sums
        .sums
        .iter()
        .map(|sum| KindRow {
            kind: name(&sum.codes),
            n_objects: sum.n_objects,
            size_bytes: sum.size_bytes,
        })
        .collect();
    rows.sort_by(|one, other| {
        let by_size = other.size_bytes.cmp(&one.size_bytes);
        by_size.then_with(|| one.kind.cmp(&other.kind))
    });
    let headers = relations.iter().map(|&relation| header(relation, is_alone));
    KindTable {
        kind_header: headers.collect::<Vec<_>>().join(" & "),
        format: KindTableFormat::Set,
        rows,
        ..KindTable::default()
    }
}

fn header(relation: Relation, is_alone: bool) -> &'static str {
    match relation {
        Relation::Clodo => "Kind (class / dict of class)",
        Relation::Type => "Type",
        Relation::Rcs if is_alone => "Referrers by Kind (class / dict of class)",
        Relation::Rcs => "{Referrers by Kind (class / dict of class)}",
        Relation::Module => "Module",
        Relation::Size => "Individual Size",
        Relation::Unity => "<unclassified>",
    }
}

impl Classifier<'_> {
    /// Two parts are the same if this is.
    fn code(&self, part: Part, size_bytes: u64) -> u64 {
        let (Part::Object(object) | Part::VirtualDict(object)) = part;
        let of_type = self.snapshot.objects.type_id[object.0 as usize];
        match (self.relation, part) {
            (Relation::Clodo, Part::Object(_)) => self.kinds.kind_of(object).into(),
            (Relation::Clodo, Part::VirtualDict(_)) => self.kinds.dict_of_kind(of_type).into(),
            (Relation::Type, Part::Object(_)) => of_type.0.into(),
            (Relation::Type, Part::VirtualDict(_)) => {
                self.kinds.dict_type().map_or(NO_TYPE, |id| id.0.into())
            }
            (Relation::Rcs, part) => {
                let set = self.referrers.as_ref().map(|referrers| match part {
                    Part::Object(_) => referrers.set_of(object),
                    Part::VirtualDict(_) => referrers.set_of_one(self.kinds.kind_of(object)),
                });
                set.unwrap_or(0).into()
            }
            (Relation::Module, Part::Object(_)) if is_module(self.snapshot, object) => {
                u64::from(object.0) + 1
            }
            (Relation::Module | Relation::Unity, _) => 0,
            (Relation::Size, _) => size_bytes,
        }
    }

    fn name(&self, code: u64, is_alone: bool, names: &Names<'_>) -> String {
        // Each code was made of such a number.
        let number = u32::try_from(code).unwrap_or(u32::MAX);
        match self.relation {
            Relation::Clodo => names.of_kinds[number as usize].clone(),
            Relation::Type if code == NO_TYPE => "dict".to_owned(),
            Relation::Type => names.of_kinds[number as usize].clone(),
            Relation::Rcs => {
                let kinds = self.referrers.iter();
                let kinds = kinds.flat_map(|referrers| referrers.kinds_in(number));
                let mut in_set: Vec<&str> = kinds
                    .map(|kind| names.of_kinds[kind as usize].as_str())
                    .collect();
                in_set.sort_unstable();
                match (in_set.join(", "), is_alone) {
                    (set, false) => format!("{{{set}}}"),
                    (set, true) if set.is_empty() => "<Nothing>".to_owned(),
                    (set, true) => set,
                }
            }
            Relation::Module if code == 0 => "~module".to_owned(),
            Relation::Module => names.of_modules.name(ObjId(number.saturating_sub(1))),
            Relation::Size if is_alone => format!("{code:9}"),
            Relation::Size => code.to_string(),
            Relation::Unity => "<Anything>".to_owned(),
        }
    }
}

/// What kinds and modules are called.
struct Names<'s> {
    of_kinds: Vec<String>,
    of_modules: ModuleNames<'s>,
}

/// The code of virtual dicts where no other `dict` is.
const NO_TYPE: u64 = u64::MAX;

/// Whether an object is exactly a module, not of a subclass.
pub(super) fn is_module(snapshot: &Snapshot, object: ObjId) -> bool {
    let of = snapshot.type_of(object);
    of.module.is_empty() && of.name == "module"
}

/// What was summed so far.
#[derive(Default)]
struct Sums {
    sums: Vec<Sum>,
    index: HashMap<Vec<u64>, usize>,
    /// Of the part at hand; kept for its memory.
    codes: Vec<u64>,
}

struct Sum {
    codes: Vec<u64>,
    n_objects: i64,
    size_bytes: i64,
}

impl Sums {
    fn add(&mut self, classifiers: &[Classifier<'_>], part: Part, size_bytes: u64) {
        self.codes.clear();
        let codes = classifiers.iter().map(|of| of.code(part, size_bytes));
        self.codes.extend(codes);
        let index = match self.index.get(&self.codes) {
            Some(&index) => index,
            None => {
                self.index.insert(self.codes.clone(), self.sums.len());
                self.sums.push(Sum {
                    codes: self.codes.clone(),
                    n_objects: 0,
                    size_bytes: 0,
                });
                self.sums.len() - 1
            }
        };
        let sum = &mut self.sums[index];
        sum.n_objects = sum.n_objects.saturating_add(1);
        let size_bytes = i64::try_from(size_bytes).unwrap_or(i64::MAX);
        sum.size_bytes = sum.size_bytes.saturating_add(size_bytes);
    }
}
