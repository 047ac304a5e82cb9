use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::support::proc::{kill, status_field, threads};
use crate::support::{
    Fingerprint, Finished, LIMIT, Leakhunt, Running, Start, Target, assert_unharmed, eventually,
    few, on_each, python3, skipped,
};

/// A user without privileges. It owns nothing.
const NOBODY: u32 = 65_534;

/// A process that is no target of the harness. Killed when dropped.
struct Process(Child);

impl Process {
    fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries to attach, which must be refused with a message and a remedy.
fn refused(pid: u32, message: &str, remedy: &str) -> Finished {
    check_refusal(
        Leakhunt::at(pid, "growth", &["--count", "1"]).run(),
        message,
        remedy,
    )
}

fn check_refusal(done: Finished, message: &str, remedy: &str) -> Finished {
    let done = done.expect(3);
    assert_eq!(done.stdout, "", "a failure prints no result: {done:#?}");
    assert!(done.stderr.contains("leakhunt: error: "), "{done:#?}");
    let n_told = done.stderr.matches(message).count();
    assert_eq!(n_told, 1, "{message:?} is told once: {done:#?}");
    assert!(done.stderr.contains(remedy), "no {remedy:?} in {done:#?}");
    done
}

fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// `growth` as another user, from whom root's privileges are taken.
fn refused_to_nobody(pid: u32, message: &str, remedy: &str) -> Finished {
    refuses_nobody(&["growth", "--count", "1"], pid, message, remedy)
}

fn refuses_nobody(command: &[&str], pid: u32, message: &str, remedy: &str) -> Finished {
    let mut program = Command::new(crate::support::leakhunt::program_for_everybody());
    program
        .args(command)
        .args(["--pid", &pid.to_string()])
        .current_dir("/");
    check_refusal(Leakhunt::of(program).by_user(NOBODY).run(), message, remedy)
}

#[test]
fn a_process_that_does_not_exist() {
    let process = Process::start("true", &[]);
    let pid = process.pid();
    drop(process);
    refused(pid, &format!("process {pid} does not exist"), "leakhunt ps");
    refused(4_194_305, "process 4194305 does not exist", "leakhunt ps");
}

#[test]
fn a_zombie() {
    let process = Process::start("true", &[]);
    let pid = process.pid();
    let is_zombie = || status_field(pid, "State").is_some_and(|state| state.starts_with('Z'));
    eventually(LIMIT, || is_zombie().then_some(())).unwrap();
    refused(pid, &format!("process {pid} has exited"), "leakhunt ps");
}

#[test]
fn the_id_of_a_thread() {
    let mut target = Target::start(python3(), "threads");
    let before = Fingerprint::of(&mut target);
    let process = target.pid;
    let thread = threads(process)
        .into_iter()
        .find(|&thread| thread != process)
        .unwrap();
    let message = format!("{thread} is a thread of process {process}");
    refused(thread, &message, &format!("process id {process}"));
    assert_unharmed(&before, &mut target);
}

#[test]
fn a_process_without_python() {
    let process = Process::start("sleep", &["600"]);
    let pid = process.pid();
    refused(
        pid,
        &format!("process {pid} (sleep) is not a CPython process"),
        "leakhunt ps",
    );
    assert!(
        std::path::Path::new(&format!("/proc/{pid}/exe")).exists(),
        "it still runs"
    );
}

#[test]
fn a_stopped_process() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        let pid = target.pid;
        target.stop();
        refused(
            pid,
            &format!("process {pid} is stopped"),
            &format!("kill -CONT {pid}"),
        );
        assert!(target.is_stopped(), "it is still stopped");
        target.resume();
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

/// Traces a process from a thread of the test until dropped.
struct Tracer {
    release: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Tracer {
    fn of(pid: u32) -> Self {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (seized, is_seized) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let pid = i32::try_from(pid).unwrap();
            // SAFETY: PTRACE_SEIZE takes no memory of ours.
            let answer = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) };
            seized.send(answer).unwrap();
            let _ = released.recv();
            // SAFETY: as above. The end of this thread would detach as well.
            unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0) };
        });
        assert_eq!(
            is_seized.recv().unwrap(),
            0,
            "ptrace: {}",
            std::io::Error::last_os_error()
        );
        Self {
            release,
            thread: Some(thread),
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.release.send(());
        let _ = self.thread.take().unwrap().join();
    }
}

