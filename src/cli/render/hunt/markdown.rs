//! For the comment of an issue or pull request.

use std::fmt::Write as _;

use leakhunt_heap::hunt::Finding;

use super::{Report, TreeReport, Verdict, growth, held, keeps};
use crate::render::numbers::{bytes, count, counted, duration};

/// One document.
pub(super) fn document(report: &Report<'_>) -> String {
    let findings = &report.judged.findings;
    let n_new = findings.iter().filter(|one| !one.is_accepted).count();
    let mut shown = format!(
        "### leakhunt: {}\n\nProcess {} (CPython {}), {} objects, RSS {}; {} in {}.\n",
        headline(n_new, report.verdict),
        report.pid,
        code(&report.capture.python),
        count(report.n_objects),
        bytes(report.last_rss_bytes()),
        counted(report.seconds.len() as u64, "look"),
        duration(report.span()),
    );
    if !report.shown().is_empty() {
        let _ = writeln!(shown, "\n{HEADINGS}\n{RULER}");
    }
    for finding in report.shown() {
        let _ = writeln!(shown, "{}", row(finding));
    }
    for finding in report.shown() {
        let _ = writeln!(shown, "\n{}", reason(report, finding));
    }
    closing(&mut shown, report.sentence(), report.notes);
    shown
}

/// One document on all processes of a tree.
pub(super) fn tree_document(tree: &TreeReport<'_>) -> String {
    let mut shown = format!(
        "### leakhunt: {}\n\nTree of process {}: {} processes, {} objects, RSS {} in all; {} at each in \
         {}.\n\n| pid | objects | RSS | verdict | command |\n|---|---|---|---|---|\n",
        headline(tree.n_new(), tree.verdict()),
        tree.root,
        tree.processes.len(),
        count(tree.n_objects()),
        bytes(tree.rss_bytes()),
        counted(tree.n_looks() as u64, "look"),
        duration(tree.span()),
    );
    for process in tree.processes {
        let _ = writeln!(
            shown,
            "| {} | {} | {} | {} | {} |",
            process.pid,
            count(process.n_objects),
            bytes(process.last_rss_bytes()),
            process.verdict.name().replace('_', " "),
            code(&process.capture.command)
        );
    }
    if !tree.shown().is_empty() {
        let _ = writeln!(shown, "\n{HEADINGS} in |\n{RULER}---|");
    }
    for one in tree.shown() {
        let (_, finding) = one.fastest();
        let _ = writeln!(shown, "{} {} |", row(finding), tree.seen_in(one));
    }
    for one in tree.shown() {
        let (index, finding) = one.fastest();
        let _ = writeln!(shown, "\n{}", reason(&tree.processes[index], finding));
    }
    closing(&mut shown, tree.sentence(), tree.notes);
    shown
}

const HEADINGS: &str = "| place | holds | growth | keeps | package |";
const RULER: &str = "|---|---|---|---|---|";

fn row(finding: &Finding) -> String {
    let mut holds: Vec<String> = finding.holds.iter().map(|one| code(&held(one))).collect();
    let inside = finding.inside.as_ref();
    holds.extend(inside.map(|inside| format!("inside {}", code(&inside.name))));
    let accepted = if finding.is_accepted {
        " (accepted)"
    } else {
        ""
    };
    format!(
        "| {}{accepted} | {} | {} | {} | {} |",
        code(&finding.place),
        holds.join("<br>"),
        growth(finding).join(", "),
        keeps(finding),
        code(&finding.package)
    )
}

/// What is to be known first.
fn headline(n_new: usize, verdict: Verdict) -> String {
    match (n_new, verdict) {
        (1.., _) => counted(n_new as u64, "leak"),
        (_, Verdict::Accepted) => "no new leak".to_owned(),
        (_, Verdict::TooFewLooks) => "too few looks to tell".to_owned(),
        (_, Verdict::Unclear) => "too little growth to tell".to_owned(),
        _ => "no leak".to_owned(),
    }
}

fn reason(report: &Report<'_>, finding: &Finding) -> String {
    format!(
        "- {}: {}; path {}; next: {}",
        code(&finding.place),
        finding.why,
        code(&finding.path),
        code(&report.next(finding))
    )
}

fn closing(shown: &mut String, sentence: Option<String>, notes: &[String]) {
    if let Some(sentence) = sentence {
        let _ = writeln!(shown, "\n{}", sentence.replace("\n  ", " "));
    }
    for note in notes {
        let _ = writeln!(shown, "\n{note}");
    }
}

/// Text of the target's between backticks, in a cell of a table.
pub(in crate::render) fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = crate::render::text::escape_controls(text);
    let text = text.replace('|', "\\|").replace('`', "'");
    format!("`{text}`")
}
