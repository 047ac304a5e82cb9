//! A session with the agent, without the command line around it.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use leakhunt_attach::{AgentImage, AttachOptions, AttachReport, Channel, attach};
use leakhunt_wire::{Reply, Request};

const LIMIT: Duration = Duration::from_secs(60);

/// The agent that is built with the program.
pub(crate) fn agent() -> AgentImage {
    AgentImage::parse(include_bytes!(env!("LEAKHUNT_AGENT_IMAGE"))).expect("the agent was built")
}

/// An agent in the target that has answered.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) channel: Channel,
    /// What the attach cost.
    pub(crate) report: AttachReport,
    /// From nothing to the first answer out of the interpreter.
    pub(crate) first_answer: Duration,
}

impl Session {
    /// Attaches and waits until the agent has been in the interpreter.
    pub(crate) fn open(pid: u32, image: &AgentImage) -> Self {
        let interrupted = AtomicBool::new(false);
        let options = AttachOptions {
            timeout: LIMIT,
            force: false,
            interrupted: &interrupted,
        };
        let start = Instant::now();
        let (mut channel, report) = attach(pid, image, &options).expect("the target is attached");
        wait(&mut channel, |reply| {
            matches!(reply, Reply::Ready(_)).then_some(())
        });
        Self {
            channel,
            report,
            first_answer: start.elapsed(),
        }
    }

    /// Sends a request and gives what `end` makes of the reply that ends it.
    pub(crate) fn ask<T>(
        &mut self,
        request: &Request<'_>,
        end: impl FnMut(Reply<'_>) -> Option<T>,
    ) -> T {
        self.channel.send(request).expect("the agent listens");
        wait(&mut self.channel, end)
    }

    /// Makes the agent leave.
    pub(crate) fn close(mut self) {
        self.ask(&Request::Detach, |reply| {
            matches!(reply, Reply::Goodbye(_)).then_some(())
        });
    }
}

fn wait<T>(channel: &mut Channel, mut end: impl FnMut(Reply<'_>) -> Option<T>) -> T {
    loop {
        let reply = channel
            .receive(LIMIT)
            .expect("the agent lives")
            .expect("the agent answers");
        if let Some(found) = end(reply) {
            return found;
        }
    }
}
