//! `strings.parquet`: names, each once; the row's number is the id.

use std::io::Write;

use parquet::data_type::{ByteArrayType, Int32Type};
use parquet::file::reader::ChunkReader;

use super::FormatError;
use super::meta::FileFacts;
use super::part::SnapshotPart;
use super::read_table::{TableReader, text};
use super::write_table::write_table;
use crate::snapshot::{StrId, Strings};

pub(super) fn write<W: Write + Send>(
    strings: &Strings,
    writer: W,
) -> Result<FileFacts, FormatError> {
    let part = SnapshotPart::Strings;
    write_table(part, strings.len(), writer, |columns, rows| {
        columns.u32s(rows.clone().map(|row| row as u32))?;
        columns.texts(rows.map(|row| strings.get(StrId(row as u32))))
    })
}

pub(super) fn read<R: ChunkReader + 'static>(
    table: TableReader<R>,
) -> Result<Strings, FormatError> {
    let mut strings = Strings::default();
    for mut group in table.groups() {
        let mut ids = group.column::<Int32Type>(0)?;
        let mut texts = group.column::<ByteArrayType>(1)?;
        while let Some(batch) = group.next_batch() {
            let rows = ids.all(batch)?.iter().zip(texts.all(batch)?);
            for (row, (&id, bytes)) in (batch.first_row..).zip(rows) {
                if id.cast_unsigned() as usize != row {
                    return Err(table.bad_row(row, "the id is not the number of the row"));
                }
                let added = strings.add(text(SnapshotPart::Strings, row, bytes)?);
                if added.0 as usize != row {
                    return Err(table.bad_row(row, "the text is there twice"));
                }
            }
        }
    }
    Ok(strings)
}
