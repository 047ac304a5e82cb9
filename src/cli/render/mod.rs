//! Values in, bytes out. Nothing here writes, reads the clock or knows the environment.

pub(crate) mod dump;
pub(crate) mod growth;
mod growth_table;
pub(crate) mod numbers;
pub(crate) mod ps;
mod python_repr;
mod sparkline;
mod table;
pub(crate) mod text;
