//! The verdict of a hunt in any of the formats.

pub(super) mod json;
pub(super) mod markdown;
mod tree;

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::hunt::trend::FEWEST_LOOKS;
use leakhunt_heap::hunt::{
    Finding, FindingKind, GrowthOf, Held, PlaceFindings, Rate, UnclearPlace,
};
use leakhunt_heap::{Capture, MemoryAccount};

use super::account::memory_lines;
use super::numbers::{bytes, count, counted, duration};
use super::text::escape_controls;
use crate::args::HuntFormat;
use crate::memory_limit::MemoryLimit;
pub(crate) use tree::{TreeFinding, TreeReport, tree_report};

/// What a hunt came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Something leaks.
    Leak,
    /// Something grew, but too little to tell.
    Unclear,
    /// There were too few looks.
    TooFewLooks,
    /// Garbage that is not collected.
    Garbage,
    /// References that native code holds.
    NativeReferences,
    /// Memory beside Python's objects grows.
    NativeMemory,
    /// All that leaks is known and accepted.
    Accepted,
    /// Nothing grows, but much memory is free and cannot be given back.
    Fragmentation,
    /// Nothing leaks.
    NoLeak,
}

impl Verdict {
    /// By the first finding that is not accepted, else by what else is known.
    pub(crate) fn of(judged: &PlaceFindings, n_looks: usize, is_fragmented: bool) -> Self {
        match Self::of_findings(judged.findings.iter()) {
            Some(verdict) => verdict,
            None if n_looks < FEWEST_LOOKS => Self::TooFewLooks,
            None if is_fragmented => Self::Fragmentation,
            None if !judged.unclear.is_empty() => Self::Unclear,
            None => Self::NoLeak,
        }
    }

    /// `None` where nothing was found.
    fn of_findings<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<Self> {
        let first = findings.min_by_key(|finding| finding.is_accepted)?;
        Some(match first.kind {
            _ if first.is_accepted => Self::Accepted,
            FindingKind::Place | FindingKind::Threads | FindingKind::Descriptors => Self::Leak,
            FindingKind::Garbage => Self::Garbage,
            FindingKind::NativeReferences => Self::NativeReferences,
            FindingKind::NativeMemory => Self::NativeMemory,
        })
    }

    /// In JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Unclear => "unclear",
            Self::TooFewLooks => "too_few_looks",
            Self::Garbage => "garbage",
            Self::NativeReferences => "native_references",
            Self::NativeMemory => "native_memory",
            Self::Accepted => "accepted",
            Self::Fragmentation => "fragmentation",
            Self::NoLeak => "no_leak",
        }
    }
}

/// All that there is to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) pid: u32,
    /// The last look.
    pub(crate) capture: &'a Capture,
    pub(crate) n_objects: u64,
    /// At each look.
    pub(crate) rss_bytes: &'a [u64],
    /// When each look was.
    pub(crate) seconds: &'a [f64],
    pub(crate) longest_pause: Duration,
    pub(crate) verdict: Verdict,
    pub(crate) judged: &'a PlaceFindings,
    /// `None` where the target is gone.
    pub(crate) account: Option<&'a MemoryAccount>,
    pub(crate) memory_limit: Option<MemoryLimit>,
    pub(crate) is_traced: bool,
    /// 0: all.
    pub(crate) limit: usize,
    pub(crate) notes: &'a [String],
    pub(crate) format: HuntFormat,
    pub(crate) width: Option<usize>,
}

impl Report<'_> {
    fn last_rss_bytes(&self) -> u64 {
        self.rss_bytes.last().copied().unwrap_or(0)
    }

    fn span(&self) -> Duration {
        let first = self.seconds.first().copied().unwrap_or(0.0);
        let last = self.seconds.last().copied().unwrap_or(0.0);
        Duration::from_secs_f64((last - first).max(0.0))
    }

    fn shown(&self) -> &[Finding] {
        let findings = &self.judged.findings;
        match self.limit {
            0 => findings,
            limit => &findings[..findings.len().min(limit)],
        }
    }

    /// How long this leak alone takes to the limit.
    fn time_to_limit(&self, finding: &Finding) -> Option<Duration> {
        self.time_at(finding.bytes_rate.per_second)
    }

    /// How long so many bytes a second take to the limit.
    fn time_at(&self, bytes_per_second: f64) -> Option<Duration> {
        let left = self.memory_limit?.headroom_bytes() as f64;
        let seconds = left / bytes_per_second;
        // More than ten years are no forecast.
        (0.0..3.2e8)
            .contains(&seconds)
            .then(|| Duration::from_secs_f64(seconds))
    }

    /// What is to be said where nothing was found.
    fn sentence(&self) -> Option<String> {
        sentence(self.verdict, self.span(), &format!("--pid {}", self.pid))
    }

    /// What to type next.
    fn next(&self, finding: &Finding) -> String {
        let pid = self.pid;
        let value = finding.holds.iter().find(|held| !held.is_key);
        let held = value.or(finding.holds.first());
        match (finding.kind, held) {
            (FindingKind::NativeMemory, _) => format!("leakhunt hunt --pid {pid} --account"),
            (FindingKind::Threads, _) => {
                format!("leakhunt dump --pid {pid} --type threading.Thread")
            }
            (FindingKind::Descriptors, _) => format!("ls -l /proc/{pid}/fd"),
            (FindingKind::Place, Some(_)) if !self.is_traced && finding.of == GrowthOf::Objects => {
                format!("leakhunt hunt --pid {pid} --trace")
            }
            // Objects of other types are not in the collector's lists.
            (FindingKind::Place | FindingKind::NativeReferences, Some(held))
                if held.type_key.contains('.') =>
            {
                format!(
                    "leakhunt dump --pid {pid} --type '{}' --limit 5",
                    held.type_key
                )
            }
            _ => format!("leakhunt snapshot --pid {pid}"),
        }
    }
}

