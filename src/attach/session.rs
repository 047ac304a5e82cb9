//! The sequence of an attach.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::preflight::{Target, gone, is_gone, look};
use crate::region::Plan;
use crate::signals::BlockedSignals;
use crate::tracer::{Hijacked, Search};
use crate::{AgentImage, AttachError, Channel};

/// How to attach.
#[derive(Debug)]
pub struct AttachOptions<'a> {
    /// How long to look for a safe point, and for another leakhunt to let go.
    pub timeout: Duration,
    /// Whether to go on where a seccomp filter that cannot be read may kill the target.
    pub force: bool,
    /// Set by Ctrl-C: gives up at the next step that can be undone.
    pub interrupted: &'a AtomicBool,
}

/// What an attach cost the target.
#[derive(Clone, Debug)]
pub struct AttachReport {
    /// How long the one thread was stopped.
    pub stopped: Duration,
    /// From the first look at the process to the channel.
    pub took: Duration,
    /// How many threads were stopped and let go because they were at no safe point, plus one.
    pub tries: u32,
    /// Where the thread stood: for `-v`.
    pub safe_point: String,
}

/// The name by which one leakhunt knows another: of the tracer thread here and of the agent's
/// thread in the target.
pub(crate) const THREAD_NAME: &str = "leakhunt";
/// How long another leakhunt may be in the way.
const PEER_LIMIT: Duration = Duration::from_secs(1);
/// How often signals for ourselves are looked for while they are blocked.
const SIGNAL_CHECK: Duration = Duration::from_millis(20);

/// Gets into `pid` and starts the agent there. The first packet of the channel is `Hello`.
///
/// # Errors
/// See [`AttachError`]; the target is as before.
pub fn attach(
    pid: u32,
    image: &AgentImage,
    options: &AttachOptions<'_>,
) -> Result<(Channel, AttachReport), AttachError> {
    let start = Instant::now();
    let peer_limit = PEER_LIMIT.min(options.timeout);
    loop {
        match attach_once(pid, image, options, start) {
            Err(AttachError::Traced { comm, .. })
                if comm == THREAD_NAME
                    && start.elapsed() < peer_limit
                    && !options.interrupted.load(Ordering::Relaxed) =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn attach_once(
    pid: u32,
    image: &AgentImage,
    options: &AttachOptions<'_>,
    start: Instant,
) -> Result<(Channel, AttachReport), AttachError> {
    let target = look(pid)?;
    let hijacked = trace(&target, image, options)?;
    let channel = take_channel(&target, &hijacked)?;
    let report = AttachReport {
        stopped: hijacked.stopped,
        took: start.elapsed(),
        tries: hijacked.tries,
        safe_point: hijacked.safe_point,
    };
    Ok((channel, report))
}

/// Finds a thread and borrows it, in a thread of ours that ends with it: what that one still traces
/// is then let go by the kernel.
fn trace(
    target: &Target,
    image: &AgentImage,
    options: &AttachOptions<'_>,
) -> Result<Hijacked, AttachError> {
    let plan = Plan::new(image);
    let give_up = AtomicBool::new(false);
    let search = Search {
        target,
        image,
        plan: &plan,
        limit: options.timeout,
        force: options.force,
        give_up: &give_up,
    };
    // A signal would end us in the middle of it.
    let signals = BlockedSignals::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        let tracer = Builder::new().name(THREAD_NAME.into());
        tracer
            .spawn_scoped(scope, move || {
                let _ = sender.send(search.run());
            })
            .map_err(|source| AttachError::Own {
                doing: "start a thread",
                source,
            })?;
        loop {
            match receiver.recv_timeout(SIGNAL_CHECK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {
                    if options.interrupted.load(Ordering::Relaxed) || signals.wants_to_end() {
                        give_up.store(true, Ordering::Relaxed);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(AttachError::Own {
                        doing: "trace",
                        source: io::Error::other("the tracer thread ended without a result"),
                    });
                }
            }
        }
    })
}

/// Takes the other end of the channel, and only then tells the agent's thread to start.
fn take_channel(target: &Target, hijacked: &Hijacked) -> Result<Channel, AttachError> {
    let pid = target.pid;
    let context = hijacked.started.context;
    let no_channel = |source: io::Error| {
        if source.raw_os_error() == Some(libc::ENOSYS) {
            AttachError::OldKernel {
                call: "pidfd_getfd",
            }
        } else if is_gone(&source) || target.memory.read_u32(context).is_err() {
            gone(pid, &target.handle)
        } else {
            AttachError::NoChannel { pid, source }
        }
    };
    let peer = hijacked.started.peer;
    let socket = target.handle.copy_descriptor(peer).map_err(no_channel)?;
    let channel = Channel::new(pid, socket, target.handle.clone());
    // After an exec the number may mean another file; the memory is then not readable any more.
    if target.memory.read_u32(context).is_err() {
        return Err(gone(pid, &target.handle));
    }
    channel.start().map_err(no_channel)?;
    Ok(channel)
}
