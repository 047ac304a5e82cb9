//! Writes objects and their references, and notes what they lead to.

use leakhunt_wire::{Edge, EdgeName, LabelKind, More, Node};

use crate::address_blocks::Rejected;
use crate::buffer::{Budget, NoMemory};
use crate::dicts::Text;
use crate::graph::edges::EdgeSink;
use crate::graph::labels::{LabelText, Labels};
use crate::graph::marks::Marks;
use crate::graph::stream::Stream;
use crate::own::OwnObjects;
use crate::tally::WalkError;

/// See the module.
pub(crate) struct Emitter<'a> {
    pub(crate) stream: Stream<'a>,
    pub(crate) marks: Marks,
    pub(crate) labels: Labels,
    pub(crate) budget: Budget,
    own: OwnObjects,
    /// The object that is written, and the position of its next reference without a label.
    object: usize,
    position: u64,
    /// Whether it is a running frame, which may borrow its references: readers know.
    pub(crate) is_frame: bool,
    pub(crate) n_nodes: u64,
    pub(crate) n_edges: u64,
}

impl<'a> Emitter<'a> {
    pub(crate) fn new(
        stream: Stream<'a>,
        own: OwnObjects,
        mut budget: Budget,
    ) -> Result<Self, NoMemory> {
        Ok(Self {
            stream,
            marks: Marks::new(&mut budget)?,
            labels: Labels::new(&mut budget)?,
            budget,
            own,
            object: 0,
            position: 0,
            is_frame: false,
            n_nodes: 0,
            n_edges: 0,
        })
    }

    /// Begins an object.
    #[inline(always)]
    pub(crate) fn begin(&mut self, node: &Node) {
        self.stream
            .write(&mut self.budget, |writer| writer.node(node));
        self.object = node.address as usize;
        self.position = 0;
        self.n_nodes += 1;
        self.n_edges += u64::from(node.holds_type);
    }

    /// Ends the object that was begun.
    #[inline(always)]
    pub(crate) fn end(&mut self) {
        self.stream.writer().end_node();
        if !self.labels.are_sent() {
            self.labels.send(&mut self.stream, &mut self.budget);
        }
    }

    /// Notes that an object is referred to; `false` when it is none that is shown.
    #[inline(always)]
    pub(crate) fn reach(&mut self, target: usize) -> bool {
        self.marks.has(target) || self.reach_first(target)
    }

    #[inline(never)]
    fn reach_first(&mut self, target: usize) -> bool {
        if self.own.contain(target) {
            return false;
        }
        match self.marks.add(target, &mut self.budget) {
            Ok(()) => true,
            Err(Rejected::OddAddress) => false,
            Err(Rejected::NoMemory) => {
                self.fail(WalkError::NoMemory);
                false
            }
        }
    }

    pub(crate) fn fail(&mut self, error: WalkError) {
        self.stream.result = self.stream.result.and(Err(error));
    }

    #[inline(always)]
    fn edge(&mut self, target: usize, name: EdgeName) {
        let edge = Edge {
            target: target as u64,
            name,
        };
        if self.stream.writer().edge(&edge).is_err() {
            self.go_on_in_a_new_block(&edge);
        }
        self.n_edges += u64::from(target != 0);
    }

    #[cold]
    fn go_on_in_a_new_block(&mut self, edge: &Edge) {
        self.stream.writer().end_node();
        self.stream.flush(&mut self.budget);
        let more = More {
            address: self.object as u64,
            position: self.position,
        };
        let writer = self.stream.writer();
        // A fresh block has room for both.
        let _ = writer.more(&more).and_then(|()| writer.edge(edge));
    }

    /// A reference by the number of its label.
    #[inline(always)]
    pub(crate) fn labelled(&mut self, label: u32, target: usize) {
        if target != 0 && self.reach(target) {
            self.edge(target, EdgeName::Label(label));
        }
    }

    /// The number of a label.
    pub(crate) fn label(&mut self, kind: LabelKind, text: &str) -> Option<u32> {
        match self.labels.index(kind, text, &mut self.budget) {
            Ok(label) => Some(label),
            Err(error) => {
                self.fail(error.into());
                None
            }
        }
    }
}

impl EdgeSink for Emitter<'_> {
    #[inline(always)]
    fn place(&mut self, target: usize) {
        let target = if target != 0 && self.reach(target) {
            target
        } else {
            0
        };
        self.edge(target, EdgeName::Position(self.position));
        self.position += 1;
    }

    fn named(&mut self, kind: LabelKind, name: &[u8], target: usize) {
        let mut text = LabelText::new();
        text.push_utf8(name);
        if let Some(label) = self.label(kind, text.as_str()) {
            self.labelled(label, target);
        }
    }

    fn named_by(&mut self, kind: LabelKind, name: Text<'_>, target: usize) {
        let mut text = LabelText::new();
        text.push_name(name);
        if let Some(label) = self.label(kind, text.as_str()) {
            self.labelled(label, target);
        }
    }

    fn borrowed(&mut self, kind: LabelKind, name: &[u8], target: usize) {
        if self.is_frame {
            self.named(kind, name, target);
        }
    }

    fn borrowed_by(&mut self, kind: LabelKind, name: Text<'_>, target: usize) {
        if self.is_frame {
            self.named_by(kind, name, target);
        }
    }

    fn unnamed(&mut self, target: usize) {
        if target != 0 && self.reach(target) {
            self.edge(target, EdgeName::None);
        }
    }

    fn is_full(&self) -> bool {
        self.stream.result.is_err()
    }
}
