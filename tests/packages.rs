use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::proc::children;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Start, Target, all, assert_unharmed, eventually,
    on_each, python3, scratch_file, skipped,
};

/// `python3` and the newest interpreter that has the wheels.
fn interpreters() -> Vec<&'static Interpreter> {
    let others = all()
        .iter()
        .filter(|py| py.sees_our_files() && !py.free_threaded);
    let newest = others
        .filter(|py| py.name.starts_with("pyenv"))
        .max_by_key(|py| py.version);
    let mut chosen = vec![python3()];
    chosen.extend(newest.filter(|py| py.name != python3().name));
    chosen
}

/// Runs `claim` with the packages on each interpreter that can have them.
fn with_packages(requirements: &[&str], claim: impl Fn(&Interpreter, &PathBuf)) {
    on_each(interpreters(), |py| match packages(py, requirements) {
        Ok(folder) => claim(py, &folder),
        Err(reason) => skipped(&format!("{} on {py}", requirements.join(" ")), &reason),
    });
}

/// A target that runs `script` after the harness.
fn start(py: &Interpreter, folder: &PathBuf, script: &str) -> Target {
    let mut command = py.command();
    command
        .arg("-c")
        .arg(format!("{}\n{script}", include_str!("targets/harness.py")));
    Start::of(command, &format!("package target on {py}"))
        .packages(folder)
        .ready()
}

fn count_of(record: &Value, name: &str) -> u64 {
    let rows = record["types"].as_array().unwrap();
    let row = rows.iter().find(|row| row["type"] == name);
    row.unwrap_or_else(|| panic!("no {name} in the record"))["count"]
        .as_u64()
        .unwrap()
}

/// Three looks and a dump.
fn look(target: &Target, type_name: &str) -> Vec<Value> {
    let args = ["--interval", "1", "--count", "3", "--json"];
    let looks = Leakhunt::at(target.pid, "growth", &args)
        .run()
        .expect(0)
        .json_lines();
    assert_eq!(looks.len(), 3);
    let args = ["--type", type_name, "--limit", "3", "--json"];
    Leakhunt::at(target.pid, "dump", &args).run().expect(0);
    looks
}

