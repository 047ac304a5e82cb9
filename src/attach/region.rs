//! Where in the target's one new mapping everything stands.
//!
//! ```text
//! start            code_len                                              len
//! | stub | image R+X | image RW | stack of the hijacked thread | context |
//! ```

use crate::AgentImage;
use crate::stub::{self, Context};

const PAGE: u64 = 4096;
/// `pthread_create` needs some kilobytes; with a `LD_PRELOAD`ed wrapper perhaps more. Only touched
/// pages cost.
const STACK_SIZE: u64 = 64 * 1024;

/// The lengths, which are known before there is an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    stub_len: u64,
    image_len: u64,
    entry: u64,
    /// Length of the first part, which is made executable and read-only.
    pub(crate) code_len: u64,
    /// Length of the mapping.
    pub(crate) len: u64,
}

impl Plan {
    /// For an agent.
    pub(crate) fn new(image: &AgentImage) -> Self {
        let stub_len = (stub::code().len() as u64).next_multiple_of(PAGE);
        let context_len = (size_of::<Context>() as u64).next_multiple_of(PAGE);
        Self {
            stub_len,
            image_len: image.len(),
            entry: image.entry(),
            code_len: stub_len + image.writable_from(),
            len: stub_len + image.len() + STACK_SIZE + context_len,
        }
    }

    /// At an address.
    pub(crate) fn at(&self, start: u64) -> Region {
        let image = start + self.stub_len;
        let stack = image + self.image_len;
        Region {
            start,
            len: self.len,
            hijacked_entry: start + stub::hijacked_offset(),
            stub_end: start + self.stub_len,
            image,
            agent_entry: image + self.entry,
            stack_top: stack + STACK_SIZE,
            context: stack + STACK_SIZE,
        }
    }
}

/// The addresses in a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) hijacked_entry: u64,
    pub(crate) stub_end: u64,
    pub(crate) image: u64,
    pub(crate) agent_entry: u64,
    pub(crate) stack_top: u64,
    pub(crate) context: u64,
}
