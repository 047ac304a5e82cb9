//! What is known of the interpreter's heap once the agent has been in it.

use leakhunt_wire::Capi;

use crate::capi::CApi;
use crate::layout::Layout;
use crate::lists::Lists;
use crate::memory::Memory;
use crate::own::OwnObjects;

/// The interpreter's heap: where to find things in it.
pub(crate) struct Heap {
    pub(crate) capi: CApi,
    pub(crate) layout: Layout,
    /// `None` on free-threaded builds, and where they could not be found.
    pub(crate) lists: Option<Lists>,
    /// Address of `gcstate->collecting`; 0 where it is not known.
    collecting: usize,
    pub(crate) own: OwnObjects,
    pub(crate) list_type: usize,
    pub(crate) dict_type: usize,
}

impl Heap {
    /// Looks round.
    ///
    /// # Safety
    /// The caller holds the GIL, and has held it since `callback` was registered with `atexit`.
    pub(crate) unsafe fn find(
        capi: &CApi,
        layout: Layout,
        memory: Memory,
        callback: usize,
    ) -> Self {
        let lists = if layout.is_free_threaded {
            None
        } else {
            // SAFETY: the caller holds the GIL, and this build has one.
            unsafe { Lists::find(capi, memory, capi.main_interpreter()) }
        };
        let collecting = match (layout.collecting, lists) {
            (0, Some(lists)) => lists.collecting_flag(layout.minor),
            (address, _) => address,
        };
        Self {
            capi: *capi,
            layout,
            lists,
            collecting,
            own: OwnObjects::of(callback, capi, &layout, lists.as_ref(), memory),
            list_type: capi.address(Capi::PyList_Type),
            dict_type: capi.address(Capi::PyDict_Type),
        }
    }

    /// Whether a collection is under way, in whose midst a finalizer let the GIL go: some objects
    /// are then in none of the lists.
    pub(crate) fn is_collecting(&self, memory: Memory) -> bool {
        self.collecting != 0 && memory.half(self.collecting) == 1
    }
}
