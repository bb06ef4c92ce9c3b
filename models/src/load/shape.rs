//! Mean power of a house by hour of the day.

/// The season, which selects the measured shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Season {
    /// June to September.
    Summer,
    /// The rest of the year.
    Winter,
}

/// Working day or weekend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    /// Monday to Friday.
    Weekday,
    /// Saturday and Sunday.
    Weekend,
}

impl DayKind {
    /// The kind of a day counted from 1970, which began on a Thursday.
    pub const fn of_day(day: u64) -> Self {
        match (day + 4) % 7 {
            0 | 6 => Self::Weekend,
            _ => Self::Weekday,
        }
    }
}

/// The measured table, as shipped with this crate.
const CSV: &str = include_str!("loadshape.csv");
/// The row that sums all end uses but heating and cooling.
const TOTAL: &str = "total_no_hvac";

/// Energy of a mean house in Wh for each hour of four kinds of day.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeTable([[f64; 24]; 4]);

impl ShapeTable {
    /// Reads the shipped table.
    ///
    /// # Panics
    /// If the shipped table is damaged; a test reads it.
    pub fn shipped() -> Self {
        Self::of(TOTAL)
    }

    /// The rows of one end use: `lights`, `plugs`, `waterheater`, …
    ///
    /// # Panics
    /// If there is no such end use.
    pub fn of(end_use: &str) -> Self {
        let row = |day: &str| {
            let line = CSV
                .lines()
                .find(|line| {
                    line.strip_prefix(end_use)
                        .filter(|rest| rest.starts_with(','))
                        .is_some_and(|l| l[1..].starts_with(day))
                })
                .expect("the shipped load shapes have all four kinds of day");
            let mut hours = [0.0; 24];
            for (hour, field) in hours.iter_mut().zip(line.split(',').skip(3)) {
                *hour = field.parse::<f64>().expect("load shapes are numbers") * 1_000.0;
            }
            hours
        };
        Self(
            [
                "weekday-summer",
                "weekend-summer",
                "weekday-winter",
                "weekend-winter",
            ]
            .map(row),
        )
    }

    /// Mean power in W at `second_of_day`, constant within an hour.
    pub fn watts(&self, season: Season, day: DayKind, second_of_day: u64) -> f64 {
        self.0[row_index(season, day)][(second_of_day / 3_600 % 24) as usize]
    }
}

const fn row_index(season: Season, day: DayKind) -> usize {
    match (season, day) {
        (Season::Summer, DayKind::Weekday) => 0,
        (Season::Summer, DayKind::Weekend) => 1,
        (Season::Winter, DayKind::Weekday) => 2,
        (Season::Winter, DayKind::Weekend) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_winter_weekday_uses_21_7_kwh_with_a_peak_to_mean_ratio_of_1_55() {
        let table = ShapeTable::shipped();
        let watts = |hour: u64| table.watts(Season::Winter, DayKind::Weekday, hour * 3_600);
        let energy: f64 = (0..24).map(watts).sum();
        let peak = (0..24).map(watts).fold(0.0, f64::max);
        assert!((energy / 21_700.0 - 1.0).abs() < 0.03, "{energy} Wh");
        assert!(
            (peak / (energy / 24.0) / 1.55 - 1.0).abs() < 0.03,
            "peak {peak} W"
        );
    }
}
