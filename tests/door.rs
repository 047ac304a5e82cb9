use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use leakhunt_wire::{
    Goodbye, GraphRequest, KNOCK, MAX_PACKET, Names, Place, Reply, Request, Writer,
};
use serde_json::{Value, json};

use crate::support::leakhunt::{program, program_for_everybody};
use crate::support::module::package_for;
use crate::support::proc::kill;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Start, Target, all, assert_unharmed, eventually,
    on_each, python3, skipped,
};

/// Users that nobody else is.
const OWNER: u32 = 64_123;
const OTHER: u32 = 64_124;

fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A target with a door that nobody of `user` may trace; its own user where that is none.
fn doored(py: &Interpreter, folder: &PathBuf, user: Option<u32>) -> Target {
    let mut start = Start::new(py, "doored").packages(folder);
    start
        .command()
        .env_remove("XDG_RUNTIME_DIR")
        .env("LEAKHUNT_BIN", program());
    match user {
        Some(user) => start.arg(&user.to_string()).ready(),
        None => start.ready(),
    }
}

/// `python3`, the oldest that the module is for, one of the middle, the newest, and those without the
/// GIL.
fn interpreters() -> Vec<&'static Interpreter> {
    let fit: Vec<_> = all().iter().filter(|py| package_for(py).is_ok()).collect();
    let with_gil = || fit.iter().copied().filter(|py| !py.free_threaded);
    let ends = [
        with_gil().next(),
        with_gil().min_by_key(|py| py.version),
        with_gil().find(|py| py.version.1 == 12),
        with_gil().max_by_key(|py| py.version),
    ];
    let mut chosen: Vec<_> = ends.into_iter().flatten().collect();
    chosen.extend(fit.iter().copied().filter(|py| py.free_threaded));
    chosen.sort_by_key(|py| (py.version, &py.name));
    chosen.dedup_by_key(|py| &py.name);
    chosen
}

/// Runs `claim` on each interpreter that can import the package.
fn with_package(claim: impl Fn(&Interpreter, &PathBuf)) {
    let fit = interpreters();
    if fit.is_empty() {
        return skipped("a door", "no interpreter here can import the module");
    }
    on_each(fit, |py| match package_for(py) {
        Ok(folder) => claim(py, &folder),
        Err(reason) => skipped(&format!("a door on {py}"), &reason),
    });
}

/// The program without any privilege.
fn by_user(user: u32, target: &Target, args: &[&str]) -> Leakhunt {
    let mut command = Command::new(program_for_everybody());
    command.args(args).args(["--pid", &target.pid.to_string()]);
    Leakhunt::of(command).by_user(user)
}

fn count_of(record: &Value, name: &str) -> Value {
    let rows = record["types"].as_array().unwrap();
    let row = rows.iter().find(|row| row["type"] == name);
    row.map_or(Value::Null, |row| row["count"].clone())
}

fn path_of(target: &mut Target) -> PathBuf {
    PathBuf::from(target.eval("leakhunt.door()").as_str().unwrap())
}

#[test]
fn who_may_not_trace_gets_in_by_the_door() {
    if !is_root() {
        return skipped("a door of another user", "only root can become one");
    }
    with_package(|py, folder| {
        let mut target = doored(py, folder, Some(OWNER));
        let path = path_of(&mut target);
        let before = Fingerprint::of(&mut target);
        let looks = ["growth", "--interval", "1", "--count", "2", "--json"];
        let done = by_user(OWNER, &target, &looks).run().expect(0);
        assert_eq!(done.json_lines().len(), 2);
        for record in done.json_lines() {
            assert_eq!(count_of(&record, "__main__.Thing"), json!(123));
        }
        by_user(OWNER, &target, &["dump", "--type", "Thing", "--door"])
            .run()
            .expect(0)
            .expect_stderr("");
        Leakhunt::at(target.pid, "growth", &["--door", "--count", "1", "-v"])
            .run()
            .expect(0)
            .expect_stderr("went in by the door");
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
        assert!(!path.exists(), "the door is gone with its process");
    });
}

