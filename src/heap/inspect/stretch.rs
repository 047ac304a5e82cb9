//! Which part of a path is to blame.

use std::ops::Range;

use super::{Inspections, Verdict};
use crate::paths::Path;

/// The steps of a path whose references are suspects: verdicts spread along it. From the root all is
/// fine up to the last object that is in use; from the first that should be gone on all is wrong. The
/// stretch between is left, with the object that should be gone: each step stands for the reference
/// that leads to it. It goes to the end where nothing should be gone, and is empty where the last
/// object is in use.
pub fn suspect_stretch(path: &Path, inspections: &Inspections) -> Range<usize> {
    let verdict = |index: usize| inspections.verdict(path.steps[index].object);
    let n_steps = path.steps.len();
    let start = (0..n_steps)
        .rev()
        .find(|&index| verdict(index) == Verdict::NotLeaking)
        .map_or(0, |last_fine| last_fine + 1);
    let end = (start..n_steps)
        .find(|&index| verdict(index) == Verdict::Leaking)
        .map_or(n_steps, |first_wrong| first_wrong + 1);
    start..end
}
