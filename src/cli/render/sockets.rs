//! The sockets of a process, for people.

mod json;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::inventory::{limited, n_shown, pause};
use super::numbers::{bytes, count, counted, duration};
use super::table::{Column, Emphasis, number, table, text};
use super::text::{cut_end, cut_start, escape_controls};
use crate::args::InventoryFormat;
use crate::commands::inventory::{Group, How, Listed, Listing};
use crate::sockets::{OtherDescriptor, Socket};

/// What is listed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Socket(Box<Socket>),
    Descriptor(OtherDescriptor),
}

/// The `repr` of a socket object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SocketRepr {
    pub(crate) address: u64,
    pub(crate) text: String,
}

/// So many groups stand above the table; JSON has all.
const MOST_GROUPS: usize = 10;
/// Names are cut to this in the table.
const NAME_MAX: usize = 60;
/// Paths are never cut to less.
const NAME_MIN: usize = 24;
const ENDPOINT_MAX: usize = 40;

impl Item {
    pub(crate) fn key(&self) -> u64 {
        match self {
            Self::Socket(socket) => socket.key(),
            Self::Descriptor(descriptor) => descriptor.key(),
        }
    }

    pub(crate) fn group(&self) -> String {
        match self {
            Self::Socket(socket) => socket.group.clone(),
            Self::Descriptor(descriptor) => descriptor.kind.clone(),
        }
    }

    /// All that stands in its line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Socket(socket) => {
                let mut text = cells(socket).join(" ");
                for object in &socket.objects {
                    let _ = write!(text, " {}", object.type_name);
                }
                for part in [&socket.tls, &socket.server_name].into_iter().flatten() {
                    let _ = write!(text, " {part}");
                }
                let _ = write!(text, " {}", socket.group);
                if let Some(held) = &socket.held {
                    let _ = write!(text, " {} {}", held.path, held.holder);
                }
                text
            }
            Self::Descriptor(one) => format!("{} {} {}", one.fd, one.kind, one.what),
        }
    }
}

/// A look in the format that was asked for.
pub(crate) fn render(listing: &Listing<Item>, how: &How, has_descriptors: bool) -> Vec<u8> {
    match how.format {
        InventoryFormat::Json => json::line(listing, how, has_descriptors),
        InventoryFormat::Table | InventoryFormat::Ha => {
            tables(listing, how, has_descriptors).into_bytes()
        }
    }
}

/// As Home Assistant's profiler logs it, which has one text for all programs.
pub(crate) fn ha(listing: &Listing<SocketRepr>, how: &How) -> Vec<u8> {
    let mut lines = vec!["Sockets used by Home Assistant:".to_owned()];
    let shown = limited(listing.items.iter(), how);
    lines.extend(shown.map(|one| escape_controls(&one.item.text).into_owned()));
    let mut text = lines.join("\n");
    text.push('\n');
    text.into_bytes()
}

fn sockets(listing: &Listing<Item>) -> impl Iterator<Item = (&Listed<Item>, &Socket)> {
    listing.items.iter().filter_map(|one| match &one.item {
        Item::Socket(socket) => Some((one, &**socket)),
        Item::Descriptor(_) => None,
    })
}

fn descriptors(listing: &Listing<Item>) -> impl Iterator<Item = (&Listed<Item>, &OtherDescriptor)> {
    listing.items.iter().filter_map(|one| match &one.item {
        Item::Socket(_) => None,
        Item::Descriptor(descriptor) => Some((one, descriptor)),
    })
}

/// The groups that sockets are in, and those of other descriptors.
fn split_groups(listing: &Listing<Item>) -> (Vec<&Group>, Vec<&Group>) {
    let of_sockets: BTreeSet<&str> = sockets(listing)
        .map(|(_, socket)| socket.group.as_str())
        .collect();
    listing
        .groups
        .iter()
        .partition(|group| of_sockets.contains(group.name.as_str()))
}

fn tables(listing: &Listing<Item>, how: &How, has_descriptors: bool) -> String {
    let mut out = head(listing);
    let (of_sockets, of_others) = split_groups(listing);
    group_lines(&mut out, &of_sockets);
    let n_sockets = sockets(listing).count();
    if n_sockets > 0 {
        out.push('\n');
        out.push_str(&socket_table(listing, how));
        more(&mut out, n_sockets, how, "socket");
    }
    if has_descriptors {
        let n_others = descriptors(listing).count();
        let _ = writeln!(out, "\n{}", counted(n_others as u64, "other descriptor"));
        group_lines(&mut out, &of_others);
        if n_others > 0 {
            out.push('\n');
            out.push_str(&descriptor_table(listing, how));
            more(&mut out, n_others, how, "descriptor");
        }
    }
    if listing.is_repeated {
        out.push('\n');
    }
    out
}

fn head(listing: &Listing<Item>) -> String {
    let n_kernel = sockets(listing).filter(|(_, socket)| socket.inode.is_some());
    let n_kernel = n_kernel.count() as u64;
    let n_all = sockets(listing).count() as u64;
    let mut head = String::new();
    if listing.is_repeated {
        let _ = write!(head, "look {}: ", listing.look);
    }
    let _ = write!(
        head,
        "process {}: {}",
        listing.pid,
        counted(n_kernel, "socket")
    );
    if n_all > n_kernel {
        let _ = write!(
            head,
            ", {} without one",
            counted(n_all - n_kernel, "object")
        );
    }
    if listing.n_gone > 0 {
        let _ = write!(head, ", {} gone", count(listing.n_gone as u64));
    }
    let _ = writeln!(head, ", pause {}", pause(listing));
    head
}

