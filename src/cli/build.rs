//! Builds the agent's image, which the command line holds as bytes.
//!
//! `LEAKHUNT_AGENT_SO=FILE` takes a ready one; `/dev/null` takes none, for a quick `cargo check`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LEAKHUNT_AGENT_SO");
    let image = match env::var_os("LEAKHUNT_AGENT_SO") {
        Some(ready) => PathBuf::from(ready),
        None => built_agent(Path::new(leakhunt_agent::MANIFEST_DIR)),
    };
    println!("cargo::rerun-if-changed={}", image.display());
    println!("cargo::rustc-env=LEAKHUNT_AGENT_IMAGE={}", image.display());
}

/// Runs cargo for the agent, in a target folder of its own: the two builds would wait for each
/// other in one.
fn built_agent(sources: &Path) -> PathBuf {
    for folder in [sources.to_path_buf(), sources.join("../wire")] {
        if folder.is_dir() {
            println!("cargo::rerun-if-changed={}", folder.display());
        }
    }
    let target_dir = PathBuf::from(variable("OUT_DIR")).join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .arg("rustc")
        .args([
            "--lib",
            "--release",
            "--features",
            "image",
            "--crate-type",
            "cdylib",
        ])
        .arg("--manifest-path")
        .arg(sources.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir)
        .args(["--target", "x86_64-unknown-linux-gnu", "--"])
        .args(["-C", "link-arg=-nostdlib", "-C", "link-arg=-nostartfiles"])
        .args(["-C", "link-arg=-Wl,--hash-style=gnu,-z,defs,-z,norelro"])
        .arg("-C")
        .arg(format!(
            "link-arg=-Wl,-T,{}",
            sources.join("image.ld").display()
        ))
        .args(["-C", "link-arg=-Wl,--no-eh-frame-hdr"])
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    // What is meant for the outer build (sanitizers, coverage, clippy) is not meant for the image.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
    let status = cargo
        .status()
        .unwrap_or_else(|error| panic!("cannot run {cargo:?}: {error}"));
    assert!(status.success(), "building the agent failed: {cargo:?}");
    target_dir.join("x86_64-unknown-linux-gnu/release/libleakhunt_agent.so")
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name} for build scripts"))
}
