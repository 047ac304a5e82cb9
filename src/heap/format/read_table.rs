//! Reads columns, a batch of rows at a time, after the file was checked against `meta.json`.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};

use super::FormatError;
use super::meta::FileFacts;
use super::part::{SnapshotPart, earlier_schema, schema};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 16 * 1024;

/// More rows for a byte of file than there ever are: a page of [`super::part::MAX_PAGE_ROWS`] rows
/// takes over 30 bytes in each of at least four columns, whatever compression makes of it.
const MAX_ROWS_PER_BYTE: u64 = 128;

/// The same for files of few columns.
const MIN_PLAUSIBLE_ROWS: u64 = 1 << 16;

/// A file that is what `meta.json` says.
pub(super) struct TableReader<R> {
    part: SnapshotPart,
    n_rows: usize,
    is_of_earlier_version: bool,
    metadata: ParquetMetaData,
    chunks: Arc<SmallPages<R>>,
}

impl<R: ChunkReader + 'static> TableReader<R> {
    /// Checks length, checksum, columns and number of rows.
    pub(super) fn open(
        part: SnapshotPart,
        chunks: R,
        facts: FileFacts,
    ) -> Result<Self, FormatError> {
        let file = part.file_name();
        if chunks.len() != facts.bytes {
            return Err(FormatError::Length {
                file,
                found: chunks.len(),
                expected: facts.bytes,
            });
        }
        let crc32 = crc32(&chunks).map_err(|source| FormatError::Open { file, source })?;
        if crc32 != facts.crc32 {
            return Err(FormatError::Checksum {
                file,
                found: crc32,
                expected: facts.crc32,
            });
        }
        let most_rows = facts.bytes.saturating_mul(MAX_ROWS_PER_BYTE);
        let n_rows = usize::try_from(facts.rows)
            .ok()
            .filter(|_| facts.rows <= most_rows.max(MIN_PLAUSIBLE_ROWS))
            .filter(|_| part == SnapshotPart::References || facts.rows < u64::from(u32::MAX))
            .ok_or(FormatError::TooManyRows {
                file,
                rows: facts.rows,
                bytes: facts.bytes,
            })?;
        let parquet = |source| FormatError::Parquet { file, source };
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&chunks)
            .map_err(parquet)?;
        let found = metadata.file_metadata().schema();
        let earlier = earlier_schema(part).map_err(parquet)?;
        let is_of_earlier_version = earlier.is_some_and(|earlier| *found == earlier);
        if !is_of_earlier_version && *found != schema(part).map_err(parquet)? {
            return Err(FormatError::Columns { file });
        }
        let found = metadata.row_groups().iter().try_fold(0_u64, |sum, group| {
            sum.checked_add(u64::try_from(group.num_rows()).ok()?)
        });
        if found != Some(facts.rows) {
            return Err(FormatError::Rows {
                file,
                found: found.unwrap_or(u64::MAX),
                expected: facts.rows,
            });
        }
        Ok(Self {
            part,
            n_rows,
            is_of_earlier_version,
            metadata,
            chunks: Arc::new(SmallPages(chunks)),
        })
    }

    /// Whether it has the columns of an earlier version.
    pub(super) fn is_of_earlier_version(&self) -> bool {
        self.is_of_earlier_version
    }

    /// Room for as many values as there are rows.
    pub(super) fn vec<T>(&self) -> Result<Vec<T>, FormatError> {
        let mut values = Vec::new();
        values
            .try_reserve_exact(self.n_rows + 1)
            .map_err(|_| FormatError::OutOfMemory {
                file: self.part.file_name(),
                rows: self.n_rows as u64,
            })?;
        Ok(values)
    }

    /// Hands out the row groups in turn, with the number of each one's first row.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'_, R>> {
        let mut next_row = 0;
        (0..self.metadata.num_row_groups()).map(move |index| {
            let n_rows = usize::try_from(self.metadata.row_group(index).num_rows()).unwrap_or(0);
            let first_row = next_row;
            next_row += n_rows;
            Group {
                table: self,
                index,
                next_row: first_row,
                end_row: next_row,
            }
        })
    }

    pub(super) fn bad_row(&self, row: usize, what: &'static str) -> FormatError {
        bad_row(self.part, row, what)
    }
}

pub(super) fn bad_row(part: SnapshotPart, row: usize, what: &'static str) -> FormatError {
    FormatError::Row {
        file: part.file_name(),
        row: row as u64,
        what,
    }
}

