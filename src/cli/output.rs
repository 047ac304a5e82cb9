//! The one place that writes: results to stdout, all else to stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use crate::args::{ColorChoice, Common};
use crate::failure::{ClosedPipe, help_of};

/// Where and how to write.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    verbosity: i16,
    /// Whether results may hold colours.
    pub(crate) color: bool,
    /// Columns of the terminal that stdout is; `None` where it is none.
    pub(crate) width: Option<usize>,
    /// Whether progress is shown: on a terminal that is told notes.
    shows_progress: bool,
    #[cfg(test)]
    discards_results: bool,
}

impl Output {
    /// As the options, the environment and the terminal say.
    pub(crate) fn new(common: &Common) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            verbosity: if common.quiet {
                -1
            } else {
                common.verbose.into()
            },
            color: match common.color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => is_terminal && !no_color && !is_dumb,
            },
            width: is_terminal
                .then(|| rustix::termios::tcgetwinsize(&stdout).ok())
                .flatten()
                .map(|size| usize::from(size.ws_col))
                .filter(|&columns| columns > 0),
            shows_progress: !common.quiet && !is_dumb && io::stderr().is_terminal(),
            #[cfg(test)]
            discards_results: false,
        }
    }

    /// Says nothing, results neither, and knows no terminal.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self {
            verbosity: -1,
            color: false,
            width: None,
            shows_progress: false,
            discards_results: true,
        }
    }

    /// Writes a part of the result and flushes it.
    ///
    /// # Errors
    /// [`ClosedPipe`] when nobody reads it any more; else why it cannot be written.
    pub(crate) fn result(&self, bytes: &[u8]) -> anyhow::Result<()> {
        #[cfg(test)]
        if self.discards_results {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ClosedPipe.into()),
            Err(error) => Err(anyhow::Error::new(error).context("cannot write to stdout")),
        }
    }

    /// Tells something beside the result, unless `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        if self.verbosity >= 0 {
            say(&format!("leakhunt: {text}\n"));
        }
    }

    /// Tells how far long work has come, in a line that the next one takes the place of.
    pub(crate) fn progress(&self, text: impl Display) {
        if self.shows_progress {
            say(&format!("\r\x1b[Kleakhunt: {text}"));
        }
    }

    /// Takes the line of [`Self::progress`] away.
    pub(crate) fn progress_is_over(&self) {
        if self.shows_progress {
            say("\r\x1b[K");
        }
    }

    /// Tells of something that went wrong without being the end, unless `--quiet`.
    pub(crate) fn warn(&self, text: impl Display) {
        self.note(format_args!("warning: {text}"));
    }

    /// Tells details: with `-v` those of level 1, with `-vv` those of level 2 too.
    pub(crate) fn detail(&self, level: i16, text: impl Display) {
        if self.verbosity >= level {
            self.note(text);
        }
    }

    /// Tells why leakhunt ends, and what to do about it.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let mut text = format!("leakhunt: error: {error:#}\n");
        if let Some(help) = help_of(error).filter(|help| !help.is_empty()) {
            for line in help.lines() {
                text.push_str("  ");
                text.push_str(line);
                text.push('\n');
            }
        }
        say(&text);
    }
}

/// A stderr that is gone cannot be told of.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
