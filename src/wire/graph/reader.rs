//! Reading blocks.

use super::{
    Edge, EdgeName, FIRST_TARGET, LABELLED_EDGE, LAST_EDGE, More, Node, OrderHead, Record, Shape,
    UNNAMED_EDGE, UNSET_EDGE, kind, node_bit,
};
use crate::codec::{DecodeError, Field, Reader};

/// Reads the records of one block.
#[derive(Debug)]
pub struct GraphReader<'p> {
    reader: Reader<'p>,
    last_address: u64,
    /// Places of the collector's lists that are still to be read.
    n_places: u32,
    /// The position of the next edge without a label, while there are edges to be read.
    next_position: Option<u64>,
}

impl<'p> GraphReader<'p> {
    /// A reader at the start of `block`.
    pub fn new(block: &'p [u8]) -> Self {
        Self {
            reader: Reader::new(block),
            last_address: 0,
            n_places: 0,
            next_position: None,
        }
    }

    /// The next record; passes over what was not read of the one before. `None` after the last.
    ///
    /// # Errors
    /// When the block is anything but a whole number of records.
    pub fn record(&mut self) -> Result<Option<Record<'p>>, DecodeError> {
        while self.place()?.is_some() {}
        while self.edge()?.is_some() {}
        if self.reader.is_empty() {
            return Ok(None);
        }
        let record = match self.reader.byte()? {
            kind::TYPE => Record::Type(Field::get(&mut self.reader)?),
            kind::FIELD => Record::Field(Field::get(&mut self.reader)?),
            kind::LABEL => Record::Label(Field::get(&mut self.reader)?),
            kind::KEY => Record::Key(Field::get(&mut self.reader)?),
            kind::ROOT => Record::Root(Field::get(&mut self.reader)?),
            kind::END => Record::End(Field::get(&mut self.reader)?),
            kind::COLLECTOR => Record::Collector(Field::get(&mut self.reader)?),
            kind::STATE => Record::State(Field::get(&mut self.reader)?),
            kind::ORDER => {
                let head: OrderHead = Field::get(&mut self.reader)?;
                self.n_places = head.n_objects;
                Record::Order(head)
            }
            kind::MORE => {
                let address = self.address()?;
                let position = self.reader.number()?;
                self.next_position = Some(position);
                Record::More(More { address, position })
            }
            byte if byte & kind::NODE != 0 => Record::Node(self.node(byte)?),
            byte => return Err(DecodeError::UnknownKind(byte)),
        };
        Ok(Some(record))
    }

    fn node(&mut self, first_byte: u8) -> Result<Node, DecodeError> {
        let shape = match first_byte & node_bit::SHAPE {
            0 => Shape::Labelled,
            1 => Shape::Items,
            2 => Shape::Members,
            3 => Shape::Entries,
            4 => Shape::Fields,
            5 => Shape::SharedEntries,
            _ => return Err(DecodeError::OutOfRange),
        };
        let node = Node {
            address: self.address()?,
            type_index: Field::get(&mut self.reader)?,
            size_bytes: self.reader.number()?,
            reference_count: self.reader.number()?.checked_sub(1),
            is_tracked: first_byte & node_bit::TRACKED != 0,
            holds_type: first_byte & node_bit::HOLDS_TYPE != 0,
            shape,
        };
        self.next_position = (first_byte & node_bit::HAS_EDGES != 0).then_some(0);
        Ok(node)
    }

    fn address(&mut self) -> Result<u64, DecodeError> {
        let step = unzigzag(self.reader.number()?) << 3;
        self.last_address = self.last_address.wrapping_add(step as u64);
        Ok(self.last_address)
    }

    /// The next address of an [`Record::Order`]; `None` after the last.
    ///
    /// # Errors
    /// When the block ends within.
    pub fn place(&mut self) -> Result<Option<u64>, DecodeError> {
        if self.n_places == 0 {
            return Ok(None);
        }
        self.n_places -= 1;
        self.address().map(Some)
    }

    /// The next reference of a [`Record::Node`] or [`Record::More`]; `None` after the last.
    ///
    /// # Errors
    /// When the block ends within.
    #[inline]
    pub fn edge(&mut self) -> Result<Option<Edge>, DecodeError> {
        let Some(position) = self.next_position else {
            return Ok(None);
        };
        let (name, code) = match self.reader.number()? {
            LAST_EDGE => {
                self.next_position = None;
                return Ok(None);
            }
            LABELLED_EDGE => {
                let label = Field::get(&mut self.reader)?;
                (EdgeName::Label(label), self.reader.number()?)
            }
            UNNAMED_EDGE => (EdgeName::None, self.reader.number()?),
            code => {
                self.next_position = Some(position.saturating_add(1));
                (EdgeName::Position(position), code)
            }
        };
        let target = match code.checked_sub(FIRST_TARGET) {
            Some(step) => {
                let step = unzigzag(step) << 3;
                self.last_address.wrapping_add(step as u64)
            }
            None if code == UNSET_EDGE => 0,
            None => return Err(DecodeError::OutOfRange),
        };
        Ok(Some(Edge { target, name }))
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
