use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::leakhunt::program;
use crate::support::packages::packages;
use crate::support::proc::{children, kill};
use crate::support::{
    Fingerprint, Finished, Interpreter, LIMIT, Leakhunt, Running, Start, Target, all, eventually,
    on_each, python3, scratch_file, skipped,
};

/// `python3` and one of another version.
fn interpreters() -> Vec<&'static Interpreter> {
    let is_other = |py: &&Interpreter| {
        py.sees_our_files() && !py.free_threaded && py.version.1 != python3().version.1
    };
    let other = all().iter().filter(is_other).max_by_key(|py| py.version);
    std::iter::once(python3()).chain(other).collect()
}

/// A process with forked workers.
struct Firm {
    target: Target,
    workers: Vec<u32>,
    sleeper: u32,
}

impl Firm {
    /// With a worker for each of `leaks`, which says whether it does.
    fn found(py: &Interpreter, leaks: &[bool]) -> Self {
        let mut target = Target::start(py, "workers");
        let sleeper = pid(&target.eval("sleeper.pid"));
        let hired = leaks.iter().map(|&leaks| hire(&mut target, leaks));
        let workers = hired.collect();
        let mut firm = Self {
            target,
            workers,
            sleeper,
        };
        assert_eq!(firm.answering(), firm.workers, "all work");
        firm
    }

    fn answering(&mut self) -> Vec<u32> {
        let answering = self.target.eval("answers()");
        answering.as_array().unwrap().iter().map(pid).collect()
    }

    /// The Python processes, the parent first.
    fn processes(&self) -> Vec<u32> {
        std::iter::once(self.target.pid)
            .chain(self.workers.iter().copied())
            .collect()
    }
}

fn hire(target: &mut Target, leaks: bool) -> u32 {
    let leaks = if leaks { "True" } else { "False" };
    pid(&target.eval(&format!("hire({leaks})")))
}

fn pid(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

/// A hunt in a tree whose looks can be counted as it goes.
struct Hunt {
    running: Running,
    details: PathBuf,
}

impl Hunt {
    fn start(root: u32, name: &str, options: &[&str]) -> Self {
        let details = scratch_file(name);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "log=$1; shift; exec \"$@\" 2>\"$log\"", "sh"])
            .arg(&details)
            .arg(program())
            .args(["hunt", "-v", "--children", "--pid", &root.to_string()])
            .args(options);
        let running = Leakhunt::of(shell).start();
        Self { running, details }
    }

    fn wait_for_looks(&self, n_looks: usize) {
        let n_seen = || {
            let text = fs::read_to_string(&self.details).unwrap_or_default();
            text.matches("the look stopped the target").count()
        };
        let enough = eventually(LONG, || (n_seen() >= n_looks).then_some(()));
        let text = fs::read_to_string(&self.details).unwrap_or_default();
        assert!(enough.is_some(), "not {n_looks} looks: {text}");
    }
}

fn fingerprints(pids: &[u32]) -> Vec<Fingerprint> {
    let of = |&pid: &u32| Fingerprint::from_outside(pid, Value::Null);
    pids.iter().map(of).collect()
}

/// Fails unless each process is as it was.
#[track_caller]
fn assert_all_unharmed(pids: &[u32], before: &[Fingerprint]) {
    for (&pid, before) in pids.iter().zip(before) {
        let now = || Fingerprint::from_outside(pid, Value::Null);
        let same = eventually(LIMIT, || {
            before.differences(&now()).is_empty().then_some(())
        });
        assert!(same.is_some(), "{pid}: {:?}", before.differences(&now()));
    }
}

fn pids_of(value: &Value) -> Vec<u32> {
    let mut pids: Vec<u32> = value.as_array().unwrap().iter().map(pid).collect();
    pids.sort_unstable();
    pids
}

fn process(document: &Value, wanted: u32) -> &Value {
    let processes = document["processes"].as_array().unwrap();
    let found = processes.iter().find(|one| one["pid"] == json!(wanted));
    found.unwrap_or_else(|| panic!("no process {wanted} in {document:#}"))
}

fn has_note(document: &Value, wanted: &str) -> bool {
    let notes = document["notes"].as_array().unwrap();
    notes
        .iter()
        .any(|note| note.as_str().unwrap().contains(wanted))
}

const SHORT: [&str; 4] = ["--for", "2s", "--scans", "4"];
/// Many looks, also on a machine that is loaded.
const LONG: Duration = LIMIT.saturating_mul(5);

fn to_its_end(hunt: Leakhunt) -> Finished {
    hunt.start().end(LONG)
}

