use std::io::{BufRead, BufReader};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;

use crate::support::packages::packages;
use crate::support::{Interpreter, Leakhunt, all, skipped};

/// After this time a run is lost. On an idle machine it takes ten seconds.
const LONG_LIMIT: Duration = Duration::from_secs(500);

/// A leak of a published package, and what `hunt` has to say of it.
struct Case {
    /// The program in `python-fixtures/history/` that uses the package as its users do.
    driver: &'static str,
    /// Minor versions of Python 3 that both versions of the package run on.
    python: RangeInclusive<u32>,
    /// What to install for the version that leaks.
    leaking: &'static [&'static str],
    /// What to install for the version that does not.
    fixed: &'static [&'static str],
    /// What the first finding has to name.
    names: Names,
}

/// What a finding names.
#[derive(Debug)]
enum Names {
    /// A place: one of these is a part of it. There are several where the package keeps the same objects
    /// in several places.
    Place(&'static [&'static str]),
    /// No place but the type of what native code holds.
    HeldByNativeCode(&'static str),
    /// Nothing: memory grows, and Python's objects do not.
    MemoryBeside,
}

impl Case {
    /// Watches the leaking version, which has to be found out, and the fixed one, which must not.
    fn check(&self) {
        let Some(python) = self.interpreter() else {
            let wanted = format!("no CPython 3.{:?} here", self.python);
            return skipped(self.driver, &wanted);
        };
        let install = |requirements| packages(python, requirements);
        let (leaking, fixed) = match (install(self.leaking), install(self.fixed)) {
            (Ok(leaking), Ok(fixed)) => (leaking, fixed),
            (Err(reason), _) | (_, Err(reason)) => {
                return skipped(&format!("{} on {python}", self.driver), &reason);
            }
        };
        let (of_leaking, of_fixed) = std::thread::scope(|scope| {
            let of_fixed = scope.spawn(|| self.hunt(python, &fixed));
            (self.hunt(python, &leaking), of_fixed.join().unwrap())
        });
        let first = &of_leaking["findings"][0];
        let place = first["place"].as_str().unwrap_or_default();
        let held = first["holds"][0]["type"].as_str().unwrap_or_default();
        let is_named = match self.names {
            Names::Place(places) => places.iter().any(|wanted| place.contains(wanted)),
            Names::HeldByNativeCode(type_name) => {
                first["kind"] == "native_references" && held.contains(type_name)
            }
            Names::MemoryBeside => first["kind"] == "native_memory",
        };
        assert!(
            is_named,
            "{:?}: {:?} is not what comes first in {of_leaking:#}",
            self.leaking, self.names
        );
        assert_eq!(
            of_fixed["findings"],
            Value::Array(Vec::new()),
            "{:?}: {of_fixed:#}",
            self.fixed
        );
    }

    /// The newest interpreter that both versions run on.
    fn interpreter(&self) -> Option<&'static Interpreter> {
        let fitting = all().iter().filter(|py| {
            !py.free_threaded && py.sees_our_files() && self.python.contains(&py.version.1)
        });
        fitting.max_by_key(|py| py.version)
    }

    /// What `hunt` says of the driver with the packages in `folder`.
    fn hunt(&self, python: &Interpreter, folder: &Path) -> Value {
        let driver = Driver::start(python, folder, self.driver);
        let args = ["--for", "8s", "--scans", "7", "--json"];
        let hunt = Leakhunt::at(driver.0.id(), "hunt", &args).start();
        hunt.end(LONG_LIMIT).expect(0).json()
    }
}

/// A running driver. Killed when dropped.
struct Driver(Child);

