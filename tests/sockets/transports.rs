//! Sockets that stand behind TLS and transports of asyncio, uvloop and aiohttp.

use serde_json::{Value, json};

use super::{agrees_with_the_kernel, group, list, look, marks, of, types};
use crate::support::packages::packages;
use crate::support::{Interpreter, Start, Target, all, few, on_each, skipped};

#[test]
fn tls_sockets_are_told_with_their_version() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("of_tls()");
        let document = look(&mut target, &[]);
        agrees_with_the_kernel(&document, &mut target);
        for name in ["TLS_CLIENT", "TLS_SERVER"] {
            let socket = of(&document, &mut target, name);
            assert_eq!(types(socket), ["ssl.SSLSocket"]);
            assert_eq!(socket["tls"], "TLSv1.2");
            assert_eq!(socket["state"], "ESTABLISHED");
        }
        let client = of(&document, &mut target, "TLS_CLIENT");
        assert_eq!(client["server_name"], "shop.example");
        target.finish_unharmed();
    });
}

#[test]
fn transports_of_asyncio_belong_to_their_sockets() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "sockets");
        target.exec("on_a_loop()");
        let document = look(&mut target, &[]);
        agrees_with_the_kernel(&document, &mut target);
        let natives = list(&document)
            .iter()
            .filter(|one| marks(one).contains(&"native"));
        assert_eq!(natives.count(), 0, "{document:#}");
        let n_of = |name: &str| {
            let has = |socket: &&Value| types(socket).contains(&name);
            list(&document).iter().filter(has).count()
        };
        assert_eq!(n_of("asyncio.selector_events._SelectorSocketTransport"), 4);
        assert_eq!(
            n_of("asyncio.selector_events._SelectorDatagramTransport"),
            1
        );
        assert_eq!(n_of("asyncio.sslproto._SSLProtocolTransport"), 2);
        assert_eq!(n_of("ssl.SSLObject"), 2);
        assert_eq!(n_of("asyncio.base_events.Server"), 2);
        for socket in list(&document) {
            let names = types(socket);
            assert!(socket["inode"].is_u64(), "{socket}");
            assert_eq!(names[0], "socket.socket", "{socket}");
            let is_tls = names.contains(&"ssl.SSLObject");
            assert_eq!(socket["tls"] == "TLSv1.2", is_tls, "{socket}");
        }
        // Up to 3.9 a loop that is not closed complains of its TLS connections at the end.
        target.exec("import logging; logging.disable(logging.CRITICAL)");
        target.finish_unharmed();
    });
}

#[test]
fn transports_of_uvloop_are_found() {
    on_each(all(), |py| {
        let folder = match packages(py, &["uvloop"]) {
            Ok(folder) => folder,
            Err(reason) => return skipped(&format!("uvloop on {py}"), &reason),
        };
        let mut target = Start::new(py, "sockets").packages(&folder).ready();
        target.exec("import uvloop\non_a_loop(uvloop.new_event_loop)");
        let document = look(&mut target, &[]);
        agrees_with_the_kernel(&document, &mut target);
        let of_type = |name: &str| -> Vec<&Value> {
            let has = |socket: &&Value| types(socket).contains(&name);
            list(&document).iter().filter(has).collect()
        };
        let streams = of_type("uvloop.loop.TCPTransport");
        assert_eq!(streams.len(), 4, "{document:#}");
        for stream in &streams {
            assert_eq!(
                (&stream["state"], marks(stream)),
                (&json!("ESTABLISHED"), vec![])
            );
        }
        assert_eq!(of_type("uvloop.loop.UDPTransport").len(), 1);
        let servers = of_type("uvloop.loop.Server");
        assert_eq!(servers.len(), 2, "{document:#}");
        assert!(servers.iter().all(|server| server["state"] == "LISTEN"));
        target.finish_unharmed();
    });
}

#[test]
fn leaked_answers_of_an_aiohttp_client_are_told_with_who_holds_them() {
    let script = "
import asyncio, aiohttp, socket
from aiohttp import web
LEAKED = []

async def handle(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b'x' * 10)
    await asyncio.sleep(3600)

async def main():
    global SESSION, PORT
    app = web.Application()
    app.router.add_get('/', handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, '127.0.0.1', 0)
    await site.start()
    PORT = site._server.sockets[0].getsockname()[1]
    SESSION = aiohttp.ClientSession()
    for _ in range(6):
        LEAKED.append(await SESSION.get('http://127.0.0.1:%d/' % PORT))

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
serve()";
    let harness = include_str!("../targets/harness.py");
    let claim = |py: &Interpreter| {
        let folder = match packages(py, &["aiohttp"]) {
            Ok(folder) => folder,
            Err(reason) => return skipped(&format!("aiohttp on {py}"), &reason),
        };
        let mut command = py.command();
        command.arg("-c").arg(format!("{harness}\n{script}"));
        let mut target = Start::of(command, &format!("aiohttp client on {py}"))
            .packages(&folder)
            .ready();
        let document = look(&mut target, &[]);
        let port = target.eval("PORT");
        let leaked = group(&document, &format!("ESTABLISHED to 127.0.0.1:{port}"));
        assert_eq!(leaked["count"], 6);
        let served = group(
            &document,
            &format!("ESTABLISHED from clients at port {port}"),
        );
        assert_eq!(served["count"], 6);
        let held = list(&document).iter().filter(|socket| {
            let of_client = socket["used_by"]["type"] == "aiohttp.client_proto.ResponseHandler";
            let path = socket["path"].as_str().unwrap_or_default();
            of_client && path.starts_with("sys.modules['__main__'].LEAKED[")
        });
        assert_eq!(held.count(), 6, "{document:#}");
        target.finish();
    };
    on_each(few(), claim);
}
