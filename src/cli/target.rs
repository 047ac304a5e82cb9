//! Which process to look into.

use leakhunt_attach::{Candidate, candidates};

use crate::args::TargetArgs;
use crate::failure::{Exit, Failure, exit_of, is_closed_pipe};
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::procfs::{parent_of, start_ticks};
use crate::render::ps;
use crate::spawned::Spawned;

/// A process to look into.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) pid: u32,
    /// Where leakhunt started it.
    pub(crate) child: Option<Spawned>,
}

impl Target {
    /// The process that the options name, start, or leave to be found.
    ///
    /// # Errors
    /// When the command cannot be started, or there is not exactly one process to find.
    pub(crate) fn choose(options: &TargetArgs, output: &Output) -> anyhow::Result<Self> {
        Self::choose_by(options, output, |all, own_uid| {
            let pid = only_one(all, own_uid)?;
            output.note(format_args!(
                "taking process {pid}, the only CPython process of yours"
            ));
            Ok(pid)
        })
    }

    /// The same for the root of a tree of processes; those that descend from another are not counted.
    ///
    /// # Errors
    /// As of [`Self::choose`].
    pub(crate) fn choose_tree(options: &TargetArgs, output: &Output) -> anyhow::Result<Self> {
        Self::choose_by(options, output, |all, own_uid| {
            let pid = only_one(roots(all, parent_of), own_uid)?;
            output.note(format_args!(
                "taking process {pid} and its children, the only tree of CPython processes of yours"
            ));
            Ok(pid)
        })
    }

    /// Whether the process has ended, though nobody may have waited for it.
    pub(crate) fn is_gone(&self) -> bool {
        start_ticks(self.pid).is_none()
    }

    fn choose_by(
        options: &TargetArgs,
        output: &Output,
        find: impl FnOnce(&[Candidate], u32) -> Result<u32, Failure>,
    ) -> anyhow::Result<Self> {
        if let Some(pid) = options.pid {
            return Ok(Self { pid, child: None });
        }
        if !options.start.is_empty() {
            let child = Spawned::start(&options.start)?;
            let pid = child.pid();
            output.detail(1, format_args!("started process {pid}"));
            return Ok(Self {
                pid,
                child: Some(child),
            });
        }
        let own_uid = rustix::process::geteuid().as_raw();
        let pid = find(&candidates(), own_uid)?;
        Ok(Self { pid, child: None })
    }

    /// How leakhunt ends: with `result`; for a target that it started, when that has ended, with its
    /// exit code, unless that is 0 and leakhunt itself failed.
    ///
    /// # Errors
    /// That of `result`, unless leakhunt started the target: then it was told of before the wait.
    pub(crate) fn conclude(
        self,
        result: anyhow::Result<Exit>,
        interrupts: &Interrupts,
        output: &Output,
    ) -> anyhow::Result<Exit> {
        let Some(mut child) = self.child else {
            return result;
        };
        let own = match result {
            Ok(exit) => exit,
            Err(error) if is_closed_pipe(&error) => Exit::Done,
            Err(error) if exit_of(&error) == Exit::TargetGoneAfterLooks => {
                output.note(format_args!("{error:#}"));
                Exit::Done
            }
            Err(error) => {
                output.error(&error);
                exit_of(&error)
            }
        };
        Ok(match child.exit_code(interrupts, output) {
            Exit::OfTarget(0) => own,
            exit => exit,
        })
    }
}

/// Those that descend from no other that can be attached.
fn roots(
    all: &[Candidate],
    parent_of: impl Fn(u32) -> Option<u32>,
) -> impl Iterator<Item = &Candidate> {
    /// Processes end and numbers come again while they are read.
    const MOST_ANCESTORS: usize = 1000;
    all.iter().filter(move |candidate| {
        let ancestors = std::iter::successors(parent_of(candidate.pid), |&pid| parent_of(pid));
        let is_below = ancestors.take(MOST_ANCESTORS).any(|pid| {
            let mut attachable = all.iter().filter(|one| one.obstacle.is_none());
            attachable.any(|one| one.pid == pid && pid != candidate.pid)
        });
        !is_below
    })
}

