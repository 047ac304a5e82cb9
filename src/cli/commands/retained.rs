//! `leakhunt retained`.

use leakhunt_heap::{Dominators, Paths, RetainedBy, retained};

use crate::args::{Common, RetainedArgs, RetainedKindArg};
use crate::failure::Exit;
use crate::heap_file::{read_references, shown_name};
use crate::output::Output;
use crate::render::retained::RetainedView;

pub(super) fn run(args: &RetainedArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let snapshot = read_references(&args.file, "retained", output)?;
    let tree = Dominators::of(&snapshot);
    let by = match args.by {
        RetainedKindArg::Type => RetainedBy::Type,
        RetainedKindArg::Module => RetainedBy::Module,
        RetainedKindArg::Package => RetainedBy::Package,
    };
    let retained = retained(&snapshot, &tree, by);
    drop(tree);
    let view = RetainedView {
        name: &shown_name(&args.file),
        by,
        limit: (args.limit > 0).then_some(args.limit),
        matches: args.r#match.as_ref(),
        color: output.color,
        width: output.width,
    };
    let paths = Paths::find(&snapshot);
    output.result(&match common.json {
        true => view.json(&snapshot, &paths, &retained),
        false => view.text(&snapshot, &paths, &retained).into_bytes(),
    })?;
    Ok(Exit::Done)
}
