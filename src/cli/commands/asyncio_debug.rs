//! `leakhunt asyncio-debug`.

use super::inventory::{self, How, Inventory, Listing, Scene, Taken};
use crate::args::{AsyncioDebugAction, AsyncioDebugArgs, Common, InventoryFormat};
use crate::debug_mode::{Answer, DebugMode, LoopMode, ProcessMode, Wanted};
use crate::debug_record::RecordFile;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::procfs::start_ticks;
use crate::render::asyncio_debug::{DebugView, asyncio_debug};
use crate::render::numbers::counted;
use crate::rounds::LookEnd;
use crate::session::{Link, Session};

const SOURCE: &str = include_str!("../probes/asyncio_debug_status.py");
const TYPES: [&str; 1] = ["asyncio.events.AbstractEventLoop"];

pub(super) fn run(
    args: &AsyncioDebugArgs,
    common: &Common,
    output: &Output,
) -> anyhow::Result<Exit> {
    check(args)?;
    let inventory = Modes {
        action: args.action,
        slow: args.slow.map(|slow| slow.as_secs_f64()),
        process: ProcessMode::default(),
    };
    inventory::run(inventory, &args.inventory, common, output)
}

/// Refuses what has no meaning together.
fn check(args: &AsyncioDebugArgs) -> Result<(), Failure> {
    let usage = |message: &str| Err(Failure::new(Exit::Usage, message));
    let inventory = &args.inventory;
    let is_status = args.action == AsyncioDebugAction::Status;
    if args.slow.is_some() && args.action != AsyncioDebugAction::On {
        return usage("--slow goes with `asyncio-debug on`");
    }
    if !is_status && (inventory.interval.is_some() || inventory.r#match.is_some()) {
        return usage(
            "--interval and --match go with `asyncio-debug status`; on and off are for all loops",
        );
    }
    if is_status && inventory.format == InventoryFormat::Ha {
        return usage(
            "Home Assistant logs when debug mode is set: --format ha goes with on and off",
        );
    }
    Ok(())
}

struct Modes {
    action: AsyncioDebugAction,
    slow: Option<f64>,
    /// At the last look.
    process: ProcessMode,
}

impl Inventory for Modes {
    type Item = LoopMode;

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<LoopMode>, LookEnd> {
        let mut probed = inventory::probed(session, scene, &scene.probe(&TYPES, SOURCE))?;
        let mut mode = DebugMode::of(&probed.rows);
        if self.action != AsyncioDebugAction::Status && mode.open_loops().next().is_some() {
            let file = record_file(scene.pid)?;
            let wanted = self.wanted(&mode, &file, scene)?;
            let answer = set(session, &wanted)?;
            probed = inventory::probed(session, scene, &scene.probe(&TYPES, SOURCE))?;
            mode = DebugMode::of(&probed.rows);
            answer.add_to(&mut mode, &wanted);
            tell(&mode, &answer, scene.output);
            let is_restored = mode.loops.iter().all(|one| one.obstacle.is_none());
            if self.action == AsyncioDebugAction::Off && is_restored && !answer.is_locked {
                file.remove().map_err(LookEnd::ForGood)?;
            }
        }
        self.process = mode.process;
        Ok(Taken {
            items: mode.loops,
            missing: probed.missing,
            pause_us: probed.pause_us,
        })
    }

    fn key(&self, one: &LoopMode) -> u64 {
        one.address
    }

    fn group(&self, one: &LoopMode) -> String {
        one.type_name.clone()
    }

    fn text(&self, one: &LoopMode) -> String {
        let thread = one.thread_name.as_deref().unwrap_or_default();
        format!("{} {thread}", one.type_name)
    }

    fn render(&self, listing: &Listing<LoopMode>, how: &How) -> Vec<u8> {
        let view = DebugView {
            action: self.action,
            process: &self.process,
        };
        asyncio_debug(listing, &view, how)
    }

    fn nothing(&self, pid: u32) -> Failure {
        let message = match self.process.has_asyncio {
            true => format!("process {pid} has asyncio, and no event loop now"),
            false => format!("process {pid} has not imported asyncio"),
        };
        Failure::new(Exit::Nothing, message)
    }
}

impl Modes {
    /// What to set; before it is set, `on` writes down what is.
    fn wanted(
        &self,
        mode: &DebugMode,
        file: &RecordFile,
        scene: &Scene<'_>,
    ) -> Result<Wanted, LookEnd> {
        let (output, max_pause) = (scene.output, scene.args.target.max_pause);
        let record = file.read().map_err(LookEnd::ForGood)?;
        if self.action == AsyncioDebugAction::On {
            let record = record.unwrap_or_default().with(mode);
            file.write(&record).map_err(LookEnd::ForGood)?;
            output.detail(
                1,
                format_args!("what was before is in {}", file.path().display()),
            );
            return Ok(Wanted::on(mode, self.slow, max_pause));
        }
        let Some(record) = record else {
            output.note(
                "leakhunt has not switched debug mode on here, so what was before is not known: it \
                 is switched off, and the level of the root logger is left",
            );
            return Ok(Wanted::off(mode, None, max_pause));
        };
        let n_others = mode
            .open_loops()
            .filter(|one| record.of(one).is_none())
            .count();
        if n_others > 0 {
            output.note(format_args!(
                "{} made since debug mode was switched on; that is left as it is",
                match n_others {
                    1 => "1 event loop was".to_owned(),
                    n => format!("{} were", counted(n as u64, "event loop")),
                }
            ));
        }
        let wanted = Wanted::off(mode, Some(&record), max_pause);
        if record.root_level.is_some() && wanted.root_level.is_none() {
            output.note("the level of the root logger was set by others since then, and is left");
        }
        Ok(wanted)
    }
}

fn record_file(pid: u32) -> Result<RecordFile, LookEnd> {
    let start = start_ticks(pid).ok_or_else(|| {
        let message = format!("/proc/{pid}/stat does not tell when the process started");
        LookEnd::ForGood(Failure::new(Exit::NoAttach, message).into())
    })?;
    Ok(RecordFile::of(pid, start))
}

/// Sets it in the target.
fn set<L: Link>(session: &mut Session<L>, wanted: &Wanted) -> Result<Answer, LookEnd> {
    let text = session.run(&wanted.source())?;
    Answer::parse(&text).ok_or_else(|| {
        let message = "the target did not say what it set";
        let failure = Failure::new(Exit::NoAttach, message)
            .with_help("`leakhunt asyncio-debug status` tells how it is now");
        LookEnd::ForGood(failure.into())
    })
}

/// What did not go as it was wanted.
fn tell(mode: &DebugMode, answer: &Answer, output: &Output) {
    for one in &mode.loops {
        if let Some(obstacle) = &one.obstacle {
            output.warn(format_args!(
                "the loop {} at {:#x} is as it was: {obstacle}",
                one.type_name, one.address
            ));
        }
    }
    if answer.is_locked {
        output.warn(
            "the level of the root logger is as it was: a thread holds the lock of `logging` and \
             does not give it back",
        );
    }
}
