//! `leakhunt ps`.

use leakhunt_attach::candidates;

use crate::args::Common;
use crate::failure::Exit;
use crate::output::Output;
use crate::procfs::user_name;
use crate::render::ps;

pub(super) fn run(common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let candidates = candidates();
    let rows: Vec<_> = candidates
        .iter()
        .map(|candidate| (candidate, user_name(candidate.uid)))
        .collect();
    if common.json {
        output.result(&ps::json(&rows))?;
    } else if !rows.is_empty() {
        output.result(ps::table_of(&rows, output.width, output.color).as_bytes())?;
    }
    if rows.is_empty() {
        output.note("no CPython process is running");
        return Ok(Exit::Nothing);
    }
    Ok(Exit::Done)
}
