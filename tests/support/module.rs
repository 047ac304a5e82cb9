//! The package `leakhunt` for targets to import: with the module as it is in this working copy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::interpreters::{Interpreter, python3};

/// The folder to import `leakhunt` from, or why this interpreter cannot.
pub(crate) fn package_for(py: &Interpreter) -> Result<PathBuf, String> {
    if !py.sees_our_files() {
        return Err("it lives in another root file system".into());
    }
    if py.version < (3, 9, 0) {
        return Err("the module needs 3.9".into());
    }
    can_be_built_for(py)?;
    // One for all with the GIL, and one for each without.
    static BUILT: Mutex<BTreeMap<String, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
    let (kind, built_by) = match py.free_threaded {
        true => (format!("module-{}", py.name), py),
        false => ("module".to_owned(), python3()),
    };
    let folder = {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = built.entry(kind.clone());
        folder.or_insert_with(|| build(&kind, built_by)).clone()?
    };
    // One that comes with a libc of its own may have an older one than the module was built for.
    let mut import = py.command();
    import
        .args(["-c", "import leakhunt._leakhunt"])
        .env("PYTHONPATH", &folder);
    let done = import.output().map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&done.stderr);
    match stderr.lines().find(|line| line.contains("version `GLIBC")) {
        Some(line) => Err(line.to_owned()),
        None => Ok(folder),
    }
}

/// Whether pyo3 builds modules for an interpreter; else why not.
pub(crate) fn can_be_built_for(py: &Interpreter) -> Result<(), String> {
    // What pyo3's own tests skip its check by: its layouts of 3.13 without the GIL are there all the same.
    let is_unchecked = std::env::var_os("UNSAFE_PYO3_SKIP_VERSION_CHECK").is_some();
    if py.free_threaded && py.version < (3, 14, 0) && !is_unchecked {
        return Err("pyo3 builds modules without the GIL from 3.14 on".into());
    }
    Ok(())
}

/// A cargo command that knows nothing of the one that runs the tests.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_NET_OFFLINE" {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn build(kind: &str, py: &Interpreter) -> Result<PathBuf, String> {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(kind);
    let mut cargo = cargo();
    cargo
        .args([
            "build",
            "--package",
            "leakhunt-python",
            "--features",
            "abi3",
        ])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("PYO3_PYTHON", &py.executable)
        .env("PYO3_BUILD_EXTENSION_MODULE", "1");
    let done = cargo.output().map_err(|error| error.to_string())?;
    assert!(
        done.status.success(),
        "{cargo:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let folder = target_dir.join("package");
    let package = folder.join("leakhunt");
    fs::create_dir_all(&package).unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python/leakhunt");
    for entry in sources.read_dir().unwrap().flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), package.join(entry.file_name())).unwrap();
        }
    }
    let module = target_dir.join("debug/libleakhunt_python.so");
    // Another file each time: the one before may be mapped by somebody.
    let new = package.join("new");
    fs::copy(module, &new).unwrap();
    // Interpreters without the GIL do not look for the stable ABI.
    let suffix = if py.free_threaded { "so" } else { "abi3.so" };
    fs::rename(new, package.join(format!("_leakhunt.{suffix}"))).unwrap();
    Ok(folder)
}
