//! `leakhunt.findings/1`.

use leakhunt_heap::hunt::{Finding, FindingKind, GrowthOf, Rate, UnclearPlace};
use serde::Serialize;

use super::{Report, TreeReport};
use crate::render::account::{MemoryValue, memory_value};
use crate::render::json_pretty;

/// The name and version of the JSON schema.
const SCHEMA: &str = "leakhunt.findings/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    pid: u32,
    python: &'a str,
    command: &'a str,
    looks: usize,
    seconds: f64,
    longest_pause_ms: f64,
    objects_total: u64,
    rss_bytes: u64,
    verdict: &'static str,
    findings: Vec<FindingJson<'a>>,
    unclear: Vec<Unclear<'a>>,
    memory: Option<MemoryValue<'a>>,
    /// Of a hunt in a tree of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<Process<'a>>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    command: &'a str,
    objects: u64,
    rss_bytes: u64,
    looks: usize,
    verdict: &'static str,
    memory: Option<MemoryValue<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    kind: &'static str,
    place: &'a str,
    also: &'a [String],
    holder_type: Option<&'a str>,
    grows_by: &'static str,
    holds: Vec<Held<'a>>,
    inside: Option<&'a str>,
    objects_per_s: f64,
    objects_per_s_interval: [f64; 2],
    bytes_per_s: f64,
    bytes_per_s_interval: [f64; 2],
    share_bytes: u64,
    exclusive_bytes: u64,
    exclusive_objects: u64,
    path: Option<&'a str>,
    package: Option<&'a str>,
    made_at: &'a [String],
    intervals_grown: usize,
    intervals: usize,
    why: &'a str,
    seconds_to_limit: Option<u64>,
    fingerprint: String,
    accepted: bool,
    next: String,
    /// Of a hunt in a tree of processes: those that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<u32>>,
}

#[derive(Serialize)]
pub(in crate::render) struct Held<'a> {
    #[serde(rename = "type")]
    type_key: &'a str,
    is_key: bool,
    objects_first: u64,
    objects: u64,
}

#[derive(Serialize)]
pub(in crate::render) struct Unclear<'a> {
    place: &'a str,
    holds: Held<'a>,
    slows: bool,
    at_most: Option<u64>,
}

impl<'a> From<&'a leakhunt_heap::hunt::Held> for Held<'a> {
    fn from(held: &'a leakhunt_heap::hunt::Held) -> Self {
        Self {
            type_key: &held.type_key,
            is_key: held.is_key,
            objects_first: held.n_first,
            objects: held.n_last,
        }
    }
}

impl<'a> From<&'a UnclearPlace> for Unclear<'a> {
    fn from(unclear: &'a UnclearPlace) -> Self {
        Self {
            place: &unclear.place,
            holds: (&unclear.held).into(),
            slows: unclear.slows,
            at_most: unclear.bound,
        }
    }
}

/// One document.
pub(super) fn document(report: &Report<'_>) -> Vec<u8> {
    let judged = report.judged;
    json_pretty(&Document {
        findings: judged
            .findings
            .iter()
            .map(|finding| finding_json(report, finding))
            .collect(),
        unclear: judged.unclear.iter().map(Unclear::from).collect(),
        ..frame(report)
    })
}

/// One document on all processes of a tree; its numbers are sums over the processes, or the highest of
/// them.
pub(super) fn tree_document(tree: &TreeReport<'_>) -> Vec<u8> {
    let Some(first) = tree.processes.first() else {
        return Vec::new();
    };
    let findings = tree.findings.iter().map(|one| {
        let (index, finding) = one.fastest();
        FindingJson {
            seconds_to_limit: tree.time_to_limit(one).map(|time| time.as_secs()),
            processes: Some(tree.pids_of(one)),
            ..finding_json(&tree.processes[index], finding)
        }
    });
    json_pretty(&Document {
        pid: tree.root,
        looks: tree.n_looks(),
        seconds: rounded(tree.span().as_secs_f64()),
        longest_pause_ms: tree.longest_pause().as_secs_f64() * 1000.0,
        objects_total: tree.n_objects(),
        rss_bytes: tree.rss_bytes(),
        verdict: tree.verdict().name(),
        findings: findings.collect(),
        unclear: tree
            .unclear()
            .into_iter()
            .map(|(place, _)| place.into())
            .collect(),
        memory: None,
        processes: Some(tree.processes.iter().map(process).collect()),
        notes: tree.notes,
        ..frame(first)
    })
}

