//! JUnit's XML: each leak is a test case that failed, and all is well is one that passed.

use super::{CheckReport, Checked};
use crate::render::text::escape_controls;

/// One document.
pub(crate) fn junit(report: &CheckReport<'_>) -> Vec<u8> {
    let leaks = &report.seen.leaks;
    let n_skipped = leaks.len() - report.n_new();
    let mut cases: Vec<String> = leaks.iter().map(case).collect();
    if report.n_new() == 0 {
        let name = escaped(&report.headline());
        cases.push(format!(
            "    <testcase classname=\"leakhunt.check\" name=\"{name}\"/>\n"
        ));
    }
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{n_skipped}\"",
        cases.len(),
        report.n_new()
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites {totals}>\n  \
         <testsuite name=\"leakhunt\" {totals}>\n{}  </testsuite>\n</testsuites>\n",
        cases.concat()
    )
    .into_bytes()
}

fn case(leak: &Checked) -> String {
    let finding = &leak.finding;
    let class = match &*finding.package {
        "" => "leakhunt.check".to_owned(),
        package => format!("leakhunt.check.{package}"),
    };
    let place = leak.site.as_ref().map_or(String::new(), |site| {
        let line = site.line.map(|line| format!(" line=\"{line}\""));
        format!(
            " file=\"{}\"{}",
            escaped(&site.file),
            line.unwrap_or_default()
        )
    });
    let message = escaped(&leak.sentence());
    let outcome = match finding.is_accepted {
        true => format!("<skipped message=\"accepted: {message}\"/>"),
        false => {
            let mut lines = String::new();
            super::leak_lines(&mut lines, 1, leak);
            let lines: Vec<String> = lines.lines().map(escaped).collect();
            format!(
                "<failure type=\"leak\" message=\"{message}\">{}</failure>",
                lines.join("\n")
            )
        }
    };
    format!(
        "    <testcase classname=\"{}\" name=\"{}\"{place}>{outcome}</testcase>\n",
        escaped(&class),
        escaped(&finding.place)
    )
}

/// XML knows no control characters, escaped or not.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in escape_controls(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
