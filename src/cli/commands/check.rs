//! `leakhunt check`.

mod channel;
mod looks;
mod repeated;
mod saved;
mod site;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::accepted::Accepted;
use crate::args::{CheckArgs, CheckFormat, Common};
use crate::door::Door;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::render::check::{CheckReport, Seen, github, json, junit, markdown, sarif, text};
use crate::render::numbers::counted;
use crate::rounds::{MAX_FAILURES, Missed, Rounds, Schedule};
use crate::session::{Link, Session, SessionError};
use crate::spawned::Spawned;
use crate::target::Target;
use channel::{Channel, Heard};
use looks::RoundLooks;

/// How often a wait for the next round looks at Ctrl-C and at the program.
const SLICE: Duration = Duration::from_millis(100);
/// What the program says at its end is waited for as long: the verdict comes behind it, not in the middle.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a look that failed is waited with until the next attempt.
const RETRY: Duration = Duration::from_millis(50);

pub(super) fn run(args: &CheckArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let accepted = Accepted::read(args.accept.as_deref())?;
    if let Some(folder) = &args.save {
        saved::prepare(folder)?;
    }
    let interrupts = Interrupts::listen()?;
    let (target, channel) = start(args, output)?;
    let check = Check {
        args,
        format: match common.json {
            true => CheckFormat::Json,
            false => args.format,
        },
        accepted: &accepted,
        interrupts: &interrupts,
        output,
    };
    let result = check.run(&target, channel);
    target.conclude(result, &interrupts, output)
}

/// The program with the socket for its rounds.
fn start(args: &CheckArgs, output: &Output) -> anyhow::Result<(Target, Channel)> {
    match (args.target.pid, args.rounds_on_stdin) {
        (Some(pid), true) => return Ok((Target { pid, child: None }, Channel::stdin()?)),
        (None, _) if !args.target.start.is_empty() => {}
        _ => {
            return Err(Failure::new(Exit::Usage, "no command to check")
                .with_help("leakhunt check -- python load_test.py")
                .into());
        }
    }
    let command = match args.repeat {
        true => repeated::repeated(&args.target.start)?,
        false => args.target.start.clone(),
    };
    let (channel, end) = Channel::pair()?;
    let variable = (OsString::from(channel::VARIABLE), end.name()?);
    let child = Spawned::start_with(&command, Some(variable))?;
    drop(end);
    let pid = child.pid();
    output.detail(1, format_args!("started process {pid}"));
    let child = Some(child);
    Ok((Target { pid, child }, channel))
}

/// A format.
type Render = fn(&CheckReport<'_>) -> Vec<u8>;

/// What a check needs.
struct Check<'a> {
    args: &'a CheckArgs,
    format: CheckFormat,
    accepted: &'a Accepted,
    interrupts: &'a Interrupts,
    output: &'a Output,
}

/// What is waited for.
enum Next {
    Round { pid: u32 },
    Gone,
    Interrupted,
}

