//! How a meter writes its tables: FORMAT_CONTROL of ST0 (C12.19-2008 §9.1.1).
//!
//! ```text
//! octet 1   0 DATA_ORDER | 1..3 CHAR_FORMAT | 4..6 MODEL_SELECT
//! octet 2   0..2 TM_FORMAT | 3..4 DATA_ACCESS_METHOD | 5 ID_FORM | 6..7 INT_FORMAT
//! octet 3   0..3 NI_FORMAT1 | 4..7 NI_FORMAT2
//! ```
//!
//! This meter writes everything as [`Format::PROFILE`] says. A tool that reads the tables of
//! another meter reads ST0 first, and all others with the format that it finds there.

use crate::wire::Error;

/// TM_FORMAT: the octets of dates and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// There is no clock; dates take no octets (0).
    None,
    /// Two decimal digits an octet (1).
    Bcd,
    /// One binary octet each of year, month, day, hour, minute, second (2).
    Fields,
    /// Minutes since 1970 and seconds of the minute (3).
    Minutes,
    /// Seconds since 1970 (4).
    Seconds,
}

/// INT_FORMAT: how negative integers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerFormat {
    /// Two's complement (0).
    TwosComplement,
    /// One's complement (1).
    OnesComplement,
    /// Magnitude and a sign in the most significant bit (2).
    SignMagnitude,
}

/// NI_FORMAT: the octets of a quantity (NI_FMAT1, NI_FMAT2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// IEEE 754 double precision, 8 octets (0).
    Float64,
    /// IEEE 754 single precision, 4 octets (1).
    Float32,
    /// Text of 12, 6 or 21 octets (2, 3, 13).
    Text(u8),
    /// Ten-thousandths in 4 octets (4).
    TenThousandths,
    /// Two decimal digits an octet in 6, 4 or 8 octets (5, 6, 12).
    Bcd(u8),
    /// An integer of 3, 4, 5, 6 or 8 octets (7 to 11).
    Integer(u8),
}

impl NumberFormat {
    const fn of(code: u8) -> Result<Self, Error> {
        Ok(match code {
            0 => Self::Float64,
            1 => Self::Float32,
            2 => Self::Text(12),
            3 => Self::Text(6),
            4 => Self::TenThousandths,
            5 => Self::Bcd(6),
            6 => Self::Bcd(4),
            7 => Self::Integer(3),
            8 => Self::Integer(4),
            9 => Self::Integer(5),
            10 => Self::Integer(6),
            11 => Self::Integer(8),
            12 => Self::Bcd(8),
            13 => Self::Text(21),
            _ => return Err(Error::Unsupported(code as u16)),
        })
    }

    /// Octets of a quantity.
    pub const fn width(self) -> usize {
        match self {
            Self::Float64 => 8,
            Self::Float32 | Self::TenThousandths => 4,
            Self::Text(width) | Self::Bcd(width) | Self::Integer(width) => width as usize,
        }
    }
}

/// Which of the two formats of quantities a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NI_FMAT1, in this meter INT48: summations, readings, constants.
    First,
    /// NI_FMAT2, in this meter INT32: demands.
    Second,
}

/// The formats of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// DATA_ORDER: whether the most significant octet comes first.
    pub most_significant_first: bool,
    /// CHAR_FORMAT: 1 ISO 646, 2 ISO 8859-1, 3 UTF-8.
    pub character: u8,
    /// TM_FORMAT.
    pub time: TimeFormat,
    /// DATA_ACCESS_METHOD: bit 0 by offset, bit 1 by index.
    pub access: u8,
    /// ID_FORM: whether identifications are digits instead of text.
    pub id_bcd: bool,
    /// INT_FORMAT.
    pub integer: IntegerFormat,
    /// NI_FORMAT1.
    pub number1: NumberFormat,
    /// NI_FORMAT2.
    pub number2: NumberFormat,
}

impl Format {
    /// FORMAT_CONTROL of this meter.
    pub const PROFILE_OCTETS: [u8; 3] = [0x02, 0x0A, 0x8A];

    /// What this meter writes: little-endian, ISO 646, dates as octets, INT48 and INT32.
    pub const PROFILE: Self = Self {
        most_significant_first: false,
        character: 1,
        time: TimeFormat::Fields,
        access: 1,
        id_bcd: false,
        integer: IntegerFormat::TwosComplement,
        number1: NumberFormat::Integer(6),
        number2: NumberFormat::Integer(4),
    };

    /// The formats that FORMAT_CONTROL names.
    ///
    /// # Errors
    ///
    /// A code is not assigned.
    pub const fn parse(control: [u8; 3]) -> Result<Self, Error> {
        let [first, second, third] = control;
        let time = match second & 0x07 {
            0 => TimeFormat::None,
            1 => TimeFormat::Bcd,
            2 => TimeFormat::Fields,
            3 => TimeFormat::Minutes,
            4 => TimeFormat::Seconds,
            code => return Err(Error::Unsupported(code as u16)),
        };
        let integer = match second >> 6 {
            0 => IntegerFormat::TwosComplement,
            1 => IntegerFormat::OnesComplement,
            2 => IntegerFormat::SignMagnitude,
            code => return Err(Error::Unsupported(code as u16)),
        };
        let number1 = match NumberFormat::of(third & 0x0F) {
            Ok(format) => format,
            Err(error) => return Err(error),
        };
        let number2 = match NumberFormat::of(third >> 4) {
            Ok(format) => format,
            Err(error) => return Err(error),
        };
        Ok(Self {
            most_significant_first: first & 0x01 != 0,
            character: first >> 1 & 0x07,
            time,
            access: second >> 3 & 0x03,
            id_bcd: second & 0x20 != 0,
            integer,
            number1,
            number2,
        })
    }

    /// The format of quantities of a kind.
    pub const fn number(&self, kind: Kind) -> NumberFormat {
        match kind {
            Kind::First => self.number1,
            Kind::Second => self.number2,
        }
    }

    /// Octets of a quantity.
    pub const fn number_len(&self, kind: Kind) -> usize {
        self.number(kind).width()
    }

    /// Octets of LTIME_DATE.
    pub const fn date_time_len(&self) -> usize {
        match self.time {
            TimeFormat::None => 0,
            TimeFormat::Bcd | TimeFormat::Fields => 6,
            TimeFormat::Minutes => 5,
            TimeFormat::Seconds => 4,
        }
    }

    /// Octets of STIME_DATE.
    pub const fn minute_len(&self) -> usize {
        match self.time {
            TimeFormat::None => 0,
            TimeFormat::Bcd | TimeFormat::Fields => 5,
            TimeFormat::Minutes | TimeFormat::Seconds => 4,
        }
    }

    /// Octets of TIME.
    pub const fn time_of_day_len(&self) -> usize {
        match self.time {
            TimeFormat::None => 0,
            TimeFormat::Bcd | TimeFormat::Fields => 3,
            TimeFormat::Minutes | TimeFormat::Seconds => 4,
        }
    }
}
