//! `leakhunt show`.

use std::num::NonZeroI64;

use anyhow::bail;
use leakhunt_heap::KindTable;
use leakhunt_heap::classify::By;

use crate::args::{Common, ShowArgs};
use crate::difference::{Difference, Side, by_type, counted, kind_header};
use crate::failure::Exit;
use crate::heap_file::{HeapFile, read_heap_file, shown_name};
use crate::output::Output;
use crate::render::rows::RowView;
use crate::render::show::{ShowView, Shown};

pub(super) fn run(args: &ShowArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let name = shown_name(&args.file);
    let file = read_heap_file(&args.file, output)?;
    let view = ShowView {
        name: &name,
        json: common.json,
        rows: RowView::new(&args.rows, output),
    };
    check_options(&file, args.rows.by.as_ref(), args.snapshot.is_some(), &name)?;
    let bytes = match &file {
        HeapFile::Tables(tables) => {
            let shown = match args.snapshot {
                Some(number) => vec![table_at(tables, number, &name)?],
                None => (1..).zip(tables).collect(),
            };
            view.show(&Shown::Tables {
                tables: shown,
                n_tables: tables.len() as u64,
            })
        }
        HeapFile::Snapshot(snapshot) => {
            let by = args.rows.by.clone().unwrap_or_else(by_type);
            let (table, rows) = counted(snapshot, &by);
            view.show(&Shown::Snapshot {
                snapshot,
                table: &table,
                rows: &rows,
            })
        }
        HeapFile::Growth(run) => {
            let (first, last) = (&run.first, &run.last);
            let difference = Difference::new(
                "growth",
                Side::of_look(&name, first),
                Side::of_look(&name, last),
                &[],
            )?;
            view.show(&Shown::Growth {
                difference: &difference,
                n_looks: run.n_looks,
            })
        }
    };
    output.result(&bytes)?;
    Ok(Exit::Done)
}

/// Refuses options that the file has nothing for.
pub(super) fn check_options(
    file: &HeapFile,
    by: Option<&By>,
    has_table_number: bool,
    name: &str,
) -> anyhow::Result<()> {
    let sort = file.sort();
    if has_table_number && !matches!(file, HeapFile::Tables(_)) {
        bail!("--snapshot is for .hpy files with several tables; {name} is {sort}");
    }
    let Some(by) = by else { return Ok(()) };
    match file {
        HeapFile::Snapshot(_) => {}
        HeapFile::Growth(_) if *by == by_type() => {}
        HeapFile::Growth(_) => bail!("--by {by}: {name} is {sort}, which counts by type alone"),
        HeapFile::Tables(tables) => {
            let header = kind_header(by);
            if let Some(other) = tables.iter().find(|table| table.kind_header != header) {
                bail!(
                    "--by {by}: {name} is {sort}, which counts by `{}` and cannot be counted anew; \
                     --by is for snapshots (NAME.leakhunt)",
                    other.kind_header
                );
            }
        }
    }
    Ok(())
}

/// The table of this number, from 1 or from the end.
pub(super) fn table_at<'t>(
    tables: &'t [KindTable],
    number: NonZeroI64,
    name: &str,
) -> anyhow::Result<(u64, &'t KindTable)> {
    let n_tables = tables.len() as u64;
    let number = match u64::try_from(number.get()) {
        Ok(from_start) => Some(from_start),
        Err(_) => (n_tables + 1)
            .checked_sub(number.get().unsigned_abs())
            .filter(|&number| number > 0),
    };
    let table = number.and_then(|number| {
        let index = usize::try_from(number - 1).ok()?;
        Some((number, tables.get(index)?))
    });
    match table {
        Some(found) => Ok(found),
        None if n_tables == 1 => bail!("--snapshot: {name} holds one table"),
        None => bail!("--snapshot: {name} holds {n_tables} tables"),
    }
}
