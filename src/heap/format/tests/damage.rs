//! Damaged, foreign and hostile folders: an error that names the file, never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::format::write_table::{Columns, write_table};

/// Changes what `meta.json` says.
fn with_meta(folder: &mut Folder, change: impl FnOnce(&mut serde_json::Value)) {
    let mut meta = serde_json::from_slice(&folder["meta.json"]).unwrap();
    change(&mut meta);
    let text = serde_json::to_vec(&meta).unwrap();
    folder.insert("meta.json", text.into());
}

/// Puts a file into a folder, with the length and checksum in `meta.json` that it has.
fn forge(folder: &mut Folder, file: &'static str, bytes: Vec<u8>) {
    with_meta(folder, |meta| {
        let facts = &mut meta["files"][file];
        facts["bytes"] = bytes.len().into();
        facts["crc32"] = crc32fast::hash(&bytes).into();
    });
    folder.insert(file, bytes.into());
}

const TABLES: [SnapshotPart; 6] = [
    SnapshotPart::Objects,
    SnapshotPart::References,
    SnapshotPart::Types,
    SnapshotPart::Strings,
    SnapshotPart::Roots,
    SnapshotPart::States,
];

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = written(&sample());
    for (&file, bytes) in &whole {
        let mut folder = whole.clone();
        // The last byte of meta.json is a newline.
        for len in 0..bytes.len() - usize::from(file == "meta.json") {
            folder.insert(file, bytes.slice(..len));
            let text = error(&folder);
            assert!(text.starts_with(file), "{file} {len}: {text}");
            assert!(file == "meta.json" || text.contains("cut short"), "{text}");
        }
    }
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let whole = written(&sample());
    for part in TABLES {
        let (file, bytes) = (part.file_name(), &whole[part.file_name()]);
        let mut folder = whole.clone();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 0x10;
            folder.insert(file, changed.into());
            let text = error(&folder);
            assert!(text.starts_with(&format!("{file} is damaged")), "{text}");
        }
    }
}