fn group_lines(out: &mut String, groups: &[&Group]) {
    for group in groups.iter().take(MOST_GROUPS) {
        let _ = write!(
            out,
            "  {:>6}  {}",
            count(group.count as u64),
            cut_end(&escape_controls(&group.name), 2 * NAME_MAX)
        );
        if group.delta != 0 {
            let _ = write!(out, "  {:+}", group.delta);
        }
        out.push('\n');
    }
    if groups.len() > MOST_GROUPS {
        let rest: usize = groups[MOST_GROUPS..].iter().map(|one| one.count).sum();
        let kinds = counted((groups.len() - MOST_GROUPS) as u64, "other kind");
        let _ = writeln!(out, "  {:>6}  of {kinds}", count(rest as u64));
    }
}

fn more(out: &mut String, n_all: usize, how: &How, what: &str) {
    let n_hidden = n_all - n_shown(n_all, how);
    if n_hidden > 0 {
        let rest = counted(n_hidden as u64, what);
        let _ = writeln!(out, "{rest} more; --limit 0 shows all");
    }
}

const COLUMNS: [fn() -> Column; 11] = [
    || text("fd"),
    || text("kind"),
    || text("state"),
    || number("recv-q"),
    || number("send-q"),
    || text("local"),
    || text("peer"),
    || number("idle"),
    || text("object"),
    || number("bytes"),
    || text("held by"),
];

fn socket_table(listing: &Listing<Item>, how: &How) -> String {
    let columns: Vec<Column> = COLUMNS.iter().map(|column| column()).collect();
    let shown: Vec<(Emphasis, Vec<String>)> = limited(sockets(listing), how)
        .map(|(one, socket)| {
            let mut cells = cells(socket).to_vec();
            if one.is_new {
                cells[0].push_str(" new");
            }
            let emphasis = match socket.rank() {
                0..=3 => Emphasis::Strong,
                11 => Emphasis::Weak,
                _ => Emphasis::None,
            };
            (emphasis, cells)
        })
        .collect();
    table(&columns, fitted(shown, how.width), how.color)
}

/// Cuts the last column, which names can make long, to what the others leave of a terminal.
fn fitted(
    mut rows: Vec<(Emphasis, Vec<String>)>,
    width: Option<usize>,
) -> Vec<(Emphasis, Vec<String>)> {
    let Some(width) = width else {
        return rows;
    };
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|(_, cells)| cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let last = COLUMNS.len() - 1;
    let others: usize = (0..last)
        .map(|column| widest(column).max(COLUMNS[column]().heading.len()) + 2)
        .sum();
    let most = width.saturating_sub(others).max(NAME_MIN);
    for (_, cells) in &mut rows {
        if let Some(cell) = cells.get_mut(last) {
            *cell = cut_start(cell, most).into_owned();
        }
    }
    rows
}

/// The line of a socket, by column.
fn cells(socket: &Socket) -> [String; 11] {
    let fds: Vec<String> = socket.fds.iter().map(u32::to_string).collect();
    let kind = match (socket.family.as_str(), socket.protocol.as_str()) {
        ("inet6", protocol) => format!("{protocol}6"),
        ("inet" | "", protocol) => protocol.to_owned(),
        (family, protocol) => format!("{family} {protocol}"),
    };
    let marks: Vec<String> = socket
        .marks
        .iter()
        .map(crate::sockets::Mark::text)
        .collect();
    let state = match (socket.state, marks.join("; ")) {
        (Some(state), marks) if marks.is_empty() => state.to_string(),
        (Some(state), marks) => format!("{state} ({marks})"),
        (None, marks) => marks,
    };
    let number = |value: Option<u64>| value.map(count).unwrap_or_default();
    let end = |end: &Option<String>| {
        let end = end.as_deref().unwrap_or_default();
        cut_start(&escape_controls(end), ENDPOINT_MAX).into_owned()
    };
    let idle = socket.idle_ms.map(Duration::from_millis);
    let object = socket.object().map(|object| object.type_name.as_str());
    let user = socket.used_by.as_ref().map(|(type_name, _)| type_name);
    let object = match (object, user) {
        (Some(object), Some(user)) => format!("{object} of {user}"),
        (object, _) => object.unwrap_or_default().to_owned(),
    };
    let held = socket.held.as_ref();
    let held = held.map(|held| held.known_path().unwrap_or(&held.holder));
    let size = socket.object().map(|_| bytes(socket.size_bytes()));
    [
        fds.join(" "),
        escape_controls(&kind).into_owned(),
        escape_controls(&state).into_owned(),
        number(socket.receive_queue),
        number(socket.send_queue),
        end(&socket.local),
        end(&socket.peer),
        idle.map(duration).unwrap_or_default(),
        cut_start(&escape_controls(&object), 2 * NAME_MAX).into_owned(),
        size.unwrap_or_default(),
        held.map(|held| escape_controls(held).into_owned())
            .unwrap_or_default(),
    ]
}

fn descriptor_table(listing: &Listing<Item>, how: &How) -> String {
    let rows = limited(descriptors(listing), how).map(|(one, descriptor)| {
        let new = if one.is_new { " new" } else { "" };
        let cells = vec![
            format!("{}{new}", descriptor.fd),
            escape_controls(&descriptor.kind).into_owned(),
            escape_controls(&descriptor.what).into_owned(),
        ];
        (Emphasis::None, cells)
    });
    table(&[text("fd"), text("kind"), text("what")], rows, how.color)
}