fn crc32(chunks: &impl ChunkReader) -> io::Result<u32> {
    let mut reader = chunks.get_read(0).map_err(io::Error::other)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(n_read) => hasher.update(&block[..n_read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A row group. Its columns are read side by side.
pub(super) struct Group<'t, R> {
    table: &'t TableReader<R>,
    index: usize,
    next_row: usize,
    end_row: usize,
}

impl<R: ChunkReader + 'static> Group<'_, R> {
    /// A column by its place in the schema, whose type is `D`.
    pub(super) fn column<D: DataType>(&self, index: usize) -> Result<Column<D>, FormatError> {
        let open = || {
            let group = self.table.metadata.row_group(self.index);
            if index >= group.num_columns() {
                return Err(ParquetError::General("a column is missing".to_owned()));
            }
            let chunk = group.column(index);
            let n_rows = self.end_row - self.next_row;
            let chunks = Arc::clone(&self.table.chunks);
            let pages = SerializedPageReader::new(chunks, chunk, n_rows, None)?;
            Ok(Column {
                part: self.table.part,
                reader: ColumnReaderImpl::new(chunk.column_descr_ptr(), Box::new(pages)),
                values: Vec::new(),
                levels: Vec::new(),
            })
        };
        open().map_err(|source| FormatError::Parquet {
            file: self.table.part.file_name(),
            source,
        })
    }

    /// The next rows to read from each column, until there are none.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        let n_rows = BATCH_ROWS.min(self.end_row - self.next_row);
        let first_row = self.next_row;
        self.next_row += n_rows;
        (n_rows > 0).then_some(Batch { first_row, n_rows })
    }
}

/// Rows that are next in each column of a group.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    pub(super) first_row: usize,
    n_rows: usize,
}

/// A column of a row group.
pub(super) struct Column<D: DataType> {
    part: SnapshotPart,
    reader: ColumnReaderImpl<D>,
    values: Vec<D::T>,
    levels: Vec<i16>,
}

impl<D: DataType> Column<D> {
    /// The next values of a column without nulls.
    pub(super) fn all(&mut self, batch: Batch) -> Result<&[D::T], FormatError> {
        self.read(batch)?;
        Ok(&self.values)
    }

    /// The next values of a column with nulls.
    pub(super) fn some(
        &mut self,
        batch: Batch,
    ) -> Result<impl Iterator<Item = Option<&D::T>>, FormatError> {
        self.read(batch)?;
        let mut values = self.values.iter();
        Ok(self
            .levels
            .iter()
            .map(move |&level| if level > 0 { values.next() } else { None }))
    }

    fn read(&mut self, batch: Batch) -> Result<(), FormatError> {
        self.values.clear();
        self.levels.clear();
        let levels = Some(&mut self.levels);
        let (n_rows, ..) = self
            .reader
            .read_records(batch.n_rows, levels, None, &mut self.values)
            .map_err(|source| FormatError::Parquet {
                file: self.part.file_name(),
                source,
            })?;
        if n_rows != batch.n_rows {
            return Err(bad_row(
                self.part,
                batch.first_row + n_rows,
                "a column ends before it",
            ));
        }
        Ok(())
    }
}

/// The characters of a cell.
pub(super) fn text(part: SnapshotPart, row: usize, bytes: &ByteArray) -> Result<&str, FormatError> {
    std::str::from_utf8(bytes.data()).map_err(|_| bad_row(part, row, "a text is no UTF-8"))
}

/// Refuses pages that claim to be longer than any is, before there is memory made for them.
struct SmallPages<R>(R);

/// The most bytes of a page: a megabyte and the last batch of texts.
const MAX_PAGE_BYTES: u64 = 64 << 20;

impl<R: ChunkReader> Length for SmallPages<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for SmallPages<R> {
    type T = R::T;

    /// Is called at the head of each page.
    fn get_read(&self, start: u64) -> Result<R::T, ParquetError> {
        let n_bytes = self.0.len().saturating_sub(start).min(16);
        let head = self.0.get_bytes(start, usize::try_from(n_bytes)?)?;
        match uncompressed_bytes(&head) {
            Some(n_bytes) if n_bytes <= MAX_PAGE_BYTES => self.0.get_read(start),
            _ => Err(ParquetError::General(
                "a page is longer than leakhunt writes".to_owned(),
            )),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.get_bytes(start, length)
    }
}

/// The second field of a page's header, in Thrift's compact encoding: kind of page, bytes before
/// compression, bytes after.
fn uncompressed_bytes(head: &[u8]) -> Option<u64> {
    const NEXT_FIELD_I32: u8 = 0x15;
    let rest = head.strip_prefix(&[NEXT_FIELD_I32])?;
    let (_kind, rest) = rest.split_first().filter(|(kind, _)| **kind < 0x80)?;
    let rest = rest.strip_prefix(&[NEXT_FIELD_I32])?;
    let mut zigzag = 0;
    for (index, &byte) in rest.iter().take(5).enumerate() {
        zigzag |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            // A negative one is odd.
            return (zigzag & 1 == 0).then_some(zigzag >> 1);
        }
    }
    None
}
