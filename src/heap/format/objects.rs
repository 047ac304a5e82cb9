//! `objects.parquet`: one row an object, ascending by address; the row's number is the id.

use std::io::Write;

use parquet::data_type::{Int32Type, Int64Type};
use parquet::file::reader::ChunkReader;

use super::FormatError;
use super::meta::FileFacts;
use super::part::SnapshotPart;
use super::read_table::TableReader;
use super::write_table::write_table;
use crate::snapshot::{ObjId, Objects, Snapshot, StrId, TypeId};

pub(super) fn write<W: Write + Send>(
    snapshot: &Snapshot,
    writer: W,
) -> Result<FileFacts, FormatError> {
    let objects = &snapshot.objects;
    let part = SnapshotPart::Objects;
    write_table(part, objects.len(), writer, |columns, rows| {
        let unless = |none| move |&value: &u32| Some(value).filter(|&value| value != none);
        columns.u32s(rows.clone().map(|row| row as u32))?;
        columns.u64s(objects.address[rows.clone()].iter().copied())?;
        columns.u32s(objects.type_id[rows.clone()].iter().map(|id| id.0))?;
        columns.u64s(objects.size_bytes[rows.clone()].iter().copied())?;
        let counts = &objects.reference_count[rows.clone()];
        columns.some_u32s(counts.iter().map(unless(Objects::NEVER_FREED)))?;
        let places = &objects.birth_place[rows.clone()];
        columns.some_u32s(places.iter().map(unless(Objects::UNTRACKED)))?;
        let key_texts = &snapshot.key_texts;
        let first = key_texts.partition_point(|(key, _)| (key.0 as usize) < rows.start);
        let mut key_texts = key_texts[first..].iter().peekable();
        columns.some_u32s(rows.map(|row| {
            let (_, text) = key_texts.next_if(|(key, _)| key.0 as usize == row)?;
            Some(text.0)
        }))
    })
}

/// Reads the objects and the texts of keys; types and strings are there already.
pub(super) fn read<R: ChunkReader + 'static>(
    table: TableReader<R>,
    snapshot: &mut Snapshot,
) -> Result<(), FormatError> {
    let mut objects = Objects {
        address: table.vec()?,
        type_id: table.vec()?,
        size_bytes: table.vec()?,
        reference_count: table.vec()?,
        birth_place: table.vec()?,
    };
    let (n_types, n_strings) = (snapshot.types.len(), snapshot.strings.len());
    for mut group in table.groups() {
        let mut ids = group.column::<Int32Type>(0)?;
        let mut addresses = group.column::<Int64Type>(1)?;
        let mut types = group.column::<Int32Type>(2)?;
        let mut sizes = group.column::<Int64Type>(3)?;
        let mut counts = group.column::<Int32Type>(4)?;
        let mut places = group.column::<Int32Type>(5)?;
        let mut key_texts = group.column::<Int32Type>(6)?;
        while let Some(batch) = group.next_batch() {
            let bad_row = |at: usize, what| table.bad_row(batch.first_row + at, what);
            for (at, &id) in ids.all(batch)?.iter().enumerate() {
                if id.cast_unsigned() as usize != batch.first_row + at {
                    return Err(bad_row(at, "the id is not the number of the row"));
                }
            }
            for (at, address) in addresses.all(batch)?.iter().enumerate() {
                let address = address.cast_unsigned();
                if objects.address.last().is_some_and(|&last| last >= address) {
                    return Err(bad_row(at, "the address is not above the one before"));
                }
                objects.address.push(address);
            }
            for (at, id) in types.all(batch)?.iter().enumerate() {
                let id = id.cast_unsigned();
                if id as usize >= n_types {
                    return Err(bad_row(at, "there is no such type"));
                }
                objects.type_id.push(TypeId(id));
            }
            let sizes = sizes.all(batch)?.iter();
            objects
                .size_bytes
                .extend(sizes.map(|size| size.cast_unsigned()));
            let counts = counts.some(batch)?;
            objects
                .reference_count
                .extend(counts.map(|count| {
                    count.map_or(Objects::NEVER_FREED, |count| count.cast_unsigned())
                }));
            let places = places.some(batch)?;
            objects.birth_place.extend(
                places.map(|place| place.map_or(Objects::UNTRACKED, |place| place.cast_unsigned())),
            );
            for (at, text) in key_texts.some(batch)?.enumerate() {
                let Some(text) = text.map(|text| text.cast_unsigned()) else {
                    continue;
                };
                if text as usize >= n_strings {
                    return Err(bad_row(at, "there is no such text"));
                }
                let key = ObjId((batch.first_row + at) as u32);
                snapshot.key_texts.push((key, StrId(text)));
            }
        }
    }
    snapshot.objects = objects;
    Ok(())
}
