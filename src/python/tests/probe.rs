use leakhunt_wire::{Ended, MAX_PACKET, ProbeRequest, Reply, Request};
use pyo3::prelude::*;

use super::{alone, run};
use crate::open;

#[test]
fn a_probe_runs_in_the_copy_for_objects_of_a_type_and_of_its_subclasses() {
    let _alone = alone();
    Python::attach(|py| {
        run(
            py,
            "
import builtins, os
class Base:
    def __init__(self, n): self.n = n
class Mixin: pass
class Derived(Mixin, Base): pass
class Other: n = 9
for one in (Base, Derived, Other): one.__module__ = 'shop'
builtins.leakhunt_probed = [Base(0), Derived(1), Base(2), Base(3), Derived(4), Other()]",
        );
    });
    let session = open().unwrap();
    let source = "
import builtins, os
class Rows:
    def begin(self, object):
        builtins.leakhunt_touched = True
        if object is None:
            self.texts = iter(['process', 'twice'])
            return
        if object.n == 2:
            while True: pass
        if object.n == 3: os.abort()
        if object.n == 4: raise ValueError
        self.texts = iter([type(object).__name__ + str(object.n)])
    def next(self):
        return next(self.texts, None)
rows = Rows()";
    session
        .send(&Request::Probe(ProbeRequest {
            types: "shop.Nothing\nshop.Base",
            objects: &[],
            source,
            keeps_sockets: false,
            object_time_limit_ms: 300,
            time_limit_ms: 60_000,
        }))
        .unwrap();
    let mut texts = Vec::new();
    let mut buffer = [0; MAX_PACKET];
    let n_matching = loop {
        match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
            Reply::Object(object) => texts.push((
                object.type_name.to_owned(),
                object.note,
                object.text.to_owned(),
            )),
            Reply::ProbeDone(done) => {
                assert_eq!(done.ended, Ended::Whole);
                break done.n_matching;
            }
            _ => {}
        }
    };
    use leakhunt_wire::Note::{Crashed, TimedOut, Whole};
    let expected = [
        ("NoneType", Whole, "process"),
        ("NoneType", Whole, "twice"),
        ("shop.Base", Whole, "Base0"),
        ("shop.Derived", Whole, "Derived1"),
        ("shop.Base", TimedOut, ""),
        ("shop.Base", Crashed, ""),
    ];
    let texts: Vec<_> = texts
        .iter()
        .map(|(type_name, note, text)| (type_name.as_str(), *note, text.as_str()))
        .collect();
    assert_eq!(texts, expected);
    assert_eq!(n_matching, 5);
    Python::attach(|py| {
        let builtins = py.import("builtins").unwrap();
        assert!(!builtins.hasattr("leakhunt_touched").unwrap());
    });
}

#[test]
fn python_that_is_run_in_the_target_leaves_only_what_it_is_for() {
    let _alone = alone();
    let session = open().unwrap();
    let ran = |source: &str| {
        session.send(&Request::Run(source)).unwrap();
        let mut buffer = [0; MAX_PACKET];
        loop {
            if let Reply::Ran(text) = Reply::decode(session.receive(&mut buffer).unwrap()).unwrap()
            {
                return text.to_owned();
            }
        }
    };
    let source = "
import builtins
class Cycle: pass
def function(): return Cycle
builtins.leakhunt_ran = function().__name__
result = 'did it'";
    assert_eq!(ran(source), "did it");
    assert_eq!(ran("raise ValueError"), "");
    assert_eq!(ran("no python at all ("), "");
    assert_eq!(ran("result = 5"), "");
    Python::attach(|py| {
        let found = run(
            py,
            "
import builtins, gc, types
gc.collect()
ran = builtins.leakhunt_ran
left = [one for one in gc.get_objects() if isinstance(one, types.FunctionType)
        and one.__qualname__ == 'function']",
        );
        let get = |name| found.get_item(name).unwrap().unwrap();
        assert_eq!(get("ran").extract::<String>().unwrap(), "Cycle");
        assert_eq!(get("left").len().unwrap(), 0);
    });
}

