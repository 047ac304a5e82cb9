//! What can be attached.

use std::collections::BTreeMap;

use leakhunt_attach::Candidate;
use serde::Serialize;

use super::numbers::{bytes, duration, limit};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_end, escape_controls};

/// The name and version of the JSON schema.
const PS_SCHEMA: &str = "leakhunt.ps/1";
/// How much of a reason fits the table.
const REASON_LEN: usize = 48;
/// The least of a command that is shown.
const COMMAND_MIN: usize = 16;

/// A process and the name of its user.
pub(crate) type Row<'a> = (&'a Candidate, String);

/// The table, and below it what to do about those that cannot be attached.
pub(crate) fn table_of(rows: &[Row<'_>], width: Option<usize>, color: bool) -> String {
    let columns = || {
        [
            number("pid"),
            text("user"),
            text("python"),
            number("rss"),
            number("limit"),
            number("uptime"),
            text("attach"),
            text("command"),
        ]
    };
    let cells = |command_len: usize| {
        rows.iter().map(move |(candidate, user)| {
            let emphasis = match candidate.obstacle {
                Some(_) if !candidate.has_door => Emphasis::Weak,
                _ => Emphasis::None,
            };
            let cells = vec![
                candidate.pid.to_string(),
                escape_controls(user).into_owned(),
                candidate.python.clone().unwrap_or_else(|| "?".into()),
                bytes(candidate.rss_bytes),
                candidate.limit_bytes.map_or("-".into(), limit),
                duration(candidate.uptime),
                attach(candidate),
                cut_end(&escape_controls(&candidate.command), command_len).into_owned(),
            ];
            (emphasis, cells)
        })
    };
    let command_len = width.map_or(usize::MAX, |width| {
        let without = table(&columns(), cells(0), false);
        let heading = without.lines().next().unwrap_or_default();
        let others = heading.chars().count().saturating_sub("command".len());
        width.saturating_sub(others).max(COMMAND_MIN)
    });
    let mut shown = table(&columns(), cells(command_len), color);
    let remedies = remedies(rows.iter().map(|(candidate, _)| *candidate));
    if !remedies.is_empty() {
        shown.push('\n');
        shown.push_str(&remedies);
        shown.push('\n');
    }
    shown
}

/// One process in a line.
pub(crate) fn line(candidate: &Candidate, max_chars: usize) -> String {
    let python = candidate.python.as_deref().unwrap_or("?");
    let line = format!(
        "{:>7}  {python:<8}  {:>8}  up {:<8}  {}",
        candidate.pid,
        bytes(candidate.rss_bytes),
        duration(candidate.uptime),
        escape_controls(&candidate.command)
    );
    cut_end(&line, max_chars).into_owned()
}

/// What stands in the way of these, and what to do about it; each remedy once.
pub(crate) fn remedies<'a>(candidates: impl IntoIterator<Item = &'a Candidate>) -> String {
    let mut pids_by_help = BTreeMap::<String, Vec<(u32, String)>>::new();
    for candidate in candidates {
        if let Some(obstacle) = &candidate.obstacle
            && !candidate.has_door
        {
            pids_by_help
                .entry(obstacle.help())
                .or_default()
                .push((candidate.pid, obstacle.to_string()));
        }
    }
    let mut groups: Vec<_> = pids_by_help.into_iter().collect();
    groups.sort_by_key(|(_, processes)| processes.first().map(|process| process.0));
    let mut lines = Vec::new();
    for (help, processes) in groups {
        match processes.as_slice() {
            [(_, reason)] => lines.push(escape_controls(reason).into_owned()),
            several => {
                let pids: Vec<_> = several.iter().map(|(pid, _)| pid.to_string()).collect();
                lines.push(format!("processes {}:", pids.join(", ")));
            }
        }
        lines.extend(
            help.lines()
                .map(|line| format!("  {}", escape_controls(line))),
        );
    }
    lines.join("\n")
}

