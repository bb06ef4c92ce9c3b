//! Writing octets to the front of a slice.

use super::{Error, copy};

/// A cursor over a borrowed buffer. All multi-octet integers are big-endian.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Octets written so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Octets that still fit.
    pub const fn remaining(&self) -> usize {
        self.buffer.len() - self.len
    }

    /// What has been written so far.
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// What has been written so far, for patching lengths and tags.
    pub fn written_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.len]
    }

    /// Appends `octets`.
    pub fn put(&mut self, octets: &[u8]) -> Result<(), Error> {
        copy(octets, self.reserve(octets.len())?);
        Ok(())
    }

    /// Appends `count` octets that the caller fills in.
    pub fn reserve(&mut self, count: usize) -> Result<&mut [u8], Error> {
        let have = self.remaining();
        if count > have {
            return Err(Error::Truncated { need: count, have });
        }
        let start = self.len;
        self.len += count;
        Ok(&mut self.buffer[start..start + count])
    }

    /// Appends one octet.
    pub fn u8(&mut self, value: u8) -> Result<(), Error> {
        self.put(&[value])
    }

    /// Appends two octets.
    pub fn u16(&mut self, value: u16) -> Result<(), Error> {
        self.put(&value.to_be_bytes())
    }

    /// Appends the low three octets of `value`.
    pub fn u24(&mut self, value: u32) -> Result<(), Error> {
        self.put(&value.to_be_bytes()[1..])
    }

    /// Appends four octets.
    pub fn u32(&mut self, value: u32) -> Result<(), Error> {
        self.put(&value.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_in_order_and_reports_a_full_buffer() {
        let mut buffer = [0xA5; 6];
        let mut writer = Writer::new(&mut buffer);
        writer.u16(0x0102).unwrap();
        writer.u24(0x03_0405).unwrap();
        assert_eq!(writer.u16(7), Err(Error::Truncated { need: 2, have: 1 }));
        writer.u8(6).unwrap();
        assert_eq!(writer.written(), &[1, 2, 3, 4, 5, 6]);
    }
}
