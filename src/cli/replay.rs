//! Reads a growth log, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use leakhunt_heap::{GrowthRecord, RecordError};

/// The longest line that is taken: a million types with long names.
const MAX_LINE: u64 = 1 << 30;

/// The records of a log.
pub(crate) struct Replay {
    reader: Box<dyn BufRead>,
    /// What it is called in messages.
    name: String,
    line_no: u64,
    n_records: u64,
}

/// What comes next in a log.
#[derive(Debug)]
pub(crate) enum Next {
    /// A look.
    Record(Box<GrowthRecord>),
    /// The last line is torn, as a crash leaves it.
    Torn {
        /// Its number.
        line_no: u64,
    },
    /// Nothing more.
    End,
}

impl Replay {
    /// Opens a log; `-` is stdin.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let reader: Box<dyn BufRead> = if name == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path).with_context(|| format!("--replay {name}"))?;
            Box::new(BufReader::new(file))
        };
        Ok(Self::of(reader, format!("--replay {name}")))
    }

    /// Reads what is open already.
    pub(crate) fn of(reader: Box<dyn BufRead>, name: String) -> Self {
        Self {
            reader,
            name,
            line_no: 0,
            n_records: 0,
        }
    }

    /// The next record.
    ///
    /// # Errors
    /// When a line is damaged or foreign, or there is no record at all; names the line.
    pub(crate) fn next(&mut self) -> anyhow::Result<Next> {
        let mut line = Vec::new();
        loop {
            line.clear();
            self.reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .with_context(|| self.name.clone())?;
            if line.is_empty() {
                if self.n_records == 0 {
                    bail!("{}: holds no look", self.name);
                }
                return Ok(Next::End);
            }
            self.line_no += 1;
            if !line.trim_ascii().is_empty() {
                break;
            }
        }
        match GrowthRecord::parse(&line) {
            Ok(record) => {
                self.n_records += 1;
                Ok(Next::Record(Box::new(record)))
            }
            Err(RecordError::NotJson(_)) if self.n_records > 0 && self.is_at_end()? => {
                Ok(Next::Torn {
                    line_no: self.line_no,
                })
            }
            Err(error) => {
                Err(anyhow::Error::new(error)
                    .context(format!("{}: line {}", self.name, self.line_no)))
            }
        }
    }

    fn is_at_end(&mut self) -> anyhow::Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(look: u64) -> String {
        format!(
            "{}{look}{}\n",
            r#"{"schema":"leakhunt.growth/1","pid":1,"time":"2026-02-03T04:05:06Z","look":"#,
            r#","pause_ms":6,"objects":1,"bytes":9,"garbage":0,"types":[]}"#,
        )
    }

    fn looks(log: String) -> anyhow::Result<(Vec<u64>, Option<u64>)> {
        let mut replay = Replay::of(Box::new(io::Cursor::new(log)), "f".into());
        let mut looks = Vec::new();
        loop {
            match replay.next()? {
                Next::Record(record) => looks.push(record.look),
                Next::Torn { line_no } => return Ok((looks, Some(line_no))),
                Next::End => return Ok((looks, None)),
            }
        }
    }

    #[test]
    fn whole_logs_are_read() {
        assert_eq!(looks(line(1) + &line(2)).unwrap(), (vec![1, 2], None));
        let without_newline = (line(1) + &line(2)).trim_end().to_owned();
        assert_eq!(looks(without_newline).unwrap(), (vec![1, 2], None));
    }

    #[test]
    fn a_torn_last_line_is_skipped() {
        let torn = &line(2)[..60];
        assert_eq!(looks(line(1) + torn).unwrap(), (vec![1], Some(2)));
        assert_eq!(looks(line(1) + torn + "\n").unwrap(), (vec![1], Some(2)));
    }

    #[test]
    fn a_damaged_or_foreign_line_in_the_middle_is_named() {
        for bad in ["hello\n", "{}\n", &(line(2)[..60].to_owned() + "\n")] {
            let error = looks(line(1) + bad + &line(3)).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.starts_with("f: line 2: not a"), "{text}");
        }
    }

    #[test]
    fn a_log_without_a_look_is_an_error() {
        assert!(looks(String::new()).is_err());
        assert!(looks(line(1)[..60].to_owned()).is_err());
    }
}
