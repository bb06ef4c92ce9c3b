//! Section "Keys": how they rotated, and how old they were when used.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::counted;
use super::run::{Run, floats, indices, labels, seconds, sorted};
use super::section::Section;
use crate::number::{duration, grouped, significant};
use crate::plot::{About, Axis, Band, Figure, Lines, Size, Span, Spans, Stack, ecdf};
use crate::schema::{Row, label};
use crate::stats::quantile_sorted;
use crate::{AuthRow, Error, KeyRow, MessageRow};

/// Meters whose keys are drawn one by one.
const ROWS: usize = 16;
/// Points that draw a curve.
const POINTS: usize = 240;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("keys", "Key rotation", lead(run));
    let columns = [
        "meter",
        "side",
        "purpose",
        "c1222_key_id",
        "derived_at_ns",
        "superseded_at_ns",
        "lifetime_ns",
        "messages_sent",
        "messages_received",
    ];
    let keys = match run.frame(KeyRow::TABLE, &columns)? {
        Some(frame) => Keys::read(&frame).map_err(Error::parquet(KeyRow::TABLE.name))?,
        None => return Ok(section),
    };
    section.figures.push(timeline(run, &keys));
    if let Some(frame) = run.frame(AuthRow::TABLE, &["end_ns", "kind", "outcome"])? {
        let figure = derivations(run, &frame).map_err(Error::parquet(AuthRow::TABLE.name))?;
        section.figures.push(figure);
    }
    let columns = ["meter", "sent_ns", "key_id", "outcome"];
    if let Some(frame) = run.frame(MessageRow::TABLE, &columns)? {
        let ages = keys
            .ages(&frame)
            .map_err(Error::parquet(MessageRow::TABLE.name))?;
        section.figures.extend(age(&ages));
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let late = match run.count("keys.used_after_expiry") {
        0 => "No key was used after its expiry".to_string(),
        1 => "1 key was used after its expiry".to_string(),
        count => format!("{} keys were used after their expiry", grouped(count)),
    };
    let derived = counted(run.count("keys.derived"), "key");
    if run.count("keys.rotations") == 0 {
        return format!(
            "Meters derived {derived}, none of which took over from an older one. {late}."
        );
    }
    format!(
        "Meters derived {derived} and rotated {} times: {} per meter on average, {} to {}. {late}.",
        grouped(run.count("keys.rotations")),
        significant(
            run.number("keys.rotations_per_meter.mean").unwrap_or(0.0),
            3
        ),
        run.count("keys.rotations_per_meter.min"),
        run.count("keys.rotations_per_meter.max"),
    )
}

/// A key as its meter held it.
#[derive(Clone, Copy, Debug)]
struct Key {
    meter: u32,
    slot: u32,
    derived_s: f64,
    superseded_s: f64,
    ended_s: f64,
    messages: f64,
}

/// Keys of the meters in order of meter and derivation.
struct Keys(Vec<Key>);

impl Keys {
    fn read(frame: &DataFrame) -> PolarsResult<Self> {
        let (sides, names) = labels(frame, "side")?;
        let (meters, slots) = (indices(frame, "meter")?, indices(frame, "c1222_key_id")?);
        let derived = seconds(frame, "derived_at_ns")?;
        let superseded = seconds(frame, "superseded_at_ns")?;
        let lifetimes = seconds(frame, "lifetime_ns")?;
        let sent = floats(frame, "messages_sent")?;
        let received = floats(frame, "messages_received")?;
        let (purposes, purpose_names) = labels(frame, "purpose")?;
        let at_meter = (0..frame.height()).filter(|row| {
            names[sides[*row]] == label::METER && purpose_names[purposes[*row]] == label::UNICAST
        });
        let mut keys: Vec<_> = at_meter
            .map(|row| Key {
                meter: meters[row],
                slot: slots[row],
                derived_s: derived[row],
                superseded_s: superseded[row],
                ended_s: derived[row] + lifetimes[row],
                messages: sent[row] + received[row],
            })
            .collect();
        keys.sort_unstable_by(|a, b| {
            a.meter
                .cmp(&b.meter)
                .then(a.derived_s.total_cmp(&b.derived_s))
        });
        Ok(Self(keys))
    }

    /// Keys of one meter.
    fn of(&self, meter: u32) -> &[Key] {
        let from = self.0.partition_point(|key| key.meter < meter);
        let to = self.0.partition_point(|key| key.meter <= meter);
        &self.0[from..to]
    }

