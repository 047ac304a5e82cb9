//! From what the probe told to tasks.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::{Frame, Future, Look, Loop, Place, Raised, State, Task, Unawaited, Waiter};
use crate::session::{Missing, Row};

/// A row of `probes/tasks.py`.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Told {
    Process {
        asyncio: bool,
    },
    Loop(Loop),
    Task(ToldTask),
    Coroutine(ToldCoroutine),
    /// What is no task of asyncio's has a coroutine.
    Owner {
        coroutine: u64,
    },
    Repr {
        text: String,
    },
}

/// What is absent is null, false, 0 or empty.
#[derive(Deserialize)]
struct ToldTask {
    name: Option<String>,
    #[serde(rename = "loop")]
    event_loop: Option<u64>,
    /// As asyncio has it: `PENDING`, `CANCELLED`, `FINISHED`.
    state: Option<String>,
    #[serde(default)]
    running: bool,
    #[serde(default)]
    must_cancel: bool,
    #[serde(default)]
    n_cancels: u64,
    coroutine: Option<u64>,
    chain: Vec<Place>,
    #[serde(default)]
    chain_is_cut: bool,
    waits_for: Option<Future>,
    #[serde(default)]
    awaited_by: Vec<(u64, String)>,
    #[serde(default)]
    created_at: Vec<Frame>,
    exception: Option<Raised>,
    #[serde(default)]
    unretrieved: bool,
}

#[derive(Deserialize)]
struct ToldCoroutine {
    place: Place,
    #[serde(default)]
    created_at: Vec<Frame>,
}

impl Look {
    /// Of all rows of a probe. A row that is not as it should be counts as unreadable.
    pub(crate) fn from_rows(rows: Vec<Row>) -> Self {
        let mut look = Self::default();
        for row in rows {
            match serde_json::from_value(row.value) {
                Ok(told) => look.add(row.address, row.type_name, told),
                Err(_) => look.n_unreadable += 1,
            }
        }
        look.connect();
        look
    }

    /// Takes out the coroutines that may belong to a task of which nothing is known, as `missing` tells.
    pub(crate) fn leave_out_unsure(&mut self, missing: &[Missing]) -> Vec<Unawaited> {
        // Of a task whose `repr` did not come the coroutine is known.
        let told: HashSet<u64> = self.tasks.iter().map(|task| task.address).collect();
        let knows_all_tasks = missing
            .iter()
            .all(|one| one.type_name == "coroutine" || told.contains(&one.address));
        match knows_all_tasks {
            true => Vec::new(),
            false => std::mem::take(&mut self.coroutines),
        }
    }

    fn add(&mut self, address: u64, type_name: String, told: Told) {
        match told {
            Told::Process { asyncio } => self.has_asyncio = asyncio,
            Told::Loop(one) => self.loops.push(Loop { address, ..one }),
            Told::Task(one) => self.tasks.push(one.into_task(address, type_name)),
            Told::Owner { coroutine } => self.owned_by_others.push(coroutine),
            Told::Coroutine(one) => self.coroutines.push(one.into_unawaited(address)),
            Told::Repr { text } => match self.tasks.last_mut() {
                Some(task) if task.address == address => task.repr = Some(text),
                _ => self.n_unreadable += 1,
            },
        }
    }

    /// Adds what one row says of another.
    fn connect(&mut self) {
        let closed: HashSet<u64> = self
            .loops
            .iter()
            .filter(|one| one.closed == Some(true))
            .map(|one| one.address)
            .collect();
        let by_address: HashMap<u64, usize> = self
            .tasks
            .iter()
            .enumerate()
            .map(|(index, task)| (task.address, index))
            .collect();
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            let (address, is_final) = (task.address, task.state.is_final());
            task.loop_is_closed = task.event_loop.is_some_and(|one| closed.contains(&one));
            // Of what many wait for the probe names some; each of them names it.
            let target = task
                .waits_for
                .as_ref()
                .filter(|one| one.is_task && !is_final);
            let Some(&awaited) = target.and_then(|one| by_address.get(&one.address)) else {
                continue;
            };
            let waiters = &mut self.tasks[awaited].awaited_by;
            if !waiters.iter().any(|one| one.task == address) {
                waiters.push(Waiter {
                    task: address,
                    via: "await".into(),
                });
            }
        }
        let owned: HashSet<u64> = self
            .tasks
            .iter()
            .filter_map(|task| task.coroutine)
            .chain(self.owned_by_others.drain(..))
            .collect();
        self.coroutines.retain(|one| !owned.contains(&one.address));
    }
}

impl ToldTask {
    fn into_task(self, address: u64, type_name: String) -> Task {
        Task {
            address,
            state: self.life(),
            type_name,
            name: self.name,
            event_loop: self.event_loop,
            loop_is_closed: false,
            coroutine: self.coroutine,
            chain: self.chain,
            chain_is_cut: self.chain_is_cut,
            waits_for: self.waits_for,
            awaited_by: self
                .awaited_by
                .into_iter()
                .map(|(task, via)| Waiter { task, via })
                .collect(),
            created_at: self.created_at,
            exception: self.exception,
            is_unretrieved: self.unretrieved,
            repr: None,
            held: None,
            seen_seconds: 0.0,
        }
    }

    fn life(&self) -> State {
        match self.state.as_deref() {
            Some("CANCELLED") => State::Cancelled,
            Some("FINISHED") if self.exception.is_some() => State::Failed,
            Some("FINISHED") => State::Done,
            _ if self.running => State::Running,
            _ if self.must_cancel || self.n_cancels > 0 => State::Cancelling,
            _ if self
                .waits_for
                .as_ref()
                .is_some_and(|future| !future.is_done) =>
            {
                State::Waiting
            }
            _ => State::Ready,
        }
    }
}

impl ToldCoroutine {
    fn into_unawaited(self, address: u64) -> Unawaited {
        Unawaited {
            address,
            place: self.place,
            created_at: self.created_at,
            held: None,
            seen_seconds: 0.0,
        }
    }
}
