//! For a job's summary, or the comment of a pull request.

use std::fmt::Write as _;

use super::{CheckReport, Checked, series};
use crate::render::hunt::markdown::code;
use crate::render::hunt::{held, keeps};
use crate::render::numbers::counted;

/// One document.
pub(crate) fn markdown(report: &CheckReport<'_>) -> Vec<u8> {
    let seen = report.seen;
    let mut shown = format!(
        "### leakhunt: {}\n\n{}; {} to warm up, {} judged.\n",
        report.headline(),
        report.process(),
        counted(report.warmup, "round"),
        report.rounds
    );
    if !seen.leaks.is_empty() {
        shown.push_str(
            "\n| place | growth | rounds | holds | keeps | package |\n|---|---|---|---|---|---|\n",
        );
    }
    for leak in &seen.leaks {
        let _ = writeln!(shown, "{}", row(leak));
    }
    for leak in &seen.leaks {
        let finding = &leak.finding;
        let site = leak
            .site
            .as_ref()
            .map(|site| format!(", in {}", code(&site.to_string())));
        let _ = writeln!(
            shown,
            "\n- {}{}: path {}; known as {}",
            code(&finding.place),
            site.unwrap_or_default(),
            code(&finding.path),
            code(&finding.fingerprint.to_string())
        );
    }
    for note in &seen.notes {
        let _ = writeln!(shown, "\n{}", code(note));
    }
    shown.into_bytes()
}

fn row(leak: &Checked) -> String {
    let finding = &leak.finding;
    let holds: Vec<String> = finding.holds.iter().map(|one| code(&held(one))).collect();
    let accepted = if finding.is_accepted {
        " (accepted)"
    } else {
        ""
    };
    format!(
        "| {}{accepted} | +{} | {} | {} | {} | {} |",
        code(&finding.place),
        leak.growth(),
        series(finding),
        holds.join("<br>"),
        keeps(finding),
        code(&finding.package)
    )
}
