//! `leakhunt sockets --format ha`: what Home Assistant's profiler logs.

use super::nothing;
use crate::commands::inventory::{self, How, Inventory, Listing, Scene, Taken};
use crate::failure::Failure;
use crate::render::sockets::{SocketRepr, ha};
use crate::rounds::LookEnd;
use crate::session::{Link, Probe, Session};

/// As `objgraph.by_type("socket")`: whatever the module.
const TYPES: [&str; 1] = ["socket"];
const PROBE: &str = include_str!("../../probes/socket_reprs.py");

/// The `repr` of each object whose type is called `socket`.
pub(super) struct SocketReprs;

impl Inventory for SocketReprs {
    type Item = SocketRepr;

    fn take<L: Link>(
        &mut self,
        session: &mut Session<L>,
        scene: &Scene<'_>,
    ) -> Result<Taken<SocketRepr>, LookEnd> {
        let probe = Probe {
            keeps_sockets: true,
            ..scene.probe(&TYPES, PROBE)
        };
        let probed = inventory::probed(session, scene, &probe)?;
        let items = probed
            .rows
            .into_iter()
            .filter_map(|row| {
                Some(SocketRepr {
                    address: row.address,
                    text: row.value.as_str()?.to_owned(),
                })
            })
            .collect();
        Ok(Taken {
            items,
            missing: probed.missing,
            pause_us: probed.pause_us,
        })
    }

    fn key(&self, item: &SocketRepr) -> u64 {
        item.address
    }

    fn group(&self, _: &SocketRepr) -> String {
        String::new()
    }

    fn text(&self, item: &SocketRepr) -> String {
        item.text.clone()
    }

    fn render(&self, listing: &Listing<SocketRepr>, how: &How) -> Vec<u8> {
        ha(listing, how)
    }

    fn nothing(&self, pid: u32) -> Failure {
        nothing(pid)
    }
}
