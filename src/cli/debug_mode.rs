//! Debug mode of event loops: how it is, what is asked of the target to change it, and what it answers.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use crate::debug_record::Record;
use crate::render::numbers::duration;
use crate::session::Row;

const SOURCE: &str = include_str!("probes/asyncio_debug_set.py");
/// The level from which on the root logger shows what asyncio tells in debug mode.
pub(crate) const INFO: i64 = 20;

/// An event loop, and how it is set.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct LoopMode {
    #[serde(skip)]
    pub(crate) address: u64,
    #[serde(skip)]
    pub(crate) type_name: String,
    /// `None` where it does not say.
    pub(crate) debug: Option<bool>,
    pub(crate) slow_callback_seconds: Option<f64>,
    pub(crate) is_running: Option<bool>,
    pub(crate) is_closed: Option<bool>,
    pub(crate) thread_name: Option<String>,
    /// How it was before this run of the command changed it; `None` where it did not.
    #[serde(skip)]
    pub(crate) before: Option<Before>,
    /// Why it could not be changed; `None` where it could, or need not.
    #[serde(skip)]
    pub(crate) obstacle: Option<String>,
}

/// How a loop was set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Before {
    pub(crate) debug: bool,
    pub(crate) slow_callback_seconds: Option<f64>,
}

/// What a process as a whole has to do with it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct ProcessMode {
    /// Whether asyncio is loaded.
    pub(crate) has_asyncio: bool,
    /// `python -X dev`: loops are born in debug mode.
    pub(crate) dev_mode: bool,
    /// Whether `PYTHONASYNCIODEBUG` is set: the same.
    pub(crate) variable: bool,
    /// Level of the root logger; `None` where `logging` is not loaded.
    pub(crate) root_level: Option<i64>,
    pub(crate) root_handlers: Option<u64>,
    /// Level of the logger `asyncio`; 0 leaves it to the root.
    pub(crate) asyncio_level: Option<i64>,
    /// The root logger's level before this run of the command changed it.
    #[serde(skip)]
    pub(crate) root_level_before: Option<i64>,
}

/// How everything is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DebugMode {
    pub(crate) process: ProcessMode,
    pub(crate) loops: Vec<LoopMode>,
}

impl DebugMode {
    /// What rows of the probe tell.
    pub(crate) fn of(rows: &[Row]) -> Self {
        let mut mode = Self::default();
        for row in rows {
            match row.value["kind"].as_str() {
                Some("process") => {
                    mode.process = ProcessMode::deserialize(&row.value).unwrap_or_default();
                }
                Some("loop") => {
                    if let Ok(one) = LoopMode::deserialize(&row.value) {
                        mode.loops.push(LoopMode {
                            address: row.address,
                            type_name: row.type_name.clone(),
                            ..one
                        });
                    }
                }
                _ => {}
            }
        }
        mode
    }

    /// Those that can be changed.
    pub(crate) fn open_loops(&self) -> impl Iterator<Item = &LoopMode> {
        let loops = self.loops.iter();
        loops.filter(|one| one.is_closed != Some(true))
    }
}

/// What is to be set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// Address, debug mode, and the threshold, unless it is to be left.
    pub(crate) loops: Vec<(u64, bool, Option<f64>)>,
    /// The root logger's level, unless it is to be left.
    pub(crate) root_level: Option<Level>,
    /// How long the search for loops may stop the target.
    pub(crate) max_pause: Duration,
}

/// What to do about the root logger's level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    /// Lower the bar to this where it is higher.
    AtMost(i64),
    /// Set it to this.
    Exactly(i64),
}

impl Wanted {
    /// Debug mode for all loops.
    pub(crate) fn on(mode: &DebugMode, slow: Option<f64>, max_pause: Duration) -> Self {
        let loops = mode.open_loops();
        Self {
            loops: loops.map(|one| (one.address, true, slow)).collect(),
            root_level: Some(Level::AtMost(INFO)),
            max_pause,
        }
    }

