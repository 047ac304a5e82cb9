//! Files that hold what was in a heap, told apart by their content.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use leakhunt_heap::{GrowthRecord, KindTable, Snapshot, SnapshotPart, hpy};

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::render::text::escape_controls;
use crate::replay::{Next, Replay};
use crate::snapshot_folder::read_snapshot;

/// The largest `.hpy` file that is taken: a series of a year.
const MAX_HPY_BYTES: u64 = 4 << 30;
/// How much of a file tells what it is.
const HEAD_BYTES: usize = 512;
const READABLE: &str = "what can be read: .hpy files of guppy, of Home Assistant's profiler or of \
    leakhunt;\nfolders NAME.leakhunt; logs of `leakhunt growth --log`";

/// A file that holds what was in a heap.
#[derive(Debug)]
pub(crate) enum HeapFile {
    /// An `.hpy` file: one table or more.
    Tables(Vec<KindTable>),
    /// A folder `NAME.leakhunt`.
    Snapshot(Box<Snapshot>),
    /// A growth log.
    Growth(Box<GrowthRun>),
}

/// The last run in a growth log.
#[derive(Debug)]
pub(crate) struct GrowthRun {
    /// Its first look.
    pub(crate) first: GrowthRecord,
    /// Its last look; the first where there is no other.
    pub(crate) last: GrowthRecord,
    /// How many looks it has.
    pub(crate) n_looks: u64,
}

impl HeapFile {
    /// What it is, in the words of a message.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Self::Tables(_) => "an .hpy file",
            Self::Snapshot(_) => "a snapshot",
            Self::Growth(_) => "a growth log",
        }
    }
}

/// Reads a file; `-` is stdin.
///
/// # Errors
/// When it cannot be read, is none of these, or is damaged; names the file.
pub(crate) fn read_heap_file(path: &Path, output: &Output) -> anyhow::Result<HeapFile> {
    let name = shown_name(path);
    if name == "-" {
        return read_stream(Box::new(BufReader::new(io::stdin())), "stdin", output);
    }
    if fs::metadata(path)
        .with_context(|| format!("cannot read {name}"))?
        .is_dir()
    {
        let snapshot = read_snapshot(path).map_err(|error| {
            let has_meta = path.join(SnapshotPart::Meta.file_name()).try_exists();
            with_help_if(matches!(has_meta, Ok(false)), error)
        })?;
        return Ok(HeapFile::Snapshot(Box::new(snapshot)));
    }
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    read_stream(Box::new(BufReader::new(file)), &name, output)
}

/// Reads a snapshot for a command that goes over references.
///
/// # Errors
/// As [`read_heap_file`]; and when the file is none with references.
pub(crate) fn read_references(
    path: &Path,
    command: &str,
    output: &Output,
) -> anyhow::Result<Box<Snapshot>> {
    match read_heap_file(path, output)? {
        HeapFile::Snapshot(snapshot) => Ok(snapshot),
        file => {
            let message = format!(
                "{} is {}, which holds counts but no references; `leakhunt {command}` needs a snapshot",
                shown_name(path),
                file.sort()
            );
            let help =
                "take one while the process runs: leakhunt snapshot --pid PID -o heap.leakhunt";
            Err(Failure::new(Exit::Usage, message).with_help(help).into())
        }
    }
}

/// The name of a file as it is told.
pub(crate) fn shown_name(path: &Path) -> String {
    escape_controls(&path.to_string_lossy()).into_owned()
}

fn read_stream(
    mut reader: Box<dyn BufRead>,
    name: &str,
    output: &Output,
) -> anyhow::Result<HeapFile> {
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .with_context(|| format!("cannot read {name}"))?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let text = text.trim_ascii_start();
    let is_hpy = text.starts_with(b".loader:");
    let is_json = text.starts_with(b"{") && !is_meta_of_snapshot(text);
    if !is_hpy && !is_json {
        return Err(unreadable(name, &head).into());
    }
    let whole = Box::new(BufReader::new(io::Cursor::new(head).chain(reader)));
    if is_hpy {
        read_hpy(whole, name, output)
    } else {
        read_growth(Replay::of(whole, name.to_owned()), name, output)
    }
}

fn read_hpy(reader: impl BufRead, name: &str, output: &Output) -> anyhow::Result<HeapFile> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_HPY_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > MAX_HPY_BYTES {
        anyhow::bail!("{name} is larger than 4 GiB; cut it between `.end:` and `.loader:`");
    }
    let tables = hpy::read(&bytes).with_context(|| name.to_owned())?;
    for (number, table) in (1..).zip(&tables) {
        if !table.is_whole() {
            let which = match tables.len() {
                1 => String::new(),
                n_tables => format!("table {number} of {n_tables}: "),
            };
            output.warn(format_args!(
                "{name}: {which}the rows do not add up to the totals; was the file cut?"
            ));
        }
    }
    Ok(HeapFile::Tables(tables))
}

fn read_growth(mut log: Replay, name: &str, output: &Output) -> anyhow::Result<HeapFile> {
    let mut run: Option<GrowthRun> = None;
    let mut n_runs = 0_u64;
    loop {
        let next = log
            .next()
            .map_err(|error| with_help_if(run.is_none(), error))?;
        match next {
            Next::Record(record) => match &mut run {
                Some(run) if run.goes_on_with(&record) => {
                    run.n_looks += 1;
                    run.last = *record;
                }
                _ => {
                    n_runs += 1;
                    run = Some(GrowthRun {
                        first: (*record).clone(),
                        last: *record,
                        n_looks: 1,
                    });
                }
            },
            Next::Torn { line_no } => {
                output.warn(format_args!("{name}: line {line_no} is torn; skipped"));
                break;
            }
            Next::End => break,
        }
    }
    if n_runs > 1 {
        output.note(format_args!("{name} holds {n_runs} runs; this is the last"));
    }
    let run = run.with_context(|| format!("{name}: holds no look"))?;
    Ok(HeapFile::Growth(Box::new(run)))
}

