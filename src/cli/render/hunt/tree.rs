//! The verdict of a hunt in all processes of a tree: each leak once, with the processes that have it.

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::hunt::trend::FEWEST_LOOKS;
use leakhunt_heap::hunt::{Finding, GrowthOf, Rate, UnclearPlace};

use super::{
    Report, Verdict, finding_lines, json, markdown, next_line, perhaps, rate, sentence, titled_line,
};
use crate::args::HuntFormat;
use crate::memory_limit::LimitSource;
use crate::render::numbers::{bytes, count, counted, duration};
use crate::render::table::{Emphasis, number, table, text};
use crate::render::text::{cut_end, escape_controls};

/// So many processes are named in a line.
const MOST_NAMED: usize = 8;
/// So much of a command line is shown.
const COMMAND_CHARS: usize = 60;

/// All that there is to show of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeReport<'a> {
    pub(crate) root: u32,
    /// Those that were looked at; of the options that they carry the first one's count.
    pub(crate) processes: &'a [Report<'a>],
    /// In the order that they are shown in.
    pub(crate) findings: &'a [TreeFinding<'a>],
    pub(crate) notes: &'a [String],
}

/// A leak of some of the processes.
#[derive(Clone, Debug)]
pub(crate) struct TreeFinding<'a> {
    /// By the index of the process what it is there; the fastest first. Never empty.
    pub(crate) seen: Vec<(usize, &'a Finding)>,
}

impl<'a> TreeFinding<'a> {
    /// Where it grows fastest.
    pub(crate) fn fastest(&self) -> (usize, &'a Finding) {
        self.seen[0]
    }

    /// In all processes.
    pub(crate) fn bytes_per_second(&self) -> f64 {
        let rates = self.seen.iter().map(|(_, finding)| finding.bytes_rate);
        rates.map(|rate| rate.per_second).sum()
    }
}

impl<'a> TreeReport<'a> {
    pub(super) fn n_objects(&self) -> u64 {
        self.processes.iter().map(|one| one.n_objects).sum()
    }

    /// Memory that processes share counts in each.
    pub(super) fn rss_bytes(&self) -> u64 {
        self.processes.iter().map(Report::last_rss_bytes).sum()
    }

    /// The most of any.
    pub(super) fn n_looks(&self) -> usize {
        let looks = self.processes.iter().map(|one| one.seconds.len());
        looks.max().unwrap_or(0)
    }

    /// The longest of any.
    pub(super) fn span(&self) -> Duration {
        let spans = self.processes.iter().map(Report::span);
        spans.max().unwrap_or_default()
    }

    pub(super) fn longest_pause(&self) -> Duration {
        let pauses = self.processes.iter().map(|one| one.longest_pause);
        pauses.max().unwrap_or_default()
    }

    /// By the findings; else that which asks most of the reader.
    pub(super) fn verdict(&self) -> Verdict {
        let findings = self.findings.iter().map(|one| one.fastest().1);
        if let Some(verdict) = Verdict::of_findings(findings) {
            return verdict;
        }
        let ranked = [Verdict::Fragmentation, Verdict::Unclear, Verdict::NoLeak];
        let is_of_one =
            |verdict: &Verdict| self.processes.iter().any(|one| one.verdict == *verdict);
        let worst = ranked.into_iter().find(is_of_one);
        worst.unwrap_or(Verdict::TooFewLooks)
    }

    pub(super) fn n_new(&self) -> usize {
        let findings = self.findings.iter();
        findings.filter(|one| !one.fastest().1.is_accepted).count()
    }

    /// Places that may grow, each once, with the processes where they do.
    pub(super) fn unclear(&self) -> Vec<(&'a UnclearPlace, Vec<u32>)> {
        let mut found: Vec<(&UnclearPlace, Vec<u32>)> = Vec::new();
        for process in self.processes {
            for place in &process.judged.unclear {
                match found.iter_mut().find(|(one, _)| one.place == place.place) {
                    Some((_, pids)) => pids.push(process.pid),
                    None => found.push((place, vec![process.pid])),
                }
            }
        }
        found
    }

    /// The processes that have a leak, the fastest first.
    pub(super) fn pids_of(&self, finding: &TreeFinding<'_>) -> Vec<u32> {
        let seen = finding.seen.iter();
        seen.map(|&(index, _)| self.processes[index].pid).collect()
    }

    /// How long this leak takes to the limit in all processes that have it, where they share the limit;
    /// else where it grows fastest.
    pub(super) fn time_to_limit(&self, finding: &TreeFinding<'_>) -> Option<Duration> {
        let (index, fastest) = finding.fastest();
        let process = &self.processes[index];
        match process.memory_limit?.source {
            LimitSource::Cgroup | LimitSource::Ram => process.time_at(finding.bytes_per_second()),
            LimitSource::AddressSpace | LimitSource::Data => process.time_to_limit(fastest),
        }
    }

