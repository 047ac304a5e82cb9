//! `states.parquet`: what objects are in the midst of.

use std::io::Write;

use parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use parquet::file::reader::ChunkReader;

use super::FormatError;
use super::meta::FileFacts;
use super::part::SnapshotPart;
use super::read_table::TableReader;
use super::write_table::write_table;
use crate::snapshot::{ObjId, ObjectState, Snapshot};

/// States without a number.
const PLAIN: [ObjectState; 8] = [
    ObjectState::Created,
    ObjectState::Suspended,
    ObjectState::Running,
    ObjectState::Finished,
    ObjectState::Pending,
    ObjectState::Cancelled,
    ObjectState::Open,
    ObjectState::Closed,
];
const BOUNDED: &str = "bounded";

fn word(state: ObjectState) -> &'static str {
    match state {
        ObjectState::Created => "created",
        ObjectState::Suspended => "suspended",
        ObjectState::Running => "running",
        ObjectState::Finished => "finished",
        ObjectState::Pending => "pending",
        ObjectState::Cancelled => "cancelled",
        ObjectState::Open => "open",
        ObjectState::Closed => "closed",
        ObjectState::Bounded(_) => BOUNDED,
    }
}

fn max_entries(state: ObjectState) -> Option<u64> {
    match state {
        ObjectState::Bounded(most) => Some(most),
        _ => None,
    }
}

fn state(word_read: &[u8], max_entries: Option<u64>) -> Option<ObjectState> {
    match max_entries {
        Some(most) => (word_read == BOUNDED.as_bytes()).then_some(ObjectState::Bounded(most)),
        None => PLAIN
            .into_iter()
            .find(|&state| word(state).as_bytes() == word_read),
    }
}

pub(super) fn write<W: Write + Send>(
    states: &[(ObjId, ObjectState)],
    writer: W,
) -> Result<FileFacts, FormatError> {
    write_table(
        SnapshotPart::States,
        states.len(),
        writer,
        |columns, rows| {
            let states = &states[rows];
            columns.u32s(states.iter().map(|&(object, _)| object.0))?;
            columns.words(states.iter().map(|&(_, state)| word(state)))?;
            columns.some_u64s(states.iter().map(|&(_, state)| max_entries(state)))
        },
    )
}

/// Reads the states; the objects are there already.
pub(super) fn read<R: ChunkReader + 'static>(
    table: TableReader<R>,
    snapshot: &mut Snapshot,
) -> Result<(), FormatError> {
    for mut group in table.groups() {
        let mut objects = group.column::<Int32Type>(0)?;
        let mut words = group.column::<ByteArrayType>(1)?;
        let mut bounds = group.column::<Int64Type>(2)?;
        while let Some(batch) = group.next_batch() {
            let (objects, words) = (objects.all(batch)?, words.all(batch)?);
            for (at, bound) in bounds.some(batch)?.enumerate() {
                let bad_row = |what| table.bad_row(batch.first_row + at, what);
                let object = ObjId(objects[at].cast_unsigned());
                if object.0 as usize >= snapshot.n_objects() {
                    return Err(bad_row("there is no such object"));
                }
                if snapshot
                    .states
                    .last()
                    .is_some_and(|&(last, _)| last >= object)
                {
                    return Err(bad_row("objects do not ascend"));
                }
                let state = state(words[at].data(), bound.map(|most| most.cast_unsigned()))
                    .ok_or_else(|| bad_row("there is no such state"))?;
                snapshot.states.push((object, state));
            }
        }
    }
    Ok(())
}
