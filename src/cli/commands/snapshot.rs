//! `leakhunt snapshot`.

use std::path::{Path, PathBuf};

use leakhunt_heap::classify::{By, Relation, Scope, kind_table, visible};
use leakhunt_heap::hpy;
use leakhunt_heap::{GarbageLook, Reached, Snapshot};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::args::{Common, SnapshotArgs};
use crate::budget::check_pause;
use crate::capture::{Wish, capture};
use crate::door::{Door, OpenError, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::hpy_file::{Existing, HpyFile};
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::procfs::memory_of;
use crate::render::snapshot::{Taken, shortcomings, taken_json, taken_text};
use crate::rounds::LookEnd;
use crate::session::SessionError;
use crate::snapshot_folder::{check_destination, write_snapshot};
use crate::target::Target;

pub(super) fn run(args: &SnapshotArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let format = Format::of(args)?;
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let result = take(args, format, common, &target, &interrupts, output);
    target.conclude(result, &interrupts, output)
}

/// What is written.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Format {
    /// A folder of tables with all objects.
    Folder,
    /// Counts by kind.
    Hpy { by: By, existing: Existing },
}

impl Format {
    fn of(args: &SnapshotArgs) -> Result<Self, Failure> {
        let usage = |message: String| Failure::new(Exit::Usage, message);
        let path = args.output.as_deref();
        let format = match path.map(|path| (path, ending(path))) {
            None | Some((_, Some("leakhunt"))) => Self::Folder,
            Some((_, Some("hpy"))) => Self::Hpy {
                by: args.by.clone().unwrap_or(By::All(vec![Relation::Clodo])),
                existing: match args.append {
                    true => Existing::AddedTo,
                    false => Existing::Replaced,
                },
            },
            Some((path, _)) => {
                return Err(usage(format!(
                    "-o {}: the name says what is written, and ends in neither .leakhunt nor .hpy",
                    path.display()
                ))
                .with_help(
                    "NAME.leakhunt is a folder with all objects and references; NAME.hpy a text \
                     with counts by kind, as guppy's",
                ));
            }
        };
        let only_hpy = [
            ("--by", args.by.is_some()),
            ("--append", args.append),
            ("--virtual-dicts", args.virtual_dicts),
        ];
        let given = only_hpy.iter().find(|(_, is_given)| *is_given);
        match (given, &format) {
            (Some((option, _)), Self::Folder) => Err(usage(format!(
                "{option} is for a .hpy; a .leakhunt folder holds each object by itself"
            ))
            .with_help(format!("name the file: -o heap.hpy {option}"))),
            _ => Ok(format),
        }
    }
}

fn ending(path: &Path) -> Option<&str> {
    path.extension().and_then(|ending| ending.to_str())
}

fn take(
    args: &SnapshotArgs,
    format: Format,
    common: &Common,
    target: &Target,
    interrupts: &Interrupts,
    output: &Output,
) -> anyhow::Result<Exit> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => default_path(target.pid, OffsetDateTime::now_utc()),
    };
    let destination = Destination::open(&path, format)?;
    let memory = memory_of(target.pid);
    check_pause(&memory, None, args.target.max_pause)?;
    let failed = |error: SessionError| match error {
        SessionError::TargetExited => ended_too_early(target.pid),
        error => error.into_failure(target.pid),
    };
    let mut session = Door::new(target, &args.target, &interrupts.for_one_look(), output)?
        .open()
        .map_err(|error| match error {
            OpenError::Session(error) => failed(error).into(),
            error => error.into_error(target.pid),
        })?;
    let wish = Wish {
        pid: target.pid,
        names: args.names.into(),
        collect: args.collect,
        target: &args.target,
    };
    let taken = capture(&mut session, &wish, &memory, output);
    // Nothing of leakhunt stays in the target while the file is written.
    drop(session);
    let snapshot = taken.map_err(|end| match end {
        LookEnd::Session(error) => failed(error).into(),
        LookEnd::ForNow(error) | LookEnd::ForGood(error) => error,
    })?;
    let shown_path = path.display().to_string();
    output.progress(format_args!("writing {shown_path}"));
    let written = destination.write(&snapshot, args.virtual_dicts, output);
    output.progress_is_over();
    let written = written?;
    let garbage = GarbageLook::of(&snapshot, &Reached::from_roots(&snapshot));
    let taken = Taken {
        path: &shown_path,
        garbage: &garbage,
        capture: &snapshot.capture,
        n_objects: written.n_objects,
        size_bytes: written.size_bytes,
        n_references: written.n_references,
        file_bytes: written.file_bytes,
    };
    for shortcoming in shortcomings(&snapshot.capture) {
        output.detail(1, format_args!("warning: {shortcoming}"));
    }
    output.result(&if common.json {
        taken_json(&taken)
    } else {
        taken_text(&taken).into_bytes()
    })?;
    Ok(Exit::Done)
}

