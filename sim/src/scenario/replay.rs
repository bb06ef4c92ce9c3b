//! Recorded interval data that premises replay, from CSV and Parquet.
//!
//! ```text
//! meter,start,kwh                      meter,interval,wh
//! 4711,2026-01-15T00:00:00Z,0.25       a,0,250
//! 4711,2026-01-15T00:15:00Z,0.185      b,0,-1200
//! ```
//!
//! Columns may stand in any order, and others besides them; rows too, as long as those of one
//! meter follow each other in time. What lies before or after the run is left out.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use models::link::topology::ImportError;
use models::load::Replay as Recorded;
use reports::foreign::{self, Column, Values};

use super::record::record;
use super::schema::{Cohort, Scenario};
use super::units::{Civil, Quantity as _};

record! {
    /// Recorded interval data.
    pub struct Replay {
        /// CSV with the columns `meter` (or `name`), `start` (RFC 3339) or `interval` (counted
        /// from 0 at the start of the run), and `wh` or `kwh`, negative where a premise feeds in;
        /// instead of it, `file` may name a CSV or Parquet file with it, relative to the scenario.
        /// Meters of the cohort take the series in the order in which the data name them.
        csv: String,
        /// Whether meters beyond the last series begin again with the first one.
        recycle: bool = false,
    }
}

/// Mistakes of one list that are reported; more are hardly read.
const MISTAKES_MAX: usize = 20;
/// Largest energy of an interval in mWh, 2 MWh.
const ENERGY_MAX_MWH: f64 = 2e9;

/// What data have to fit.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// When the run starts, in seconds since 1970.
    pub start_s: u64,
    /// Length of an interval in seconds, at least 1.
    pub interval_s: u64,
    /// Intervals of the run, the last one perhaps not complete.
    pub intervals: u64,
    /// Whether the meters count energy in both directions.
    pub both_directions: bool,
}

impl Terms {
    /// What data for `cohort` have to fit.
    pub fn of(scenario: &Scenario, cohort: &Cohort) -> Self {
        let interval = scenario.traffic.interval;
        Self {
            start_s: scenario.start.0,
            interval_s: interval.as_secs().max(1),
            intervals: scenario
                .duration
                .as_nanos()
                .div_ceil(interval.as_nanos().max(1)),
            both_directions: cohort.metering.is_some(),
        }
    }
}

impl Replay {
    /// The same for the models, if there is nothing wrong with it.
    pub fn model(&self, scenario: &Scenario, cohort: &Cohort) -> Option<Recorded> {
        let series = import(&self.csv, &Terms::of(scenario, cohort)).ok()?;
        Some(Recorded {
            interval: scenario.traffic.interval,
            series,
        })
    }
}

/// The data of one meter.
struct Series<'a> {
    name: &'a str,
    energies: Vec<i32>,
    /// Its last line so far.
    line: usize,
}

