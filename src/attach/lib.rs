//! Gets into a live CPython process and gives a channel to the agent there.

mod channel;
mod discover;
mod error;
mod image;
mod session;

pub use channel::{Channel, ChannelError};
pub use discover::{Candidate, candidates};
pub use error::AttachError;
pub use image::{AgentImage, ImageError};
pub use session::{AttachOptions, AttachReport, attach};