    /// Ages of the keys under which accepted messages were sent, in order.
    fn ages(&self, messages: &DataFrame) -> PolarsResult<Vec<f64>> {
        let meters = indices(messages, "meter")?;
        let sent = seconds(messages, "sent_ns")?;
        let slots = floats(messages, "key_id")?;
        let (outcomes, names) = labels(messages, "outcome")?;
        // One lookup table instead of a search per message.
        let last = self.0.last().map_or(0, |key| key.meter as usize + 1);
        let mut starts = vec![0; last + 1];
        for key in &self.0 {
            starts[key.meter as usize + 1] += 1;
        }
        for meter in 1..starts.len() {
            starts[meter] += starts[meter - 1];
        }
        let age = |row: usize| {
            let meter = meters[row] as usize;
            let is_known = meter < last && names[outcomes[row]] == label::SUCCESS;
            if !is_known || !slots[row].is_finite() {
                return f64::NAN;
            }
            let keys = &self.0[starts[meter]..starts[meter + 1]];
            let older = keys.partition_point(|key| key.derived_s <= sent[row]);
            let of_slot = |key: &&Key| f64::from(key.slot) == slots[row];
            let key = keys[..older].iter().rev().find(of_slot);
            key.map_or(f64::NAN, |key| sent[row] - key.derived_s)
        };
        Ok(sorted((0..messages.height()).map(age)))
    }
}

/// Every key of a few meters over time.
fn timeline(run: &Run, keys: &Keys) -> Figure {
    let meters = keys.0.last().map_or(0, |key| key.meter as usize + 1);
    let rows = meters.min(ROWS);
    let row = |index: usize| {
        let meter = (index * meters / rows) as u32;
        let spans = keys.of(meter).iter().map(span).collect();
        (format!("meter {}", grouped(u64::from(meter))), spans)
    };
    let caption = format!(
        "Keys of {} of {}, evenly spaced. A bar is a key, from derivation to erasure; its pale end \
         is the overlap in which it is still accepted after a newer key took over.",
        rows,
        counted(meters as u64, "meter")
    );
    let about = About {
        id: "key-timeline",
        title: "Key-rotation timeline",
        caption: &caption,
    };
    let plot = Spans {
        x: Axis::time(0.0, run.end_s()),
        column: "meter".to_string(),
        rows: (0..rows).map(row).collect(),
        events: run.events(),
    };
    Figure::new(about, Size::Wide, &plot)
}

fn span(key: &Key) -> Span {
    let fades_s = if key.superseded_s.is_finite() {
        key.superseded_s.min(key.ended_s)
    } else {
        key.ended_s
    };
    Span {
        from_s: key.derived_s,
        fades_s,
        to_s: key.ended_s,
        label: format!(
            "key id {}, {}",
            key.slot,
            counted(key.messages as u64, "message")
        ),
    }
}

/// Keys derived over time, by what brought them.
fn derivations(run: &Run, frame: &DataFrame) -> PolarsResult<Figure> {
    let bins = Bins::fine(run.end_s());
    let ends = seconds(frame, "end_ns")?;
    let (kinds, kind_names) = labels(frame, "kind")?;
    let (outcomes, outcome_names) = labels(frame, "outcome")?;
    let succeeded = |row: usize| outcome_names[outcomes[row]] == label::SUCCESS;
    let of = |name: &str, wanted: &dyn Fn(usize) -> bool| Band {
        name: name.to_string(),
        values: bins.sums(
            (0..ends.len())
                .filter(|row| wanted(*row))
                .map(|row| (ends[row], 1.0)),
        ),
    };
    let is = |row: usize, kind: &str| succeeded(row) && kind_names[kinds[row]] == kind;
    let mut bands = vec![
        of("re-authentication", &|row| is(row, label::REAUTHENTICATION)),
        of("initial authentication", &|row| is(row, label::INITIAL)),
        of("failed attempt", &|row| !succeeded(row)),
    ];
    bands.retain(|band| band.values.iter().any(|count| *count > 0.0));
    let caption = format!(
        "Authentication attempts per {} by kind; each that succeeds gives a meter a new key.",
        bins.say()
    );
    let about = About {
        id: "authentications-over-time",
        title: "Authentications",
        caption: &caption,
    };
    let totals = Stack::totals(&bands);
    let title = format!("Attempts per {}", bins.say());
    let plot = Stack {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::linear(&title, "attempts", totals.into_iter()).counted(),
        edges: bins.edges(),
        bands,
        events: run.events(),
    };
    Ok(Figure::new(about, Size::Half, &plot))
}

/// Distribution of key ages at use.
fn age(ages: &[f64]) -> Option<Figure> {
    let [p50, p99] = [0.5, 0.99].map(|q| quantile_sorted(ages, q));
    let caption = format!(
        "Age of the key under each accepted message: half are younger than {}, 99 % than {}.",
        duration(p50?),
        duration(p99?)
    );
    let about = About {
        id: "key-age",
        title: "Key age at use",
        caption: &caption,
    };
    let oldest = ages.last().copied().unwrap_or(0.0);
    let mut x = Axis::time(0.0, oldest);
    x.title = x.title.replace("Virtual time", "Age of the key");
    x.column = "key_age_s".to_string();
    let plot = Lines {
        x,
        y: Axis::over("Share of messages at or below", "share", 0.0, 1.0),
        series: vec![ecdf("messages", ages, POINTS)],
        events: Vec::new(),
    };
    Some(Figure::new(about, Size::Half, &plot))
}
