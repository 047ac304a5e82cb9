mod transports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::packages::objgraph_source;
use crate::support::proc::descriptors;
use crate::support::{
    Fingerprint, LIMIT, Leakhunt, Start, Target, all, assert_unharmed, few, on_each, python3,
    scratch_file, skipped, unharmed_look,
};

/// The sockets of a target, which must be unharmed by the look.
fn look(target: &mut Target, args: &[&str]) -> Value {
    unharmed_look(target, "sockets", args)
}

fn list(document: &Value) -> &Vec<Value> {
    document["sockets"].as_array().unwrap()
}

/// The socket of the object that an expression gives in the target.
fn of<'d>(document: &'d Value, target: &mut Target, expression: &str) -> &'d Value {
    let address = target.eval(&format!("id({expression})"));
    let has = |socket: &&Value| {
        let objects = socket["objects"].as_array().unwrap();
        objects.iter().any(|object| object["address"] == address)
    };
    let found = list(document).iter().find(has);
    found.unwrap_or_else(|| panic!("no {expression} in {document:#}"))
}

fn marks(socket: &Value) -> Vec<&str> {
    let marks = socket["marks"].as_array().unwrap().iter();
    marks.map(|mark| mark.as_str().unwrap()).collect()
}

fn types(socket: &Value) -> Vec<&str> {
    let objects = socket["objects"].as_array().unwrap().iter();
    objects
        .map(|object| object["type"].as_str().unwrap())
        .collect()
}

fn group<'d>(document: &'d Value, name: &str) -> &'d Value {
    let mut groups = document["groups"].as_array().unwrap().iter();
    groups
        .find(|group| group["name"] == name)
        .unwrap_or_else(|| panic!("no group {name:?} in {document:#}"))
}

/// Each socket that the kernel has is told, by the descriptors, state and ports that the target itself
/// reads in `/proc`; and no other.
fn agrees_with_the_kernel(document: &Value, target: &mut Target) {
    let truth = target.eval("own_sockets()");
    let truth = truth.as_object().unwrap();
    let inodes: BTreeSet<String> = list(document)
        .iter()
        .filter_map(|socket| Some(socket["inode"].as_u64()?.to_string()))
        .collect();
    let known: BTreeSet<String> = truth.keys().cloned().collect();
    assert_eq!(inodes, known, "{document:#}");
    for socket in list(document) {
        let Some(inode) = socket["inode"].as_u64() else {
            continue;
        };
        let known = &truth[&inode.to_string()];
        assert_eq!(socket["fds"], known[0], "{socket}");
        let Some(known) = known[1].as_array() else {
            continue;
        };
        assert_eq!(socket["protocol"], known[0], "{socket}");
        let state = match known[1].as_u64().unwrap() {
            1 => "ESTABLISHED",
            4 => "FIN_WAIT1",
            5 => "FIN_WAIT2",
            7 => "UNCONNECTED",
            8 => "CLOSE_WAIT",
            10 => "LISTEN",
            other => panic!("state {other}"),
        };
        assert_eq!(socket["state"], state, "{socket}");
        for (end, port) in [("local", &known[2]), ("peer", &known[3])] {
            let told = socket[end].as_str();
            let told = told.map_or(json!(0), |told| {
                let port = told.rsplit_once(':').unwrap().1;
                json!(port.parse::<u16>().unwrap())
            });
            assert_eq!(&told, port, "{end} of {socket}");
        }
    }
}

