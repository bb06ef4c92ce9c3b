//! Numbers as people read them.

/// A count with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    group(&number.to_string())
}

fn group(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number rounded to some significant digits, never to fewer than its integer digits.
///
/// Digits are grouped and zeros at the end of a fraction dropped; `-` if it is not finite.
pub(crate) fn significant(number: f64, digits: i32) -> String {
    if !number.is_finite() {
        return "-".to_string();
    }
    if number == 0.0 {
        return "0".to_string();
    }
    let magnitude = number.abs().log10().floor() as i32;
    if magnitude < -6 {
        return format!("{number:.*e}", digits.max(1) as usize - 1);
    }
    fixed(number, (digits - 1 - magnitude).clamp(0, 12) as usize)
}

/// A number with at most `decimals` decimals; zeros at its end are dropped.
pub(crate) fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", number.abs());
    let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut out = String::new();
    if number < 0.0 && text.contains(|digit: char| ('1'..='9').contains(&digit)) {
        // The sign of typography, as wide as a digit.
        out.push('\u{2212}');
    }
    out.push_str(&group(integer));
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A share of a whole in percent; never rounded up to 100 % or down to 0 %.
pub(crate) fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "-".to_string();
    }
    let percent = ratio * 100.0;
    let distance = percent.abs().min((100.0 - percent).abs());
    if distance == 0.0 {
        return format!("{percent:.0} %");
    }
    let decimals = (1 - distance.log10().floor() as i32).clamp(1, 12);
    format!("{} %", fixed(percent, decimals as usize))
}

/// A duration in the unit that suits it, three significant digits.
pub(crate) fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 6] = [
        (86_400.0, "d"),
        (3_600.0, "h"),
        (60.0, "min"),
        (1.0, "s"),
        (1e-3, "ms"),
        (1e-6, "µs"),
    ];
    let size = seconds.abs();
    if size == 0.0 {
        return "0 s".to_string();
    }
    // Seconds stay seconds up to two minutes: 90 s says more than 1.5 min.
    let limit = |unit: f64| if unit >= 60.0 { unit * 2.0 } else { unit };
    let suits = |(unit, _): &&(f64, &str)| size >= limit(*unit);
    let (unit, symbol) = UNITS.iter().find(suits).unwrap_or(&(1e-9, "ns"));
    format!("{} {symbol}", significant(seconds / unit, 3))
}

/// A number of octets or similar with a decimal prefix, three significant digits.
pub(crate) fn prefixed(number: f64, unit: &str) -> String {
    let prefix = Prefix::of(number);
    format!(
        "{} {}{unit}",
        significant(number / prefix.factor, 3),
        prefix.symbol
    )
}

/// A decimal prefix of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prefix {
    /// What one prefixed unit is in plain ones.
    pub(crate) factor: f64,
    /// Its letter, empty for none.
    pub(crate) symbol: &'static str,
}

impl Prefix {
    /// The prefix that leaves one to three digits before the point.
    pub(crate) fn of(number: f64) -> Self {
        let (factor, symbol) = match number.abs() {
            size if size >= 1e12 => (1e12, "T"),
            size if size >= 1e9 => (1e9, "G"),
            size if size >= 1e6 => (1e6, "M"),
            size if size >= 1e3 => (1e3, "k"),
            _ => (1.0, ""),
        };
        Self { factor, symbol }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_significant_digits() {
        for (number, digits, text) in [
            (0.0, 3, "0"),
            (1_234_567.8, 3, "1,234,568"),
            (0.012_345, 3, "0.0123"),
            (-1.5, 3, "\u{2212}1.5"),
            (-0.000_000_01, 2, "-1.0e-8"),
            (100.0, 3, "100"),
            (f64::NAN, 3, "-"),
        ] {
            assert_eq!(significant(number, digits), text);
        }
        assert_eq!(fixed(-0.001, 1), "0", "no negative zero");
    }

    #[test]
    fn percentages_never_claim_perfection() {
        for (ratio, text) in [
            (1.0, "100 %"),
            (0.0, "0 %"),
            (0.5, "50 %"),
            (0.999_97, "99.997 %"),
            (0.000_012, "0.0012 %"),
            (0.990_093_7, "99.01 %"),
            (1.0 / 3.0, "33.3 %"),
        ] {
            assert_eq!(percent(ratio), text);
        }
    }

    #[test]
    fn durations_choose_their_unit() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.000_045, "45 µs"),
            (0.328, "328 ms"),
            (90.0, "90 s"),
            (1_800.0, "30 min"),
            (86_400.0, "24 h"),
            (864_000.0, "10 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn prefixes_are_decimal() {
        assert_eq!(prefixed(22_730_060.0, "B"), "22.7 MB");
        assert_eq!(prefixed(999.0, "B"), "999 B");
        assert_eq!(Prefix::of(0.0).factor, 1.0);
    }
}
