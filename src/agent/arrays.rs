//! Arrays of numpy and arrow: their bytes lie outside of any object, and nothing traverses them.

use crate::atexit_entry::read;
use crate::layout::Layout;
use crate::memory::Memory;

/// `PyArrayObject` of numpy 1 and 2, which differ in what an element's type looks like.
pub(crate) struct Ndarray {
    /// The elements.
    data: usize,
    n_dimensions: usize,
    n_elements: usize,
    element: Element,
    owns_data: bool,
    /// Whoever owns the elements of a view; 0 for none.
    base: usize,
    dtype: usize,
}

/// What an array's elements are.
#[derive(Clone, Copy)]
struct Element {
    size: usize,
    is_object: bool,
}

impl Ndarray {
    pub(crate) fn of(layout: &Layout, memory: Memory, array: usize) -> Self {
        const OWNS_DATA: u32 = 0x4;
        const MOST_DIMENSIONS: usize = 64;
        // After the header: data, number of dimensions, dimensions, strides, base, dtype, flags.
        let field = |index: usize| array + layout.header + index * 8;
        let n_dimensions = (memory.half(field(1)) as usize).min(MOST_DIMENSIONS);
        let dimensions = memory.word(field(2));
        let dtype = memory.word(field(5));
        Self {
            data: memory.word(field(0)),
            n_dimensions,
            n_elements: (0..n_dimensions).fold(1, |product: usize, index| {
                product.saturating_mul(memory.word(dimensions + index * 8))
            }),
            element: Element::of(layout, memory, dtype),
            owns_data: memory.half(field(6)) & OWNS_DATA != 0,
            base: memory.word(field(4)),
            dtype,
        }
    }

    /// What `ndarray.__sizeof__` adds to the object: dimensions, strides, and elements of its own.
    pub(crate) fn bytes_beside(&self) -> usize {
        let elements = if self.owns_data {
            self.n_elements.saturating_mul(self.element.size)
        } else {
            0
        };
        elements.saturating_add(self.n_dimensions * 16)
    }

    /// The dtype; the owner of a view's elements, or 0.
    pub(crate) fn dtype_and_base(&self) -> (usize, usize) {
        (self.dtype, self.base)
    }

    pub(crate) fn is_one_dimensional(&self) -> bool {
        self.n_dimensions == 1
    }

    /// Where the objects are that it owns as elements, and how many.
    pub(crate) fn objects(&self) -> (usize, usize) {
        if self.owns_data && self.element.is_object {
            (self.data, self.n_elements)
        } else {
            (self.data, 0)
        }
    }
}

impl Element {
    fn of(layout: &Layout, memory: Memory, dtype: usize) -> Self {
        const OBJECT: u32 = 17;
        if dtype == 0 {
            return Self {
                size: 0,
                is_object: false,
            };
        }
        // After the header: type, four characters, number of the type. Then in numpy 1 size and
        // alignment of 4 bytes each, and no alignment is 0; in numpy 2 flags of 8 bytes, of which
        // the upper ones are unused, and the size.
        let after_header = dtype + layout.header;
        let (low, high) = (
            memory.half(after_header + 16),
            memory.half(after_header + 20),
        );
        let size = if high == 0 {
            memory.word(after_header + 24)
        } else {
            low as usize
        };
        Self {
            size,
            is_object: memory.half(after_header + 12) == OBJECT,
        }
    }
}

/// Bytes of the buffers that an arrow array refers to, those of its children included. A slice counts
/// all of its buffers. 0 where it does not look as expected: these are structures of C++, read with
/// care.
pub(crate) fn arrow_bytes(layout: &Layout, memory: Memory, array: usize) -> usize {
    // `pyarrow.lib.Array`: weak references, table of functions, shared pointer, the same pointer.
    let [native, _, same] = [2, 3, 4].map(|index| memory.word(array + layout.header + index * 8));
    if native == 0 || native != same {
        return 0;
    }
    // `arrow::Array`: table of functions, shared pointer to its data.
    const MOST_PARTS: usize = 10_000;
    let mut n_parts = MOST_PARTS;
    read(native).map_or(0, |[_, data]| data_bytes(data, &mut n_parts, 0))
}

/// `arrow::ArrayData`: type (2 words), length, nulls, offset, buffers (3), children (3), dictionary.
fn data_bytes(data: usize, n_parts: &mut usize, depth: usize) -> usize {
    const DEEPEST: usize = 16;
    if data == 0 || depth == DEEPEST || *n_parts == 0 {
        return 0;
    }
    *n_parts -= 1;
    let Some(words) = read::<12>(data) else {
        return 0;
    };
    let [
        _,
        _,
        _,
        _,
        _,
        first_buffer,
        end_of_buffers,
        _,
        first_child,
        end_of_children,
        _,
        dictionary,
    ] = words;
    let mut bytes = data_bytes(dictionary, n_parts, depth + 1);
    for buffer in shared(first_buffer, end_of_buffers, n_parts) {
        // `arrow::Buffer`: table of functions, flags, data, size.
        let size = read(buffer).map_or(0, |[_, _, _, size]: [usize; 4]| size);
        bytes = bytes.saturating_add(size);
    }
    let children = shared(first_child, end_of_children, n_parts);
    for child in children {
        bytes = bytes.saturating_add(data_bytes(child, n_parts, depth + 1));
    }
    bytes
}

/// What the shared pointers of a vector point to; no more than there are parts left.
fn shared(first: usize, end: usize, n_parts: &usize) -> impl Iterator<Item = usize> + use<> {
    let len = end.saturating_sub(first) / 16;
    (0..len.min(*n_parts))
        .filter_map(move |index| read(first + index * 16))
        .map(|[pointer]: [usize; 1]| pointer)
        .filter(|&pointer| pointer != 0)
}