#[test]
fn aiohttp_under_load_answers_every_request() {
    with_packages(&["aiohttp"], |py, folder| {
        let mut target = start(py, folder, include_str!("targets/aiohttp_under_load.py"));
        let before = Fingerprint::of(&mut target);
        let started = target.eval("n_answers").as_u64().unwrap();
        let looks = look(&target, "aiohttp.web_app.Application");
        for record in &looks {
            assert_eq!(count_of(record, "aiohttp.web_app.Application"), 1);
        }
        let (first, last) = (&looks[0], &looks[2]);
        let kept = "__main__.KeptRequest";
        assert!(
            count_of(last, kept) > count_of(first, kept),
            "the leak is seen"
        );
        let books = target.eval("[n_answers, n_failed]");
        assert!(
            books[0].as_u64().unwrap() > started,
            "requests were served meanwhile"
        );
        assert_eq!(books[1], json!(0), "requests that failed of {}", books[0]);
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn django_answers_every_request() {
    with_packages(&["django"], |py, folder| {
        let mut target = start(py, folder, include_str!("targets/django_under_load.py"));
        let before = Fingerprint::of(&mut target);
        let looks = look(&target, "__main__.KeptRender");
        let kept = "__main__.KeptRender";
        assert!(
            count_of(&looks[2], kept) > count_of(&looks[0], kept),
            "the leak is seen"
        );
        assert_eq!(target.eval("n_failed"), json!(0), "requests that failed");
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn numpy_and_pandas_are_looked_at() {
    let script = "import numpy, pandas
frames = [pandas.DataFrame({'n': numpy.arange(100), 's': list('ab' * 50)}) for _ in range(20)]
serve()";
    with_packages(&["numpy", "pandas"], |py, folder| {
        let mut target = start(py, folder, script);
        let before = Fingerprint::of(&mut target);
        let looks = look(&target, "DataFrame");
        let truth = target.eval("sum(type(o) is pandas.DataFrame for o in gc.get_objects())");
        let name = target.eval("'%s.%s' % (pandas.DataFrame.__module__, 'DataFrame')");
        assert_eq!(json!(count_of(&looks[2], name.as_str().unwrap())), truth);
        let dump = ["--type", "DataFrame", "--limit", "1"];
        let done = Leakhunt::at(target.pid, "dump", &dump).run().expect(0);
        assert!(
            done.stdout.contains("99"),
            "the frame's last row: {done:#?}"
        );
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn gunicorn_and_its_workers_serve_on() {
    with_packages(&["gunicorn==23.0.0"], |py, folder| {
        let socket = scratch_file("gunicorn.sock");
        let script = include_str!("targets/gunicorn_client.py");
        let mut client = py.command();
        client
            .arg("-c")
            .arg(format!("{}\n{script}", include_str!("targets/harness.py")))
            .arg(&socket);
        let client = Start::of(client, &format!("gunicorn on {py}")).packages(folder);
        let mut client = client.ready();
        let master = u32::try_from(client.eval("server.pid").as_u64().unwrap()).unwrap();
        let workers = eventually(LIMIT, || {
            let found = children(master);
            (found.len() == 2).then_some(found)
        });
        let workers = workers.expect("two workers");
        client.eval("ask(50)");
        let processes = [master, workers[0], workers[1]];
        let before = processes.map(|pid| Fingerprint::from_outside(pid, Value::Null));
        client.send(&json!({ "eval": "ask(300)" }));
        for pid in processes {
            Leakhunt::at(pid, "growth", &["--interval", "1", "--count", "2"])
                .run()
                .expect(0);
        }
        assert_eq!(client.answer(LIMIT)["ok"], json!(0), "requests that failed");
        for (pid, before) in processes.into_iter().zip(before) {
            let after = eventually(LIMIT, || {
                let now = Fingerprint::from_outside(pid, Value::Null);
                before.differences(&now).is_empty().then_some(())
            });
            let now = Fingerprint::from_outside(pid, Value::Null);
            assert!(after.is_some(), "{pid}: {:?}", before.differences(&now));
        }
        assert_eq!(children(master), workers, "the same workers as before");
        assert_eq!(client.eval("stop()"), json!(0), "gunicorn's exit code");
        client.finish_unharmed();
    });
}

/// The rows of `tasks --json`.
fn tasks_of(look: &Value) -> impl Iterator<Item = &Value> {
    look["tasks"].as_array().unwrap().iter()
}

#[test]
fn an_aiohttp_server_answers_while_its_tasks_are_shown() {
    let script = include_str!("targets/aiohttp_under_load.py");
    let folder = match packages(python3(), &["aiohttp"]) {
        Ok(folder) => folder,
        Err(reason) => return skipped("aiohttp", &reason),
    };
    let mut target = start(python3(), &folder, script);
    let before = Fingerprint::of(&mut target);
    for _ in 0..5 {
        let look = Leakhunt::at(target.pid, "tasks", &["--json"])
            .run()
            .expect(0)
            .json();
        let names: Vec<String> = tasks_of(&look)
            .map(|task| {
                format!(
                    "{} {}",
                    task["chain"][0]["module"], task["chain"][0]["name"]
                )
            })
            .collect();
        let count = |name: &str| names.iter().filter(|one| *one == name).count();
        assert_eq!(count("\"__main__\" \"ask\""), 4, "{names:?}");
        assert_eq!(count("\"__main__\" \"main\""), 1, "{names:?}");
        assert!(
            count("\"aiohttp.web_protocol\" \"RequestHandler.start\"") >= 4,
            "{names:?}"
        );
    }
    assert_eq!(target.eval("n_failed"), json!(0));
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn uvicorn_workers_of_gunicorn_show_their_tasks() {
    let py = python3();
    let requirements = ["gunicorn==23.0.0", "uvicorn==0.34.0", "uvloop"];
    let folder = match packages(py, &requirements) {
        Ok(folder) => folder,
        Err(reason) => return skipped("gunicorn with uvicorn", &reason),
    };
    let socket = scratch_file("uvicorn.sock");
    let app = "import gunicorn.app.wsgiapp, sys
sys.argv += ['--worker-class', 'uvicorn.workers.UvicornWorker']
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'2')]})
        await send({'type': 'http.response.body', 'body': b'ok'})";
    let script = include_str!("targets/gunicorn_client.py");
    let mut client = py.command();
    client
        .arg("-c")
        .arg(format!("{}\n{script}", include_str!("targets/harness.py")))
        .arg(&socket)
        .arg(app);
    let mut client = Start::of(client, "gunicorn with uvicorn")
        .packages(&folder)
        .ready();
    let master = u32::try_from(client.eval("server.pid").as_u64().unwrap()).unwrap();
    let workers = eventually(LIMIT, || {
        let found = children(master);
        (found.len() == 2).then_some(found)
    });
    assert_eq!(client.eval("ask(20)"), json!(0), "requests that failed");
    for worker in workers.expect("two workers") {
        let look = Leakhunt::at(worker, "tasks", &["--json"])
            .run()
            .expect(0)
            .json();
        let served = tasks_of(&look).any(|task| {
            task["chain"]
                .as_array()
                .unwrap()
                .iter()
                .any(|place| place["name"] == "Server.main_loop")
        });
        assert!(served, "{look}");
        assert_eq!(look["loops"][0]["type"], "uvloop.Loop", "{look}");
        assert_eq!(look["loops"][0]["thread_name"], "MainThread", "{look}");
    }
    assert_eq!(client.eval("ask(20)"), json!(0), "requests that failed");
    assert_eq!(client.eval("stop()"), json!(0), "gunicorn's exit code");
    client.finish_unharmed();
}
