//! The part of leakhunt that works within the target.
#![no_std]

/// Where this crate's sources are, for the build script of the command line.
pub const MANIFEST_DIR: &str = env!("CARGO_MANIFEST_DIR");
