//! One walk for a request: where it happens, and what becomes of it.

use leakhunt_wire::{
    Capi, CensusRequest, DescribeRequest, DumpRequest, Ended, GraphRequest, Place, ProbeRequest,
};

use crate::census::Counted;
use crate::copy::{self, code};
use crate::describe::Wanted;
use crate::graph::Times;
use crate::heap::Heap;
use crate::interpreter::Inside;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::progress::Progress;
use crate::sys::{self, Kept};
use crate::tally::{Tally, Walk, WalkError};
use crate::visits;

/// What a walk is for.
#[derive(Clone, Copy)]
pub(crate) enum Job<'r> {
    Census(&'r CensusRequest),
    Dump(&'r DumpRequest<'r>),
    Describe(&'r DescribeRequest<'r>),
    Graph(&'r GraphRequest),
    Probe(&'r ProbeRequest<'r>),
}

/// A walk that starts now.
pub(crate) struct Start<'a> {
    pub(crate) job: Job<'a>,
    pub(crate) heap: &'a Heap,
    pub(crate) progress: &'a Progress,
    pub(crate) socket: i32,
    pub(crate) skipped_type: usize,
    /// Whether a copy has crashed before.
    pub(crate) is_careful: bool,
    pub(crate) cross_check: bool,
    pub(crate) is_during_collection: bool,
    /// Whether a copy in which Python is stuck is given up for another.
    pub(crate) has_other_copies: bool,
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

impl Job<'_> {
    /// What its copy keeps open.
    pub(crate) fn kept_descriptors(&self) -> Kept {
        match self {
            Job::Probe(request) if request.keeps_sockets => Kept::Sockets,
            _ => Kept::None,
        }
    }

    /// Whether the collector is to run first.
    pub(crate) fn collects(&self) -> bool {
        match self {
            Job::Census(request) => request.collect,
            Job::Graph(request) => request.collect,
            Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => false,
        }
    }

    fn times_bare_walk(&self) -> bool {
        match self {
            Job::Census(request) => request.time_bare_walk,
            Job::Graph(request) => request.time_bare_walk,
            Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => false,
        }
    }

    /// Where to walk, and for [`Place::Auto`] the most objects for which that is the target.
    fn place(&self) -> (Place, u64) {
        match self {
            Job::Census(request) => (request.place, request.in_place_max_objects),
            Job::Graph(request) => (request.place, 0),
            Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => (Place::Copy, 0),
        }
    }

    /// Where a copy is refused: the most objects for which the target will do.
    fn refused_max_objects(&self) -> u64 {
        match self {
            Job::Census(request) => request.refused_max_objects,
            Job::Graph(request) => request.refused_max_objects,
            Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => 0,
        }
    }

    /// The most memory that a copy may have for itself.
    pub(crate) fn memory_limit_bytes(&self) -> u64 {
        match self {
            Job::Census(request) => request.memory_limit_bytes,
            Job::Graph(request) => request.memory_limit_bytes,
            Job::Dump(_) | Job::Describe(_) | Job::Probe(_) => crate::dump::MEMORY_LIMIT_BYTES,
        }
    }
}