#[test]
fn the_lines_of_home_assistant_are_the_reprs_that_objgraph_finds() {
    let objgraph = objgraph_source();
    on_each(all(), |py| {
        let source = match &objgraph {
            Ok(source) => source,
            Err(reason) => return skipped("comparison with objgraph", reason),
        };
        let mut target = Target::start(py, "sockets");
        target.exec(&format!("load_objgraph({})", json!(source)));
        target.exec("leak(3); established(); closed(); kept_open_by_file(); of_tls()");
        target.exec("namesakes = [Namesake(), Namesake(), Quarrelsome()]");
        let folder = scratch_file("ha");
        fs::create_dir_all(&folder).unwrap();
        if py.sees_our_files() {
            target.eval(&format!("of_unix({:?})", folder.display().to_string()));
        }
        let before = Fingerprint::of(&mut target);
        let done = Leakhunt::at(target.pid, "sockets", &["--format", "ha"])
            .run()
            .expect(0);
        assert_unharmed(&before, &mut target);
        let mut lines = done.stdout.lines();
        assert_eq!(lines.next(), Some("Sockets used by Home Assistant:"));
        let expected = target.eval("[repr(one) for one in objgraph.by_type('socket')]");
        let expected: Vec<String> = serde_json::from_value(expected).unwrap();
        assert!(expected.len() > 10, "{expected:?}");
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let mut told: Vec<&str> = lines.collect();
        expected.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, expected);
        target.finish_unharmed();
    });
}

#[test]
fn states_descriptors_and_addresses_are_those_of_the_kernel() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("leak(4); established(); closed(); kept_open_by_file(); over()");
        target.exec("DUPLICATE = CLIENT.dup(); CLIENT.shutdown(socket.SHUT_WR)");
        target.exec(
            "UNBOUND = socket.socket(); SIX = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        );
        let document = look(&mut target, &[]);
        agrees_with_the_kernel(&document, &mut target);
        let port = target.eval("ADDRESS[1]");
        let first = &list(&document)[0];
        assert_eq!(first["state"], "CLOSE_WAIT", "{document:#}");
        let leaked = group(&document, &format!("CLOSE_WAIT to 127.0.0.1:{port}"));
        assert_eq!(leaked["count"], 4);
        let half = of(&document, &mut target, "CLIENT");
        assert_eq!(half["state"], "FIN_WAIT2");
        assert_eq!(
            half["fds"].as_array().unwrap().len(),
            2,
            "duplicated: {half}"
        );
        assert_eq!(types(half), ["socket.socket", "socket.socket"]);
        assert_eq!(
            of(&document, &mut target, "ACCEPTED")["state"],
            "CLOSE_WAIT"
        );
        let unbound = of(&document, &mut target, "UNBOUND");
        assert_eq!(unbound["state"], "UNCONNECTED");
        assert_eq!(
            (&unbound["protocol"], &unbound["local"]),
            (&json!("tcp"), &Value::Null)
        );
        assert_eq!(of(&document, &mut target, "SIX")["family"], "inet6");
        let size = target.eval("sys.getsizeof(SERVER)");
        let server = of(&document, &mut target, "SERVER");
        assert_eq!(server["objects"][0]["size_bytes"], size);
        target.finish_unharmed();
    });
}

#[test]
fn what_stands_out_is_marked() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("established(); closed(); kept_open_by_file(); stale(); over()");
        let document = look(&mut target, &[]);
        let expected = [
            ("CLIENT", vec![]),
            ("SERVER", vec![]),
            ("CLOSED[0]", vec!["closed"]),
            ("CLOSED[1]", vec!["closed"]),
            ("BY_FILE", vec!["kept_open_by_file"]),
            ("REPLACED", vec!["stale_descriptor"]),
            ("GONE", vec!["stale_descriptor"]),
            ("OVER", vec!["connection_over"]),
        ];
        for (name, expected) in expected {
            let socket = of(&document, &mut target, name);
            assert_eq!(marks(socket), expected, "{name}: {socket}");
        }
        let replaced = of(&document, &mut target, "REPLACED");
        assert_eq!(replaced["descriptor_now"], "/dev/null");
        assert_eq!(
            of(&document, &mut target, "GONE")["descriptor_now"],
            Value::Null
        );
        let native = target.eval("NATIVE_FD");
        let natives: Vec<&Value> = list(&document)
            .iter()
            .filter(|socket| marks(socket) == ["native"])
            .collect();
        assert_eq!(natives.len(), 1, "{natives:#?}");
        assert_eq!(natives[0]["fds"], json!([native]));
        assert_eq!(natives[0]["state"], "ESTABLISHED");
        // Nobody has the other end of a pair whose one end is closed.
        let pair = of(&document, &mut target, "PAIR");
        let is_gone =
            |socket: &Value| socket["state"] == "CLOSE_WAIT" && socket["peer"] == Value::Null;
        assert!(is_gone(pair), "{pair}");
        target.finish_unharmed();
    });
}

