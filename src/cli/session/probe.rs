//! Asking what Python of ours finds out about objects of some types, in a copy of the copy.

use std::time::Duration;

use leakhunt_wire::{Ended, Note, ProbeRequest, Reply, Request};
use serde_json::Value;

use super::pump::Patience;
use super::{Link, Session, SessionError, printable};

/// What runs before each probe.
const PRELUDE: &str = include_str!("../probes/prelude.py");
/// After this time with one object a probe is cut off, and goes on with the next.
const OBJECT_LIMIT: Duration = Duration::from_secs(1);
/// Room for some objects that hang.
const HANGS: Duration = Duration::from_secs(30);
/// So many untracked objects go into a request beside its source.
const MOST_UNTRACKED: usize = 500;
/// So many rows are kept, of so many bytes.
const MOST_ROWS: usize = 2_000_000;
const MOST_BYTES: usize = 1 << 30;

/// Python that is run on objects, and on which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe<'a> {
    /// `module.Name` of each type whose objects are looked at, and those of its subclasses.
    pub(crate) types: &'a [&'a str],
    /// Beside them: objects that the collector does not track, by address and type, lowest first.
    pub(crate) untracked: &'a [(u64, u64)],
    /// Defines `describe(object)`; see `probes/prelude.py`.
    pub(crate) source: &'a str,
    /// Whether it runs beside the sockets of the target, and can ask them for their names.
    pub(crate) keeps_sockets: bool,
    /// How long the copy may take to walk the heap.
    pub(crate) walk_limit: Duration,
}

/// A value that the probe yielded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Of the object; 0 for what is about the process as a whole.
    pub(crate) address: u64,
    /// `module.qualname` of the object's type; empty for the process.
    pub(crate) type_name: String,
    /// As `sys.getsizeof`, or an estimate; 0 for the process.
    pub(crate) size_bytes: u64,
    pub(crate) value: Value,
}

/// What a probe came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Probed {
    pub(crate) rows: Vec<Row>,
    pub(crate) pause_us: u64,
    /// Objects that are not, or not wholly, described: by type and reason, in the order of coming.
    pub(crate) missing: Vec<Missing>,
}

/// An object about which a probe did not get to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Missing {
    pub(crate) address: u64,
    pub(crate) type_name: String,
    /// As in `it took too long`, or the exception.
    pub(crate) why: String,
}

impl Missing {
    /// A row that is not as the probe writes it: of which object is not known.
    pub(crate) fn unreadable() -> Self {
        Self {
            address: 0,
            type_name: "row".into(),
            why: "what came is no answer".into(),
        }
    }
}

/// How the walk for a probe ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProbeEnd {
    pub(crate) ended: Ended,
    pub(crate) signal: u32,
    pub(crate) clone_errno: u32,
}

impl<L: Link> Session<L> {
    /// Runs a probe. Where the end is not [`Ended::Whole`] there is more than came.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn probe(&mut self, probe: &Probe<'_>) -> Result<(Probed, ProbeEnd), SessionError> {
        let limit = probe.walk_limit + HANGS;
        let source = format!("{PRELUDE}\n{}", probe.source);
        let untracked = probe.untracked.iter().take(MOST_UNTRACKED);
        let objects: Vec<u8> = untracked
            .flat_map(|&(address, of_type)| [address, of_type])
            .flat_map(u64::to_le_bytes)
            .collect();
        self.send(&Request::Probe(ProbeRequest {
            types: &probe.types.join("\n"),
            objects: &objects,
            source: &source,
            keeps_sockets: probe.keeps_sockets,
            object_time_limit_ms: millis(OBJECT_LIMIT),
            time_limit_ms: millis(limit),
        }))?;
        let mut probed = Probed::default();
        let mut n_bytes = 0;
        let patience = Patience::with_look(2 * limit + self.timeout);
        let end = self.pump(patience, |reply, patience| match reply {
            Reply::Attempt(_) => {
                probed = Probed::default();
                n_bytes = 0;
                Ok(None)
            }
            Reply::Object(object) => {
                patience.is_answered();
                n_bytes += object.text.len();
                if probed.rows.len() >= MOST_ROWS || n_bytes > MOST_BYTES {
                    return Err(SessionError::OutOfTurn);
                }
                add(&mut probed, object);
                Ok(None)
            }
            Reply::ProbeDone(done) => {
                probed.pause_us = done.pause_us;
                Ok(Some(ProbeEnd {
                    ended: done.ended,
                    signal: done.signal,
                    clone_errno: done.clone_errno,
                }))
            }
            _ => Err(SessionError::OutOfTurn),
        })?;
        let not_asked = probe.untracked.iter().skip(MOST_UNTRACKED);
        probed
            .missing
            .extend(not_asked.map(|&(address, _)| Missing {
                address,
                type_name: "object that the collector does not track".into(),
                why: format!("no more than {MOST_UNTRACKED} of these are asked"),
            }));
        self.output.detail(
            2,
            format_args!("probe: {} rows, {end:?}", probed.rows.len()),
        );
        Ok((probed, end))
    }

    /// Runs Python in the target itself, and answers what it left as `result`; empty when it raised.
    ///
    /// # Errors
    /// When the agent or the target is gone, silent or not to be believed.
    pub(crate) fn run(&mut self, source: &str) -> Result<String, SessionError> {
        self.send(&Request::Run(source))?;
        let patience = Patience::with_look(2 * self.timeout);
        self.pump(patience, |reply, _| match reply {
            Reply::Ran(text) => Ok(Some(text.to_owned())),
            _ => Err(SessionError::OutOfTurn),
        })
    }
}

fn add(probed: &mut Probed, object: leakhunt_wire::DumpObject<'_>) {
    let is_process = object.type_name == "NoneType";
    let (address, size_bytes) = if is_process {
        (0, 0)
    } else {
        (object.address, object.size_bytes)
    };
    let type_name = if is_process {
        String::new()
    } else {
        printable(object.type_name, 300)
    };
    let mut missing = |why: String| {
        probed.missing.push(Missing {
            address,
            type_name: type_name.clone(),
            why,
        });
    };
    match object.note {
        Note::TimedOut => return missing("it took too long".into()),
        Note::Crashed => return missing("it ended the copy".into()),
        Note::Shortened => return missing("there is too much to tell".into()),
        Note::Whole | Note::Raised => {}
    }
    match serde_json::from_str::<Value>(object.text) {
        Ok(value) => match value.get("error").and_then(Value::as_str) {
            Some(error) => missing(printable(error, 300)),
            None => probed.rows.push(Row {
                address,
                type_name,
                size_bytes,
                value,
            }),
        },
        Err(_) => missing("what came is no JSON".into()),
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
