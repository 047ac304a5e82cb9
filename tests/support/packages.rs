//! Packages for targets: installed once for each interpreter, kept beside the build between runs.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::interpreters::{Interpreter, python3};

/// The folder to import `requirements` from, or why there is none.
pub(crate) fn packages(
    interpreter: &Interpreter,
    requirements: &[&str],
) -> Result<PathBuf, String> {
    if !interpreter.sees_our_files() {
        return Err("it lives in another root file system".into());
    }
    let mut hasher = DefaultHasher::new();
    (requirements, interpreter.version, &interpreter.executable).hash(&mut hasher);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    fs::create_dir_all(&cache).unwrap();
    let folder = cache.join(format!("{}-{:016x}", interpreter.name, hasher.finish()));
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if folder.is_dir() {
        return Ok(folder);
    }
    let unfinished = folder.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    install(interpreter, requirements, &unfinished)?;
    fs::rename(&unfinished, &folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// The source text of objgraph, a single file that also serves targets in another root.
pub(crate) fn objgraph_source() -> Result<String, String> {
    let folder = packages(python3(), &["objgraph==3.7.0"])?;
    fs::read_to_string(folder.join("objgraph.py")).map_err(|error| error.to_string())
}

fn install(python: &Interpreter, requirements: &[&str], folder: &Path) -> Result<(), String> {
    let mut own = python.command();
    own.args(["-m", "pip"]);
    let mut of_python3 = python3().command();
    of_python3
        .args(["-m", "pip", "--python"])
        .arg(&python.executable);
    // For one without pip that another version's pip cannot run: by its version alone.
    let (major, minor, _) = python.version;
    let mut by_version = python3().command();
    by_version.args(["-m", "pip"]);
    let version = ["--python-version".to_owned(), format!("{major}.{minor}")];
    let mut reasons = Vec::new();
    for (mut pip, options) in [(own, &[][..]), (of_python3, &[]), (by_version, &version)] {
        pip.args(["install", "--quiet", "--only-binary", ":all:", "--target"]);
        pip.arg(folder).args(options).args(requirements);
        match outcome(&mut pip) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(format!(
        "pip install {}: {}",
        requirements.join(" "),
        reasons.join("; ")
    ))
}

fn outcome(pip: &mut Command) -> Result<(), String> {
    let done = pip
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&done.stderr);
    let lines = stderr.lines().filter(|line| !line.trim().is_empty());
    Err(lines
        .into_iter()
        .next_back()
        .unwrap_or("it fails")
        .to_owned())
}

/// The unpacked source distribution of a requirement `name==version`, or why there is none.
pub(crate) fn sources(requirement: &str) -> Result<PathBuf, String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sources");
    fs::create_dir_all(&cache).unwrap();
    let name = requirement.replace("==", "-");
    let lock = File::create(cache.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let folder = cache.join(&name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let mut pip = python3().command();
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
    pip.args(["--no-binary", ":all:", "--dest"]);
    outcome(pip.arg(&cache).arg(requirement))?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(cache.join(format!("{name}.tar.gz")));
    outcome(tar.arg("-C").arg(&cache))?;
    Ok(folder)
}
