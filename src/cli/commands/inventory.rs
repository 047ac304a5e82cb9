//! The run of an inventory: looks at a live process, each a list of what there is of a kind.

mod holders;
mod outside;
mod probe;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use time::OffsetDateTime;

use crate::args::{Common, InventoryArgs, InventoryFormat};
use crate::budget::Memory;
use crate::door::{Door, ended_after, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::rounds::{LookEnd, Looks, Missed, Rounds, Schedule};
use crate::session::{Link, Missing, Session, SessionError};
use crate::target::Target;

pub(crate) use holders::{Held, Holders, holders};
pub(crate) use probe::probed;

/// A kind of thing that a live process has.
pub(crate) trait Inventory {
    /// One of them.
    type Item;

    /// Takes all of them at this moment.
    ///
    /// # Errors
    /// When there is no answer; see [`LookEnd`].
    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<Self::Item>, LookEnd>;

    /// What there is to note before an agent goes in.
    fn begin(&mut self, _pid: u32) {}

    /// Takes all of them without an agent, where that is possible: what to do when none can get in, or
    /// none is wanted.
    fn take_from_outside(&mut self, _pid: u32) -> Option<anyhow::Result<Taken<Self::Item>>> {
        None
    }

    /// Whether no agent is wanted.
    fn is_outside(&self) -> bool {
        false
    }

    /// What tells it from all others, now and at other looks: its address, mostly.
    fn key(&self, item: &Self::Item) -> u64;

    /// What it is counted under, where growth shows: as in its function, or its state and peer.
    fn group(&self, item: &Self::Item) -> String;

    /// What `--match` looks at.
    fn text(&self, item: &Self::Item) -> String;

    /// The bytes for stdout. `--match` is applied, `--limit` is the renderer's to apply.
    fn render(&self, listing: &Listing<Self::Item>, how: &How) -> Vec<u8>;

    /// What is said where the first look finds nothing: what there is none of, and what to do.
    fn nothing(&self, pid: u32) -> Failure;
}

/// Where and with what an inventory is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) pid: u32,
    pub(crate) memory: &'a Memory,
    pub(crate) args: &'a InventoryArgs,
    pub(crate) output: &'a Output,
}

/// What a look found.
#[derive(Debug)]
pub(crate) struct Taken<T> {
    pub(crate) items: Vec<T>,
    /// Of which there is no, or no whole, account.
    pub(crate) missing: Vec<Missing>,
    pub(crate) pause_us: u64,
}

/// A look as it is shown.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    pub(crate) pid: u32,
    pub(crate) time: OffsetDateTime,
    /// From 1 on.
    pub(crate) look: u64,
    /// Whether there are to be others.
    pub(crate) is_repeated: bool,
    /// Those that match.
    pub(crate) items: Vec<Listed<T>>,
    /// Also those that do not match.
    pub(crate) n_items: usize,
    /// By group, of those that match: the most first. `delta` is 0 at the first look.
    pub(crate) groups: Vec<Group>,
    /// How many of the look before, matching or not, are gone.
    pub(crate) n_gone: usize,
    pub(crate) missing: Vec<Missing>,
    pub(crate) pause_us: u64,
}

#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) item: T,
    /// Not there at the look before; never at the first.
    pub(crate) is_new: bool,
}

/// How many there are of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) count: usize,
    /// Since the look before.
    pub(crate) delta: i64,
}

/// How a look is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) format: InventoryFormat,
    /// 0 is all.
    pub(crate) limit: usize,
    pub(crate) color: bool,
    /// Columns of the terminal; `None` where it is none.
    pub(crate) width: Option<usize>,
}

/// So many are shown unless `--limit` says.
const LIMIT: usize = 50;

/// Takes an inventory of the target that is chosen, once or at each interval.
///
/// # Errors
/// As every command of a live target.
pub(crate) fn run<I: Inventory>(
    inventory: I,
    args: &InventoryArgs,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Exit> {
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let result = watch(inventory, args, common, &target, &interrupts, output);
    target.conclude(result, &interrupts, output)
}

fn watch<I: Inventory>(
    inventory: I,
    args: &InventoryArgs,
    common: &Common,
    target: &Target,
    interrupts: &Interrupts,
    output: &Output,
) -> anyhow::Result<Exit> {
    let mut door = Door::new(target, &args.target, interrupts, output)?;
    let format = args.format(common);
    let default_limit = match format {
        InventoryFormat::Table => LIMIT,
        InventoryFormat::Ha | InventoryFormat::Json => 0,
    };
    let mut watch = Watch {
        inventory,
        args,
        pid: target.pid,
        how: How {
            format,
            limit: args.limit.unwrap_or(default_limit),
            color: output.color,
            width: output.width,
        },
        n_looks: 0,
        n_items: 0,
        keys: HashSet::new(),
        counts: BTreeMap::new(),
        output,
    };
    let rounds = Rounds {
        pid: target.pid,
        schedule: Schedule {
            interval: args.interval.unwrap_or(Duration::from_secs(1)),
            count: args.interval.map_or(Some(1), |_| args.count),
        },
        max_pause: args.target.max_pause,
        stays: false,
        interrupts,
        output,
    };
    watch.inventory.begin(target.pid);
    let end = if watch.inventory.is_outside() {
        watch.run_outside(&rounds, &door)
    } else {
        let end = rounds.run(&mut watch, &mut door);
        watch.or_outside(end, &rounds, &door)
    };
    watch.conclude(end, interrupts)
}

struct Watch<'a, I> {
    inventory: I,
    args: &'a InventoryArgs,
    pid: u32,
    how: How,
    n_looks: u64,
    /// All at the last look.
    n_items: usize,
    /// Those of the last look.
    keys: HashSet<u64>,
    /// By group, at the last look.
    counts: BTreeMap<String, usize>,
    output: &'a Output,
}

