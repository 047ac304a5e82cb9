//! What resident memory is made of, for people and for scripts.

use std::fmt::Write as _;

use leakhunt_heap::{MemoryAccount, MemoryVerdict, Part};
use serde::Serialize;

use super::numbers::{bytes, share};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_end, escape_controls};
use crate::memory_limit::{LimitSource, MemoryLimit};

/// The name and version of the JSON schema.
const ACCOUNT_SCHEMA: &str = "leakhunt.account/1";
/// How many owners of buffers, and how many files, are shown to people.
const N_ROWS: usize = 10;
/// How much of a name is shown to people.
const NAME_CHARS: usize = 60;
/// Columns where there is no terminal to ask.
const WIDTH: usize = 100;
/// Where the text of a line starts.
const INDENT: usize = 10;

/// An account with what is told beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounted<'a> {
    pub(crate) pid: u32,
    pub(crate) python: &'a str,
    pub(crate) account: &'a MemoryAccount,
    pub(crate) limit: Option<MemoryLimit>,
}

/// The name of a part in text.
fn name(part: Part) -> &'static str {
    match part {
        Part::PythonPools => "Python objects in pools",
        Part::PythonMalloc => "Python objects in malloc",
        Part::PythonElsewhere => "Python objects elsewhere",
        Part::Buffers => "big buffers of objects",
        Part::FreePools => "free in pools",
        Part::MallocUsed => "malloc, by others",
        Part::MallocFree => "malloc, free",
        Part::Files => "files, shared memory",
        Part::Stacks => "stacks",
        Part::Unexplained => "not explained",
    }
}

/// The parts of the short form; each is a sum.
const SHORT: [(&str, &[Part]); 8] = [
    (
        "Python objects",
        &[Part::PythonPools, Part::PythonMalloc, Part::PythonElsewhere],
    ),
    ("big buffers", &[Part::Buffers]),
    ("free pools", &[Part::FreePools]),
    ("malloc used by others", &[Part::MallocUsed]),
    ("malloc free", &[Part::MallocFree]),
    ("files", &[Part::Files]),
    ("stacks", &[Part::Stacks]),
    ("not explained", &[Part::Unexplained]),
];

/// `memory    RSS 412 MB = Python objects 351 MB, free pools 12 MB, …`, with what it says about the
/// process where it says something. Parts of nothing are left out; `~` marks estimates. Lines end
/// before `width` columns where there is a blank to break at.
pub(crate) fn memory_lines(account: &MemoryAccount, width: Option<usize>) -> String {
    let mut words = vec![format!("RSS {} =", bytes(account.rss_bytes()))];
    let shown = SHORT.iter().filter_map(|(name, parts)| {
        let sum = parts.iter().map(|&part| account.parts[part]).sum();
        let is_estimate = parts.iter().any(|part| account.estimates.contains(part));
        (sum > 0).then(|| {
            let mark = if is_estimate { "~" } else { "" };
            let explained = match name {
                &"not explained" if account.allocator != "glibc" => {
                    format!("{name} (allocator {})", escape_controls(&account.allocator))
                }
                _ => (*name).to_owned(),
            };
            format!("{explained} {mark}{}", bytes(sum))
        })
    });
    let shown: Vec<String> = shown.collect();
    words.extend(with_commas(&shown));
    let mut lines = wrapped("memory", &words, width.unwrap_or(WIDTH));
    if let Some(verdict) = verdict_text(account) {
        let words: Vec<String> = verdict.split(' ').map(str::to_owned).collect();
        lines.push_str(&wrapped("", &words, width.unwrap_or(WIDTH)));
    }
    lines
}

/// What the account says about the process.
fn verdict_text(account: &MemoryAccount) -> Option<String> {
    match account.verdict()? {
        MemoryVerdict::Fragmentation => Some(format!(
            "fragmentation: {} ({} of RSS) is free, but in pools and heaps that are in use elsewhere; \
             new objects will take it",
            bytes(account.free_bytes()),
            share(account.free_bytes(), account.rss_bytes())
        )),
    }
}

fn with_commas(items: &[String]) -> impl Iterator<Item = String> + '_ {
    let last = items.len().saturating_sub(1);
    let comma = move |index| if index < last { "," } else { "" };
    let items = items.iter().enumerate();
    items.map(move |(index, item)| format!("{item}{}", comma(index)))
}