    pub(super) fn shown(&self) -> &'a [TreeFinding<'a>] {
        match self.processes.first().map_or(0, |one| one.limit) {
            0 => self.findings,
            limit => &self.findings[..self.findings.len().min(limit)],
        }
    }

    /// `in 3 of 4 processes: +41 /s each (38 to 44); not in 4123`, `only in process 4123 (of 4)`.
    pub(super) fn seen_in(&self, finding: &TreeFinding<'_>) -> String {
        let with = self.pids_of(finding);
        let is_told =
            |one: &&Report<'_>| with.contains(&one.pid) || one.seconds.len() >= FEWEST_LOOKS;
        let (told, untold): (Vec<&Report<'_>>, Vec<_>) = self.processes.iter().partition(is_told);
        let without: Vec<u32> = told
            .iter()
            .map(|one| one.pid)
            .filter(|pid| !with.contains(pid))
            .collect();
        let mut text = match (with.as_slice(), told.len()) {
            ([pid], n) => format!("only in process {pid} (of {n})"),
            (_, n) => {
                let each = each(finding);
                let not = match without.is_empty() {
                    true => String::new(),
                    false => format!("; not in {}", named(&without)),
                };
                format!("{} of {n} processes: {each}{not}", with.len())
            }
        };
        if !untold.is_empty() {
            let pids: Vec<u32> = untold.iter().map(|one| one.pid).collect();
            let _ = write!(text, "; too few looks to tell in {}", named(&pids));
        }
        text
    }

    /// What is to be said where nothing was found.
    pub(super) fn sentence(&self) -> Option<String> {
        let target = format!("--pid {} --children", self.root);
        sentence(self.verdict(), self.span(), &target)
    }
}

/// `+41 /s each (38 to 44)`.
fn each(finding: &TreeFinding<'_>) -> String {
    let rate_of = |finding: &Finding| match finding.of {
        GrowthOf::Bytes => finding.bytes_rate,
        _ => finding.rate,
    };
    let mut rates: Vec<Rate> = finding.seen.iter().map(|(_, one)| rate_of(one)).collect();
    rates.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let of = finding.fastest().1.of;
    let [least, middle, most] =
        [0, rates.len() / 2, rates.len() - 1].map(|index| rate(rates[index], of));
    if least == most {
        return format!("{middle} each");
    }
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    let bare = |text: &str| {
        let number = text.trim_start_matches('+').split(' ').next();
        number.unwrap_or_default().to_owned()
    };
    match unit(&least) == unit(&middle) && unit(&middle) == unit(&most) {
        true => format!("{middle} each ({} to {})", bare(&least), bare(&most)),
        false => format!("{middle} each ({least} to {most})"),
    }
}

/// `4121, 4122 and 7 more`.
fn named(pids: &[u32]) -> String {
    let shown = &pids[..pids.len().min(MOST_NAMED)];
    let shown: Vec<String> = shown.iter().map(u32::to_string).collect();
    match pids.len().saturating_sub(MOST_NAMED) {
        0 => shown.join(", "),
        n => format!("{} and {n} more", shown.join(", ")),
    }
}

/// The report in its format.
pub(crate) fn tree_report(tree: &TreeReport<'_>) -> Vec<u8> {
    match tree.processes.first().map(|one| one.format) {
        Some(HuntFormat::Json) => json::tree_document(tree),
        Some(HuntFormat::Markdown) => markdown::tree_document(tree).into_bytes(),
        Some(HuntFormat::Text) | None => tree_text(tree).into_bytes(),
    }
}

fn tree_text(tree: &TreeReport<'_>) -> String {
    let mut shown = format!(
        "tree of process {} ({} processes, {} objects, RSS {} in all)\n{} at each in {}, longest pause {}\n\n",
        tree.root,
        tree.processes.len(),
        count(tree.n_objects()),
        bytes(tree.rss_bytes()),
        counted(tree.n_looks() as u64, "look"),
        duration(tree.span()),
        duration(tree.longest_pause()),
    );
    shown.push_str(&process_table(tree));
    for (number, finding) in (1..).zip(tree.shown()) {
        shown.push('\n');
        let (index, fastest) = finding.fastest();
        let process = &tree.processes[index];
        let time = tree.time_to_limit(finding);
        finding_lines(&mut shown, process, number, fastest, time);
        titled_line(&mut shown, "in", &tree.seen_in(finding));
        next_line(&mut shown, process, fastest);
    }
    let n_more = tree.findings.len() - tree.shown().len();
    if n_more > 0 {
        let n_more = counted(n_more as u64, "more leak");
        let _ = writeln!(shown, "\n{n_more} not shown; --limit 0 shows all");
    }
    if let Some(sentence) = tree.sentence() {
        let _ = writeln!(shown, "\n{sentence}");
    }
    let unclear = tree.unclear();
    if tree.verdict() != Verdict::Unclear && !unclear.is_empty() {
        shown.push_str("\nmay grow, too; a longer watch tells\n");
    }
    for (place, pids) in unclear {
        let text = format!("{}, in {}", perhaps(place), named(&pids));
        titled_line(&mut shown, "perhaps", &text);
    }
    if !tree.notes.is_empty() {
        shown.push('\n');
    }
    for note in tree.notes {
        let _ = writeln!(shown, "{note}");
    }
    shown
}

/// Each process in a line.
fn process_table(tree: &TreeReport<'_>) -> String {
    let columns = [
        number("pid"),
        number("objects"),
        number("rss"),
        number("looks"),
        text("verdict"),
        text("command"),
    ];
    let rows = tree.processes.iter().map(|one| {
        let command = escape_controls(&one.capture.command);
        let cells = vec![
            one.pid.to_string(),
            count(one.n_objects),
            bytes(one.last_rss_bytes()),
            one.seconds.len().to_string(),
            one.verdict.name().replace('_', " "),
            cut_end(&command, COMMAND_CHARS).into_owned(),
        ];
        (Emphasis::None, cells)
    });
    table(&columns, rows, false)
}

#[cfg(test)]
mod tests;
