//! Writes columns, a row group at a time.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::FormatError;
use super::meta::FileFacts;
use super::part::{SnapshotPart, properties, schema};

/// Rows of a row group: what is in memory at once.
const GROUP_ROWS: usize = 1 << 20;

/// Values that are handed on at once.
const BATCH_ROWS: usize = 16 * 1024;

/// Writes a file of `n_rows`. `put_rows` puts a range of rows, column after column.
pub(super) fn write_table<W: Write + Send>(
    part: SnapshotPart,
    n_rows: usize,
    writer: W,
    put_rows: impl FnMut(&mut Columns<'_, W>, Range<usize>) -> Result<(), ParquetError>,
) -> Result<FileFacts, FormatError> {
    let counted =
        try_write(part, n_rows, writer, put_rows).map_err(|error| error_of(part, error))?;
    Ok(FileFacts {
        rows: n_rows as u64,
        bytes: counted.n_bytes,
        crc32: counted.crc32.finalize(),
    })
}

fn try_write<W: Write + Send>(
    part: SnapshotPart,
    n_rows: usize,
    writer: W,
    mut put_rows: impl FnMut(&mut Columns<'_, W>, Range<usize>) -> Result<(), ParquetError>,
) -> Result<Counted<W>, ParquetError> {
    let counted = Counted {
        writer,
        n_bytes: 0,
        crc32: crc32fast::Hasher::new(),
    };
    let mut file = SerializedFileWriter::new(counted, Arc::new(schema(part)?), properties(part))?;
    let mut first = 0;
    while first < n_rows {
        let end = n_rows.min(first + GROUP_ROWS);
        let mut columns = Columns {
            group: file.next_row_group()?,
        };
        put_rows(&mut columns, first..end)?;
        columns.group.close()?;
        first = end;
    }
    let mut counted = file.into_inner()?;
    counted.flush()?;
    Ok(counted)
}

fn error_of(part: SnapshotPart, error: ParquetError) -> FormatError {
    let file = part.file_name();
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(source) => FormatError::Write {
                file,
                source: *source,
            },
            Err(cause) => FormatError::Encode {
                file,
                source: ParquetError::External(cause),
            },
        },
        source => FormatError::Encode { file, source },
    }
}

/// The columns of a row group, put in the order of the schema.
pub(super) struct Columns<'f, W: Write + Send> {
    group: SerializedRowGroupWriter<'f, Counted<W>>,
}

impl<W: Write + Send> Columns<'_, W> {
    pub(super) fn u32s(&mut self, values: impl Iterator<Item = u32>) -> Result<(), ParquetError> {
        self.put::<Int32Type>(values.map(|value| Some(value.cast_signed())))
    }

    /// `None` is stored as null.
    pub(super) fn some_u32s(
        &mut self,
        values: impl Iterator<Item = Option<u32>>,
    ) -> Result<(), ParquetError> {
        self.put::<Int32Type>(values.map(|value| value.map(u32::cast_signed)))
    }

    pub(super) fn u64s(&mut self, values: impl Iterator<Item = u64>) -> Result<(), ParquetError> {
        self.put::<Int64Type>(values.map(|value| Some(value.cast_signed())))
    }

    /// `None` is stored as null.
    pub(super) fn some_u64s(
        &mut self,
        values: impl Iterator<Item = Option<u64>>,
    ) -> Result<(), ParquetError> {
        self.put::<Int64Type>(values.map(|value| value.map(u64::cast_signed)))
    }

    pub(super) fn flags(&mut self, values: impl Iterator<Item = bool>) -> Result<(), ParquetError> {
        self.put::<BoolType>(values.map(Some))
    }

    pub(super) fn texts<'t>(
        &mut self,
        values: impl Iterator<Item = &'t str>,
    ) -> Result<(), ParquetError> {
        self.put::<ByteArrayType>(values.map(|text| Some(ByteArray::from(text))))
    }

    /// Texts of which there are few.
    pub(super) fn words(
        &mut self,
        values: impl Iterator<Item = &'static str>,
    ) -> Result<(), ParquetError> {
        self.put::<ByteArrayType>(
            values.map(|word| Some(ByteArray::from(Bytes::from_static(word.as_bytes())))),
        )
    }

    fn put<D: DataType>(
        &mut self,
        mut values: impl Iterator<Item = Option<D::T>>,
    ) -> Result<(), ParquetError> {
        let missing = || ParquetError::General("more columns than the schema has".to_owned());
        let mut column = self.group.next_column()?.ok_or_else(missing)?;
        let writer = column.typed::<D>();
        let is_optional = writer.get_descriptor().max_def_level() > 0;
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let mut levels = Vec::with_capacity(BATCH_ROWS);
        loop {
            batch.clear();
            levels.clear();
            for value in values.by_ref().take(BATCH_ROWS) {
                levels.push(i16::from(value.is_some()));
                batch.extend(value);
            }
            if levels.is_empty() {
                return column.close();
            }
            writer.write_batch(&batch, is_optional.then_some(&levels[..]), None)?;
        }
    }
}

/// Counts what is written.
struct Counted<W> {
    writer: W,
    n_bytes: u64,
    crc32: crc32fast::Hasher,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.writer.write(bytes)?;
        self.n_bytes += n_written as u64;
        self.crc32.update(&bytes[..n_written]);
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