#[test]
fn each_open_socket_is_told_as_its_process_sees_it() {
    let _alone = alone();
    let told = Python::attach(|py| {
        let found = run(
            py,
            "
import os, socket
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
left, right = socket.socketpair()
pipe = os.pipe()
def told(one, peer=False):
    inode = os.fstat(one.fileno()).st_ino
    name = one.getpeername() if peer else one.getsockname()
    port = name[1] if name else 0
    return one.fileno(), inode, one.family, port
told = [told(listener), told(client), told(client, True), told(six), told(left)]
import builtins; builtins.leakhunt_kept = [listener, client, server, six, left, right]
pid = os.getpid()",
        );
        let told = found.get_item("told").unwrap().unwrap();
        told.extract::<Vec<(u32, u64, u16, u16)>>().unwrap()
    });
    let session = open().unwrap();
    session.send(&Request::Sockets(0)).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    let mut buffer = [0; MAX_PACKET];
    loop {
        match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
            Reply::Socket(socket) => {
                let of = |name: &[u8]| match name.len() {
                    0 => (0, 0),
                    2 => (u16::from_ne_bytes([name[0], name[1]]), 0),
                    _ => (
                        u16::from_ne_bytes([name[0], name[1]]),
                        u16::from_be_bytes([name[2], name[3]]),
                    ),
                };
                seen.insert(
                    socket.fd,
                    (
                        socket.inode,
                        of(socket.local),
                        of(socket.peer),
                        socket.tcp_info.first().copied(),
                        socket.peer_pid,
                    ),
                );
            }
            Reply::SocketsDone => break,
            // The greeting.
            _ => {}
        }
    }
    const ESTABLISHED: u8 = 1;
    const LISTEN: u8 = 10;
    let [listener, client, peer, six, left] = told[..] else {
        panic!("{told:?}")
    };
    let name = |told: (u32, u64, u16, u16)| (told.2, told.3);
    assert_eq!(
        seen[&listener.0],
        (listener.1, name(listener), (0, 0), Some(LISTEN), 0)
    );
    assert_eq!(
        seen[&client.0],
        (client.1, name(client), name(peer), Some(ESTABLISHED), 0)
    );
    assert_eq!(seen[&six.0], (six.1, (10, 0), (0, 0), None, 0));
    assert_eq!(
        seen[&left.0],
        (left.1, (1, 0), (1, 0), None, std::process::id())
    );
    Python::attach(|py| run(py, "import builtins; del builtins.leakhunt_kept").len());
}

#[test]
fn a_copy_keeps_sockets_where_it_is_asked_to_and_nothing_else() {
    let _alone = alone();
    Python::attach(|py| {
        run(
            py,
            "
import builtins, os, socket
builtins.leakhunt_socket = socket.socket()
builtins.leakhunt_pipe = os.pipe()",
        );
    });
    let session = open().unwrap();
    let source = "
import builtins, os, stat
class Rows:
    def begin(self, object):
        fds = [builtins.leakhunt_socket.fileno(), builtins.leakhunt_pipe[0]]
        self.texts = iter([','.join(map(self.kind, fds + [0]))])
    def kind(self, fd):
        try:
            return 'socket' if stat.S_ISSOCK(os.fstat(fd).st_mode) else 'other'
        except OSError:
            return 'closed'
    def next(self):
        return next(self.texts, None)
rows = Rows()";
    let told = |keeps_sockets| {
        session
            .send(&Request::Probe(ProbeRequest {
                types: "shop.Nothing",
                objects: &[],
                source,
                keeps_sockets,
                object_time_limit_ms: 1000,
                time_limit_ms: 60_000,
            }))
            .unwrap();
        let mut told = String::new();
        let mut buffer = [0; MAX_PACKET];
        loop {
            match Reply::decode(session.receive(&mut buffer).unwrap()).unwrap() {
                Reply::Object(object) => told.push_str(object.text),
                Reply::ProbeDone(_) => return told,
                _ => {}
            }
        }
    };
    assert_eq!(told(true), "socket,closed,other");
    assert_eq!(told(false), "closed,closed,other");
    Python::attach(|py| {
        run(
            py,
            "import builtins, os\nassert os.fstat(builtins.leakhunt_pipe[0])",
        );
    });
}
