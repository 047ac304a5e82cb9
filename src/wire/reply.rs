//! What the agent answers.

use crate::codec::{code, packets, record};

packets! {
    /// From the agent, or from the copy of the target that works for it, to the command line.
    pub enum Reply {
        /// The agent's thread runs and now waits for the interpreter.
        Hello = 1,
        /// The agent has been in the interpreter; requests can come.
        Ready(Ready<'p>) = 2,
        /// To `Ping`.
        Pong = 3,
        /// The agent leaves; the last packet of a session.
        Goodbye(Goodbye) = 4,
        /// A walk starts, the value-th for this request: forget the rows of the one before.
        Attempt(u32) = 5,
        /// One type of a census.
        Type(TypeRow<'p>) = 6,
        /// All types are sent.
        WalkEnd(WalkEnd) = 7,
        /// How much of one type only the collector has to find. Types without any are not sent.
        Garbage(Garbage) = 8,
        /// All `Garbage` is sent; the value is the microseconds that it took.
        GarbageEnd(u64) = 9,
        /// The last packet of a census.
        CensusDone(WalkDone<'p>) = 10,
        /// One object of a dump, or a text of a probe about one.
        Object(DumpObject<'p>) = 11,
        /// The last packet of a dump.
        DumpDone(DumpDone<'p>) = 12,
        /// A part of a graph, in order.
        Block(GraphBlock<'p>) = 13,
        /// The last packet of a graph.
        GraphDone(WalkDone<'p>) = 14,
        /// One object of a `Describe`.
        Described(Described<'p>) = 15,
        /// The last packet of a `Describe`.
        DescribeDone(DumpDone<'p>) = 16,
        /// To `Trace`.
        Traced(Traced) = 17,
        /// The last packet of a `Probe`.
        ProbeDone(DumpDone<'p>) = 18,
        /// To `Run`: the `str` that it left as `result` in its globals; empty when it raised.
        Ran(&'p str) = 19,
        /// One socket.
        Socket(OpenSocket<'p>) = 20,
        /// The last packet of `Sockets`.
        SocketsDone = 21,
    }
}

record! {
    /// The interpreter that the agent found.
    pub struct Ready<'p> {
        /// The first word of `sys.version`.
        pub version: &'p str,
        /// Whether it runs without the GIL.
        pub free_threaded: bool,
        /// How long the agent waited for the interpreter.
        pub gil_wait_us: u64,
        /// How long it held the interpreter.
        pub gil_held_us: u64,
    }
}

code! {
    /// Why the agent leaves.
    pub enum Goodbye {
        /// It was asked to.
        Asked = 0,
        /// The interpreter does not run: it is starting or has ended.
        NotInitialised = 1,
        /// The interpreter is ending.
        Finalising = 2,
        /// Nothing was heard from the command line for a minute.
        Silence = 3,
        /// The command line is of another version.
        OtherVersion = 4,
        /// Memory for the agent's own use was refused.
        NoMemory = 5,
        /// A fault of the agent itself.
        Fault = 6,
        /// A version of Python that leakhunt does not know how to read.
        UnknownPython = 7,
        /// At a door that an application has opened: another command line is in.
        Busy = 8,
        /// At such a door: it does not do what was asked for.
        NotByTheDoor = 9,
    }
}

record! {
    /// A number of objects and their bytes.
    pub struct Count {
        /// How many.
        pub n_objects: u64,
        /// Their sizes as `sys.getsizeof` tells them, summed.
        pub size_bytes: u64,
    }
}

record! {
    /// One type of a census.
    pub struct TypeRow<'p> {
        /// Address of the type; tells types of one name apart within a look.
        pub address: u64,
        /// `__module__`; empty for the builtins.
        pub module: &'p str,
        /// `__qualname__`.
        pub qualname: &'p str,
        /// `__name__`.
        pub name: &'p str,
        /// All objects of the type that the collector tracks, the frozen ones included.
        pub all: Count,
        /// Those of them that `gc.freeze()` took out of the collector's sight.
        pub frozen: Count,
        /// Whether the sizes are `basicsize + itemsize·n` for want of knowledge of the layout.
        pub is_estimate: bool,
        /// Place of the first object of the type in the order of `gc.get_objects()`.
        pub first_seen: u64,
    }
}

record! {
    /// The sums of a census.
    pub struct WalkEnd {
        /// All objects of all types.
        pub all: Count,
        /// The frozen ones of them.
        pub frozen: Count,
        /// How many objects `PyUnstable_GC_VisitObjects` shows, asked for the first 10,000; 0 where it
        /// was not.
        pub cross_check: u64,
        /// How long the walk took.
        pub walk_us: u64,
        /// How long a bare walk of the same lists took; 0 where it was not asked for.
        pub bare_walk_us: u64,
        /// Whether a collection was under way, whose objects may be missing.
        pub is_during_collection: bool,
        /// Memory that the walk took for itself.
        pub own_bytes: u64,
    }
}

record! {
    /// Objects of one type that nothing reaches and that are not freed yet.
    pub struct Garbage {
        /// Address of the type.
        pub type_address: u64,
        /// How much of it.
        pub count: Count,
    }
}

code! {
    /// How the walk of a request ended.
    pub enum Ended {
        /// It came to its end.
        Whole = 0,
        /// It was asked to end by `Cancel`.
        Cancelled = 1,
        /// It hit its time limit.
        TimeLimit = 2,
        /// It hit its memory limit.
        MemoryLimit = 3,
        /// It crashed by a signal.
        Crashed = 4,
        /// The collector was at work all the time.
        Collecting = 5,
        /// The interpreter's lists are not where they should be.
        Unreadable = 6,
        /// Neither a copy nor a walk in place was to be had.
        Refused = 7,
        /// Something that the request needs is missing from this interpreter.
        Unsupported = 8,
    }
}

record! {
    /// How a walk went: the last packet of a census or a graph.
    pub struct WalkDone<'p> {
        /// How the last attempt ended.
        pub ended: Ended,
        /// How many attempts there were.
        pub attempts: u32,
        /// Where it was walked: `Copy` or `Target`.
        pub place: crate::Place,
        /// The errno of `clone` when a copy was wanted and refused; else 0.
        pub clone_errno: u32,
        /// How long the target's interpreter stood still, all attempts together.
        pub pause_us: u64,
        /// The part of it that went to `clone`.
        pub clone_us: u64,
        /// How long the agent waited for the interpreter.
        pub gil_wait_us: u64,
        /// How long `gc.collect()` took; 0 where it was not asked for.
        pub collect_us: u64,
        /// The signal that ended a crashed attempt; else 0.
        pub signal: u32,
        /// The type at which an attempt crashed or hung; else empty. A second attempt passes over
        /// the inner references of its objects.
        pub skipped_type: &'p str,
    }
}

code! {
    /// What kind of text a dumped object has.
    pub enum Note {
        /// Its `repr`, whole, or its fields in a safe dump.
        Whole = 0,
        /// The first characters of it.
        Shortened = 1,
        /// Its `repr` raised: the text is `Failed to serialize <class '…'>`.
        Raised = 2,
        /// Its `repr` took too long and was cut off; no text.
        TimedOut = 3,
        /// Its `repr` crashed; no text.
        Crashed = 4,
    }
}

record! {
    /// One object of a dump.
    pub struct DumpObject<'p> {
        /// Its address, as `id()`.
        pub address: u64,
        /// Its size as `sys.getsizeof`, or an estimate.
        pub size_bytes: u64,
        /// `module.qualname` of its type.
        pub type_name: &'p str,
        /// What the text is.
        pub note: Note,
        /// Its text.
        pub text: &'p str,
    }
}

record! {
    /// The last packet of a dump.
    pub struct DumpDone<'p> {
        /// How it ended.
        pub ended: Ended,
        /// How many attempts there were.
        pub attempts: u32,
        /// All objects of the type, whatever the limit.
        pub n_matching: u64,
        /// How long the target's interpreter stood still, all attempts together.
        pub pause_us: u64,
        /// The signal that ended a crashed attempt; else 0.
        pub signal: u32,
        /// The errno of `clone` when the copy was refused; else 0.
        pub clone_errno: u32,
        /// The type at which an attempt crashed or hung; else empty.
        pub skipped_type: &'p str,
    }
}

record! {
    /// Some records of a graph: see [`GraphReader`](crate::GraphReader).
    pub struct GraphBlock<'p> {
        /// How many bytes it has when decompressed; 0 when it is not compressed.
        pub raw_len: u32,
        /// One block of the LZ4 block format.
        pub bytes: &'p [u8],
    }
}

record! {
    /// What one object is.
    pub struct Described<'p> {
        /// What its text is.
        pub object: DumpObject<'p>,
        /// The file that it comes from, for classes, functions, methods, modules, frames, code and
        /// tracebacks; else empty.
        pub file: &'p str,
        /// Where it was made, the newest frame first: `file:line` on a line each. Empty where
        /// `tracemalloc` does not know.
        pub made_at: &'p str,
    }
}

code! {
    /// What became of a wish to trace.
    pub enum Traced {
        /// It is as wished.
        Done = 0,
        /// The target traces on its own account, with a number of frames of its own: left so.
        WasOn = 1,
        /// The interpreter refused.
        Failed = 2,
    }
}

record! {
    /// A socket that the process has open, as the kernel tells of it.
    pub struct OpenSocket<'p> {
        /// Its descriptor.
        pub fd: u32,
        /// What tells it from others in `/proc`.
        pub inode: u64,
        /// Its own address, a `struct sockaddr` of the family in its first two bytes.
        pub local: &'p [u8],
        /// That of its peer; empty where it has none.
        pub peer: &'p [u8],
        /// The process that made the other end of a Unix socket; 0 where that is not known.
        pub peer_pid: u32,
        /// Of TCP: a `struct tcp_info`, as much as the kernel has; else empty.
        pub tcp_info: &'p [u8],
    }
}
