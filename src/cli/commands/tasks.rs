//! `leakhunt tasks`.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use super::inventory::{self, Held, How, Inventory, Listing, Scene, Taken};
use crate::args::{Common, InventoryFormat, TaskShape, TasksArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::render::tasks::TasksView;
use crate::rounds::LookEnd;
use crate::session::{Link, Missing, Session};
use crate::tasks::{Item, Look, Loop, group_of};

const PROBE: &str = include_str!("../probes/tasks.py");
/// Types whose objects the probe describes; subclasses are found with them.
const TYPES: [&str; 5] = [
    "_asyncio.Task",
    "asyncio.tasks.Task",
    "asyncio.events.AbstractEventLoop",
    "uvloop.loop.Loop",
    "coroutine",
];

pub(super) fn run(args: &TasksArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let tasks = Tasks {
        shape: args.shape(),
        is_quick: args.quick,
        with_reprs: args.inventory.format(common) == InventoryFormat::Ha,
        has_asyncio: false,
        loops: Vec::new(),
        seen: HashMap::new(),
    };
    inventory::run(tasks, &args.inventory, common, output)
}

/// Tasks, look by look.
struct Tasks {
    shape: TaskShape,
    is_quick: bool,
    with_reprs: bool,
    /// Of the last look.
    has_asyncio: bool,
    loops: Vec<Loop>,
    /// When each of the last look was seen first.
    seen: HashMap<u64, Instant>,
}

impl Inventory for Tasks {
    type Item = Item;

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<Item>, LookEnd> {
        let source = match self.with_reprs {
            true => format!("REPRS = True\n{PROBE}"),
            false => PROBE.to_owned(),
        };
        let mut probed = inventory::probed(session, scene, &scene.probe(&TYPES, &source))?;
        let look = Look::from_rows(std::mem::take(&mut probed.rows));
        let mut missing = probed.missing;
        missing.extend((0..look.n_unreadable).map(|_| Missing::unreadable()));
        self.has_asyncio = look.has_asyncio;
        self.loops = look.loops;
        let tasks = look
            .tasks
            .into_iter()
            .map(|task| Item::Task(Box::new(task)));
        let coroutines = look.coroutines.into_iter();
        let coroutines = coroutines.map(|one| Item::Unawaited(Box::new(one)));
        let mut items: Vec<Item> = tasks.chain(coroutines).collect();
        if !self.is_quick && !self.with_reprs {
            find_holders(&mut items, session, scene)?;
        }
        self.date(&mut items);
        Ok(Taken {
            items,
            missing,
            pause_us: probed.pause_us,
        })
    }

    fn key(&self, item: &Item) -> u64 {
        key(item)
    }

    fn group(&self, item: &Item) -> String {
        group_of(item)
    }

    fn text(&self, item: &Item) -> String {
        match item {
            Item::Task(task) => {
                let chain = task
                    .chain
                    .iter()
                    .map(|place| format!(" {}", place.full_name()));
                format!(
                    "{} {}{} {}",
                    task.label(),
                    group_of(item),
                    chain.collect::<String>(),
                    holder(task.held.as_ref())
                )
            }
            Item::Unawaited(one) => {
                format!("{} {}", group_of(item), holder(one.held.as_ref()))
            }
        }
    }

    fn render(&self, listing: &Listing<Item>, how: &How) -> Vec<u8> {
        TasksView {
            listing,
            loops: &self.loops,
            shape: self.shape,
            how,
        }
        .bytes()
    }

    fn nothing(&self, pid: u32) -> Failure {
        if !self.has_asyncio {
            let message = format!("process {pid} has no tasks: it has not loaded asyncio");
            return Failure::new(Exit::Nothing, message).with_help(
                "`leakhunt tasks` knows the tasks of asyncio and what builds on it; for threads there \
                 is `leakhunt threads`",
            );
        }
        let n_loops = self.loops.len();
        let message = format!(
            "process {pid} has no asyncio tasks and no coroutines that wait to be awaited; it has {}",
            crate::render::numbers::counted(n_loops as u64, "event loop")
        );
        Failure::new(Exit::Nothing, message)
            .with_help("--interval 5 looks again and again, and shows tasks as they come")
    }
}

impl Tasks {
    /// Says of each since when it has been seen.
    fn date(&mut self, items: &mut [Item]) {
        let now = Instant::now();
        let mut seen = HashMap::with_capacity(items.len());
        for item in items {
            let key = key(item);
            let first = self.seen.get(&key).copied().unwrap_or(now);
            seen.insert(key, first);
            let seconds = now.duration_since(first).as_secs_f64();
            match item {
                Item::Task(task) => task.seen_seconds = seconds,
                Item::Unawaited(one) => one.seen_seconds = seconds,
            }
        }
        self.seen = seen;
    }
}

/// A new task may have the address of one that is gone; then its coroutine or its name is another.
fn key(item: &Item) -> u64 {
    let mut hasher = DefaultHasher::new();
    match item {
        Item::Task(task) => (task.address, task.coroutine, &task.name).hash(&mut hasher),
        Item::Unawaited(one) => (one.address, &one.place.name).hash(&mut hasher),
    }
    hasher.finish()
}

/// Who keeps what is finished, forgotten or stranded; nothing is asked where there is none.
fn find_holders<L: Link>(
    items: &mut [Item],
    session: &mut Session<L>,
    scene: &Scene<'_>,
) -> Result<(), LookEnd> {
    let is_wanted = |item: &Item| match item {
        Item::Task(task) => task.state.is_final() || task.loop_is_closed,
        Item::Unawaited(_) => true,
    };
    if !items.iter().any(is_wanted) {
        return Ok(());
    }
    let holders = inventory::holders(session, scene)?;
    for item in items.iter_mut().filter(|item| is_wanted(item)) {
        match item {
            Item::Task(task) => {
                let object = holders.object(task.address, &task.type_name);
                task.held = object.map(|object| holders.of(object));
            }
            Item::Unawaited(one) => {
                let object = holders.object(one.address, "coroutine");
                one.held = object.map(|object| holders.of(object));
            }
        }
    }
    Ok(())
}

fn holder(held: Option<&Held>) -> &str {
    held.map_or("", |held| &held.holder)
}
