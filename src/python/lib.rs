//! leakhunt from within Python: the same agent through the front door, and the interpreter on which
//! the agent's walker is tested.
//!
//! A command line gets to the agent of this process by a connection that this process gives to a child
//! of its own ([`open`], `connect()`), or by the socket that `listen()` puts into the user's
//! runtime folder.

mod front_door;
mod listener;
mod module;
mod runtime_folder;
mod serving;

pub use front_door::{Session, open};

#[cfg(all(test, feature = "embedded"))]
mod tests;
