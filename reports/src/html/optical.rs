//! Section "Optical ports": who was at meters, what came of it, and passwords that were guessed.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::{counted, words};
use super::run::{Run, floats, labels, seconds, sorted};
use super::section::Section;
use crate::export::Table;
use crate::number::{duration, percent};
use crate::plot::{About, Axis, Bars, Figure, Lines, Series, Size, ecdf};
use crate::schema::Row;
use crate::stats::quantile_sorted;
use crate::{Error, OpticalRow};

/// Points that draw a curve.
const POINTS: usize = 240;
/// The outcome of a session in which everything was done.
const COMPLETED: &str = "completed";

const COLUMNS: [&str; 13] = [
    "start_ns",
    "end_ns",
    "errand",
    "attacker",
    "outcome",
    "refused",
    "tables_read",
    "tables_written",
    "tables_verified",
    "passwords",
    "wrong_passwords",
    "locked_out",
    "retransmissions",
];

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("optical", "Optical ports", lead(run));
    if let Some(frame) = run.frame(OpticalRow::TABLE, &COLUMNS)? {
        fill(run, &frame, &mut section).map_err(Error::parquet(OpticalRow::TABLE.name))?;
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let mut sentences = Vec::new();
    let sessions = run.count("optical.sessions");
    if sessions > 0 {
        let completed = run.number("optical.completed_ratio").unwrap_or(0.0);
        sentences.push(format!(
            "Technicians did everything that they came for in {} of {}; half of those took at most \
             {}.",
            percent(completed),
            counted(sessions, "session"),
            duration(run.number("optical.session_s.p50").unwrap_or(0.0)),
        ));
    }
    let theirs = run.count("optical.intruder_sessions");
    if theirs > 0 {
        sentences.push(format!("Intruders held {}.", counted(theirs, "session")));
    }
    sentences.push(format!(
        "Meters refused {} and locked their port {}.",
        counted(run.count("optical.wrong_passwords"), "password"),
        counted(run.count("optical.lockouts"), "time"),
    ));
    sentences.join(" ")
}

/// Sessions with the same errand of the same people.
#[derive(Debug)]
struct Kind {
    name: String,
    /// Rows of the table, in its order.
    rows: Vec<usize>,
}

fn fill(run: &Run, frame: &DataFrame, section: &mut Section) -> PolarsResult<()> {
    let kinds = kinds(frame)?;
    section.figures.push(outcomes(frame, &kinds)?);
    section.figures.push(durations(frame, &kinds)?);
    section.figures.extend(passwords(run, frame)?);
    let table = table(frame, &kinds)?;
    section
        .tables
        .push(("Sessions by errand".to_string(), table));
    Ok(())
}

fn kinds(frame: &DataFrame) -> PolarsResult<Vec<Kind>> {
    let (errands, errand_names) = labels(frame, "errand")?;
    let (attackers, attacker_names) = labels(frame, "attacker")?;
    let mut kinds: Vec<Kind> = Vec::new();
    for (attacker, attacker_name) in attacker_names.iter().enumerate() {
        for (errand, errand_name) in errand_names.iter().enumerate() {
            let of_kind = |row: &usize| (attackers[*row], errands[*row]) == (attacker, errand);
            let rows: Vec<usize> = (0..frame.height()).filter(of_kind).collect();
            let name = if attacker_name.is_empty() {
                words(errand_name)
            } else {
                format!("{} ({attacker_name})", words(errand_name))
            };
            if !rows.is_empty() {
                kinds.push(Kind { name, rows });
            }
        }
    }
    Ok(kinds)
}

/// How sessions ended, those of each kind from the most frequent ending on.
fn outcomes(frame: &DataFrame, kinds: &[Kind]) -> PolarsResult<Figure> {
    let (outcomes, names) = labels(frame, "outcome")?;
    let mut bars = Vec::new();
    for kind in kinds {
        let mut counts = vec![0_u64; names.len()];
        kind.rows.iter().for_each(|row| counts[outcomes[*row]] += 1);
        let mut order: Vec<usize> = (0..names.len()).filter(|of| counts[*of] > 0).collect();
        order.sort_by_key(|of| std::cmp::Reverse(counts[*of]));
        bars.extend(order.into_iter().map(|of| {
            let name = format!("{}: {}", kind.name, words(&names[of]));
            (name, counts[of] as f64)
        }));
    }
    let about = About {
        id: "optical-outcomes",
        title: "Sessions and how they ended",
        caption: "Sessions by errand; for those of intruders the attacker is named. Completed is a \
                  session in which everything was done that it was for.",
    };
    let plot = Bars {
        x: Axis::linear("Sessions", "sessions", bars.iter().map(|(_, count)| *count)).counted(),
        column: "errand_outcome".to_string(),
        bars,
    };
    Ok(Figure::new(about, Size::Half, &plot))
}