impl Driver {
    /// Starts it and waits until all that fills once is full.
    fn start(python: &Interpreter, folder: &Path, name: &str) -> Self {
        let drivers = Path::new(env!("CARGO_MANIFEST_DIR")).join("python-fixtures/history");
        let mut command = python.command();
        command
            .arg(drivers.join(name).with_extension("py"))
            .env("PYTHONPATH", folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let driver = Self(child);
        let (sender, ready) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = ready.recv_timeout(LONG_LIMIT).unwrap_or_default();
        assert_eq!(line, "ready\n", "{name} on {python} with {folder:?}");
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn structlog_keeps_a_lock_for_each_file() {
    let case = Case {
        driver: "structlog_write_locks",
        python: 11..=14,
        leaking: &["structlog==25.5.0"],
        fixed: &["structlog==26.1.0"],
        names: Names::Place(&["structlog._output.WRITE_LOCKS"]),
    };
    case.check();
}

#[test]
fn sqlalchemy_keeps_a_marker_for_each_declarative_base() {
    let case = Case {
        driver: "sqlalchemy_registries",
        python: 8..=12,
        leaking: &["SQLAlchemy==2.0.32"],
        fixed: &["SQLAlchemy==2.0.33"],
        names: Names::Place(&["sqlalchemy.orm.clsregistry._registries"]),
    };
    case.check();
}

#[test]
fn asgiref_keeps_a_dead_reference_for_each_thread() {
    let case = Case {
        driver: "asgiref_local",
        python: 8..=11,
        leaking: &["asgiref==3.2.7"],
        fixed: &["asgiref==3.2.8"],
        names: Names::Place(&["__main__.current._context_refs"]),
    };
    case.check();
}

#[test]
fn opentelemetry_keeps_each_metric_reader() {
    let case = Case {
        driver: "opentelemetry_readers",
        python: 8..=12,
        leaking: &["opentelemetry-sdk==1.27.0"],
        fixed: &["opentelemetry-sdk==1.28.0"],
        names: Names::Place(&["MeterProvider._all_metric_readers"]),
    };
    case.check();
}

#[test]
fn opentelemetry_adds_callbacks_to_a_future_again_and_again() {
    let case = Case {
        driver: "opentelemetry_asyncio",
        python: 9..=12,
        leaking: &["opentelemetry-instrumentation-asyncio==0.53b0"],
        fixed: &["opentelemetry-instrumentation-asyncio==0.54b0"],
        names: Names::Place(&["closing"]),
    };
    case.check();
}

#[test]
fn pydantic_keeps_each_parametrized_generic_model() {
    let case = Case {
        driver: "pydantic_generics",
        python: 8..=10,
        leaking: &["pydantic==1.9.0"],
        fixed: &["pydantic==1.9.1"],
        names: Names::Place(&[
            "pydantic.generics._generic_types_cache",
            "pydantic.generics._assigned_parameters",
        ]),
    };
    case.check();
}

#[test]
fn annotated_logger_makes_a_logger_with_a_new_name_at_each_call() {
    let case = Case {
        driver: "annotated_logger_names",
        python: 13..=14,
        leaking: &["annotated-logger==1.2.4"],
        fixed: &["annotated-logger==1.3.0"],
        names: Names::Place(&["loggerDict"]),
    };
    case.check();
}

#[test]
fn aiohttp_caches_a_chain_of_middlewares_for_each_refused_request() {
    let case = Case {
        driver: "aiohttp_middlewares",
        python: 8..=13,
        leaking: &["aiohttp==3.10.10"],
        fixed: &["aiohttp==3.10.11"],
        names: Names::Place(&["aiohttp.web_app._build_middlewares"]),
    };
    case.check();
}

#[test]
fn aiohttp_keeps_an_empty_cookie_for_each_path() {
    let case = Case {
        driver: "aiohttp_cookies",
        python: 9..=13,
        leaking: &["aiohttp==3.12.2"],
        fixed: &["aiohttp==3.12.4"],
        names: Names::Place(&["_cookies"]),
    };
    case.check();
}

#[test]
fn pyee_keeps_the_name_of_each_event() {
    let case = Case {
        driver: "pyee_event_names",
        python: 12..=14,
        leaking: &["pyee==13.0.0"],
        fixed: &["pyee==14.0.0"],
        names: Names::Place(&["__main__.bus._events"]),
    };
    case.check();
}

#[test]
fn multidict_forgets_to_let_go_of_its_views() {
    let case = Case {
        driver: "multidict_views",
        python: 8..=8,
        leaking: &["multidict==4.7.3"],
        fixed: &["multidict==4.7.4"],
        names: Names::HeldByNativeCode("_KeysView"),
    };
    case.check();
}

#[test]
fn redis_makes_cycles_through_a_type_without_collector_support() {
    let case = Case {
        driver: "redis_hiredis",
        python: 8..=11,
        leaking: &["redis==4.5.4", "hiredis==2.2.2"],
        fixed: &["redis==4.5.5", "hiredis==2.2.2"],
        names: Names::HeldByNativeCode("HiredisParser"),
    };
    case.check();
}

#[test]
fn httpcore_keeps_each_cancelled_request() {
    let case = Case {
        driver: "httpcore_cancelled",
        python: 8..=12,
        leaking: &["httpcore[asyncio]==0.17.2"],
        fixed: &["httpcore[asyncio]==0.17.3"],
        names: Names::Place(&[
            "__main__.client.pool._requests",
            "__main__.client.pool._pool",
        ]),
    };
    case.check();
}

#[test]
fn sse_starlette_leaves_a_task_behind_for_each_stream() {
    let case = Case {
        driver: "sse_starlette_watchers",
        python: 11..=13,
        leaking: &["sse-starlette==3.1.1", "starlette==1.10.0"],
        fixed: &["sse-starlette==3.1.2", "starlette==1.10.0"],
        names: Names::Place(&["_shutdown_watcher", "_scheduled"]),
    };
    case.check();
}

#[test]
fn h2_remembers_each_closed_stream() {
    let case = Case {
        driver: "h2_streams",
        python: 8..=9,
        leaking: &["h2==3.0.1"],
        fixed: &["h2==3.1.0"],
        names: Names::Place(&[
            "__main__.client._closed_streams",
            "__main__.server._closed_streams",
        ]),
    };
    case.check();
}

#[test]
fn ujson_keeps_the_digits_of_each_long_number() {
    let case = Case {
        driver: "ujson_integers",
        python: 10..=13,
        leaking: &["ujson==5.11.0"],
        fixed: &["ujson==5.12.0"],
        names: Names::MemoryBeside,
    };
    case.check();
}
