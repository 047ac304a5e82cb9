//! Objects counted by kind: what guppy calls a partition, and an `.hpy` file holds.

use std::collections::HashMap;

/// One table: all objects of a set, each in one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindTable {
    /// When it was made, in seconds since 1970.
    pub time_made: f64,
    /// All objects.
    pub n_objects: i64,
    /// All bytes.
    pub size_bytes: i64,
    /// What the objects of an [`KindTableFormat::Id`] table have in common: `<mixed>` or `<str>`.
    pub kind_name: String,
    /// Title of the column of kinds: `Kind (class / dict of class)`.
    pub kind_header: String,
    /// What a row is.
    pub format: KindTableFormat,
    /// In the order of the file.
    pub rows: Vec<KindRow>,
}

/// What a row of a [`KindTable`] is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KindTableFormat {
    /// A kind.
    #[default]
    Set,
    /// An object: each count is 1.
    Id,
    /// A difference of two tables; the totals of the subtrahend.
    Diff {
        /// Its objects.
        n_objects: i64,
        /// Its bytes.
        size_bytes: i64,
    },
}

/// A kind and what there is of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KindRow {
    /// Its name, as guppy writes it.
    pub kind: String,
    /// Objects.
    pub n_objects: i64,
    /// Their bytes.
    pub size_bytes: i64,
}

/// Why there is no difference of two tables.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the kinds of the two tables are not of one sort: `{of_first}` and `{of_second}`; compare tables \
     that were made with the same `--by`"
)]
pub struct KindsDiffer {
    /// Title of the column of kinds of the first.
    pub of_first: String,
    /// Title of the column of kinds of the second.
    pub of_second: String,
}

impl KindTable {
    /// Whether the rows add up to the totals. Not so where a file was cut.
    pub fn is_whole(&self) -> bool {
        let rows = self.rows.iter();
        let (n_objects, size_bytes) = rows.fold((0_i64, 0_i64), |(n_objects, size_bytes), row| {
            (
                n_objects.saturating_add(row.n_objects),
                size_bytes.saturating_add(row.size_bytes),
            )
        });
        (n_objects, size_bytes) == (self.n_objects, self.size_bytes)
    }

    /// What is more in this table than in `other`, kind by kind; as guppy subtracts: the largest
    /// change of bytes first, kinds without a change left out.
    ///
    /// # Errors
    /// When the tables are not of the same sort of kinds.
    pub fn difference(&self, other: &Self, time_made: f64) -> Result<Self, KindsDiffer> {
        if self.kind_header != other.kind_header {
            return Err(KindsDiffer {
                of_first: self.kind_header.clone(),
                of_second: other.kind_header.clone(),
            });
        }
        let mut subtrahend = Sums::default();
        for row in &other.rows {
            subtrahend.add(row);
        }
        let mut difference = Sums::default();
        for row in &self.rows {
            let taken = subtrahend.take(&row.kind);
            let changed = KindRow {
                kind: row.kind.clone(),
                n_objects: row.n_objects.saturating_sub(taken.0),
                size_bytes: row.size_bytes.saturating_sub(taken.1),
            };
            if (changed.n_objects, changed.size_bytes) != (0, 0) {
                difference.add(&changed);
            }
        }
        let mut rows = difference.rows;
        let gone = subtrahend.rows.into_iter().zip(subtrahend.is_taken);
        rows.extend(
            gone.filter(|(_, is_taken)| !is_taken)
                .map(|(row, _)| KindRow {
                    kind: row.kind,
                    n_objects: 0_i64.saturating_sub(row.n_objects),
                    size_bytes: 0_i64.saturating_sub(row.size_bytes),
                }),
        );
        rows.sort_by_key(|row| std::cmp::Reverse(row.size_bytes.unsigned_abs()));
        Ok(Self {
            time_made,
            n_objects: rows
                .iter()
                .fold(0, |sum, row| sum.saturating_add(row.n_objects)),
            size_bytes: rows
                .iter()
                .fold(0, |sum, row| sum.saturating_add(row.size_bytes)),
            kind_name: self.kind_name.clone(),
            kind_header: self.kind_header.clone(),
            format: KindTableFormat::Diff {
                n_objects: other.n_objects,
                size_bytes: other.size_bytes,
            },
            rows,
        })
    }
}

/// Rows by name, in the order of their first appearance.
#[derive(Default)]
struct Sums {
    rows: Vec<KindRow>,
    is_taken: Vec<bool>,
    index: HashMap<String, usize>,
}

impl Sums {
    fn add(&mut self, row: &KindRow) {
        if let Some(&index) = self.index.get(&row.kind) {
            let sum = &mut self.rows[index];
            sum.n_objects = sum.n_objects.saturating_add(row.n_objects);
            sum.size_bytes = sum.size_bytes.saturating_add(row.size_bytes);
        } else {
            self.index.insert(row.kind.clone(), self.rows.len());
            self.rows.push(row.clone());
            self.is_taken.push(false);
        }
    }

    /// Objects and bytes of a kind, the first time that they are asked for; then 0.
    fn take(&mut self, kind: &str) -> (i64, i64) {
        match self.index.remove(kind) {
            Some(index) => {
                self.is_taken[index] = true;
                (self.rows[index].n_objects, self.rows[index].size_bytes)
            }
            None => (0, 0),
        }
    }
}
