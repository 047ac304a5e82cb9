use serde_json::{Value, json};

use super::*;
use crate::debug_mode::Before;
use crate::render::inventory::samples::{HOW, first_look};

fn shown(action: AsyncioDebugAction, how: &How) -> String {
    let changed = LoopMode {
        address: 16,
        type_name: "uvloop.Loop".into(),
        debug: Some(true),
        slow_callback_seconds: Some(0.05),
        is_running: Some(true),
        is_closed: Some(false),
        thread_name: Some("Main\x1bThread".into()),
        before: Some(Before {
            debug: false,
            slow_callback_seconds: Some(0.1),
        }),
        obstacle: None,
    };
    let other = LoopMode {
        address: 32,
        type_name: "asyncio.Loop".into(),
        debug: Some(false),
        is_running: Some(false),
        obstacle: Some("nothing leads to it".into()),
        ..LoopMode::default()
    };
    let listing = Listing {
        pause_us: 1500,
        ..first_look([changed, other])
    };
    let process = ProcessMode {
        has_asyncio: true,
        variable: true,
        root_level: Some(20),
        root_handlers: Some(1),
        asyncio_level: Some(0),
        root_level_before: Some(35),
        ..ProcessMode::default()
    };
    let view = DebugView {
        action,
        process: &process,
    };
    String::from_utf8(asyncio_debug(&listing, &view, how)).unwrap()
}

#[test]
fn a_table_says_what_was_before() {
    assert_eq!(
        shown(AsyncioDebugAction::On, &HOW),
        "\
loop          thread          debug mode           slow from  note
uvloop.Loop   Main\\x1bThread  on, was off  50 ms, was 100 ms
asyncio.Loop                  off                             not running, not reached
root logger at INFO, was at level 35
PYTHONASYNCIODEBUG is set: new loops start in debug mode
"
    );
}

#[test]
fn home_assistants_line_says_what_was_asked_for() {
    let how = How {
        format: InventoryFormat::Ha,
        ..HOW
    };
    assert_eq!(
        shown(AsyncioDebugAction::On, &how),
        "Setting asyncio debug to True\n"
    );
    assert_eq!(
        shown(AsyncioDebugAction::Off, &how),
        "Setting asyncio debug to False\n"
    );
}

#[test]
fn json_is_the_documented_schema() {
    let how = How {
        format: InventoryFormat::Json,
        limit: 1,
        ..HOW
    };
    let document: Value = serde_json::from_str(&shown(AsyncioDebugAction::On, &how)).unwrap();
    assert_eq!(
        document,
        json!({
            "schema": "leakhunt.asyncio_debug/1", "pid": 4121, "time": "1970-01-01T00:00:00.000Z",
            "look": 1, "action": "on", "pause_ms": 1.5, "root_level": 20, "root_level_before": 35,
            "root_handlers": 1, "asyncio_level": 0, "dev_mode": false, "variable": true,
            "n_loops": 2,
            "loops": [{
                "address": 16, "type": "uvloop.Loop", "thread": "Main\u{1b}Thread", "running": true,
                "closed": false, "debug": true, "slow_callback_seconds": 0.05, "changed": true,
                "debug_before": false, "slow_callback_seconds_before": 0.1, "obstacle": null,
                "is_new": false,
            }],
        })
    );
}
