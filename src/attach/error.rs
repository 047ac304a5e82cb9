//! What stands in the way of an attach, and what to do about it.

use std::io;
use std::time::Duration;

/// Why a process cannot be attached. The process is as before, whichever it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are named by what the messages say of them"
)]
pub enum AttachError {
    /// There is no process of that id.
    #[error("process {pid} does not exist")]
    NoSuchProcess { pid: u32 },
    /// It ended, perhaps meanwhile.
    #[error("process {pid} has exited")]
    Exited { pid: u32 },
    /// It became another program while we were at it.
    #[error("process {pid} started another program (exec) during the attach")]
    Replaced { pid: u32 },
    /// The id of a thread that is not the first of its process.
    #[error("{pid} is a thread of process {process}")]
    IsThread { pid: u32, process: u32 },
    /// A thread of the kernel.
    #[error("process {pid} ({comm}) is a kernel thread")]
    KernelThread { pid: u32, comm: String },
    /// No interpreter in it.
    #[error("process {pid} ({comm}) is not a CPython process")]
    NotPython { pid: u32, comm: String },
    /// It is a 32-bit program.
    #[error("process {pid} ({comm}) is not a 64-bit x86-64 process")]
    OtherArchitecture { pid: u32, comm: String },
    /// A Python from before 3.8.
    #[error("process {pid} runs CPython {version}; leakhunt supports 3.8 and later")]
    PythonTooOld { pid: u32, version: String },
    /// A Python whose threads are not known how to read.
    #[error("the threads of process {pid} (CPython {version}) cannot be read from outside")]
    UnknownLayout { pid: u32, version: String },
    /// An interpreter without a function that is needed.
    #[error("the CPython of process {pid} ({comm}) does not export {symbol}")]
    MissingSymbol {
        pid: u32,
        comm: String,
        symbol: &'static str,
    },
    /// No loader and so no symbols.
    #[error("process {pid} ({comm}) is statically linked")]
    StaticallyLinked { pid: u32, comm: String },
    /// Neither glibc nor musl, as far as it can be told.
    #[error("the libc of process {pid} is not supported: {missing} not found")]
    UnsupportedLibc { pid: u32, missing: &'static str },
    /// By job control.
    #[error("process {pid} is stopped (SIGSTOP)")]
    Stopped { pid: u32 },
    /// By a debugger.
    #[error("process {pid} is already traced by PID {tracer} ({comm})")]
    Traced { pid: u32, tracer: u32, comm: String },
    /// Another user's.
    #[error("process {pid} belongs to uid {uid}, you are uid {own_uid}")]
    OtherUser { pid: u32, uid: u32, own_uid: u32 },
    /// The Yama security module.
    #[error("kernel.yama.ptrace_scope={scope} forbids to attach to process {pid}")]
    Yama { pid: u32, scope: u8 },
    /// Made so by setuid, file capabilities or `prctl`.
    #[error("process {pid} is not dumpable (setuid, file capabilities or prctl)")]
    NotDumpable { pid: u32 },
    /// More than ours.
    #[error("process {pid} has capabilities that you have not ({missing:#x})")]
    MoreCapabilities { pid: u32, missing: u64 },
    /// By something else: a security module, a user namespace, a seccomp filter on leakhunt itself.
    #[error("the kernel refuses to trace process {pid} (security context {context})")]
    Refused {
        pid: u32,
        context: String,
        source: io::Error,
    },
    /// Its limit of descriptors is reached.
    #[error("process {pid} has no free file descriptor")]
    NoFreeDescriptor { pid: u32 },
    /// A system call or a function of libc failed in it.
    #[error("{call} failed in process {pid}{}", by_seccomp(*.has_seccomp))]
    CallFailed {
        pid: u32,
        call: &'static str,
        has_seccomp: bool,
        source: io::Error,
    },
    /// Code could not be written.
    #[error("cannot write the agent into process {pid}")]
    CannotWrite { pid: u32, source: io::Error },
    /// Its seccomp filter would kill it.
    #[error("the seccomp filter of process {pid} would kill it on {syscall}")]
    SeccompKills { pid: u32, syscall: &'static str },
    /// Its seccomp filter denies what cannot be done without.
    #[error("the seccomp filter of process {pid} denies {syscall}")]
    SeccompDenies { pid: u32, syscall: &'static str },
    /// Seccomp mode 1.
    #[error("process {pid} is in strict seccomp mode")]
    SeccompStrict { pid: u32 },
    /// It has a filter and we may not look at it.
    #[error("process {pid} has a seccomp filter that may kill it, and it cannot be read")]
    SeccompUnreadable { pid: u32, source: io::Error },
    /// All threads are busy where it is not safe.
    #[error("no thread of process {pid} reached a safe point in {waited:.1?} (last: {last})")]
    NoSafePoint {
        pid: u32,
        waited: Duration,
        last: String,
    },
    /// The hijacked thread waits for a lock.
    #[error("pthread_create did not return in {waited:.1?} in process {pid}: a lock in it is held")]
    LockHeld { pid: u32, waited: Duration },
    /// We were not scheduled for seconds; the thread went on by itself.
    #[error("leakhunt was held up for too long and process {pid} went on by itself")]
    TooSlow { pid: u32 },
    /// The hijacked thread did not stop again; it goes on by itself.
    #[error("thread {thread} of process {pid} did not come to a stop (step: {step})")]
    NoStop {
        pid: u32,
        thread: u32,
        step: &'static str,
    },
    /// A signal such as SIGSEGV in the code that we ran there.
    #[error(
        "signal {signal} at {address:#x} while thread {thread} of process {pid} worked for leakhunt"
    )]
    Fault {
        pid: u32,
        thread: u32,
        signal: i32,
        address: u64,
    },
    /// By Ctrl-C.
    #[error("interrupted before process {pid} was attached")]
    Interrupted { pid: u32 },
    /// `pidfd_open` or `pidfd_getfd` is missing.
    #[error("this kernel lacks {call}")]
    OldKernel { call: &'static str },
    /// The channel's other end is not to be had.
    #[error("cannot take the channel of process {pid}")]
    NoChannel { pid: u32, source: io::Error },
    /// It has not opened one.
    #[error("process {pid} has opened no door")]
    NoDoor { pid: u32 },
    /// It lets in its own user and root.
    #[error("the door of process {pid} is open to uid {uid} and root alone, you are uid {own_uid}")]
    DoorOfOther { pid: u32, uid: u32, own_uid: u32 },
    /// More have knocked than fit before it.
    #[error("too many are at the door of process {pid}")]
    DoorBusy { pid: u32 },
    /// `/proc` does not tell what is needed.
    #[error("cannot read {path}")]
    CannotRead { path: String, source: io::Error },
    /// A failure on our own side.
    #[error("cannot {doing}")]
    Own {
        doing: &'static str,
        source: io::Error,
    },
}

/// What else helps where ptrace does not.
const DOOR: &str = "without ptrace: the process itself opens a door by `leakhunt.listen()`, or with \
    LEAKHUNT_LISTEN=1 in its environment, where the package leakhunt is installed";

fn by_seccomp(has_seccomp: bool) -> &'static str {
    if has_seccomp {
        " (perhaps by its seccomp filter)"
    } else {
        ""
    }
}

impl AttachError {
    /// What to do about it, as one or two sentences for a person.
    pub fn help(&self) -> String {
        let remedy = self.remedy();
        if self.is_refusal() {
            format!("{remedy}\n{DOOR}")
        } else {
            remedy
        }
    }