/// Words, which are not broken, in lines under a heading.
fn wrapped(heading: &str, words: &[String], width: usize) -> String {
    let mut lines = format!("{heading:INDENT$}");
    let mut column = INDENT;
    for (index, word) in words.iter().enumerate() {
        let len = word.chars().count();
        if index > 0 && column + 1 + len > width {
            let _ = write!(lines, "\n{:INDENT$}", "");
            column = INDENT;
        } else if index > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += len;
    }
    lines.push('\n');
    lines
}

/// The whole account: the lines, all parts, the owners of big buffers and the largest files.
pub(crate) fn account_text(accounted: &Accounted<'_>, width: Option<usize>) -> String {
    let account = accounted.account;
    let mut shown = memory_lines(account, width);
    if let Some(limit) = accounted.limit {
        let used = bytes(limit.used_bytes);
        let _ = writeln!(shown, "limit     {limit}, {used} of it in use");
    }
    if account.swapped_bytes > 0 {
        let swapped = bytes(account.swapped_bytes);
        let _ = writeln!(shown, "swapped   {swapped}, in no part");
    }
    shown.push('\n');
    let rss = account.rss_bytes();
    let parts = Part::ALL
        .into_iter()
        .filter(|&part| account.parts[part] > 0);
    let rows = parts.map(|part| {
        let is_estimate = account.estimates.contains(&part);
        let mark = if is_estimate { "~" } else { "" };
        let cells = vec![
            format!("{mark}{}", bytes(account.parts[part])),
            share(account.parts[part], rss),
            name(part).to_owned(),
        ];
        (Emphasis::None, cells)
    });
    shown.push_str(&table(
        &[number("bytes"), number("share"), text("part")],
        rows,
        false,
    ));
    shown.push_str(&buffers_text(account));
    shown.push_str(&files_text(account));
    shown
}

fn buffers_text(account: &MemoryAccount) -> String {
    if account.buffers.is_empty() {
        return String::new();
    }
    let rows = account.buffers.iter().take(N_ROWS).map(|buffer| {
        let path = match buffer.path.as_str() {
            "" => format!("at {:#x}", buffer.owner),
            path => cut_end(&escape_controls(path), NAME_CHARS).to_string(),
        };
        let cells = vec![
            bytes(buffer.resident_bytes),
            bytes(buffer.mapped_bytes),
            cut_end(&escape_controls(&buffer.type_key), NAME_CHARS).to_string(),
            path,
        ];
        (Emphasis::None, cells)
    });
    let columns = [
        number("in RAM"),
        number("of"),
        text("buffer of"),
        text("path"),
    ];
    let n_more = account.buffers.len().saturating_sub(N_ROWS);
    format!(
        "\n{}{}",
        table(&columns, rows, false),
        more(n_more, "buffer")
    )
}

fn files_text(account: &MemoryAccount) -> String {
    if account.files.is_empty() {
        return String::new();
    }
    let rows = account.files.iter().take(N_ROWS).map(|file| {
        let mut path = escape_controls(&file.path).into_owned();
        if !file.type_key.is_empty() {
            let _ = write!(path, " by {}", escape_controls(&file.type_key));
        }
        (Emphasis::None, vec![bytes(file.resident_bytes), path])
    });
    let n_more = account.files.len().saturating_sub(N_ROWS);
    format!(
        "\n{}{}",
        table(&[number("in RAM"), text("file")], rows, false),
        more(n_more, "file")
    )
}

fn more(n_more: usize, what: &str) -> String {
    match n_more {
        0 => String::new(),
        n => format!(
            "{} more, see --json\n",
            super::numbers::counted(n as u64, what)
        ),
    }
}

/// The value of `memory` in documents.
#[derive(Debug, Serialize)]
pub(crate) struct MemoryValue<'a> {
    rss_bytes: u64,
    python_pool_bytes: u64,
    python_malloc_bytes: u64,
    python_elsewhere_bytes: u64,
    buffer_bytes: u64,
    free_pool_bytes: u64,
    malloc_used_bytes: u64,
    malloc_free_bytes: u64,
    file_bytes: u64,
    stack_bytes: u64,
    unexplained_bytes: u64,
    estimates: Vec<&'static str>,
    verdict: Option<&'static str>,
    private_dirty_bytes: u64,
    swapped_bytes: u64,
    allocator: &'a str,
    limit: Option<LimitValue>,
    buffers: Vec<BufferValue<'a>>,
    files: Vec<FileValue<'a>>,
}

