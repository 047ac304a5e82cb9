//! What `/proc/PID/status` says.

use std::io;

/// The fields that matter to an attach.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Status {
    /// The command name.
    pub(crate) comm: String,
    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X`, ...
    pub(crate) state: char,
    /// The process that the thread belongs to.
    pub(crate) process: u32,
    /// Its id as it sees it itself, in its own namespace.
    pub(crate) own_pid: u32,
    /// Its parent, or 0.
    pub(crate) parent: u32,
    /// Who traces it; 0 is nobody.
    pub(crate) tracer: u32,
    /// Its effective user id.
    pub(crate) uid: u32,
    /// Its permitted capabilities.
    pub(crate) permitted: u64,
    /// Its effective capabilities.
    pub(crate) effective: u64,
    /// 0 none, 1 strict, 2 filters.
    pub(crate) seccomp: u32,
    /// Resident memory; `None` where there is no memory at all: a kernel thread, a zombie.
    pub(crate) rss_bytes: Option<u64>,
}

impl Status {
    /// Of a process, or of a thread by its id.
    ///
    /// # Errors
    /// When there is none, or `/proc` is not there.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read(format!("/proc/{pid}/status"))?))
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Whether it is a thread of the kernel: all are children of number 2.
    pub(crate) fn is_kernel_thread(&self) -> bool {
        const KTHREADD: u32 = 2;
        self.rss_bytes.is_none() && (self.parent == KTHREADD || self.process == KTHREADD)
    }

    fn parse(text: &[u8]) -> Self {
        let mut status = Self::default();
        for line in text.split(|&byte| byte == b'\n') {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                continue;
            };
            let value = String::from_utf8_lossy(&line[colon + 1..]);
            let value = value.trim();
            let number = || value.parse().unwrap_or(0);
            let bits = || u64::from_str_radix(value, 16).unwrap_or(0);
            match &line[..colon] {
                b"Name" => status.comm = value.escape_debug().to_string(),
                b"State" => status.state = value.chars().next().unwrap_or('?'),
                b"Tgid" => status.process = number(),
                b"NSpid" => {
                    let innermost = value.split_whitespace().next_back();
                    status.own_pid = innermost.and_then(|pid| pid.parse().ok()).unwrap_or(0);
                }
                b"PPid" => status.parent = number(),
                b"TracerPid" => status.tracer = number(),
                b"Uid" => {
                    let effective = value.split_whitespace().nth(1);
                    status.uid = effective.and_then(|uid| uid.parse().ok()).unwrap_or(0);
                }
                b"CapPrm" => status.permitted = bits(),
                b"CapEff" => status.effective = bits(),
                b"Seccomp" => status.seccomp = number(),
                b"VmRSS" => {
                    let kilobytes = value.trim_end_matches("kB").trim().parse::<u64>();
                    status.rss_bytes = kilobytes.ok().map(|n| n.saturating_mul(1024));
                }
                _ => {}
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_field_by_field() {
        let text =
            b"Name:\tmy prog\nState:\tS (sleeping)\nTgid:\t12\nPid:\t13\nNSpid:\t13\t4\nPPid:\t2\nTracerPid:\t7\n\
            Uid:\t1\t1000\t1\t1\nVmRSS:\t  2048 kB\nCapPrm:\t00000000000000ff\n\
            CapEff:\t0000000000080000\nSeccomp:\t2\n";
        let expected = Status {
            comm: "my prog".into(),
            state: 'S',
            process: 12,
            own_pid: 4,
            parent: 2,
            tracer: 7,
            uid: 1000,
            permitted: 0xff,
            effective: 1 << 19,
            seccomp: 2,
            rss_bytes: Some(2 << 20),
        };
        assert_eq!(Status::parse(text), expected);
    }

    #[test]
    fn a_damaged_status_is_read_as_far_as_it_goes() {
        let status = Status::parse(
            b"Name\nState:\nTgid:\tx\nUid:\t\nVmRSS:\t99999999999999999999 kB\n\xff:\xff",
        );
        assert_eq!(
            status,
            Status {
                state: '?',
                ..Status::default()
            }
        );
    }
}
