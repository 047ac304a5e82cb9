//! How leakhunt ends: exit codes, and errors that know theirs and what to do about them.

use std::fmt;
use std::io;
use std::process::ExitCode;

use leakhunt_attach::AttachError;

/// Exit codes; an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Did what was asked for.
    Done,
    /// Nothing was found where something was asked for.
    Nothing,
    /// Something grew by more than a limit allows.
    OverLimit,
    /// Wrong usage or bad input.
    Usage,
    /// The target could not be attached, or could not be looked at.
    NoAttach,
    /// The target went away.
    TargetGone,
    /// So it did, after looks that were shown: how the watch over a program of leakhunt's own ends.
    TargetGoneAfterLooks,
    /// Ctrl-C, before there was anything to show or twice.
    Interrupted,
    /// The exit code of a target that leakhunt started.
    OfTarget(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Nothing | Self::OverLimit => 1,
            Self::Usage => 2,
            Self::NoAttach => 3,
            Self::TargetGone | Self::TargetGoneAfterLooks => 4,
            Self::Interrupted => 130,
            Self::OfTarget(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error with an exit code of its own.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
    help: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: None,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Nobody reads stdout any more, as with `leakhunt … | head`. Not a failure of leakhunt.
#[derive(Debug)]
pub(crate) struct ClosedPipe;

impl fmt::Display for ClosedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout is closed")
    }
}

impl std::error::Error for ClosedPipe {}

/// Whether the error is that nobody reads stdout any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<ClosedPipe>())
}

/// The exit code for an error: that of its cause, else wrong usage or bad input.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if cause.is::<AttachError>() {
            return Exit::NoAttach;
        }
    }
    Exit::Usage
}

/// What to do about an error, where its cause knows.
pub(crate) fn help_of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.help.clone();
        }
        cause.downcast_ref::<AttachError>().map(AttachError::help)
    })
}

/// What to do about a file that cannot be written, where the reason tells.
pub(crate) fn write_remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("make room there, or name a place with more of it with -o")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("name a folder that you may write to with -o")
        }
        io::ErrorKind::NotFound => Some("make the folder first, or name another with -o"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_cause_keeps_its_exit_code_under_contexts() {
        let error = Err::<(), _>(AttachError::NoSuchProcess { pid: 7 })
            .context("--pid 7")
            .unwrap_err();
        assert_eq!(exit_of(&error).code(), 3);
        assert!(help_of(&error).unwrap().contains("leakhunt ps"));
        let error = anyhow::Error::new(Failure::new(Exit::TargetGone, "gone")).context("x");
        assert_eq!(exit_of(&error).code(), 4);
        assert_eq!(exit_of(&anyhow::anyhow!("bad file")).code(), 2);
    }

    #[test]
    fn a_closed_pipe_is_known_under_contexts() {
        let error = anyhow::Error::new(ClosedPipe).context("growth");
        assert!(is_closed_pipe(&error));
        assert!(!is_closed_pipe(&anyhow::anyhow!("x")));
    }
}
