//! The caches of a live process, as the probe `lru` tells of them.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Deserialize;

use crate::commands::inventory::Held;
use crate::session::Row;

/// With fewer calls a low hit rate says nothing.
const ENOUGH_CALLS: u64 = 100;
/// A cache below this share of hits is of no use, in percent.
const USELESS_PERCENT: u64 = 1;
/// A full cache below this share of hits is too small for what is asked of it, in percent.
const RARE_PERCENT: u64 = 10;
/// So many misses and no hit between two looks are a cache that only misses.
const ONLY_MISSES: i64 = 20;

/// What made a cache.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// `functools.lru_cache` and `functools.cache`.
    LruCache,
    /// The same, written in Python.
    LruCachePython,
    /// `lru.LRU` of the package lru-dict.
    LruDict,
    /// `cachetools.Cache` and its subclasses.
    Cachetools,
    /// `LRUCache` of SQLAlchemy.
    Sqlalchemy,
    /// `alru_cache` of the package async-lru.
    AsyncLru,
}

impl Kind {
    /// As JSON has it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::LruCache => "lru_cache",
            Self::LruCachePython => "lru_cache_python",
            Self::LruDict => "lru_dict",
            Self::Cachetools => "cachetools",
            Self::Sqlalchemy => "sqlalchemy",
            Self::AsyncLru => "async_lru",
        }
    }
}

/// What stands out about a cache.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Mark {
    /// It never drops anything, and has a key for each set of arguments.
    Unbounded,
    /// Next to no call finds what it asks for.
    NeverHits,
    /// It is full, and drops nearly everything before it is asked for again.
    OnlyMisses,
}

impl Mark {
    /// As JSON has it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Unbounded => "unbounded",
            Self::NeverHits => "never_hits",
            Self::OnlyMisses => "only_misses",
        }
    }
}

/// Objects that the keys of a cache keep alive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FirstArguments {
    pub(crate) type_name: String,
    /// Different ones among the first 500 keys.
    pub(crate) n_objects: u64,
    /// Whether the cached function is a method of theirs.
    pub(crate) is_method: bool,
}

/// What changed since the look before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Since {
    pub(crate) hits: i64,
    pub(crate) misses: i64,
    pub(crate) size: i64,
}

/// A cache.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cache {
    pub(crate) address: u64,
    pub(crate) kind: Kind,
    pub(crate) type_name: String,
    /// `module.qualname` of the function whose results it has; `None` for a cache of its own.
    pub(crate) function: Option<String>,
    /// What it is to its owner, as in `compiled cache of engine sqlite`, where that is known.
    pub(crate) role: Option<String>,
    /// Where the function starts; `None` where it is none of Python's.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
    /// `None` where nobody counts them.
    pub(crate) hits: Option<u64>,
    pub(crate) misses: Option<u64>,
    /// Entries; `None` where it does not say.
    pub(crate) size: Option<u64>,
    /// What counts against `max_size` where that is not the number of entries.
    pub(crate) weight: Option<u64>,
    /// Where it has a limit; `None` where that is not known.
    pub(crate) max_size: Option<u64>,
    /// Whether it has a limit; `None` where that is not known.
    pub(crate) has_limit: Option<bool>,
    /// Whether its function takes arguments; without any there is one entry at most.
    pub(crate) takes_arguments: Option<bool>,
    /// Name of the function's first parameter.
    pub(crate) first_parameter: Option<String>,
    pub(crate) first_arguments: Option<FirstArguments>,
    /// Entries read or written, where hits and misses are not counted.
    pub(crate) uses: Option<u64>,
    /// Who holds it and what would go with it; `None` where the graph was not taken, or it is gone
    /// from there.
    pub(crate) held: Option<Held>,
    /// `None` at the first look, and for one that is new.
    pub(crate) since: Option<Since>,
}

impl Cache {
    /// What it is called: its function, what it is to its owner, its path, or its type.
    pub(crate) fn name(&self) -> String {
        let path = self.held.as_ref().map(|held| &held.path);
        let path = path.filter(|path| !path.is_empty()).cloned();
        let name = self.function.clone().or_else(|| self.role.clone());
        name.or(path).unwrap_or_else(|| self.type_name.clone())
    }

    /// Hits of all calls, in percent; `None` where they are not counted, or there are none.
    pub(crate) fn hit_percent(&self) -> Option<f64> {
        let (hits, misses) = (self.hits?, self.misses?);
        let n_calls = hits.saturating_add(misses);
        (n_calls > 0).then(|| hits as f64 * 100.0 / n_calls as f64)
    }

    /// Whether its keys keep the objects alive whose method it is of.
    pub(crate) fn keeps_self(&self) -> bool {
        let first = self.first_arguments.as_ref();
        first
            .is_some_and(|first| first.is_method || self.first_parameter.as_deref() == Some("self"))
    }

