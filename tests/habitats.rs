use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{
    Fingerprint, Interpreter, Leakhunt, Start, Target, all, assert_unharmed, few, on_each, python3,
    scratch_file, skipped,
};

/// Attaches, counts and dumps; the target must be unharmed.
fn check(target: &mut Target) {
    let before = Fingerprint::of(target);
    let args = ["--type", "dict", "--limit", "2"];
    Leakhunt::at(target.pid, "dump", &args).run().expect(0);
    assert_unharmed(&before, target);
    for _ in 0..3 {
        let done = Leakhunt::at(target.pid, "growth", &["--count", "1", "--json"])
            .run()
            .expect(0);
        assert_eq!(done.json_lines().len(), 1);
        assert_unharmed(&before, target);
    }
}

/// Threads go by the numbers that they have for us, and the kernel's view is found by those that they have
/// for themselves.
fn check_threads(target: &Target) {
    for way in [&["--json"][..], &["--json", "--outside"]] {
        let done = Leakhunt::at(target.pid, "threads", way).run().expect(0);
        let look = &done.json_lines()[0];
        let main = &look["threads"][0];
        assert_eq!(main["native_id"], target.pid, "{way:?}: {look}");
        assert_eq!(main["waits_for"], "call", "{way:?}: {look}");
    }
}

fn can_unshare(flags: &[&str]) -> bool {
    let probe = Command::new("unshare").args(flags).arg("true").output();
    probe.is_ok_and(|probe| probe.status.success())
}

#[test]
fn a_target_in_other_namespaces() {
    let flags = [
        "--map-root-user",
        "--mount",
        "--pid",
        "--net",
        "--ipc",
        "--uts",
        "--fork",
        "--mount-proc",
        "--kill-child",
    ];
    if !can_unshare(&flags) {
        return skipped("target in other namespaces", "unshare is not allowed here");
    }
    let wrapper: Vec<&str> = ["unshare"].into_iter().chain(flags).collect();
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let mut target = Start::wrapped(&wrapper, py, "idle").ready();
        check(&mut target);
        assert_eq!(
            target.eval("os.getpid()"),
            1,
            "it is alone in its pid namespace"
        );
        check_threads(&target);
        target.finish_unharmed();
    });
}

#[test]
fn a_target_in_a_chroot_without_proc() {
    let mut jailed = all().iter().filter(|py| py.root.is_some()).peekable();
    if jailed.peek().is_none() {
        return skipped(
            "target in a chroot",
            "no interpreter in another root is there",
        );
    }
    on_each(jailed, |py| {
        let mut target = Target::start(py, "idle");
        assert_eq!(
            target.eval("os.path.exists('/proc/self')"),
            false,
            "there is no /proc"
        );
        check(&mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_target_that_may_not_make_memory_executable() {
    let mut target = Target::start(python3(), "idle");
    if !target
        .eval("__import__('importlib').util.find_spec('_ctypes') is not None")
        .as_bool()
        .unwrap()
    {
        return skipped("PR_SET_MDWE", "the interpreter has no ctypes");
    }
    target.exec("import ctypes\nrefused = ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)");
    if target.eval("refused") != 0 {
        return skipped("PR_SET_MDWE", "the kernel does not know it");
    }
    check(&mut target);
    target.finish_unharmed();
}

#[test]
fn a_target_whose_libpython_was_deleted() {
    on_each(few(), |py| {
        let Some(copy) = copied(py) else { return };
        let mut command = Command::new(&copy);
        command.env("PYTHONHOME", prefix(py)).arg("-c");
        command.arg(concat!(include_str!("targets/harness.py"), "\nserve()\n"));
        let mut target = Start::of(command, &format!("deleted {py}")).ready();
        std::fs::remove_file(&copy).unwrap();
        check(&mut target);
        target.finish_unharmed();
    });
}

fn prefix(py: &Interpreter) -> String {
    let done = py
        .command()
        .args(["-c", "import sys; print(sys.base_prefix)"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A copy of the executable that starts; `None` where it finds its libpython by its own place only.
fn copied(py: &Interpreter) -> Option<PathBuf> {
    let copy = scratch_file("python");
    std::fs::copy(py.executable.canonicalize().ok()?, &copy).ok()?;
    let probe = Command::new(&copy)
        .env("PYTHONHOME", prefix(py))
        .args(["-c", ""])
        .output()
        .ok()?;
    if !probe.status.success() {
        skipped(
            &format!("deleted executable of {py}"),
            "a copy of it does not start",
        );
        return None;
    }
    Some(copy)
}

#[test]
fn an_interpreter_embedded_in_a_c_program() {
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let program = match embedded(py) {
            Ok(program) => program,
            Err(reason) => return skipped(&format!("{py} in a C program"), &reason),
        };
        let mut command = Command::new(program);
        command.arg(concat!(include_str!("targets/harness.py"), "\nserve()\n"));
        command.env("PYTHONHOME", prefix(py));
        let mut target = Start::of(command, &format!("C program with {py}")).ready();
        check(&mut target);
        target.finish_unharmed();
    });
}

/// Compiles `targets/embed.c` against the interpreter's library.
fn embedded(py: &Interpreter) -> Result<PathBuf, String> {
    let script = "import sysconfig as s
for v in ('Py_ENABLE_SHARED', 'LIBDIR', 'LDVERSION', 'INCLUDEPY'): print(s.get_config_var(v))";
    let done = py
        .command()
        .args(["-c", script])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let values: Vec<&str> = text.lines().collect();
    let &[shared, folder, version, include] = values.as_slice() else {
        return Err(format!("sysconfig answers {text:?}"));
    };
    if shared != "1" {
        return Err("it has no shared library".into());
    }
    if !Path::new(include).join("Python.h").exists() {
        return Err("it has no Python.h".into());
    }
    let program = scratch_file("embed");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/targets/embed.c");
    let done = Command::new("gcc")
        .args(["-o".as_ref(), program.as_os_str(), source.as_ref()])
        .arg(format!("-I{include}"))
        .arg(format!("-L{folder}"))
        .arg(format!("-Wl,-rpath,{folder}"))
        .arg(format!("-lpython{version}"))
        .output()
        .map_err(|error| format!("gcc: {error}"))?;
    if done.status.success() {
        Ok(program)
    } else {
        Err(String::from_utf8_lossy(&done.stderr)
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned())
    }
}
