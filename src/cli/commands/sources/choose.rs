//! Which objects of a look are shown, and who holds them.

use leakhunt_heap::{
    GrowingTypes, Holder, HolderShare, NewObjects, ObjId, Path, Paths, Snapshot, TypeSources,
    identify, sources,
};
use regex::Regex;

use crate::args::{SourcesArgs, SourcesRank};

/// So many of the types that grew most are looked at to find the places that gained most.
const MOST_TYPES: usize = 60;
/// So many of them are shown, unless told otherwise.
const LIMIT: usize = 5;

/// Chooses objects look after look; holds one snapshot in between.
#[derive(Debug)]
pub(super) struct Chooser {
    max: usize,
    limit: usize,
    matches: Option<Regex>,
    rank: Rank,
}

#[derive(Debug)]
enum Rank {
    Growth {
        types: GrowingTypes,
        before: Option<Box<Snapshot>>,
    },
    Gc(NewObjects),
}

/// An object to be shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) object: ObjId,
    /// Objects of its type at their most before, and now.
    pub(super) n_before: u64,
    pub(super) n_objects: u64,
    /// `None` where nothing alive refers to it.
    pub(super) path: Option<Path>,
    pub(super) holder: Option<Holder>,
    /// How much of the new objects of the type the holder has, from a sample.
    pub(super) holder_share_estimate: Option<f64>,
}

/// What is to be shown of a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Choice {
    pub(super) objects: Vec<Chosen>,
    /// Types that grew, shown or not.
    pub(super) n_types: u64,
    /// By `__name__`: new objects of types shown, beyond those chosen.
    pub(super) overflow: Vec<(String, u64)>,
    /// What is not certain about it.
    pub(super) notes: Vec<String>,
}

impl Chooser {
    pub(super) fn new(args: &SourcesArgs) -> Self {
        Self {
            max: args.max as usize,
            limit: match args.limit {
                Some(0) => usize::MAX,
                limit => limit.unwrap_or(LIMIT),
            },
            matches: args.r#match.clone(),
            rank: match args.rank {
                SourcesRank::Growth => Rank::Growth {
                    types: GrowingTypes::default(),
                    before: None,
                },
                SourcesRank::Gc => Rank::Gc(NewObjects::default()),
            },
        }
    }

    /// What a look shows; nothing at the first by growth.
    pub(super) fn choose(&mut self, snapshot: &Snapshot) -> Choice {
        let paths = Paths::find(snapshot);
        let matches = &self.matches;
        let shows = |type_key: &str| matches.as_ref().is_none_or(|re| re.is_match(type_key));
        match &mut self.rank {
            Rank::Gc(new) => by_gc(new, snapshot, &paths, self.max, shows),
            Rank::Growth { types, before } => {
                let mut growing = types.observe(snapshot, &paths, shows);
                let n_types = growing.len() as u64;
                growing.truncate(self.limit.max(MOST_TYPES));
                let Some(before) = before else {
                    return Choice::default();
                };
                let identities = identify(before, snapshot);
                let mut found =
                    sources(snapshot, &paths, Some(&identities), &growing, self.max).types;
                found.retain(|found| !found.examples.is_empty());
                found.truncate(self.limit);
                Choice {
                    n_types,
                    overflow: found.iter().filter_map(overflow).collect(),
                    objects: found.into_iter().flat_map(chosen).collect(),
                    notes: notes(snapshot),
                }
            }
        }
    }

    /// Keeps a look for the next, and lets the one before it go.
    pub(super) fn keep(&mut self, snapshot: Snapshot) {
        if let Rank::Growth { before, .. } = &mut self.rank {
            *before = Some(Box::new(snapshot));
        }
    }
}

fn notes(snapshot: &Snapshot) -> Vec<String> {
    let note = "without the GIL, new objects are told from old ones by what they refer to alone";
    let is_needed = snapshot.capture.free_threaded;
    is_needed.then(|| note.to_owned()).into_iter().collect()
}

fn overflow(found: &TypeSources) -> Option<(String, u64)> {
    let n_more = found.n_new?.checked_sub(found.examples.len() as u64)?;
    (n_more > 0).then(|| (found.growth.type_name.clone(), n_more))
}

fn chosen(found: TypeSources) -> Vec<Chosen> {
    let TypeSources {
        growth,
        n_sampled,
        holders,
        examples,
        ..
    } = found;
    let chosen = examples.into_iter().map(|source| Chosen {
        object: source.object,
        n_before: growth.n_before,
        n_objects: growth.n_objects,
        holder_share_estimate: share(&holders, n_sampled, source.holder.as_ref()),
        path: Some(source.path),
        holder: source.holder,
    });
    chosen.collect()
}

fn share(holders: &[HolderShare], n_sampled: u64, holder: Option<&Holder>) -> Option<f64> {
    let name = |holder: &Holder| holder.name.clone();
    let share = holders
        .iter()
        .find(|share| share.holder.as_ref().map(name) == holder.map(name))?;
    (n_sampled > 0).then(|| share.n_held as f64 / n_sampled as f64)
}

/// As Home Assistant's profiler: at most `max` in all.
fn by_gc(
    new: &mut NewObjects,
    snapshot: &Snapshot,
    paths: &Paths,
    max: usize,
    shows: impl FnMut(&str) -> bool,
) -> Choice {
    let look = new.observe(snapshot, max, shows);
    let mut names: Vec<&str> = look.objects.iter().map(|new| &*new.type_name).collect();
    names.extend(look.overflow.iter().map(|(name, _)| &**name));
    names.sort_unstable();
    names.dedup();
    let chosen = look.objects.iter().map(|new| {
        let path = paths.to(snapshot, new.object);
        Chosen {
            object: new.object,
            n_before: new.n_before,
            n_objects: new.n_objects,
            holder: path.as_ref().and_then(|path| paths.holder(snapshot, path)),
            path,
            holder_share_estimate: None,
        }
    });
    Choice {
        n_types: names.len() as u64,
        objects: chosen.collect(),
        overflow: look.overflow,
        notes: Vec::new(),
    }
}
