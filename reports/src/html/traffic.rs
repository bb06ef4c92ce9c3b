//! Section "Traffic": what the links carried, by protocol and message type.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::{message_type, protocol};
use super::run::{Run, floats, labels, seconds};
use super::section::Section;
use crate::export::Table;
use crate::number::{Prefix, percent, prefixed, significant};
use crate::plot::{About, Axis, Band, Figure, Size, Stack};
use crate::schema::{Row, label};
use crate::{Error, TrafficRow};

/// Message types that get a band of their own; the others share one.
const BANDS: usize = 7;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("traffic", "Traffic", lead(run));
    let columns = [
        "medium",
        "direction",
        "protocol",
        "message_type",
        "attacker",
        "bin_start_ns",
        "bin_ns",
        "frames",
        "bytes",
        "retransmissions",
        "drops_loss",
        "drops_queue",
    ];
    if let Some(frame) = run.frame(TrafficRow::TABLE, &columns)? {
        let parquet = Error::parquet(TrafficRow::TABLE.name);
        let frame = benign(&frame).map_err(parquet)?;
        let groups = Groups::read(&frame).map_err(Error::parquet(TrafficRow::TABLE.name))?;
        let figure = figure(run, &frame, &groups);
        section
            .figures
            .push(figure.map_err(Error::parquet(TrafficRow::TABLE.name))?);
        let title = "Traffic by message type".to_string();
        section.tables.push((title, groups.table()));
    }
    Ok(section)
}

/// The fleet's own datagrams: what attackers send is counted with the attacks, and frames in
/// homes are no datagrams.
fn benign(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let frame = frame.filter(&frame.column("attacker")?.is_null())?;
    let medium = frame.column("medium")?.str()?;
    frame.filter(&medium.iter().map(|name| name != Some(label::HAN)).collect())
}

fn lead(run: &Run) -> String {
    let bytes = run.number("traffic.bytes_up").unwrap_or(0.0)
        + run.number("traffic.bytes_down").unwrap_or(0.0);
    let datagrams = run.number("traffic.datagrams").unwrap_or(0.0);
    let lost = run.number("traffic.datagrams_lost").unwrap_or(0.0);
    let mut text = format!(
        "The links carried {} in {} datagrams, headers of UDP, IP and the link included; {} of them \
         were lost or dropped.",
        prefixed(bytes, "B"),
        prefixed(datagrams, "").trim_end(),
        percent(if datagrams > 0.0 {
            lost / datagrams
        } else {
            0.0
        }),
    );
    if let Some(overhead) = run.number("traffic.pana_per_c1222") {
        text += &format!(
            " Authentication cost {} octets per octet of C12.22.",
            significant(overhead, 3)
        );
    }
    text
}

/// Sums of one protocol, message type and direction.
#[derive(Clone, Debug, Default)]
struct Totals {
    frames: f64,
    bytes: f64,
    retransmissions: f64,
    lost: f64,
}

/// What was carried, by (protocol, message type) and direction.
struct Groups {
    totals: BTreeMap<(String, String, String), Totals>,
    /// Key of each row.
    rows: Vec<(String, String)>,
}

impl Groups {
    fn read(frame: &DataFrame) -> PolarsResult<Self> {
        let (protocols, protocol_names) = labels(frame, "protocol")?;
        let (types, type_names) = labels(frame, "message_type")?;
        let (directions, direction_names) = labels(frame, "direction")?;
        let [frames, bytes, retransmissions, loss, queue] = [
            "frames",
            "bytes",
            "retransmissions",
            "drops_loss",
            "drops_queue",
        ]
        .map(|column| floats(frame, column));
        let (frames, bytes, retransmissions) = (frames?, bytes?, retransmissions?);
        let (loss, queue) = (loss?, queue?);
        let mut totals: BTreeMap<_, Totals> = BTreeMap::new();
        let mut rows = Vec::with_capacity(frame.height());
        for row in 0..frame.height() {
            let protocol = protocol_names[protocols[row]].clone();
            let message = type_names[types[row]].clone();
            let direction = direction_names[directions[row]].clone();
            let sums = totals
                .entry((protocol.clone(), message.clone(), direction))
                .or_default();
            sums.frames += frames[row];
            sums.bytes += bytes[row];
            sums.retransmissions += retransmissions[row];
            sums.lost += loss[row] + queue[row];
            rows.push((protocol, message));
        }
        Ok(Self { totals, rows })
    }

