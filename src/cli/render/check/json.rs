//! `leakhunt.check/1`.

use leakhunt_heap::hunt::{Finding, GrowthOf};
use serde::Serialize;

use super::{CheckReport, Checked};
use crate::render::hunt::json::{Held, Unclear, grows_by, kind, known, rounded};
use crate::render::json_pretty;

/// The name and version of the JSON schema.
const SCHEMA: &str = "leakhunt.check/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    pid: u32,
    python: &'a str,
    command: &'a str,
    rounds: u64,
    warmup: u64,
    objects_total: u64,
    longest_pause_ms: f64,
    verdict: &'static str,
    findings: Vec<FindingJson<'a>>,
    uneven: Vec<Uneven<'a>>,
    unclear: Vec<Unclear<'a>>,
    ignored: &'a [String],
    notes: &'a [String],
}

#[derive(Serialize)]
struct FindingJson<'a> {
    kind: &'static str,
    place: &'a str,
    also: &'a [String],
    holder_type: Option<&'a str>,
    owner_type: Option<&'a str>,
    grows_by: &'static str,
    counts: &'a [u64],
    holds: Vec<Held<'a>>,
    inside: Option<&'a str>,
    per_round: f64,
    bytes_per_round: f64,
    share_bytes: u64,
    exclusive_bytes: u64,
    path: Option<&'a str>,
    package: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
    made_at: &'a [String],
    why: &'a str,
    fingerprint: String,
    accepted: bool,
    message: String,
}

#[derive(Serialize)]
struct Uneven<'a> {
    place: &'a str,
    rounds_grown: usize,
    counts: &'a [u64],
}

/// One document.
pub(crate) fn json(report: &CheckReport<'_>) -> Vec<u8> {
    let seen = report.seen;
    json_pretty(&Document {
        schema: SCHEMA,
        pid: report.pid,
        python: &seen.capture.python,
        command: &seen.capture.command,
        rounds: report.rounds,
        warmup: report.warmup,
        objects_total: seen.n_objects,
        longest_pause_ms: rounded(seen.longest_pause.as_secs_f64() * 1000.0),
        verdict: match (report.n_new(), seen.leaks.len()) {
            (0, 0) => "no_leak",
            (0, _) => "accepted",
            _ => "leak",
        },
        findings: seen.leaks.iter().map(finding_json).collect(),
        uneven: seen.uneven.iter().map(uneven).collect(),
        unclear: seen.unclear.iter().map(Unclear::from).collect(),
        ignored: &seen.ignored,
        notes: &seen.notes,
    })
}

fn finding_json(leak: &Checked) -> FindingJson<'_> {
    let Checked { finding, site } = leak;
    FindingJson {
        kind: kind(finding.kind),
        place: &finding.place,
        also: &finding.also,
        holder_type: known(&finding.holder_type),
        owner_type: known(&finding.owner_type),
        grows_by: grows_by(finding.of),
        counts: &finding.values,
        holds: finding.holds.iter().map(Held::from).collect(),
        inside: finding.inside.as_ref().map(|inside| &*inside.name),
        per_round: match finding.of {
            GrowthOf::Bytes => 0.0,
            _ => rounded(finding.rate.per_second),
        },
        bytes_per_round: rounded(finding.bytes_rate.per_second),
        share_bytes: finding.share_bytes,
        exclusive_bytes: finding.exclusive_bytes,
        path: known(&finding.path),
        package: known(&finding.package),
        file: site.as_ref().map(|site| &*site.file),
        line: site.as_ref().and_then(|site| site.line),
        made_at: &finding.made_at,
        why: &finding.why,
        fingerprint: finding.fingerprint.to_string(),
        accepted: finding.is_accepted,
        message: leak.sentence(),
    }
}

fn uneven(finding: &Finding) -> Uneven<'_> {
    Uneven {
        place: &finding.place,
        rounds_grown: finding.n_rises,
        counts: &finding.values,
    }
}
