//! NI_FMAT: a quantity in whatever form a meter writes it.

use super::codec::{Decoder, Encoder};
use super::format::NumberFormat;
use crate::wire::Error;

/// Octets of the longest text that stands for a number.
const TEXT_MAX: usize = 21;

/// A quantity of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// An integer, binary or in decimal digits.
    Integer(i64),
    /// Ten-thousandths.
    TenThousandths(i32),
    /// The bits of an IEEE 754 number of double precision.
    Float64(u64),
    /// The bits of an IEEE 754 number of single precision.
    Float32(u32),
    /// Text, with its length.
    Text([u8; TEXT_MAX], u8),
}

impl Default for Number {
    fn default() -> Self {
        Self::Integer(0)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl Number {
    /// The value, if it is an integer and written as one.
    pub const fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn parse(format: NumberFormat, input: &mut Decoder<'_>) -> Result<Self, Error> {
        Ok(match format {
            NumberFormat::Float64 => Self::Float64(input.uint(8)?),
            NumberFormat::Float32 => Self::Float32(input.uint(4)? as u32),
            NumberFormat::TenThousandths => Self::TenThousandths(input.int(4)? as i32),
            NumberFormat::Integer(width) => Self::Integer(input.int(usize::from(width))?),
            NumberFormat::Bcd(width) => {
                let digits = input.take(usize::from(width))?;
                Self::Integer(digits.iter().try_fold(0i64, |value, octet| {
                    let (tens, ones) = (octet >> 4, octet & 0x0F);
                    let two = (tens < 10 && ones < 10).then(|| i64::from(10 * tens + ones));
                    // Sixteen digits at most: no overflow.
                    Ok(100 * value + two.ok_or(Error::Malformed("decimal digits"))?)
                })?)
            }
            NumberFormat::Text(width) => {
                let mut text = [b' '; TEXT_MAX];
                let octets = input.take(usize::from(width))?;
                text[..octets.len()].copy_from_slice(octets);
                Self::Text(text, width)
            }
        })
    }

    pub(super) fn emit(self, format: NumberFormat, out: &mut Encoder<'_>) -> Result<(), Error> {
        const RANGE: Error = Error::Malformed("number");
        match (format, self) {
            (NumberFormat::Float64, Self::Float64(bits)) => out.uint(bits, 8),
            (NumberFormat::Float32, Self::Float32(bits)) => out.uint(u64::from(bits), 4),
            (NumberFormat::TenThousandths, Self::TenThousandths(value)) => {
                out.int(i64::from(value), 4)
            }
            (NumberFormat::Integer(width), Self::Integer(value)) => {
                out.int(value, usize::from(width))
            }
            (NumberFormat::Bcd(width), Self::Integer(value)) => {
                let mut left = u64::try_from(value).map_err(|_| RANGE)?;
                let mut digits = [0; 8];
                let digits = &mut digits[..usize::from(width)];
                for octet in digits.iter_mut().rev() {
                    let two = (left % 100) as u8;
                    *octet = ((two / 10) << 4) | (two % 10);
                    left /= 100;
                }
                if left != 0 {
                    return Err(RANGE);
                }
                out.put(digits)
            }
            (NumberFormat::Text(width), Self::Text(text, len)) if len == width => {
                out.put(&text[..usize::from(len)])
            }
            // A meter without measurements shows zero in any format.
            (NumberFormat::Text(width), Self::Integer(0)) => {
                let mut text = [b' '; TEXT_MAX];
                let text = &mut text[..usize::from(width)];
                text[usize::from(width) - 1] = b'0';
                out.put(text)
            }
            (_, Self::Integer(0)) => out.zeros(format.width()),
            _ => Err(RANGE),
        }
    }
}
