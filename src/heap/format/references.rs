//! `references.parquet`: what each object refers to, object after object, in its order.

use std::io::Write;
use std::ops::Range;

use parquet::data_type::{ByteArrayType, Int32Type};
use parquet::file::reader::ChunkReader;

use super::FormatError;
use super::meta::FileFacts;
use super::part::SnapshotPart;
use super::read_table::TableReader;
use super::write_table::write_table;
use crate::snapshot::{Label, LabelName, ObjId, References, Snapshot, StrId};

pub(super) fn write<W: Write + Send>(
    references: &References,
    writer: W,
) -> Result<FileFacts, FormatError> {
    let part = SnapshotPart::References;
    write_table(part, references.target.len(), writer, |columns, rows| {
        let labels = || {
            references.label[rows.clone()]
                .iter()
                .map(|label| label.name())
        };
        columns.u32s(sources(references, rows.clone()))?;
        columns.u32s(references.target[rows.clone()].iter().map(|id| id.0))?;
        columns.words(labels().map(word))?;
        columns.some_u32s(labels().map(text_of))?;
        columns.some_u32s(labels().map(place_of))
    })
}

/// The object that each of some references is of.
fn sources(references: &References, rows: Range<usize>) -> impl Iterator<Item = u32> {
    let first = &references.first;
    let mut source = first.partition_point(|&first| first <= rows.start as u64);
    rows.map(move |row| {
        while first.get(source).is_some_and(|&end| end <= row as u64) {
            source += 1;
        }
        source.saturating_sub(1) as u32
    })
}

fn word(name: LabelName) -> &'static str {
    match name {
        LabelName::None => "unknown",
        LabelName::Type => "type",
        LabelName::Attribute(_) => "attribute",
        LabelName::Local(_) => "local",
        LabelName::Internal(_) => "internal",
        LabelName::Item(_) => "item",
        LabelName::Member(_) => "member",
        LabelName::Key(_) => "key",
        LabelName::Value(_) => "value",
    }
}

fn text_of(name: LabelName) -> Option<u32> {
    match name {
        LabelName::Attribute(text) | LabelName::Local(text) | LabelName::Internal(text) => {
            Some(text.0)
        }
        _ => None,
    }
}

fn place_of(name: LabelName) -> Option<u32> {
    match name {
        LabelName::Item(place)
        | LabelName::Member(place)
        | LabelName::Key(place)
        | LabelName::Value(place) => Some(place),
        _ => None,
    }
}

/// `None` for what no label is.
fn label(word: &[u8], text: Option<u32>, place: Option<u32>) -> Option<LabelName> {
    let name = match (text, place) {
        (None, None) => match word {
            b"unknown" => LabelName::None,
            b"type" => LabelName::Type,
            _ => return None,
        },
        (Some(text), None) => match word {
            b"attribute" => LabelName::Attribute(StrId(text)),
            b"local" => LabelName::Local(StrId(text)),
            b"internal" => LabelName::Internal(StrId(text)),
            _ => return None,
        },
        (None, Some(place)) => match word {
            b"item" => LabelName::Item(place),
            b"member" => LabelName::Member(place),
            b"key" => LabelName::Key(place),
            b"value" => LabelName::Value(place),
            _ => return None,
        },
        (Some(_), Some(_)) => return None,
    };
    (text.or(place).unwrap_or(0) <= Label::MAX_NUMBER).then_some(name)
}

/// Reads the references; objects and strings are there already.
pub(super) fn read<R: ChunkReader + 'static>(
    table: TableReader<R>,
    snapshot: &mut Snapshot,
) -> Result<(), FormatError> {
    let (n_objects, n_strings) = (snapshot.n_objects(), snapshot.strings.len());
    let mut references = References {
        first: Vec::with_capacity(n_objects + 1),
        target: table.vec()?,
        label: table.vec()?,
    };
    references.first.push(0);
    for mut group in table.groups() {
        let mut sources = group.column::<Int32Type>(0)?;
        let mut targets = group.column::<Int32Type>(1)?;
        let mut words = group.column::<ByteArrayType>(2)?;
        let mut texts = group.column::<Int32Type>(3)?;
        let mut places = group.column::<Int32Type>(4)?;
        while let Some(batch) = group.next_batch() {
            let bad_row = |at: usize, what| table.bad_row(batch.first_row + at, what);
            for (at, source) in sources.all(batch)?.iter().enumerate() {
                let source = source.cast_unsigned() as usize;
                if source >= n_objects {
                    return Err(bad_row(at, "there is no such source"));
                }
                if source + 1 < references.first.len() {
                    return Err(bad_row(at, "the source is below the one before"));
                }
                let row = (batch.first_row + at) as u64;
                references.first.resize(source + 1, row);
            }
            for (at, target) in targets.all(batch)?.iter().enumerate() {
                let target = target.cast_unsigned();
                if target as usize >= n_objects {
                    return Err(bad_row(at, "there is no such target"));
                }
                references.target.push(ObjId(target));
            }
            let labels = words.all(batch)?.iter().zip(texts.some(batch)?);
            for (at, ((word, text), place)) in labels.zip(places.some(batch)?).enumerate() {
                let text = text.map(|text| text.cast_unsigned());
                if text.is_some_and(|text| text as usize >= n_strings) {
                    return Err(bad_row(at, "there is no such name"));
                }
                let place = place.map(|place| place.cast_unsigned());
                let name = label(word.data(), text, place)
                    .ok_or_else(|| bad_row(at, "there is no such kind of reference"))?;
                references.label.push(Label::new(name));
            }
        }
    }
    let n_references = references.target.len() as u64;
    references.first.resize(n_objects + 1, n_references);
    snapshot.references = references;
    Ok(())
}