/// The one process of `own_uid` that can be attached.
fn only_one<'a>(
    all: impl IntoIterator<Item = &'a Candidate>,
    own_uid: u32,
) -> Result<u32, Failure> {
    let (attachable, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|candidate| candidate.uid == own_uid)
        .partition(|candidate| candidate.obstacle.is_none() || candidate.has_door);
    match (attachable.as_slice(), others.as_slice()) {
        ([one], _) => Ok(one.pid),
        ([], []) => Err(
            Failure::new(Exit::Usage, "no CPython process of yours is running").with_help(
                "name one with --pid, or start one: leakhunt growth -- python app.py\n\
             `leakhunt ps` lists those of other users too",
            ),
        ),
        ([], [_, ..]) => Err(Failure::new(
            Exit::NoAttach,
            "no CPython process of yours can be attached",
        )
        .with_help(ps::remedies(others))),
        ([_, _, ..], _) => Err(Failure::new(
            Exit::Usage,
            format!(
                "{} CPython processes of yours can be attached; choose one with --pid",
                attachable.len()
            ),
        )
        .with_help(
            attachable
                .iter()
                .map(|candidate| ps::line(candidate, 100))
                .collect::<Vec<_>>()
                .join("\n"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::help_of;
    use leakhunt_attach::AttachError;
    use std::time::Duration;

    fn candidate(pid: u32, uid: u32, can: bool) -> Candidate {
        Candidate {
            pid,
            uid,
            python: Some("3.12.1".into()),
            rss_bytes: 81_000_000,
            limit_bytes: None,
            uptime: Duration::from_secs(90),
            command: format!("python app{pid}.py"),
            has_door: false,
            obstacle: (!can).then_some(AttachError::NoSuchProcess { pid }),
        }
    }

    #[test]
    fn the_only_one_is_taken() {
        let all = [
            candidate(1, 0, true),
            candidate(2, 7, true),
            candidate(3, 7, false),
        ];
        assert_eq!(only_one(&all, 7).unwrap(), 2);
    }

    #[test]
    fn of_a_tree_only_the_root_counts() {
        let all = [
            candidate(4, 7, true),
            candidate(5, 7, true),
            candidate(6, 7, true),
        ];
        // 6 descends from 4 by a shell.
        let parent_of = |pid| {
            [(4, 1), (5, 4), (6, 50), (50, 4)]
                .into_iter()
                .find(|one| one.0 == pid)
        };
        let parent_of = |pid| parent_of(pid).map(|one| one.1);
        assert_eq!(only_one(roots(&all, parent_of), 7).unwrap(), 4);
        let two = [
            candidate(4, 7, false),
            candidate(5, 7, true),
            candidate(6, 7, true),
        ];
        assert_eq!(
            only_one(roots(&two, parent_of), 7).unwrap_err().exit.code(),
            2
        );
    }

    #[test]
    fn several_are_listed() {
        let all = [candidate(1, 7, true), candidate(2, 7, true)];
        let failure = only_one(&all, 7).unwrap_err();
        assert_eq!(failure.exit.code(), 2);
        let help = help_of(&failure.into()).unwrap();
        assert_eq!(help.lines().count(), 2, "{help}");
        assert!(help.contains("python app2.py"), "{help}");
    }

    #[test]
    fn none_is_told_from_none_that_can_be_attached() {
        assert_eq!(
            only_one(&[candidate(1, 0, true)], 7)
                .unwrap_err()
                .exit
                .code(),
            2
        );
        let failure = only_one(&[candidate(1, 7, false)], 7).unwrap_err();
        assert_eq!(failure.exit.code(), 3);
        assert!(help_of(&failure.into()).unwrap().contains("leakhunt ps"));
    }
}
