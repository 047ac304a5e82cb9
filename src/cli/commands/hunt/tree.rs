//! `leakhunt hunt --children`: the hunt in all processes of a tree.

use super::Hunt;
use super::member::{Member, MemberEnd};
use super::merge::merged;
use super::turns::{Turns, named};
use super::watch::Watched;
use crate::door::ended_too_early;
use crate::failure::{Exit, Failure};
use crate::interrupt::Urgency;
use crate::render::hunt::{Report, TreeReport, tree_report};
use crate::render::numbers::counted;
use crate::session::SessionError;
use crate::target::Target;

impl Hunt<'_> {
    /// Looks at a process and at all that descend from it until there is a verdict, and shows it.
    pub(super) fn run_tree(self, target: &Target) -> anyhow::Result<Exit> {
        let mut turns = Turns::new(self, target);
        let end = turns.run()?;
        self.output.progress_is_over();
        let mut notes = turns.notes();
        let mut members = turns.members;
        // Agents that stayed leave.
        members.iter_mut().for_each(Member::leave);
        if end.is_err() && self.interrupts.urgency() == Urgency::AtOnce {
            return Ok(Exit::Interrupted);
        }
        if members.iter().all(|member| member.watched.is_none()) {
            return Err(match end {
                Ok(()) => why_none(members, &notes, target.pid),
                Err(_) => SessionError::Interrupted.into_failure(target.pid).into(),
            });
        }
        notes.extend(ends(&members));
        if end.is_err() {
            notes.push("ended early: the verdict is on what was seen so far".into());
        }
        let exit = self.conclude_tree(target.pid, &members, notes)?;
        if end.is_ok() && members.iter().all(Member::has_exited) {
            let message = format!(
                "all processes of the tree of {} exited during the hunt",
                target.pid
            );
            return Err(Failure::new(Exit::TargetGone, message).into());
        }
        Ok(exit)
    }

    fn conclude_tree(
        &self,
        root: u32,
        members: &[Member<'_>],
        mut notes: Vec<String>,
    ) -> anyhow::Result<Exit> {
        notes.extend(own_notes(members));
        let watched = || members.iter().filter_map(|member| member.watched.as_ref());
        let processes: Vec<Report<'_>> = watched()
            .map(|watched| watched.report(self.args, self.format, self.output))
            .collect();
        let of_each: Vec<_> = watched()
            .map(|watched| watched.judged.findings.as_slice())
            .collect();
        let findings = merged(&of_each);
        let shown = tree_report(&TreeReport {
            root,
            processes: &processes,
            findings: &findings,
            notes: &notes,
        });
        self.output.result(&shown)?;
        Ok(self.exit(watched().any(Watched::has_new_leaks)))
    }
}

/// Why there is nothing to show.
fn why_none(members: Vec<Member<'_>>, reasons: &[String], root: u32) -> anyhow::Error {
    let ends = members.into_iter().filter_map(|member| member.end);
    let mut failures = ends.filter_map(|end| match end {
        MemberEnd::Failed(error) => Some(error),
        MemberEnd::Exited => None,
    });
    if let Some(error) = failures.next() {
        return error;
    }
    if reasons.is_empty() {
        return ended_too_early(root).into();
    }
    let message = format!("no process of the tree of {root} can be hunted in");
    Failure::new(Exit::NoAttach, message)
        .with_help(reasons.join("\n"))
        .into()
}

/// Of processes that were not looked at to the end, why.
fn ends(members: &[Member<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut unseen = Vec::new();
    for member in members {
        let pid = member.pid;
        match &member.end {
            Some(MemberEnd::Exited) if member.n_looks() == 0 => unseen.push(pid),
            Some(MemberEnd::Exited) => notes.push(format!(
                "process {pid} exited after {}: judged by these",
                counted(member.n_looks(), "look")
            )),
            Some(MemberEnd::Failed(error)) if member.n_looks() == 0 => {
                notes.push(format!("process {pid}: passed over: {error:#}"));
            }
            Some(MemberEnd::Failed(error)) => notes.push(format!(
                "process {pid} was not looked at any more after {}: {error:#}",
                counted(member.n_looks(), "look")
            )),
            None => {}
        }
    }
    if !unseen.is_empty() {
        let unseen = named(unseen.into_iter());
        notes.push(format!("exited before they could be looked at: {unseen}"));
    }
    notes
}

/// What is to be said of single processes; what is the same of all is said once.
fn own_notes(members: &[Member<'_>]) -> Vec<String> {
    let all: Vec<(u32, &[String])> = members
        .iter()
        .filter_map(|member| Some((member.pid, member.watched.as_ref()?.notes.as_slice())))
        .collect();
    let mut notes: Vec<String> = Vec::new();
    for (pid, own) in &all {
        for note in *own {
            let is_of_all = all.iter().all(|(_, other)| other.contains(note));
            let text = match is_of_all {
                true => note.clone(),
                false => format!("process {pid}: {note}"),
            };
            if !notes.contains(&text) {
                notes.push(text);
            }
        }
    }
    notes
}