#[test]
fn files_of_two_snapshots_are_not_mixed() {
    let mut other = sample();
    other.objects.size_bytes[3] += 8;
    let mut folder = written(&sample());
    let objects = written(&other)["objects.parquet"].clone();
    folder.insert("objects.parquet", objects);
    let text = error(&folder);
    assert!(text.contains("of another snapshot"), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    for part in TABLES {
        let mut folder = written(&sample());
        folder.remove(part.file_name());
        let text = error(&folder);
        assert!(text.starts_with(&format!("cannot open {}", part.file_name())));
    }
}

#[test]
fn a_later_version_says_to_update() {
    let mut folder = written(&sample());
    with_meta(&mut folder, |meta| {
        meta["schema"] = "leakhunt.snapshot/2".into();
        meta["files"] = serde_json::Value::Null;
    });
    let text = error(&folder);
    assert!(text.contains("leakhunt.snapshot/2") && text.contains("update"));
}

#[test]
fn a_foreign_folder_is_refused() {
    for schema in [
        "leakhunt.growth/1",
        "leakhunt.snapshot/0",
        "leakhunt.snapshot/x",
        "",
    ] {
        let mut folder = written(&sample());
        with_meta(&mut folder, |meta| meta["schema"] = schema.into());
        let text = error(&folder);
        assert!(text.contains(&format!("but of {schema:?}")), "{text}");
    }
    let mut folder = written(&sample());
    for json in ["", "[]", "{}", "hello", "{\"schema\":1}"] {
        folder.insert("meta.json", json.into());
        assert!(error(&folder).starts_with("meta.json is damaged"));
    }
}

#[test]
fn another_number_of_rows_is_refused() {
    for part in TABLES {
        let file = part.file_name();
        for (rows, expected) in [(1, "rows, but meta.json says 1"), (u64::MAX, "claims")] {
            let mut folder = written(&sample());
            with_meta(&mut folder, |meta| {
                meta["files"][file]["rows"] = rows.into()
            });
            let text = error(&folder);
            assert!(text.starts_with(file) && text.contains(expected), "{text}");
        }
    }
}

#[test]
fn a_file_with_other_columns_is_refused() {
    let mut folder = written(&sample());
    let strings = folder["strings.parquet"].to_vec();
    forge(&mut folder, "objects.parquet", strings);
    assert!(error(&folder).contains("columns are others"));
}

#[test]
fn rows_that_cannot_be_are_named() {
    type Change = fn(&mut Snapshot);
    let cases: [(Change, &str); 9] = [
        (
            |s| s.objects.address[4] = s.objects.address[3],
            "objects.parquet, row 4: the address is not above the one before",
        ),
        (
            |s| s.objects.type_id[2] = TypeId(8),
            "objects.parquet, row 2: there is no such type",
        ),
        (
            |s| s.key_texts[1].1 = StrId(5),
            "objects.parquet, row 7: there is no such text",
        ),
        (
            |s| s.references.target[3] = ObjId(9),
            "references.parquet, row 3: there is no such target",
        ),
        (
            |s| s.references.label[5] = Label::new(LabelName::Local(StrId(5))),
            "references.parquet, row 5: there is no such name",
        ),
        (
            |s| s.roots[2].object = ObjId(9),
            "roots.parquet, row 2: there is no such object",
        ),
        (
            |s| s.states[4].0 = ObjId(9),
            "states.parquet, row 4: there is no such object",
        ),
        (
            |s| s.states[1].0 = s.states[0].0,
            "states.parquet, row 1: objects do not ascend",
        ),
        (
            |s| {
                s.objects.address.truncate(6);
                s.references.target.fill(ObjId(0));
            },
            "references.parquet, row 9: there is no such source",
        ),
    ];
    for (change, expected) in cases {
        let mut snapshot = sample();
        change(&mut snapshot);
        assert_eq!(error_of(&snapshot), expected);
    }
}

/// The sample with one table made anew, of `n_rows`.
fn with_table(
    part: SnapshotPart,
    n_rows: usize,
    put: impl FnOnce(&mut Columns<'_, Shared>) -> parquet::errors::Result<()>,
) -> Folder {
    let file = Shared::default();
    let mut put = Some(put);
    write_table(part, n_rows, file.clone(), |columns, _| {
        put.take().expect("one row group")(columns)
    })
    .unwrap();
    let mut folder = written(&sample());
    with_meta(&mut folder, |meta| {
        meta["files"][part.file_name()]["rows"] = n_rows.into();
    });
    let bytes = file.0.lock().unwrap().clone();
    forge(&mut folder, part.file_name(), bytes);
    folder
}

#[test]
fn texts_are_there_once_and_in_order() {
    let of = |ids: [u32; 2], texts: [&'static str; 2]| {
        error(&with_table(SnapshotPart::Strings, 2, |columns| {
            columns.u32s(ids.into_iter())?;
            columns.texts(texts.into_iter())
        }))
    };
    let id = "strings.parquet, row 1: the id is not the number of the row";
    assert_eq!(of([0, 2], ["a", "b"]), id);
    let twice = "strings.parquet, row 1: the text is there twice";
    assert_eq!(of([0, 1], ["a", "a"]), twice);
}

#[test]
fn references_are_in_the_order_of_objects_and_labelled_as_documented() {
    type Row = (u32, &'static str, Option<u32>, Option<u32>);
    let of = |rows: [Row; 2]| {
        read(&with_table(SnapshotPart::References, 2, |columns| {
            columns.u32s(rows.into_iter().map(|row| row.0))?;
            columns.u32s([0, 0].into_iter())?;
            columns.words(rows.into_iter().map(|row| row.1))?;
            columns.some_u32s(rows.into_iter().map(|row| row.2))?;
            columns.some_u32s(rows.into_iter().map(|row| row.3))
        }))
        .map_err(|error| error.to_string())
    };
    let good = (3, "item", None, Some(0));
    let read = of([good, (8, "type", None, None)]).unwrap();
    assert_eq!(read.references.first, [0, 0, 0, 0, 1, 1, 1, 1, 1, 2]);
    let order = "references.parquet, row 1: the source is below the one before";
    assert_eq!(of([good, (2, "type", None, None)]).unwrap_err(), order);
    let kind = "references.parquet, row 1: there is no such kind of reference";
    for bad in [
        (4, "item", None, None),
        (4, "item", Some(0), None),
        (4, "item", Some(0), Some(0)),
        (4, "item", None, Some(Label::MAX_NUMBER + 1)),
        (4, "type", None, Some(0)),
        (4, "local", None, Some(0)),
        (4, "cell", Some(0), None),
    ] {
        assert_eq!(of([good, bad]).unwrap_err(), kind, "{bad:?}");
    }
}

#[test]
fn a_type_whose_key_is_not_of_its_names_is_refused() {
    let of = |key: &'static str| {
        read(&with_table(SnapshotPart::Types, 8, |columns| {
            columns.u32s(0..8)?;
            columns.u64s(0..8)?;
            for text in [key, "shop", "Entry", "Entry"] {
                columns.texts([text; 8].into_iter())?;
            }
            columns.u64s(0..8)?;
            columns.some_u64s([None; 8].into_iter())?;
            for _ in 0..10 {
                columns.flags([false; 8].into_iter())?;
            }
            columns.u32s([0; 8].into_iter())
        }))
        .map_err(|error| error.to_string())
    };
    assert_eq!(of("shop.Entry").unwrap().types[7].key(), "shop.Entry");
    let expected = "types.parquet, row 0: the key is not of the names";
    assert_eq!(of("shop.Other").unwrap_err(), expected);
}

#[test]
fn a_root_of_an_unknown_kind_is_refused() {
    let folder = with_table(SnapshotPart::Roots, 1, |columns| {
        columns.words(["ghost"].into_iter())?;
        columns.u32s([0].into_iter())?;
        columns.some_u64s([None].into_iter())?;
        columns.texts([""].into_iter())
    });
    let expected = "roots.parquet, row 0: there is no such kind of root";
    assert_eq!(error(&folder), expected);
}

#[test]
fn a_state_that_cannot_be_is_refused() {
    let with = |word: &'static str, bound: Option<u64>, number: Option<u32>| {
        error(&with_table(SnapshotPart::States, 1, |columns| {
            columns.u32s([0].into_iter())?;
            columns.words([word].into_iter())?;
            columns.some_u64s([bound].into_iter())?;
            columns.some_u32s([number].into_iter())
        }))
    };
    let expected = "states.parquet, row 0: there is no such state";
    assert_eq!(with("ghost", None, None), expected);
    assert_eq!(with("bounded", None, None), expected);
    assert_eq!(with("closed", Some(3), None), expected);
    assert_eq!(with("closed", None, Some(3)), expected);
    assert_eq!(with("defaults", None, None), expected);
}

#[test]
fn a_page_that_claims_gigabytes_is_refused_before_there_is_memory_made_for_it() {
    let mut folder = written(&sample());
    let mut bytes = folder["roots.parquet"].to_vec();
    // The first page's head is at 4: kind 2 (a dictionary), then bytes before compression.
    assert_eq!(bytes[4..7], [0x15, 4, 0x15]);
    let (_, after) = bytes[7..].split_first().unwrap();
    let claim = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    bytes = [&bytes[..7], &claim, after].concat();
    forge(&mut folder, "roots.parquet", bytes);
    let error = chain_of(&read(&folder).unwrap_err());
    assert!(
        error.contains("a page is longer than leakhunt writes"),
        "{error}"
    );
}

fn chain_of(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain_of).unwrap_or_default();
    format!("{error}: {source}")
}