/// `heap-4121-20260203T040506.leakhunt`, by UTC.
fn default_path(pid: u32, now: OffsetDateTime) -> PathBuf {
    let clock = format_description!("[year][month][day]T[hour][minute][second]");
    let time = now.format(clock).unwrap_or_default();
    format!("heap-{pid}-{time}.leakhunt").into()
}

/// A place that can be written to.
enum Destination {
    Folder(PathBuf),
    Hpy { file: HpyFile, by: By },
}

/// What was written.
struct Written {
    n_objects: u64,
    size_bytes: u64,
    n_references: Option<u64>,
    file_bytes: u64,
}

impl Destination {
    /// Finds out whether it can be written, before the target is touched.
    fn open(path: &Path, format: Format) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Folder => {
                check_destination(path, true)?;
                Self::Folder(path.to_owned())
            }
            Format::Hpy { by, existing } => Self::Hpy {
                file: HpyFile::open(path, existing)?,
                by,
            },
        })
    }

    fn write(
        self,
        snapshot: &Snapshot,
        virtual_dicts: bool,
        output: &Output,
    ) -> anyhow::Result<Written> {
        match self {
            Self::Folder(path) => Ok(Written {
                file_bytes: write_snapshot(&path, snapshot, true)?,
                n_objects: snapshot.n_objects() as u64,
                size_bytes: snapshot.objects.size_bytes.iter().sum(),
                n_references: Some(snapshot.references.target.len() as u64),
            }),
            Self::Hpy { file, by } => {
                let visible = visible(snapshot);
                let table = kind_table(
                    snapshot,
                    &by,
                    Scope {
                        is_counted: &|object| visible.has(object),
                        is_seen: &|object| visible.has(object),
                        virtual_dicts,
                        time_made: snapshot.capture.taken_at_us as f64 / 1e6,
                    },
                );
                let file_bytes = file.write(&hpy::write(&table), output)?;
                Ok(Written {
                    file_bytes,
                    n_objects: u64::try_from(table.n_objects).unwrap_or(0),
                    size_bytes: u64::try_from(table.size_bytes).unwrap_or(0),
                    n_references: None,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::failure::help_of;
    use clap::Parser as _;
    use time::macros::datetime;

    fn format(line: &str) -> Result<Format, Failure> {
        let line = format!("leakhunt snapshot {line}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Snapshot(args) = cli.command else {
            panic!("not snapshot")
        };
        Format::of(&args)
    }

    #[test]
    fn the_ending_says_what_is_written() {
        assert_eq!(format("").unwrap(), Format::Folder);
        assert_eq!(format("-o a.b/c.leakhunt").unwrap(), Format::Folder);
        let hpy = |by: &str, existing| Format::Hpy {
            by: by.parse().unwrap(),
            existing,
        };
        assert_eq!(
            format("-o a.hpy").unwrap(),
            hpy("clodo", Existing::Replaced)
        );
        assert_eq!(
            format("-o a.hpy --by rcs&size --append").unwrap(),
            hpy("rcs&size", Existing::AddedTo)
        );
        for other in ["a", "a.json", "a.leakhunt.gz", ".hpy", "a.HPY"] {
            let failure = format(&format!("-o {other}")).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            let help = help_of(&failure.into()).unwrap();
            assert!(
                help.contains(".leakhunt") && help.contains(".hpy"),
                "{help}"
            );
        }
    }

    #[test]
    fn options_of_one_format_are_not_taken_for_the_other() {
        for option in ["--by clodo", "--append", "--virtual-dicts"] {
            for name in ["", "-o a.leakhunt"] {
                let failure = format(&format!("{name} {option}")).unwrap_err();
                let word = option.split(' ').next().unwrap();
                assert!(failure.to_string().starts_with(word), "{failure}");
            }
        }
    }

    #[test]
    fn the_default_name_tells_process_and_time() {
        let path = default_path(4121, datetime!(2026-02-03 04:05:06.7 UTC));
        assert_eq!(path, Path::new("heap-4121-20260203T040506.leakhunt"));
    }
}