#[test]
fn paths_lead_to_the_objects() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("leak(5); established()");
        let document = look(&mut target, &[]);
        let leaked = list(&document)
            .iter()
            .filter(|socket| socket["state"] == "CLOSE_WAIT");
        let mut n_leaked = 0;
        for socket in leaked {
            let path = socket["path"].as_str().unwrap();
            assert_eq!(socket["holder"], "__main__.POOL.leaked", "{socket}");
            assert_eq!(
                target.eval(&format!("id({path})")),
                socket["objects"][0]["address"]
            );
            n_leaked += 1;
        }
        assert_eq!(n_leaked, 5, "{document:#}");
        let document = look(&mut target, &["--quick"]);
        let leaked = list(&document).iter();
        let leaked = leaked.filter(|socket| socket["state"] == "CLOSE_WAIT");
        let paths: Vec<_> = leaked.map(|socket| &socket["path"]).collect();
        assert_eq!(paths, [&Value::Null; 5], "{document:#}");
        target.finish_unharmed();
    });
}

#[test]
fn unix_sockets_know_their_paths_and_peers() {
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let folder = scratch_file("unix");
        fs::create_dir_all(&folder).unwrap();
        let mut target = Target::start(py, "sockets");
        let path = target.eval(&format!("of_unix({:?})", folder.display().to_string()));
        target.exec("ONE, OTHER = socket.socketpair()");
        let document = look(&mut target, &[]);
        agrees_with_the_kernel(&document, &mut target);
        let listener = of(&document, &mut target, "LISTENER");
        assert_eq!(
            (&listener["state"], &listener["local"]),
            (&json!("LISTEN"), &path)
        );
        let client = of(&document, &mut target, "AT_PATH");
        assert_eq!(
            (&client["state"], &client["peer"]),
            (&json!("ESTABLISHED"), &path)
        );
        let accepted = of(&document, &mut target, "ACCEPTED_AT_PATH");
        assert_eq!(client["peer_inode"], accepted["inode"]);
        assert_eq!(accepted["peer_inode"], client["inode"]);
        assert_eq!(client["peer_pid"], target.eval("os.getpid()"));
        let name = format!("@leakhunt-test-{}", target.eval("os.getpid()"));
        assert_eq!(of(&document, &mut target, "ABSTRACT")["local"], name);
        let (one, other) = (
            of(&document, &mut target, "ONE"),
            of(&document, &mut target, "OTHER"),
        );
        assert_eq!(one["peer_inode"], other["inode"]);
        let fd = target.eval("OTHER.fileno()");
        assert_eq!(one["peer"], format!("fd {fd} of this process"));
        target.finish_unharmed();
    });
}

#[test]
fn code_of_the_target_is_not_run_and_its_sockets_are_told_all_the_same() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("bad = [Quarrelsome(), Hanging(), Quarrelsome(), Namesake()]");
        let document = look(&mut target, &[]);
        agrees_with_the_kernel(&document, &mut target);
        assert_eq!(document["n_missing"], 0);
        for place in 0..3 {
            let socket = of(&document, &mut target, &format!("bad[{place}]"));
            assert_eq!(
                (&socket["protocol"], marks(socket)),
                (&json!("tcp"), vec![])
            );
        }
        target.exec("let_go(bad[1])");
        target.finish_unharmed();
    });
}

#[test]
fn a_repr_that_raises_or_hangs_costs_its_own_line_alone() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("bad = [RaisingNamesake(), HangingNamesake(), Namesake()]");
        let before = Fingerprint::of(&mut target);
        let done = Leakhunt::at(target.pid, "sockets", &["--format", "ha"])
            .run()
            .expect(0)
            .expect_stderr("of 1 nothing, or not all, is known");
        assert_unharmed(&before, &mut target);
        let mut told: Vec<&str> = done.stdout.lines().skip(1).collect();
        told.retain(|line| !line.starts_with("<socket.socket fd="));
        told.sort_unstable();
        assert_eq!(
            told,
            [
                "<a namesake>",
                "Failed to serialize <class '__main__.socket'>"
            ]
        );
        target.exec("let_go(bad[1])");
        target.finish_unharmed();
    });
}

