//! `leakhunt diff`.

use std::num::NonZeroI64;
use std::path::Path;

use anyhow::bail;
use leakhunt_heap::KindTable;

use super::show::{check_options, table_at};
use crate::args::{Common, DiffArgs, DiffFormat};
use crate::difference::{Difference, Side, by_type, identity_counts};
use crate::failure::{Exit, Failure};
use crate::heap_file::{HeapFile, read_heap_file, shown_name};
use crate::output::Output;
use crate::render::diff::{DiffView, sentence, verdict};
use crate::render::rows::RowView;

/// How much of what is over a limit is told on stderr.
const MAX_TOLD: usize = 20;

pub(super) fn run(args: &DiffArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let difference = match &args.after {
        Some(after) => two_files(args, after, output)?,
        None => one_file(args, output)?,
    };
    let view = DiffView {
        format: if common.json {
            DiffFormat::Json
        } else {
            args.format
        },
        rows: RowView::new(&args.rows, output),
    };
    // Whether anybody reads it or not, the limits decide.
    let written = output.result(&view.show(&difference));
    conclude(&difference, output)?;
    written?;
    Ok(Exit::Done)
}

fn two_files(args: &DiffArgs, after: &Path, output: &Output) -> anyhow::Result<Difference> {
    if args.before == Path::new("-") && after == Path::new("-") {
        bail!("both A and B are `-`: stdin holds one file; write the other to a file first");
    }
    let names = [shown_name(&args.before), shown_name(after)];
    let [one, other] = &names;
    let files = [
        read_heap_file(&args.before, output)?,
        read_heap_file(after, output)?,
    ];
    let [table_of_one, table_of_other] = match args.snapshot[..] {
        [] => [None, None],
        [both] => [Some(both); 2],
        [first, second] => [Some(first), Some(second)],
        _ => bail!("--snapshot: give it once for both files, or twice for A and B"),
    };
    let by = args.rows.by.as_ref();
    check_options(&files[0], by, table_of_one.is_some(), one)?;
    check_options(&files[1], by, table_of_other.is_some(), other)?;
    match &files {
        [HeapFile::Tables(of_one), HeapFile::Tables(of_other)] => Difference::new(
            "hpy",
            side_of(of_one, table_of_one, one, output)?,
            side_of(of_other, table_of_other, other, output)?,
            &args.fail_on,
        ),
        [HeapFile::Snapshot(of_one), HeapFile::Snapshot(of_other)] => {
            let by = args.rows.by.clone().unwrap_or_else(by_type);
            let mut difference = Difference::new(
                "snapshot",
                Side::of_snapshot(one, of_one, &by),
                Side::of_snapshot(other, of_other, &by),
                &args.fail_on,
            )?;
            difference.identity = identity_counts(of_one, of_other);
            Ok(difference)
        }
        [HeapFile::Growth(of_one), HeapFile::Growth(of_other)] => Difference::new(
            "growth",
            Side::of_look(one, &of_one.last),
            Side::of_look(other, &of_other.last),
            &args.fail_on,
        ),
        [a, b] => bail!(
            "{one} is {}, {other} is {}; compare two files of one kind",
            a.sort(),
            b.sort()
        ),
    }
}

/// The first look of a file against its last, or two of its tables.
fn one_file(args: &DiffArgs, output: &Output) -> anyhow::Result<Difference> {
    let name = shown_name(&args.before);
    let file = read_heap_file(&args.before, output)?;
    check_options(
        &file,
        args.rows.by.as_ref(),
        !args.snapshot.is_empty(),
        &name,
    )?;
    match &file {
        HeapFile::Growth(run) if run.n_looks > 1 => Difference::new(
            "growth",
            Side::of_look(&name, &run.first),
            Side::of_look(&name, &run.last),
            &args.fail_on,
        ),
        HeapFile::Tables(tables) if tables.len() > 1 => {
            let n_tables = tables.len() as u64;
            let [first, second] = match args.snapshot[..] {
                [] => [(1, &tables[0]), (n_tables, &tables[tables.len() - 1])],
                [first, second] => [
                    table_at(tables, first, &name)?,
                    table_at(tables, second, &name)?,
                ],
                _ => bail!(
                    "--snapshot: give it twice, as in --snapshot 2,5, to compare two tables of {name}"
                ),
            };
            let side = |(number, table)| Side::of_table(&name, table, (number, n_tables));
            Difference::new("hpy", side(first), side(second), &args.fail_on)
        }
        HeapFile::Growth(_) => {
            bail!("{name} holds one look; name a second file to compare it with")
        }
        HeapFile::Tables(_) => {
            bail!("{name} holds one table; name a second file to compare it with")
        }
        HeapFile::Snapshot(_) => bail!("{name} is one snapshot; name a second to compare it with"),
    }
}

/// The table that is asked for, else the last.
fn side_of(
    tables: &[KindTable],
    number: Option<NonZeroI64>,
    name: &str,
    output: &Output,
) -> anyhow::Result<Side> {
    let n_tables = tables.len() as u64;
    if number.is_none() && n_tables > 1 {
        output.note(format_args!(
            "{name} holds {n_tables} tables; the last is compared, --snapshot names another"
        ));
    }
    let (number, table) = match number {
        Some(number) => table_at(tables, number, name)?,
        // `tables` holds one at least: a file without any is none.
        None => (n_tables, &tables[tables.len() - 1]),
    };
    Ok(Side::of_table(name, table, (number, n_tables)))
}

/// Says what the limits say.
///
/// # Errors
/// When there is more growth than they allow.
fn conclude(difference: &Difference, output: &Output) -> anyhow::Result<()> {
    let gate = &difference.gate;
    for limit in &gate.names_nothing {
        output.warn(format_args!(
            "--fail-on {limit} names nothing in either file; was it renamed, or misspelled?"
        ));
    }
    let Some(verdict) = verdict(difference) else {
        return Ok(());
    };
    if gate.exceeded.is_empty() {
        output.note(verdict);
        return Ok(());
    }
    let mut told: Vec<String> = gate.exceeded.iter().take(MAX_TOLD).map(sentence).collect();
    if gate.exceeded.len() > MAX_TOLD {
        told.push(format!("and {} more", gate.exceeded.len() - MAX_TOLD));
    }
    Err(Failure::new(Exit::OverLimit, verdict)
        .with_help(told.join("\n"))
        .into())
}
