//! Ctrl-C and its like.
//!
//! The contract, for SIGINT, SIGTERM and SIGHUP alike:
//! - the first asks for the end: the look at hand is finished, the agent detached, what is known
//!   printed; a command of one look ends without it, with exit code 130;
//! - the second asks for the end at once: detach, exit code 130;
//! - whoever has not ended two seconds after the second, or at the third, is ended from here. The
//!   agent sees its channel close and leaves by itself.
//!
//! A target that leakhunt started gets the signals too. A terminal sends SIGINT to all processes in
//! front of it, so that one is passed on only where leakhunt is not in front of a terminal.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::failure::Exit;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static REQUESTED_AGAIN: AtomicBool = AtomicBool::new(false);
static N_REQUESTS: AtomicU32 = AtomicU32::new(0);
/// The target that leakhunt started, as long as it is not reaped.
static CHILD: Mutex<Option<Pid>> = Mutex::new(None);

/// How urgently the end was asked for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Urgency {
    /// Not at all.
    None,
    /// Finish what is at hand.
    Finish,
    /// At once.
    AtOnce,
}

/// Tells whether the end was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Interrupts {
    wake_ups: Receiver<()>,
    /// Set by the first request; never unset.
    pub(crate) requested: &'static AtomicBool,
    requested_again: &'static AtomicBool,
    n_requests: &'static AtomicU32,
    /// So many of them have had their effect.
    n_answered: u32,
    /// Whether the first asks for the end at once.
    is_impatient: bool,
}

impl Interrupts {
    /// Starts to listen. Once in a process.
    ///
    /// # Errors
    /// When the signals cannot be had.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let (wake_up, wake_ups) = bounded(8);
        let wake_up_too = wake_up.clone();
        ctrlc::set_handler(move || answer(SIGINT, &wake_up)).context("cannot listen for Ctrl-C")?;
        // ctrlc does not tell its signals apart, and a started target must get the very one.
        let mut signals =
            Signals::new([SIGTERM, SIGHUP]).context("cannot listen for the end of the terminal")?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                signals
                    .forever()
                    .for_each(|signal| answer(signal, &wake_up_too));
            })
            .context("cannot start a thread that listens for signals")?;
        Ok(Self {
            wake_ups,
            requested: &REQUESTED,
            requested_again: &REQUESTED_AGAIN,
            n_requests: &N_REQUESTS,
            n_answered: 0,
            is_impatient: false,
        })
    }

    /// Listens to nothing.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::after(0)
    }

    /// As after that many signals.
    #[cfg(test)]
    pub(crate) fn after(n_signals: u32) -> Self {
        Self {
            wake_ups: crossbeam_channel::never(),
            requested: Box::leak(Box::new(AtomicBool::new(n_signals > 0))),
            requested_again: Box::leak(Box::new(AtomicBool::new(n_signals > 1))),
            n_requests: Box::leak(Box::new(AtomicU32::new(n_signals))),
            n_answered: 0,
            is_impatient: false,
        }
    }

    /// For what is still to be done after the first request: only the second ends that.
    pub(crate) fn for_the_last_look(&self) -> Self {
        Self {
            requested: self.requested_again,
            n_answered: 1,
            ..self.clone()
        }
    }

    /// For one look that nobody wants any more after the first request.
    pub(crate) fn for_one_look(&self) -> Self {
        Self {
            is_impatient: true,
            ..self.clone()
        }
    }

    /// How urgently the end was asked for.
    pub(crate) fn urgency(&self) -> Urgency {
        let n_requests = self.n_requests.load(Ordering::SeqCst);
        match n_requests.saturating_sub(self.n_answered) {
            0 => Urgency::None,
            1 if !self.is_impatient => Urgency::Finish,
            _ => Urgency::AtOnce,
        }
    }

    /// Waits for `timeout`, shorter when a signal comes.
    pub(crate) fn sleep(&self, timeout: Duration) {
        if self.wake_ups.recv_timeout(timeout) == Err(RecvTimeoutError::Disconnected) {
            thread::sleep(timeout);
        }
    }
}

/// From now on passes signals on to `child`.
///
/// # Errors
/// When the signals cannot be had.
pub(crate) fn pass_on_to(child: u32) -> anyhow::Result<()> {
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    *lock_child() = pid;
    let mut signals =
        Signals::new([SIGUSR1, SIGUSR2]).context("cannot listen for signals to pass on")?;
    thread::Builder::new()
        .name("signals-to-target".into())
        .spawn(move || signals.forever().for_each(pass_on))
        .context("cannot start a thread that passes signals on")?;
    Ok(())
}

/// Runs `reap`, which may end the child's existence, while no signal is passed on; when it says
/// that it has, none is from then on.
pub(crate) fn while_no_signal_is_passed_on<T>(reap: impl FnOnce() -> Option<T>) -> Option<T> {
    let mut child = lock_child();
    let reaped = reap();
    if reaped.is_some() {
        *child = None;
    }
    reaped
}

fn lock_child() -> std::sync::MutexGuard<'static, Option<Pid>> {
    CHILD
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn answer(signal: i32, wake_up: &Sender<()>) {
    if signal != SIGINT || !is_in_front_of_a_terminal() {
        pass_on(signal);
    }
    let n_before = N_REQUESTS.fetch_add(1, Ordering::SeqCst);
    REQUESTED.store(true, Ordering::SeqCst);
    let _ = wake_up.try_send(());
    match n_before {
        0 => {}
        1 => {
            REQUESTED_AGAIN.store(true, Ordering::SeqCst);
            let _ = thread::Builder::new().spawn(|| {
                thread::sleep(Duration::from_secs(2));
                end();
            });
        }
        _ => end(),
    }
}

#[expect(
    clippy::exit,
    reason = "the only way out of a thread that does not answer"
)]
fn end() -> ! {
    std::process::exit(Exit::Interrupted.code().into())
}

fn pass_on(signal: i32) {
    let signal = match signal {
        SIGINT => Signal::INT,
        SIGTERM => Signal::TERM,
        SIGHUP => Signal::HUP,
        SIGUSR1 => Signal::USR1,
        _ => Signal::USR2,
    };
    if let Some(child) = *lock_child() {
        let _ = rustix::process::kill_process(child, signal);
    }
}

fn is_in_front_of_a_terminal() -> bool {
    std::fs::File::open("/dev/tty")
        .ok()
        .and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok())
        == Some(rustix::process::getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_look_is_ended_by_the_second_request() {
        let urgency = |n_signals| Interrupts::after(n_signals).for_the_last_look().urgency();
        assert_eq!([0, 1].map(urgency), [Urgency::None; 2]);
        assert_eq!([2, 3].map(urgency), [Urgency::Finish, Urgency::AtOnce]);
        let of_one_look = |n_signals| Interrupts::after(n_signals).for_one_look().urgency();
        assert_eq!([0, 1].map(of_one_look), [Urgency::None, Urgency::AtOnce]);
        let requested = |n_signals| {
            let interrupts = Interrupts::after(n_signals).for_the_last_look();
            interrupts.requested.load(Ordering::SeqCst)
        };
        assert_eq!([1, 2].map(requested), [false, true]);
    }
}
