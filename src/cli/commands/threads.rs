//! `leakhunt threads`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use leakhunt_attach::{GilState, Locals, kernel_threads};

use super::inventory::{self, How, Inventory, Listing, Scene, Taken};
use crate::args::{Common, ThreadsArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::render::threads::{ThreadsDepth, ThreadsView};
use crate::rounds::LookEnd;
use crate::session::{Link, Missing, Session};
use crate::threads::{Look, Source, Thread, from_outside, told};

/// So long a look from outside goes with stacks of the copy.
const STILL_TRUE: Duration = Duration::from_millis(500);
const PROBE: &str = include_str!("../probes/threads.py");

pub(super) fn run(args: &ThreadsArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let threads = LiveThreads {
        args,
        look: None,
        before: BTreeSet::new(),
        ahead: None,
    };
    inventory::run(threads, &args.inventory, common, output)
}

/// Threads, look by look.
struct LiveThreads<'a> {
    args: &'a ThreadsArgs,
    /// The last look, without its threads.
    look: Option<Look>,
    /// The threads that there were before an agent was sent in.
    before: BTreeSet<u32>,
    /// A look from outside before the attach, and when it was: an attach wakes one thread.
    ahead: Option<(Look, Instant)>,
}

impl Inventory for LiveThreads<'_> {
    type Item = Thread;

    fn begin(&mut self, pid: u32) {
        let threads = kernel_threads(pid).unwrap_or_default();
        self.before = threads.iter().map(|thread| thread.native_id).collect();
        if !self.args.outside {
            let look = from_outside(pid, Locals::Leave);
            self.ahead = look.ok().map(|look| (look, Instant::now()));
        }
    }

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<Thread>, LookEnd> {
        let ahead = self
            .ahead
            .take()
            .filter(|(_, at)| at.elapsed() < STILL_TRUE);
        let look = match ahead {
            Some((look, _)) => Some(look),
            None => from_outside(scene.pid, Locals::Leave).ok(),
        };
        let mut look = look.unwrap_or_else(|| Look {
            python: Some(session.python.clone()),
            gil: GilState::Unknown,
            source: Source::Outside,
            threads: Vec::new(),
            n_native: 0,
        });
        let locals = if self.args.locals { "True" } else { "False" };
        let source = format!("LOCALS = {locals}\n{PROBE}");
        let probed = inventory::probed(session, scene, &scene.probe(&[], &source))?;
        let told = told(probed.rows);
        let mut missing = probed.missing;
        missing.extend((0..told.n_unreadable).map(|_| Missing::unreadable()));
        look.add(told);
        Ok(self.taken(look, missing, probed.pause_us))
    }

    fn take_from_outside(&mut self, pid: u32) -> Option<anyhow::Result<Taken<Thread>>> {
        let locals = match self.args.locals {
            true => Locals::Read,
            false => Locals::Leave,
        };
        let look = from_outside(pid, locals).map_err(anyhow::Error::from);
        Some(look.map(|mut look| {
            // An agent that has not got into the interpreter yet is none of the target's.
            look.threads.retain(|thread| !self.is_agent(thread));
            self.taken(look, Vec::new(), 0)
        }))
    }

    fn is_outside(&self) -> bool {
        self.args.outside
    }

    fn key(&self, thread: &Thread) -> u64 {
        // A thread has another number than all others; its ident may come again.
        thread
            .native_id
            .map_or(thread.ident.unwrap_or_default(), u64::from)
    }

    fn group(&self, thread: &Thread) -> String {
        thread.group()
    }

    fn text(&self, thread: &Thread) -> String {
        let places = thread
            .frames
            .iter()
            .map(|frame| format!(" {} {}", frame.function(), frame.file));
        format!(
            "{} {}{}",
            thread.label(),
            thread.group(),
            places.collect::<String>()
        )
    }

    fn render(&self, listing: &Listing<Thread>, how: &How) -> Vec<u8> {
        let Some(look) = &self.look else {
            return Vec::new();
        };
        ThreadsView {
            listing,
            look,
            depth: match (self.args.short, self.args.locals) {
                (true, _) => ThreadsDepth::Table,
                (_, true) => ThreadsDepth::Locals,
                _ => ThreadsDepth::Stacks,
            },
            with_main: self.args.main,
            how,
        }
        .bytes()
    }

    fn nothing(&self, pid: u32) -> Failure {
        let message = format!("process {pid} has no threads that run Python");
        Failure::new(Exit::Nothing, message)
            .with_help("--all shows those of native code, too; is it starting or ending just now?")
    }
}

impl LiveThreads<'_> {
    fn taken(&mut self, mut look: Look, missing: Vec<Missing>, pause_us: u64) -> Taken<Thread> {
        let mut items = std::mem::take(&mut look.threads);
        look.n_native = items.iter().filter(|thread| thread.is_native()).count();
        if !self.args.all {
            items.retain(|thread| !thread.is_native());
        }
        self.look = Some(look);
        Taken {
            items,
            missing,
            pause_us,
        }
    }

    fn is_agent(&self, thread: &Thread) -> bool {
        let is_new = thread
            .native_id
            .is_some_and(|id| !self.before.contains(&id));
        is_new && thread.name.is_none() && thread.frames.is_empty() && !self.args.outside
    }
}