impl GrowthRun {
    /// A log may hold several runs, each with its own baseline.
    fn goes_on_with(&self, record: &GrowthRecord) -> bool {
        record.pid == self.last.pid && record.look > self.last.look
    }
}

/// Adds what can be read to the error of something else; what is damaged is of the right kind.
fn with_help_if(is_foreign: bool, error: anyhow::Error) -> anyhow::Error {
    match is_foreign {
        true => Failure::new(Exit::Usage, format!("{error:#}"))
            .with_help(READABLE)
            .into(),
        false => error,
    }
}

fn is_meta_of_snapshot(head: &[u8]) -> bool {
    let schema = b"\"leakhunt.snapshot/";
    head.windows(schema.len()).any(|part| part == schema)
}

/// A file of something else, and what it may be.
fn unreadable(name: &str, head: &[u8]) -> Failure {
    let (what, help) = if head.trim_ascii().is_empty() {
        ("is empty".to_owned(), READABLE)
    } else if head.starts_with(b"PAR1") || is_meta_of_snapshot(head) {
        let what = "is one file of a snapshot".to_owned();
        (what, "name the folder that it is in, NAME.leakhunt")
    } else if head.starts_with(b"\x1f\x8b") || head.starts_with(b"\x28\xb5\x2f\xfd") {
        let what = "is compressed".to_owned();
        (
            what,
            "decompress it into leakhunt: zcat FILE | leakhunt show -",
        )
    } else {
        let start: String = String::from_utf8_lossy(head)
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .chars()
            .take(40)
            .collect();
        let what = format!(
            "is no file that leakhunt can read: it starts with `{}`",
            escape_controls(&start)
        );
        (what, READABLE)
    };
    Failure::new(Exit::Usage, format!("{name} {what}")).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = ".loader: _load_stat\n.format: SetFormat\n.timemade: 1.5\n.count: 3\n\
        .size: 168\n.kindname: \n.kindheader: Type\n.numrows: 1\n.r: 3 168 app.Row\n\
        .end: .loader: _load_stat\n";

    fn read(bytes: &[u8]) -> anyhow::Result<HeapFile> {
        let reader = Box::new(io::Cursor::new(bytes.to_vec()));
        read_stream(reader, "f", &Output::silent())
    }

    fn look(pid: u32, look: u64) -> String {
        format!(
            "{{\"schema\":\"leakhunt.growth/1\",\"pid\":{pid},\"time\":\"2026-02-03T04:05:06Z\",\
             \"look\":{look},\"pause_ms\":6,\"objects\":1,\"bytes\":9,\"garbage\":0,\"types\":[]}}\n"
        )
    }

    #[test]
    fn the_content_tells_what_a_file_is() {
        let file = read(TABLE.repeat(2).as_bytes()).unwrap();
        assert!(matches!(&file, HeapFile::Tables(tables) if tables.len() == 2));
        let file = read(format!("\u{feff}\r\n{TABLE}").as_bytes()).unwrap();
        assert_eq!(file.sort(), "an .hpy file");
        let file = read(format!("\n{}", look(1, 1)).as_bytes()).unwrap();
        assert_eq!(file.sort(), "a growth log");
    }

    #[test]
    fn the_last_run_of_a_log_counts() {
        let run = |log: String| match read(log.as_bytes()).unwrap() {
            HeapFile::Growth(run) => (run.first.pid, run.first.look, run.last.look, run.n_looks),
            other => panic!("{other:?}"),
        };
        assert_eq!(run(look(1, 1) + &look(1, 2) + &look(1, 4)), (1, 1, 4, 3));
        assert_eq!(run(look(1, 1) + &look(1, 2) + &look(1, 1)), (1, 1, 1, 1));
        assert_eq!(run(look(1, 1) + &look(2, 2) + &look(2, 3)), (2, 2, 3, 2));
        let torn = look(1, 3)[..50].to_owned();
        assert_eq!(run(look(1, 1) + &look(1, 2) + &torn), (1, 1, 2, 2));
    }

    #[test]
    fn what_is_something_else_is_told_with_what_can_be_read() {
        for (bytes, told) in [
            (&b""[..], "f is empty"),
            (b"\n \n", "f is empty"),
            (b"hello\nworld", "starts with `hello`"),
            (b"\x1b[2J\xff", "starts with `\\x1b[2J\u{fffd}`"),
            (b"PAR1\0\0", "is one file of a snapshot"),
            (
                b"{\n  \"schema\": \"leakhunt.snapshot/1\",",
                "is one file of a snapshot",
            ),
            (b"\x1f\x8b\x08", "is compressed"),
            (
                b"{\"schema\":\"leakhunt.dump/1\"}\n",
                "not a leakhunt.growth/1 record",
            ),
            (b"{\n}\n", "line 1"),
        ] {
            let error = read(bytes).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains(told), "{text}");
            assert_eq!(crate::failure::exit_of(&error).code(), 2);
            assert!(crate::failure::help_of(&error).is_some(), "{text}");
        }
    }

    #[test]
    fn a_damaged_table_is_told_with_its_line() {
        let damaged = TABLE.replace("3 168 app", "three 168 app");
        let text = format!("{:#}", read(damaged.as_bytes()).unwrap_err());
        assert!(text.starts_with("f: line 9 "), "{text}");
    }
}