    /// What stands out.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        if self.has_limit == Some(false) && self.takes_arguments != Some(false) {
            marks.push(Mark::Unbounded);
        }
        let (hits, misses) = (self.hits.unwrap_or(0), self.misses.unwrap_or(0));
        let n_calls = hits.saturating_add(misses);
        let is_below = |percent: u64| {
            n_calls >= ENOUGH_CALLS
                && u128::from(hits) * 100 < u128::from(n_calls) * u128::from(percent)
        };
        let counts = self.max_size != Some(0);
        let only_misses_now = self
            .since
            .is_some_and(|since| since.hits == 0 && since.misses >= ONLY_MISSES);
        if counts && is_below(USELESS_PERCENT) {
            marks.push(Mark::NeverHits);
        } else if counts && self.is_full() && (is_below(RARE_PERCENT) || only_misses_now) {
            marks.push(Mark::OnlyMisses);
        }
        marks
    }

    fn is_full(&self) -> bool {
        let used = self.weight.or(self.size);
        matches!((used, self.max_size), (Some(used), Some(most)) if used >= most)
    }

    /// What would go with it, as far as that is known.
    pub(crate) fn retained_bytes(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.retained_bytes)
    }

    /// Tells what changed since the same cache's numbers at the look before.
    pub(crate) fn compare(&mut self, before: &Self) {
        let delta = |now: Option<u64>, before: Option<u64>| match (now, before) {
            (Some(now), Some(before)) => now.cast_signed().saturating_sub(before.cast_signed()),
            _ => 0,
        };
        self.since = Some(Since {
            hits: delta(self.hits, before.hits),
            misses: delta(self.misses, before.misses),
            size: delta(self.size, before.size),
        });
    }
}

/// The marked ones that have entries first, then what keeps most.
pub(crate) fn sort(caches: &mut [Cache]) {
    caches.sort_by_cached_key(|cache| {
        (
            cache.marks().is_empty() || cache.size == Some(0),
            std::cmp::Reverse(cache.retained_bytes().unwrap_or(0)),
            std::cmp::Reverse(cache.size.unwrap_or(0)),
            cache.name(),
            cache.address,
        )
    });
}

/// A line of Home Assistant's, and which comes before which.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct HaLine {
    /// `lru_cache`, then lru-dict's by the class of their owner, then SQLAlchemy's.
    pub(crate) group: u64,
    /// Order of coming.
    pub(crate) place: usize,
    pub(crate) text: String,
}

/// What rows of the probe tell: caches in the order of coming, and lines for Home Assistant's format.
pub(crate) fn caches(rows: &[Row]) -> (Vec<Cache>, Vec<HaLine>) {
    let mut found: Vec<Cache> = Vec::new();
    let mut places = HashMap::new();
    let mut lines = Vec::new();
    let said: Vec<(&Row, Said)> = rows
        .iter()
        .filter_map(|row| Some((row, Said::deserialize(&row.value).ok()?)))
        .collect();
    for (row, said) in &said {
        if let Some(kind) = said.cache_kind() {
            places.insert(row.address, found.len());
            found.push(said.cache(kind, row));
        } else if said.kind == "ha" {
            lines.push(HaLine {
                group: said.group,
                place: lines.len(),
                text: said.text.clone(),
            });
        }
    }
    for (row, said) in said {
        let of = match said.kind.as_str() {
            "keys" => row.address,
            "decorator" | "name" => said.cache.unwrap_or(0),
            _ => continue,
        };
        if let Some(&place) = places.get(&of) {
            said.add_to(&mut found[place]);
        } else if let Some(type_name) = &said.cache_type {
            places.insert(of, found.len());
            let mut cache = said.cache(Kind::Cachetools, row);
            (cache.address, cache.type_name) = (of, type_name.clone());
            found.push(cache);
        }
    }
    lines.sort();
    (found, lines)
}

/// A row of the probe.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    kind: String,
    hits: Option<u64>,
    misses: Option<u64>,
    size: Option<u64>,
    weight: Option<u64>,
    max_size: Option<u64>,
    has_limit: Option<bool>,
    uses: Option<u64>,
    function: Option<String>,
    file: Option<String>,
    line: Option<u64>,
    takes_arguments: Option<bool>,
    first_parameter: Option<String>,
    first_argument: Option<String>,
    n_first_arguments: u64,
    is_method: bool,
    /// The address of the cache that a row is about beside its own.
    cache: Option<u64>,
    /// Its type, where it is a `dict` that only its decorator tells of.
    cache_type: Option<String>,
    name: Option<String>,
    group: u64,
    text: String,
}

impl Said {
    fn cache_kind(&self) -> Option<Kind> {
        let name = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&self.kind);
        Kind::deserialize(name).ok()
    }

    fn cache(&self, kind: Kind, row: &Row) -> Cache {
        let mut cache = Cache {
            address: row.address,
            kind,
            type_name: row.type_name.clone(),
            function: None,
            role: None,
            file: None,
            line: None,
            hits: None,
            misses: None,
            size: self.size,
            weight: self.weight,
            max_size: self.max_size,
            has_limit: self.has_limit,
            takes_arguments: None,
            first_parameter: None,
            first_arguments: None,
            uses: self.uses,
            held: None,
            since: None,
        };
        self.clone().add_to(&mut cache);
        cache
    }

    /// Adds what a row knows about a cache that another row told of.
    fn add_to(self, cache: &mut Cache) {
        cache.hits = cache.hits.or(self.hits);
        cache.misses = cache.misses.or(self.misses);
        cache.function = cache.function.take().or(self.function);
        cache.role = cache.role.take().or(self.name);
        cache.file = cache.file.take().or(self.file);
        cache.line = cache.line.or(self.line);
        cache.takes_arguments = cache.takes_arguments.or(self.takes_arguments);
        cache.first_parameter = cache.first_parameter.take().or(self.first_parameter);
        if let Some(type_name) = self.first_argument {
            cache.first_arguments = Some(FirstArguments {
                type_name,
                n_objects: self.n_first_arguments,
                is_method: self.is_method,
            });
        }
    }
}
