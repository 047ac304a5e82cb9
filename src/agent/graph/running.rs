//! What keeps objects alive: roots, and the frames that run as objects of their own.

use leakhunt_wire::{Node, RootDef, RootKind, Shape, TypeDef, TypeFlags};

use crate::graph::capture::Capture;
use crate::graph::code;
use crate::graph::emitter::Emitter;
use crate::graph::frames::{self, RunningFrame};
use crate::graph::kinds::GraphType;
use crate::graph::labels::LabelText;
use crate::graph::roots;
use crate::tally::WalkError;

impl Capture<'_> {
    /// Sends the roots, and the running frames with what they refer to.
    pub(crate) fn add_roots(&mut self) -> Result<(), WalkError> {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        roots::each(heap, memory, &mut |kind, address, number, field| {
            if self.emitter.reach(address) {
                if kind == RootKind::Modules {
                    // Names of modules are no more of a secret than those of attributes.
                    self.names_attributes(address);
                }
                let text = core::str::from_utf8(field).unwrap_or("");
                self.send_root(kind, address, number, text);
            }
        });
        frames::each_running(heap, memory, &mut |running| self.send_frame_root(running));
        // Up to 3.10 they are objects like all others.
        if heap.layout.minor >= 11 {
            let frame_type = self.add_frame_type()?;
            frames::each_running(heap, memory, &mut |running| {
                self.send_frame(running, frame_type);
            });
        }
        self.emitter.stream.result
    }

    fn send_root(&mut self, kind: RootKind, address: usize, number: u64, text: &str) {
        let root = RootDef {
            kind,
            address: address as u64,
            number,
            text,
        };
        let Emitter { stream, budget, .. } = &mut self.emitter;
        stream.write(budget, |writer| writer.root(&root));
    }

    fn send_frame_root(&mut self, running: RunningFrame) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let mut name = LabelText::new();
        if let Some(text) = code::qualified_name(heap, memory, running.code) {
            name.push_name(text);
        }
        if heap.layout.minor >= 11 || self.emitter.reach(running.frame) {
            let (frame, thread) = (running.frame, running.thread);
            self.send_root(RootKind::Frame, frame, thread, name.as_str());
        }
    }

    /// What stands for a type of the running frames. Answers its index.
    fn add_frame_type(&mut self) -> Result<u32, WalkError> {
        const NO_TYPE: usize = 0;
        let index = self.add_type(GraphType::unknown(NO_TYPE, self.next_type()))?;
        let definition = TypeDef {
            index,
            address: 0,
            module: "",
            qualname: "running frame",
            name: "running frame",
            flags: TypeFlags::FRAME,
            basic_size: 0,
            base: 0,
        };
        let Emitter { stream, budget, .. } = &mut self.emitter;
        stream.write(budget, |writer| writer.type_def(&definition));
        Ok(index)
    }

    fn send_frame(&mut self, running: RunningFrame, type_index: u32) {
        self.emitter.begin(&Node {
            address: running.frame as u64,
            type_index,
            size_bytes: 0,
            reference_count: None,
            is_tracked: false,
            holds_type: false,
            shape: Shape::Labelled,
        });
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        self.emitter.is_frame = true;
        frames::references(heap, memory, running, &mut self.emitter);
        self.emitter.is_frame = false;
        self.emitter.end();
    }
}
