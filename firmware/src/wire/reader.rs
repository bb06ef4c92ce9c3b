//! Reading octets from the front of a slice.

use super::Error;

/// A cursor over borrowed octets. All multi-octet integers are big-endian.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    octets: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over all of `octets`.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    /// Octets not yet read.
    pub const fn remaining(&self) -> usize {
        self.octets.len()
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The next `count` octets.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let Some((taken, rest)) = self.octets.split_at_checked(count) else {
            return Err(Error::Truncated {
                need: count,
                have: self.octets.len(),
            });
        };
        self.octets = rest;
        Ok(taken)
    }

    /// The next `N` octets as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let Some((taken, rest)) = self.octets.split_first_chunk::<N>() else {
            return Err(Error::Truncated {
                need: N,
                have: self.octets.len(),
            });
        };
        self.octets = rest;
        Ok(*taken)
    }

    /// A reader over the next `count` octets, which this reader skips.
    pub fn sub(&mut self, count: usize) -> Result<Reader<'a>, Error> {
        self.take(count).map(Reader::new)
    }

    /// All octets that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.octets)
    }

    /// The next octet without consuming it.
    pub fn peek(&self) -> Option<u8> {
        self.octets.first().copied()
    }

    /// One octet.
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[octet]| octet)
    }

    /// Two octets.
    pub fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three octets.
    pub fn u24(&mut self) -> Result<u32, Error> {
        self.array::<3>()
            .map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// Four octets.
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight octets.
    pub fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_reports_the_shortfall() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u24(), Ok(0x03_0405));
        assert_eq!(reader.u32(), Err(Error::Truncated { need: 4, have: 1 }));
        assert_eq!(reader.u8(), Ok(6), "a failed read consumes nothing");
        assert!(reader.is_empty());
    }

    #[test]
    fn sub_readers_are_bounded() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let mut sub = reader.sub(2).unwrap();
        assert_eq!(sub.rest(), &[1, 2]);
        assert_eq!(sub.u8(), Err(Error::Truncated { need: 1, have: 0 }));
        assert_eq!(reader.rest(), &[3]);
    }
}