impl<I: Inventory> Watch<'_, I> {
    fn conclude(&self, end: Result<(), Missed>, interrupts: &Interrupts) -> anyhow::Result<Exit> {
        match end {
            Ok(()) if self.n_looks == 1 && self.n_items == 0 => {
                Err(self.inventory.nothing(self.pid).into())
            }
            Ok(()) => Ok(Exit::Done),
            Err(Missed::Interrupted) if self.n_looks == 0 => {
                Err(SessionError::Interrupted.into_failure(self.pid).into())
            }
            Err(Missed::Interrupted) if interrupts.urgency() == Urgency::AtOnce => {
                Ok(Exit::Interrupted)
            }
            Err(Missed::Interrupted) => Ok(Exit::Done),
            Err(Missed::TargetExited) if self.n_looks == 0 => Err(ended_too_early(self.pid).into()),
            Err(Missed::TargetExited) => Err(ended_after(self.pid, self.n_looks).into()),
            Err(Missed::ForNow(error) | Missed::ForGood(error)) => Err(error),
        }
    }

    /// Shows what a look found.
    fn show(&mut self, taken: Taken<I::Item>) -> anyhow::Result<()> {
        let listing = self.list(taken);
        let shown = self.inventory.render(&listing, &self.how);
        self.output.result(&shown)
    }

    /// Compares a look with the one before, and keeps it for the next.
    fn list(&mut self, taken: Taken<I::Item>) -> Listing<I::Item> {
        let n_items = taken.items.len();
        let is_first = self.n_looks == 0;
        let matches = |item: &I::Item| {
            let wanted = self.args.r#match.as_ref();
            wanted.is_none_or(|wanted| wanted.is_match(&self.inventory.text(item)))
        };
        let keys: HashSet<u64> = taken
            .items
            .iter()
            .map(|item| self.inventory.key(item))
            .collect();
        let mut counts = BTreeMap::<String, usize>::new();
        let mut items = Vec::new();
        for item in taken.items {
            if !matches(&item) {
                continue;
            }
            *counts.entry(self.inventory.group(&item)).or_default() += 1;
            let is_new = !is_first && !self.keys.contains(&self.inventory.key(&item));
            items.push(Listed { item, is_new });
        }
        let groups = groups(&counts, (!is_first).then_some(&self.counts));
        let n_gone = self.keys.difference(&keys).count();
        self.n_looks += 1;
        self.n_items = n_items;
        self.keys = keys;
        self.counts = counts;
        Listing {
            pid: self.pid,
            time: OffsetDateTime::now_utc(),
            look: self.n_looks,
            is_repeated: self.args.interval.is_some(),
            items,
            n_items,
            groups,
            n_gone,
            missing: taken.missing,
            pause_us: taken.pause_us,
        }
    }
}

fn groups(
    counts: &BTreeMap<String, usize>,
    before: Option<&BTreeMap<String, usize>>,
) -> Vec<Group> {
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut groups: Vec<Group> = counts
        .iter()
        .map(|(name, &count)| Group {
            name: name.clone(),
            count,
            delta: before.map_or(0, |before| {
                signed(count) - signed(before.get(name).copied().unwrap_or(0))
            }),
        })
        .collect();
    groups.sort_by(|one, other| other.count.cmp(&one.count).then(one.name.cmp(&other.name)));
    groups
}

impl<I: Inventory> Looks for Watch<'_, I> {
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd> {
        let scene = Scene {
            pid: self.pid,
            memory,
            args: self.args,
            output: self.output,
        };
        let taken = self.inventory.take(session, &scene)?;
        for missing in &taken.missing {
            self.output.detail(
                1,
                format_args!(
                    "not wholly known: {} at {:#x}: {}",
                    missing.type_name, missing.address, missing.why
                ),
            );
        }
        if !taken.missing.is_empty() {
            self.output.warn(format_args!(
                "of {} nothing, or not all, is known; -v tells which and why",
                taken.missing.len()
            ));
        }
        self.show(taken).map_err(LookEnd::ForGood)
    }

    fn n_looks(&self) -> u64 {
        self.n_looks
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
        let pairs = pairs.iter().map(|&(name, n)| (name.to_owned(), n));
        pairs.collect()
    }

    #[test]
    fn groups_tell_how_they_grew_since_the_look_before() {
        let now = counts(&[("a", 2), ("b", 5), ("c", 5)]);
        let shown = |before: Option<&BTreeMap<_, _>>| -> Vec<_> {
            let groups = groups(&now, before);
            let shown = groups.into_iter();
            shown.map(|one| (one.name, one.count, one.delta)).collect()
        };
        let named = |deltas: [i64; 3]| {
            vec![
                ("b".to_owned(), 5, deltas[0]),
                ("c".to_owned(), 5, deltas[1]),
                ("a".to_owned(), 2, deltas[2]),
            ]
        };
        assert_eq!(shown(None), named([0, 0, 0]));
        let before = counts(&[("a", 4), ("b", 1), ("z", 9)]);
        assert_eq!(shown(Some(&before)), named([4, 5, -2]));
    }
}