/// Reads interval data: the energies of each meter in mWh, meters in the order of their names'
/// first appearance. Reports what is wrong, at most the first twenty mistakes.
pub fn import(csv: &str, terms: &Terms) -> Result<Vec<Arc<[i32]>>, Vec<ImportError>> {
    let mut lines = (1..)
        .zip(csv.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let Some((line, header)) = lines.next() else {
        let hint = "a header line and a line per meter and interval";
        return Err(vec![mistake(1, 0, "there are no data", hint)]);
    };
    let columns = Columns::find(line, header).map_err(|error| vec![error])?;
    let mut series: Vec<Series<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut mistakes = Vec::new();
    for (line, text) in lines {
        if mistakes.len() == MISTAKES_MAX {
            break;
        }
        let row = match columns.row(line, text, terms) {
            Ok(row) => row,
            Err(error) => {
                mistakes.push(error);
                continue;
            }
        };
        let place = *places.entry(row.name).or_insert_with(|| {
            series.push(Series {
                name: row.name,
                energies: Vec::new(),
                line,
            });
            series.len() - 1
        });
        let of_meter = &mut series[place];
        of_meter.line = line;
        if let Err(error) = of_meter.take(&row, line, columns.moment.1, terms) {
            mistakes.push(error);
        }
    }
    if mistakes.is_empty() {
        if series.is_empty() {
            let hint = "a line per meter and interval below the header";
            mistakes.push(mistake(line, 0, "there are no data", hint));
        }
        let short = series.iter().filter_map(|one| one.shortage(terms));
        mistakes.extend(short.take(MISTAKES_MAX));
    }
    if mistakes.is_empty() {
        Ok(series.into_iter().map(|one| one.energies.into()).collect())
    } else {
        Err(mistakes)
    }
}

impl Series<'_> {
    /// Takes the next row of the meter.
    fn take(
        &mut self,
        row: &Row<'_>,
        line: usize,
        field: usize,
        terms: &Terms,
    ) -> Result<(), ImportError> {
        let Some(number) = row.interval.filter(|number| *number < terms.intervals) else {
            return Ok(());
        };
        let expected = self.energies.len() as u64;
        if number < expected {
            let message = format!(
                "interval {number} of `{}` comes twice or too late",
                self.name
            );
            let hint = "rows of a meter follow each other in time";
            return Err(mistake(line, field, message, hint));
        }
        // What is missing is reported once.
        self.energies.resize(number as usize, 0);
        self.energies.push(row.energy_mwh);
        if number == expected {
            return Ok(());
        }
        let message = match number - expected {
            1 => format!("interval {expected} of `{}` is missing", self.name),
            missing => format!(
                "{missing} intervals of `{}` from {expected} on are missing",
                self.name
            ),
        };
        let hint = "a line for every interval of the run, with 0 where nothing was used";
        Err(mistake(line, field, message, hint))
    }

    /// Whether the run lasts longer than the data.
    fn shortage(&self, terms: &Terms) -> Option<ImportError> {
        let count = self.energies.len() as u64;
        (count < terms.intervals).then(|| {
            let message = format!(
                "the data of `{}` have {count} intervals of the run, which has {}",
                self.name, terms.intervals
            );
            let hint = "shorten the run, or begin it when the data begin";
            mistake(self.line, 0, message, hint)
        })
    }
}

/// Where the columns stand, counted from 1.
struct Columns {
    meter: usize,
    /// Whether it is a time, and where.
    moment: (bool, usize),
    /// Wh of a unit, and where.
    energy: (f64, usize),
}

/// A line of the data.
struct Row<'a> {
    name: &'a str,
    /// Number of the interval; none before the run.
    interval: Option<u64>,
    energy_mwh: i32,
}

impl Columns {
    fn find(line: usize, header: &str) -> Result<Self, ImportError> {
        let names: Vec<String> = fields(header)
            .map(|name| name.to_ascii_lowercase())
            .collect();
        let one_of = |choices: [&str; 2]| {
            let mut found = (1..)
                .zip(&names)
                .filter(|(_, name)| choices.contains(&name.as_str()));
            let [first, second] = choices;
            match (found.next(), found.next()) {
                (Some((field, name)), None) => Ok((name == first, field)),
                (None, _) => {
                    let message = format!("there is no column `{first}` or `{second}`");
                    Err(mistake(line, 0, message, "add it to the header"))
                }
                (_, Some((field, _))) => {
                    let message = format!("there are two columns `{first}` or `{second}`");
                    Err(mistake(line, field, message, "remove one"))
                }
            }
        };
        let (_, meter) = one_of(["meter", "name"])?;
        let moment = one_of(["start", "interval"])?;
        let (is_wh, energy) = one_of(["wh", "kwh"])?;
        Ok(Self {
            meter,
            moment,
            energy: (if is_wh { 1.0 } else { 1e3 }, energy),
        })
    }

