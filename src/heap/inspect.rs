//! Objects that should be gone, and objects that should be there: what a heap shows without its values.
//!
//! Each inspector is a file and knows one kind of object. `docs/inspectors.md` has the table of what
//! each goes by. What none knows is [`Verdict::Unknown`].

mod class;
mod coroutine;
mod exception;
mod file;
mod fingerprint;
mod frame;
mod future;
mod lru_cache;
mod module;
mod running_loop;
mod session;
mod socket;
mod stretch;
#[cfg(test)]
mod tests;
mod thread;
mod view;

use std::borrow::Cow;

use crate::snapshot::{ObjId, Snapshot};
use view::View;

pub use fingerprint::{Fingerprint, fingerprint};
pub use stretch::suspect_stretch;

/// Whether an object should be gone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// It is of no more use: whatever holds it should have let it go.
    Leaking,
    /// It is in use.
    NotLeaking,
    /// Nothing tells.
    Unknown,
}

/// What an inspector says of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inspection {
    /// The object.
    pub object: ObjId,
    /// [`Verdict::Leaking`] or [`Verdict::NotLeaking`].
    pub verdict: Verdict,
    /// Why, in words for a person: `finished task`.
    pub reason: Cow<'static, str>,
}

/// What inspectors say of a heap. 32 bytes for each object with a verdict, of which there are few.
#[derive(Clone, Debug, Default)]
pub struct Inspections {
    /// Ascending by object, each once; none is [`Verdict::Unknown`].
    rows: Vec<Inspection>,
}

impl Inspections {
    /// The objects with a verdict, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Inspection> {
        self.rows.iter()
    }

    /// What is said of an object.
    pub fn of(&self, object: ObjId) -> Option<&Inspection> {
        let index = self
            .rows
            .binary_search_by_key(&object, |row| row.object)
            .ok()?;
        Some(&self.rows[index])
    }

    /// The verdict on an object.
    pub fn verdict(&self, object: ObjId) -> Verdict {
        self.of(object)
            .map_or(Verdict::Unknown, |inspection| inspection.verdict)
    }
}

/// Asks all inspectors. Where they contradict each other an object is in use. `O(V + E)`.
///
/// ```
/// use leakhunt_heap::{ObjectState, Paths, RootKind, SnapshotBuilder, Verdict, Via};
/// use leakhunt_heap::{fingerprint, inspect, suspect_stretch};
///
/// let mut heap = SnapshotBuilder::new();
/// let modules = heap.object("dict");
/// heap.root(RootKind::Modules, modules);
/// let jobs = heap.module(modules, "shop.jobs");
/// let done = heap.object("list");
/// heap.attribute(jobs, "DONE", done);
/// let task = heap.object("_asyncio.Task");
/// heap.state(task, ObjectState::Finished);
/// heap.reference(done, Via::Item(0), task);
/// let heap = heap.finish();
///
/// let inspections = inspect(&heap);
/// assert_eq!(inspections.verdict(task), Verdict::Leaking);
/// assert_eq!(inspections.of(task).unwrap().reason, "finished task");
/// assert_eq!(inspections.of(jobs).unwrap().reason, "imported module");
/// let path = Paths::find(&heap).to(&heap, task).unwrap();
/// let stretch = suspect_stretch(&path, &inspections);
/// assert_eq!(path.steps[stretch.start - 1].object, jobs);
/// assert_eq!(path.steps[stretch.end - 1].object, task);
/// println!("{}", fingerprint(&heap, &path, stretch));
/// ```
pub fn inspect(snapshot: &Snapshot) -> Inspections {
    let view = View::of(snapshot);
    let mut found = Found::default();
    for inspector in INSPECTORS {
        inspector(&view, &mut found);
    }
    found.finish()
}

/// Looks over a heap for objects of one kind.
type Inspector = fn(&View<'_>, &mut Found);

const INSPECTORS: [Inspector; 12] = [
    module::inspect,
    class::inspect,
    frame::inspect,
    running_loop::inspect,
    thread::inspect,
    future::inspect,
    coroutine::inspect,
    file::inspect,
    socket::inspect,
    session::inspect,
    exception::inspect,
    lru_cache::inspect,
];

/// Verdicts in the order in which they are found.
#[derive(Debug, Default)]
struct Found {
    rows: Vec<Inspection>,
}

impl Found {
    fn leaking(&mut self, object: ObjId, reason: impl Into<Cow<'static, str>>) {
        self.add(object, Verdict::Leaking, reason.into());
    }

    fn not_leaking(&mut self, object: ObjId, reason: impl Into<Cow<'static, str>>) {
        self.add(object, Verdict::NotLeaking, reason.into());
    }

    fn add(&mut self, object: ObjId, verdict: Verdict, reason: Cow<'static, str>) {
        self.rows.push(Inspection {
            object,
            verdict,
            reason,
        });
    }

    /// Of the verdicts on one object one in its favour goes first, then the one found first.
    fn finish(self) -> Inspections {
        let mut rows = self.rows;
        rows.sort_by_key(|row| (row.object, row.verdict == Verdict::Leaking));
        rows.dedup_by_key(|row| row.object);
        rows.shrink_to_fit();
        Inspections { rows }
    }
}