    /// Message types of all directions, those with most octets first.
    fn ranking(&self) -> Vec<((String, String), f64)> {
        let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
        for ((protocol, message, _), totals) in &self.totals {
            let key = (protocol.clone(), message.clone());
            *sums.entry(key).or_default() += totals.bytes;
        }
        let mut ranking: Vec<_> = sums.into_iter().collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranking
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            "protocol",
            "message type",
            "direction",
            "datagrams",
            "bytes",
            "share of bytes",
            "bytes per datagram",
            "retransmissions",
            "lost or dropped",
        ]);
        let all: f64 = self.totals.values().map(|totals| totals.bytes).sum();
        let mut rows: Vec<_> = self.totals.iter().collect();
        rows.sort_by(|a, b| b.1.bytes.total_cmp(&a.1.bytes));
        for ((name, message, direction), totals) in rows {
            table.push([
                protocol(name).into(),
                message_type(name, message).into(),
                direction.as_str().into(),
                totals.frames.into(),
                totals.bytes.into(),
                percent(totals.bytes / all).into(),
                (totals.bytes / totals.frames).into(),
                totals.retransmissions.into(),
                totals.lost.into(),
            ]);
        }
        table
    }
}

/// Rate over time, stacked by message type.
fn figure(run: &Run, frame: &DataFrame, groups: &Groups) -> PolarsResult<Figure> {
    let recorded = seconds(frame, "bin_ns")?.first().copied().unwrap_or(0.0);
    let bins = Bins::new(run.end_s(), recorded);
    let starts = seconds(frame, "bin_start_ns")?;
    let bytes = floats(frame, "bytes")?;
    let ranking = groups.ranking();
    let kept = if ranking.len() > BANDS + 1 {
        BANDS
    } else {
        ranking.len()
    };
    let mut bands: Vec<Band> = ranking[..kept]
        .iter()
        .map(|((name, message), _)| Band {
            name: format!("{} {}", protocol(name), message_type(name, message)),
            values: vec![0.0; bins.count()],
        })
        .collect();
    if kept < ranking.len() {
        bands.push(Band {
            name: format!("{} others", ranking.len() - kept),
            values: vec![0.0; bins.count()],
        });
    }
    let others = bands.len() - 1;
    for (row, key) in groups.rows.iter().enumerate() {
        let band = ranking[..kept].iter().position(|(known, _)| known == key);
        let bin = bins.index(starts[row]);
        let rate = bytes[row] * 8.0 / bins.lasts_s(bin);
        bands[band.unwrap_or(others)].values[bin] += rate;
    }
    let totals = Stack::totals(&bands);
    let prefix = Prefix::of(totals.iter().copied().fold(0.0, f64::max));
    let title = format!("Rate ({}bit/s)", prefix.symbol);
    let caption = format!(
        "Rate on all links by protocol and message type, both directions, averaged over {}.",
        bins.say()
    );
    let about = About {
        id: "traffic-over-time",
        title: "Traffic by message type",
        caption: &caption,
    };
    let y = Axis::linear(&title, "rate_bit_per_s", totals.into_iter());
    let plot = Stack {
        x: Axis::time(0.0, run.end_s()),
        y: y.in_units_of(prefix.factor),
        edges: bins.edges(),
        bands,
        events: run.events(),
    };
    Ok(Figure::new(about, Size::Wide, &plot))
}
