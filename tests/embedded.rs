use std::process::Command;

use crate::support::{Interpreter, all, on_each, skipped};

/// The folder of the interpreter's shared library and its prefix, or why it cannot be linked.
fn library(py: &Interpreter) -> Result<(String, String), String> {
    if !py.sees_our_files() {
        return Err("it lives in another root file system".into());
    }
    if py.version < (3, 9, 0) {
        return Err("pyo3 needs 3.9".into());
    }
    let script = "import os, sys, sysconfig as s
v = s.get_config_var
lib = os.path.join(v('LIBDIR') or '', v('LDLIBRARY') or '')
print(v('Py_ENABLE_SHARED'), os.path.exists(lib), v('LIBDIR'), sys.base_prefix, sep='\\n')";
    let done = py
        .command()
        .args(["-c", script])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    match text.lines().collect::<Vec<_>>().as_slice() {
        ["1", "True", folder, prefix] => Ok(((*folder).to_owned(), (*prefix).to_owned())),
        ["1", "False", folder, _] => Err(format!("its libpython is not in {folder}")),
        _ => Err("it has no libpython to link".into()),
    }
}

#[test]
fn the_agent_agrees_with_the_interpreter_of_its_own_process() {
    let mut linkable = Vec::new();
    for py in all() {
        match library(py) {
            Ok(found) => linkable.push((py, found)),
            Err(reason) => skipped(&format!("embedded tests on {py}"), &reason),
        }
    }
    if linkable.is_empty() {
        return skipped(
            "embedded tests",
            "no interpreter here has a libpython to link",
        );
    }
    // Each one is a build of its own: the oldest and the newest, or all in the long form.
    linkable.sort_by_key(|(py, _)| py.version);
    if std::env::var_os("LEAKHUNT_STRESS").is_none() {
        linkable = [linkable.first().cloned(), linkable.last().cloned()]
            .into_iter()
            .flatten()
            .collect();
        linkable.dedup_by_key(|(py, _)| py.name.clone());
    }
    on_each(linkable.iter().map(|(py, _)| *py), |py| {
        let (_, (folder, prefix)) = linkable
            .iter()
            .find(|(own, _)| own.name == py.name)
            .unwrap();
        let target_dir = concat!(env!("CARGO_TARGET_TMPDIR"), "/embedded");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args([
                "test",
                "--quiet",
                "--package",
                "leakhunt-python",
                "--features",
                "embedded",
            ])
            .args(["--target-dir", target_dir])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PYO3_PYTHON", &py.executable)
            .env("LD_LIBRARY_PATH", folder)
            .env("PYTHONHOME", prefix);
        // What cargo sets for this test is not meant for another cargo.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_NET_OFFLINE" {
                cargo.env_remove(name);
            }
        }
        let done = cargo.output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout);
        assert!(
            done.status.success() && told.contains("test result: ok"),
            "{}\n{told}\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        );
    });
}
