//! The subset of the basic encoding rules that C12.22 uses.
//!
//! ```text
//! length   = 00..7F | 81 xx | 82 xx xx | 83 xx xx xx        (definite form only)
//! unsigned = fewest octets, big-endian, without a leading sign octet
//! ```
//!
//! Integers are unsigned: 0x91 is `02 01 91`, where standard BER would write `02 02 00 91`.
//! Lengths longer than necessary are accepted, because EAX′ authenticates them as they were sent.

use crate::wire::{Error, Reader, Writer};

/// Longest contents that a length of the longest supported form announces.
pub const LEN_MAX: usize = 0xFF_FFFF;

/// Reads a definite length.
pub fn read_len(reader: &mut Reader<'_>) -> Result<usize, Error> {
    Ok(match reader.u8()? {
        short @ 0..=0x7F => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        0x83 => reader.u24()? as usize,
        _ => return Err(Error::Malformed("BER length")),
    })
}

/// Octets of the shortest length field for `len` octets of contents.
pub const fn len_len(len: usize) -> usize {
    match len {
        0..=0x7F => 1,
        0x80..=0xFF => 2,
        0x100..=0xFFFF => 3,
        _ => 4,
    }
}

/// Writes the shortest length field for `len` octets.
pub fn write_len(writer: &mut Writer<'_>, len: usize) -> Result<(), Error> {
    match len {
        0..=0x7F => writer.u8(len as u8),
        0x80..=0xFF => writer.put(&[0x81, len as u8]),
        0x100..=0xFFFF => {
            writer.u8(0x82)?;
            writer.u16(len as u16)
        }
        0x1_0000..=LEN_MAX => {
            writer.u8(0x83)?;
            writer.u24(len as u32)
        }
        _ => Err(Error::Malformed("BER length")),
    }
}

/// Octets of an element with `len` octets of contents: tag, length, contents.
pub const fn element_len(len: usize) -> usize {
    1 + len_len(len) + len
}

/// Reads an element that must have `tag`; returns its contents.
pub fn expect<'a>(
    reader: &mut Reader<'a>,
    tag: u8,
    field: &'static str,
) -> Result<Reader<'a>, Error> {
    if reader.u8()? != tag {
        return Err(Error::Malformed(field));
    }
    let len = read_len(reader)?;
    reader.sub(len)
}

/// Writes the tag and length of an element with `len` octets of contents.
#[inline]
pub fn write_header(writer: &mut Writer<'_>, tag: u8, len: usize) -> Result<(), Error> {
    // Nearly every element is short: its tag and length are written at once.
    if let len @ 0..=0x7F = len {
        return writer.put(&[tag, len as u8]);
    }
    writer.u8(tag)?;
    write_len(writer, len)
}

/// The value of the contents of an unsigned integer, at most 32 significant bits.
pub fn unsigned(contents: &[u8], field: &'static str) -> Result<u32, Error> {
    if contents.is_empty() {
        return Err(Error::Malformed(field));
    }
    contents.iter().try_fold(0u32, |value, octet| {
        if value >> 24 == 0 {
            Ok(value << 8 | u32::from(*octet))
        } else {
            Err(Error::Malformed(field))
        }
    })
}

/// Octets of the contents of an unsigned integer.
pub const fn unsigned_len(value: u32) -> usize {
    match value {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        0x1_0000..=0xFF_FFFF => 3,
        _ => 4,
    }
}

/// Writes an INTEGER element (02) with the fewest octets.
pub fn write_unsigned(writer: &mut Writer<'_>, value: u32) -> Result<(), Error> {
    let len = unsigned_len(value);
    write_header(writer, 0x02, len)?;
    writer.put(&value.to_be_bytes()[4 - len..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form_and_read_back() {
        for (len, octets) in [
            (0usize, &[0x00][..]),
            (0x7F, &[0x7F]),
            (0x80, &[0x81, 0x80]),
            (0xFF, &[0x81, 0xFF]),
            (0x100, &[0x82, 0x01, 0x00]),
            (0xFFFF, &[0x82, 0xFF, 0xFF]),
            (0x1_0000, &[0x83, 0x01, 0x00, 0x00]),
            (LEN_MAX, &[0x83, 0xFF, 0xFF, 0xFF]),
        ] {
            let mut buffer = [0xA5; 4];
            let mut writer = Writer::new(&mut buffer);
            write_len(&mut writer, len).unwrap();
            assert_eq!(writer.written(), octets);
            assert_eq!(len_len(len), octets.len());
            assert_eq!(read_len(&mut Reader::new(octets)), Ok(len));
        }
        let mut writer = Writer::new(&mut []);
        assert_eq!(
            write_len(&mut writer, LEN_MAX + 1),
            Err(Error::Malformed("BER length"))
        );
    }

    #[test]
    fn indefinite_and_oversized_lengths_are_malformed() {
        for octets in [&[0x80][..], &[0x84, 0, 0, 0, 1], &[0xFF]] {
            assert_eq!(
                read_len(&mut Reader::new(octets)),
                Err(Error::Malformed("BER length"))
            );
        }
        assert_eq!(read_len(&mut Reader::new(&[0x81, 0x05])), Ok(5));
    }

    #[test]
    fn integers_are_unsigned_without_a_sign_octet() {
        for (value, octets) in [
            (0u32, &[0x02, 0x01, 0x00][..]),
            (0x91, &[0x02, 0x01, 0x91]),
            (0x8000, &[0x02, 0x02, 0x80, 0x00]),
            (0x89AB_CDEF, &[0x02, 0x04, 0x89, 0xAB, 0xCD, 0xEF]),
        ] {
            let mut buffer = [0xA5; 6];
            let mut writer = Writer::new(&mut buffer);
            write_unsigned(&mut writer, value).unwrap();
            assert_eq!(writer.written(), octets);
            assert_eq!(unsigned(&octets[2..], "value"), Ok(value));
        }
        assert_eq!(unsigned(&[0, 0, 0, 0, 1], "value"), Ok(1), "leading zeros");
        for octets in [&[][..], &[1, 0, 0, 0, 0]] {
            assert_eq!(unsigned(octets, "value"), Err(Error::Malformed("value")));
        }
    }
}