#[test]
fn five_thousand_sockets_are_told() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec(
            "import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 6000), hard))",
        );
        let limit = target.eval("resource.getrlimit(resource.RLIMIT_NOFILE)[0]");
        let n = (limit.as_u64().unwrap() - 100).min(5000);
        if n < 5000 {
            skipped(
                "5,000 sockets",
                &format!("only {n} descriptors are allowed"),
            );
        }
        target.exec(&format!(
            "many = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range({n})]
for one in many: one.bind(('127.0.0.1', 0))"
        ));
        let document = look(&mut target, &["--quick"]);
        agrees_with_the_kernel(&document, &mut target);
        assert_eq!(group(&document, "udp UNCONNECTED")["count"], n);
        let done = Leakhunt::at(target.pid, "sockets", &["--limit", "5"]).run();
        let done = done.expect(0);
        let told = format!("{} udp UNCONNECTED", "");
        assert!(done.stdout.contains(told.trim()), "{done:#?}");
        assert!(done.stdout.contains("sockets more"), "{done:#?}");
        target.finish_unharmed();
    });
}

#[test]
fn ss_agrees() {
    let Ok(done) = Command::new("ss").args(["-Htanp"]).output() else {
        return skipped("comparison with ss", "there is none here");
    };
    assert!(done.status.success());
    on_each(few(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("leak(3); established(); over(); CLIENT.shutdown(socket.SHUT_WR)");
        let document = look(&mut target, &["--quick"]);
        let done = Command::new("ss").args(["-Htanp"]).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let own = format!("pid={},fd=", target.pid);
        let expected: BTreeMap<u64, (String, String, String)> = text
            .lines()
            .filter_map(|line| {
                let fd = line.split(&own).nth(1)?;
                let fd = fd.split(')').next()?.parse().ok()?;
                let fields: Vec<&str> = line.split_whitespace().collect();
                let state = match fields[0] {
                    "ESTAB" => "ESTABLISHED",
                    "CLOSE-WAIT" => "CLOSE_WAIT",
                    "FIN-WAIT-2" => "FIN_WAIT2",
                    "LISTEN" => "LISTEN",
                    other => panic!("{other} in {line}"),
                };
                let peer = fields[4].trim_start_matches("0.0.0.0:*");
                Some((fd, (state.into(), fields[3].into(), peer.into())))
            })
            .collect();
        assert!(expected.len() >= 6, "{text}");
        let told: BTreeMap<u64, (String, String, String)> = list(&document)
            .iter()
            .filter(|socket| socket["protocol"] == "tcp" && socket["state"] != "UNCONNECTED")
            .map(|socket| {
                let text = |key: &str| socket[key].as_str().unwrap_or_default().to_owned();
                let fd = socket["fds"][0].as_u64().unwrap();
                (fd, (text("state"), text("local"), text("peer")))
            })
            .collect();
        assert_eq!(told, expected);
        target.finish_unharmed();
    });
}

#[test]
fn what_is_new_and_what_grows_is_marked() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("leak(2)");
        let before = Fingerprint::of(&mut target).word("gc").clone();
        let args = ["--json", "--interval", "1s", "--count", "6"];
        let mut running = Leakhunt::at(target.pid, "sockets", &args).start();
        let first: Value = serde_json::from_str(&running.line()).unwrap();
        assert!(list(&first).iter().all(|socket| socket["is_new"] == false));
        target.exec("leak(3)");
        let port = target.eval("ADDRESS[1]");
        let name = format!("CLOSE_WAIT to 127.0.0.1:{port}");
        assert_eq!(group(&first, &name)["count"], 2);
        let (mut n_new, mut grown) = (0, 0);
        for _ in 1..6 {
            let look: Value = serde_json::from_str(&running.line()).unwrap();
            let new = list(&look).iter().filter(|socket| socket["is_new"] == true);
            n_new += new.count();
            grown += group(&look, &name)["delta"].as_i64().unwrap();
            if grown == 3 {
                assert_eq!(group(&look, &name)["count"], 5);
            }
        }
        assert_eq!((n_new, grown), (3, 3));
        running.end(LIMIT).expect(0);
        assert_eq!(Fingerprint::of(&mut target).word("gc"), &before);
        target.finish_unharmed();
    });
}