#[derive(Debug, Serialize)]
struct LimitValue {
    source: &'static str,
    limit_bytes: u64,
    used_bytes: u64,
}

#[derive(Debug, Serialize)]
struct BufferValue<'a> {
    r#type: &'a str,
    address: String,
    path: Option<&'a str>,
    mapped_bytes: u64,
    resident_bytes: u64,
}

#[derive(Debug, Serialize)]
struct FileValue<'a> {
    path: &'a str,
    r#type: Option<&'a str>,
    resident_bytes: u64,
}

/// An account as a value of a document.
pub(crate) fn memory_value<'a>(
    account: &'a MemoryAccount,
    limit: Option<&MemoryLimit>,
) -> MemoryValue<'a> {
    let known = |text: &'a String| (!text.is_empty()).then_some(text.as_str());
    MemoryValue {
        rss_bytes: account.rss_bytes(),
        python_pool_bytes: account.parts[Part::PythonPools],
        python_malloc_bytes: account.parts[Part::PythonMalloc],
        python_elsewhere_bytes: account.parts[Part::PythonElsewhere],
        buffer_bytes: account.parts[Part::Buffers],
        free_pool_bytes: account.parts[Part::FreePools],
        malloc_used_bytes: account.parts[Part::MallocUsed],
        malloc_free_bytes: account.parts[Part::MallocFree],
        file_bytes: account.parts[Part::Files],
        stack_bytes: account.parts[Part::Stacks],
        unexplained_bytes: account.parts[Part::Unexplained],
        estimates: account.estimates.iter().map(|&part| key(part)).collect(),
        verdict: account.verdict().map(|verdict| match verdict {
            MemoryVerdict::Fragmentation => "fragmentation",
        }),
        private_dirty_bytes: account.private_dirty_bytes,
        swapped_bytes: account.swapped_bytes,
        allocator: &account.allocator,
        limit: limit.map(|limit| LimitValue {
            source: match limit.source {
                LimitSource::Cgroup => "cgroup",
                LimitSource::AddressSpace => "address_space",
                LimitSource::Data => "data",
                LimitSource::Ram => "ram",
            },
            limit_bytes: limit.limit_bytes,
            used_bytes: limit.used_bytes,
        }),
        buffers: account
            .buffers
            .iter()
            .map(|buffer| BufferValue {
                r#type: &buffer.type_key,
                address: format!("{:#x}", buffer.owner),
                path: known(&buffer.path),
                mapped_bytes: buffer.mapped_bytes,
                resident_bytes: buffer.resident_bytes,
            })
            .collect(),
        files: account
            .files
            .iter()
            .map(|file| FileValue {
                path: &file.path,
                r#type: known(&file.type_key),
                resident_bytes: file.resident_bytes,
            })
            .collect(),
    }
}

/// The key of a part in documents.
fn key(part: Part) -> &'static str {
    match part {
        Part::PythonPools => "python_pool_bytes",
        Part::PythonMalloc => "python_malloc_bytes",
        Part::PythonElsewhere => "python_elsewhere_bytes",
        Part::Buffers => "buffer_bytes",
        Part::FreePools => "free_pool_bytes",
        Part::MallocUsed => "malloc_used_bytes",
        Part::MallocFree => "malloc_free_bytes",
        Part::Files => "file_bytes",
        Part::Stacks => "stack_bytes",
        Part::Unexplained => "unexplained_bytes",
    }
}

/// As a document.
pub(crate) fn account_json(accounted: &Accounted<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        pid: u32,
        python: &'a str,
        memory: MemoryValue<'a>,
    }
    let document = Document {
        schema: ACCOUNT_SCHEMA,
        pid: accounted.pid,
        python: accounted.python,
        memory: memory_value(accounted.account, accounted.limit.as_ref()),
    };
    let mut line = serde_json::to_vec(&document).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests;