#[test]
fn a_traced_process() {
    let mut target = Target::start(python3(), "idle");
    let before = Fingerprint::of(&mut target);
    let pid = target.pid;
    let tracer = Tracer::of(pid);
    refused(
        pid,
        &format!("process {pid} is already traced by PID "),
        "detach",
    );
    drop(tracer);
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_process_in_gdb() {
    if Command::new("gdb").arg("--version").output().is_err() {
        return skipped("attach to a process in gdb", "there is no gdb");
    }
    let mut target = Target::start(python3(), "idle");
    let pid = target.pid;
    let gdb = Process::start(
        "gdb",
        &[
            "-q",
            "-nx",
            "-p",
            &pid.to_string(),
            "-ex",
            "shell sleep 600",
        ],
    );
    let traced = || status_field(pid, "TracerPid").is_some_and(|tracer| tracer != "0");
    eventually(LIMIT, || traced().then_some(())).expect("gdb attaches");
    refused(pid, &format!("traced by PID {} (gdb)", gdb.pid()), "gdb");
    for child in crate::support::proc::descendants(gdb.pid()) {
        kill(child, libc::SIGKILL);
    }
    drop(gdb);
    eventually(LIMIT, || (!traced()).then_some(())).expect("gdb is gone");
    target.eval("None");
    target.finish_unharmed();
}

#[test]
fn a_process_of_another_user() {
    if !is_root() {
        return skipped(
            "attach to another user's process",
            "it takes root to become another user",
        );
    }
    let mut target = Target::start(python3(), "idle");
    let before = Fingerprint::of(&mut target);
    let pid = target.pid;
    let message = format!("process {pid} belongs to uid 0, you are uid {NOBODY}");
    for command in [
        &["growth", "--count", "1"][..],
        &["hunt"],
        &["hunt", "--account"],
        &["threads"],
        &["threads", "--outside"],
    ] {
        refuses_nobody(command, pid, &message, "run leakhunt as root");
    }
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_process_that_is_not_dumpable() {
    if !is_root() {
        return skipped(
            "attach to a process that is not dumpable",
            "it takes root to set it up",
        );
    }
    // Any interpreter that another user can run.
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", NOT_DUMPABLE]).current_dir("/");
    use std::os::unix::process::CommandExt;
    command
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let Ok(child) = command.spawn() else {
        return skipped(
            "attach to a process that is not dumpable",
            "there is no /usr/bin/python3",
        );
    };
    let mut process = Process(child);
    let mut answer = [0; 1];
    use std::io::Read;
    if process
        .0
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut answer)
        .is_err()
    {
        return skipped(
            "attach to a process that is not dumpable",
            "nobody cannot run Python",
        );
    }
    let pid = process.pid();
    refused_to_nobody(
        pid,
        &format!("process {pid} is not dumpable"),
        "run leakhunt as root",
    );
}

const NOT_DUMPABLE: &str = "import ctypes, os
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
os.write(1, b'.')
os.read(0, 1)";

#[test]
fn a_process_without_a_free_descriptor() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        target.exec("import resource\nlimits = resource.getrlimit(resource.RLIMIT_NOFILE)");
        for n_free in [0, 1] {
            target.exec(&format!(
                "n_used = max(map(int, os.listdir('/proc/self/fd'))) + {n_free}\n\
                 resource.setrlimit(resource.RLIMIT_NOFILE, (n_used, limits[1]))"
            ));
            // Descriptors below the limit that are free count too.
            target.exec(
                "filled = []\nwhile True:\n try: filled.append(os.dup(0))\n except OSError: break",
            );
            target.exec(&format!("[os.close(fd) for fd in filled[:{n_free}]]"));
            let before = Fingerprint::of(&mut target);
            let pid = target.pid;
            refused(
                pid,
                &format!("process {pid} has no free file descriptor"),
                "prlimit",
            );
            assert_unharmed(&before, &mut target);
            target.exec(
                "[os.close(fd) for fd in filled[{n_free}:]]"
                    .replace("{n_free}", &n_free.to_string())
                    .as_str(),
            );
            target.exec("resource.setrlimit(resource.RLIMIT_NOFILE, limits)");
        }
        Leakhunt::at(target.pid, "growth", &["--count", "1"])
            .run()
            .expect(0);
        target.finish_unharmed();
    });
}

/// A target with a filter on one system call; `None` where filters are not to be had.
fn filtered(number: i64, action: &str) -> Option<Target> {
    let mut target = Start::new(python3(), "seccomp")
        .arg(&number.to_string())
        .arg(action)
        .ready();
    match status_field(target.pid, "Seccomp").as_deref() {
        Some("2") => Some(target),
        _ => {
            skipped(
                "attach to a process with a seccomp filter",
                "the filter cannot be installed",
            );
            target.eval("None");
            None
        }
    }
}

