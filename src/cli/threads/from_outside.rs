//! What the kernel and the process's memory tell.

use leakhunt_attach::{
    KernelThread, Locals, LockWait, PythonThread, Threads, WaitKind, threads_from_outside,
};

use super::{Frame, Lock, Look, Source, Thread, Wait};

/// Reads all threads without touching the process.
///
/// # Errors
/// As [`threads_from_outside`].
pub(crate) fn from_outside(pid: u32, locals: Locals) -> Result<Look, leakhunt_attach::AttachError> {
    let Threads {
        python,
        gil,
        python_threads,
        native_threads,
    } = threads_from_outside(pid, locals)?;
    let n_native = native_threads.len();
    let mut threads: Vec<Thread> = python_threads.into_iter().map(of_python).collect();
    threads.extend(native_threads.iter().map(|kernel| {
        let mut thread = Thread {
            is_main: kernel.native_id == pid,
            ..Thread::default()
        };
        thread.set_kernel(kernel);
        thread
    }));
    Ok(Look {
        python: Some(python),
        gil,
        source: Source::Outside,
        threads,
        n_native,
    })
}

fn of_python(read: PythonThread) -> Thread {
    let mut thread = Thread {
        ident: Some(read.ident),
        name: read.name,
        is_daemon: read.is_daemon,
        is_main: read.is_main,
        target: read.target,
        holds_gil: read.holds_gil,
        lock: read.waits_for_lock.map(lock),
        is_deadlocked: read.is_deadlocked,
        frames: read.frames.into_iter().map(frame).collect(),
        is_torn: read.is_torn,
        is_cut: read.is_cut,
        ..Thread::default()
    };
    if let Some(kernel) = &read.kernel {
        thread.set_kernel(kernel);
    }
    if read.waits_for_gil {
        thread.wait = Wait::Gil;
    }
    thread
}

fn lock(wait: LockWait) -> Lock {
    Lock {
        address: wait.address,
        kind: wait.kind,
        holder: wait.holder,
    }
}

fn frame(frame: leakhunt_attach::Frame) -> Frame {
    Frame {
        file: frame.file,
        line: frame.line,
        name: frame.name,
        qualified_name: frame.qualified_name,
        source: None,
        locals: frame.locals,
    }
}

impl Thread {
    fn set_kernel(&mut self, kernel: &KernelThread) {
        self.native_id = Some(kernel.native_id);
        self.comm = Some(kernel.comm.clone());
        self.state = Some(kernel.state);
        self.user_time = kernel.user_time;
        self.system_time = kernel.system_time;
        self.syscall = kernel.syscall.as_ref().map(|call| {
            let name = call.name().map(str::to_owned);
            name.unwrap_or_else(|| format!("system call {}", call.number))
        });
        self.wait = match (kernel.state, &kernel.syscall) {
            ('R', _) => Wait::Nothing,
            ('T' | 't', _) => Wait::Stopped,
            (_, Some(call)) => match call.wait_kind() {
                WaitKind::Lock => Wait::Lock,
                WaitKind::Poll => Wait::Poll,
                WaitKind::Sleep => Wait::Sleep,
                WaitKind::Call => Wait::Call,
            },
            (_, None) => Wait::Unknown,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leakhunt_attach::Syscall;

    use super::*;

    fn kernel(state: char, number: Option<i64>) -> KernelThread {
        KernelThread {
            native_id: 12,
            inner_id: 3,
            comm: "python".to_owned(),
            state,
            user_time: Duration::from_millis(10),
            system_time: Duration::from_millis(20),
            syscall: number.map(|number| Syscall {
                number,
                arguments: [1; 6],
            }),
        }
    }

    fn wait(state: char, number: Option<i64>) -> Wait {
        let mut thread = Thread::default();
        thread.set_kernel(&kernel(state, number));
        thread.wait
    }

    #[test]
    fn what_a_thread_waits_for_follows_from_its_state_and_call() {
        const FUTEX: i64 = if cfg!(target_arch = "x86_64") {
            202
        } else {
            98
        };
        assert_eq!(wait('S', Some(FUTEX)), Wait::Lock);
        assert_eq!(wait('R', Some(FUTEX)), Wait::Nothing);
        assert_eq!(wait('T', Some(FUTEX)), Wait::Stopped);
        assert_eq!(wait('S', Some(9999)), Wait::Call);
        assert_eq!(wait('S', None), Wait::Unknown);
    }

    #[test]
    fn who_waits_for_the_gil_is_not_said_to_wait_for_a_lock() {
        let thread = of_python(PythonThread {
            ident: 7,
            name: None,
            is_daemon: None,
            target: None,
            is_main: false,
            holds_gil: Some(false),
            waits_for_gil: true,
            waits_for_lock: None,
            is_deadlocked: false,
            frames: Vec::new(),
            is_torn: false,
            is_cut: false,
            kernel: Some(kernel('S', Some(202))),
        });
        assert_eq!(thread.wait, Wait::Gil);
        assert_eq!(thread.cpu_time(), Duration::from_millis(30));
        assert_eq!(thread.native_id, Some(12));
    }
}
