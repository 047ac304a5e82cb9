//! A copy made from within the interpreter's own enumeration, where there are no lists to walk.
//!
//! In a free-threaded build the world stands still while `PyUnstable_GC_VisitObjects` calls back,
//! so that the heap is consistent there, and the copy need not (and cannot) stop it again. The first
//! call back clones: in the target it ends the enumeration, in the copy the enumeration goes on. It
//! writes to each object's reference count, so that such a copy takes as much memory as the objects.

use core::ffi::{c_int, c_void};
use core::ptr;

use leakhunt_wire::{Capi, Ended};

use crate::capi::Object;
use crate::census::Counted;
use crate::copy;
use crate::graph::Times;
use crate::interpreter::Inside;
use crate::job::{Job, Start, Started, exit_with};
use crate::outbox::Outbox;
use crate::sys::{self, Kept};
use crate::tally::WalkError;

/// What the callback works on.
struct Visits {
    parent: u32,
    socket: i32,
    time_limit_us: u64,
    kept: Kept,
    /// In the target: what became of the clone.
    started: Started,
    is_copy: bool,
    /// In the copy: when it began.
    began_us: u64,
    /// A `See`, while the visits run.
    see: *mut c_void,
    result: Result<(), WalkError>,
}

/// What takes the objects.
type See<'s> = &'s mut dyn FnMut(usize) -> Result<(), WalkError>;

/// Starts the walk in a copy.
pub(crate) fn start_copy(start: &Start<'_>, inside: &Inside<'_>) -> Started {
    let unsupported = Started::Refused {
        ended: Ended::Unsupported,
        clone_errno: 0,
    };
    if !start.heap.capi.has(Capi::PyUnstable_GC_VisitObjects) {
        return unsupported;
    }
    let mut visits = Visits {
        parent: sys::pid(),
        socket: start.socket,
        time_limit_us: start.time_limit_us(),
        kept: start.job.kept_descriptors(),
        started: unsupported,
        is_copy: false,
        began_us: 0,
        see: ptr::null_mut(),
        result: Ok(()),
    };
    let walk = start.walk(inside.memory);
    let result = match start.job {
        Job::Graph(request) => {
            let mut outbox = Outbox::Socket(visits.socket);
            walk.with_capture(request, &mut outbox, |mut capture| {
                let see = &mut |object| {
                    capture.add_tracked(object);
                    capture.emitter.stream.result
                };
                if !visits.run(start, see)? {
                    return Ok(());
                }
                capture.emitter.stream.send_to(visits.socket);
                capture.finish(&Times {
                    began_us: visits.began_us,
                    walk_us: sys::now_us() - visits.began_us,
                    bare_walk_us: 0,
                })
            })
        }
        Job::Census(_) | Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => {
            start.with_tally(&walk, |mut tally| {
                let see = &mut |object| Ok(tally.add_visited(object)?);
                if !visits.run(start, see)? {
                    return Ok(());
                }
                let counted = Counted {
                    walk_us: sys::now_us() - visits.began_us,
                    bare_walk_us: 0,
                    cross_check: false,
                };
                start.finish(&walk, tally, &counted, &mut Outbox::Socket(visits.socket))
            })
        }
    };
    if visits.is_copy {
        exit_with(result);
    }
    visits.started
}

impl Visits {
    /// Shows all objects to `see`, in a copy that is made at the first of them. Answers whether this
    /// is the copy.
    fn run(&mut self, start: &Start<'_>, mut see: See<'_>) -> Result<bool, WalkError> {
        self.see = (&raw mut see).cast();
        let argument = (&raw mut *self).cast();
        // SAFETY: the agent is attached, and `visit_or_clone` only reads the heap.
        unsafe { start.heap.capi.visit_objects(visit_or_clone, argument) };
        self.see = ptr::null_mut();
        self.result.map(|()| self.is_copy)
    }
}

unsafe extern "C" fn visit_or_clone(object: Object, argument: *mut c_void) -> c_int {
    // SAFETY: `argument` is the `Visits` of `start_copy`, used here alone meanwhile.
    let visits = unsafe { &mut *argument.cast::<Visits>() };
    if !visits.is_copy {
        let start = sys::now_us();
        // SAFETY: the copy goes on in this function and in `start_copy`, which ends it.
        match unsafe { sys::clone_process() } {
            Ok(0) => {
                visits.is_copy = true;
                visits.socket = copy::settle(
                    visits.socket,
                    visits.parent,
                    visits.time_limit_us,
                    visits.kept,
                );
                visits.began_us = sys::now_us();
            }
            Ok(pid) => {
                let clone_us = sys::now_us() - start;
                visits.started = Started::Copy { pid, clone_us };
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
    // SAFETY: the pointer is of what `run` was given, and valid while that runs the visits.
    let see = unsafe { &mut *visits.see.cast::<See<'_>>() };
    visits.result = see(object as usize);
    c_int::from(visits.result.is_ok())
}
