//! Growth in any of its formats.

use leakhunt_heap::{GrowthRecord, Look, PeakGrowth, Peaks, Step, Summary};
use regex::Regex;

use super::growth_table;
use super::python_repr::python_repr;
use super::text::escape_controls;
use crate::args::GrowthFormat;

/// How many types Home Assistant logs.
const HA_LIMIT: usize = 1000;
/// How many types are shown otherwise.
const LIMIT: usize = 20;

/// One look, and all that follows from it.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) look: Look,
    pub(crate) step: Step,
    pub(crate) record: GrowthRecord,
}

/// How growth is to be shown.
#[derive(Debug)]
pub(crate) struct GrowthView {
    pub(crate) format: GrowthFormat,
    limit: usize,
    matches: Option<Regex>,
    pub(crate) color: bool,
    /// Columns of the terminal; `None` for no limit.
    pub(crate) width: Option<usize>,
    peaks: Peaks,
}

impl GrowthView {
    /// `limit` 0 is all, and `None` what the format has by itself.
    pub(crate) fn new(format: GrowthFormat, limit: Option<usize>, matches: Option<Regex>) -> Self {
        let limit = limit.unwrap_or(match format {
            GrowthFormat::Ha => HA_LIMIT,
            _ => LIMIT,
        });
        Self {
            format,
            limit: if limit == 0 { usize::MAX } else { limit },
            matches,
            color: false,
            width: None,
            peaks: Peaks::default(),
        }
    }

    /// Another run begins: its peaks start anew.
    pub(crate) fn restart(&mut self) {
        self.peaks = Peaks::default();
    }

    /// One look.
    pub(crate) fn frame(&mut self, frame: &Frame) -> Vec<u8> {
        match self.format {
            GrowthFormat::Table => growth_table::frame(frame, self).into_bytes(),
            GrowthFormat::Objgraph => objgraph(&self.grown(&frame.look)).into_bytes(),
            GrowthFormat::Ha => home_assistant(&self.grown(&frame.look)).into_bytes(),
            GrowthFormat::Json => match &self.matches {
                None => json_line(&frame.record),
                Some(_) => {
                    let mut matching = frame.record.clone();
                    matching
                        .types
                        .retain(|of_type| self.shows(&of_type.type_key));
                    json_line(&matching)
                }
            },
        }
    }

    /// What grew from the first look to the last; the formats of others have no such thing.
    pub(crate) fn summary(&self, summary: &Summary) -> Vec<u8> {
        match self.format {
            GrowthFormat::Table => growth_table::summary(summary, self).into_bytes(),
            _ => Vec::new(),
        }
    }

    /// Whether types of this key are to be shown.
    pub(super) fn shows(&self, type_key: &str) -> bool {
        self.matches.as_ref().is_none_or(|re| re.is_match(type_key))
    }

    /// How many types are to be shown at most.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    fn grown(&mut self, look: &Look) -> Vec<PeakGrowth> {
        let matches = &self.matches;
        let mut grown = self.peaks.observe(look, |type_key| {
            matches.as_ref().is_none_or(|re| re.is_match(type_key))
        });
        grown.truncate(self.limit);
        grown
    }
}

/// A record as a line of JSON.
pub(crate) fn json_line(record: &GrowthRecord) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line
}

/// As `objgraph.show_growth()` prints it: nothing when nothing grew.
fn objgraph(grown: &[PeakGrowth]) -> String {
    let names: Vec<_> = grown.iter().map(|one| escape_controls(&one.name)).collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    grown
        .iter()
        .zip(&names)
        .map(|(one, name)| format!("{name:<width$}{:>9} {:>+9}\n", one.n_objects, one.delta))
        .collect()
}

/// As Home Assistant's profiler logs it.
fn home_assistant(grown: &[PeakGrowth]) -> String {
    let tuples: Vec<String> = grown
        .iter()
        .map(|one| {
            format!(
                "({}, {}, {})",
                python_repr(&one.name),
                one.n_objects,
                one.delta
            )
        })
        .collect();
    format!("Memory Growth: [{}]\n", tuples.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(name: &str, n_objects: u64, delta: u64) -> PeakGrowth {
        PeakGrowth {
            name: name.into(),
            n_objects,
            delta,
        }
    }

    #[test]
    fn objgraph_format_is_that_of_show_growth() {
        // print(objgraph.show_growth()) of objgraph 3.6.1 in effect: '%-*s%9d %+9d\n'
        assert_eq!(
            objgraph(&[grown("dict", 1922, 7), grown("Template", 1_234_567_890, 2)]),
            "dict         1922        +7\nTemplate1234567890        +2\n"
        );
        assert_eq!(objgraph(&[]), "");
    }

    #[test]
    fn ha_format_is_that_of_its_log() {
        assert_eq!(
            home_assistant(&[grown("dict", 1922, 7), grown("it's", 3, 3)]),
            "Memory Growth: [('dict', 1922, 7), (\"it's\", 3, 3)]\n"
        );
        assert_eq!(home_assistant(&[]), "Memory Growth: []\n");
    }
}
