//! A command line that runs a script once, made into one that runs it again and again.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::failure::{Exit, Failure};

/// Runs what follows it in rounds. The package for Python has the same file.
const ROUNDS: &str = include_str!("../../../python/leakhunt/rounds.py");
/// Options of the interpreter that take the word after them.
const WITH_VALUE: [&str; 3] = ["-X", "-W", "--check-hash-based-pycs"];

/// `python -X dev script.py a` as `python -X dev -c … script.py a`.
///
/// # Errors
/// When it does not start an interpreter with something to run.
pub(super) fn repeated(command: &[OsString]) -> Result<Vec<OsString>, Failure> {
    let interpreter = command.iter().position(|word| is_interpreter(word));
    let rest = interpreter.map_or(command.len(), |at| at + 1);
    let Some(at) = start_of_program(command, rest) else {
        let message = "--repeat runs a script or a module of Python, and finds none in the command";
        return Err(Failure::new(Exit::Usage, message)
            .with_help("leakhunt check --repeat -- python script.py\nor … -- python -m module"));
    };
    let (interpreter, program) = command.split_at(at);
    let own = ["-c", ROUNDS].map(OsString::from);
    Ok([interpreter, &own, program].concat())
}

/// `python`, `/opt/python3.13t`.
fn is_interpreter(word: &OsStr) -> bool {
    let name = Path::new(word).file_name().and_then(OsStr::to_str);
    let version = name.and_then(|name| name.strip_prefix("python"));
    version.is_some_and(|version| {
        let is_of_version = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b't';
        version.bytes().all(is_of_version)
    })
}

/// Where the options of the interpreter end.
fn start_of_program(command: &[OsString], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let word = command.get(at)?.to_str().unwrap_or_default();
        match word {
            "-m" | "-c" => return (at + 1 < command.len()).then_some(at),
            "-" => return None,
            _ if WITH_VALUE.contains(&word) => at += 2,
            _ if word.starts_with('-') => at += 1,
            _ => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Option<String> {
        let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let repeated = repeated(&command).ok()?;
        let words = repeated.iter().map(|word| match word.to_str().unwrap() {
            ROUNDS => "ROUNDS",
            word => word,
        });
        Some(words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_run_follows_the_loop() {
        for (line, expected) in [
            ("python a.py -x 1", "python -c ROUNDS a.py -x 1"),
            (
                "/opt/v/bin/python3.13t -X dev -u -W error a.py",
                "/opt/v/bin/python3.13t -X dev -u -W error -c ROUNDS a.py",
            ),
            (
                "uv run python -I -m shop.load 3",
                "uv run python -I -c ROUNDS -m shop.load 3",
            ),
            ("python3 -c pass", "python3 -c ROUNDS -c pass"),
        ] {
            assert_eq!(shown(line).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_runs_no_script_is_wrong_usage() {
        for line in [
            "sh a.py",
            "python",
            "python -X",
            "python -",
            "python -m",
            "python-config a",
        ] {
            assert_eq!(shown(line), None, "{line}");
        }
    }
}