#[test]
fn a_seccomp_filter_that_denies() {
    let Some(mut target) = filtered(libc::SYS_socketpair, "errno") else {
        return;
    };
    let before = Fingerprint::of(&mut target);
    let done = refused(target.pid, "seccomp", "");
    assert!(
        done.stderr.contains("socketpair"),
        "the call is named: {done:#?}"
    );
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_seccomp_filter_that_kills_is_seen_before_it_does() {
    if !is_root() {
        return skipped("reading a seccomp filter", "it takes root");
    }
    for number in [libc::SYS_socketpair, libc::SYS_clone3] {
        let Some(mut target) = filtered(number, "kill") else {
            return;
        };
        let before = Fingerprint::of(&mut target);
        let pid = target.pid;
        let done = Leakhunt::at(pid, "growth", &["--count", "1"]).run();
        if target.is_running() && done.code == Some(0) {
            // The call is one that leakhunt does not need.
            continue;
        }
        check_refusal(
            done,
            &format!("the seccomp filter of process {pid} would kill it"),
            "",
        );
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    }
}

#[test]
fn a_seccomp_filter_on_what_is_not_needed_does_no_harm() {
    let Some(mut target) = filtered(libc::SYS_ptrace, "kill") else {
        return;
    };
    let before = Fingerprint::of(&mut target);
    Leakhunt::at(target.pid, "growth", &["--count", "1"])
        .run()
        .expect(0);
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn an_interpreter_that_is_ending() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        // Runs after the atexit callbacks, when the modules are torn down.
        target.exec(
            "class Last:\n    def __del__(self, read=os.read, write=os.write):\n        \
             write(1, b'\\x01{\"ending\": 1}\\n')\n        read(0, 1)\nsys.last_one = Last()",
        );
        target.send(&serde_json::json!({ "exec": "sys.exit(7)" }));
        let answer = target.answer(LIMIT);
        assert_eq!(answer["ending"], 1, "{answer}");
        let pid = target.pid;
        let done = Leakhunt::at(pid, "growth", &["--count", "1", "--timeout", "5s"]).run();
        check_refusal(done, "starting up or shutting down", "");
        target.send_byte(b'x');
        target.end().check_unharmed("an interpreter that is ending");
    });
}

#[test]
fn a_second_leakhunt_attaches_beside_the_first() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        let mut first = Leakhunt::at(target.pid, "growth", &["--interval", "1h", "--json"]).start();
        first.line();
        let second = Leakhunt::at(target.pid, "growth", &["--count", "1", "--json"]).run();
        // Only one may trace; that lasts a millisecond, so both get in.
        assert_eq!(second.expect(0).json_lines().len(), 1);
        first.signal(libc::SIGINT);
        first.end(LIMIT).expect(0);
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn many_leakhunts_at_once_attach_or_name_the_one_that_does() {
    let mut target = Target::start(python3(), "busy_python");
    let mut before = Fingerprint::of(&mut target);
    for _ in 0..5 {
        let start = || Leakhunt::at(target.pid, "growth", &["--count", "1", "--json"]).start();
        let runs: Vec<Running> = (0..3).map(|_| start()).collect();
        for run in runs {
            let done = run.end(LIMIT);
            match done.code {
                Some(0) => assert_eq!(done.json_lines().len(), 1),
                _ => drop(check_refusal(done, "already traced by PID", "leakhunt")),
            }
        }
    }
    // Up to 3.13 atexit keeps the place of a callback that is not its last: sessions that overlap may
    // leave an empty place each.
    let n_places = Fingerprint::of(&mut target).word("atexit").clone();
    assert!(n_places.as_u64().unwrap() <= before.word("atexit").as_u64().unwrap() + 15);
    before.expect_word("atexit", n_places);
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_snapshot_that_may_not_be_read_is_not_called_something_else() {
    if !is_root() {
        skipped(
            "a snapshot of another user",
            "only root can be another user",
        );
        return;
    }
    let name = format!("leakhunt-unreadable-{}.leakhunt", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("meta.json"), "{}").unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = Command::new(crate::support::leakhunt::program_for_everybody());
    command.arg("show").arg(&folder).current_dir("/");
    let done = Leakhunt::of(command).by_user(NOBODY).run().expect(2);
    fs::remove_dir_all(&folder).unwrap();
    assert!(
        done.stderr
            .contains("cannot read meta.json: Permission denied"),
        "{done:#?}"
    );
    for other in ["not a snapshot", "what can be read"] {
        assert!(!done.stderr.contains(other), "{done:#?}");
    }
}
