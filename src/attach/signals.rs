//! Keeps signals away from ourselves while a thread of the target is borrowed.

use libc::sigset_t;

/// All signals are blocked in the calling thread, and in those that it starts, until this is
/// dropped.
#[derive(Debug)]
pub(crate) struct BlockedSignals {
    before: sigset_t,
}

impl BlockedSignals {
    /// Blocks them.
    pub(crate) fn new() -> Self {
        // SAFETY: a signal set is made of integers only, for which zero is a value; both sets are
        // valid for the calls' whole time.
        unsafe {
            let mut all: sigset_t = std::mem::zeroed();
            let mut before: sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
            Self { before }
        }
    }

    /// Whether somebody wants us to end, and no other thread takes that signal.
    pub(crate) fn wants_to_end(&self) -> bool {
        // SAFETY: as in `new`; the set is valid for the calls' whole time.
        unsafe {
            let mut pending: sigset_t = std::mem::zeroed();
            libc::sigpending(&raw mut pending);
            [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT]
                .iter()
                .any(|&signal| libc::sigismember(&raw const pending, signal) == 1)
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set was filled in by the kernel.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            );
        }
    }
}