#[test]
fn other_descriptors_come_with_all() {
    let mut target = Target::start(python3(), "sockets");
    target.exec(
        "import tempfile, mmap
FILE = tempfile.TemporaryFile(); READ, WRITE = os.pipe(); EPOLL = select.epoll()
MEMORY = os.memfd_create('shop') if hasattr(os, 'memfd_create') else None",
    );
    let document = look(&mut target, &["--all", "--quick"]);
    let others = document["descriptors"]["list"].as_array().unwrap();
    let told: BTreeMap<u64, &str> = others
        .iter()
        .map(|one| (one["fd"].as_u64().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    let links = descriptors(target.pid);
    let expected: BTreeSet<u64> = links
        .iter()
        .filter(|(_, link)| !link.starts_with("socket:"))
        .map(|(&fd, _)| fd.into())
        .collect();
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), expected);
    let kind = |target: &mut Target, name: &str| told[&target.eval(name).as_u64().unwrap()];
    assert_eq!(kind(&mut target, "FILE.fileno()"), "deleted file");
    assert_eq!(kind(&mut target, "READ"), "pipe");
    assert_eq!(kind(&mut target, "EPOLL.fileno()"), "eventpoll");
    if target.eval("MEMORY") != Value::Null {
        assert_eq!(kind(&mut target, "MEMORY"), "memory");
    }
    let done = Leakhunt::at(target.pid, "sockets", &["--all", "--quick"]).run();
    assert!(done.expect(0).stdout.contains("eventpoll"));
    target.finish_unharmed();
}

#[test]
fn the_match_is_of_what_stands_in_a_line() {
    let mut target = Target::start(python3(), "sockets");
    target.exec("leak(2); established()");
    let document = look(&mut target, &["--match", "POOL"]);
    assert_eq!(list(&document).len(), 2, "{document:#}");
    let document = look(&mut target, &["--match", "no such thing", "--quick"]);
    assert_eq!(list(&document).len(), 0, "{document:#}");
    target.finish_unharmed();
}

#[test]
fn a_target_in_another_network_has_its_own_sockets() {
    let flags = ["--map-root-user", "--net"];
    let probe = Command::new("unshare").args(flags).arg("true").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return skipped("another network", "unshare is not allowed here");
    }
    let wrapper: Vec<&str> = ["unshare"].into_iter().chain(flags).collect();
    on_each(few(), |py| {
        let mut target = Start::wrapped(&wrapper, py, "sockets").ready();
        target.exec("ONE, OTHER = socket.socketpair()");
        let document = look(&mut target, &["--quick"]);
        agrees_with_the_kernel(&document, &mut target);
        assert_eq!(of(&document, &mut target, "SERVER")["state"], "LISTEN");
        let other = of(&document, &mut target, "OTHER")["inode"].clone();
        assert_eq!(of(&document, &mut target, "ONE")["peer_inode"], other);
        target.finish_unharmed();
    });
}

#[test]
fn without_sockets_there_is_nothing_and_what_cannot_be_looked_at_is_said() {
    let target = Target::start(python3(), "idle");
    Leakhunt::at(target.pid, "sockets", &[])
        .run()
        .expect(1)
        .expect_stderr("has no sockets");
    Leakhunt::at(target.pid, "sockets", &["--all"])
        .run()
        .expect(0);
    target.finish_unharmed();
    Leakhunt::at(u32::MAX >> 2, "sockets", &[]).run().expect(3);
    let target = Target::start(python3(), "sockets");
    Leakhunt::at(target.pid, "sockets", &[])
        .by_user(65_534)
        .run()
        .expect(3);
    target.finish_unharmed();
}
