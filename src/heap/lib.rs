//! Looks at a Python heap, and what follows from them: values in, values out.
//!
//! ```
//! use leakhunt_heap::{Growth, LookBuilder, TypeSighting};
//!
//! let look = |n_objects| {
//!     let mut builder = LookBuilder::default();
//!     builder.add_type(TypeSighting {
//!         address: 1,
//!         module: "shop.cache",
//!         qualname: "Entry",
//!         name: "Entry",
//!         n_objects,
//!         size_bytes: n_objects * 48,
//!         ..Default::default()
//!     })?;
//!     Ok(builder.finish())
//! };
//! let mut growth = Growth::default();
//! growth.observe(&look(100)?, 0);
//! let step = growth.observe(&look(130)?, 30_000_000);
//! assert_eq!(step.rows[0].type_key, "shop.cache.Entry");
//! assert_eq!(step.rows[0].delta, 30);
//! assert_eq!(step.rows[0].per_minute, Some(60.0));
//! # Ok::<(), leakhunt_heap::LookError>(())
//! ```
#![forbid(unsafe_code)]

mod account;
mod assemble;
mod attributes;
mod builder;
pub mod classify;
mod collector;
mod dominators;
mod fnv;
mod format;
mod functions;
mod garbage;
pub mod gate;
mod growth;
pub mod hpy;
pub mod hunt;
mod identity;
mod inspect;
mod inventory;
mod kinds;
mod look;
mod merged_paths;
mod native;
mod new_objects;
mod object_graph;
mod object_set;
mod paths;
mod peaks;
pub mod python_repr;
#[cfg(test)]
mod random;
mod reach;
mod record;
mod referrers;
mod retained;
#[cfg(test)]
mod shop;
mod snapshot;
mod sources;
mod suspects;
mod type_pattern;

pub use account::{BigBuffer, MappedFile, MemoryAccount, MemoryVerdict, Part, PartBytes};
pub use assemble::{AssembleError, Assembler};
pub use builder::{SnapshotBuilder, Via};
pub use collector::{CollectorState, why_not_collected};
pub use dominators::Dominators;
pub use format::{FormatError, SNAPSHOT_SCHEMA, SnapshotPart, read_snapshot, write_snapshot};
pub use functions::FunctionName;
pub use garbage::{CycleGroup, GarbageGrowth, GarbageLook, GarbageType, garbage_growth};
pub use growth::{Growth, HISTORY_LEN, Step, Summary, SummaryRow, TypeGrowth};
pub use identity::{Identity, identify};
pub use inspect::{
    Fingerprint, Inspection, Inspections, Verdict, fingerprint, inspect, suspect_stretch,
};
pub use inventory::{
    Destination, Group, GroupGrowth, Inventory, KernelView, descriptor_growth, thread_growth,
};
pub use kinds::{KindRow, KindTable, KindTableFormat, KindsDiffer};
pub use look::{Look, LookBuilder, LookError, MAX_NAME_BYTES, MAX_TYPES, TypeCount, TypeSighting};
pub use merged_paths::{Branch, MOST_MERGED, MergedPaths, merge_paths};
pub use native::{
    Mapped, NativeGrowth, NativeLook, NativeOwner, NativeType, native_growth, native_owner,
};
pub use new_objects::{NewObject, NewObjects, NewObjectsLook, first_referrers};
pub use object_graph::{
    Direction, EdgeText, GraphEdge, GraphNode, GraphScope, ObjectGraph, object_graph,
};
pub use paths::{Holder, Path, PathRoot, PathStep, Paths, is_stdlib};
pub use peaks::{PeakGrowth, Peaks};
pub use reach::Reached;
pub use record::{GROWTH_SCHEMA, GrowthRecord, RecordError, RecordType, WalkedIn};
pub use referrers::Referrers;
pub use retained::{Retained, RetainedBy, RetainedKind, retained};
pub use snapshot::{
    Capture, Label, LabelName, ObjId, ObjectState, Objects, References, Root, RootKind, Snapshot,
    StrId, Strings, Type, TypeId,
};
pub use sources::{
    Finding, GrowingType, GrowingTypes, HeldObject, HeldType, HolderShare, Source, Sources,
    TypeSources, held, sources,
};
pub use suspects::{Analysed, Held, Suspect, SuspectShape, Suspects, suspects, suspects_of_growth};
pub use type_pattern::TypePattern;
