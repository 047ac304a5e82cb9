//! For the comment of an issue or pull request.

use std::fmt::Write as _;

use super::{Report, Verdict, growth, held, keeps, sentence};
use crate::render::numbers::{bytes, count, counted, duration};

/// One document.
pub(super) fn document(report: &Report<'_>) -> String {
    let mut shown = format!(
        "### leakhunt: {}\n\nProcess {} (CPython {}), {} objects, RSS {}; {} in {}.\n",
        headline(report),
        report.pid,
        code(&report.capture.python),
        count(report.n_objects),
        bytes(report.rss_bytes.last().copied().unwrap_or(0)),
        counted(report.seconds.len() as u64, "look"),
        duration(report.span()),
    );
    if !report.shown().is_empty() {
        shown.push_str("\n| place | holds | growth | keeps | package |\n|---|---|---|---|---|\n");
    }
    for finding in report.shown() {
        let holds: Vec<String> = finding.holds.iter().map(|one| code(&held(one))).collect();
        let _ = writeln!(
            shown,
            "| {}{} | {} | {} | {} | {} |",
            code(&finding.place),
            if finding.is_accepted {
                " (accepted)"
            } else {
                ""
            },
            holds.join("<br>"),
            growth(finding).join(", "),
            keeps(finding),
            code(&finding.package)
        );
    }
    for finding in report.shown() {
        let _ = writeln!(
            shown,
            "\n- {}: {}; path {}; next: {}",
            code(&finding.place),
            finding.why,
            code(&finding.path),
            code(&report.next(finding))
        );
    }
    if let Some(sentence) = sentence(report) {
        let _ = writeln!(shown, "\n{}", sentence.replace("\n  ", " "));
    }
    for note in report.notes {
        let _ = writeln!(shown, "\n{note}");
    }
    shown
}

/// What is to be known first.
fn headline(report: &Report<'_>) -> String {
    let findings = &report.judged.findings;
    let n_new = findings.iter().filter(|one| !one.is_accepted).count();
    match (n_new, report.verdict) {
        (1.., _) => counted(n_new as u64, "leak"),
        (_, Verdict::Accepted) => "no new leak".to_owned(),
        (_, Verdict::TooFewLooks) => "too few looks to tell".to_owned(),
        (_, Verdict::Unclear) => "too little growth to tell".to_owned(),
        _ => "no leak".to_owned(),
    }
}

/// Text of the target's between backticks, in a cell of a table.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = crate::render::text::escape_controls(text);
    let text = text.replace('|', "\\|").replace('`', "'");
    format!("`{text}`")
}
