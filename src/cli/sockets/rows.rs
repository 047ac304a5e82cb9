//! What the probe tells of each object.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::Role;
use crate::kernel_sockets::family_name;
use crate::session::Row;

/// What `probes/sockets.py` yields; what is absent is not known or does not apply.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Told {
    pub(super) role: Option<Role>,
    pub(super) fd: Option<i64>,
    pub(super) family: Option<u64>,
    pub(super) r#type: Option<u64>,
    pub(super) protocol: Option<u64>,
    pub(super) is_closed: bool,
    pub(super) is_closing: bool,
    pub(super) n_files: Option<i64>,
    pub(super) local: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) server_name: Option<String>,
    pub(super) wraps: Vec<u64>,
    pub(super) buffered_bytes: Option<u64>,
    pub(super) used_by: Option<String>,
    pub(super) used_by_address: Option<u64>,
}

/// An object and all that was told of it.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) address: u64,
    pub(super) type_name: String,
    pub(super) size_bytes: u64,
    /// One; of a server one for each of its sockets.
    pub(super) told: Vec<Told>,
}

/// The rows by object; those that are not as they should be are left out.
pub(super) fn objects(rows: &[Row]) -> BTreeMap<u64, Object> {
    let mut objects = BTreeMap::<u64, Object>::new();
    for row in rows {
        let Ok(told) = Told::deserialize(&row.value) else {
            continue;
        };
        let object = objects.entry(row.address).or_insert_with(|| Object {
            address: row.address,
            type_name: row.type_name.clone(),
            size_bytes: row.size_bytes,
            told: Vec::new(),
        });
        match object.told.last_mut() {
            // What a TLS session tells comes in a row of its own.
            Some(first) if told.role.is_none() => {
                first.tls = told.tls;
                first.server_name = told.server_name;
            }
            _ if told.role.is_some() => object.told.push(told),
            _ => {}
        }
    }
    objects.retain(|_, object| !object.told.is_empty());
    objects
}

impl Told {
    /// Family and protocol by Python's numbers, in the words of [`super::Socket`].
    pub(super) fn kind(&self) -> (&'static str, &'static str) {
        let family = self.family.map_or("", family_name);
        let protocol = match (family, self.r#type, self.protocol) {
            ("inet" | "inet6", _, Some(132)) => "sctp",
            ("inet" | "inet6", Some(1), Some(262)) => "mptcp",
            ("inet" | "inet6", Some(1), _) => "tcp",
            ("inet" | "inet6", Some(2), _) => "udp",
            (_, Some(1), _) => "stream",
            (_, Some(2), _) => "dgram",
            (_, Some(3), _) => "raw",
            (_, Some(5), _) => "seqpacket",
            _ => "",
        };
        (family, protocol)
    }
}