    fn row<'a>(&self, line: usize, text: &'a str, terms: &Terms) -> Result<Row<'a>, ImportError> {
        let field = |field: usize| fields(text).nth(field - 1).unwrap_or("");
        let name = field(self.meter);
        if name.is_empty() {
            let hint = "every line says whose data it has";
            return Err(mistake(line, self.meter, "there is no meter", hint));
        }
        let (is_time, place) = self.moment;
        let interval = if is_time {
            interval_at(field(place), terms)
        } else {
            let number = field(place).parse::<u64>().map(Some);
            number.map_err(|_| {
                let message = format!("`{}` is no number of an interval", field(place));
                (message, "0 is the first interval of the run".to_owned())
            })
        };
        let interval = interval.map_err(|(message, hint)| mistake(line, place, message, &hint))?;
        let (unit_wh, place) = self.energy;
        let energy = field(place).parse::<f64>().ok();
        let energy = energy.map(|energy| (energy * unit_wh * 1e3).round());
        let energy = energy.filter(|mwh| mwh.abs() <= ENERGY_MAX_MWH);
        let Some(energy_mwh) = energy else {
            let message = format!("`{}` is no energy of an interval", field(place));
            let hint = "a number of at most 2 MWh, for example 0.25";
            return Err(mistake(line, place, message, hint));
        };
        if energy_mwh < 0.0 && !terms.both_directions {
            let message = "this premise feeds in, and its meter counts one direction only";
            let hint = "give the cohort full metering: `metering: Metering()`";
            return Err(mistake(line, place, message, hint));
        }
        Ok(Row {
            name,
            interval,
            energy_mwh: energy_mwh as i32,
        })
    }
}

/// The interval of the run that begins at a time; none if it lies before.
fn interval_at(text: &str, terms: &Terms) -> Result<Option<u64>, (String, String)> {
    let time = Civil::parse(text).map_err(|_| {
        let hint = "a time with its zone, such as 2026-01-15T00:15:00Z".to_owned();
        (format!("`{text}` is no time"), hint)
    })?;
    let Civil(seconds) = time;
    let apart = seconds.abs_diff(terms.start_s);
    if !apart.is_multiple_of(terms.interval_s) {
        let message = format!(
            "no interval of the run begins then: they have {} s and the run starts at {}",
            terms.interval_s,
            Civil(terms.start_s).to_text()
        );
        let hint = "`traffic.interval` is the interval of the data; times are those of its start";
        return Err((message, hint.to_owned()));
    }
    Ok((seconds >= terms.start_s).then(|| apart / terms.interval_s))
}

/// The fields of a line without the blanks and the quotes around them.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let separates = move |character: char| {
        quoted ^= character == '"';
        character == ',' && !quoted
    };
    line.split(separates).map(|field| {
        let field = field.trim();
        let inner = field.strip_prefix('"').and_then(|f| f.strip_suffix('"'));
        inner.unwrap_or(field)
    })
}

fn mistake(line: usize, field: usize, message: impl Into<String>, hint: &str) -> ImportError {
    ImportError {
        line,
        field,
        message: message.into(),
        hint: hint.to_owned(),
    }
}

/// The interval data of the Parquet file at `path` as CSV; line n has row n - 1.
///
/// # Errors
///
/// If the file cannot be read, has columns of types that no interval data have, or its data take
/// more than `octets_max` octets.
pub fn csv_of_parquet(path: &Path, octets_max: u64) -> Result<String, String> {
    const WANTED: [&str; 6] = ["meter", "name", "start", "interval", "wh", "kwh"];
    let wanted = |name: &str| WANTED.contains(&name.to_ascii_lowercase().as_str());
    let columns = foreign::columns(path, octets_max, wanted).map_err(|error| match error {
        reports::Error::Document { reason, .. } => reason,
        other => other.to_string(),
    })?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut csv = names.join(",") + "\n";
    let rows = columns.iter().map(rows_of).max().unwrap_or(0);
    for row in 0..rows {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                csv.push(',');
            }
            put_cell(column, row, &mut csv);
        }
        csv.push('\n');
        if csv.len() as u64 > octets_max {
            return Err(format!("as CSV it is larger than {octets_max} octets"));
        }
    }
    Ok(csv)
}

fn rows_of(column: &Column) -> usize {
    match &column.values {
        Values::Integers(values) | Values::Times(values) => values.len(),
        Values::Numbers(values) => values.len(),
        Values::Texts(values) => values.len(),
    }
}

