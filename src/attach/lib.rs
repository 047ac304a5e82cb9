//! Gets into a live CPython process and gives a channel to the agent there.

mod borrowed;
mod bpf;
mod cgroup;
mod channel;
mod discover;
mod elf;
mod error;
mod hijack;
mod image;
mod interpreter;
mod libc_in_target;
mod maps;
mod memory;
mod module;
mod permission;
mod pidfd;
mod preflight;
mod region;
mod safe_point;
mod seccomp;
mod session;
mod signal_frame;
mod signals;
mod status;
mod stub;
mod symbols;
mod tracee;
mod tracer;

pub use channel::{Channel, ChannelError};
pub use discover::{Candidate, candidates};
pub use error::AttachError;
pub use image::{AgentImage, ImageError};
pub use session::{AttachOptions, AttachReport, attach};
