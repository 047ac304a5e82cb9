//! A target that leakhunt started.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::failure::{Exit, Failure};
use crate::interrupt::{self, Interrupts, Urgency};
use crate::output::Output;

const POLL: Duration = Duration::from_millis(50);

/// A target that leakhunt started; stdin, stdout and stderr are leakhunt's own.
#[derive(Debug)]
pub(crate) struct Spawned {
    child: Child,
}

impl Spawned {
    /// Starts it and passes signals on to it from then on.
    ///
    /// # Errors
    /// When there is no such command or it cannot be started.
    pub(crate) fn start(command: &[OsString]) -> anyhow::Result<Self> {
        Self::start_with(command, None)
    }

    /// The same with a variable of the environment.
    ///
    /// # Errors
    /// As of [`Self::start`].
    pub(crate) fn start_with(
        command: &[OsString],
        variable: Option<(OsString, OsString)>,
    ) -> anyhow::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| Failure::new(Exit::Usage, "no command after --"))?;
        let child = Command::new(program)
            .args(arguments)
            .envs(variable)
            .spawn()
            .map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("cannot start {}: {error}", program.to_string_lossy()),
                )
            })?;
        interrupt::pass_on_to(child.id())?;
        Ok(Self { child })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. A second Ctrl-C ends the wait, not the target.
    pub(crate) fn exit_code(&mut self, interrupts: &Interrupts, output: &Output) -> Exit {
        let mut is_told = false;
        loop {
            let reaped =
                interrupt::while_no_signal_is_passed_on(|| self.child.try_wait().transpose());
            match reaped {
                Some(Ok(status)) => return Exit::OfTarget(code(status)),
                Some(Err(_)) => return Exit::TargetGone,
                None => {}
            }
            if interrupts.urgency() == Urgency::AtOnce {
                output.note(format_args!("process {} still runs", self.pid()));
                return Exit::Interrupted;
            }
            if !std::mem::replace(&mut is_told, true) {
                output.detail(1, format_args!("waiting for process {} to end", self.pid()));
            }
            interrupts.sleep(POLL);
        }
    }
}

/// As a shell has it: 128 and the signal for who was killed by one.
fn code(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    };
    u8::try_from(code).unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
        assert_eq!(code(ExitStatus::from_raw(15)), 143);
    }

    #[test]
    fn a_command_that_is_not_there_is_wrong_usage() {
        let error = Spawned::start(&["/nowhere/at-all".into()]).unwrap_err();
        assert_eq!(crate::failure::exit_of(&error), Exit::Usage);
        assert!(
            error
                .to_string()
                .starts_with("cannot start /nowhere/at-all")
        );
    }
}
