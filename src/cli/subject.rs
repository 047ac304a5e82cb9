//! The objects of a snapshot that a command is asked about.

use leakhunt_heap::{ObjId, Snapshot, Type, TypePattern};

use crate::args::SubjectArgs;
use crate::failure::{Exit, Failure};
use crate::near_names::NearNames;
use crate::render::text::escape_controls;

/// How many types are named where a pattern means several.
const MOST_NAMED: usize = 5;

/// The objects, at least one.
#[derive(Debug)]
pub(crate) struct Subject {
    /// `objects of shop.cache.Template`, `the object at 0x7f3a1c204a90, a list`.
    pub(crate) text: String,
    /// What was typed: the type.
    pub(crate) type_name: Option<String>,
    /// What was typed: the address.
    pub(crate) address: Option<u64>,
    /// Ascending.
    pub(crate) objects: Vec<ObjId>,
}

impl Subject {
    /// What `args` mean in a snapshot.
    ///
    /// # Errors
    /// When there is no such object; tells what is near.
    pub(crate) fn find(
        args: &SubjectArgs,
        snapshot: &Snapshot,
        file: &str,
    ) -> Result<Self, Failure> {
        // The command line has one of the two.
        match (&args.r#type, args.addr) {
            (Some(pattern), _) => Self::of_type(pattern, snapshot, file),
            (None, address) => Self::at(address.unwrap_or_default(), snapshot, file),
        }
    }

    fn of_type(pattern: &TypePattern, snapshot: &Snapshot, file: &str) -> Result<Self, Failure> {
        let is_meant: Vec<bool> = snapshot
            .types
            .iter()
            .map(|of_type| !of_type.is_frame() && pattern.matches(of_type))
            .collect();
        let objects: Vec<ObjId> = snapshot
            .ids()
            .filter(|object| is_meant[snapshot.objects.type_id[object.0 as usize].0 as usize])
            .collect();
        let typed = escape_controls(pattern.text());
        if objects.is_empty() {
            let mut near = NearNames::new(pattern.text());
            for Type {
                module,
                qualname,
                name,
                ..
            } in &snapshot.types
            {
                near.add(module, qualname, name);
            }
            let help = near
                .nearest()
                .unwrap_or_else(|| format!("`leakhunt show {file} --limit 0` shows all types"));
            let message = format!("{file} has no object of a type {typed}");
            return Err(Failure::new(Exit::Nothing, message).with_help(help));
        }
        let mut names: Vec<String> = objects
            .iter()
            .map(|object| snapshot.objects.type_id[object.0 as usize])
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|type_id| escape_controls(&snapshot.types[type_id.0 as usize].key()).into_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        let text = match names.len() {
            0..=MOST_NAMED => names.join(", "),
            n_types => format!("{n_types} types that `{typed}` matches"),
        };
        Ok(Self {
            text: format!("of {text}"),
            type_name: Some(pattern.text().to_owned()),
            address: None,
            objects,
        })
    }

    fn at(address: u64, snapshot: &Snapshot, file: &str) -> Result<Self, Failure> {
        let Some(object) = snapshot.objects.at(address) else {
            let message = format!("{file} has no object at {address:#x}");
            return Err(Failure::new(Exit::Nothing, message).with_help(around(address, snapshot)));
        };
        let type_name = snapshot.type_of(object).key();
        Ok(Self {
            text: format!("at {address:#x}, of {}", escape_controls(&type_name)),
            type_name: None,
            address: Some(address),
            objects: vec![object],
        })
    }
}

/// What an address may mean where no object begins.
fn around(address: u64, snapshot: &Snapshot) -> String {
    let objects = &snapshot.objects;
    let before = objects.address.partition_point(|&start| start < address);
    let within = before.checked_sub(1).filter(|&index| {
        let end = objects.address[index].saturating_add(objects.size_bytes[index]);
        address < end
    });
    match within {
        Some(index) => {
            let of_type = &snapshot.types[objects.type_id[index].0 as usize];
            format!(
                "it may be within the {} at {:#x}",
                escape_controls(&of_type.key()),
                objects.address[index]
            )
        }
        None => "the object may be younger than the snapshot, or gone before it; \
                 `leakhunt paths FILE --type TYPE` tells the addresses that there are"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use leakhunt_heap::SnapshotBuilder;

    use super::*;
    use crate::failure::help_of;

    fn find(r#type: Option<&str>, addr: Option<u64>) -> Result<Subject, anyhow::Error> {
        let mut heap = SnapshotBuilder::new();
        for name in ["shop.Row", "shop.Col", "lib.Row", "dict"] {
            heap.object(name);
        }
        let r#type = r#type.map(TypePattern::new);
        let args = SubjectArgs { r#type, addr };
        Ok(Subject::find(&args, &heap.finish(), "f.leakhunt")?)
    }

    #[test]
    fn all_types_of_a_name_are_meant() {
        let subject = find(Some("Row"), None).unwrap();
        assert_eq!(subject.objects, [ObjId(0), ObjId(2)]);
        assert_eq!(subject.text, "of lib.Row, shop.Row");
        assert_eq!(find(Some("shop.*"), None).unwrap().objects.len(), 2);
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is_near() {
        let error = find(Some("shop.Rov"), None).unwrap_err();
        assert_eq!(crate::failure::exit_of(&error), Exit::Nothing);
        assert!(help_of(&error).unwrap().contains("shop.Row"));
        let error = find(Some("Zebra"), None).unwrap_err();
        assert!(
            help_of(&error)
                .unwrap()
                .contains("show f.leakhunt --limit 0")
        );
        let error = find(None, Some(0x7f00_0000_0041)).unwrap_err();
        assert_eq!(crate::failure::exit_of(&error), Exit::Nothing);
        let help = help_of(&error).unwrap();
        assert_eq!(help, "it may be within the shop.Col at 0x7f0000000040");
        let error = find(None, Some(0x10)).unwrap_err();
        assert!(help_of(&error).unwrap().contains("younger"));
        let found = find(None, Some(0x7f00_0000_0040)).unwrap();
        assert_eq!(found.text, "at 0x7f0000000040, of shop.Col");
    }
}
