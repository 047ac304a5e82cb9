use serde_json::json;

use crate::support::leakhunt::program;
use crate::support::module::package_for;
use crate::support::{Leakhunt, Start, Target, all, on_each, skipped};

/// Threads that work at once, a place that grows, and what opens and closes the door.
const WORK: &str = "
import tempfile, time
stop, kept, failures = threading.Event(), [], []
class Kept: pass
def churn():
    while not stop.is_set():
        [[n, {n: str(n)}] for n in range(200)]
        time.sleep(0.005)
def grow():
    while not stop.is_set():
        kept.extend(Kept() for _ in range(50))
        time.sleep(0.01)
def use_the_door():
    try:
        for _ in range(100):
            leakhunt.listen()
            leakhunt.unlisten()
    except BaseException as error:
        failures.append(repr(error))
workers = [threading.Thread(target=one) for one in (churn, churn, grow)]
for worker in workers: worker.start()
";

/// Runs `claim` on targets that import the package, on each interpreter without the GIL.
fn with_targets(claim: impl Fn(Target)) {
    let fit: Vec<_> = all()
        .iter()
        .filter(|py| py.free_threaded)
        .filter_map(|py| match package_for(py) {
            Ok(folder) => Some((py, folder)),
            Err(reason) => {
                skipped(&format!("the module on {py}"), &reason);
                None
            }
        })
        .collect();
    if fit.is_empty() {
        return skipped("the module without the GIL", "no interpreter for it here");
    }
    on_each(fit.iter().map(|(py, _)| *py), |py| {
        let folder = fit.iter().find(|(one, _)| one.name == py.name);
        let mut start = Start::new(py, "doored").packages(&folder.unwrap().1);
        start.command().env("LEAKHUNT_BIN", program());
        claim(start.ready());
    });
}

#[test]
fn the_module_leaves_the_gil_off() {
    with_targets(|mut target| {
        let modules = "[name for name in sys.modules if name.startswith('leakhunt.')]";
        let imported = target.eval(modules).to_string();
        assert!(imported.contains("_leakhunt"), "{imported}");
        assert_eq!(target.eval("sys._is_gil_enabled()"), json!(false));
        target.finish_unharmed();
    });
}

#[test]
fn looks_from_within_see_what_threads_do_at_once() {
    with_targets(|mut target| {
        target.exec(WORK);
        target.exec(
            "def count(look, name): return next(row.count for row in look.types if row.type == name)",
        );
        assert_eq!(
            target.eval("count(leakhunt.census(), '__main__.Thing')"),
            json!(123)
        );
        target.exec("growth = leakhunt.growth(); time.sleep(0.2)");
        let delta = "next(row.delta for row in growth.look().types if row.type == '__main__.Kept')";
        assert!(target.eval(delta).as_i64() > Some(0));
        let snapshot = "with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'heap.leakhunt')
    leakhunt.snapshot(path)
    written = os.listdir(path)";
        target.exec(snapshot);
        assert_eq!(target.eval("'meta.json' in written"), json!(true));
        target.exec("found = leakhunt.findings(seconds=1, scans=4)");
        let places = target.eval("[one.place for one in found.findings]");
        assert_eq!(places[0], json!("__main__.kept"), "{places}");
        assert_eq!(
            target.eval("[worker.is_alive() for worker in workers]"),
            json!([true, true, true])
        );
        target.exec("stop.set()\nfor worker in workers: worker.join()");
        target.finish_unharmed();
    });
}

#[test]
fn threads_that_use_the_door_at_once_wait_for_each_other() {
    with_targets(|mut target| {
        target.exec(WORK);
        target.exec(
            "users = [threading.Thread(target=use_the_door) for _ in range(4)]
for user in users: user.start()
for user in users: user.join()",
        );
        assert_eq!(target.eval("failures"), json!([]));
        target.exec("leakhunt.listen()");
        Leakhunt::at(target.pid, "growth", &["--door", "--count", "1"])
            .run()
            .expect(0);
        target.exec("stop.set()\nfor worker in workers: worker.join()");
        target.finish_unharmed();
    });
}
