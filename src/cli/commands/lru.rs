//! `leakhunt lru`.

use std::collections::HashMap;

use leakhunt_heap::Snapshot;
use regex::Regex;

use super::inventory::{self, Inventory, Listing, Scene, Taken, holders};
use crate::args::{Common, InventoryFormat, LruArgs};
use crate::caches::{Cache, HaLine, caches, sort};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::render::lru::lru;
use crate::rounds::LookEnd;
use crate::session::{Link, Probe, Session};

const SOURCE: &str = include_str!("../probes/lru.py");
/// Types whose objects the probe knows, as it does itself.
const TYPES: [&str; 14] = [
    "functools._lru_cache_wrapper",
    "cachetools.Cache",
    "cachetools._cached._WrapperBase",
    "cachetools._cachedmethod._WrapperBase",
    "async_lru._LRUCacheWrapper",
    "sqlalchemy.engine.base.Engine",
    "sqlalchemy.orm.mapper.Mapper",
    "LRUCache",
    "builtins.function",
    "EventDataManager",
    "EventTypeManager",
    "StatesMetaManager",
    "StateAttributesManager",
    "StatisticsMetaManager",
];
/// Those of lru-dict, which the collector does not track.
const LRU_DICT: [&str; 2] = ["_lru.LRU", "lru.LRU"];

pub(super) fn run(args: &LruArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let inventory = Caches {
        is_quick: args.quick,
        is_ha: args.inventory.format(common) == InventoryFormat::Ha,
        wanted: args.inventory.r#match.clone(),
        lines: Vec::new(),
        before: HashMap::new(),
    };
    inventory::run(inventory, &args.inventory, common, output)
}

struct Caches {
    is_quick: bool,
    is_ha: bool,
    wanted: Option<Regex>,
    /// Of the last look.
    lines: Vec<HaLine>,
    /// The caches of the look before, by address.
    before: HashMap<u64, Cache>,
}

impl Inventory for Caches {
    type Item = Cache;

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<Cache>, LookEnd> {
        let graph = match self.is_quick {
            true => None,
            false => Some(holders(session, scene)?),
        };
        let untracked = graph.as_ref().map(|graph| untracked(&graph.snapshot));
        let source = match self.is_ha {
            true => format!("{SOURCE}\nHA_LINES = True\n"),
            false => SOURCE.to_owned(),
        };
        let untracked = untracked.unwrap_or_default();
        let probe = Probe {
            untracked: &untracked,
            ..scene.probe(&TYPES, &source)
        };
        let probed = inventory::probed(session, scene, &probe)?;
        let (mut found, lines) = caches(&probed.rows);
        for cache in &mut found {
            if let Some(graph) = &graph {
                let object = graph.object(cache.address, &cache.type_name);
                cache.held = object.map(|object| graph.of(object));
            }
            let before = self.before.get(&cache.address);
            if let Some(before) = before.filter(|before| before.kind == cache.kind) {
                cache.compare(before);
            }
        }
        sort(&mut found);
        self.before = found
            .iter()
            .map(|cache| (cache.address, cache.clone()))
            .collect();
        self.lines = lines;
        let pause_us = graph.map_or(0, |graph| graph.snapshot.capture.pause_us);
        Ok(Taken {
            items: found,
            missing: probed.missing,
            pause_us: pause_us.max(probed.pause_us),
        })
    }

    fn key(&self, cache: &Cache) -> u64 {
        cache.address
    }

    fn group(&self, cache: &Cache) -> String {
        cache.name()
    }

    fn text(&self, cache: &Cache) -> String {
        let place = cache.file.as_deref().unwrap_or_default();
        format!("{} {} {place}", cache.name(), cache.type_name)
    }

    fn render(&self, listing: &Listing<Cache>, how: &inventory::How) -> Vec<u8> {
        let matches = |line: &&HaLine| {
            let wanted = self.wanted.as_ref();
            wanted.is_none_or(|wanted| wanted.is_match(&line.text))
        };
        let lines: Vec<HaLine> = self.lines.iter().filter(matches).cloned().collect();
        lru(listing, &lines, how)
    }

    fn nothing(&self, pid: u32) -> Failure {
        Failure::new(Exit::Nothing, format!("process {pid} has no cache"))
            .with_help("functools, lru-dict, cachetools, async-lru and SQLAlchemy are looked for")
    }
}

/// Where the caches of lru-dict are, and their types.
fn untracked(snapshot: &Snapshot) -> Vec<(u64, u64)> {
    let is_lru_dict: Vec<bool> = snapshot
        .types
        .iter()
        .map(|of_type| LRU_DICT.contains(&of_type.key().as_str()))
        .collect();
    let objects = snapshot
        .objects
        .address
        .iter()
        .zip(&snapshot.objects.type_id);
    objects
        .filter(|(_, of_type)| is_lru_dict[of_type.0 as usize])
        .map(|(&address, of_type)| (address, snapshot.types[of_type.0 as usize].address))
        .collect()
}