#[test]
fn a_leak_of_one_worker_is_named_there_and_nowhere_else() {
    on_each(interpreters(), |py| {
        let mut firm = Firm::found(py, &[false, true, false]);
        let before = fingerprints(&firm.processes());
        let options = ["--children", "--json", "--fail"];
        let hunt = Leakhunt::at(firm.target.pid, "hunt", &options).args(&SHORT);
        let document = to_its_end(hunt).expect(1).json();
        assert_eq!(document["schema"], "leakhunt.findings/1");
        assert_eq!(document["pid"], json!(firm.target.pid));
        assert_eq!(document["verdict"], "leak", "{document:#}");
        let first = &document["findings"][0];
        assert_eq!(first["place"], "__main__.LEDGER", "{document:#}");
        let leaky = firm.workers[1];
        assert_eq!(first["processes"], json!([leaky]));
        for pid in firm.processes() {
            let process = process(&document, pid);
            let verdict = if pid == leaky { "leak" } else { "no_leak" };
            assert_eq!(process["verdict"], verdict, "{document:#}");
            assert_eq!(process["looks"], 4, "{document:#}");
            assert!(process["rss_bytes"].as_u64() > Some(1 << 20));
            assert!(process["objects"].as_u64() > Some(1000));
            assert!(process["command"].as_str().unwrap().contains("-c"));
        }
        let n_processes = document["processes"].as_array().unwrap().len();
        assert_eq!(
            n_processes, 4,
            "the program that is no Python is none of them"
        );
        let sleeper = format!("process {} (sleep 3600) runs no CPython", firm.sleeper);
        assert!(has_note(&document, &sleeper), "{document:#}");
        assert_all_unharmed(&firm.processes(), &before);
        assert_eq!(firm.answering(), firm.workers, "they work on");
        firm.target.finish_unharmed();
    });
}

