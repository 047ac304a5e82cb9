//! `types.parquet`: one row a type; the row's number is the id.

use std::io::Write;

use leakhunt_wire::TypeFlags;
use parquet::data_type::{BoolType, ByteArrayType, Int32Type, Int64Type};
use parquet::file::reader::ChunkReader;

use super::FormatError;
use super::meta::FileFacts;
use super::part::SnapshotPart;
use super::read_table::{TableReader, text};
use super::write_table::write_table;
use crate::snapshot::Type;

/// The bits of [`Type::flags`] in the order of their columns, the first of which is
/// [`FIRST_FLAG_COLUMN`].
const FLAGS: [u32; 10] = [
    TypeFlags::HEAP_TYPE,
    TypeFlags::COLLECTED,
    TypeFlags::ESTIMATE,
    TypeFlags::FRAME,
    TypeFlags::PYTHON,
    TypeFlags::LIST,
    TypeFlags::TUPLE,
    TypeFlags::DICT,
    TypeFlags::STR,
    TypeFlags::TYPE,
];
const FIRST_FLAG_COLUMN: usize = 8;
const SHARED_KEYS_COLUMN: usize = FIRST_FLAG_COLUMN + FLAGS.len();

pub(super) fn write<W: Write + Send>(types: &[Type], writer: W) -> Result<FileFacts, FormatError> {
    write_table(SnapshotPart::Types, types.len(), writer, |columns, rows| {
        let keys: Vec<String> = types[rows.clone()].iter().map(Type::key).collect();
        let types = &types[rows.clone()];
        columns.u32s(rows.map(|row| row as u32))?;
        columns.u64s(types.iter().map(|ty| ty.address))?;
        columns.texts(keys.iter().map(String::as_str))?;
        columns.texts(types.iter().map(|ty| ty.module.as_str()))?;
        columns.texts(types.iter().map(|ty| ty.qualname.as_str()))?;
        columns.texts(types.iter().map(|ty| ty.name.as_str()))?;
        columns.u64s(types.iter().map(|ty| ty.basic_size))?;
        columns.some_u64s(
            types
                .iter()
                .map(|ty| Some(ty.base).filter(|&base| base != 0)),
        )?;
        for flag in FLAGS {
            columns.flags(types.iter().map(|ty| ty.flags & flag != 0))?;
        }
        columns.u32s(types.iter().map(Type::n_shared_keys))
    })
}

pub(super) fn read<R: ChunkReader + 'static>(
    table: TableReader<R>,
) -> Result<Vec<Type>, FormatError> {
    let mut types = Vec::new();
    for mut group in table.groups() {
        let mut ids = group.column::<Int32Type>(0)?;
        let mut addresses = group.column::<Int64Type>(1)?;
        let mut keys = group.column::<ByteArrayType>(2)?;
        let mut modules = group.column::<ByteArrayType>(3)?;
        let mut qualnames = group.column::<ByteArrayType>(4)?;
        let mut names = group.column::<ByteArrayType>(5)?;
        let mut sizes = group.column::<Int64Type>(6)?;
        let mut bases = group.column::<Int64Type>(7)?;
        let mut flags = Vec::new();
        for index in 0..FLAGS.len() {
            flags.push(group.column::<BoolType>(FIRST_FLAG_COLUMN + index)?);
        }
        let mut shared_keys = group.column::<Int32Type>(SHARED_KEYS_COLUMN)?;
        while let Some(batch) = group.next_batch() {
            let (ids, addresses) = (ids.all(batch)?, addresses.all(batch)?);
            let (keys, modules) = (keys.all(batch)?, modules.all(batch)?);
            let (qualnames, names) = (qualnames.all(batch)?, names.all(batch)?);
            let (sizes, bases) = (sizes.all(batch)?, bases.some(batch)?);
            let first = types.len();
            for (at, base) in bases.enumerate() {
                let row = batch.first_row + at;
                if ids[at].cast_unsigned() as usize != row {
                    return Err(table.bad_row(row, "the id is not the number of the row"));
                }
                let text = |bytes| text(SnapshotPart::Types, row, bytes).map(str::to_owned);
                let ty = Type {
                    address: addresses[at].cast_unsigned(),
                    module: text(&modules[at])?,
                    qualname: text(&qualnames[at])?,
                    name: text(&names[at])?,
                    flags: 0,
                    basic_size: sizes[at].cast_unsigned(),
                    base: base.map_or(0, |base| base.cast_unsigned()),
                };
                if ty.key().as_bytes() != keys[at].data() {
                    return Err(table.bad_row(row, "the key is not of the names"));
                }
                types.push(ty);
            }
            for (column, flag) in flags.iter_mut().zip(FLAGS) {
                for (ty, &is_set) in types[first..].iter_mut().zip(column.all(batch)?) {
                    ty.flags |= if is_set { flag } else { 0 };
                }
            }
            let shared_keys = shared_keys.all(batch)?;
            for (at, (ty, &n_keys)) in types[first..].iter_mut().zip(shared_keys).enumerate() {
                let n_keys = n_keys.cast_unsigned();
                if n_keys > TypeFlags::SHARED_KEYS >> TypeFlags::SHARED_KEYS_SHIFT {
                    let row = batch.first_row + at;
                    return Err(table.bad_row(row, "no instances share so many keys"));
                }
                ty.flags |= n_keys << TypeFlags::SHARED_KEYS_SHIFT;
            }
        }
    }
    Ok(types)
}