    /// Whether the process, or the kernel for it, lets nobody in by ptrace, so that a door of its own
    /// is a way.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::OtherUser { .. }
                | Self::Yama { .. }
                | Self::NotDumpable { .. }
                | Self::MoreCapabilities { .. }
                | Self::Refused { .. }
                | Self::CallFailed { .. }
                | Self::CannotWrite { .. }
                | Self::SeccompKills { .. }
                | Self::SeccompDenies { .. }
                | Self::SeccompUnreadable { .. }
                | Self::Traced { .. }
                | Self::NoSafePoint { .. }
                | Self::LockHeld { .. }
                | Self::OldKernel { .. }
                | Self::NoChannel { .. }
        )
    }

    fn remedy(&self) -> String {
        match self {
            Self::NoSuchProcess { .. } | Self::Exited { .. } | Self::KernelThread { .. } => {
                "`leakhunt ps` lists what can be attached".into()
            }
            Self::Replaced { .. } => {
                "try again: the process now runs another program under the same id".into()
            }
            Self::IsThread { process, .. } => {
                format!("all threads share one heap: use the process id {process}")
            }
            Self::NotPython { .. } => "leakhunt needs a process that has loaded CPython, as an \
                executable or as libpython; `leakhunt ps` lists them. If Python runs in a child of \
                this process, use the child's id"
                .into(),
            Self::OtherArchitecture { .. } => {
                "this build of leakhunt attaches to 64-bit x86-64 processes only".into()
            }
            Self::PythonTooOld { .. } => {
                "run the program with Python 3.8 or later to look at its heap".into()
            }
            Self::UnknownLayout { .. } => "it is of a version or build that this leakhunt does not \
                know, or it starts or ends right now; leave --outside away to ask the interpreter"
                .into(),
            Self::MissingSymbol { .. } => "the interpreter was built without its C API exported; \
                use a build with the usual dynamic symbols (not stripped of .dynsym)"
                .into(),
            Self::StaticallyLinked { .. } => "leakhunt finds the interpreter by its dynamic \
                symbols; run the program with a dynamically linked Python"
                .into(),
            Self::UnsupportedLibc { .. } => {
                "leakhunt works with glibc 2.17 or later and with musl".into()
            }
            Self::Stopped { pid } => {
                format!("run `kill -CONT {pid}` and try again, or bring the job to the foreground with `fg`")
            }
            Self::Traced { tracer, comm, .. } if comm == "leakhunt" => {
                format!("another leakhunt (thread {tracer}) is just attaching; try again in a second")
            }
            Self::Traced { tracer, comm, .. } => format!(
                "a process has at most one tracer: end or detach {comm} (PID {tracer}) first"
            ),
            Self::OtherUser { uid, .. } => {
                format!("run leakhunt as root (`sudo leakhunt ...`) or as uid {uid}")
            }
            Self::Yama { scope: 3, .. } => "ptrace is switched off for everybody until the next \
                boot; boot without kernel.yama.ptrace_scope=3"
                .into(),
            Self::Yama { scope: 2, .. } => "only root may trace: run `sudo leakhunt ...`, or `sudo \
                sysctl kernel.yama.ptrace_scope=0`"
                .into(),
            Self::Yama { .. } => "only a parent may trace its children: run `sudo leakhunt ...`, or \
                `sudo sysctl kernel.yama.ptrace_scope=0`"
                .into(),
            Self::NotDumpable { .. } => "run leakhunt as root (`sudo leakhunt ...`)".into(),
            Self::MoreCapabilities { .. } => {
                "run leakhunt as root (`sudo leakhunt ...`) or with CAP_SYS_PTRACE".into()
            }
            Self::Refused { .. } => "in a container, start it with --cap-add=SYS_PTRACE or run \
                leakhunt on the host; else a security module (SELinux, AppArmor) or a user namespace \
                forbids it"
                .into(),
            Self::NoFreeDescriptor { pid } => format!(
                "raise its limit with `prlimit --pid {pid} --nofile=SOFT:HARD`; two are needed. `ls -l \
                /proc/{pid}/fd` shows what it keeps open"
            ),
            Self::CallFailed { call, .. } => format!(
                "the limits of the process (memory, threads, cgroup pids.max) or a security policy \
                do not allow {call}"
            ),
            Self::CannotWrite { .. } => {
                "the kernel may forbid writes by /proc/PID/mem and ptrace: see its log".into()
            }
            Self::SeccompKills { .. } | Self::SeccompDenies { .. } => "the sandbox of the process \
                has to allow this system call; nothing was done"
                .into(),
            Self::SeccompStrict { .. } => {
                "such a process may only read, write and exit; it cannot be attached".into()
            }
            Self::SeccompUnreadable { .. } => "run leakhunt as root on the host, so that it can \
                check the filter before it does anything, or use --force if the filter is known not \
                to kill (Docker's default profile does not)"
                .into(),
            Self::NoSafePoint { .. } => "its threads may be in long calls of native code; try again \
                or give it more time"
                .into(),
            Self::LockHeld { .. } => {
                "the thread was restored; try again when the process is less busy".into()
            }
            Self::TooSlow { .. } => {
                "the machine is overloaded or leakhunt was stopped; try again".into()
            }
            Self::NoStop { .. } => {
                "the thread goes on by itself; it may wait for a disk or a network file system".into()
            }
            Self::Fault { .. } => {
                "the thread was restored; please report this with the output of -v".into()
            }
            Self::Interrupted { .. } => "the process was left as before".into(),
            Self::OldKernel { .. } => "leakhunt needs Linux 5.6 or later".into(),
            Self::NoChannel { .. } => {
                "the agent leaves by itself within ten seconds; try again then".into()
            }
            Self::NoDoor { .. } => "call `leakhunt.listen()` in it, or start it with LEAKHUNT_LISTEN=1 \
                in its environment; the package leakhunt has to be installed there"
                .into(),
            Self::DoorOfOther { uid, .. } => {
                format!("run leakhunt as root (`sudo leakhunt ...`) or as uid {uid}")
            }
            Self::DoorBusy { .. } => "try again in a second".into(),
            Self::CannotRead { .. } => "is /proc mounted, without hidepid?".into(),
            Self::Own { .. } => "this is about the machine leakhunt runs on: look at its limits".into(),
        }
    }
}

#[cfg(test)]
mod tests;
