use time::macros::datetime;

use super::*;
use crate::commands::inventory::Held;
use crate::kernel_sockets::State;
use crate::render::inventory::samples::{HOW, first_look};
use crate::sockets::{Mark, PythonObject, Role};

fn socket() -> Socket {
    Socket {
        inode: Some(30),
        fds: vec![5],
        family: "inet".into(),
        protocol: "tcp".into(),
        state: Some(State::CloseWait),
        local: Some("10.0.0.1:40000".into()),
        peer: Some("10.0.0.5:5432".into()),
        receive_queue: Some(1),
        send_queue: Some(0),
        idle_ms: Some(7_200_000),
        objects: vec![PythonObject {
            address: 4096,
            type_name: "socket.socket".into(),
            size_bytes: 104,
            role: Role::Socket,
        }],
        held: Some(Held {
            path: "shop.db.POOL[0]".into(),
            holder: "shop.db.POOL".into(),
            package: "shop".into(),
            retained_bytes: 104,
        }),
        group: "CLOSE_WAIT to 10.0.0.5:5432".into(),
        ..Socket::default()
    }
}

fn closed() -> Socket {
    Socket {
        marks: vec![Mark::Closed],
        family: "unix".into(),
        protocol: "stream\x1b[2J".into(),
        group: "closed, still referenced".into(),
        ..Socket::default()
    }
}

fn listing(items: Vec<Item>) -> Listing<Item> {
    let mut groups: Vec<Group> = items
        .iter()
        .map(|item| Group {
            name: item.group(),
            count: 1,
            delta: 0,
        })
        .collect();
    groups[0].delta = 3;
    let mut listing = Listing {
        time: datetime!(2026-02-03 04:05:06.789 UTC),
        look: 2,
        is_repeated: true,
        groups,
        n_gone: 1,
        pause_us: 1_500,
        ..first_look(items)
    };
    listing.items[0].is_new = true;
    listing
}

fn items() -> Vec<Item> {
    vec![
        Item::Socket(Box::new(socket())),
        Item::Socket(Box::new(closed())),
        Item::Descriptor(OtherDescriptor {
            fd: 1,
            kind: "pipe".into(),
            what: "inode 77".into(),
        }),
    ]
}

fn how(format: InventoryFormat, limit: usize) -> How {
    How {
        format,
        limit,
        ..HOW
    }
}

#[test]
fn a_look_is_shown_with_its_groups_first() {
    let shown = render(&listing(items()), &how(InventoryFormat::Table, 50), true);
    let expected = "\
look 2: process 4121: 1 socket, 1 object without one, 1 gone, pause 1.5 ms
       1  CLOSE_WAIT to 10.0.0.5:5432  +3
       1  closed, still referenced

fd     kind                state                     recv-q  send-q  local           peer           idle  object         bytes  held by
5 new  tcp                 CLOSE_WAIT                     1       0  10.0.0.1:40000  10.0.0.5:5432   2 h  socket.socket  104 B  shop.db.POOL[0]
       unix stream\\x1b[2J  closed, still referenced

1 other descriptor
       1  pipe

fd  kind  what
1   pipe  inode 77

";
    assert_eq!(String::from_utf8(shown).unwrap(), expected);
}

#[test]
fn the_limit_is_told_and_a_terminal_is_not_overflown() {
    let shown = render(&listing(items()), &how(InventoryFormat::Table, 1), false);
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains("1 socket more; --limit 0 shows all"),
        "{shown}"
    );
    assert!(!shown.contains("pipe"), "{shown}");
    let mut long = socket();
    long.held.as_mut().unwrap().path = "x".repeat(200);
    let narrow = How {
        width: Some(140),
        ..how(InventoryFormat::Table, 0)
    };
    let shown = render(&listing(vec![Item::Socket(Box::new(long))]), &narrow, false);
    let shown = String::from_utf8(shown).unwrap();
    let widest = shown.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(140), "{widest:?}: {shown}");
}

#[test]
fn json_has_all_of_a_look() {
    let shown = render(&listing(items()), &how(InventoryFormat::Json, 0), true);
    let line: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(line["schema"], "leakhunt.sockets/1");
    assert_eq!(line["time"], "2026-02-03T04:05:06.789Z");
    assert_eq!(line["groups"][0]["delta"], 3);
    assert_eq!(line["groups"].as_array().unwrap().len(), 2);
    let socket = &line["sockets"][0];
    assert_eq!(socket["state"], "CLOSE_WAIT");
    assert_eq!(socket["path"], "shop.db.POOL[0]");
    assert_eq!(socket["objects"][0]["address"], 4096);
    assert_eq!(line["sockets"][1]["marks"], serde_json::json!(["closed"]));
    assert_eq!(line["descriptors"]["list"][0]["kind"], "pipe");
    let shown = render(&listing(items()), &how(InventoryFormat::Json, 0), false);
    let line: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    assert!(line.get("descriptors").is_none());
}

#[test]
fn home_assistant_has_one_head_for_all() {
    let text = |n: u64| SocketRepr {
        address: n,
        text: format!("<socket.socket fd={n}>"),
    };
    let listing = first_look([text(3), text(4)]);
    let shown = ha(&listing, &how(InventoryFormat::Ha, 0));
    assert_eq!(
        String::from_utf8(shown).unwrap(),
        "Sockets used by Home Assistant:\n<socket.socket fd=3>\n<socket.socket fd=4>\n"
    );
}

#[test]
fn what_match_looks_at_has_types_peers_and_holders() {
    let text = Item::Socket(Box::new(socket())).text();
    for part in [
        "CLOSE_WAIT",
        "10.0.0.5:5432",
        "socket.socket",
        "shop.db.POOL",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