/// As one JSON document.
pub(crate) fn json(rows: &[Row<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        schema: &'static str,
        processes: Vec<Process<'a>>,
    }
    #[derive(Serialize)]
    struct Process<'a> {
        pid: u32,
        uid: u32,
        user: &'a str,
        python: Option<&'a str>,
        rss_bytes: u64,
        limit_bytes: Option<u64>,
        uptime_seconds: u64,
        command: &'a str,
        attachable: bool,
        door: bool,
        obstacle: Option<String>,
        remedy: Option<String>,
    }
    let processes = rows.iter().map(|(candidate, user)| Process {
        pid: candidate.pid,
        uid: candidate.uid,
        user,
        python: candidate.python.as_deref(),
        rss_bytes: candidate.rss_bytes,
        limit_bytes: candidate.limit_bytes,
        uptime_seconds: candidate.uptime.as_secs(),
        command: &candidate.command,
        attachable: candidate.obstacle.is_none() || candidate.has_door,
        door: candidate.has_door,
        obstacle: candidate.obstacle.as_ref().map(ToString::to_string),
        remedy: candidate.obstacle.as_ref().map(|obstacle| obstacle.help()),
    });
    let list = List {
        schema: PS_SCHEMA,
        processes: processes.collect(),
    };
    let mut document = serde_json::to_vec(&list).unwrap_or_default();
    document.push(b'\n');
    document
}

/// The ways in, or the reason without the process, which the line names anyway.
fn attach(candidate: &Candidate) -> String {
    let obstacle = match (&candidate.obstacle, candidate.has_door) {
        (None, false) => return "yes".into(),
        (None, true) => return "yes, door".into(),
        (Some(_), true) => return "door".into(),
        (Some(obstacle), false) => obstacle,
    };
    let reason = obstacle.to_string();
    let process = format!("process {} ", candidate.pid);
    let short = reason.strip_prefix(&process).unwrap_or(&reason);
    let short = short.strip_prefix("is ").unwrap_or(short);
    cut_end(&format!("no: {}", escape_controls(short)), REASON_LEN).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakhunt_attach::AttachError;
    use std::time::Duration;

    fn candidate(pid: u32, can: bool) -> Candidate {
        Candidate {
            pid,
            uid: 1000,
            python: can.then(|| "3.12.1".into()),
            rss_bytes: 412_000_000,
            limit_bytes: can.then_some(2 << 30),
            uptime: Duration::from_secs(3_700),
            command: "/usr/bin/python3 -m shop.server --port 8000".into(),
            has_door: false,
            obstacle: (!can).then_some(AttachError::NoSuchProcess { pid }),
        }
    }

    #[test]
    fn what_cannot_be_attached_has_its_reason_and_remedy() {
        let (one, two) = (candidate(412, true), candidate(4121, false));
        let rows = [(&one, "ann".to_owned()), (&two, "bob".to_owned())];
        assert_eq!(
            table_of(&rows, Some(83), false),
            "\x20pid  user  python     rss  limit   uptime  attach              command
 412  ann   3.12.1  412 MB  2 GiB  1 h 1 m  yes                 /usr/bin/python3 -…
4121  bob   ?       412 MB      -  1 h 1 m  no: does not exist  /usr/bin/python3 -…

process 4121 does not exist
  `leakhunt ps` lists what can be attached
"
        );
    }

    #[test]
    fn json_is_the_documented_schema() {
        let one = candidate(412, false);
        assert_eq!(
            String::from_utf8(json(&[(&one, "ann".into())])).unwrap(),
            concat!(
                r#"{"schema":"leakhunt.ps/1","processes":[{"pid":412,"uid":1000,"user":"ann","#,
                r#""python":null,"rss_bytes":412000000,"limit_bytes":null,"uptime_seconds":3700,"#,
                r#""command":"/usr/bin/python3 -m shop.server --port 8000","attachable":false,"door":false,"#,
                r#""obstacle":"process 412 does not exist","#,
                r#""remedy":"`leakhunt ps` lists what can be attached"}]}"#,
                "\n"
            )
        );
        let none = String::from_utf8(json(&[])).unwrap();
        assert_eq!(none, "{\"schema\":\"leakhunt.ps/1\",\"processes\":[]}\n");
    }
}
