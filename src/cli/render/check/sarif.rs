//! SARIF 2.1.0, as code scanning takes it.

use leakhunt_heap::hunt::FindingKind;
use serde_json::{Value, json};

use super::{CheckReport, Checked, Site};
use crate::render::hunt::json::kind;
use crate::render::json_pretty;
use crate::render::text::escape_controls;

/// Where the format is defined.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What is told of the kinds of leaks, in the order of their rules.
const KINDS: [(FindingKind, &str); 6] = [
    (
        FindingKind::Place,
        "A container or attribute grows at every round",
    ),
    (
        FindingKind::Garbage,
        "Garbage that is never collected grows at every round",
    ),
    (
        FindingKind::NativeReferences,
        "Objects that native code holds grow at every round",
    ),
    (
        FindingKind::NativeMemory,
        "Memory beside Python's objects grows at every round",
    ),
    (FindingKind::Threads, "More threads run after every round"),
    (
        FindingKind::Descriptors,
        "More descriptors are open after every round",
    ),
];

/// One document.
pub(crate) fn sarif(report: &CheckReport<'_>) -> Vec<u8> {
    let rules: Vec<Value> = KINDS
        .iter()
        .map(|(kind, text)| {
            json!({
                "id": rule(*kind),
                "shortDescription": { "text": text },
                "defaultConfiguration": { "level": "error" },
            })
        })
        .collect();
    let results: Vec<Value> = report.seen.leaks.iter().map(result).collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "leakhunt",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    json_pretty(&document)
}

fn rule(of: FindingKind) -> String {
    format!("leakhunt/{}", kind(of))
}

fn result(leak: &Checked) -> Value {
    let finding = &leak.finding;
    let index = KINDS.iter().position(|(kind, _)| *kind == finding.kind);
    let text = |text: &str| escape_controls(text).into_owned();
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": text(&finding.place), "kind": "variable" }],
    });
    if let Some(site) = &leak.site {
        location["physicalLocation"] = physical(site);
    }
    let mut result = json!({
        "ruleId": rule(finding.kind),
        "ruleIndex": index,
        "level": "error",
        "message": { "text": format!("{}; path: {}", leak.sentence(), text(&finding.path)) },
        "locations": [location],
        "partialFingerprints": { "leakhunt/v1": finding.fingerprint.to_string() },
    });
    if finding.is_accepted {
        result["suppressions"] = json!([{ "kind": "external", "justification": "accepted" }]);
    }
    result
}

fn physical(site: &Site) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(&site.file) } });
    if let Some(line) = site.line {
        location["region"] = json!({ "startLine": line });
    }
    location
}

/// A path as a URI: relative, or of the scheme `file`.
fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let quoted: String = path
        .bytes()
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    match path.starts_with('/') {
        true => format!("file://{quoted}"),
        false => quoted,
    }
}
