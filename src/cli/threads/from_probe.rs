//! What the probe in the copy tells: see `probes/threads.py`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Frame, Look, Place, Source, Thread};
use crate::session::Row;

/// What the rows say.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The agent's own thread.
    own: Option<u64>,
    /// In the order of `threading.enumerate()`.
    known: Vec<Known>,
    /// By ident, newest first.
    stacks: BTreeMap<u64, Vec<Frame>>,
    /// Rows that make no sense.
    pub(crate) n_unreadable: usize,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RowValue {
    Own {
        own: u64,
    },
    Stack {
        stack: u64,
        frames: Vec<FrameValue>,
    },
    Locals {
        locals: u64,
        from: usize,
        values: Vec<Vec<(String, String)>>,
    },
    Known(Known),
}

#[derive(Debug, Deserialize)]
struct Known {
    ident: u64,
    name: Option<String>,
    daemon: bool,
    target: Option<String>,
    #[serde(default)]
    made_at: Vec<Place>,
}

#[derive(Debug, Deserialize)]
struct FrameValue {
    file: String,
    line: Option<u32>,
    name: String,
    qualname: Option<String>,
    source: Option<String>,
}

/// Puts the rows of a probe together.
pub(crate) fn told(rows: Vec<Row>) -> Told {
    let mut told = Told::default();
    for row in rows {
        match serde_json::from_value(row.value) {
            Ok(RowValue::Own { own }) => told.own = Some(own),
            Ok(RowValue::Known(known)) => told.known.push(known),
            Ok(RowValue::Stack { stack, frames }) => {
                let frames = frames.into_iter().map(|one| Frame {
                    file: one.file,
                    line: one.line,
                    name: one.name,
                    qualified_name: one.qualname,
                    source: one.source,
                    locals: Vec::new(),
                });
                told.stacks.entry(stack).or_default().extend(frames);
            }
            Ok(RowValue::Locals {
                locals,
                from,
                values,
            }) => {
                let frames = told.stacks.get_mut(&locals);
                let frames = frames.and_then(|frames| frames.get_mut(from..));
                for (frame, values) in frames.unwrap_or_default().iter_mut().zip(values) {
                    frame.locals = values;
                }
            }
            Err(_) => told.n_unreadable += 1,
        }
    }
    told
}

impl Look {
    /// Takes the stacks of the copy for those that were read from outside a moment before, and leaves the
    /// agent's own thread out.
    pub(crate) fn add(&mut self, told: Told) {
        let Told {
            own,
            known,
            mut stacks,
            ..
        } = told;
        if stacks.is_empty() {
            return;
        }
        self.source = Source::Agent;
        self.threads
            .retain(|thread| thread.ident.is_none() || thread.ident != own);
        let there: BTreeSet<u64> = self.threads.iter().filter_map(|one| one.ident).collect();
        // Those that began between the two looks.
        let n_python = self.threads.iter().filter(|one| !one.is_native()).count();
        let new: Vec<Thread> = stacks
            .keys()
            .filter(|ident| !there.contains(ident))
            .map(|&ident| Thread {
                ident: Some(ident),
                ..Thread::default()
            })
            .collect();
        self.threads.splice(n_python..n_python, new);
        // Those that ended have no stack any more.
        self.threads
            .retain(|one| one.ident.is_none_or(|ident| stacks.contains_key(&ident)));
        for thread in &mut self.threads {
            let Some(ident) = thread.ident else { continue };
            if let Some(frames) = stacks.remove(&ident) {
                thread.frames = frames;
                thread.is_torn = false;
            }
            if let Some(known) = known.iter().find(|one| one.ident == ident) {
                thread.name = known.name.clone();
                thread.is_daemon = Some(known.daemon);
                thread.target = known.target.clone();
                thread.made_at = known.made_at.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use leakhunt_attach::GilState;
    use serde_json::json;

    use super::*;

    fn rows(values: Vec<serde_json::Value>) -> Vec<Row> {
        let row = |value| Row {
            address: 0,
            type_name: String::new(),
            size_bytes: 0,
            value,
        };
        values.into_iter().map(row).collect()
    }

    fn thread(ident: Option<u64>, name: &str) -> Thread {
        let frame = Frame {
            name: "outside".to_owned(),
            ..Frame::default()
        };
        Thread {
            ident,
            comm: Some(name.to_owned()),
            native_id: ident.map(|ident| ident as u32),
            frames: ident.map(|_| frame).into_iter().collect(),
            is_torn: true,
            ..Thread::default()
        }
    }

    fn look() -> Look {
        Look {
            python: None,
            gil: GilState::Free,
            source: Source::Outside,
            threads: vec![
                thread(Some(1), "main"),
                thread(Some(2), "old"),
                thread(Some(9), "agent"),
                thread(None, "native"),
            ],
            n_native: 1,
        }
    }

    #[test]
    fn stacks_of_the_copy_take_the_place_of_those_from_outside() {
        let frame = |name: &str| json!({"file": "a.py", "line": 3, "name": name, "qualname": null, "source": "x = 1"});
        let told = told(rows(vec![
            json!({"own": 9}),
            json!({"ident": 1, "name": "MainThread", "daemon": false, "native_id": 1, "target": null,
                   "made_at": [{"file": "/srv/shop.py", "line": 7}]}),
            json!({"stack": 1, "frames": [frame("f"), frame("g")]}),
            json!({"stack": 5, "frames": [frame("new")]}),
            json!({"stack": 1, "frames": [frame("h")]}),
            json!({"locals": 1, "from": 1, "values": [[["x", "1"]], [["y", "2"]]]}),
            json!({"what": 1}),
        ]));
        assert_eq!(told.n_unreadable, 1);
        let mut look = look();
        look.add(told);
        assert_eq!(look.source, Source::Agent);
        let idents: Vec<_> = look.threads.iter().map(|one| one.ident).collect();
        assert_eq!(idents, [Some(1), Some(5), None]);
        let main = &look.threads[0];
        assert_eq!(main.name.as_deref(), Some("MainThread"));
        assert_eq!(main.made_at[0].line, 7);
        let names: Vec<_> = main.frames.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["f", "g", "h"]);
        assert_eq!(main.frames[2].locals, [("y".to_owned(), "2".to_owned())]);
        assert!(!main.is_torn && main.native_id == Some(1));
    }

    #[test]
    fn without_stacks_from_the_copy_those_from_outside_stay() {
        let mut look = look();
        look.add(told(rows(vec![json!({"own": 9})])));
        assert_eq!(look.source, Source::Outside);
        assert_eq!(look.threads.len(), 4);
        assert_eq!(look.threads[0].frames[0].name, "outside");
    }
}