/// The report in its format.
pub(crate) fn report(report: &Report<'_>) -> Vec<u8> {
    match report.format {
        HuntFormat::Text => text(report).into_bytes(),
        HuntFormat::Markdown => markdown::document(report).into_bytes(),
        HuntFormat::Json => json::document(report),
    }
}

fn text(report: &Report<'_>) -> String {
    let mut shown = heading(report);
    for (number, finding) in (1..).zip(report.shown()) {
        shown.push('\n');
        let time = report.time_to_limit(finding);
        finding_lines(&mut shown, report, number, finding, time);
        next_line(&mut shown, report, finding);
    }
    let n_more = report.judged.findings.len() - report.shown().len();
    if n_more > 0 {
        let _ = writeln!(
            shown,
            "\n{} not shown; --limit 0 shows all",
            counted(n_more as u64, "more leak")
        );
    }
    if let Some(sentence) = report.sentence() {
        let _ = writeln!(shown, "\n{sentence}");
    }
    if report.verdict != Verdict::Unclear && !report.judged.unclear.is_empty() {
        shown.push_str("\nmay grow, too; a longer watch tells\n");
    }
    for place in &report.judged.unclear {
        titled_line(&mut shown, "perhaps", &perhaps(place));
    }
    if let Some(account) = report.account {
        shown.push('\n');
        shown.push_str(&memory_lines(account, report.width));
    }
    for note in report.notes {
        let _ = writeln!(shown, "{note}");
    }
    shown
}

fn heading(report: &Report<'_>) -> String {
    let capture = report.capture;
    format!(
        "process {} (CPython {}, {} objects, RSS {})\n{} in {}, longest pause {}\n",
        report.pid,
        escape_controls(&capture.python),
        count(report.n_objects),
        bytes(report.last_rss_bytes()),
        counted(report.seconds.len() as u64, "look"),
        duration(report.span()),
        duration(report.longest_pause)
    )
}

fn finding_lines(
    shown: &mut String,
    report: &Report<'_>,
    number: usize,
    finding: &Finding,
    time_to_limit: Option<Duration>,
) {
    let holder = match &*finding.holder_type {
        "" => String::new(),
        holder => format!("  ({})", escape_controls(holder)),
    };
    let limit = match (report.memory_limit, time_to_limit) {
        (Some(limit), Some(time)) => format!("  {limit} in {}", duration(time)),
        _ => String::new(),
    };
    let growth = growth(finding).join("  ");
    let accepted = if finding.is_accepted {
        " (accepted)"
    } else {
        ""
    };
    let _ = writeln!(
        shown,
        "LEAK {number}{accepted}  {}{holder}  {growth}{limit}",
        escape_controls(&finding.place),
    );
    let mut line = |title: &str, text: &str| titled_line(shown, title, text);
    for (index, one) in finding.holds.iter().enumerate() {
        line(if index == 0 { "holds" } else { "" }, &held(one));
    }
    if let Some(inside) = &finding.inside {
        line("inside", &inside.name);
    }
    let keeps = keeps(finding);
    if !keeps.is_empty() {
        line("keeps", &keeps);
    }
    if !finding.also.is_empty() {
        line("also in", &finding.also.join(", "));
    }
    if !finding.path.is_empty() {
        line("path", &finding.path);
    }
    if !finding.package.is_empty() {
        line("package", &finding.package);
    }
    for (index, frame) in finding.made_at.iter().enumerate() {
        line(if index == 0 { "made at" } else { "" }, frame);
    }
    line("why", &finding.why);
    line("known as", &finding.fingerprint.to_string());
}

