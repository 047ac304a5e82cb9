//! Bytes of a packet: a writer that cannot overrun and a reader that cannot overread.

/// The most bytes of one packet. A packet has to fit the socket's send buffer as a whole.
pub const MAX_PACKET: usize = 32 * 1024;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeError {
    /// The packet ends within a value.
    Truncated,
    /// A number does not fit its type.
    OutOfRange,
    /// Text that is not UTF-8.
    NotText,
    /// A kind of packet that this version does not know.
    UnknownKind(u8),
    /// Bytes are left after the last value.
    TooLong,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the packet is cut short"),
            Self::OutOfRange => f.write_str("a number in the packet is out of range"),
            Self::NotText => f.write_str("text in the packet is not UTF-8"),
            Self::UnknownKind(kind) => write!(f, "unknown kind of packet {kind}"),
            Self::TooLong => f.write_str("the packet is too long"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Writes values one after the other into a buffer.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
    overflow: bool,
}

impl<'b> Writer<'b> {
    /// A writer at the start of `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            len: 0,
            overflow: false,
        }
    }

    /// What was written; `None` when it did not fit.
    pub fn bytes(&self) -> Option<&[u8]> {
        if self.overflow {
            None
        } else {
            self.buffer.get(..self.len)
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes there is room for.
    pub(crate) fn room(&self) -> usize {
        self.buffer.len() - self.len
    }

    /// Takes back all but the first `len` bytes.
    pub(crate) fn cut(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.overflow = false;
    }

    /// Sets bits of a byte that was written.
    pub(crate) fn set_bits(&mut self, at: usize, bits: u8) {
        if let Some(byte) = self.buffer.get_mut(at) {
            *byte |= bits;
        }
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        match self.buffer.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }

    #[inline]
    pub(crate) fn number(&mut self, mut value: u64) {
        const LONGEST: usize = 10;
        let rest = self.buffer.get_mut(self.len..);
        let Some(place) = rest.and_then(|rest| rest.first_chunk_mut::<LONGEST>()) else {
            return self.number_near_the_end(value);
        };
        let mut len = 0;
        while value >= 0x80 && len < LONGEST - 1 {
            place[len] = value as u8 | 0x80;
            value >>= 7;
            len += 1;
        }
        place[len] = value as u8;
        self.len += len + 1;
    }

    #[cold]
    fn number_near_the_end(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    pub(crate) fn bytes_with_len(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        match self
            .buffer
            .get_mut(self.len..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
        {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.overflow = true,
        }
    }
}

/// Reads values one after the other from a packet.
#[derive(Debug)]
pub struct Reader<'p> {
    rest: &'p [u8],
}

impl<'p> Reader<'p> {
    /// A reader at the start of `packet`.
    pub fn new(packet: &'p [u8]) -> Self {
        Self { rest: packet }
    }

    /// # Errors
    /// [`DecodeError::TooLong`] when bytes are left.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TooLong)
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::OutOfRange);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::OutOfRange)
    }

    pub(crate) fn bytes_with_len(&mut self) -> Result<&'p [u8], DecodeError> {
        let len = usize::try_from(self.number()?).map_err(|_| DecodeError::OutOfRange)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// A value that stands in a packet.
pub(crate) trait Field<'p>: Sized {
    fn put(&self, writer: &mut Writer<'_>);
    fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError>;
}

macro_rules! number_fields {
    ($($type:ty)*) => {$(
        impl<'p> Field<'p> for $type {
            fn put(&self, writer: &mut Writer<'_>) {
                writer.number(u64::from(*self));
            }
            fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError> {
                <$type>::try_from(reader.number()?).map_err(|_| DecodeError::OutOfRange)
            }
        }
    )*};
}
number_fields!(u8 u16 u32 u64);

impl<'p> Field<'p> for bool {
    fn put(&self, writer: &mut Writer<'_>) {
        writer.byte(u8::from(*self));
    }
    fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::OutOfRange),
        }
    }
}

