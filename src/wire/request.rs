//! What the command line asks of the agent.

use crate::codec::{code, packets, record};

packets! {
    /// From the command line to the agent.
    pub enum Request {
        /// Answered by `Pong`; also tells the agent that the command line still lives.
        Ping = 1,
        /// Undo everything and leave; answered by `Goodbye`.
        Detach = 2,
        /// End the copy that works at the moment; the request's last packet still comes.
        Cancel = 3,
        /// Count the objects by type; answered by `Attempt`, rows and `CensusDone`.
        Census(CensusRequest) = 4,
        /// Show the objects of a type; answered by `Attempt`, objects and `DumpDone`.
        Dump(DumpRequest<'p>) = 5,
        /// Send the graph of all objects; answered by `Attempt`, `Block`s and `GraphDone`.
        Graph(GraphRequest) = 6,
        /// Tell of some objects what they are; answered by `Attempt`, `Described` for each that is
        /// still there, and `DescribeDone`.
        Describe(DescribeRequest<'p>) = 7,
        /// Switch `tracemalloc` on with so many frames an object, unless it is on; 0 switches it off
        /// where the agent has switched it on, as the agent's leaving does. Answered by `Traced`.
        Trace(u32) = 8,
        /// Run Python on the objects of some types, in a copy of the copy; answered by `Attempt`,
        /// an `Object` for each text that it yields, and `ProbeDone`.
        Probe(ProbeRequest<'p>) = 9,
        /// Run Python in the target itself; answered by `Ran`.
        Run(&'p str) = 10,
        /// Ask the kernel about each socket that is open, from within the process; answered by `Socket`s
        /// and `SocketsDone`. Needs no interpreter. With the highest descriptor that is known to be open.
        Sockets(u32) = 11,
    }
}

code! {
    /// Where the heap is walked.
    pub enum Place {
        /// In place if there are no more objects than `in_place_max_objects`, else in a copy.
        Auto = 0,
        /// In a copy-on-write child of the target.
        Copy = 1,
        /// In the target itself, which waits for it.
        Target = 2,
    }
}

record! {
    /// Count the objects by type.
    pub struct CensusRequest {
        /// Where to walk.
        pub place: Place,
        /// For `Place::Auto`; 0 is never in place, unless a copy is refused.
        pub in_place_max_objects: u64,
        /// Where a copy is refused, the walk is made in place if there are no more objects than this.
        pub refused_max_objects: u64,
        /// Whether the collector runs first, as `gc.collect()`.
        pub collect: bool,
        /// Whether objects that only the collector has to find are told from the live ones.
        pub garbage: bool,
        /// Whether a bare walk of the lists is timed too, as a yardstick.
        pub time_bare_walk: bool,
        /// The copy ends itself after this time.
        pub time_limit_ms: u32,
        /// The copy ends when more memory than this is its alone: what it allocates, and the pages that
        /// the target writes to meanwhile.
        pub memory_limit_bytes: u64,
    }
}

record! {
    /// Show the objects of a type.
    pub struct DumpRequest<'p> {
        /// `Name`, or `module.Name` when it holds a dot.
        pub type_name: &'p str,
        /// The most objects to show; 0 is all.
        pub limit: u32,
        /// The most characters of one object's text; 0 is all that a packet holds.
        pub max_chars: u32,
        /// Whether to read fields natively instead of running the type's `__repr__`.
        pub safe: bool,
        /// After this time with one object its `repr` is cut off.
        pub object_time_limit_ms: u32,
        /// The copy ends itself after this time.
        pub time_limit_ms: u32,
    }
}

code! {
    /// Which names of keys leave the target. Names of attributes always do.
    pub enum Names {
        /// None.
        Hidden = 0,
        /// The string keys of a `dict` of at most 64 entries.
        Small = 1,
        /// The string keys of every `dict`.
        All = 2,
    }
}

record! {
    /// Send the graph of all objects.
    pub struct GraphRequest {
        /// Where to walk; `Auto` is in a copy.
        pub place: Place,
        /// Where a copy is refused, the walk is made in place if there are no more objects than this.
        pub refused_max_objects: u64,
        /// Which names of keys to send.
        pub names: Names,
        /// Whether the collector runs first, as `gc.collect()`.
        pub collect: bool,
        /// Whether a bare walk of the lists is timed too, as a yardstick.
        pub time_bare_walk: bool,
        /// As in [`CensusRequest`].
        pub time_limit_ms: u32,
        /// As in [`CensusRequest`].
        pub memory_limit_bytes: u64,
    }
}

record! {
    /// Tell of some objects what they are.
    pub struct DescribeRequest<'p> {
        /// For each object its address and that of its type, eight bytes each, lowest first. What is
        /// no object of that type any more is passed over.
        pub objects: &'p [u8],
        /// The most characters of one object's text; 0 is all that a packet holds.
        pub max_chars: u32,
        /// Whether to read fields natively instead of running the type's `__repr__`.
        pub safe: bool,
        /// After this time with one object its `repr` is cut off.
        pub object_time_limit_ms: u32,
        /// The copy ends itself after this time.
        pub time_limit_ms: u32,
    }
}

record! {
    /// Run Python on the objects of some types, in a copy of the copy.
    pub struct ProbeRequest<'p> {
        /// Types as `module.Name`, one a line: their objects are looked at, and those of their
        /// subclasses.
        pub types: &'p str,
        /// Beside them objects that the collector does not track, as in [`DescribeRequest`].
        pub objects: &'p [u8],
        /// Python that leaves an object `rows` in its globals. `rows.begin(object)` is called with
        /// `None` first, then with each object; after each, `rows.next()` until it answers no `str`.
        pub source: &'p str,
        /// Whether the copy keeps the sockets of the target open, so that they can be asked for their
        /// names. No other descriptor is.
        pub keeps_sockets: bool,
        /// After this time with one object it is cut off.
        pub object_time_limit_ms: u32,
        /// The copy ends itself after this time.
        pub time_limit_ms: u32,
    }
}
