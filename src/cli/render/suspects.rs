//! What holds most of a heap, for people and as JSON.

mod json;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use leakhunt_heap::{Held, Snapshot, Suspect, SuspectShape, Suspects};

use super::numbers::{bytes, bytes_delta, count, counted, share};
use super::rows::moment;
use super::text::{cut_end, escape_controls};

/// How wide a path is at most.
const PATH_MAX: usize = 200;

/// Where suspects come from.
#[derive(Debug)]
pub(crate) struct SuspectsView<'a> {
    /// The file.
    pub(crate) name: &'a str,
    /// The earlier file.
    pub(crate) baseline: Option<&'a str>,
    pub(crate) snapshot: &'a Snapshot,
}

impl SuspectsView<'_> {
    /// Suspect by suspect, and what to do next.
    pub(crate) fn text(&self, found: &Suspects) -> String {
        let mut text = self.heading(found);
        for (number, suspect) in (1..).zip(&found.suspects) {
            self.suspect(&mut text, number, suspect, found);
        }
        if found.suspects.is_empty() {
            let _ = writeln!(text, "{}", nothing(found));
        }
        for held in &found.spread {
            let (more, part) = match found.size_bytes_before {
                Some(_) => ("more ", bytes_delta(signed(held.retained_bytes))),
                None => ("", share(held.retained_bytes, found.size_bytes)),
            };
            let _ = writeln!(
                text,
                "spread over many places: {} {more}{}, {part}",
                count(held.n_objects),
                escape_controls(&held.type_key)
            );
        }
        text.push_str(&self.advice());
        text
    }

    /// One document.
    pub(crate) fn json(&self, found: &Suspects) -> Vec<u8> {
        json::document(self, found)
    }

    fn heading(&self, found: &Suspects) -> String {
        let capture = &self.snapshot.capture;
        let since = self
            .baseline
            .map_or_else(String::new, |baseline| format!(", against {baseline}"));
        let before = found.size_bytes_before.map_or_else(String::new, |before| {
            let delta = signed(found.size_bytes) - signed(before);
            format!(" ({})", or_no_change(&bytes_delta(delta)))
        });
        format!(
            "{} of process {}, CPython {}, {}{since}\nobjects {}  bytes {}{before}\n",
            self.name,
            capture.pid,
            escape_controls(&capture.python),
            moment(i64::try_from(capture.taken_at_us).unwrap_or(i64::MAX)),
            count(found.n_objects),
            bytes(found.size_bytes),
        )
    }

    fn suspect(&self, text: &mut String, number: usize, suspect: &Suspect, found: &Suspects) {
        let of_heap = share(suspect.retained_bytes, found.size_bytes);
        let how_much = match suspect.retained_bytes_before {
            Some(before) => format!(
                "grew by {} to {}, {of_heap} of the heap",
                bytes(suspect.retained_bytes.saturating_sub(before)),
                bytes(suspect.retained_bytes)
            ),
            None => format!(
                "holds {}, {of_heap} of the heap",
                bytes(suspect.retained_bytes)
            ),
        };
        let others = match suspect.n_places {
            0 | 1 => String::new(),
            n => format!(" and {} like it", count(n - 1)),
        };
        let _ = writeln!(
            text,
            "\n{number}. {} ({}){others} {how_much}",
            escape_controls(&place(suspect)),
            escape_controls(&suspect.type_key)
        );
        for (what, told) in self.facts(suspect) {
            let _ = writeln!(text, "     {what:<8} {told}");
        }
    }

    fn facts(&self, suspect: &Suspect) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let sign = suspect.retained_bytes_before.map_or("", |_| "+");
        if !suspect.holds.is_empty() {
            let held = suspect.holds.iter().map(|held| told(held, sign));
            facts.push(("holds", held.collect::<Vec<_>>().join(", ")));
        }
        facts.push((
            "frees",
            format!("{}, {}", counted(suspect.n_objects, "object"), how(suspect)),
        ));
        let cut = |text: &str| cut_end(&escape_controls(text), PATH_MAX).into_owned();
        if let Some(path) = &suspect.path {
            let note = if path.is_evaluable {
                ""
            } else {
                "  (not to be typed)"
            };
            facts.push(("path", format!("{}{note}", cut(&path.expression))));
        }
        if let (Some(pattern), Some((n_sampled, n_through))) = (&suspect.pattern, suspect.sample) {
            let of = format!("{} of {} looked at", count(n_through), count(n_sampled));
            facts.push(("held by", format!("{}  ({of})", cut(pattern))));
        }
        if let Some(holder) = suspect
            .holder
            .as_ref()
            .filter(|holder| !holder.package.is_empty())
        {
            let own = if holder.is_stdlib {
                " (of Python itself)"
            } else {
                ""
            };
            facts.push((
                "package",
                format!("{}{own}", escape_controls(&holder.package)),
            ));
        }
        facts.push(("next", format!("{} --trace", self.next())));
        facts
    }

    /// What to type to see whether it grows.
    fn next(&self) -> String {
        format!("leakhunt hunt --pid {}", self.snapshot.capture.pid)
    }

    fn advice(&self) -> String {
        let next = self.next();
        match self.baseline {
            Some(_) => format!(
                "\nTwo snapshots show what grew once, not whether it goes on. To see that:\n  {next}\n"
            ),
            None => format!(
                "\nOne snapshot shows size, not growth. To see what grows, now or until later:\n  \
                 {next}\n  leakhunt snapshot --pid {} -o later.leakhunt && leakhunt suspects \
                 later.leakhunt --baseline {}\n",
                self.snapshot.capture.pid,
                quoted(self.name)
            ),
        }
    }
}

fn nothing(found: &Suspects) -> String {
    let least = bytes(found.threshold_bytes);
    match found.size_bytes_before {
        Some(_) => format!("no place grew by 2 % of the baseline ({least}) or more"),
        None => format!("no place holds 10 % of the heap ({least}) or more"),
    }
}

/// Where a suspect is, as a person calls it.
fn place(suspect: &Suspect) -> String {
    match (&suspect.holder, &suspect.path) {
        (Some(holder), _) => holder.name.clone(),
        (None, Some(path)) => path.expression.clone(),
        (None, None) => "held by native code".to_owned(),
    }
}

fn told(held: &Held, sign: &str) -> String {
    format!(
        "{sign}{} {} ({sign}{})",
        count(held.n_objects),
        escape_controls(&held.type_key),
        bytes(held.retained_bytes)
    )
}

fn how(suspect: &Suspect) -> String {
    let shallow = bytes(suspect.shallow_bytes);
    match suspect.shape {
        SuspectShape::Object => format!("{shallow} of it the {} alone", suspect.type_key),
        SuspectShape::Group => {
            format!("{shallow} in the held alone; something else refers to them as well")
        }
        SuspectShape::Chain => "link by link: this is the first of a chain".to_owned(),
    }
}

fn or_no_change(delta: &str) -> &str {
    match delta {
        "" => "no change",
        delta => delta,
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
