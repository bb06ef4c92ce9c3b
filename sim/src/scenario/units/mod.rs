//! Quantities with units: how they are written, read and printed.
//!
//! Every quantity is an integer of a fixed resolution, so that nothing that decides an event time
//! is rounded. Text that asks for more than the resolution is refused instead of being rounded,
//! and printing a quantity yields text that reads back to the same value.

mod civil;
#[cfg(test)]
mod tests;

use core::fmt;

use firmware::Duration;
use serde::{Serialize, Serializer};

use super::field::Field;

pub use civil::{Civil, zone_seconds};

/// A value that a scenario writes as text with a unit.
pub trait Quantity: Field + Copy + PartialEq + fmt::Debug {
    /// What a reader is told to write, with an example.
    const WANTED: &'static str;

    /// Reads the text between the quotation marks.
    fn parse(text: &str) -> Result<Self, BadQuantity>;

    /// Text that [`Quantity::parse`] turns back into the same value.
    fn to_text(self) -> String;
}

/// Why a text is not a quantity, and at which octet of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuantity {
    /// Offset into the text at which the mistake lies.
    pub offset: usize,
    /// What is wrong, a clause that fits behind a colon.
    pub why: String,
}

impl BadQuantity {
    fn new(offset: usize, why: impl Into<String>) -> Self {
        Self {
            offset,
            why: why.into(),
        }
    }
}

/// A probability or share, in parts per thousand million; at most 100 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(u32);

/// A data rate in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// A size in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A relative clock error in parts per thousand million, positive if the clock runs fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift(pub i64);

/// A frequency in hertz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frequency(pub u64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Everything, certainty.
    pub const ONE: Self = Self(1_000_000_000);

    /// `percent` per cent, for defaults.
    ///
    /// # Panics
    ///
    /// If `percent` exceeds 100.
    pub const fn percent(percent: u32) -> Self {
        assert!(percent <= 100);
        Self(percent * 10_000_000)
    }

    /// A ratio of so many tenths of a percent.
    ///
    /// # Panics
    ///
    /// If `permille` exceeds 1,000.
    pub const fn permille(permille: u32) -> Self {
        assert!(permille <= 1_000);
        Self(permille * 1_000_000)
    }

    /// The ratio in parts per thousand million.
    pub const fn ppb(self) -> u32 {
        self.0
    }

    /// The ratio as a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e9
    }

    /// The ratio of `whole`, rounded down.
    pub const fn of(self, whole: u64) -> u64 {
        (whole as u128 * self.0 as u128 / 1_000_000_000) as u64
    }
}

impl Quantity for Ratio {
    const WANTED: &'static str = "a ratio such as \"1%\", \"0.01\" or \"100ppm\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        const UNITS: Units = &[
            ("", 1_000_000_000),
            ("%", 10_000_000),
            ("ppm", 1_000),
            ("ppb", 1),
        ];
        let parts = single(text, UNITS, "1ppb")?;
        if parts > 1_000_000_000 {
            return Err(BadQuantity::new(0, "a ratio is at most 100%"));
        }
        Ok(Self(parts as u32))
    }

    fn to_text(self) -> String {
        let (whole, rest) = (self.0 / 10_000_000, self.0 % 10_000_000);
        if rest == 0 {
            return format!("{whole}%");
        }
        format!("{}%", format!("{whole}.{rest:07}").trim_end_matches('0'))
    }
}

impl Quantity for Rate {
    const WANTED: &'static str = "a data rate such as \"250kb/s\" or \"100Mb/s\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        single(text, RATES, "1b/s").map(Self)
    }

    fn to_text(self) -> String {
        largest_exact(self.0, RATES)
    }
}

impl Quantity for Bytes {
    const WANTED: &'static str = "a size such as \"1500B\", \"64KiB\" or \"1MB\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        single(text, SIZES, "1B").map(Self)
    }

    fn to_text(self) -> String {
        largest_exact(self.0, SIZES)
    }
}

impl Quantity for Frequency {
    const WANTED: &'static str = "a frequency such as \"32MHz\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        single(text, FREQUENCIES, "1Hz").map(Self)
    }

    fn to_text(self) -> String {
        largest_exact(self.0, FREQUENCIES)
    }
}

impl Quantity for Drift {
    const WANTED: &'static str = "a clock drift such as \"20ppm\" or \"-0.5ppm\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let skipped = text.len() - digits.len();
        let parts =
            single(digits, &[("ppm", 1_000), ("ppb", 1)], "1ppb").map_err(|bad| BadQuantity {
                offset: bad.offset + skipped,
                ..bad
            })?;
        if parts >= 1_000_000_000 {
            return Err(BadQuantity::new(0, "a clock drift is below 1000000ppm"));
        }
        Ok(Self(sign * parts as i64))
    }

    fn to_text(self) -> String {
        if self.0 % 1_000 == 0 {
            format!("{}ppm", self.0 / 1_000)
        } else {
            format!("{}ppb", self.0)
        }
    }
}