    /// What was before the first `on`; without a record of that, no debug mode.
    pub(crate) fn off(mode: &DebugMode, record: Option<&Record>, max_pause: Duration) -> Self {
        let Some(record) = record else {
            let loops = mode.open_loops();
            return Self {
                loops: loops.map(|one| (one.address, false, None)).collect(),
                root_level: None,
                max_pause,
            };
        };
        let known = mode.open_loops().filter_map(|one| {
            let before = record.of(one)?;
            Some((one.address, before.debug, before.slow_callback_seconds))
        });
        // Where somebody has set another level since then, it is theirs.
        let is_ours = mode.process.root_level == Some(INFO);
        let level = record.root_level.filter(|_| is_ours);
        Self {
            loops: known.collect(),
            root_level: level.map(Level::Exactly),
            max_pause,
        }
    }

    /// Python that sets it, and leaves what it did as `result`.
    pub(crate) fn source(&self) -> String {
        let mut source = String::from("WANTED = {");
        for (address, debug, slow) in &self.loops {
            let debug = if *debug { "True" } else { "False" };
            // What Python would not read as a number is not sent.
            let slow = slow.filter(|slow| slow.is_finite());
            let slow = slow.map_or_else(|| "None".to_owned(), |slow| format!("{slow:?}"));
            let _ = write!(source, "{address}: ({debug}, {slow}), ");
        }
        source.push_str("}\nLEVEL = ");
        source.push_str(&match self.root_level {
            None => "None".to_owned(),
            Some(Level::AtMost(level)) => format!("({level}, True)"),
            Some(Level::Exactly(level)) => format!("({level}, False)"),
        });
        let max_pause = self.max_pause.as_secs_f64();
        format!("{source}\nMAX_PAUSE = {max_pause:?}\n{SOURCE}")
    }
}

/// What the target answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// Loops that were reached, as they were before.
    pub(crate) reached: Vec<(u64, Before)>,
    /// Loops that raised, with the name of the exception.
    pub(crate) failed: Vec<(u64, String)>,
    /// The root logger's level before and after.
    pub(crate) root_level: Option<(i64, i64)>,
    /// Whether the lock of `logging` was held for a second.
    pub(crate) is_locked: bool,
    /// How long the search for all loops would have stopped the target, where that was too long.
    pub(crate) pause: Option<Duration>,
}

impl Answer {
    /// Reads the `result` of the source; `None` when it is not whole.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut answer = Self::default();
        let mut lines = text.lines();
        if lines.next_back() != Some("end") {
            return None;
        }
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["loop", address, debug, slow] => {
                    let before = Before {
                        debug: *debug == "1",
                        slow_callback_seconds: slow.parse().ok(),
                    };
                    answer.reached.push((address.parse().ok()?, before));
                }
                ["failed", address, why] => {
                    answer
                        .failed
                        .push((address.parse().ok()?, (*why).to_owned()));
                }
                ["level", before, after] => {
                    answer.root_level = Some((before.parse().ok()?, after.parse().ok()?));
                }
                ["pause", millis] => {
                    answer.pause = Some(Duration::from_millis(millis.parse().ok()?));
                }
                ["locked"] => answer.is_locked = true,
                [""] => {}
                _ => return None,
            }
        }
        Some(answer)
    }

    /// Adds to how everything is now what was before, and what was not reached.
    pub(crate) fn add_to(&self, mode: &mut DebugMode, wanted: &Wanted) {
        for one in &mut mode.loops {
            let is_wanted = wanted
                .loops
                .iter()
                .any(|&(address, ..)| address == one.address);
            let mut reached = self.reached.iter();
            let reached = reached.find(|&&(address, _)| address == one.address);
            let mut failed = self.failed.iter();
            let failed = failed.find(|(address, _)| *address == one.address);
            match (reached, failed) {
                (Some(&(_, before)), _) => {
                    let now = (one.debug, one.slow_callback_seconds);
                    let is_changed = now != (Some(before.debug), before.slow_callback_seconds);
                    one.before = is_changed.then_some(before);
                }
                (_, Some((_, why))) => one.obstacle = Some(format!("it raised {why}")),
                _ if is_wanted => {
                    one.obstacle = Some(match self.pause {
                        Some(pause) => format!(
                            "to look for it would stop the target for about {}; to do so: \
                             --max-pause {}ms",
                            duration(pause),
                            pause.as_millis()
                        ),
                        None => "nothing that can be reached leads to it".into(),
                    });
                }
                _ => {}
            }
        }
        let changed = self.root_level.filter(|(before, after)| before != after);
        mode.process.root_level_before = changed.map(|(before, _)| before);
    }
}
