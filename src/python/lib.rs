//! leakhunt from within Python: the same agent through the front door, and the interpreter on which
//! the agent's walker is tested.

mod front_door;

pub use front_door::{Session, open};

#[cfg(all(test, feature = "embedded"))]
mod tests;
