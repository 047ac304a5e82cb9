//! `leakhunt suspects`.

use std::path::Path;

use leakhunt_heap::{Analysed, Dominators, Paths, Snapshot, suspects, suspects_of_growth};

use crate::args::{Common, SuspectsArgs};
use crate::failure::Exit;
use crate::heap_file::{read_references, shown_name};
use crate::output::Output;
use crate::render::suspects::SuspectsView;

pub(super) fn run(args: &SuspectsArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let heap = Heap::read(&args.file, output)?;
    let before = args.baseline.as_deref();
    let before = before.map(|file| Heap::read(file, output)).transpose()?;
    let found = match &before {
        Some(before) => {
            warn_of_order(&heap.snapshot, &before.snapshot, output);
            suspects_of_growth(heap.analysed(), before.analysed())
        }
        None => suspects(heap.analysed()),
    };
    let baseline = args.baseline.as_deref().map(shown_name);
    let view = SuspectsView {
        name: &shown_name(&args.file),
        baseline: baseline.as_deref(),
        snapshot: &heap.snapshot,
    };
    output.result(&match common.json {
        true => view.json(&found),
        false => view.text(&found).into_bytes(),
    })?;
    Ok(Exit::Done)
}

/// A snapshot and what is known of it.
struct Heap {
    snapshot: Box<Snapshot>,
    tree: Dominators,
    paths: Paths,
}

impl Heap {
    fn read(file: &Path, output: &Output) -> anyhow::Result<Self> {
        let snapshot = read_references(file, "suspects", output)?;
        Ok(Self {
            tree: Dominators::of(&snapshot),
            paths: Paths::find(&snapshot),
            snapshot,
        })
    }

    fn analysed(&self) -> Analysed<'_> {
        Analysed {
            snapshot: &self.snapshot,
            tree: &self.tree,
            paths: &self.paths,
        }
    }
}

fn warn_of_order(now: &Snapshot, before: &Snapshot, output: &Output) {
    let (now, before) = (&now.capture, &before.capture);
    if now.taken_at_us < before.taken_at_us {
        output
            .warn("the baseline is the later of the two snapshots; are they the wrong way round?");
    }
    if now.pid != before.pid {
        output.note(format_args!(
            "the snapshots are of two processes, {} and {}; what is held the same way is compared",
            before.pid, now.pid
        ));
    }
}
