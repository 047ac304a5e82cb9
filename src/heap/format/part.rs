//! The files of a snapshot, and the columns of each.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, Type};
use std::sync::Arc;

/// A file of a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SnapshotPart {
    /// `objects.parquet`.
    Objects,
    /// `references.parquet`.
    References,
    /// `types.parquet`.
    Types,
    /// `strings.parquet`.
    Strings,
    /// `roots.parquet`.
    Roots,
    /// `states.parquet`; snapshots of earlier versions have none.
    States,
    /// `meta.json`.
    Meta,
}

impl SnapshotPart {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Objects,
        Self::References,
        Self::Types,
        Self::Strings,
        Self::Roots,
        Self::States,
        Self::Meta,
    ];

    /// Its name in the folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Objects => "objects.parquet",
            Self::References => "references.parquet",
            Self::Types => "types.parquet",
            Self::Strings => "strings.parquet",
            Self::Roots => "roots.parquet",
            Self::States => "states.parquet",
            Self::Meta => "meta.json",
        }
    }

    /// Its columns, in the language of Parquet schemas; none for `meta.json`.
    pub(super) fn columns(self) -> &'static str {
        match self {
            Self::Objects => {
                "message objects {
                    required int32 id (INTEGER(32,false));
                    required int64 address (INTEGER(64,false));
                    required int32 type (INTEGER(32,false));
                    required int64 size_bytes (INTEGER(64,false));
                    optional int32 reference_count (INTEGER(32,false));
                    optional int32 birth_place (INTEGER(32,false));
                    optional int32 key_text (INTEGER(32,false));
                }"
            }
            Self::References => {
                "message references {
                    required int32 source (INTEGER(32,false));
                    required int32 target (INTEGER(32,false));
                    required binary kind (UTF8);
                    optional int32 name (INTEGER(32,false));
                    optional int32 place (INTEGER(32,false));
                }"
            }
            Self::Types => {
                "message types {
                    required int32 id (INTEGER(32,false));
                    required int64 address (INTEGER(64,false));
                    required binary key (UTF8);
                    required binary module (UTF8);
                    required binary qualname (UTF8);
                    required binary name (UTF8);
                    required int64 basic_size_bytes (INTEGER(64,false));
                    optional int64 base_address (INTEGER(64,false));
                    required boolean is_heap_type;
                    required boolean is_collected;
                    required boolean is_size_estimate;
                    required boolean is_frame;
                    required boolean is_python_class;
                    required boolean is_list;
                    required boolean is_tuple;
                    required boolean is_dict;
                    required boolean is_str;
                    required boolean is_type;
                    required int32 shared_keys (INTEGER(32,false));
                }"
            }
            Self::Strings => {
                "message strings {
                    required int32 id (INTEGER(32,false));
                    required binary text (UTF8);
                }"
            }
            Self::Roots => {
                "message roots {
                    required binary kind (UTF8);
                    required int32 object (INTEGER(32,false));
                    optional int64 thread (INTEGER(64,false));
                    required binary text (UTF8);
                }"
            }
            Self::States => {
                "message states {
                    required int32 object (INTEGER(32,false));
                    required binary state (UTF8);
                    optional int64 max_entries (INTEGER(64,false));
                    optional int32 number (INTEGER(32,false));
                }"
            }
            Self::Meta => "",
        }
    }

    /// Its columns in snapshots of earlier versions, where it had others.
    fn earlier_columns(self) -> Option<&'static str> {
        match self {
            Self::States => Some(
                "message states {
                    required int32 object (INTEGER(32,false));
                    required binary state (UTF8);
                    optional int64 max_entries (INTEGER(64,false));
                }",
            ),
            _ => None,
        }
    }

    /// Columns whose numbers ascend or are near the one before: differences are stored.
    fn near_columns(self) -> &'static [&'static str] {
        match self {
            Self::Objects => &["id", "address", "birth_place", "key_text"],
            Self::References => &["source", "target"],
            Self::Types | Self::Strings => &["id"],
            Self::States => &["object"],
            Self::Roots | Self::Meta => &[],
        }
    }
}

/// The most rows of a page. Bounds how many rows a file of some length can hold.
pub(super) const MAX_PAGE_ROWS: usize = 16 * 1024;

/// The bytes of a page before compression: where the writer begins a new one.
const PAGE_BYTES: usize = 1 << 20;

/// How the columns of a file are stored.
pub(super) fn properties(part: SnapshotPart) -> Arc<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("leakhunt ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(MAX_PAGE_ROWS)
        .set_write_batch_size(1024)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in part.near_columns() {
        let path = ColumnPath::from(*column);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    Arc::new(builder.build())
}

/// The columns of a file, as Parquet has them.
pub(super) fn schema(part: SnapshotPart) -> parquet::errors::Result<Type> {
    parquet::schema::parser::parse_message_type(part.columns())
}

/// The same of earlier versions, where it had others.
pub(super) fn earlier_schema(part: SnapshotPart) -> parquet::errors::Result<Option<Type>> {
    let columns = part.earlier_columns();
    columns
        .map(parquet::schema::parser::parse_message_type)
        .transpose()
}