fn session_s(frame: &DataFrame) -> PolarsResult<Vec<f64>> {
    let spans = seconds(frame, "start_ns")?
        .into_iter()
        .zip(seconds(frame, "end_ns")?);
    Ok(spans.map(|(start, end)| end - start).collect())
}

fn durations(frame: &DataFrame, kinds: &[Kind]) -> PolarsResult<Figure> {
    let lasted = session_s(frame)?;
    let series: Vec<Series> = kinds
        .iter()
        .map(|kind| {
            let lasted = sorted(kind.rows.iter().map(|row| lasted[*row]));
            ecdf(&kind.name, &lasted, POINTS)
        })
        .collect();
    let about = About {
        id: "optical-durations",
        title: "Duration of sessions",
        caption: "Share of the sessions of an errand that lasted at most so long, from the first \
                  octet to the end for whoever made it.",
    };
    let plot = Lines {
        x: Axis::durations("Duration", "session_s", lasted.into_iter()),
        y: Axis::over("Share of sessions", "share", 0.0, 1.0),
        series,
        events: Vec::new(),
    };
    Ok(Figure::new(about, Size::Half, &plot))
}

/// Wrong passwords and lock-outs, added up over time; nothing if there was no wrong password.
fn passwords(run: &Run, frame: &DataFrame) -> PolarsResult<Option<Figure>> {
    let ends = seconds(frame, "end_ns")?;
    let wrong = floats(frame, "wrong_passwords")?;
    let locked = locked(frame)?;
    if wrong.iter().all(|count| *count == 0.0) {
        return Ok(None);
    }
    let bins = Bins::fine(run.end_s());
    let lockouts = ends.iter().zip(locked).filter(|(_, locked)| *locked);
    let series = vec![
        Series {
            name: "wrong passwords".to_string(),
            points: bins.levels(ends.iter().copied().zip(wrong)),
        },
        Series {
            name: "sessions that locked a port".to_string(),
            points: bins.added_up(lockouts.map(|(end, _)| *end)),
        },
    ];
    let caption = format!(
        "Passwords that meters judged wrong, and sessions in which one of them locked the port, at \
         the end of their session, added up per {}.",
        bins.say()
    );
    let about = About {
        id: "optical-passwords",
        title: "Wrong passwords",
        caption: &caption,
    };
    let plot = run.counts_over_time("Added up", "count", series);
    Ok(Some(Figure::new(about, Size::Wide, &plot)))
}

fn locked(frame: &DataFrame) -> PolarsResult<Vec<bool>> {
    let locked = frame.column("locked_out")?.bool()?.iter();
    Ok(locked.map(|row| row == Some(true)).collect())
}

fn table(frame: &DataFrame, kinds: &[Kind]) -> PolarsResult<Table> {
    let (outcomes, names) = labels(frame, "outcome")?;
    let lasted = session_s(frame)?;
    let locked = locked(frame)?;
    const SUMS: [&str; 7] = [
        "refused",
        "tables_read",
        "tables_written",
        "tables_verified",
        "passwords",
        "wrong_passwords",
        "retransmissions",
    ];
    let sums = SUMS.map(|column| floats(frame, column));
    let sums: Vec<Vec<f64>> = sums.into_iter().collect::<PolarsResult<_>>()?;
    let mut table = Table::new([
        "errand",
        "sessions",
        "completed",
        "median_s",
        "requests refused",
        "tables read",
        "written",
        "read back as written",
        "passwords",
        "wrong",
        "packets repeated",
        "port locked",
    ]);
    for Kind { name, rows } in kinds {
        let count = |pick: &dyn Fn(usize) -> bool| {
            let picked = rows.iter().filter(|row| pick(**row));
            picked.count() as f64
        };
        let median_s = quantile_sorted(&sorted(rows.iter().map(|row| lasted[*row])), 0.5);
        let mut line = vec![
            name.as_str().into(),
            (rows.len() as f64).into(),
            count(&|row| names[outcomes[row]] == COMPLETED).into(),
            median_s.into(),
        ];
        let totals = sums.iter().map(|of| rows.iter().map(|row| of[*row]).sum());
        line.extend(totals.map(|total: f64| total.into()));
        line.push(count(&|row| locked[row]).into());
        table.push(line);
    }
    Ok(table)
}
