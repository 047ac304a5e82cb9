//! Values in, bytes out. Nothing here writes, reads the clock or knows the environment.

pub(crate) mod account;
pub(crate) mod diff;
pub(crate) mod dump;
pub(crate) mod growth;
mod growth_table;
pub(crate) mod numbers;
pub(crate) mod ps;
pub(crate) mod rows;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod sources;
mod sparkline;
mod table;
pub(crate) mod text;

use leakhunt_heap::python_repr;