impl Check<'_> {
    fn run(&self, target: &Target, mut channel: Channel) -> anyhow::Result<Exit> {
        // Who says the first round, which a shell may have started, is the program.
        let first = self.next(&mut channel, target, &mut || Ok(()))?;
        let pid = match first {
            Next::Round { pid } if target.child.is_some() => pid,
            Next::Round { .. } => target.pid,
            Next::Gone => return Err(self.too_few(0).into()),
            Next::Interrupted => return Ok(Exit::Interrupted),
        };
        let program = Target { pid, child: None };
        let mut door = Door::new(&program, &self.args.target, self.interrupts, self.output)?;
        let mut looks = RoundLooks::new(self.args, pid, self.accepted, self.output);
        let rounds = Rounds {
            pid,
            schedule: Schedule {
                interval: Duration::ZERO,
                count: None,
            },
            max_pause: self.args.target.max_pause,
            stays: self.args.trace,
            interrupts: self.interrupts,
            output: self.output,
        };
        let mut session = None;
        let n_needed = self.args.warmup + self.args.rounds;
        for n_done in 1..=n_needed {
            if n_done > 1 {
                // An agent that stays has to hear something now and then.
                let mut keep_in_touch = || match &mut session {
                    Some(session) => ping(session),
                    None => Ok(()),
                };
                match self.next(&mut channel, target, &mut keep_in_touch)? {
                    Next::Round { pid: other } if target.child.is_some() && other != pid => {
                        return Err(several(pid, other).into());
                    }
                    Next::Round { .. } => {}
                    Next::Gone => return Err(self.too_few(n_done - 1).into()),
                    Next::Interrupted => return Ok(Exit::Interrupted),
                }
            }
            self.output
                .progress(format_args!("round {n_done} of {n_needed}"));
            if n_done >= self.args.warmup {
                for n_failed in 1.. {
                    let missed = match rounds.look(&mut looks, &mut door, &mut session) {
                        Ok(()) => break,
                        Err(missed) => missed,
                    };
                    match missed {
                        Missed::ForNow(_) if n_failed < MAX_FAILURES => {
                            self.interrupts.sleep(RETRY);
                        }
                        Missed::ForNow(error) | Missed::ForGood(error) => return Err(error),
                        Missed::TargetExited => return Err(self.too_few(n_done).into()),
                        Missed::Interrupted => return Ok(Exit::Interrupted),
                    }
                }
                if !self.args.trace {
                    // What the program forks in a round inherits nothing, and is not warned of a thread.
                    session = None;
                }
            }
            if n_done < n_needed {
                channel.answer(true);
            }
        }
        drop(session);
        self.output.progress_is_over();
        let Some(seen) = looks.seen else {
            return Err(self.too_few(n_needed).into());
        };
        channel.answer(false);
        // What it says of rounds from now on is not waited for.
        drop(channel);
        if target.child.is_some() {
            let told = Instant::now();
            while !target.is_gone()
                && told.elapsed() < LAST_WORDS
                && self.interrupts.urgency() == Urgency::None
            {
                self.interrupts.sleep(RETRY);
            }
        }
        self.conclude(pid, &seen)
    }

    /// Waits for the next round.
    fn next(
        &self,
        channel: &mut Channel,
        target: &Target,
        meanwhile: &mut impl FnMut() -> Result<(), SessionError>,
    ) -> anyhow::Result<Next> {
        let mut is_gone = false;
        loop {
            if self.interrupts.urgency() > Urgency::None {
                return Ok(Next::Interrupted);
            }
            match channel.listen(SLICE)? {
                Heard::Round { pid } => return Ok(Next::Round { pid }),
                Heard::Closed => return Ok(Next::Gone),
                // What it said at its end was read, once it was seen to be gone before.
                Heard::Nothing if is_gone => return Ok(Next::Gone),
                Heard::Nothing => is_gone = target.is_gone(),
            }
            meanwhile().map_err(|error| error.into_failure(target.pid))?;
        }
    }

    fn too_few(&self, n_rounds: u64) -> Failure {
        let CheckArgs { rounds, warmup, .. } = self.args;
        let needed = warmup + rounds;
        let message = format!(
            "the program ended after {} of {needed} ({warmup} to warm up, {rounds} judged)",
            counted(n_rounds, "round")
        );
        Failure::new(Exit::Usage, message).with_help(match n_rounds {
            0 => {
                "it says that a round is done with `leakhunt.round()` of the Python package leakhunt\n\
                 with --repeat a script is run again and again, and needs no change"
            }
            _ => "have it do more rounds, or ask for fewer with --rounds (at least 3) and --warmup",
        })
    }

    fn conclude(&self, pid: u32, seen: &Seen) -> anyhow::Result<Exit> {
        let report = CheckReport {
            pid,
            seen,
            warmup: self.args.warmup,
            rounds: self.args.rounds,
        };
        let files: [(&str, Option<&Path>, Render); 3] = [
            ("--junit", self.args.junit.as_deref(), junit),
            ("--sarif", self.args.sarif.as_deref(), sarif),
            ("--markdown", self.args.markdown.as_deref(), markdown),
        ];
        for (option, path, of) in files {
            let Some(path) = path else { continue };
            fs::write(path, of(&report)).with_context(|| format!("{option} {}", path.display()))?;
        }
        self.output.result(&match self.format {
            CheckFormat::Text => text(&report),
            CheckFormat::Markdown => markdown(&report),
            CheckFormat::Json => json(&report),
            CheckFormat::Github => github(&report),
        })?;
        Ok(match report.n_new() {
            0 => Exit::Done,
            _ => Exit::OverLimit,
        })
    }
}

fn ping<L: Link>(session: &mut Session<L>) -> Result<(), SessionError> {
    session.wait(Instant::now() + Duration::from_millis(1))
}

fn several(pid: u32, other: u32) -> Failure {
    let message = format!("rounds are done by two processes, {pid} and {other}");
    Failure::new(Exit::Usage, message).with_help("let one of them call `leakhunt.round()`")
}
