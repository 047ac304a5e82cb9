//! What an array of numpy's refers to: no type tells the collector of that.

use leakhunt_wire::LabelKind;

use crate::arrays::Ndarray;
use crate::graph::capture::Capture;
use crate::graph::edges::EdgeSink;

impl Capture<'_> {
    /// The element type, the owner of a view's elements, and the elements where they are objects: by
    /// their index in an array of one dimension.
    pub(crate) fn array(&mut self, array: usize) {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let array = Ndarray::of(layout, memory, array);
        let (first, n_objects) = array.objects();
        for index in 0..n_objects {
            let element = memory.word(first + index * 8);
            if array.is_one_dimensional() {
                self.emitter.place(element);
            } else {
                self.emitter.unnamed(element);
            }
            if self.emitter.is_full() {
                return;
            }
        }
        let (dtype, base) = array.dtype_and_base();
        self.emitter.named(LabelKind::Attribute, b"dtype", dtype);
        self.emitter.named(LabelKind::Attribute, b"base", base);
    }
}
