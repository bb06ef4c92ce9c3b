//! Read and Write: access to C12.19 tables.
//!
//! ```text
//! 30 table(2)                                   full read
//! 31..39 table(2) index(2)*k count(2)           k indices
//! 3E table(2)                                   default read
//! 3F table(2) offset(3) count(2)                octets
//! 40, 41..49, 4F                                the same, followed by  count(2) data cksum(1)
//! response to a read                            00 { count(2) data cksum(1) }*
//! ```
//!
//! Here everything is big-endian; the data follow the DATA_ORDER of the meter. The checksum is the
//! two's complement of the sum of the data. Data longer than 65,535 octets come in blocks.

use crate::wire::{Error, Reader, Writer};

/// The identifier of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId(pub u16);

impl TableId {
    /// Standard table `number`.
    pub const fn standard(number: u16) -> Self {
        Self(number & 0x07FF)
    }

    /// Manufacturer table `number`.
    pub const fn manufacturer(number: u16) -> Self {
        Self(number & 0x07FF | 0x0800)
    }

    /// Bits 0 to 10.
    pub const fn number(self) -> u16 {
        self.0 & 0x07FF
    }

    /// Whether it is a manufacturer table (bit 11).
    pub const fn is_manufacturer(self) -> bool {
        self.0 & 0x0800 != 0
    }

    /// Whether it is the pending image of a table (bit 12).
    pub const fn is_pending(self) -> bool {
        self.0 & 0x1000 != 0
    }
}

/// The indices of a partial access, one to nine of two octets each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indices<'a>(&'a [u8]);

impl<'a> Indices<'a> {
    /// Indices from their octets: two to eighteen, an even number.
    pub fn new(octets: &'a [u8]) -> Result<Self, Error> {
        if octets.len().is_multiple_of(2) && (2..=18).contains(&octets.len()) {
            Ok(Self(octets))
        } else {
            Err(Error::Malformed("indices"))
        }
    }

    /// The indices in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.0
            .chunks_exact(2)
            .map(|index| u16::from_be_bytes([index[0], index[1]]))
    }

    const fn count(&self) -> u8 {
        (self.0.len() / 2) as u8
    }
}

/// Which part of a table is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector<'a> {
    /// All of it.
    Full,
    /// Elements from an index on. The count of a write is that of its octets.
    Indices(Indices<'a>, u16),
    /// The default of the table; reads only.
    Default,
    /// Octets from an offset (24 bits) on. The count of a write is that of its octets.
    Offset(u32, u16),
}

/// A Read request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// The table.
    pub table: TableId,
    /// The part of it.
    pub selector: Selector<'a>,
}

impl<'a> Read<'a> {
    pub(super) fn parse(code: u8, reader: &mut Reader<'a>) -> Result<Self, Error> {
        let table = TableId(reader.u16()?);
        let selector = match code & 0x0F {
            0x0 => Selector::Full,
            0xE => Selector::Default,
            0xF => Selector::Offset(reader.u24()?, reader.u16()?),
            count => {
                let indices = Indices::new(reader.take(2 * usize::from(count))?)?;
                Selector::Indices(indices, reader.u16()?)
            }
        };
        Ok(Self { table, selector })
    }

    pub(super) fn code(&self) -> u8 {
        0x30 | nibble(&self.selector)
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u16(self.table.0)?;
        match self.selector {
            Selector::Full | Selector::Default => Ok(()),
            Selector::Indices(indices, count) => {
                writer.put(indices.0)?;
                writer.u16(count)
            }
            Selector::Offset(offset, count) => {
                writer.u24(offset)?;
                writer.u16(count)
            }
        }
    }
}

/// A Write request with data of at most 65,534 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write<'a> {
    /// The table.
    pub table: TableId,
    /// The part of it; its count is ignored.
    pub selector: Selector<'a>,
    /// The octets to write.
    pub data: &'a [u8],
}

impl<'a> Write<'a> {
    pub(super) fn parse(code: u8, reader: &mut Reader<'a>) -> Result<Self, Error> {
        let table = TableId(reader.u16()?);
        let nibble = code & 0x0F;
        let part = match nibble {
            0x0 => Selector::Full,
            0xF => Selector::Offset(reader.u24()?, 0),
            count => Selector::Indices(Indices::new(reader.take(2 * usize::from(count))?)?, 0),
        };
        let data = block(reader)?;
        let count = data.len() as u16;
        let selector = match part {
            Selector::Offset(offset, _) => Selector::Offset(offset, count),
            Selector::Indices(indices, _) => Selector::Indices(indices, count),
            whole => whole,
        };
        Ok(Self {
            table,
            selector,
            data,
        })
    }

    pub(super) fn code(&self) -> u8 {
        0x40 | nibble(&self.selector)
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u16(self.table.0)?;
        match self.selector {
            Selector::Full => {}
            Selector::Default => return Err(Error::Malformed("write selector")),
            Selector::Indices(indices, _) => writer.put(indices.0)?,
            Selector::Offset(offset, _) => writer.u24(offset)?,
        }
        put_block(writer, self.data)
    }
}

fn nibble(selector: &Selector<'_>) -> u8 {
    match selector {
        Selector::Full => 0x0,
        Selector::Indices(indices, _) => indices.count(),
        Selector::Default => 0xE,
        Selector::Offset(..) => 0xF,
    }
}

/// The two's complement of the 8-bit sum of `data`.
pub fn checksum(data: &[u8]) -> u8 {
    data.iter().fold(0u8, |sum, octet| sum.wrapping_sub(*octet))
}

/// Writes the data of a response to a read, at most 65,534 octets.
pub fn put_read_data(writer: &mut Writer<'_>, data: &[u8]) -> Result<(), Error> {
    put_block(writer, data)
}

fn put_block(writer: &mut Writer<'_>, data: &[u8]) -> Result<(), Error> {
    // FFFF announces a further block.
    let count = u16::try_from(data.len())
        .ok()
        .filter(|count| *count < u16::MAX)
        .ok_or(Error::Malformed("data length"))?;
    writer.u16(count)?;
    writer.put(data)?;
    writer.u8(checksum(data))
}

fn block<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let count = reader.u16()?;
    let data = reader.take(usize::from(count))?;
    if reader.u8()? == checksum(data) {
        Ok(data)
    } else {
        Err(Error::Malformed("checksum"))
    }
}

/// The blocks of data in a response to a read; ends after the first error.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    reader: Reader<'a>,
    more: bool,
}

impl<'a> Blocks<'a> {
    /// The blocks in the data of a response.
    pub const fn new(data: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(data),
            more: true,
        }
    }

    /// The data, if they are a single block and nothing else.
    pub fn single(mut self) -> Result<&'a [u8], Error> {
        let data = block(&mut self.reader)?;
        if self.reader.is_empty() {
            Ok(data)
        } else {
            Err(Error::Malformed("data length"))
        }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.more {
            return None;
        }
        let data = block(&mut self.reader);
        // A block shorter than the longest one is the last.
        self.more = matches!(data, Ok(data) if data.len() == usize::from(u16::MAX));
        if !self.more && data.is_ok() && !self.reader.is_empty() {
            return Some(Err(Error::Malformed("data length")));
        }
        Some(data)
    }
}
