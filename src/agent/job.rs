//! One walk for a request: where it happens, and what becomes of it.

use core::ffi::{c_int, c_void};

use leakhunt_wire::{Capi, CensusRequest, DumpRequest, Ended, Place};

use crate::capi::Object;
use crate::census::Counted;
use crate::copy::{self, code};
use crate::heap::Heap;
use crate::interpreter::Inside;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::progress::Progress;
use crate::sys;
use crate::tally::{Tally, Walk, WalkError};

/// What a walk is for.
#[derive(Clone, Copy)]
pub(crate) enum Job<'r> {
    Census(&'r CensusRequest),
    Dump(&'r DumpRequest<'r>),
}

/// A walk that starts now.
pub(crate) struct Start<'a> {
    pub(crate) job: Job<'a>,
    pub(crate) heap: &'a Heap,
    pub(crate) progress: &'a Progress,
    pub(crate) socket: i32,
    pub(crate) skipped_type: usize,
    pub(crate) cross_check: bool,
    pub(crate) is_during_collection: bool,
}

/// What was started.
pub(crate) enum Started {
    /// A copy works; it is to be waited for.
    Copy { pid: u32, clone_us: u64 },
    /// The walk is done, in place; its packets are to be sent.
    Target {
        outbox: Outbox,
        result: Result<(), WalkError>,
    },
    /// Neither was possible.
    Refused { ended: Ended, clone_errno: u32 },
}

impl Start<'_> {
    fn time_limit_us(&self) -> u64 {
        let time_limit_ms = match self.job {
            Job::Census(request) => request.time_limit_ms,
            Job::Dump(request) => request.time_limit_ms,
        };
        u64::from(time_limit_ms) * 1000
    }

    fn walk(&self, memory: Memory) -> Walk<'_> {
        Walk {
            heap: self.heap,
            memory,
            progress: self.progress,
            skipped_type: self.skipped_type,
            is_during_collection: self.is_during_collection,
        }
    }

    /// Starts the walk in a copy.
    pub(crate) fn in_copy(&self, inside: &Inside<'_>) -> Started {
        self.progress.reset();
        if self.heap.lists.is_none() {
            return self.in_copy_while_visiting(inside);
        }
        let parent = sys::pid();
        let start = sys::now_us();
        // SAFETY: the copy runs `work_in_copy`, which does not return.
        match unsafe { sys::clone_process() } {
            Ok(0) => {
                let socket = copy::settle(self.socket, parent, self.time_limit_us());
                self.work_in_copy(inside.memory, socket)
            }
            Ok(pid) => Started::Copy {
                pid,
                clone_us: sys::now_us() - start,
            },
            Err(errno) => Started::Refused {
                ended: Ended::Refused,
                clone_errno: errno.0,
            },
        }
    }

    fn work_in_copy(&self, memory: Memory, socket: i32) -> ! {
        exit_with(self.walk_lists(memory, self.cross_check, &mut Outbox::Socket(socket)))
    }

    fn walk_lists(
        &self,
        memory: Memory,
        cross_check: bool,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        let Some(lists) = &self.heap.lists else {
            return Err(WalkError::BrokenList);
        };
        let walk = self.walk(memory);
        let mut bare_walk_us = 0;
        if let Job::Census(CensusRequest {
            time_bare_walk: true,
            ..
        }) = self.job
        {
            let start = sys::now_us();
            lists.bare_walk(memory);
            bare_walk_us = sys::now_us() - start;
        }
        let start = sys::now_us();
        self.with_tally(&walk, |mut tally| {
            tally.add_lists(lists)?;
            let walk_us = sys::now_us() - start;
            let counted = Counted {
                walk_us,
                bare_walk_us,
                cross_check,
            };
            self.finish(&walk, tally, &counted, outbox)
        })
    }

    /// Makes what the job counts, and hands it on.
    fn with_tally(
        &self,
        walk: &Walk<'_>,
        then: impl FnOnce(Tally<'_>) -> Result<(), WalkError>,
    ) -> Result<(), WalkError> {
        match self.job {
            Job::Census(request) => then(walk.census_tally(request)?),
            Job::Dump(request) => then(walk.dump_tally(&|name| name.matches(request.type_name))?),
        }
    }

    fn finish(
        &self,
        walk: &Walk<'_>,
        tally: Tally<'_>,
        counted: &Counted,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        match self.job {
            Job::Census(_) => walk.finish_census(tally, counted, outbox),
            Job::Dump(request) => walk.finish_dump(tally, request, outbox),
        }
    }

    /// Without lists, the interpreter's own enumeration is the frame in which to clone: in a
    /// free-threaded build the world stands still there, and the copy need not (and cannot) stop
    /// it again. The first call back clones; in the target it ends the enumeration, in the copy it
    /// goes on.
    fn in_copy_while_visiting(&self, inside: &Inside<'_>) -> Started {
        let unsupported = Started::Refused {
            ended: Ended::Unsupported,
            clone_errno: 0,
        };
        if !self.heap.capi.has(Capi::PyUnstable_GC_VisitObjects) {
            return unsupported;
        }
        let walk = self.walk(inside.memory);
        let mut visits = Visits {
            start: self,
            walk: &walk,
            parent: sys::pid(),
            socket: self.socket,
            started: unsupported,
            is_copy: false,
            began_us: 0,
            tally: None,
            result: Ok(()),
        };
        let result = self.with_empty_tally(&walk, &mut visits);
        if visits.is_copy {
            exit_with(result);
        }
        visits.started
    }

    fn with_empty_tally(&self, walk: &Walk<'_>, visits: &mut Visits<'_>) -> Result<(), WalkError> {
        let socket = &raw mut visits.socket;
        self.with_tally(walk, |mut tally| {
            visits.tally = Some((&raw mut tally).cast());
            // SAFETY: the agent is attached, and `visit_or_clone` only reads the heap.
            unsafe {
                self.heap
                    .capi
                    .visit_objects(visit_or_clone, (&raw mut *visits).cast());
            }
            visits.tally = None;
            if !visits.is_copy {
                return Ok(());
            }
            visits.result?;
            let walk_us = sys::now_us() - visits.began_us;
            let counted = Counted {
                walk_us,
                bare_walk_us: 0,
                cross_check: false,
            };
            // SAFETY: the field outlives this closure, and nothing else uses it now.
            let mut outbox = Outbox::Socket(unsafe { *socket });
            self.finish(walk, tally, &counted, &mut outbox)
        })
    }

    /// Walks in the target itself; its interpreter waits.
    pub(crate) fn in_target(&self, inside: &Inside<'_>) -> Started {
        self.progress.reset();
        let mut outbox = Outbox::Kept(crate::buffer::Buffer::new());
        let result = if self.heap.lists.is_some() {
            self.walk_lists(inside.memory, false, &mut outbox)
        } else if self.heap.capi.has(Capi::PyUnstable_GC_VisitObjects) {
            self.visit_in_target(inside.memory, &mut outbox)
        } else {
            return Started::Refused {
                ended: Ended::Unsupported,
                clone_errno: 0,
            };
        };
        Started::Target { outbox, result }
    }

    fn visit_in_target(&self, memory: Memory, outbox: &mut Outbox) -> Result<(), WalkError> {
        let walk = self.walk(memory);
        let start = sys::now_us();
        self.with_tally(&walk, |mut tally| {
            tally.add_visits()?;
            // The world goes on after the visits: what needs it to stand still is left out.
            drop(tally.take_objects());
            let walk_us = sys::now_us() - start;
            let counted = Counted {
                walk_us,
                bare_walk_us: 0,
                cross_check: false,
            };
            self.finish(&walk, tally, &counted, outbox)
        })
    }

    /// How many objects make a walk in place worthwhile; 0 when it never is.
    pub(crate) fn wants_target(&self, memory: Memory) -> bool {
        let Job::Census(request) = self.job else {
            return false;
        };
        match (request.place, &self.heap.lists) {
            (Place::Target, _) => true,
            (Place::Copy, _) | (Place::Auto, None) => false,
            (Place::Auto, Some(lists)) => {
                request.in_place_max_objects > 0
                    && lists.hold_no_more_than(memory, request.in_place_max_objects)
            }
        }
    }
}