impl Quantity for Duration {
    const WANTED: &'static str = "a duration such as \"15min\", \"250ms\" or \"1h30min\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        if text.is_empty() {
            return Err(BadQuantity::new(0, "empty text"));
        }
        let mut total: u64 = 0;
        let mut smallest = u128::MAX;
        let mut offset = 0;
        while offset < text.len() {
            let (amount, unit, length) = term(&text[offset..], TIMES, "1ns")
                .map_err(|bad| BadQuantity::new(offset + bad.offset, bad.why))?;
            if unit >= smallest {
                let why = "units must descend, as in 1h30min";
                return Err(BadQuantity::new(offset, why));
            }
            smallest = unit;
            total = total
                .checked_add(amount)
                .ok_or_else(|| BadQuantity::new(0, TOO_LARGE))?;
            offset += length;
        }
        Ok(Self::from_nanos(total))
    }

    fn to_text(self) -> String {
        let mut rest = u128::from(self.as_nanos());
        if rest == 0 {
            return "0s".to_owned();
        }
        let mut text = String::new();
        for (name, unit) in TIMES {
            if rest >= *unit {
                text.push_str(&format!("{}{name}", rest / unit));
                rest %= unit;
            }
        }
        text
    }
}

const TOO_LARGE: &str = "larger than can be represented";

/// Names of units with their size in the resolution of the quantity, largest first.
type Units = &'static [(&'static str, u128)];

const TIMES: Units = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const RATES: Units = &[
    ("Gb/s", 1_000_000_000),
    ("Mb/s", 1_000_000),
    ("kb/s", 1_000),
    ("b/s", 1),
];
const SIZES: Units = &[
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];
const FREQUENCIES: Units = &[
    ("GHz", 1_000_000_000),
    ("MHz", 1_000_000),
    ("kHz", 1_000),
    ("Hz", 1),
];

/// Reads one number with one unit that together are the whole text.
fn single(text: &str, units: Units, resolution: &str) -> Result<u64, BadQuantity> {
    let (amount, _, length) = term(text, units, resolution)?;
    if length < text.len() {
        return Err(BadQuantity::new(
            length,
            "unexpected text behind the quantity",
        ));
    }
    Ok(amount)
}

/// Reads one number with its unit; returns the amount, the unit's size and the octets read.
fn term(text: &str, units: Units, resolution: &str) -> Result<(u64, u128, usize), BadQuantity> {
    let number_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
        .unwrap_or(text.len());
    let (mantissa, scale) = decimal(&text[..number_end])?;
    let tail = &text[number_end..];
    let skipped = tail.len() - tail.trim_start_matches(' ').len();
    let unit_start = number_end + skipped;
    let unit_length = text[unit_start..]
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len() - unit_start);
    let name = &text[unit_start..unit_start + unit_length];
    let Some((_, unit)) = units.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = units.iter().map(|(n, _)| *n).collect();
        let known = known.join(" ");
        let why = if name.is_empty() {
            format!("the unit is missing; known are {}", known.trim())
        } else {
            format!("unknown unit `{name}`; known are {}", known.trim())
        };
        return Err(BadQuantity::new(unit_start, why));
    };
    let divisor = 10_u128.pow(scale);
    let scaled = mantissa
        .checked_mul(*unit)
        .ok_or_else(|| BadQuantity::new(0, TOO_LARGE))?;
    if scaled % divisor != 0 {
        return Err(BadQuantity::new(
            0,
            format!("finer than the resolution of {resolution}"),
        ));
    }
    let amount = u64::try_from(scaled / divisor).map_err(|_| BadQuantity::new(0, TOO_LARGE))?;
    Ok((amount, *unit, unit_start + unit_length))
}

/// Reads a decimal number as a mantissa and the count of its decimal places.
fn decimal(text: &str) -> Result<(u128, u32), BadQuantity> {
    let mut mantissa: u128 = 0;
    let mut digits = 0;
    let mut places = None;
    for (offset, octet) in text.bytes().enumerate() {
        match octet {
            b'0'..=b'9' => {
                digits += 1;
                if digits > 30 {
                    return Err(BadQuantity::new(offset, "more than 30 digits"));
                }
                mantissa = mantissa * 10 + u128::from(octet - b'0');
                places = places.map(|count: u32| count + 1);
            }
            b'.' if places.is_none() => places = Some(0),
            b'_' if digits > 0 => {}
            _ => return Err(BadQuantity::new(offset, "not a number")),
        }
    }
    if digits == 0 {
        return Err(BadQuantity::new(0, "it must start with a number"));
    }
    Ok((mantissa, places.unwrap_or(0)))
}

/// Prints `amount` in the largest unit that divides it.
fn largest_exact(amount: u64, units: Units) -> String {
    let amount = u128::from(amount);
    let (name, unit) = units
        .iter()
        .find(|(_, unit)| amount != 0 && amount % unit == 0)
        .unwrap_or(&units[units.len() - 1]);
    format!("{}{name}", amount / unit)
}

macro_rules! text_form {
    ($($quantity:ty),*) => {$(
        impl fmt::Display for $quantity {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_text())
            }
        }

        impl Serialize for $quantity {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_text())
            }
        }
    )*};
}

text_form!(Ratio, Rate, Bytes, Drift, Frequency, Civil);
