//! Gets into a live CPython process and gives a channel to the agent there.
//!
//! By ptrace alone: no debugger, no breakpoint, no file, one thread stopped for less than a
//! millisecond. All is prepared before the target is touched ([`AgentImage`], `preflight`); then one
//! thread that stands at a safe point is borrowed (`tracer`, `safe_point`) to map the agent and to
//! start its thread (`hijack`, `stub`). Whenever we fail or are killed, that thread goes back to
//! where it was by itself (`signal_frame`).
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use std::time::Duration;
//!
//! use leakhunt_attach::{AgentImage, AttachOptions, attach};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let image = AgentImage::parse(&std::fs::read("agent.so")?)?;
//! let interrupted = AtomicBool::new(false);
//! let options = AttachOptions {
//!     timeout: Duration::from_secs(10),
//!     force: false,
//!     interrupted: &interrupted,
//! };
//! let (mut channel, report) = attach(4711, &image, &options)?;
//! println!("{:?} after {:?}", channel.receive(Duration::from_secs(1))?, report.took);
//! # Ok(())
//! # }
//! ```

mod address_space;
mod borrowed;
mod bpf;
mod cgroup;
mod channel;
mod discover;
mod elf;
mod error;
mod front_door;
mod hijack;
mod image;
mod interpreter;
mod kernel_threads;
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
mod stacks;
mod status;
mod stub;
mod symbols;
mod syscalls;
mod tracee;
mod tracer;

pub use address_space::{AddressSpace, PAGE_BYTES, ResidentMapping};
pub use channel::{Channel, ChannelError};
pub use discover::{Candidate, TreeProcess, candidates, process_tree};
pub use error::AttachError;
pub use front_door::FrontDoor;
pub use image::{AgentImage, ImageError};
pub use kernel_threads::{KernelThread, kernel_threads};
pub use maps::mapped_files;
pub use session::{AttachOptions, AttachReport, attach};
pub use stacks::{
    Frame, GilState, Locals, LockKind, LockWait, PythonThread, Threads, threads_from_outside,
};
pub use syscalls::{Syscall, WaitKind};
