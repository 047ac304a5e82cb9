//! Threads for people, as JSON, and as Home Assistant logs them.

mod json;
mod stacks;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use leakhunt_attach::{GilState, LockKind};

use super::inventory::{changes, limited, shown, target_and_moment};
use super::numbers::{count, counted, duration};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_end, escape_controls};
use crate::args::InventoryFormat;
use crate::commands::inventory::{How, Listed, Listing};
use crate::threads::{Look, Source, SourceLines, Thread, Wait, format_stack};

/// How much of each thread the text shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ThreadsDepth {
    /// A line.
    Table,
    Stacks,
    /// Stacks, with local variables.
    Locals,
}

/// A look, and how it is to be shown.
#[derive(Debug)]
pub(crate) struct ThreadsView<'a> {
    pub(crate) listing: &'a Listing<Thread>,
    /// Beside the threads.
    pub(crate) look: &'a Look,
    pub(crate) depth: ThreadsDepth,
    /// Whether the main thread is logged, too.
    pub(crate) with_main: bool,
    pub(crate) how: &'a How,
}

impl ThreadsView<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.how.format {
            InventoryFormat::Json => return json::document(self),
            InventoryFormat::Ha => return self.as_logged().into_bytes(),
            InventoryFormat::Table => {}
        }
        let mut text = self.heading();
        text.push_str(&self.deadlock());
        text.push_str(&match self.depth {
            ThreadsDepth::Table => self.table(),
            ThreadsDepth::Stacks | ThreadsDepth::Locals => stacks::text(self),
        });
        text.push_str(&self.left_out());
        text.push_str(&self.growth());
        if self.listing.is_repeated {
            text.push('\n');
        }
        text.into_bytes()
    }

    /// The threads that are shown.
    fn shown(&self) -> &[Listed<Thread>] {
        shown(&self.listing.items, self.how)
    }

    /// `Thread [%s]: %s` of each thread that `threading` knows, but the main one.
    fn as_logged(&self) -> String {
        let mut sources = SourceLines::of(self.listing.pid);
        let mut text = String::new();
        let logged = self
            .listing
            .items
            .iter()
            .filter(|one| one.item.name.is_some() && (self.with_main || !one.item.is_main));
        for Listed { item, .. } in limited(logged, self.how) {
            let stack = format_stack(&item.frames, &mut sources);
            let _ = writeln!(text, "Thread [{}]: {stack}", escape_controls(item.label()));
        }
        text
    }

    fn heading(&self) -> String {
        let n_python = self.threads().filter(|one| !one.is_native()).count();
        let mut text = format!(
            "{}: {}",
            target_and_moment(self.listing),
            counted(n_python as u64, "thread")
        );
        if self.look.n_native > 0 {
            let _ = write!(
                text,
                ", {} of native code",
                count(self.look.n_native as u64)
            );
        }
        let _ = write!(text, "; {}", self.gil());
        text.push_str(&changes(self.listing));
        if self.look.source == Source::Outside {
            text.push_str("; read from outside");
        }
        text.push('\n');
        text
    }

    fn gil(&self) -> String {
        match self.look.gil {
            GilState::Held => {
                let holder = self.threads().find(|one| one.holds_gil == Some(true));
                match holder {
                    Some(holder) => format!("{} has the GIL", who(holder)),
                    None => "the GIL is taken".into(),
                }
            }
            GilState::Free => "nobody has the GIL".into(),
            GilState::Absent => "no GIL".into(),
            GilState::Unknown => "who has the GIL is not known".into(),
        }
    }

    fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.listing.items.iter().map(|one| &one.item)
    }

    /// Who waits for whom in a ring.
    fn deadlock(&self) -> String {
        let mut text = String::new();
        for thread in self.threads().filter(|one| one.is_deadlocked) {
            if text.is_empty() {
                text.push_str("deadlock:\n");
            }
            let _ = writeln!(text, "  {} {}", who(thread), self.waits_for(thread));
        }
        text
    }

    /// `waits for a Lock that worker-1 (4125) has`, `sleeps`, `runs`.
    fn waits_for(&self, thread: &Thread) -> String {
        let call = thread.syscall.as_deref().unwrap_or_default();
        if thread.state == Some('D') {
            return format!("waits in {call}, cannot be woken");
        }
        match thread.wait {
            Wait::Unknown => "not known".into(),
            Wait::Nothing => "runs".into(),
            Wait::Gil => "waits for the GIL".into(),
            Wait::Lock => match &thread.lock {
                None => "waits for a lock".into(),
                Some(lock) => {
                    let kind = match lock.kind {
                        LockKind::Lock => "a Lock",
                        LockKind::RLock => "an RLock",
                    };
                    match lock.holder.and_then(|ident| self.by_ident(ident)) {
                        Some(holder) => format!("waits for {kind} that {} has", who(holder)),
                        None => format!("waits for {kind}"),
                    }
                }
            },
            Wait::Poll => format!("waits in {call}"),
            Wait::Sleep => "sleeps".into(),
            Wait::Call => format!("waits in {call}"),
            Wait::Stopped => "stopped".into(),
        }
    }

    fn by_ident(&self, ident: u64) -> Option<&Thread> {
        self.threads().find(|one| one.ident == Some(ident))
    }

    fn table(&self) -> String {
        const LONGEST: usize = 60;
        let columns = [
            text("thread"),
            number("id"),
            number("cpu"),
            text("does"),
            text("at"),
            text(""),
        ];
        let rows = self.shown().iter().map(|one| {
            let thread = &one.item;
            let at = thread.frames.first().map_or_else(
                || "-".to_owned(),
                |frame| {
                    let line = frame.line.map_or("?".into(), |line| line.to_string());
                    format!("{} ({}:{line})", frame.function(), file_name(&frame.file))
                },
            );
            let emphasis = match (one.is_new || thread.is_deadlocked, thread.is_native()) {
                (true, _) => Emphasis::Strong,
                (_, true) => Emphasis::Weak,
                _ => Emphasis::None,
            };
            let cells = vec![
                cut_end(&escape_controls(thread.label()), LONGEST).into_owned(),
                thread.native_id.map_or("-".into(), |id| id.to_string()),
                cpu(thread),
                escape_controls(&self.waits_for(thread)).into_owned(),
                cut_end(&escape_controls(&at), LONGEST).into_owned(),
                marks(one).join(", "),
            ];
            (emphasis, cells)
        });
        table(&columns, rows, self.how.color)
    }

    fn left_out(&self) -> String {
        let n_left = self.listing.items.len() - self.shown().len();
        match n_left {
            0 => String::new(),
            n_left => format!("{} more; --limit 0 shows all\n", count(n_left as u64)),
        }
    }

    /// Which groups have more threads than at the look before.
    fn growth(&self) -> String {
        let mut text = String::new();
        for group in self.listing.groups.iter().filter(|group| group.delta > 0) {
            if text.is_empty() {
                text.push_str("more threads than at the look before:\n");
            }
            let name = escape_controls(&group.name);
            let _ = writeln!(text, "  {name}: {} (+{})", group.count, group.delta);
        }
        text
    }
}

/// `worker-1 (4125)`.
fn who(thread: &Thread) -> String {
    let name = escape_controls(thread.label());
    match thread.native_id {
        Some(id) => format!("{name} ({id})"),
        None => name.into_owned(),
    }
}

fn cpu(thread: &Thread) -> String {
    match thread.state {
        // The kernel counts in steps of 10 ms.
        Some(_) if thread.cpu_time().is_zero() => "0 ms".into(),
        Some(_) => duration(thread.cpu_time()),
        None => "-".into(),
    }
}

/// What is to be noted of a thread.
fn marks(one: &Listed<Thread>) -> Vec<&'static str> {
    let thread = &one.item;
    let marks = [
        (one.is_new, "new"),
        (thread.holds_gil == Some(true), "has the GIL"),
        (thread.is_deadlocked, "deadlock"),
        (thread.is_daemon == Some(true), "daemon"),
        (thread.is_native(), "native"),
        (thread.is_torn, "torn"),
    ];
    let marks = marks.into_iter().filter(|mark| mark.0);
    marks.map(|mark| mark.1).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
