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
const PLAIN: [ObjectState; 7] = [
    ObjectState::Created,
    ObjectState::Running,
    ObjectState::Finished,
    ObjectState::Pending,
    ObjectState::Cancelled,
    ObjectState::Open,
    ObjectState::Closed,
];

fn word(state: ObjectState) -> &'static str {
    match state {
        ObjectState::Created => "created",
        ObjectState::Suspended(_) => "suspended",
        ObjectState::Running => "running",
        ObjectState::Finished => "finished",
        ObjectState::Pending => "pending",
        ObjectState::Cancelled => "cancelled",
        ObjectState::Open => "open",
        ObjectState::Closed => "closed",
        ObjectState::Bounded(_) => "bounded",
        ObjectState::Defaults(_) => "defaults",
    }
}

fn max_entries(state: ObjectState) -> Option<u64> {
    match state {
        ObjectState::Bounded(most) => Some(most),
        _ => None,
    }
}

fn number(state: ObjectState) -> Option<u32> {
    match state {
        ObjectState::Suspended(line) => (line > 0).then_some(line),
        ObjectState::Defaults(n_positional) => Some(n_positional),
        _ => None,
    }
}

fn state(found: &[u8], max_entries: Option<u64>, number: Option<u32>) -> Option<ObjectState> {
    match (found, max_entries, number) {
        (b"bounded", Some(most), None) => Some(ObjectState::Bounded(most)),
        (b"suspended", None, line) => Some(ObjectState::Suspended(line.unwrap_or(0))),
        (b"defaults", None, Some(n_positional)) => Some(ObjectState::Defaults(n_positional)),
        (found, None, None) => PLAIN
            .into_iter()
            .find(|&state| word(state).as_bytes() == found),
        _ => None,
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
            columns.some_u64s(states.iter().map(|&(_, state)| max_entries(state)))?;
            columns.some_u32s(states.iter().map(|&(_, state)| number(state)))
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
        let mut numbers = match table.is_of_earlier_version() {
            true => None,
            false => Some(group.column::<Int32Type>(3)?),
        };
        while let Some(batch) = group.next_batch() {
            let (objects, words) = (objects.all(batch)?, words.all(batch)?);
            let mut numbers = match &mut numbers {
                Some(numbers) => Some(numbers.some(batch)?),
                None => None,
            };
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
                let bound = bound.map(|most| most.cast_unsigned());
                let number = numbers.as_mut().and_then(Iterator::next).flatten();
                let number = number.map(|number| number.cast_unsigned());
                let state = state(words[at].data(), bound, number)
                    .ok_or_else(|| bad_row("there is no such state"))?;
                snapshot.states.push((object, state));
            }
        }
    }
    Ok(())
}
