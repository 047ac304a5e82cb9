//! How many objects of each type there are at one moment.

use std::collections::{BTreeMap, HashMap};

/// The most types of one look. A process that sends more is broken or hostile.
pub const MAX_TYPES: usize = 1_000_000;

/// The most bytes of all names of one look.
pub const MAX_NAME_BYTES: usize = 256 << 20;

/// All types that have objects at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Ascending by [`TypeCount::type_key`], each key once.
    pub types: Vec<TypeCount>,
    /// Objects of all types.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Objects that nothing reaches and that are not freed yet; `None` where it is not known.
    pub n_garbage: Option<u64>,
}

/// The objects of all types of one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeCount {
    /// `module.qualname`; the builtins without a module.
    pub type_key: String,
    /// `__name__`; where types of one key differ in it, that of the first seen.
    pub name: String,
    /// All objects that the collector tracks, frozen ones and garbage included.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Those of the objects that `gc.freeze()` hid from the collector.
    pub n_frozen: u64,
    /// Those that nothing reaches and that are not freed yet; `None` where it is not known.
    pub n_garbage: Option<u64>,
    /// The bytes of the garbage; 0 where it is not known.
    pub garbage_bytes: u64,
    /// Whether some of the bytes are an estimate.
    pub is_estimate: bool,
    /// Place of the first object in the order of `gc.get_objects()`.
    pub first_seen: u64,
}

/// One type as the target tells of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TypeSighting<'a> {
    /// Address of the type; garbage refers to it.
    pub address: u64,
    /// `__module__`; empty for the builtins.
    pub module: &'a str,
    /// `__qualname__`.
    pub qualname: &'a str,
    /// `__name__`.
    pub name: &'a str,
    /// All objects.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// The frozen ones of the objects.
    pub n_frozen: u64,
    /// Whether the bytes are an estimate.
    pub is_estimate: bool,
    /// Place of the first object in the order of `gc.get_objects()`.
    pub first_seen: u64,
}

/// Why what the target tells cannot be a look.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// Over [`MAX_TYPES`].
    #[error("the target claims to have more than {MAX_TYPES} types")]
    TooManyTypes,
    /// Over [`MAX_NAME_BYTES`].
    #[error("the names of the target's types are longer than {MAX_NAME_BYTES} bytes")]
    NamesTooLong,
    /// Garbage of a type that was not told of.
    #[error("the target tells of garbage of an unknown type at {address:#x}")]
    UnknownType {
        /// Where the type is said to be.
        address: u64,
    },
    /// More frozen objects or more garbage than objects.
    #[error("the target's counts contradict each other for the type at {address:#x}")]
    Contradiction {
        /// Where the type is.
        address: u64,
    },
}

/// Collects what the target tells into a [`Look`]. Memory: as much as the names, bounded by
/// [`MAX_TYPES`] and [`MAX_NAME_BYTES`].
#[derive(Debug, Default)]
pub struct LookBuilder {
    types: Vec<TypeCount>,
    index_by_address: HashMap<u64, usize>,
    name_bytes: usize,
    garbage_is_known: bool,
}

impl LookBuilder {
    /// Adds a type.
    ///
    /// # Errors
    /// When there are too many, or frozen objects outnumber the objects.
    pub fn add_type(&mut self, sighting: TypeSighting<'_>) -> Result<(), LookError> {
        if self.types.len() >= MAX_TYPES {
            return Err(LookError::TooManyTypes);
        }
        self.name_bytes += sighting.module.len() + sighting.qualname.len() + sighting.name.len();
        if self.name_bytes > MAX_NAME_BYTES {
            return Err(LookError::NamesTooLong);
        }
        if sighting.n_frozen > sighting.n_objects {
            return Err(LookError::Contradiction {
                address: sighting.address,
            });
        }
        self.index_by_address
            .insert(sighting.address, self.types.len());
        self.types.push(TypeCount {
            type_key: type_key(sighting.module, sighting.qualname),
            name: sighting.name.to_owned(),
            n_objects: sighting.n_objects,
            size_bytes: sighting.size_bytes,
            n_frozen: sighting.n_frozen,
            n_garbage: None,
            garbage_bytes: 0,
            is_estimate: sighting.is_estimate,
            first_seen: sighting.first_seen,
        });
        Ok(())
    }

    /// Tells how much of a type is garbage. Types of which this is not said have none, once
    /// [`garbage_is_known`](Self::garbage_is_known) was called.
    ///
    /// # Errors
    /// When the type is unknown or has fewer objects than that.
    pub fn add_garbage(
        &mut self,
        type_address: u64,
        n_objects: u64,
        size_bytes: u64,
    ) -> Result<(), LookError> {
        let of_type = self
            .index_by_address
            .get(&type_address)
            .and_then(|&index| self.types.get_mut(index))
            .ok_or(LookError::UnknownType {
                address: type_address,
            })?;
        if n_objects > of_type.n_objects {
            return Err(LookError::Contradiction {
                address: type_address,
            });
        }
        of_type.n_garbage = Some(n_objects);
        of_type.garbage_bytes = size_bytes;
        Ok(())
    }

    /// Says that all garbage was told of.
    pub fn garbage_is_known(&mut self) {
        self.garbage_is_known = true;
    }