#[test]
fn the_door_of_another_user_is_refused_with_a_message() {
    if !is_root() {
        return skipped("a door of another user", "only root can become one");
    }
    let py = python3();
    let folder = match package_for(py) {
        Ok(folder) => folder,
        Err(reason) => return skipped("a door of another user", &reason),
    };
    let mut target = doored(py, &folder, Some(OWNER));
    let before = Fingerprint::of(&mut target);
    for way in [&["growth", "--count", "1"][..], &["growth", "--door"]] {
        by_user(OTHER, &target, way)
            .run()
            .expect(3)
            .expect_stderr(&format!("is open to uid {OWNER} and root alone"))
            .expect_stderr(&format!("or as uid {OWNER}"));
    }
    let listed = |user| {
        let mut command = Command::new(program_for_everybody());
        command.args(["ps", "--json"]);
        let list = Leakhunt::of(command).by_user(user).run().expect(0).json();
        let rows = list["processes"].as_array().unwrap().clone();
        let row = rows.into_iter().find(|row| row["pid"] == target.pid);
        let row = row.expect("the target is listed");
        (row["door"].clone(), row["attachable"].clone())
    };
    assert_eq!(listed(OWNER), (json!(true), json!(true)));
    assert_eq!(listed(OTHER), (json!(false), json!(false)));
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_process_without_a_door_is_told_how_to_open_one() {
    let mut target = Target::start(python3(), "idle");
    target.exec("import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)");
    Leakhunt::at(target.pid, "growth", &["--door", "--count", "1"])
        .run()
        .expect(3)
        .expect_stderr("has opened no door")
        .expect_stderr("leakhunt.listen()");
    if is_root() {
        let mut command = Command::new(program_for_everybody());
        command.args(["growth", "--pid", &target.pid.to_string()]);
        Leakhunt::of(command)
            .by_user(OTHER)
            .run()
            .expect(3)
            .expect_stderr("LEAKHUNT_LISTEN=1");
    }
    target.finish_unharmed();
}

#[test]
fn a_fork_takes_no_door_along_and_is_not_warned_of() {
    with_package(|py, folder| {
        let mut target = doored(py, folder, None);
        let path = path_of(&mut target);
        target.exec(
            "def in_child(tell):
    r, w = os.pipe()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter('always')
        pid = os.fork()
    if not pid:
        os.write(w, json.dumps(tell()).encode())
        os._exit(0)
    os.close(w)
    told = json.loads(os.read(r, 10000))
    os.close(r)
    os.waitpid(pid, 0)
    return [told, [str(one.message) for one in warned]]
def as_seen():
    sockets = [f for f in os.listdir('/proc/self/fd') if f not in '012'
        and os.path.exists('/proc/self/fd/' + f) and 'socket' in os.readlink('/proc/self/fd/' + f)]
    return [leakhunt.door(), len(sockets), len(os.listdir('/proc/self/task'))]",
        );
        let before = Fingerprint::of(&mut target);
        let seen = target.eval("in_child(as_seen)");
        assert_eq!(
            seen,
            json!([[null, 0, 1], []]),
            "door, sockets and threads of a child"
        );
        assert_unharmed(&before, &mut target);
        target.exec("leakhunt.listen(children=True)");
        let seen =
            target.eval("in_child(lambda: [leakhunt.door(), os.path.exists(leakhunt.door())])");
        let child = seen[0][0].as_str().expect("a door of its own");
        assert_ne!(Path::new(child), path);
        assert_eq!(seen[0][1], json!(true));
        assert_eq!(path_of(&mut target), path, "the parent's is as before");
        let looks = ["growth", "--door", "--count", "1"];
        Leakhunt::of(Command::new(program()))
            .args(&looks)
            .args(&["--pid", &target.pid.to_string()])
            .run()
            .expect(0);
        target.finish_unharmed();
        let _ = std::fs::remove_file(child);
    });
}

#[test]
fn from_within_the_numbers_are_the_interpreters_own() {
    with_package(|py, folder| {
        let mut target = doored(py, folder, None);
        target.exec(
            "def of(look): return next(row for row in look.types if row.type == '__main__.Thing')",
        );
        assert_eq!(target.eval("of(leakhunt.census()).count"), json!(123));
        target.exec("growth = leakhunt.growth(); THINGS.extend(Thing() for _ in range(40))");
        assert_eq!(target.eval("of(growth.look()).delta"), json!(40));
        assert_eq!(
            target.eval("[row.type for row in growth.look().grown if 'Thing' in row.type]"),
            json!([])
        );
        assert_eq!(target.eval("of(growth.since_first()).delta"), json!(40));
        let found = target.eval("leakhunt.path(THINGS[7]).paths[0].path");
        let same = format!("({}) is THINGS[7]", found.as_str().unwrap());
        assert_eq!(target.eval(&same), json!(true), "{found}");
        target.exec("graph = leakhunt.referrers_graph(THINGS, depth=1)");
        let drawn = target.eval(
            "[[one.type for one in graph.nodes if one.is_start], graph._repr_html_()[-7:-1]]",
        );
        assert_eq!(drawn, json!([["list"], "</svg>"]));
        target.exec(
            "with leakhunt.watch(rounds=3) as watch:
    for _ in watch: THINGS.append(Thing())",
        );
        let grown = target.eval("[row.type for row in watch.grown if 'Thing' in row.type]");
        assert_eq!(grown, json!(["__main__.Thing"]));
        target.exec(
            "try: leakhunt.diff('/no/such', '/file')
except leakhunt.LeakhuntError as error: failure = [error.exit_code, '/no/such' in str(error)]",
        );
        assert_eq!(target.eval("failure"), json!([2, true]));
        target.finish_unharmed();
    });
}

/// Somebody at the door, whose packets are what they are.
struct Visitor(OwnedFd);

impl Visitor {
    /// `None` when nobody lets more in just now.
    fn at(path: &Path) -> Option<Self> {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket takes integers; all zeroes are an address; connect gets its size.
        unsafe {
            let socket = OwnedFd::from_raw_fd(libc::socket(libc::AF_UNIX, kind, 0));
            let mut address: libc::sockaddr_un = std::mem::zeroed();
            address.sun_family = libc::AF_UNIX as libc::sa_family_t;
            for (to, from) in address
                .sun_path
                .iter_mut()
                .zip(path.to_str().unwrap().bytes())
            {
                *to = from as libc::c_char;
            }
            let len = size_of_val(&address) as libc::socklen_t;
            let done = libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len);
            (done == 0).then_some(Self(socket))
        }
    }

    /// `false` when there is no room, or nobody on the other side.
    fn say(&self, packet: &[u8]) -> bool {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the packet is valid for its length.
        let sent = unsafe {
            libc::send(
                self.0.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                flags,
            )
        };
        sent >= 0
    }

    /// Says it as soon as there is room.
    fn say_at_last(&self, packet: &[u8]) {
        let said = eventually(LIMIT, || {
            let is_full = || {
                let error = std::io::Error::last_os_error();
                error.kind() == std::io::ErrorKind::WouldBlock
            };
            (self.say(packet) || !is_full()).then_some(())
        });
        assert!(said.is_some(), "the other side reads, or leaves");
    }

    /// The next packet, empty at the end of the talk.
    fn hear(&self) -> Vec<u8> {
        let mut packet = vec![0; 40_000];
        let heard = eventually(LIMIT, || {
            // SAFETY: the kernel writes at most as many bytes as the buffer has.
            let len = unsafe {
                let fd = self.0.as_raw_fd();
                libc::recv(
                    fd,
                    packet.as_mut_ptr().cast(),
                    packet.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            let would_block = std::io::Error::last_os_error().kind();
            match usize::try_from(len) {
                Ok(len) => Some(len),
                Err(_) if would_block == std::io::ErrorKind::WouldBlock => None,
                Err(_) => Some(0),
            }
        });
        packet.truncate(heard.expect("an answer or the end"));
        packet
    }
}

/// Numbers that are the same at each run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn packet(&mut self, most: u64) -> Vec<u8> {
        let len = self.roll() % most;
        // Numbers of requests are small: most packets start as one.
        let first = (self.roll() % 12) as u8;
        let rest = (0..len).map(|_| self.roll() as u8);
        std::iter::once(first).chain(rest).collect()
    }
}