/// Ends a copy.
fn exit_with(result: Result<(), WalkError>) -> ! {
    sys::exit_process(match result {
        Ok(()) => 0,
        Err(WalkError::NoMemory) => code::NO_MEMORY,
        Err(WalkError::BrokenList) => code::BROKEN_LIST,
        Err(WalkError::NotSent) => code::NOT_SENT,
    })
}

struct Visits<'a> {
    start: &'a Start<'a>,
    walk: &'a Walk<'a>,
    parent: u32,
    socket: i32,
    started: Started,
    is_copy: bool,
    began_us: u64,
    /// The tally of the closure that runs the visits.
    tally: Option<*mut c_void>,
    result: Result<(), WalkError>,
}

unsafe extern "C" fn visit_or_clone(object: Object, argument: *mut c_void) -> c_int {
    // SAFETY: `argument` is the `Visits` of `in_copy_while_visiting`, used here alone meanwhile.
    let visits = unsafe { &mut *argument.cast::<Visits<'_>>() };
    if !visits.is_copy {
        let start = sys::now_us();
        // SAFETY: the copy goes on in this function and ends in `exit_with`.
        match unsafe { sys::clone_process() } {
            Ok(0) => {
                visits.is_copy = true;
                let limit_us = visits.start.time_limit_us();
                visits.socket = copy::settle(visits.socket, visits.parent, limit_us);
                visits.began_us = sys::now_us();
            }
            Ok(pid) => {
                visits.started = Started::Copy {
                    pid,
                    clone_us: sys::now_us() - start,
                };
                return 0;
            }
            Err(errno) => {
                visits.started = Started::Refused {
                    ended: Ended::Refused,
                    clone_errno: errno.0,
                };
                return 0;
            }
        }
    }
    let Some(tally) = visits.tally else { return 0 };
    // SAFETY: the pointer is of the tally that lives in `with_empty_tally` during the visits.
    let tally = unsafe { &mut *tally.cast::<Tally<'_>>() };
    let _ = visits.walk;
    match tally.add_visited(object as usize) {
        Ok(()) => 1,
        Err(error) => {
            visits.result = Err(error.into());
            0
        }
    }
}
