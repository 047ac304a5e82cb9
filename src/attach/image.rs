//! The agent's image: read from its ELF file, relocated for an address in the target.

/// An agent that can be mapped into a target.
#[derive(Debug)]
pub struct AgentImage {}

/// Why bytes are no agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Not an ELF file for x86-64.
    #[error("not an ELF shared object for x86-64")]
    NotElf,
}

impl AgentImage {
    /// Reads the ELF file of the agent.
    ///
    /// # Errors
    /// When the file is damaged, needs a library, or holds a relocation of an unknown kind.
    pub fn parse(elf: &[u8]) -> Result<Self, ImageError> {
        let _ = elf;
        unimplemented!()
    }
}