fn next_line(shown: &mut String, report: &Report<'_>, finding: &Finding) {
    titled_line(shown, "next", &report.next(finding));
}

pub(super) fn titled_line(shown: &mut String, title: &str, text: &str) {
    let _ = writeln!(shown, "  {title:<8} {}", escape_controls(text));
}

/// `shop.cache.RENDER_CACHE: 12 str, were 10, ever slower`.
pub(super) fn perhaps(place: &UnclearPlace) -> String {
    let how = match (place.bound, place.slows) {
        (Some(most), _) => format!("; it takes {} at most", count(most)),
        (None, true) => ", ever slower".to_owned(),
        (None, false) => String::new(),
    };
    format!("{}: {}{how}", place.place, held(&place.held))
}

/// `12,310 shop.render.RenderInfo, were 9,870`.
pub(super) fn held(held: &Held) -> String {
    let keys = if held.is_key { " as keys" } else { "" };
    format!(
        "{} {}{keys}, were {}",
        count(held.n_last),
        held.type_key,
        count(held.n_first)
    )
}

/// How fast: in objects or references where these grow, and in bytes.
fn growth(finding: &Finding) -> Vec<String> {
    let mut growth = Vec::new();
    if finding.of != GrowthOf::Bytes {
        growth.push(rate(finding.rate, finding.of));
    }
    // Of threads and descriptors they are not known.
    if finding.bytes_rate.per_second > 0.0 {
        growth.push(bytes_rate(finding.bytes_rate));
    }
    growth
}

/// What fixing it gives back; empty where that is not known.
pub(super) fn keeps(finding: &Finding) -> String {
    if finding.share_bytes == 0 || finding.kind == FindingKind::NativeMemory {
        return String::new();
    }
    let all = bytes(finding.share_bytes);
    match finding.exclusive_bytes {
        0 => format!("{all} alive"),
        alone if alone == finding.share_bytes => format!("{all} alive, all of it alone"),
        alone => format!("{all} alive, {} of it alone", bytes(alone)),
    }
}

/// `+41 /s`, `+3.2 /min`.
fn rate(rate: Rate, of: GrowthOf) -> String {
    let what = match of {
        GrowthOf::Objects => "",
        GrowthOf::References => " references",
        GrowthOf::Bytes => return bytes_rate(rate),
    };
    let per_second = rate.per_second;
    if per_second >= 1.0 {
        format!("+{per_second:.0}{what} /s")
    } else if per_second * 60.0 >= 1.0 {
        format!("+{:.0}{what} /min", per_second * 60.0)
    } else {
        format!("+{:.1}{what} /h", per_second * 3600.0)
    }
}

/// `+61 kB/s`.
fn bytes_rate(rate: Rate) -> String {
    let per_second = rate.per_second.max(0.0);
    if per_second >= 1.0 {
        format!("+{}/s", bytes(per_second as u64))
    } else {
        format!("+{}/h", bytes((per_second * 3600.0) as u64))
    }
}

/// What is to be said where nothing was found by watching `target`, as `--pid 4121`, for `span`.
fn sentence(verdict: Verdict, span: Duration, target: &str) -> Option<String> {
    let longer = duration(span * 5);
    let seconds = (span * 5).as_secs().max(60);
    Some(match verdict {
        Verdict::Leak | Verdict::Garbage | Verdict::NativeReferences | Verdict::NativeMemory => {
            return None;
        }
        Verdict::Accepted => "no new leak: all that grows is accepted".to_owned(),
        Verdict::Fragmentation => {
            "no leak, but fragmentation: memory that was freed cannot be given back".to_owned()
        }
        Verdict::NoLeak => format!(
            "no leak: no place grew throughout {}. A slower one shows in a longer watch:\n  leakhunt \
             hunt {target} --for {seconds}s",
            duration(span),
        ),
        Verdict::Unclear => format!(
            "too little growth to tell. Watch for {longer}:\n  leakhunt hunt {target} --for {seconds}s",
        ),
        Verdict::TooFewLooks => {
            format!("too few looks to tell: {FEWEST_LOOKS} or more show whether something grows")
        }
    })
}

/// The place that grows fastest, while the hunt goes on.
pub(crate) fn progress(n_looks: usize, n_planned: Option<u64>, judged: &PlaceFindings) -> String {
    let of = n_planned.map_or(String::new(), |planned| format!(" of {planned}"));
    let so_far = match judged.findings.first() {
        None => String::new(),
        Some(finding) => format!(
            ": {} {}",
            escape_controls(&finding.place),
            rate(finding.rate, finding.of)
        ),
    };
    format!("look {n_looks}{of}{so_far}")
}

#[cfg(test)]
mod tests;