    /// Number of types so far.
    pub fn n_types(&self) -> usize {
        self.types.len()
    }

    /// The look: types of one key summed.
    pub fn finish(self) -> Look {
        Look::from_types(self.types, self.garbage_is_known)
    }
}

impl Look {
    /// A look at these types, in any order; those of one key are summed.
    pub fn from_types(types: Vec<TypeCount>, garbage_is_known: bool) -> Self {
        let mut by_key = BTreeMap::<String, TypeCount>::new();
        let mut look = Look::default();
        let mut n_garbage = 0_u64;
        for mut new in types {
            look.n_objects = look.n_objects.saturating_add(new.n_objects);
            look.size_bytes = look.size_bytes.saturating_add(new.size_bytes);
            new.n_garbage = garbage_is_known.then(|| new.n_garbage.unwrap_or(0));
            n_garbage = n_garbage.saturating_add(new.n_garbage.unwrap_or(0));
            match by_key.get_mut(&new.type_key) {
                Some(known) => known.merge(new),
                None => {
                    by_key.insert(new.type_key.clone(), new);
                }
            }
        }
        look.n_garbage = garbage_is_known.then_some(n_garbage);
        look.types = by_key.into_values().collect();
        look
    }
}

impl TypeCount {
    fn merge(&mut self, other: TypeCount) {
        if other.first_seen < self.first_seen {
            self.first_seen = other.first_seen;
            self.name = other.name;
        }
        self.n_objects = self.n_objects.saturating_add(other.n_objects);
        self.size_bytes = self.size_bytes.saturating_add(other.size_bytes);
        self.n_frozen = self.n_frozen.saturating_add(other.n_frozen);
        self.n_garbage = match (self.n_garbage, other.n_garbage) {
            (Some(own), Some(others)) => Some(own.saturating_add(others)),
            _ => None,
        };
        self.garbage_bytes = self.garbage_bytes.saturating_add(other.garbage_bytes);
        self.is_estimate |= other.is_estimate;
    }
}

pub(crate) fn type_key(module: &str, qualname: &str) -> String {
    if module.is_empty() {
        qualname.to_owned()
    } else {
        format!("{module}.{qualname}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(
        address: u64,
        module: &'static str,
        qualname: &'static str,
    ) -> TypeSighting<'static> {
        TypeSighting {
            address,
            module,
            qualname,
            name: qualname,
            n_objects: 10,
            size_bytes: 640,
            n_frozen: 1,
            is_estimate: address == 2,
            first_seen: 100_u64.saturating_sub(address),
        }
    }

    #[test]
    fn types_of_one_name_are_summed() {
        let mut builder = LookBuilder::default();
        builder.add_type(sighting(1, "app", "Row")).unwrap();
        builder.add_type(sighting(2, "app", "Row")).unwrap();
        builder.add_type(sighting(3, "", "dict")).unwrap();
        builder.add_garbage(2, 4, 256).unwrap();
        builder.garbage_is_known();
        let look = builder.finish();
        let keys: Vec<_> = look.types.iter().map(|t| t.type_key.as_str()).collect();
        assert_eq!(keys, ["app.Row", "dict"]);
        let row = &look.types[0];
        assert_eq!((row.n_objects, row.size_bytes, row.n_frozen), (20, 1280, 2));
        assert_eq!((row.n_garbage, row.garbage_bytes), (Some(4), 256));
        assert_eq!((row.is_estimate, row.first_seen), (true, 98));
        assert_eq!(look.types[1].n_garbage, Some(0));
        assert_eq!((look.n_objects, look.size_bytes), (30, 1920));
        assert_eq!(look.n_garbage, Some(4));
    }

    #[test]
    fn garbage_is_unknown_until_all_of_it_was_told() {
        let mut builder = LookBuilder::default();
        builder.add_type(sighting(1, "app", "Row")).unwrap();
        builder.add_garbage(1, 4, 256).unwrap();
        let look = builder.finish();
        assert_eq!(look.n_garbage, None);
        assert_eq!(look.types[0].n_garbage, None);
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        let mut builder = LookBuilder::default();
        let frozen = TypeSighting {
            n_frozen: 11,
            ..sighting(1, "", "x")
        };
        assert!(builder.add_type(frozen).is_err());
        builder.add_type(sighting(1, "", "x")).unwrap();
        assert!(builder.add_garbage(1, 11, 0).is_err());
        assert!(builder.add_garbage(9, 1, 0).is_err());
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut builder = LookBuilder::default();
        for address in 0..2 {
            let huge = TypeSighting {
                n_objects: u64::MAX,
                size_bytes: u64::MAX,
                n_frozen: u64::MAX,
                ..sighting(address, "", "x")
            };
            builder.add_type(huge).unwrap();
        }
        assert_eq!(builder.finish().n_objects, u64::MAX);
    }

    #[test]
    fn types_without_end_are_refused() {
        let mut builder = LookBuilder::default();
        for address in 0..MAX_TYPES as u64 {
            builder.add_type(sighting(address, "", "x")).unwrap();
        }
        assert_eq!(
            builder.add_type(sighting(0, "", "x")),
            Err(LookError::TooManyTypes)
        );
    }
}
