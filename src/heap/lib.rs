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

mod growth;
mod look;
mod peaks;
mod record;

pub use growth::{Growth, HISTORY_LEN, Step, Summary, SummaryRow, TypeGrowth};
pub use look::{Look, LookBuilder, LookError, MAX_NAME_BYTES, MAX_TYPES, TypeCount, TypeSighting};
pub use peaks::{PeakGrowth, Peaks};
pub use record::{GROWTH_SCHEMA, GrowthRecord, RecordError, RecordType, WalkedIn};
