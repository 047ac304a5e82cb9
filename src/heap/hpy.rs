//! guppy's `.hpy` files: tables of kinds as text, one after the other.
//!
//! Grammar and order are those of `Stat.dump` of guppy3 3.1.7. What is written is strict, what is
//! read may be anything that guppy reads, and kinds with line breaks in their names, which it
//! writes but cannot read.

mod read;
#[cfg(test)]
mod tests;
mod text;
mod wrap;
mod write;

pub use read::{HpyError, read};
pub use text::text;
pub use write::{write, write_split};

/// The first line of a table, and what follows `.end: ` on its last.
const LOADER: &str = ".loader: _load_stat";
