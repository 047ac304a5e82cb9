//! `leakhunt scheduled`.

use super::inventory::{self, Held, Holders, How, Inventory, Listing, Scene, Taken, holders};
use crate::args::{Common, InventoryFormat, ScheduledArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::render::numbers::counted;
use crate::render::scheduled::{ScheduledView, scheduled};
use crate::rounds::LookEnd;
use crate::session::{Link, Session};
use crate::timers::{EventLoop, Handle, schedules};

const SOURCE: &str = include_str!("../probes/scheduled.py");
const TYPES: [&str; 4] = [
    "asyncio.events.AbstractEventLoop",
    "asyncio.events.Handle",
    "uvloop.loop.Handle",
    "uvloop.loop.TimerHandle",
];

pub(super) fn run(args: &ScheduledArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let inventory = Scheduled {
        is_grouped: args.group,
        has_paths: args.paths,
        is_ha: args.inventory.format(common) == InventoryFormat::Ha,
        has_asyncio: false,
        loops: Vec::new(),
    };
    inventory::run(inventory, &args.inventory, common, output)
}

struct Scheduled {
    is_grouped: bool,
    has_paths: bool,
    is_ha: bool,
    /// At the last look.
    has_asyncio: bool,
    loops: Vec<EventLoop>,
}

impl Inventory for Scheduled {
    type Item = Handle;

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<Handle>, LookEnd> {
        let source = match self.is_ha {
            true => format!("{SOURCE}\nHA_LINES = True\n"),
            false => SOURCE.to_owned(),
        };
        let probed = inventory::probed(session, scene, &scene.probe(&TYPES, &source))?;
        let mut pause_us = probed.pause_us;
        let mut found = schedules(&probed.rows);
        if self.has_paths && !found.handles.is_empty() {
            let graph = holders(session, scene)?;
            pause_us = pause_us.max(graph.snapshot.capture.pause_us);
            for handle in &mut found.handles {
                handle.held = held(&graph, handle);
            }
        }
        if self.is_ha && found.loops.iter().any(|of| of.is_uvloop) {
            scene.output.warn(
                "Home Assistant's format is not available for uvloop: its loops have no list of \
                 timers in Python",
            );
        }
        self.has_asyncio = found.has_asyncio;
        self.loops = found.loops;
        Ok(Taken {
            items: found.handles,
            missing: probed.missing,
            pause_us,
        })
    }

    fn key(&self, handle: &Handle) -> u64 {
        // An address is used again soon, by a timer that is due at another time.
        handle.address ^ handle.when.map_or(0, f64::to_bits)
    }

    fn group(&self, handle: &Handle) -> String {
        handle.group()
    }

    fn text(&self, handle: &Handle) -> String {
        let or_nothing = |text: &Option<String>| text.clone().unwrap_or_default();
        let place = handle.place_text().unwrap_or_default();
        let task = handle
            .waiter
            .as_ref()
            .map(|waiter| or_nothing(&waiter.task));
        format!(
            "{} {} {} {place} {}",
            handle.group(),
            or_nothing(&handle.bound_type),
            task.unwrap_or_default(),
            handle.state.key()
        )
    }

    fn render(&self, listing: &Listing<Handle>, how: &How) -> Vec<u8> {
        let view = ScheduledView {
            loops: &self.loops,
            is_grouped: self.is_grouped,
            has_paths: self.has_paths,
        };
        scheduled(listing, &view, how)
    }

    fn nothing(&self, pid: u32) -> Failure {
        let failure = |message: String| Failure::new(Exit::Nothing, message);
        match (self.has_asyncio, self.loops.len()) {
            (false, _) => failure(format!("process {pid} has not imported asyncio")).with_help(
                "timers of threads (threading.Timer) are seen by `leakhunt dump --type Timer`",
            ),
            (true, 0) => failure(format!("process {pid} has asyncio, and no event loop now")),
            (true, n) => failure(format!(
                "nothing is scheduled on the {} of process {pid}",
                counted(n as u64, "event loop")
            )),
        }
    }
}

/// Who holds what a handle is for: the task that waits, else the object whose method it calls, else
/// the handle itself.
fn held(graph: &Holders, handle: &Handle) -> Option<Held> {
    let task = handle.waiter.as_ref().map(|waiter| waiter.task_address);
    let bound = handle.bound_address;
    let objects = [task, bound, Some(handle.address)].into_iter().flatten();
    let mut known = objects.filter_map(|address| graph.snapshot.objects.at(address));
    known.next().map(|object| graph.of(object))
}