/// A document without findings.
fn frame<'a>(report: &Report<'a>) -> Document<'a> {
    Document {
        schema: SCHEMA,
        pid: report.pid,
        python: &report.capture.python,
        command: &report.capture.command,
        looks: report.seconds.len(),
        seconds: rounded(report.span().as_secs_f64()),
        longest_pause_ms: rounded(report.longest_pause.as_secs_f64() * 1000.0),
        objects_total: report.n_objects,
        rss_bytes: report.last_rss_bytes(),
        verdict: report.verdict.name(),
        findings: Vec::new(),
        unclear: Vec::new(),
        memory: memory(report),
        processes: None,
        notes: report.notes,
    }
}

fn process<'a>(report: &Report<'a>) -> Process<'a> {
    Process {
        pid: report.pid,
        command: &report.capture.command,
        objects: report.n_objects,
        rss_bytes: report.last_rss_bytes(),
        looks: report.seconds.len(),
        verdict: report.verdict.name(),
        memory: memory(report),
    }
}

fn memory<'a>(report: &Report<'a>) -> Option<MemoryValue<'a>> {
    let account = report.account?;
    Some(memory_value(account, report.memory_limit.as_ref()))
}

fn finding_json<'a>(report: &Report<'_>, finding: &'a Finding) -> FindingJson<'a> {
    let interval = |rate: Rate| [rounded(rate.low), rounded(rate.high)];
    let objects = match finding.of {
        GrowthOf::Objects | GrowthOf::References => finding.rate,
        GrowthOf::Bytes => Rate::default(),
    };
    FindingJson {
        kind: kind(finding.kind),
        place: &finding.place,
        also: &finding.also,
        holder_type: known(&finding.holder_type),
        grows_by: grows_by(finding.of),
        holds: finding.holds.iter().map(Held::from).collect(),
        inside: finding.inside.as_ref().map(|inside| &*inside.name),
        objects_per_s: rounded(objects.per_second),
        objects_per_s_interval: interval(objects),
        bytes_per_s: rounded(finding.bytes_rate.per_second),
        bytes_per_s_interval: interval(finding.bytes_rate),
        share_bytes: finding.share_bytes,
        exclusive_bytes: finding.exclusive_bytes,
        exclusive_objects: finding.exclusive_objects,
        path: known(&finding.path),
        package: known(&finding.package),
        made_at: &finding.made_at,
        intervals_grown: finding.n_rises,
        intervals: finding.n_intervals,
        why: &finding.why,
        seconds_to_limit: report.time_to_limit(finding).map(|time| time.as_secs()),
        fingerprint: finding.fingerprint.to_string(),
        accepted: finding.is_accepted,
        next: report.next(finding),
        processes: None,
    }
}

/// In JSON.
pub(in crate::render) fn kind(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Place => "place",
        FindingKind::Garbage => "garbage",
        FindingKind::NativeReferences => "native_references",
        FindingKind::NativeMemory => "native_memory",
        FindingKind::Threads => "threads",
        FindingKind::Descriptors => "descriptors",
    }
}

/// In JSON.
pub(in crate::render) fn grows_by(of: GrowthOf) -> &'static str {
    match of {
        GrowthOf::Objects => "objects",
        GrowthOf::References => "references",
        GrowthOf::Bytes => "bytes",
    }
}

/// `None` for a text that is empty where nothing is known.
pub(in crate::render) fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// To a thousandth.
pub(in crate::render) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
