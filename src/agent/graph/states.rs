//! What objects are in the midst of: fields that are no references. Where the layout of a type is not
//! as it was measured, nothing is said.
//!
//! Offsets as those of [`crate::layout`], found on 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.18,
//! 3.14.10 and 3.15.2 by comparing objects whose state is known.

use leakhunt_wire::{StateDef, StateKind};

use crate::graph::frame_layout::{Generator, OldFrame};
use crate::graph::kinds::Kind;
use crate::graph::{code, lines};
use crate::heap::Heap;
use crate::layout::Layout;
use crate::memory::Memory;

/// How the state of a type's objects is found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum StateRule {
    /// There is none, or it is not known how.
    #[default]
    None = 0,
    Generator,
    /// A Future or Task of `_asyncio`.
    Future,
    /// The descriptor of a file or socket, right after the object's header.
    Descriptor,
    Deque,
    LruCache,
    Function,
}

/// Where a future keeps its state and its result, in an object of one of two sizes: that of a Future
/// and that of a Task.
struct FutureFields {
    sizes: [usize; 2],
    state: usize,
    result: usize,
}

impl FutureFields {
    fn of(layout: &Layout) -> Self {
        let (sizes, state, result) = match layout.minor {
            8 => ([104, 144], 72, 56),
            9 => ([144, 184], 80, 56),
            10 => ([152, 192], 88, 64),
            11 | 12 => ([128, 176], 88, 64),
            13 => ([104, 144], 96, 64),
            _ => ([112, 168], 104, 64),
        };
        let more = layout.header - 16;
        Self {
            sizes: sizes.map(|size| size + more),
            state: state + more,
            result: result + more,
        }
    }
}

/// The size of a `_io.FileIO` in a build with the GIL.
const FILE_BYTES: usize = 48;
/// What a file or socket has when it is closed.
const NO_DESCRIPTOR: i32 = -1;

impl StateRule {
    /// The rule of a type whose first base that is made in C is `base`.
    pub(crate) fn of(heap: &Heap, memory: Memory, base: usize, kind: Kind) -> Self {
        let layout = &heap.layout;
        let size = layout.basic_size(memory, base);
        let rule = match layout.type_name(memory, base) {
            _ if kind == Kind::Generator => Self::Generator,
            _ if kind == Kind::Deque => Self::Deque,
            b"functools._lru_cache_wrapper" => Self::LruCache,
            b"function" => Self::Function,
            b"_asyncio.Future" | b"_asyncio.Task" => Self::Future,
            b"_io.FileIO" | b"_socket.socket" => Self::Descriptor,
            _ => Self::None,
        };
        let is_as_measured = match rule {
            Self::Future => FutureFields::of(layout).sizes.contains(&size),
            Self::Descriptor => match layout.member(memory, base, b"family") {
                // It stands right before the family of a socket.
                Some(family) => family == layout.header + 4,
                None => size == FILE_BYTES + layout.header - 16,
            },
            _ => true,
        };
        if is_as_measured { rule } else { Self::None }
    }

    /// The state of an object, where it has one.
    pub(crate) fn state(self, heap: &Heap, memory: Memory, object: usize) -> Option<StateDef> {
        let layout = &heap.layout;
        let alone = |kind| Some((kind, 0));
        let (kind, number) = match self {
            Self::None => None,
            Self::Generator => match generator(layout, memory, object) {
                StateKind::Suspended => {
                    let line = lines::of_suspended(heap, memory, object).unwrap_or(0);
                    Some((StateKind::Suspended, line))
                }
                kind => alone(kind),
            },
            Self::Future => alone(future(layout, memory, object)?),
            Self::Descriptor => match memory.half(object + layout.header) as i32 {
                NO_DESCRIPTOR => alone(StateKind::Closed),
                0.. => alone(StateKind::Open),
                _ => None,
            },
            Self::Function => {
                let positional = code::positional_with_defaults(heap, memory, object)?;
                Some((StateKind::Defaults, positional.end as u64))
            }
            Self::Deque => bound(memory, object + layout.header + 48),
            Self::LruCache => {
                let cache = memory.word(object + layout.header + 56);
                let is_dict = cache != 0 && layout.type_of(memory, cache) == heap.dict_type;
                is_dict
                    .then(|| bound(memory, object + layout.header + 80))
                    .flatten()
            }
        }?;
        Some(StateDef {
            address: object as u64,
            kind,
            number,
        })
    }
}

/// The most entries of a container; negative for any number.
fn bound(memory: Memory, place: usize) -> Option<(StateKind, u64)> {
    let most = u64::try_from(memory.signed(place)).ok()?;
    Some((StateKind::Bounded, most))
}

fn future(layout: &Layout, memory: Memory, object: usize) -> Option<StateKind> {
    let fields = FutureFields::of(layout);
    let has_result = memory.word(object + fields.result) != 0;
    match memory.half(object + fields.state) {
        0 if !has_result => Some(StateKind::Pending),
        1 if !has_result => Some(StateKind::Cancelled),
        2 => Some(StateKind::Finished),
        _ => None,
    }
}

fn generator(layout: &Layout, memory: Memory, object: usize) -> StateKind {
    let offsets = Generator::of(layout);
    if layout.minor <= 10 {
        return old_generator(layout, memory, object, &offsets);
    }
    let state = memory.byte(object + offsets.state) as i8;
    // How a frame's states are numbered: created, suspended in one or more ways, running, then what
    // has ended.
    let created = match layout.minor {
        11 | 12 => -2,
        13 | 14 => -3,
        _ => 0,
    };
    if state == created {
        StateKind::Created
    } else if state < offsets.running {
        StateKind::Suspended
    } else if state == offsets.running {
        StateKind::Running
    } else {
        StateKind::Finished
    }
}

/// Up to 3.10 a generator that ended has no frame, and one that did not start has not come to its
/// first instruction.
fn old_generator(layout: &Layout, memory: Memory, object: usize, offsets: &Generator) -> StateKind {
    const BEFORE_THE_FIRST: i32 = -1;
    let frame = memory.word(object + offsets.frame_object);
    if frame == 0 {
        return StateKind::Finished;
    }
    let fields = OldFrame::of(layout.minor);
    if memory.byte(frame + fields.running) as i8 == fields.running_value {
        StateKind::Running
    } else if memory.half(frame + fields.last_instruction) as i32 == BEFORE_THE_FIRST {
        StateKind::Created
    } else {
        StateKind::Suspended
    }
}
