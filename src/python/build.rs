//! Builds the command line, which the wheel holds beside the module.
//!
//! Only with the feature `command`, which is for wheels. `LEAKHUNT_COMMAND=FILE` takes a ready one.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LEAKHUNT_COMMAND");
    if env::var_os("CARGO_FEATURE_COMMAND").is_none() {
        return;
    }
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../..");
    let built = match env::var_os("LEAKHUNT_COMMAND") {
        Some(ready) => PathBuf::from(ready),
        None => built_command(&root),
    };
    println!("cargo::rerun-if-changed={}", built.display());
    let packed = PathBuf::from(variable("OUT_DIR")).join("leakhunt");
    fs::copy(&built, &packed)
        .unwrap_or_else(|error| panic!("cannot copy {}: {error}", built.display()));
}

/// Runs cargo for it, in a target folder of its own: the two builds would wait for each other in one.
fn built_command(root: &Path) -> PathBuf {
    for part in ["Cargo.toml", "Cargo.lock", "src"] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    let target = variable("TARGET");
    let target_dir = PathBuf::from(variable("OUT_DIR")).join("command");
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "leakhunt",
            "--bin",
            "leakhunt",
        ])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir)
        .arg("--target")
        .arg(&target)
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    // What is meant for the module is not meant for the command.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(name);
    }
    let status = cargo
        .status()
        .unwrap_or_else(|error| panic!("cannot run {cargo:?}: {error}"));
    assert!(status.success(), "building the command failed: {cargo:?}");
    target_dir.join(target).join("release/leakhunt")
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name} for build scripts"))
}
