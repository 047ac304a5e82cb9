//! What a door lets anybody ask for.

use crate::{
    CensusRequest, DescribeRequest, DumpRequest, GraphRequest, Place, ProbeRequest, Request,
};

/// A walk in place costs up to 400 ns an object: a quarter of a second.
const MOST_IN_PLACE: u64 = 625_000;
/// No command line asks for more.
const LONGEST_MS: u32 = 1_800_000;
const LONGEST_OBJECT_MS: u32 = 60_000;
/// What a copy may have for itself beside a half of what the process has.
const MEMORY_BYTES: u64 = 256 << 20;
/// Of `tracemalloc`; each costs the process time and memory with every block.
const MOST_FRAMES: u32 = 64;
/// As many as a process may open unless the kernel's own limit was raised.
const MOST_DESCRIPTORS: u32 = 1 << 20;

impl Request<'_> {
    /// The request within limits that keep a process of `resident_bytes` from being stopped for long, and
    /// its machine from running out of memory, whoever asks. `None` for what a door does not do: running
    /// code in the process itself.
    pub fn bounded(self, resident_bytes: u64) -> Option<Self> {
        let memory_bytes = resident_bytes / 2 + MEMORY_BYTES;
        Some(match self {
            Self::Ping | Self::Detach | Self::Cancel => self,
            Self::Sockets(highest) => Self::Sockets(highest.min(MOST_DESCRIPTORS)),
            Self::Run(_) => return None,
            Self::Trace(n_frames) => Self::Trace(n_frames.min(MOST_FRAMES)),
            Self::Census(request) => Self::Census(CensusRequest {
                place: elsewhere(request.place),
                in_place_max_objects: match request.place {
                    Place::Target => MOST_IN_PLACE,
                    _ => request.in_place_max_objects.min(MOST_IN_PLACE),
                },
                refused_max_objects: request.refused_max_objects.min(MOST_IN_PLACE),
                time_limit_ms: within(request.time_limit_ms, LONGEST_MS),
                memory_limit_bytes: request.memory_limit_bytes.min(memory_bytes),
                ..request
            }),
            Self::Graph(request) => Self::Graph(GraphRequest {
                place: elsewhere(request.place),
                refused_max_objects: request.refused_max_objects.min(MOST_IN_PLACE),
                time_limit_ms: within(request.time_limit_ms, LONGEST_MS),
                memory_limit_bytes: request.memory_limit_bytes.min(memory_bytes),
                ..request
            }),
            Self::Dump(request) => Self::Dump(DumpRequest {
                object_time_limit_ms: within(request.object_time_limit_ms, LONGEST_OBJECT_MS),
                time_limit_ms: within(request.time_limit_ms, LONGEST_MS),
                ..request
            }),
            Self::Describe(request) => Self::Describe(DescribeRequest {
                object_time_limit_ms: within(request.object_time_limit_ms, LONGEST_OBJECT_MS),
                time_limit_ms: within(request.time_limit_ms, LONGEST_MS),
                ..request
            }),
            Self::Probe(request) => Self::Probe(ProbeRequest {
                object_time_limit_ms: within(request.object_time_limit_ms, LONGEST_OBJECT_MS),
                time_limit_ms: within(request.time_limit_ms, LONGEST_MS),
                ..request
            }),
        })
    }
}

/// A time of 0 would be no limit at all.
fn within(time_ms: u32, longest_ms: u32) -> u32 {
    if time_ms == 0 {
        longest_ms
    } else {
        time_ms.min(longest_ms)
    }
}

/// In the target itself only where it is short.
fn elsewhere(place: Place) -> Place {
    match place {
        Place::Target => Place::Auto,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Names;

    #[test]
    fn nothing_asked_for_at_a_door_is_without_a_limit() {
        for time_limit_ms in [0, u32::MAX] {
            let asked = CensusRequest {
                place: Place::Target,
                in_place_max_objects: u64::MAX,
                refused_max_objects: u64::MAX,
                collect: true,
                garbage: true,
                time_bare_walk: false,
                time_limit_ms,
                memory_limit_bytes: u64::MAX,
            };
            let Some(Request::Census(bounded)) = Request::Census(asked).bounded(1 << 30) else {
                panic!("a census is done")
            };
            assert_eq!(bounded.place, Place::Auto);
            assert_eq!(bounded.in_place_max_objects, MOST_IN_PLACE);
            assert_eq!(bounded.refused_max_objects, MOST_IN_PLACE);
            assert_eq!(bounded.time_limit_ms, LONGEST_MS);
            assert_eq!(bounded.memory_limit_bytes, (512 << 20) + MEMORY_BYTES);
            let asked = GraphRequest {
                place: Place::Target,
                refused_max_objects: u64::MAX,
                names: Names::All,
                collect: false,
                time_bare_walk: false,
                time_limit_ms,
                memory_limit_bytes: u64::MAX,
            };
            let Some(Request::Graph(bounded)) = Request::Graph(asked).bounded(0) else {
                panic!("a graph is sent")
            };
            assert_eq!(bounded.time_limit_ms, LONGEST_MS);
            assert_eq!(bounded.memory_limit_bytes, MEMORY_BYTES);
        }
        assert!(Request::Run("while True: pass").bounded(1 << 40).is_none());
        let sockets = Request::Sockets(u32::MAX).bounded(0);
        assert!(matches!(sockets, Some(Request::Sockets(MOST_DESCRIPTORS))));
        let frames = Request::Trace(u32::MAX).bounded(0);
        assert!(matches!(frames, Some(Request::Trace(MOST_FRAMES))));
    }

    #[test]
    fn what_a_command_line_asks_for_is_done_as_it_is() {
        let asked = CensusRequest {
            place: Place::Auto,
            in_place_max_objects: 0,
            refused_max_objects: 625_000,
            collect: false,
            garbage: true,
            time_bare_walk: false,
            time_limit_ms: 10_000,
            memory_limit_bytes: 100 << 20,
        };
        let Some(Request::Census(bounded)) = Request::Census(asked).bounded(0) else {
            panic!("a census is done")
        };
        assert_eq!(bounded, asked);
    }
}