/// Writes the value of a row; what is missing stays empty.
fn put_cell(column: &Column, row: usize, csv: &mut String) {
    match &column.values {
        Values::Integers(values) => {
            if let Some(Some(value)) = values.get(row) {
                *csv += &value.to_string();
            }
        }
        Values::Numbers(values) => {
            if let Some(Some(value)) = values.get(row) {
                *csv += &value.to_string();
            }
        }
        Values::Times(values) => {
            if let Some(Some(nanos)) = values.get(row) {
                let seconds = nanos.div_euclid(1_000_000_000);
                match u64::try_from(seconds) {
                    Ok(seconds) if nanos.rem_euclid(1_000_000_000) == 0 => {
                        *csv += &Civil(seconds).to_text();
                    }
                    _ => *csv += &format!("{nanos} ns since 1970"),
                }
            }
        }
        Values::Texts(values) => {
            if let Some(Some(text)) = values.get(row) {
                let quotes = text.contains([',', '"', '\n', '\r']);
                let text = text.replace(['"', '\n', '\r'], "'");
                *csv += &if quotes { format!("\"{text}\"") } else { text };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 15 January 2026, 00:00 UTC; two intervals.
    const TERMS: Terms = Terms {
        start_s: 1_768_435_200,
        interval_s: 900,
        intervals: 2,
        both_directions: true,
    };

    fn series(csv: &str) -> Vec<Vec<i32>> {
        let series = import(csv, &TERMS).unwrap_or_else(|errors| panic!("{errors:?}"));
        series.iter().map(|one| one.to_vec()).collect()
    }

    #[test]
    fn energies_are_read_in_either_unit_and_by_either_time() {
        let by_number = "meter,interval,wh\nb,0,250\na,0,1.5\na,1,-3\nb,1,0.0004\n";
        let expected = [[250_000, 0], [1_500, -3_000]];
        assert_eq!(series(by_number), expected);
        // Other columns, another order, quotes, comments, and times before and after the run.
        let by_time = "kWh,remark,Start,\"Name\"\n# made up\n\
            9,,2026-01-14T23:45:00Z,b\n\
            0.25,\"x, y\",2026-01-15T00:00:00Z,\"b\"\n\
            0.0015,,2026-01-15T01:00:00+01:00,a\n\
            -0.003,,2026-01-15T00:15:00Z,a\n0,,2026-01-15T00:15:00Z,b\n\
            7,,2026-01-15T00:30:00Z,b\n";
        assert_eq!(series(by_time), expected);
    }

    #[test]
    fn mistakes_are_found_where_they_are() {
        for (csv, line, field, words) in [
            ("", 1, 0, "no data"),
            ("meter,wh,interval\n", 1, 0, "no data"),
            ("meter,wh\n", 1, 0, "no column `start` or `interval`"),
            ("meter,wh,start,kwh\n", 1, 4, "two columns `wh` or `kwh`"),
            ("meter,interval,wh\na,0,1\n,1,1\n", 3, 1, "no meter"),
            (
                "meter,interval,wh\na,0,1\na,x,1\n",
                3,
                2,
                "`x` is no number",
            ),
            ("meter,interval,wh\na,0,1\na,1\n", 3, 3, "`` is no energy"),
            ("meter,interval,wh\na,0,NaN\n", 2, 3, "`NaN` is no energy"),
            (
                "meter,interval,kwh\na,0,2001\n",
                2,
                3,
                "`2001` is no energy",
            ),
            (
                "meter,interval,wh\na,1,1\n",
                2,
                2,
                "interval 0 of `a` is missing",
            ),
            ("meter,interval,wh\na,0,1\na,0,1\n", 3, 2, "comes twice"),
            (
                "meter,interval,wh\na,0,1\nb,0,1\na,1,1\n",
                3,
                0,
                "`b` have 1 intervals",
            ),
            (
                "meter,start,wh\na,2026-01-15T00:00:01Z,1\n",
                2,
                2,
                "begins then",
            ),
            ("meter,start,wh\na,2026-01-15 00:00,1\n", 2, 2, "is no time"),
        ] {
            let errors = import(csv, &TERMS).expect_err(csv);
            assert_eq!(errors.len(), 1, "{csv}: {errors:?}");
            assert_eq!((errors[0].line, errors[0].field), (line, field), "{csv}");
            assert!(errors[0].message.contains(words), "{csv}: {errors:?}");
        }
        let one_way = Terms {
            both_directions: false,
            ..TERMS
        };
        let errors = import("meter,interval,wh\na,0,-1\na,1,0\n", &one_way).expect_err("feeds in");
        assert!(errors[0].message.contains("feeds in"), "{errors:?}");
    }
}
