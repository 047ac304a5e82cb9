//! The agent's own objects in the target's heap, which no walk counts: the callback that it registers,
//! and what `atexit` keeps of it.

use leakhunt_wire::Capi;

use crate::atexit_entry::read;
use crate::capi::CApi;
use crate::layout::Layout;
use crate::lists::Lists;
use crate::memory::Memory;

/// What is there on the agent's account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnObjects {
    /// The callback, and the tuple that holds it in `atexit`'s list (3.14 on).
    objects: [usize; 2],
    /// Bytes by which that list is longer.
    pub(crate) list_bytes: usize,
}

impl OwnObjects {
    /// Looks for them after `function` was registered; the agent has been inside since.
    pub(crate) fn of(
        function: usize,
        capi: &CApi,
        layout: &Layout,
        lists: Option<&Lists>,
        memory: Memory,
    ) -> Self {
        let tuple_type = capi.address(Capi::PyTuple_Type);
        let holds_function = |object: usize| {
            layout.type_of(memory, object) == tuple_type
                && layout.size_field(memory, object) > 0
                && memory.word(object + layout.tuple_items) == function
        };
        // The tuple was made after the callback, and nobody else has made an object since.
        let tuple = match lists {
            Some(lists) if layout.minor >= 14 => lists
                .successors(memory, function)
                .find(|&object| holds_function(object))
                .unwrap_or(0),
            _ => 0,
        };
        let list_bytes = if tuple == 0 {
            0
        } else {
            list_growth(capi, layout, tuple)
        };
        Self {
            objects: [function, tuple],
            list_bytes,
        }
    }

    /// The callback that is registered with `atexit`.
    pub(crate) fn callback(&self) -> usize {
        self.objects[0]
    }

    #[inline(always)]
    pub(crate) fn contain(&self, object: usize) -> bool {
        object == self.objects[0] || object == self.objects[1]
    }
}

/// Bytes by which `atexit`'s list has grown for the one callback that it holds. A list that held
/// others before had room, or not: that is not known, and not counted.
fn list_growth(capi: &CApi, layout: &Layout, tuple: usize) -> usize {
    // `interp->atexit.callbacks`: 10,792 in 3.14.10, 10,768 in 3.15.2; checked by what is found.
    const AROUND: usize = 10_780;
    const REACH: usize = 256;
    // SAFETY: the agent is inside an interpreter that therefore is initialised.
    let interpreter = unsafe { capi.main_interpreter() };
    let first = (interpreter + AROUND - REACH) & !7;
    let growth_at = |address: usize| {
        let [list] = read(address)?;
        // A list object: header, length, items, capacity.
        let [list_type] = read(list.checked_add(layout.ob_type)?)?;
        let [len, items, capacity] = read(list + layout.header)?;
        let is_it = list_type == capi.address(Capi::PyList_Type) && len == 1;
        (is_it && read(items) == Some([tuple])).then_some(capacity * 8)
    };
    (first..first + 2 * REACH)
        .step_by(8)
        .find_map(growth_at)
        .unwrap_or(0)
}