#[test]
fn a_leak_of_all_workers_is_told_once_in_all_formats() {
    let mut firm = Firm::found(python3(), &[true, true]);
    let parent = firm.target.pid;
    let hunt = |options: &[&str]| {
        let hunt = Leakhunt::at(parent, "hunt", &["--children"]).args(&SHORT);
        to_its_end(hunt.args(options)).expect(0)
    };
    let document = hunt(&["--json"]).json();
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{document:#}");
    assert_eq!(pids_of(&findings[0]["processes"]), firm.workers);

    let accepted = scratch_file("accepted.txt");
    let fingerprint = findings[0]["fingerprint"].as_str().unwrap();
    fs::write(&accepted, fingerprint).unwrap();
    let text = hunt(&["--fail", "--accept", accepted.to_str().unwrap()]);
    let leaks = text.stdout.matches("LEAK ").count();
    assert!(leaks == 1, "{text:#?}");
    let is_told = |wanted: &str| assert!(text.stdout.contains(wanted), "{wanted}: {text:#?}");
    is_told("LEAK 1 (accepted)  __main__.LEDGER  (list)");
    is_told("2 of 3 processes: +");
    is_told(" each");
    let but_parent = format!("; not in {parent}");
    is_told(&but_parent);

    let markdown = hunt(&["--format", "markdown"]);
    let is_told =
        |wanted: &str| assert!(markdown.stdout.contains(wanted), "{wanted}: {markdown:#?}");
    is_told("### leakhunt: 1 leak\n");
    is_told(&but_parent);
    for worker in &firm.workers {
        is_told(&format!("| {worker} | "));
    }
    assert_eq!(firm.answering(), firm.workers, "they work on");
    firm.target.finish_unharmed();
}

#[test]
fn a_worker_that_is_killed_is_judged_by_what_was_seen() {
    on_each(interpreters(), |py| {
        let mut firm = Firm::found(py, &[true, false]);
        let [killed, other] = firm.workers[..] else {
            panic!("two workers")
        };
        let options = ["--for", "3s", "--scans", "7", "--json"];
        let hunt = Hunt::start(firm.target.pid, "killed", &options);
        hunt.wait_for_looks(5 * 3);
        kill(killed, libc::SIGKILL);
        let document = hunt.running.end(LONG).expect(0).json();
        let note = format!("process {killed} exited after ");
        assert!(has_note(&document, &note), "{document:#}");
        let n_looks = process(&document, killed)["looks"].as_u64().unwrap();
        assert!((4..7).contains(&n_looks), "{document:#}");
        assert_eq!(process(&document, other)["looks"], 7, "{document:#}");
        let first = &document["findings"][0];
        assert_eq!(first["place"], "__main__.LEDGER", "{document:#}");
        assert_eq!(first["processes"], json!([killed]));
        assert_eq!(firm.answering(), [other], "the other works on");
        firm.target.finish_unharmed();
    });
}

#[test]
fn a_worker_that_comes_is_hunted_in_and_one_that_comes_late_is_named() {
    let mut firm = Firm::found(python3(), &[false]);
    let options = ["--for", "8s", "--scans", "9", "--json"];
    let hunt = Hunt::start(firm.target.pid, "appeared", &options);
    hunt.wait_for_looks(2);
    let second = hire(&mut firm.target, true);
    // Two processes in three turns, three in the others.
    hunt.wait_for_looks(2 * 3 + 3 * 4);
    let late = hire(&mut firm.target, true);
    let document = hunt.running.end(LONG).expect(0).json();
    let note = format!("process {second} appeared after ");
    assert!(has_note(&document, &note), "{document:#}");
    let first = &document["findings"][0];
    assert_eq!(first["place"], "__main__.LEDGER", "{document:#}");
    assert_eq!(first["processes"], json!([second]), "{document:#}");
    let note = format!("appeared too late to be hunted in: {late}");
    assert!(has_note(&document, &note), "{document:#}");
    firm.workers.extend([second, late]);
    assert_eq!(firm.answering(), firm.workers, "they work on");
    firm.target.finish_unharmed();
}

#[test]
fn an_interrupt_gives_the_verdict_on_what_there_is() {
    let mut firm = Firm::found(python3(), &[true, true]);
    let before = fingerprints(&firm.processes());
    let options = ["--for", "10m", "--scans", "600", "--json"];
    let hunt = Hunt::start(firm.target.pid, "interrupted", &options);
    hunt.wait_for_looks(5 * 3);
    hunt.running.signal(libc::SIGINT);
    let document = hunt.running.end(LONG).expect(0).json();
    assert!(has_note(&document, "ended early"), "{document:#}");
    let first = &document["findings"][0];
    assert_eq!(first["place"], "__main__.LEDGER", "{document:#}");
    assert_eq!(pids_of(&first["processes"]), firm.workers);
    assert_all_unharmed(&firm.processes(), &before);
    assert_eq!(firm.answering(), firm.workers, "they work on");
    firm.target.finish_unharmed();
}

#[test]
fn all_that_exit_end_the_hunt_with_its_own_code() {
    let firm = Firm::found(python3(), &[true]);
    let options = ["--for", "10m", "--scans", "600", "--json"];
    let hunt = Hunt::start(firm.target.pid, "exited", &options);
    hunt.wait_for_looks(5 * 2);
    firm.target.finish_unharmed();
    let done = hunt.running.end(LONG).expect(4);
    assert_eq!(done.json()["findings"][0]["place"], "__main__.LEDGER");
}

#[test]
fn a_tree_without_python_is_told_so() {
    let firm = Firm::found(python3(), &[]);
    let alone = Leakhunt::at(firm.sleeper, "hunt", &["--children"]).run();
    alone.expect(3).expect_stderr("is not a CPython process");
    let gone = Leakhunt::at(4_194_304, "hunt", &["--children"]).run();
    gone.expect(3);
    firm.target.finish_unharmed();
}

const APP: &str = "
KEPT = []
class Order: pass
def app(environ, start):
    KEPT.append(Order())
    start('200 OK', [('Content-Length', '2')])
    return [b'ok']
";

fn gunicorn_leaks(py: &Interpreter, folder: &Path) {
    let mut client = py.command();
    client
        .arg("-c")
        .arg(format!(
            "{}\n{}",
            include_str!("targets/harness.py"),
            include_str!("targets/gunicorn_client.py")
        ))
        .arg(scratch_file("leaky-gunicorn.sock"))
        .arg(APP);
    let mut client = Start::of(client, &format!("gunicorn on {py}"))
        .packages(&folder.to_owned())
        .ready();
    let master = pid(&client.eval("server.pid"));
    let workers = eventually(LIMIT, || {
        let mut found = children(master);
        found.sort_unstable();
        (found.len() == 2).then_some(found)
    });
    let workers = workers.expect("two workers");
    client.eval("ask(100)");
    let all: Vec<u32> = std::iter::once(master)
        .chain(workers.iter().copied())
        .collect();
    let before = fingerprints(&all);
    client.eval("ask_on()");
    let hunt = Leakhunt::at(master, "hunt", &["--children", "--json"]);
    let document = to_its_end(hunt.args(&["--for", "4s", "--scans", "5"]))
        .expect(0)
        .json();
    let first = &document["findings"][0];
    assert_eq!(first["place"], "shop_app.KEPT", "{document:#}");
    assert_eq!(pids_of(&first["processes"]), workers, "{document:#}");
    assert_eq!(process(&document, master)["verdict"], "no_leak");
    assert_all_unharmed(&all, &before);
    assert_eq!(children(master).len(), 2);
    assert_eq!(client.eval("ask(20)"), json!(0), "requests that failed");
    assert_eq!(client.eval("stop()"), json!(0), "gunicorn's exit code");
    client.finish_unharmed();
}

#[test]
fn gunicorns_workers_have_one_leak_and_its_master_none() {
    on_each(interpreters(), |py| {
        match packages(py, &["gunicorn==23.0.0"]) {
            Ok(folder) => gunicorn_leaks(py, &folder),
            Err(reason) => skipped(&format!("gunicorn on {py}"), &reason),
        }
    });
}
