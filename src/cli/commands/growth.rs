//! `leakhunt growth`.

mod follow;

use std::path::Path;

use leakhunt_heap::{Growth, GrowthRecord};

use crate::args::{Common, GrowthArgs, GrowthFormat};
use crate::door::Door;
use crate::failure::Exit;
use crate::growth_log::GrowthLog;
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::render::growth::{Frame, GrowthView};
use crate::replay::{Next, Replay};
use crate::target::Target;
use follow::Follow;

pub(super) fn run(args: &GrowthArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let format = if common.json {
        GrowthFormat::Json
    } else {
        args.format
    };
    let mut view = GrowthView::new(format, args.limit, args.r#match.clone());
    view.color = output.color;
    view.width = output.width;
    match &args.replay {
        Some(path) => replay(path, args, view, output),
        None => live(args, view, output),
    }
}

fn live(args: &GrowthArgs, view: GrowthView, output: &Output) -> anyhow::Result<Exit> {
    let log = match &args.log {
        Some(path) => Some(GrowthLog::open(path, output)?),
        None => None,
    };
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let result = watch(args, view, log, &target, &interrupts, output);
    target.conclude(result, &interrupts, output)
}

fn watch(
    args: &GrowthArgs,
    view: GrowthView,
    log: Option<GrowthLog>,
    target: &Target,
    interrupts: &Interrupts,
    output: &Output,
) -> anyhow::Result<Exit> {
    let mut door = Door::new(target, &args.target, interrupts, output)?;
    Follow {
        args,
        pid: door.pid,
        view,
        log,
        growth: Growth::default(),
        interrupts,
        output,
    }
    .run(&mut door)
}

/// Shows a log as if it happened now.
fn replay(
    path: &Path,
    args: &GrowthArgs,
    mut view: GrowthView,
    output: &Output,
) -> anyhow::Result<Exit> {
    let mut log = Replay::open(path)?;
    let mut growth = Growth::default();
    let mut run: Option<(u32, u64)> = None;
    let mut n_shown = 0;
    while args.count.is_none_or(|count| n_shown < count) {
        let record = match log.next()? {
            Next::Record(record) => *record,
            Next::Torn { line_no } => {
                output.warn(format_args!(
                    "{}: line {line_no} is torn; skipped",
                    path.display()
                ));
                break;
            }
            Next::End => break,
        };
        // A log may hold several runs, each with its own baseline.
        let is_next = run.is_some_and(|(pid, look)| record.pid == pid && record.look > look);
        if run.is_some() && !is_next {
            summarise(&growth, &view, output)?;
            growth = Growth::default();
            view.restart();
        }
        run = Some((record.pid, record.look));
        output.result(&view.frame(&replayed(&mut growth, record)))?;
        n_shown += 1;
    }
    summarise(&growth, &view, output)?;
    Ok(Exit::Done)
}

/// The look of a record with the growth worked out anew; the circumstances are the record's.
fn replayed(growth: &mut Growth, record: GrowthRecord) -> Frame {
    let look = record.to_look();
    let step = growth.observe(&look, record.time_us());
    let types = GrowthRecord::new(record.pid, record.time, &step).types;
    let record = GrowthRecord { types, ..record };
    Frame { look, step, record }
}

fn summarise(growth: &Growth, view: &GrowthView, output: &Output) -> anyhow::Result<()> {
    if let Some(summary) = growth.summary() {
        output.result(&view.summary(&summary))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
