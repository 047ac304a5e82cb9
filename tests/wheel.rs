use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::leakhunt::{program, program_for_everybody};
use crate::support::module::{can_be_built_for, cargo};
use crate::support::{Interpreter, Leakhunt, Start, all, on_each, python3, skipped};

/// What a wheel may weigh.
const MOST_BYTES: u64 = 8_000_000;
/// Users that nobody else is.
const OWNER: u32 = 64_125;
const OTHER: u32 = 64_126;

fn scratch() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheel");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What a command says, or why it fails.
fn outcome(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    let lines = stderr.lines().filter(|line| !line.trim().is_empty());
    let last: Vec<_> = lines.rev().take(3).collect();
    Err(format!("{command:?}: {}", last.join(" / ")))
}

/// The builder of wheels, or why there is none: without a network it cannot be had.
fn maturin() -> Result<PathBuf, String> {
    static READY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let venv = scratch().join("maturin");
        let maturin = venv.join("bin/maturin");
        if !maturin.exists() {
            outcome(
                python3()
                    .command()
                    .args(["-m", "venv", "--clear"])
                    .arg(&venv),
            )?;
            let mut pip = Command::new(venv.join("bin/python"));
            outcome(pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--upgrade",
                "pip",
                "maturin>=1.13,<2",
            ]))?;
        }
        Ok(maturin)
    });
    ready.clone()
}

/// Has it make something in `folder`; a failure is the project's.
fn make(what: &[&str], folder: &Path) -> Result<PathBuf, String> {
    Ok(made_by(Command::new(maturin()?).args(what), folder))
}

/// The one file that a command of maturin's makes.
fn made_by(command: &mut Command, folder: &Path) -> PathBuf {
    let cargo = cargo();
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, value) in cargo.get_envs() {
        if value.is_none() {
            command.env_remove(name);
        }
    }
    let _ = fs::remove_dir_all(folder);
    command.arg("--out").arg(folder);
    outcome(command).unwrap_or_else(|error| panic!("{error}"));
    let made = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    made.path()
}

/// The wheel: built once, with what earlier builds have left.
fn wheel() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| make(&["build", "--release"], &scratch().join("built")));
    built.clone()
}

/// A new environment of `py` with the wheel in it; its folder.
fn installed(py: &Interpreter, wheel: &Path, purpose: &str) -> Result<PathBuf, String> {
    let venv = scratch().join(format!("{purpose}-{}", py.name));
    let _ = fs::remove_dir_all(&venv);
    outcome(
        py.command()
            .args(["-m", "venv", "--without-pip"])
            .arg(&venv),
    )?;
    // Some have no pip of their own, and a new pip is not for old versions.
    let of_maturin = Command::new(maturin()?.with_file_name("python"));
    let mut reasons = Vec::new();
    for mut pip in [py.command(), of_maturin] {
        pip.args(["-m", "pip", "--python"])
            .arg(venv.join("bin/python"));
        pip.args(["install", "--quiet", "--no-index"]).arg(wheel);
        match outcome(&mut pip) {
            Ok(_) => return Ok(venv),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; "))
}

/// One interpreter of each version that the wheel is for.
fn interpreters() -> Vec<&'static Interpreter> {
    let mut seen = BTreeSet::new();
    let fit = all()
        .iter()
        .filter(|py| py.sees_our_files() && !py.free_threaded && py.version >= (3, 9, 0));
    fit.filter(|py| seen.insert(py.version.1)).collect()
}

/// What the environment's interpreter prints.
fn python(venv: &Path, code: &str) -> Command {
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["-c", code]).env_remove("LEAKHUNT_BIN");
    command
}

#[test]
fn a_wheel_is_installed_and_used_as_a_new_user_would() {
    let wheel = match wheel() {
        Ok(wheel) => wheel,
        Err(reason) => return skipped("the wheel", &reason),
    };
    let n_bytes = fs::metadata(&wheel).unwrap().len();
    assert!(n_bytes <= MOST_BYTES, "the wheel has {n_bytes} bytes");
    on_each(interpreters(), |py| {
        let venv = match installed(py, &wheel, "user") {
            Ok(venv) => venv,
            Err(reason) => return skipped(&format!("the wheel on {py}"), &reason),
        };
        let version = format!("leakhunt {}", env!("CARGO_PKG_VERSION"));
        let command = venv.join("bin/leakhunt");
        assert_eq!(
            outcome(Command::new(&command).arg("--version")),
            Ok(version.clone())
        );
        let mut module = Command::new(venv.join("bin/python"));
        assert_eq!(
            outcome(module.args(["-m", "leakhunt", "--version"])),
            Ok(version)
        );

        // By the command of the wheel, though there is none in PATH.
        let code = "import gc, leakhunt
class Thing: pass
things = [Thing() for _ in range(77)]
census = leakhunt.census()
print([row.count for row in census.types if row.type == '__main__.Thing'], repr(census)[:1].isdigit())";
        let mut counted = python(&venv, code);
        assert_eq!(
            outcome(counted.env("PATH", "/nowhere")),
            Ok("[77] True".into())
        );

        // The door at start: only where the environment says so.
        let code = "import sys; print([name for name in sys.modules if 'leakhunt' in name])";
        assert_eq!(outcome(&mut python(&venv, code)), Ok("[]".into()));
        let code = "import sys, leakhunt, os; print(os.path.exists(leakhunt.door() or ''))";
        for (wish, is_open) in [
            ("1", "True"),
            ("children", "True"),
            ("0", "False"),
            ("", "False"),
        ] {
            let mut command = python(&venv, code);
            let seen = outcome(command.env("LEAKHUNT_LISTEN", wish));
            assert_eq!(seen, Ok(is_open.into()), "LEAKHUNT_LISTEN={wish}");
        }
        // A door that cannot be opened does not keep a program from starting.
        let mut command = python(&venv, "print('runs')");
        command.env("LEAKHUNT_LISTEN", "1");
        command.env("XDG_RUNTIME_DIR", blocked_folder());
        assert_eq!(outcome(&mut command), Ok("runs".into()));
    });
}

