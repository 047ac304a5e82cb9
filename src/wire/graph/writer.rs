//! Writing blocks.

use super::{
    CollectorDef, Edge, EdgeName, FIRST_TARGET, FieldDef, GraphEnd, KeyText, LABELLED_EDGE,
    LAST_EDGE, LabelDef, More, Node, OrderHead, RootDef, StateDef, TypeDef, UNNAMED_EDGE,
    UNSET_EDGE, kind, node_bit,
};
use crate::codec::{Field, Writer};

/// Bytes that stay free while edges are written, for one more of them and the end.
const EDGE_ROOM: usize = 24;
/// The most bytes of a node's head and of the edge after it.
const NODE_ROOM: usize = 41 + EDGE_ROOM;

/// There is no room in the block: send it, and begin a new one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRoom;

/// Writes the records of one block.
#[derive(Debug)]
pub struct GraphWriter<'b> {
    writer: Writer<'b>,
    last_address: u64,
    /// Of the node that is being written: its first byte's place, unless that is in an earlier block.
    node_at: Option<usize>,
    has_edges: bool,
}

impl<'b> GraphWriter<'b> {
    /// A writer at the start of a block. `block` is no longer than [`MAX_BLOCK`].
    pub fn new(block: &'b mut [u8]) -> Self {
        Self {
            writer: Writer::new(block),
            last_address: 0,
            node_at: None,
            has_edges: false,
        }
    }

    /// Forgets what was written: a new block begins in the same place.
    pub fn clear(&mut self) {
        self.writer.cut(0);
        self.last_address = 0;
        self.node_at = None;
        self.has_edges = false;
    }

    /// What was written so far.
    pub fn bytes(&self) -> &[u8] {
        // A record that did not fit was taken back.
        self.writer.bytes().unwrap_or_default()
    }

    fn definition<'p, T: Field<'p>>(&mut self, kind: u8, value: &T) -> Result<(), NoRoom> {
        let start = self.writer.len();
        self.writer.byte(kind);
        value.put(&mut self.writer);
        if self.writer.bytes().is_some() {
            return Ok(());
        }
        self.writer.cut(start);
        Err(NoRoom)
    }

    /// # Errors
    /// When there is no room; nothing was written then. So for all that write.
    pub fn type_def(&mut self, value: &TypeDef<'_>) -> Result<(), NoRoom> {
        self.definition(kind::TYPE, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn field(&mut self, value: &FieldDef<'_>) -> Result<(), NoRoom> {
        self.definition(kind::FIELD, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn label(&mut self, value: &LabelDef<'_>) -> Result<(), NoRoom> {
        self.definition(kind::LABEL, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn key(&mut self, value: &KeyText<'_>) -> Result<(), NoRoom> {
        self.definition(kind::KEY, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn root(&mut self, value: &RootDef<'_>) -> Result<(), NoRoom> {
        self.definition(kind::ROOT, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn state(&mut self, value: &StateDef) -> Result<(), NoRoom> {
        self.definition(kind::STATE, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn end(&mut self, value: &GraphEnd) -> Result<(), NoRoom> {
        self.definition(kind::END, value)
    }

    /// # Errors
    /// See [`Self::type_def`].
    pub fn collector(&mut self, value: &CollectorDef) -> Result<(), NoRoom> {
        self.definition(kind::COLLECTOR, value)
    }

    /// Writes as many of the places as there is room for, and answers how many that were.
    ///
    /// # Errors
    /// When there is no room for any.
    pub fn order(&mut self, list: u32, from_end: bool, addresses: &[u64]) -> Result<usize, NoRoom> {
        const HEAD_ROOM: usize = 12;
        const PLACE_ROOM: usize = 10;
        let room = self.writer.room().saturating_sub(HEAD_ROOM) / PLACE_ROOM;
        let n_written = addresses.len().min(room);
        if n_written == 0 {
            return if addresses.is_empty() {
                Ok(0)
            } else {
                Err(NoRoom)
            };
        }
        let head = OrderHead {
            list,
            from_end,
            n_objects: n_written as u32,
        };
        self.definition(kind::ORDER, &head)?;
        for &address in &addresses[..n_written] {
            let step = self.step_to(address);
            self.writer.number(step);
        }
        Ok(n_written)
    }

    fn step_to(&mut self, address: u64) -> u64 {
        let step = zigzag(address.wrapping_sub(self.last_address) as i64 >> 3);
        self.last_address = address;
        step
    }

    /// Begins an object; [`Self::edge`] adds its references, [`Self::end_node`] ends it.
    ///
    /// # Errors
    /// See [`Self::type_def`].
    pub fn node(&mut self, node: &Node) -> Result<(), NoRoom> {
        if self.writer.room() < NODE_ROOM {
            return Err(NoRoom);
        }
        self.node_at = Some(self.writer.len());
        self.has_edges = false;
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        self.writer.byte(
            kind::NODE
                | bit(node.is_tracked, node_bit::TRACKED)
                | bit(node.holds_type, node_bit::HOLDS_TYPE)
                | node.shape as u8,
        );
        let step = self.step_to(node.address);
        self.writer.number(step);
        self.writer.number(u64::from(node.type_index));
        self.writer.number(node.size_bytes);
        self.writer.number(
            node.reference_count
                .map_or(0, |count| count.saturating_add(1)),
        );
        Ok(())
    }

    /// Goes on with an object in a new block.
    ///
    /// # Errors
    /// See [`Self::type_def`].
    pub fn more(&mut self, more: &More) -> Result<(), NoRoom> {
        if self.writer.room() < NODE_ROOM {
            return Err(NoRoom);
        }
        self.writer.byte(kind::MORE);
        let step = self.step_to(more.address);
        self.writer.number(step);
        self.writer.number(more.position);
        self.node_at = None;
        self.has_edges = true;
        Ok(())
    }

    /// Adds a reference to the object that was begun. Those with a position come in its order and
    /// without gaps.
    ///
    /// # Errors
    /// When there is no room: then [`Self::end_node`], and [`Self::more`] in a new block.
    #[inline]
    pub fn edge(&mut self, edge: &Edge) -> Result<(), NoRoom> {
        if self.writer.room() < EDGE_ROOM {
            return Err(NoRoom);
        }
        self.has_edges = true;
        match edge.name {
            EdgeName::Position(_) if edge.target == 0 => {
                self.writer.number(UNSET_EDGE);
                return Ok(());
            }
            EdgeName::Position(_) => {}
            EdgeName::Label(label) => {
                self.writer.number(LABELLED_EDGE);
                self.writer.number(u64::from(label));
            }
            EdgeName::None => self.writer.number(UNNAMED_EDGE),
        }
        let step = zigzag(edge.target.wrapping_sub(self.last_address) as i64 >> 3);
        self.writer.number(step.saturating_add(FIRST_TARGET));
        Ok(())
    }

    /// Ends the object that was begun, or this block's part of it.
    pub fn end_node(&mut self) {
        if !self.has_edges {
            return;
        }
        self.writer.number(LAST_EDGE);
        if let Some(at) = self.node_at {
            self.writer.set_bits(at, node_bit::HAS_EDGES);
        }
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}
