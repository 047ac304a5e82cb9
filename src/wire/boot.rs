//! What the command line leaves in the target's memory for the agent to start with.

use crate::N_CAPI;

/// Changes whenever the layout of [`Boot`] or its meaning does, as with each symbol more.
pub const BOOT_VERSION: u32 = 1000 + N_CAPI as u32;

/// The agent's start data: written by the command line beside the agent's image, read in place.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// [`BOOT_VERSION`]; the agent leaves at once when it is another.
    pub version: u32,
    /// The agent's end of the channel, a descriptor of the target. `-1` until the stub made it.
    pub socket: i32,
    /// The other end, which the command line takes by `pidfd_getfd`; the agent closes it first of
    /// all. `-1` until the stub made it.
    pub peer: i32,
    /// 1 where others than who started the agent may ask: then each request is
    /// [bounded](crate::Request::bounded). 0 where the command line has got in by ptrace.
    pub is_guarded: i32,
    /// First byte of the one mapping that holds stub, image and this struct.
    pub map_start: u64,
    /// Its length in bytes.
    pub map_len: u64,
    /// Addresses of the C-API in the order of [`Capi`](crate::Capi); 0 where the target has none.
    pub capi: [u64; N_CAPI],
}
