//! `leakhunt paths`.

use leakhunt_heap::{Branch, ObjId, Paths, Snapshot, held, merge_paths};

use crate::args::{Common, PathsArgs};
use crate::failure::{Exit, Failure};
use crate::heap_file::{read_references, shown_name};
use crate::output::Output;
use crate::render::numbers::counted;
use crate::render::paths::{PathsShown, PathsView};
use crate::subject::Subject;

/// Of so many objects or fewer, the whole path to each is shown.
const FEW: u64 = 10;
/// Of more, the whole path to one of each of so many branches.
const N_EXAMPLES: usize = 3;
/// The most objects whose paths are compared to tell the place that many of them share.
const N_COMPARED: usize = 200;

pub(super) fn run(args: &PathsArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let file = shown_name(&args.file);
    let snapshot = read_references(&args.file, "paths", output)?;
    let subject = Subject::find(&args.subject, &snapshot, &file)?;
    let paths = Paths::find(&snapshot);
    let merged = merge_paths(&snapshot, &paths, subject.objects.iter().copied());
    let shown = match merged.n_objects {
        0..=FEW => subject.objects.clone(),
        _ => examples(&merged.root),
    };
    // The place that many objects share holds each of them.
    let alike = alike(&snapshot, &subject);
    let step = alike.len().div_ceil(N_COMPARED).max(1);
    let others = alike.into_iter().step_by(step);
    let others = others.filter(|object| !shown.contains(object));
    let compared: Vec<ObjId> = shown.iter().copied().chain(others).collect();
    let mut whole = held(&snapshot, &paths, &compared);
    whole.retain(|one| shown.contains(&one.object));
    let view = PathsView {
        json: common.json,
        limit: args.limit,
        depth: args.depth,
        color: output.color,
        width: output.width,
    };
    output.result(&view.show(&PathsShown {
        file: &file,
        snapshot: &snapshot,
        subject: &subject,
        merged: &merged,
        whole,
    }))?;
    if merged.n_objects > 0 {
        return Ok(Exit::Done);
    }
    let message = format!(
        "no path leads to {}: nothing alive refers to what would be freed by the next collection",
        counted(merged.n_garbage, "object")
    );
    Err(Failure::new(Exit::Nothing, message)
        .with_help("`leakhunt snapshot --collect` runs the collector before it looks")
        .into())
}

/// The objects asked for; of a single one all of its type.
fn alike(snapshot: &Snapshot, subject: &Subject) -> Vec<ObjId> {
    let type_of = |object: ObjId| snapshot.objects.type_id[object.0 as usize];
    match (subject.address, &*subject.objects) {
        (Some(_), &[object]) => {
            let is_alike = |other: &ObjId| type_of(*other) == type_of(object);
            snapshot.ids().filter(is_alike).collect()
        }
        _ => subject.objects.clone(),
    }
}

/// One object of each of the heaviest branches that objects are at, the heaviest first.
fn examples(roots: &[Branch]) -> Vec<ObjId> {
    let mut ends = Vec::new();
    let mut to_come: Vec<&Branch> = roots.iter().collect();
    while let Some(branch) = to_come.pop() {
        ends.extend(
            branch
                .place
                .filter(|_| branch.n_ending > 0)
                .map(|place| (branch.n_ending, place)),
        );
        to_come.extend(&branch.children);
    }
    ends.sort_unstable_by_key(|&(n_ending, place)| (std::cmp::Reverse(n_ending), place));
    ends.truncate(N_EXAMPLES);
    ends.into_iter().map(|(_, place)| place).collect()
}