/// As a packet.
fn packet(request: &Request<'_>) -> Vec<u8> {
    let mut buffer = [0; MAX_PACKET];
    let mut writer = Writer::new(&mut buffer);
    request.encode(&mut writer);
    writer.bytes().unwrap().to_vec()
}

#[test]
fn for_a_visitor_no_code_is_run_in_the_process_itself() {
    let py = python3();
    let folder = match package_for(py) {
        Ok(folder) => folder,
        Err(reason) => return skipped("code by a door", &reason),
    };
    let mut target = doored(py, &folder, None);
    let visitor = Visitor::at(&path_of(&mut target)).unwrap();
    visitor.say(KNOCK);
    assert!(visitor.say(&packet(&Request::Run("import os; os.environ['RAN'] = '1'"))));
    let mut last = Vec::new();
    loop {
        let heard = visitor.hear();
        if heard.is_empty() {
            break;
        }
        last = heard;
    }
    let reply = Reply::decode(&last).unwrap();
    let is_refused = matches!(reply, Reply::Goodbye(Goodbye::NotByTheDoor));
    assert!(is_refused, "{reply:?}");
    assert_eq!(target.eval("os.environ.get('RAN')"), Value::Null);
    target.finish_unharmed();
}

/// A request whose answer is far more than a socket holds.
fn graph_request() -> Vec<u8> {
    let request = GraphRequest {
        place: Place::Copy,
        refused_max_objects: 0,
        names: Names::All,
        collect: false,
        time_bare_walk: false,
        time_limit_ms: u32::MAX,
        memory_limit_bytes: u64::MAX,
    };
    packet(&Request::Graph(request))
}

