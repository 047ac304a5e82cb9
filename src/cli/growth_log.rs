//! The file that `growth --log` appends to.
//!
//! A line is whole or it is the last: where a line could not be written whole, what there is of it is
//! cut off before the next.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use leakhunt_heap::{GROWTH_SCHEMA, GrowthRecord};

use crate::output::Output;

/// A log that is open for more lines.
#[derive(Debug)]
pub(crate) struct GrowthLog {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends; `None` for what is no regular file.
    end: Option<u64>,
    has_warned: bool,
}

impl GrowthLog {
    /// Opens or creates the log. A torn last line is cut off.
    ///
    /// # Errors
    /// When it cannot be opened, or holds something else.
    pub(crate) fn open(path: &Path, output: &Output) -> anyhow::Result<Self> {
        let context = || format!("--log {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .or_else(|_| OpenOptions::new().append(true).open(path))
            .with_context(context)?;
        let end = if file.metadata().with_context(context)?.is_file() {
            check_first_line(&file).with_context(context)?;
            let (end, len) = whole_lines(&mut file).with_context(context)?;
            if end < len {
                file.set_len(end).with_context(context)?;
                output.warn(format_args!(
                    "{}: the last line was torn; cut {} bytes off",
                    path.display(),
                    len - end
                ));
            }
            Some(end)
        } else {
            None
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            end,
            has_warned: false,
        })
    }

    /// Appends a look. Where that fails, as on a full disk, it is told once and the run goes on.
    pub(crate) fn append(&mut self, line: &[u8], output: &Output) {
        match self.try_append(line) {
            Ok(()) if self.has_warned => {
                self.has_warned = false;
                output.note(format_args!(
                    "{}: can be written again",
                    self.path.display()
                ));
            }
            Ok(()) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    output.warn(format_args!(
                        "cannot write to {}: {error}; looks are missing there until it can be",
                        self.path.display()
                    ));
                }
            }
        }
    }

    fn try_append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(end) = self.end
            && self.file.metadata()?.len() > end
            && self.has_warned
        {
            self.file.set_len(end)?;
        }
        self.file.write_all(line)?;
        self.file.flush()?;
        if self.end.is_some() {
            self.end = Some(self.file.metadata()?.len());
        }
        Ok(())
    }
}

/// A file that starts with something else is not ours to write to.
fn check_first_line(file: &File) -> anyhow::Result<()> {
    let mut first = Vec::new();
    BufReader::new(file)
        .take(1 << 28)
        .read_until(b'\n', &mut first)?;
    let is_torn = first.last() != Some(&b'\n');
    if first.is_empty() || is_torn && starts_as_record(&first) {
        return Ok(());
    }
    GrowthRecord::parse(&first).context("this is another kind of file: line 1")?;
    Ok(())
}

fn starts_as_record(torn: &[u8]) -> bool {
    let start = format!("{{\"schema\":\"{GROWTH_SCHEMA}\"");
    torn.starts_with(start.as_bytes()) || start.as_bytes().starts_with(torn)
}

/// The length of all whole lines, and of the file.
fn whole_lines(file: &mut File) -> io::Result<(u64, u64)> {
    const BLOCK: u64 = 1 << 16;
    let len = file.seek(SeekFrom::End(0))?;
    let mut block_end = len;
    let mut block = Vec::new();
    while block_end > 0 {
        let block_start = block_end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(block_start))?;
        block.clear();
        (&*file)
            .take(block_end - block_start)
            .read_to_end(&mut block)?;
        if let Some(newline) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok((block_start + newline as u64 + 1, len));
        }
        block_end = block_start;
    }
    Ok((0, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LINE: &str = concat!(
        r#"{"schema":"leakhunt.growth/1","pid":1,"time":"2026-02-03T04:05:06Z","look":1,"#,
        r#""pause_ms":6,"objects":1,"bytes":9,"garbage":0,"types":[]}"#,
        "\n"
    );

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("leakhunt-log-{}-{name}", std::process::id()))
    }

    fn after_append(name: &str, before: &str) -> anyhow::Result<String> {
        let path = path(name);
        fs::write(&path, before).unwrap();
        let appended = GrowthLog::open(&path, &Output::silent())
            .map(|mut log| log.append(LINE.as_bytes(), &Output::silent()));
        let now = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        appended.map(|()| now)
    }

    #[test]
    fn lines_are_appended_to_what_there_is() {
        assert_eq!(after_append("empty", "").unwrap(), LINE);
        assert_eq!(after_append("one", LINE).unwrap(), LINE.repeat(2));
    }

    #[test]
    fn a_torn_last_line_is_cut_off() {
        for len in 1..LINE.len() {
            let torn = format!("{LINE}{}", &LINE[..len]);
            assert_eq!(
                after_append("torn", &torn).unwrap(),
                LINE.repeat(2),
                "{len}"
            );
            assert_eq!(
                after_append("torn-only", &LINE[..len]).unwrap(),
                LINE,
                "{len}"
            );
        }
    }

    #[test]
    fn another_kind_of_file_is_left_alone() {
        for other in ["hello\n", "hello", "{}\n", "{\"schema\":\"x\"}"] {
            let error = after_append("other", other).unwrap_err();
            assert_eq!(crate::failure::exit_of(&error).code(), 2);
        }
    }

    #[test]
    fn a_full_disk_is_no_end() {
        let full = Path::new("/dev/full");
        let mut log = GrowthLog::open(full, &Output::silent()).unwrap();
        log.append(LINE.as_bytes(), &Output::silent());
        assert!(log.has_warned);
        log.append(LINE.as_bytes(), &Output::silent());
    }
}
