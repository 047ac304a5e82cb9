//! The verdict of a check in any of its formats.

mod github;
mod json;
mod junit;
mod markdown;
mod sarif;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::Capture;
use leakhunt_heap::hunt::{Finding, GrowthOf, UnclearPlace};

use super::hunt::{held, keeps, perhaps, titled_line};
use super::numbers::{bytes, count, counted, duration};
use super::text::escape_controls;
pub(crate) use github::github;
pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use markdown::markdown;
pub(crate) use sarif::sarif;

/// What all looks at a program came to.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The last look.
    pub(crate) capture: Capture,
    pub(crate) n_objects: u64,
    /// What grew at every round, what is not accepted first.
    pub(crate) leaks: Vec<Checked>,
    /// What grew, but not at every round.
    pub(crate) uneven: Vec<Finding>,
    /// Places that would be leaks if they did not belong to a package that is not judged.
    pub(crate) ignored: Vec<String>,
    /// What more rounds may show.
    pub(crate) unclear: Vec<UnclearPlace>,
    pub(crate) longest_pause: Duration,
    pub(crate) notes: Vec<String>,
}

/// A leak, and where in the sources it is.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) finding: Finding,
    /// `None` where that is not known.
    pub(crate) site: Option<Site>,
}

/// A place in the sources.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Site {
    /// By its way from the working folder, where it is below.
    pub(crate) file: String,
    pub(crate) line: Option<u64>,
}

/// What a check came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckReport<'a> {
    pub(crate) pid: u32,
    pub(crate) seen: &'a Seen,
    /// Rounds before those that are judged.
    pub(crate) warmup: u64,
    pub(crate) rounds: u64,
}

impl CheckReport<'_> {
    /// Leaks that are not accepted.
    pub(crate) fn n_new(&self) -> usize {
        let leaks = self.seen.leaks.iter();
        leaks.filter(|leak| !leak.finding.is_accepted).count()
    }

    /// In one line.
    fn headline(&self) -> String {
        match (self.n_new(), self.seen.leaks.len()) {
            (0, 0) => format!("no leak: no place grew at each of {}", self.all_rounds()),
            (0, _) => "no new leak: all that grows is accepted".to_owned(),
            (n_new, _) => format!(
                "{}: grew at each of {}",
                counted(n_new as u64, "leak"),
                self.all_rounds()
            ),
        }
    }

    fn all_rounds(&self) -> String {
        counted(self.rounds, "round")
    }

    fn process(&self) -> String {
        format!(
            "process {} (CPython {}, {} objects)",
            self.pid,
            escape_controls(&self.seen.capture.python),
            count(self.seen.n_objects)
        )
    }
}

impl Checked {
    /// `shop.cache.RENDERED grew at each of 5 rounds: 12, 15, 18, 21, 24, 27 shop.Template`.
    fn sentence(&self) -> String {
        let Finding { place, holds, .. } = &self.finding;
        let what = match (self.finding.of, holds.first()) {
            // Of what is held there is no more than before.
            (GrowthOf::References, _) => " references".to_owned(),
            (_, None) => String::new(),
            (_, Some(held)) => {
                let keys = if held.is_key { " as keys" } else { "" };
                format!(" {}{keys}", held.type_key)
            }
        };
        let text = match series(&self.finding) {
            series if series.is_empty() => {
                format!("{place} grew at every round, by {}", self.growth())
            }
            series => format!("{place} grew at every round: {series}{what}"),
        };
        escape_controls(&text).into_owned()
    }

    /// `3 a round`.
    fn growth(&self) -> String {
        let a_round = |number: f64| match number {
            // Halves and thirds of an object are told.
            few if few < 10.0 && few.fract() > 0.05 => format!("{few:.1}"),
            many => count(many.round() as u64),
        };
        let per_round = self.finding.rate.per_second.max(0.0);
        match self.finding.of {
            GrowthOf::Objects => format!("{} a round", a_round(per_round)),
            GrowthOf::References => format!("{} references a round", a_round(per_round)),
            GrowthOf::Bytes => format!("{} a round", bytes(self.bytes_per_round())),
        }
    }

    fn bytes_per_round(&self) -> u64 {
        self.finding.bytes_rate.per_second.max(0.0) as u64
    }

    /// How to live with it.
    fn acceptance(&self) -> String {
        format!(
            "a line `{}` in a file that --accept names",
            self.finding.fingerprint
        )
    }
}

/// The numbers at each look, `12, 15, 18`; of bytes with their unit. Of many the last.
fn series(finding: &Finding) -> String {
    const MOST: usize = 12;
    let values = &finding.values;
    let shown = &values[values.len().saturating_sub(MOST)..];
    let shown: Vec<String> = shown
        .iter()
        .map(|&value| match finding.of {
            GrowthOf::Bytes => bytes(value),
            _ => count(value),
        })
        .collect();
    let before = if values.len() > MOST { "…, " } else { "" };
    match shown.is_empty() {
        true => String::new(),
        false => format!("{before}{}", shown.join(", ")),
    }
}

/// For people.
pub(crate) fn text(report: &CheckReport<'_>) -> Vec<u8> {
    let seen = report.seen;
    let mut shown = format!(
        "{}\n{} to warm up and {} judged, longest pause {}\n",
        report.process(),
        counted(report.warmup, "round"),
        report.rounds,
        duration(seen.longest_pause)
    );
    for (number, leak) in (1..).zip(&seen.leaks) {
        shown.push('\n');
        leak_lines(&mut shown, number, leak);
    }
    let _ = writeln!(shown, "\n{}", report.headline());
    for finding in &seen.uneven {
        let uneven = format!(
            "{}: {} of {} rounds",
            finding.place, finding.n_rises, finding.n_intervals
        );
        titled_line(&mut shown, "grew at", &uneven);
    }
    for place in &seen.unclear {
        titled_line(&mut shown, "perhaps", &perhaps(place));
    }
    for place in &seen.ignored {
        titled_line(&mut shown, "ignored", place);
    }
    for note in &seen.notes {
        let _ = writeln!(shown, "{}", escape_controls(note));
    }
    shown.into_bytes()
}

fn leak_lines(shown: &mut String, number: usize, leak: &Checked) {
    let finding = &leak.finding;
    let holder = match &*finding.holder_type {
        "" => String::new(),
        holder => format!("  ({})", escape_controls(holder)),
    };
    let accepted = if finding.is_accepted {
        " (accepted)"
    } else {
        ""
    };
    let _ = writeln!(
        shown,
        "LEAK {number}{accepted}  {}{holder}  +{}",
        escape_controls(&finding.place),
        leak.growth()
    );
    let mut line = |title: &str, text: &str| {
        if !text.is_empty() {
            titled_line(shown, title, text);
        }
    };
    line("rounds", &series(finding));
    for (index, one) in finding.holds.iter().enumerate() {
        line(if index == 0 { "holds" } else { "" }, &held(one));
    }
    if let Some(inside) = &finding.inside {
        line("inside", &inside.name);
    }
    line("keeps", &keeps(finding));
    line("also in", &finding.also.join(", "));
    line("path", &finding.path);
    line("package", &finding.package);
    for (index, frame) in finding.made_at.iter().enumerate() {
        line(if index == 0 { "made at" } else { "" }, frame);
    }
    if let Some(site) = leak.site.as_ref().filter(|_| finding.made_at.is_empty()) {
        line("in", &site.to_string());
    }
    line("why", &finding.why);
    line("known as", &finding.fingerprint.to_string());
    if !finding.is_accepted {
        line("accept", &leak.acceptance());
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}
