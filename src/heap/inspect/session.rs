//! Sessions, connections and executors that were closed, told by an attribute that is a constant then.

use super::Found;
use super::view::View;
use crate::attributes::{attribute, entry};
use crate::snapshot::ObjId;

/// A class whose instances show that they are closed.
struct Closed {
    /// Module and qualified name.
    class: (&'static str, &'static str),
    attribute: &'static str,
    /// What the attribute is then.
    value: Value,
    reason: &'static str,
}

/// An object that is known without its value.
enum Value {
    /// `None` or `True`.
    Constant(&'static str),
    /// A member of an enumeration: its module, its name, and the member's.
    Member(&'static str, &'static str, &'static str),
}

/// `requests.Session` shows nothing: it can be used again after `close()`.
const KNOWN: [Closed; 9] = [
    Closed {
        class: ("aiohttp.client", "ClientSession"),
        attribute: "_connector",
        value: Value::Constant("None"),
        reason: "closed client session",
    },
    Closed {
        class: ("aiohttp.connector", "BaseConnector"),
        attribute: "_closed",
        value: Value::Constant("True"),
        reason: "closed connector",
    },
    Closed {
        class: ("httpx._client", "Client"),
        attribute: "_state",
        value: Value::Member("httpx._client", "ClientState", "CLOSED"),
        reason: "closed client",
    },
    Closed {
        class: ("httpx._client", "AsyncClient"),
        attribute: "_state",
        value: Value::Member("httpx._client", "ClientState", "CLOSED"),
        reason: "closed client",
    },
    Closed {
        class: ("urllib3.connectionpool", "HTTPConnectionPool"),
        attribute: "pool",
        value: Value::Constant("None"),
        reason: "closed connection pool",
    },
    Closed {
        class: ("asyncio.selector_events", "_SelectorTransport"),
        attribute: "_sock",
        value: Value::Constant("None"),
        reason: "closed transport",
    },
    Closed {
        class: ("asyncio.base_events", "BaseEventLoop"),
        attribute: "_closed",
        value: Value::Constant("True"),
        reason: "closed event loop",
    },
    Closed {
        class: ("multiprocessing.connection", "_ConnectionBase"),
        attribute: "_handle",
        value: Value::Constant("None"),
        reason: "closed connection",
    },
    Closed {
        class: ("concurrent.futures.thread", "ThreadPoolExecutor"),
        attribute: "_shutdown",
        value: Value::Constant("True"),
        reason: "executor that was shut down",
    },
];

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    for known in &KNOWN {
        let Some(value) = object_of(view, &known.value) else {
            continue;
        };
        for object in view.instances_of(&[known.class]) {
            let its = attribute(view.snapshot, object, known.attribute);
            if its == Some(value) && !view.is_in_hand(object) {
                found.leaking(object, known.reason);
            }
        }
    }
}

fn object_of(view: &View<'_>, value: &Value) -> Option<ObjId> {
    match *value {
        Value::Constant(name) => view.constant(name),
        Value::Member(module, class, member) => {
            let class = view.global(module, class)?;
            let members = attribute(view.snapshot, class, "_member_map_")?;
            entry(view.snapshot, members, member)
        }
    }
}
