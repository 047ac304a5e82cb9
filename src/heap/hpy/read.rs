//! Tables out of text, from whatever guppy or an editor made of it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::LOADER;
use crate::kinds::{KindRow, KindTable, KindTableFormat};

/// Why a file is no `.hpy` file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HpyError {
    /// Something else than the start of a table.
    #[error(
        "line {line} is not the start of a table, `{LOADER}`, but `{found}`; is this file written \
         by guppy or by `leakhunt snapshot -o F.hpy`?"
    )]
    NoLoader {
        /// Counted from 1.
        line: u64,
        /// The line, cut.
        found: String,
    },
    /// A header without a name or a colon.
    #[error("line {line} is no header such as `.count: 5`, but `{found}`; write the file anew")]
    BadHeader {
        /// Counted from 1.
        line: u64,
        /// The line, cut.
        found: String,
    },
    /// A header that each table has is not there.
    #[error(
        "the table that starts at line {line} has no header `.{header}`; the file is cut or \
         damaged, write it anew"
    )]
    MissingHeader {
        /// Where the table starts, counted from 1.
        line: u64,
        /// Its name.
        header: &'static str,
    },
    /// A number that is none, or one beyond 64 bits.
    #[error("`.{header}` of the table that starts at line {line} is not a number: `{found}`")]
    BadNumber {
        /// Where the table starts, counted from 1.
        line: u64,
        /// The name of the header.
        header: &'static str,
        /// Its value, cut.
        found: String,
    },
    /// A format that guppy does not know.
    #[error(
        "the table that starts at line {line} is of the unknown format `{found}`; known are \
         SetFormat, IdFormat and DiffFormat"
    )]
    UnknownFormat {
        /// Where the table starts, counted from 1.
        line: u64,
        /// Its value, cut.
        found: String,
    },
    /// A row without its numbers.
    #[error(
        "line {line} is no row of numbers and a kind, as in `.r: 5 280 str`, but `{found}`; the \
         file is cut or damaged, write it anew"
    )]
    BadRow {
        /// Counted from 1.
        line: u64,
        /// The line, cut.
        found: String,
    },
}

/// Reads all tables of a file, in its order. Memory: a few times the file's, whatever numbers are in
/// it.
///
/// Read as guppy does: a missing `.end` at the end of the file, fewer rows than `.numrows` says,
/// more rows than that (which are passed over), unknown headers, CR LF. Beyond guppy: kinds with line
/// breaks in their names, blank lines between tables, bytes that are not UTF-8.
///
/// # Errors
/// With the line, when the file is something else or damaged. Nothing at all is an empty file.
pub fn read(bytes: &[u8]) -> Result<Vec<KindTable>, HpyError> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let mut lines = Lines::new(&text);
    let mut tables = Vec::new();
    while let Some(line) = lines.peek() {
        if line.text.trim().is_empty() {
            lines.next();
        } else {
            tables.push(read_table(&mut lines)?);
        }
    }
    Ok(tables)
}

fn read_table(lines: &mut Lines<'_>) -> Result<KindTable, HpyError> {
    let start = lines.next().unwrap_or_default();
    if start.text.trim_end() != LOADER {
        return Err(HpyError::NoLoader {
            line: start.number,
            found: cut(start.text),
        });
    }
    let headers = Headers::read(lines, start.number)?;
    let n_rows = headers.integer("numrows")?;
    let mut table = KindTable {
        time_made: headers.time_made()?,
        n_objects: headers.integer("count")?,
        size_bytes: headers.integer("size")?,
        kind_name: headers.get("kindname")?.to_owned(),
        kind_header: headers.get("kindheader")?.to_owned(),
        format: headers.format()?,
        rows: Vec::new(),
    };
    while let Some(line) = lines.peek() {
        let Some(row) = line.text.strip_prefix(".r: ") else {
            break;
        };
        lines.next();
        let row = with_continuation(row, line.line_break, lines);
        if i64::try_from(table.rows.len()).is_ok_and(|n_read| n_read < n_rows) {
            let row = parse_row(&row, table.format).ok_or_else(|| HpyError::BadRow {
                line: line.number,
                found: cut(line.text),
            })?;
            table.rows.push(row);
        }
    }
    if lines.peek().is_some_and(|line| is_end(line.text)) {
        lines.next();
    }
    Ok(table)
}

