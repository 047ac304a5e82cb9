//! Annotations, as a workflow of GitHub takes them from stdout.

use super::{CheckReport, Checked};
use crate::render::text::escape_controls;

/// A line for each leak: an error, or a notice of one that is accepted; and one on the whole.
pub(crate) fn github(report: &CheckReport<'_>) -> Vec<u8> {
    let mut lines: Vec<String> = report.seen.leaks.iter().map(annotation).collect();
    lines.push(format!("leakhunt: {}", data(&report.headline())));
    lines.push(String::new());
    lines.join("\n").into_bytes()
}

fn annotation(leak: &Checked) -> String {
    let finding = &leak.finding;
    let (level, title) = match finding.is_accepted {
        true => ("notice", "known leak"),
        false => ("error", "leak"),
    };
    let mut properties = Vec::new();
    if let Some(site) = &leak.site {
        properties.push(format!("file={}", property(&site.file)));
        properties.extend(site.line.map(|line| format!("line={line}")));
    }
    let title = format!("leakhunt: {title} in {}", escape_controls(&finding.place));
    properties.push(format!("title={}", property(&title)));
    let mut message = leak.sentence();
    for (name, text) in [("path", &finding.path), ("why", &finding.why)] {
        if !text.is_empty() {
            message.push_str(&format!("\n{name}: {}", escape_controls(text)));
        }
    }
    message.push_str(&format!("\nknown as {}", finding.fingerprint));
    format!("::{level} {}::{}", properties.join(","), data(&message))
}

/// What would end a line or start an escape.
fn data(text: &str) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D");
    escaped.replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