impl Start<'_> {
    pub(crate) fn time_limit_us(&self) -> u64 {
        let time_limit_ms = match self.job {
            Job::Census(request) => request.time_limit_ms,
            Job::Graph(request) => request.time_limit_ms,
            Job::Dump(request) => request.time_limit_ms,
            Job::Describe(request) => request.time_limit_ms,
            Job::Probe(request) => request.time_limit_ms,
        };
        u64::from(time_limit_ms) * 1000
    }

    pub(crate) fn walk(&self, memory: Memory) -> Walk<'_> {
        Walk {
            heap: self.heap,
            memory,
            progress: self.progress,
            skipped_type: self.skipped_type,
            is_careful: self.is_careful,
            is_during_collection: self.is_during_collection,
            has_other_copies: self.has_other_copies,
        }
    }

    /// Starts the walk in a copy.
    pub(crate) fn in_copy(&self, inside: &Inside<'_>) -> Started {
        self.progress.reset();
        if self.heap.lists.is_none() {
            return visits::start_copy(self, inside);
        }
        let parent = sys::pid();
        let start = sys::now_us();
        // SAFETY: the copy runs `work_in_copy`, which does not return.
        match unsafe { sys::clone_process() } {
            Ok(0) => {
                let socket = copy::settle(
                    self.socket,
                    parent,
                    self.time_limit_us(),
                    self.job.kept_descriptors(),
                );
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
        exit_with(self.walk_lists(memory, u64::MAX, &mut Outbox::Socket(socket)))
    }

    /// `most`: a list that is longer is broken; in the target that keeps the stop short.
    fn walk_lists(&self, memory: Memory, most: u64, outbox: &mut Outbox) -> Result<(), WalkError> {
        let Some(lists) = &self.heap.lists else {
            return Err(WalkError::BrokenList);
        };
        let walk = self.walk(memory);
        let mut bare_walk_us = 0;
        if self.job.times_bare_walk() {
            let start = sys::now_us();
            lists.bare_walk(memory);
            bare_walk_us = sys::now_us() - start;
        }
        let start = sys::now_us();
        if let Job::Graph(request) = self.job {
            return walk.with_capture(request, outbox, |mut capture| {
                capture.add_lists(lists, most)?;
                capture.finish(&Times {
                    began_us: start,
                    walk_us: sys::now_us() - start,
                    bare_walk_us,
                })
            });
        }
        self.with_tally(&walk, |mut tally| {
            tally.add_lists(lists, most)?;
            let walk_us = sys::now_us() - start;
            let counted = Counted {
                walk_us,
                bare_walk_us,
                cross_check: self.cross_check && matches!(outbox, Outbox::Socket(_)),
            };
            self.finish(&walk, tally, &counted, outbox)
        })
    }

    /// Makes what the job counts, and hands it on.
    pub(crate) fn with_tally(
        &self,
        walk: &Walk<'_>,
        then: impl FnOnce(Tally<'_>) -> Result<(), WalkError>,
    ) -> Result<(), WalkError> {
        match self.job {
            Job::Census(request) => then(walk.census_tally(request)?),
            Job::Dump(request) => {
                then(walk.dump_tally(&|_, name| name.matches(request.type_name))?)
            }
            Job::Probe(request) => {
                then(walk.dump_tally(&|type_object, _| walk.is_of(type_object, request))?)
            }
            Job::Describe(request) => {
                let wanted = Wanted::new(request)?;
                then(walk.dump_tally(&|_, _| false)?.only(&wanted))
            }
            // It counts nothing: see `with_capture`.
            Job::Graph(_) => Ok(()),
        }
    }

    pub(crate) fn finish(
        &self,
        walk: &Walk<'_>,
        tally: Tally<'_>,
        counted: &Counted,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        match self.job {
            Job::Census(_) => walk.finish_census(tally, counted, outbox),
            Job::Dump(request) => walk.finish_dump(tally, request, outbox),
            Job::Describe(request) => walk.finish_describe(tally, request, outbox),
            Job::Probe(request) => walk.finish_probe(tally, request, outbox),
            Job::Graph(_) => Ok(()),
        }
    }

    /// Walks in the target itself; its interpreter waits.
    pub(crate) fn in_target(&self, inside: &Inside<'_>) -> Started {
        self.progress.reset();
        let mut outbox = Outbox::Kept(crate::buffer::Buffer::new());
        let result = if self.heap.lists.is_some() {
            self.walk_lists(inside.memory, self.most_in_target(), &mut outbox)
        } else if self.heap.capi.has(Capi::PyUnstable_GC_VisitObjects)
            && !matches!(self.job, Job::Graph(_))
        {
            // For a graph the world would have to stand still afterwards, too.
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

    /// Whether to walk in the target rather than in a copy.
    pub(crate) fn wants_target(&self, memory: Memory) -> bool {
        match self.job.place() {
            (Place::Target, _) => true,
            (Place::Copy, _) => false,
            (Place::Auto, most) => self.has_no_more_than(memory, most),
        }
    }

    /// Whether to walk in the target where a copy was refused.
    pub(crate) fn puts_up_with_target(&self, memory: Memory) -> bool {
        self.has_no_more_than(memory, self.job.refused_max_objects())
    }

    fn has_no_more_than(&self, memory: Memory, most: u64) -> bool {
        most > 0
            && self
                .heap
                .lists
                .is_some_and(|lists| lists.hold_no_more_than(memory, most))
    }

    fn most_in_target(&self) -> u64 {
        match self.job.place() {
            (Place::Target, _) => u64::MAX,
            (_, most) => most.max(self.job.refused_max_objects()),
        }
    }
}

/// Ends a copy.
pub(crate) fn exit_with(result: Result<(), WalkError>) -> ! {
    sys::exit_process(match result {
        Ok(()) => 0,
        Err(WalkError::NoMemory) => code::NO_MEMORY,
        Err(WalkError::BrokenList) => code::BROKEN_LIST,
        Err(WalkError::NotSent) => code::NOT_SENT,
        Err(WalkError::Stopped) => code::STOPPED,
        Err(WalkError::TimeLimit) => code::TIME_LIMIT,
        Err(WalkError::Stuck) => code::STUCK,
    })
}
