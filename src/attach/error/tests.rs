use super::*;

fn all() -> Vec<AttachError> {
    let pid = 7;
    let comm = || String::from("app");
    let source = || io::Error::from_raw_os_error(libc::EPERM);
    let waited = Duration::from_millis(3210);
    let syscall = "mmap";
    vec![
        AttachError::NoSuchProcess { pid },
        AttachError::Exited { pid },
        AttachError::Replaced { pid },
        AttachError::IsThread { pid, process: 6 },
        AttachError::KernelThread { pid, comm: comm() },
        AttachError::NotPython { pid, comm: comm() },
        AttachError::OtherArchitecture { pid, comm: comm() },
        AttachError::PythonTooOld {
            pid,
            version: "3.7".into(),
        },
        AttachError::MissingSymbol {
            pid,
            comm: comm(),
            symbol: "PyList_Type",
        },
        AttachError::StaticallyLinked { pid, comm: comm() },
        AttachError::UnsupportedLibc {
            pid,
            missing: "munmap",
        },
        AttachError::Stopped { pid },
        AttachError::Traced {
            pid,
            tracer: 99,
            comm: "gdb".into(),
        },
        AttachError::Traced {
            pid,
            tracer: 99,
            comm: "leakhunt".into(),
        },
        AttachError::OtherUser {
            pid,
            uid: 33,
            own_uid: 1000,
        },
        AttachError::Yama { pid, scope: 1 },
        AttachError::Yama { pid, scope: 2 },
        AttachError::Yama { pid, scope: 3 },
        AttachError::NotDumpable { pid },
        AttachError::MoreCapabilities { pid, missing: 1 },
        AttachError::Refused {
            pid,
            context: "none".into(),
            source: source(),
        },
        AttachError::NoFreeDescriptor { pid },
        AttachError::CallFailed {
            pid,
            call: "mmap",
            has_seccomp: true,
            source: source(),
        },
        AttachError::CannotWrite {
            pid,
            source: source(),
        },
        AttachError::NoDoor { pid },
        AttachError::DoorOfOther {
            pid,
            uid: 33,
            own_uid: 1000,
        },
        AttachError::DoorBusy { pid },
        AttachError::SeccompKills { pid, syscall },
        AttachError::SeccompDenies { pid, syscall },
        AttachError::SeccompStrict { pid },
        AttachError::SeccompUnreadable {
            pid,
            source: source(),
        },
        AttachError::NoSafePoint {
            pid,
            waited,
            last: "thread 8 in system call 1".into(),
        },
        AttachError::LockHeld { pid, waited },
        AttachError::TooSlow { pid },
        AttachError::NoStop {
            pid,
            thread: 8,
            step: "mmap",
        },
        AttachError::Fault {
            pid,
            thread: 8,
            signal: 11,
            address: 0x1000,
        },
        AttachError::Interrupted { pid },
        AttachError::OldKernel { call: "pidfd_open" },
        AttachError::NoChannel {
            pid,
            source: source(),
        },
        AttachError::CannotRead {
            path: "/proc/7/maps".into(),
            source: source(),
        },
        AttachError::Own {
            doing: "start a thread",
            source: source(),
        },
    ]
}

#[test]
fn each_error_is_one_line_in_the_house_style() {
    for error in all() {
        let text = error.to_string();
        assert!(!text.contains('\n') && !text.contains("  "), "{text}");
        assert!(!text.ends_with('.'), "{text}");
        let first = text.chars().next();
        assert!(first.is_some_and(|c| !c.is_uppercase()), "{text}");
    }
}

#[test]
fn each_error_names_the_process_it_is_about() {
    for error in all() {
        let text = error.to_string();
        let is_about_us = matches!(
            error,
            AttachError::OldKernel { .. } | AttachError::Own { .. }
        );
        assert!(is_about_us || text.contains('7'), "{text}");
    }
}

#[test]
fn each_error_has_a_help_of_its_own_that_is_no_repetition() {
    for error in all() {
        let help = error.help();
        assert!(help.len() > 20 && !help.contains("  "), "{help:?}");
        assert_ne!(help, error.to_string());
    }
}

#[test]
fn the_help_says_what_to_type() {
    let help = |error: AttachError| error.help();
    assert!(help(AttachError::Stopped { pid: 7 }).contains("kill -CONT 7"));
    let yama = AttachError::Yama { pid: 7, scope: 1 };
    assert!(help(yama).contains("sysctl kernel.yama.ptrace_scope=0"));
    let thread = AttachError::IsThread { pid: 7, process: 6 };
    assert!(help(thread).contains("process id 6"));
    let full = AttachError::NoFreeDescriptor { pid: 7 };
    assert!(help(full).contains("prlimit --pid 7"));
}
