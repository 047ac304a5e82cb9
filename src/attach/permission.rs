//! Why the kernel refuses to let us trace a process.

use std::io;
use std::os::unix::fs::MetadataExt;

use crate::AttachError;
use crate::preflight::traced;
use crate::status::Status;

const CAP_SYS_PTRACE: u64 = 1 << 19;

/// What the facts say of a refusal, the most likely cause first.
pub(crate) fn denial(pid: u32, before: &Status, source: io::Error) -> AttachError {
    let Ok(now) = Status::of(pid) else {
        return AttachError::Exited { pid };
    };
    if now.has_ended() || now.rss_bytes.is_none() && before.rss_bytes.is_some() {
        return AttachError::Exited { pid };
    }
    if now.tracer != 0 {
        return traced(pid, now.tracer);
    }
    let Ok(own) = Status::of(std::process::id()) else {
        return refused(pid, source);
    };
    let facts = Facts {
        uid: now.uid,
        own_uid: own.uid,
        is_privileged: own.effective & CAP_SYS_PTRACE != 0,
        missing_capabilities: now.permitted & !own.permitted,
        // The kernel gives the files of a process that is not dumpable to root, all but the folder.
        is_dumpable: std::fs::metadata(format!("/proc/{pid}/mem"))
            .is_ok_and(|file| file.uid() == now.uid),
        yama: std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
            .ok()
            .and_then(|scope| scope.trim().parse().ok())
            .unwrap_or(0),
    };
    match source.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => cause(pid, &facts, source),
        Some(libc::ENOENT | libc::ESRCH) => AttachError::Exited { pid },
        _ => AttachError::CannotRead {
            path: format!("/proc/{pid}"),
            source,
        },
    }
}

struct Facts {
    uid: u32,
    own_uid: u32,
    is_privileged: bool,
    missing_capabilities: u64,
    is_dumpable: bool,
    yama: u8,
}

fn cause(pid: u32, facts: &Facts, source: io::Error) -> AttachError {
    let scope = facts.yama;
    if scope == 3 {
        AttachError::Yama { pid, scope }
    } else if facts.is_privileged {
        refused(pid, source)
    } else if facts.uid != facts.own_uid {
        AttachError::OtherUser {
            pid,
            uid: facts.uid,
            own_uid: facts.own_uid,
        }
    } else if !facts.is_dumpable {
        AttachError::NotDumpable { pid }
    } else if facts.missing_capabilities != 0 {
        AttachError::MoreCapabilities {
            pid,
            missing: facts.missing_capabilities,
        }
    } else if scope > 0 {
        AttachError::Yama { pid, scope }
    } else {
        refused(pid, source)
    }
}

fn refused(pid: u32, source: io::Error) -> AttachError {
    let context = std::fs::read_to_string(format!("/proc/{pid}/attr/current"));
    let context = context.unwrap_or_default();
    let context = context.trim_matches(['\0', '\n', ' ']);
    AttachError::Refused {
        pid,
        context: if context.is_empty() { "none" } else { context }.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAME_USER: Facts = Facts {
        uid: 1000,
        own_uid: 1000,
        is_privileged: false,
        missing_capabilities: 0,
        is_dumpable: true,
        yama: 0,
    };

    fn message(facts: &Facts) -> String {
        cause(7, facts, io::Error::from_raw_os_error(libc::EPERM)).to_string()
    }

    #[test]
    fn a_refusal_names_its_cause() {
        let other = Facts {
            uid: 33,
            ..SAME_USER
        };
        assert_eq!(
            message(&other),
            "process 7 belongs to uid 33, you are uid 1000"
        );
        let yama = Facts {
            yama: 1,
            ..SAME_USER
        };
        assert!(message(&yama).contains("kernel.yama.ptrace_scope=1"));
        let hidden = Facts {
            is_dumpable: false,
            ..SAME_USER
        };
        assert!(message(&hidden).contains("not dumpable"));
        let capable = Facts {
            missing_capabilities: 1 << 10,
            ..SAME_USER
        };
        assert!(message(&capable).contains("0x400"));
        let root = Facts {
            is_privileged: true,
            uid: 33,
            ..SAME_USER
        };
        assert!(message(&root).contains("refuses to trace"));
        let never = Facts {
            is_privileged: true,
            yama: 3,
            ..SAME_USER
        };
        assert!(message(&never).contains("ptrace_scope=3"));
    }
}
