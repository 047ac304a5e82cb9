//! What the tests stand on: interpreters, targets, fingerprints of them, and runs of the program.

pub(crate) mod fingerprint;
pub(crate) mod fixtures;
pub(crate) mod interpreters;
pub(crate) mod leakhunt;
pub(crate) mod limit;
pub(crate) mod lockstep;
pub(crate) mod module;
pub(crate) mod packages;
pub(crate) mod proc;
pub(crate) mod skip;
pub(crate) mod snapshots;
pub(crate) mod target;

pub(crate) use fingerprint::{Fingerprint, assert_unharmed, unharmed_look};
pub(crate) use interpreters::{Interpreter, all, few, on_each, python3};
pub(crate) use leakhunt::{Finished, Leakhunt, Running};
pub(crate) use limit::{LIMIT, eventually};
pub(crate) use lockstep::{Lockstep, records, scratch_file};
pub(crate) use skip::skipped;
pub(crate) use target::{EXIT_CODE, Start, Target};
