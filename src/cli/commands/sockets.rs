//! `leakhunt sockets`.

mod reprs;

use std::collections::HashMap;

use super::inventory::{self, Held, Inventory, Listing, Scene, Taken, holders};
use crate::args::{Common, InventoryFormat, SocketsArgs};
use crate::failure::{Exit, Failure};
use crate::kernel_sockets::{kernel_sockets, within};
use crate::kernel_view::descriptor_links;
use crate::output::Output;
use crate::render::sockets::{Item, render};
use crate::rounds::LookEnd;
use crate::session::{Link, Probe, Session};
use crate::sockets::{
    Kernel, PROBE, Socket, TYPES, UVLOOP_TYPES, join, other_descriptors, uses_uvloop,
};

pub(super) fn run(args: &SocketsArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    if args.inventory.format(common) == InventoryFormat::Ha {
        return inventory::run(reprs::SocketReprs, &args.inventory, common, output);
    }
    let sockets = Sockets {
        all: args.all,
        quick: args.quick,
        held: HashMap::new(),
    };
    inventory::run(sockets, &args.inventory, common, output)
}

/// The sockets of a process.
struct Sockets {
    /// Whether other descriptors are taken, too.
    all: bool,
    /// Whether holders are left out.
    quick: bool,
    /// Who held what at the looks before, by [`Socket::key`] and the object's address.
    held: HashMap<(u64, u64), Held>,
}

impl Inventory for Sockets {
    type Item = Item;

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<Item>, LookEnd> {
        let before = descriptor_links(scene.pid);
        let mut probed = inventory::probed(session, scene, &scene.probe(&TYPES, PROBE))?;
        if uses_uvloop(&probed.rows) {
            // Its transports ask their sockets for addresses.
            let probe = Probe {
                keeps_sockets: true,
                ..scene.probe(&UVLOOP_TYPES, PROBE)
            };
            let of_uvloop = inventory::probed(session, scene, &probe)?;
            probed.rows.extend(of_uvloop.rows);
            probed.missing.extend(of_uvloop.missing);
            probed.pause_us += of_uvloop.pause_us;
        }
        let within = within(&session.sockets()?);
        let after = descriptor_links(scene.pid);
        let seen = kernel_sockets(scene.pid, &after);
        let others = if self.all {
            other_descriptors(&after)
        } else {
            Vec::new()
        };
        let kernel = Kernel {
            before,
            after,
            seen,
            within,
        };
        let mut sockets = join(&probed.rows, &kernel);
        if !self.quick {
            self.name_holders(&mut sockets, session, scene)?;
        }
        let sockets = sockets.into_iter().map(|one| Item::Socket(Box::new(one)));
        let others = others.into_iter().map(Item::Descriptor);
        Ok(Taken {
            items: sockets.chain(others).collect(),
            missing: probed.missing,
            pause_us: probed.pause_us,
        })
    }

    fn key(&self, item: &Item) -> u64 {
        item.key()
    }

    fn group(&self, item: &Item) -> String {
        item.group()
    }

    fn text(&self, item: &Item) -> String {
        item.text()
    }

    fn render(&self, listing: &Listing<Item>, how: &inventory::How) -> Vec<u8> {
        render(listing, how, self.all)
    }

    fn nothing(&self, pid: u32) -> Failure {
        nothing(pid)
    }
}

fn nothing(pid: u32) -> Failure {
    Failure::new(Exit::Nothing, format!("process {pid} has no sockets"))
        .with_help("`leakhunt sockets --all` shows its other descriptors")
}

impl Sockets {
    /// Takes the graph of the heap where there is a socket whose holder is not known yet.
    fn name_holders<L: Link>(
        &mut self,
        sockets: &mut [Socket],
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<(), LookEnd> {
        let key = |socket: &Socket| Some((socket.key(), socket.object()?.address));
        let is_new = |socket: &Socket| key(socket).is_some_and(|key| !self.held.contains_key(&key));
        let held = if sockets.iter().any(is_new) {
            let holders = holders(session, scene)?;
            sockets
                .iter()
                .filter_map(|socket| {
                    let around = socket.objects.iter();
                    let around = around.map(|one| (one.address, one.type_name.as_str()));
                    let user = socket.used_by.as_ref();
                    let user = user.map(|(type_name, address)| (*address, type_name.as_str()));
                    let held = user
                        .into_iter()
                        .chain(around)
                        .filter_map(|(address, type_name)| {
                            Some(holders.of(holders.object(address, type_name)?))
                        })
                        .filter(|held| !held.path.is_empty())
                        .min_by_key(plainness)?;
                    Some((key(socket)?, held))
                })
                .collect()
        } else {
            std::mem::take(&mut self.held)
        };
        for socket in sockets {
            socket.held = key(socket).and_then(|key| held.get(&key).cloned());
        }
        self.held = held;
        Ok(())
    }
}

/// Which of several ways to the objects of a socket says most: one by the program's own names before one by
/// an event loop's registry, then the shorter one.
fn plainness(held: &Held) -> (bool, bool, usize) {
    let is_registry = [
        "_selector",
        "_fd_to_key",
        "_transports",
        "_ready",
        "_scheduled",
    ]
    .iter()
    .any(|part| held.path.contains(part));
    (is_registry, held.holder.is_empty(), held.path.len())
}