/// Bytes that fit their checksum, as somebody makes them who wants to do harm.
#[test]
fn forged_files_never_panic() {
    let whole = written(&sample());
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut n_read, mut n_refused, mut n_impossible) = (0, 0, 0);
    for part in TABLES {
        let file = part.file_name();
        for _ in 0..400 {
            let mut folder = whole.clone();
            let mut bytes = whole[file].to_vec();
            for _ in 0..=random.below(3) {
                mutate(&mut bytes, &mut random);
            }
            forge(&mut folder, file, bytes);
            let result = catch_unwind(AssertUnwindSafe(|| read(&folder)));
            match result.expect("reading must not panic") {
                Ok(_) => n_read += 1,
                Err(FormatError::Impossible { .. }) => n_impossible += 1,
                Err(_) => n_refused += 1,
            }
        }
    }
    // The parquet crate gives up on some, and what hits statistics is not seen.
    assert!(n_impossible > 0 && n_read > 0 && n_refused > 1_000);
}

/// Cuts and changes of `meta.json`.
#[test]
fn forged_meta_never_panics() {
    let whole = written(&sample());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3_000 {
        let mut folder = whole.clone();
        let mut meta = whole["meta.json"].to_vec();
        mutate(&mut meta, &mut random);
        folder.insert("meta.json", meta.into());
        let _ = catch_unwind(AssertUnwindSafe(|| read(&folder))).expect("no panic");
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(4) {
        0 => bytes[at] = random.below(256) as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = [0, 0x7f, 0x80, 0xff][random.below(4)],
        _ => {
            let end = bytes.len().min(at + 1 + random.below(8));
            bytes.drain(at..end);
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// xorshift, so that each run is the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
