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

mod assemble;
mod builder;
pub mod classify;
mod format;
pub mod gate;
mod growth;
pub mod hpy;
mod identity;
mod kinds;
mod look;
mod merged_paths;
mod new_objects;
mod object_graph;
mod paths;
mod peaks;
pub mod python_repr;
#[cfg(test)]
mod random;
mod reach;
mod record;
mod referrers;
mod snapshot;
mod sources;
mod type_pattern;

pub use assemble::{AssembleError, Assembler};
pub use builder::{SnapshotBuilder, Via};
pub use format::{FormatError, SNAPSHOT_SCHEMA, SnapshotPart, read_snapshot, write_snapshot};
pub use growth::{Growth, HISTORY_LEN, Step, Summary, SummaryRow, TypeGrowth};
pub use identity::{Identity, identify};
pub use kinds::{KindRow, KindTable, KindTableFormat, KindsDiffer};
pub use look::{Look, LookBuilder, LookError, MAX_NAME_BYTES, MAX_TYPES, TypeCount, TypeSighting};
pub use merged_paths::{Branch, MOST_MERGED, MergedPaths, merge_paths};
pub use new_objects::{NewObject, NewObjects, NewObjectsLook, first_referrers};
pub use object_graph::{
    Direction, EdgeText, GraphEdge, GraphNode, GraphScope, ObjectGraph, object_graph,
};
pub use paths::{Holder, Path, PathRoot, PathStep, Paths, is_stdlib};
pub use peaks::{PeakGrowth, Peaks};
pub use reach::Reached;
pub use record::{GROWTH_SCHEMA, GrowthRecord, RecordError, RecordType, WalkedIn};
pub use referrers::Referrers;
pub use snapshot::{
    Capture, Label, LabelName, ObjId, Objects, References, Root, RootKind, Snapshot, StrId,
    Strings, Type, TypeId,
};
pub use sources::{
    Finding, GrowingType, GrowingTypes, Held, HeldType, HolderShare, Source, Sources, TypeSources,
    held, sources,
};
pub use type_pattern::TypePattern;
