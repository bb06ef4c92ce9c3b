//! Civil time, as RFC 3339 writes it.

use super::{BadQuantity, Quantity};

/// A civil date and time, in seconds since 1970-01-01T00:00:00Z without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil(pub u64);

impl Civil {
    const LAST_YEAR: u64 = 9999;

    /// Year, month and day of the month.
    pub fn date(self) -> (u64, u64, u64) {
        // Days are counted from 0000-03-01, so that the leap day ends a year.
        let days = self.0 / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        (year, month, day)
    }

    /// Days since 1970-01-01 of a date that is not earlier.
    fn days(year: u64, month: u64, day: u64) -> u64 {
        let year = if month <= 2 { year - 1 } else { year };
        let year_of_era = year % 400;
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        year / 400 * 146_097 + day_of_era - 719_468
    }

    fn days_in_month(year: u64, month: u64) -> u64 {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

impl Quantity for Civil {
    const WANTED: &'static str = "a time such as \"2026-01-15T00:00:00Z\" (RFC 3339)";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
        let octets = text.as_bytes();
        for (offset, wanted) in SHAPE.iter().enumerate() {
            let fits = octets.get(offset).is_some_and(|got| match wanted {
                b'd' => got.is_ascii_digit(),
                _ => got == wanted,
            });
            if !fits {
                let why = "not of the form 2026-01-15T00:00:00Z";
                return Err(BadQuantity::new(offset.min(text.len()), why));
            }
        }
        let part = |from: usize, to: usize| {
            octets[from..to]
                .iter()
                .fold(0, |sum, octet| sum * 10 + u64::from(octet - b'0'))
        };
        let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
        let (hour, minute, second) = (part(11, 13), part(14, 16), part(17, 19));
        if year < 1970 {
            return Err(BadQuantity::new(0, "earlier than 1970"));
        }
        if !(1..=12).contains(&month) {
            return Err(BadQuantity::new(5, "no such month"));
        }
        if day == 0 || day > Self::days_in_month(year, month) {
            return Err(BadQuantity::new(8, "no such day"));
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(BadQuantity::new(11, "no such time of day"));
        }
        let zone = zone_seconds(&text[SHAPE.len()..])
            .ok_or_else(|| BadQuantity::new(SHAPE.len(), "the zone must be Z or like +05:30"))?;
        let local = Self::days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        local
            .checked_add_signed(-zone)
            .map(Self)
            .ok_or_else(|| BadQuantity::new(0, "earlier than 1970"))
    }

    fn to_text(self) -> String {
        let (year, month, day) = self.date();
        debug_assert!(year <= Self::LAST_YEAR + 1);
        let second = self.0 % 86_400;
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// Seconds by which the named zone is ahead of UTC: `Z`, or like `-07:00`.
pub fn zone_seconds(text: &str) -> Option<i64> {
    let octets = text.as_bytes();
    match octets {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|octet| octet.is_ascii_digit()) =>
        {
            let two = |tens: &u8, ones: &u8| i64::from((tens - b'0') * 10 + (ones - b'0'));
            let seconds = two(h1, h2) * 3_600 + two(m1, m2) * 60;
            (seconds < 86_400).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}
