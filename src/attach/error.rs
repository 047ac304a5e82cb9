//! What stands in the way of an attach, and what to do about it.

/// Why a process cannot be attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// There is no process of that id.
    #[error("process {pid} does not exist")]
    NoSuchProcess {
        /// The id.
        pid: u32,
    },
}

impl AttachError {
    /// What to do about it, as one or two sentences for a person.
    pub fn help(&self) -> String {
        match self {
            Self::NoSuchProcess { .. } => "`leakhunt ps` lists what can be attached".into(),
        }
    }
}
