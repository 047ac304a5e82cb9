//! Having the target tell where its objects are made.

use leakhunt_wire::Traced;

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::rounds::LookEnd;
use crate::session::{Link, Session};

/// How many frames of the place where an object was made are kept.
const TRACED_FRAMES: u32 = 5;

/// Has tracemalloc on from now until the session ends.
///
/// # Errors
/// When the target cannot.
pub(crate) fn trace<L: Link>(
    session: &mut Session<L>,
    pid: u32,
    output: &Output,
) -> Result<(), LookEnd> {
    if session.is_traced() {
        return Ok(());
    }
    match session.trace(TRACED_FRAMES)? {
        Traced::Done => output.detail(1, "tracemalloc is on until leakhunt leaves"),
        Traced::WasOn => output.note(
            "tracemalloc is on in the target already: it is left as it is, and tells as many \
             frames as it keeps",
        ),
        Traced::Failed => {
            let message = format!("process {pid} cannot switch tracemalloc on");
            let failure = Failure::new(Exit::NoAttach, message).with_help("try without --trace");
            return Err(LookEnd::ForGood(failure.into()));
        }
    }
    Ok(())
}