#[test]
fn an_interpreter_without_the_gil_has_a_wheel_of_its_own() {
    let is_it = |py: &&Interpreter| py.sees_our_files() && py.free_threaded;
    let without: Vec<_> = all().iter().filter(is_it).collect();
    if without.is_empty() {
        return skipped("wheels without the GIL", "no interpreter without it");
    }
    on_each(without, |py| {
        if let Err(reason) = can_be_built_for(py) {
            return skipped(&format!("the wheel on {py}"), &reason);
        }
        let maturin = match maturin() {
            Ok(maturin) => maturin,
            Err(reason) => return skipped("wheels without the GIL", &reason),
        };
        // Its module is the development build's, its command the one that all tests run.
        let mut command = Command::new(maturin);
        command.args(["build", "--interpreter"]).arg(&py.executable);
        command.env("LEAKHUNT_COMMAND", program());
        let wheel = made_by(&mut command, &scratch().join(format!("built-{}", py.name)));
        let tag = format!("cp3{0}-cp3{0}t-", py.version.1);
        let name = wheel.file_name().unwrap().to_string_lossy();
        assert!(name.contains(&tag), "{name}");
        let venv = match installed(py, &wheel, "user") {
            Ok(venv) => venv,
            Err(reason) => return skipped(&format!("the wheel on {py}"), &reason),
        };
        let code = "import sys, leakhunt
class Thing: pass
things = [Thing() for _ in range(77)]
leakhunt.listen()
census = leakhunt.census()
print([row.count for row in census.types if row.type == '__main__.Thing'], sys._is_gil_enabled())";
        let mut counted = python(&venv, code);
        assert_eq!(
            outcome(counted.env("PATH", "/nowhere")),
            Ok("[77] False".into())
        );
    });
}

/// A runtime folder in which the name of the folder for doors is taken by a file.
fn blocked_folder() -> PathBuf {
    let folder = scratch().join("runtime");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("leakhunt"), "").unwrap();
    folder
}

#[test]
fn in_an_environment_with_the_wheel_the_door_lets_its_user_in_and_nobody_else() {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return skipped("a door of another user", "only root can become one");
    }
    let wheel = match wheel() {
        Ok(wheel) => wheel,
        Err(reason) => return skipped("the wheel", &reason),
    };
    let py = python3();
    let venv = match installed(py, &wheel, "door") {
        Ok(venv) => venv,
        Err(reason) => return skipped(&format!("the wheel on {py}"), &reason),
    };
    let new = Interpreter {
        executable: venv.join("bin/python"),
        ..py.clone()
    };
    let target = Start::new(&new, "doored").arg(&OWNER.to_string()).ready();
    let growth = |user| {
        let mut command = Command::new(program_for_everybody());
        command.args(["growth", "--count", "1", "--json", "--pid"]);
        Leakhunt::of(command)
            .arg(target.pid.to_string())
            .by_user(user)
            .run()
    };
    let record = &growth(OWNER).expect(0).json_lines()[0];
    let rows = record["types"].as_array().unwrap();
    let row = rows.iter().find(|row| row["type"] == "__main__.Thing");
    assert_eq!(
        row.map_or(Value::Null, |row| row["count"].clone()),
        json!(123)
    );
    growth(OTHER).expect(3).expect_stderr("and root alone");
    target.finish_unharmed();
}

#[test]
fn the_source_distribution_holds_what_a_build_needs() {
    let sdist = match make(&["sdist"], &scratch().join("sdist")) {
        Ok(sdist) => sdist,
        Err(reason) => return skipped("the source distribution", &reason),
    };
    let listed = outcome(Command::new("tar").arg("tzf").arg(&sdist)).unwrap();
    let files: BTreeSet<&str> = listed
        .lines()
        .filter_map(|path| path.split_once('/'))
        .map(|(_, path)| path)
        .collect();
    let mut git = Command::new("git");
    git.current_dir(env!("CARGO_MANIFEST_DIR"));
    let tracked = outcome(git.args(["ls-files", "src", "Cargo.toml", "Cargo.lock", "LICENSE"]));
    for file in tracked.unwrap().lines() {
        assert!(files.contains(file), "{file} is not in it");
    }
    // A build of it takes as long as a first build does.
    if std::env::var_os("LEAKHUNT_STRESS").is_none() {
        return skipped(
            "a wheel of the source distribution",
            "LEAKHUNT_STRESS=1 builds it",
        );
    }
    let folder = scratch().join("of-sdist");
    let _ = fs::remove_dir_all(&folder);
    let mut pip = Command::new(maturin().unwrap().with_file_name("python"));
    pip.args(["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]);
    pip.arg(&folder).arg(&sdist);
    pip.env("CARGO_TARGET_DIR", scratch().join("of-sdist-target"));
    outcome(&mut pip).unwrap_or_else(|error| panic!("{error}"));
    let wheel = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let venv = installed(python3(), &wheel, "sdist").unwrap();
    let mut counted = python(
        &venv,
        "import leakhunt; print(leakhunt.census().objects > 1000)",
    );
    assert_eq!(outcome(&mut counted), Ok("True".into()));
}

#[test]
fn the_wheel_has_one_version_everywhere() {
    let project = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pyproject.toml"));
    let scripts = format!("leakhunt-{}.data/scripts/", env!("CARGO_PKG_VERSION"));
    assert!(
        project.unwrap().contains(&scripts),
        "pyproject.toml names {scripts}"
    );
}