impl<'p, const N: usize> Field<'p> for [u64; N] {
    fn put(&self, writer: &mut Writer<'_>) {
        for &number in self {
            writer.number(number);
        }
    }
    fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = reader.number()?;
        }
        Ok(numbers)
    }
}

/// 0, or the number plus one; the largest number there is goes as the one below it.
impl<'p> Field<'p> for Option<u64> {
    fn put(&self, writer: &mut Writer<'_>) {
        writer.number(self.map_or(0, |number| number.saturating_add(1)));
    }
    fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError> {
        Ok(reader.number()?.checked_sub(1))
    }
}

impl<'p> Field<'p> for &'p str {
    fn put(&self, writer: &mut Writer<'_>) {
        writer.bytes_with_len(self.as_bytes());
    }
    fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError> {
        core::str::from_utf8(reader.bytes_with_len()?).map_err(|_| DecodeError::NotText)
    }
}

impl<'p> Field<'p> for &'p [u8] {
    fn put(&self, writer: &mut Writer<'_>) {
        writer.bytes_with_len(self);
    }
    fn get(reader: &mut Reader<'p>) -> Result<Self, DecodeError> {
        reader.bytes_with_len()
    }
}

/// Defines a struct whose fields stand in a packet one after the other.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident $(<$life:lifetime>)? {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub struct $name $(<$life>)? { $($(#[$field_meta])* pub $field: $type,)* }
        impl<'p> $crate::codec::Field<'p> for record!(@type $name $($life)?) {
            fn put(&self, writer: &mut $crate::Writer<'_>) {
                $($crate::codec::Field::put(&self.$field, writer);)*
            }
            fn get(reader: &mut $crate::Reader<'p>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: $crate::codec::Field::get(reader)?,)* })
            }
        }
    };
    (@type $name:ident) => { $name };
    (@type $name:ident $life:lifetime) => { $name<'p> };
}

/// Defines an enum without values that stands in a packet as its number.
macro_rules! code {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u16)]
        pub enum $name { $($(#[$variant_meta])* $variant = $value,)* }
        impl<'p> $crate::codec::Field<'p> for $name {
            fn put(&self, writer: &mut $crate::Writer<'_>) {
                writer.number(*self as u64);
            }
            fn get(reader: &mut $crate::Reader<'p>) -> Result<Self, $crate::DecodeError> {
                match reader.number()? {
                    $($value => Ok(Self::$variant),)*
                    _ => Err($crate::DecodeError::OutOfRange),
                }
            }
        }
    };
}

/// Defines the enum of all packets of one direction.
macro_rules! packets {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident $(($type:ty))? = $kind:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name<'p> { $($(#[$variant_meta])* $variant $(($type))?,)* }
        impl<'p> $name<'p> {
            /// Appends the packet to `writer`.
            pub fn encode(&self, writer: &mut $crate::Writer<'_>) {
                match self {
                    $(packets!(@pattern $variant value $($type)?) => {
                        writer.byte($kind);
                        $(<$type as $crate::codec::Field<'_>>::put(value, writer);)?
                    })*
                }
            }

            /// Reads a whole packet.
            ///
            /// # Errors
            /// When `packet` is anything but one packet of this direction.
            pub fn decode(packet: &'p [u8]) -> Result<Self, $crate::DecodeError> {
                let mut reader = $crate::Reader::new(packet);
                let decoded = match reader.byte()? {
                    $($kind => Self::$variant
                        $((<$type as $crate::codec::Field<'p>>::get(&mut reader)?))?,)*
                    kind => return Err($crate::DecodeError::UnknownKind(kind)),
                };
                reader.finish()?;
                Ok(decoded)
            }
        }
    };
    (@pattern $variant:ident $value:ident) => { Self::$variant };
    (@pattern $variant:ident $value:ident $type:ty) => { Self::$variant($value) };
}

pub(crate) use {code, packets, record};