#[test]
fn hostile_visitors_do_no_harm() {
    with_package(|py, folder| {
        let mut target = doored(py, folder, None);
        let path = path_of(&mut target);
        let before = Fingerprint::of(&mut target);
        let rss = "int(open('/proc/self/statm').read().split()[1]) * 4096";
        let rss_before = target.eval(rss).as_u64().unwrap();
        let mut dice = Dice(0x2545_F491_4F6C_DD1D);

        // Noise instead of a knock, and no word at all.
        let silent: Vec<_> = (0..40).filter_map(|_| Visitor::at(&path)).collect();
        assert_eq!(target.eval("1 + 1"), json!(2), "beside silent visitors");
        drop(silent);
        for _ in 0..30 {
            if let Some(visitor) = Visitor::at(&path) {
                visitor.say(&dice.packet(200));
            }
        }

        // Noise instead of requests. Whoever is let in hears something; noise ends the session.
        for round in 0..20 {
            let visitor = eventually(LIMIT, || {
                let visitor = Visitor::at(&path)?;
                visitor.say(KNOCK);
                (!visitor.hear().is_empty()).then_some(visitor)
            });
            let visitor = visitor.expect("one visitor after the other is let in");
            for _ in 0..round {
                visitor.say(&dice.packet(if round % 4 == 0 { 30_000 } else { 40 }));
            }
            // Half of them leave without having read anything.
            if round % 2 == 0 {
                // What is no request ends the session, which else would last for a minute.
                visitor.say_at_last(&[255]);
                while !visitor.hear().is_empty() {}
            }
        }

        // A graph, which is asked for and never read.
        let greedy = eventually(LIMIT, || {
            let visitor = Visitor::at(&path)?;
            visitor.say(KNOCK);
            (!visitor.hear().is_empty()).then_some(visitor)
        });
        let greedy = greedy.expect("a visitor is let in");
        let graph = graph_request();
        assert!(greedy.say(&graph));
        assert_eq!(target.eval("sum(range(1000))"), json!(499_500));
        // Meanwhile others are told that somebody is in.
        let busy = by_door(&target).run().expect(3);
        assert!(busy.stderr.contains("another leakhunt"), "{busy:?}");
        drop(greedy);

        let served = eventually(LIMIT, || {
            (by_door(&target).run().code == Some(0)).then_some(())
        });
        assert!(served.is_some(), "an honest visitor is served afterwards");
        let rss_after = target.eval(rss).as_u64().unwrap();
        assert!(
            rss_after < rss_before + (32 << 20),
            "{rss_before} bytes, then {rss_after}"
        );
        let settled = eventually(LIMIT, || {
            let now = Fingerprint::of(&mut target);
            before.differences(&now).is_empty().then_some(())
        });
        let now = Fingerprint::of(&mut target);
        assert!(settled.is_some(), "{:?}", before.differences(&now));
        target.finish_unharmed();
    });
}

fn by_door(target: &Target) -> Leakhunt {
    Leakhunt::at(target.pid, "growth", &["--door", "--count", "1"])
}

#[test]
fn a_target_that_is_killed_leaves_a_door_that_the_next_one_sweeps() {
    let py = python3();
    let folder = match package_for(py) {
        Ok(folder) => folder,
        Err(reason) => return skipped("a door that is left", &reason),
    };
    let mut first = doored(py, &folder, None);
    let left = path_of(&mut first);
    kill(first.pid, libc::SIGKILL);
    first.end();
    assert!(left.exists());
    let mut second = doored(py, &folder, None);
    assert_ne!(path_of(&mut second), left);
    assert!(!left.exists());
    second.finish_unharmed();
}