/// A row and the lines after it that belong to its kind's name.
fn with_continuation<'t>(row: &'t str, line_break: &str, lines: &mut Lines<'t>) -> Cow<'t, str> {
    let mut whole = Cow::Borrowed(row);
    let mut line_break = line_break.to_owned();
    while let Some(line) = lines.peek() {
        let starts = [".r: ", ".end: ", ".loader: "];
        if starts.iter().any(|start| line.text.starts_with(start)) {
            break;
        }
        lines.next();
        let whole = whole.to_mut();
        whole.push_str(&line_break);
        whole.push_str(line.text);
        line_break = line.line_break.to_owned();
    }
    // Blank lines at the end are an editor's: guppy writes none there.
    if let Cow::Owned(whole) = &mut whole {
        whole.truncate(whole.trim_end_matches(['\n', '\r']).len());
    }
    whole
}

fn is_end(line: &str) -> bool {
    line.starts_with(".end: ")
}

fn parse_row(row: &str, format: KindTableFormat) -> Option<KindRow> {
    let (n_objects, row) = match format {
        KindTableFormat::Id => (1, row),
        KindTableFormat::Set | KindTableFormat::Diff { .. } => {
            let (n_objects, row) = row.split_once(' ')?;
            (n_objects.parse().ok()?, row)
        }
    };
    // A kind without a name may have lost the blank before it to an editor.
    let (size_bytes, kind) = row.split_once(' ').unwrap_or((row, ""));
    Some(KindRow {
        kind: kind.to_owned(),
        n_objects,
        size_bytes: size_bytes.parse().ok()?,
    })
}

/// The headers of one table. Of two with one name the last counts.
struct Headers<'t> {
    table_line: u64,
    values: HashMap<&'t str, &'t str>,
}

impl<'t> Headers<'t> {
    fn read(lines: &mut Lines<'t>, table_line: u64) -> Result<Self, HpyError> {
        let mut values = HashMap::new();
        while let Some(line) = lines.peek() {
            if [".r:", ".end: ", ".loader: "]
                .iter()
                .any(|start| line.text.starts_with(start))
            {
                break;
            }
            lines.next();
            if line.text.trim().is_empty() {
                continue;
            }
            let header = line.text.strip_prefix('.');
            let Some((name, value)) = header.and_then(|header| header.split_once(':')) else {
                return Err(HpyError::BadHeader {
                    line: line.number,
                    found: cut(line.text),
                });
            };
            values.insert(name, value.trim());
        }
        Ok(Self { table_line, values })
    }

    fn get(&self, header: &'static str) -> Result<&'t str, HpyError> {
        self.values
            .get(header)
            .copied()
            .ok_or(HpyError::MissingHeader {
                line: self.table_line,
                header,
            })
    }

    fn integer(&self, header: &'static str) -> Result<i64, HpyError> {
        let value = self.get(header)?;
        value.parse().map_err(|_| self.bad_number(header, value))
    }

    fn time_made(&self) -> Result<f64, HpyError> {
        let value = self.get("timemade")?;
        let time_made: f64 = value
            .parse()
            .map_err(|_| self.bad_number("timemade", value))?;
        if !time_made.is_finite() {
            return Err(self.bad_number("timemade", value));
        }
        Ok(time_made)
    }

    fn format(&self) -> Result<KindTableFormat, HpyError> {
        match self.get("format")? {
            "SetFormat" => Ok(KindTableFormat::Set),
            "IdFormat" => Ok(KindTableFormat::Id),
            "DiffFormat" => Ok(KindTableFormat::Diff {
                n_objects: self.integer("b_count")?,
                size_bytes: self.integer("b_size")?,
            }),
            other => Err(HpyError::UnknownFormat {
                line: self.table_line,
                found: cut(other),
            }),
        }
    }

    fn bad_number(&self, header: &'static str, value: &str) -> HpyError {
        HpyError::BadNumber {
            line: self.table_line,
            header,
            found: cut(value),
        }
    }
}

/// The start of a text, fit for a message.
fn cut(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut start: String = text.chars().take(MAX_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}

/// Lines as Python's text mode splits them: LF, CR LF and CR end one.
struct Lines<'t> {
    rest: &'t str,
    number: u64,
}

#[derive(Clone, Copy, Default)]
struct Line<'t> {
    text: &'t str,
    /// What ends it. CR LF is one `\n`.
    line_break: &'static str,
    /// Bytes up to the next.
    len: usize,
    number: u64,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            number: 1,
        }
    }

    fn peek(&self) -> Option<Line<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        let (text, after) = self.rest.split_at(end);
        let (line_break, break_len) = if after.starts_with("\r\n") {
            ("\n", 2)
        } else if after.starts_with('\r') {
            ("\r", 1)
        } else {
            ("\n", after.len().min(1))
        };
        Some(Line {
            text,
            line_break,
            len: end + break_len,
            number: self.number,
        })
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        let line = self.peek()?;
        self.rest = &self.rest[line.len..];
        self.number += 1;
        Some(line)
    }
}
