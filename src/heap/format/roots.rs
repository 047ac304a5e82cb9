//! `roots.parquet`: what keeps objects alive from outside of the heap.

use std::io::Write;

use parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use parquet::file::reader::ChunkReader;

use super::FormatError;
use super::meta::FileFacts;
use super::part::SnapshotPart;
use super::read_table::{TableReader, text};
use super::write_table::write_table;
use crate::snapshot::{ObjId, Root, RootKind, Snapshot};

const KINDS: [RootKind; 5] = [
    RootKind::Modules,
    RootKind::Builtins,
    RootKind::Frame,
    RootKind::Interpreter,
    RootKind::Thread,
];

fn word(kind: RootKind) -> &'static str {
    match kind {
        RootKind::Modules => "modules",
        RootKind::Builtins => "builtins",
        RootKind::Frame => "frame",
        RootKind::Interpreter => "interpreter",
        RootKind::Thread => "thread",
    }
}

pub(super) fn write<W: Write + Send>(roots: &[Root], writer: W) -> Result<FileFacts, FormatError> {
    write_table(SnapshotPart::Roots, roots.len(), writer, |columns, rows| {
        let roots = &roots[rows];
        columns.words(roots.iter().map(|root| word(root.kind)))?;
        columns.u32s(roots.iter().map(|root| root.object.0))?;
        let threads = roots.iter().map(|root| root.thread);
        columns.some_u64s(threads.map(|thread| Some(thread).filter(|&id| id != 0)))?;
        columns.texts(roots.iter().map(|root| root.text.as_str()))
    })
}

/// Reads the roots; the objects are there already.
pub(super) fn read<R: ChunkReader + 'static>(
    table: TableReader<R>,
    snapshot: &mut Snapshot,
) -> Result<(), FormatError> {
    for mut group in table.groups() {
        let mut kinds = group.column::<ByteArrayType>(0)?;
        let mut objects = group.column::<Int32Type>(1)?;
        let mut threads = group.column::<Int64Type>(2)?;
        let mut texts = group.column::<ByteArrayType>(3)?;
        while let Some(batch) = group.next_batch() {
            let (kinds, objects) = (kinds.all(batch)?, objects.all(batch)?);
            let (threads, texts) = (threads.some(batch)?, texts.all(batch)?);
            for (at, thread) in threads.enumerate() {
                let row = batch.first_row + at;
                let kind = KINDS
                    .into_iter()
                    .find(|&kind| word(kind).as_bytes() == kinds[at].data())
                    .ok_or_else(|| table.bad_row(row, "there is no such kind of root"))?;
                let object = ObjId(objects[at].cast_unsigned());
                if object.0 as usize >= snapshot.n_objects() {
                    return Err(table.bad_row(row, "there is no such object"));
                }
                snapshot.roots.push(Root {
                    kind,
                    object,
                    thread: thread.map_or(0, |id| id.cast_unsigned()),
                    text: text(SnapshotPart::Roots, row, &texts[at])?.to_owned(),
                });
            }
        }
    }
    Ok(())
}
