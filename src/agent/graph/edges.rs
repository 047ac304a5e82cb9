//! Where the references of an object go as they are found.

use leakhunt_wire::LabelKind;

use crate::dicts::Text;

/// Takes the references of one object. Errors are kept by the sink: whoever finds references need
/// not look at them, but may stop when `is_full`.
pub(crate) trait EdgeSink {
    /// The next of those whose meaning follows from the place; 0 for none at that place.
    fn place(&mut self, target: usize);

    /// One by a name that is part of the program or of the interpreter.
    fn named(&mut self, kind: LabelKind, name: &[u8], target: usize);

    /// One by a name that is a `str` of the target's, such as a local variable's.
    fn named_by(&mut self, kind: LabelKind, name: Text<'_>, target: usize);

    /// One by a name that the count of the object does not have, as frames of 3.14 on hold some: it
    /// keeps the object reachable, and must not make it look as if it had more than it counts.
    fn borrowed(&mut self, kind: LabelKind, name: &[u8], target: usize);

    /// See [`Self::borrowed`] and [`Self::named_by`].
    fn borrowed_by(&mut self, kind: LabelKind, name: Text<'_>, target: usize);

    /// One that has no name.
    fn unnamed(&mut self, target: usize);

    /// Whether more references are in vain.
    fn is_full(&self) -> bool;
}
