//! Key performance indicators: what operators agree on with each other, beside the usual targets.
//!
//! Some gather what other sections compute; the rest is computed here. Targets are those of
//! contracts and of the OpenSG SG-Network requirements, unless their text says otherwise.

use polars::prelude::PolarsResult;

use super::sections::{NANOSECONDS, and, count};
use super::table::Table;
use super::{Builder, Summary};
use crate::schema::{Row, label};
use crate::{CommandRow, Error, KeyRow, MessageRow, MeterRow, ReadRow, Results};

const DAY_S: f64 = 86_400.0;
/// A switch is expected to have moved within this time.
const SWITCH_S: f64 = 300.0;

/// What a value should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Target {
    /// Whether `value` is what it should be.
    #[must_use]
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

/// An indicator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kpi {
    /// Path into the summary.
    pub path: &'static str,
    /// What it is, in words.
    pub name: &'static str,
    /// What it usually should be, where there is a general target.
    pub target: Option<Target>,
}

const fn kpi(path: &'static str, name: &'static str, target: Option<Target>) -> Kpi {
    Kpi { path, name, target }
}

/// All indicators, in the order in which they are shown.
pub const KPIS: &[Kpi] = &[
    kpi(
        "kpi.interval_completeness_ratio",
        "intervals by their deadline",
        Some(Target::AtLeast(0.995)),
    ),
    kpi(
        "kpi.daily_register_read_ratio",
        "registers within 7 h",
        Some(Target::AtLeast(0.98)),
    ),
    kpi(
        "kpi.on_demand_ratio",
        "on-demand reads within 30 s",
        Some(Target::AtLeast(0.95)),
    ),
    kpi("kpi.on_demand_p95_s", "on-demand read, p95", None),
    kpi(
        "kpi.switch_ratio",
        "switches moved within 5 min",
        Some(Target::AtLeast(0.98)),
    ),
    kpi(
        "kpi.demand_response_ratio",
        "DR orders taken within 60 s",
        Some(Target::AtLeast(0.995)),
    ),
    kpi(
        "kpi.time_to_join_p95_s",
        "time to join, p95",
        Some(Target::AtMost(300.0)),
    ),
    kpi(
        "kpi.rekey_ratio",
        "new key before expiry",
        Some(Target::AtLeast(0.999)),
    ),
    kpi("kpi.key_age_s.p50", "key age at use, p50", None),
    kpi("kpi.key_age_s.p99", "key age at use, p99", None),
    kpi(
        "kpi.key_age_p99_per_period",
        "key age p99 per key period",
        Some(Target::AtMost(1.2)),
    ),
    kpi("kpi.overlap_s.p50", "overlap of keys, p50", None),
    kpi("kpi.overlap_s.max", "overlap of keys, longest", None),
    kpi("kpi.exposure_p95_s", "exposure of a leaked key, p95", None),
    kpi("kpi.auth_p95_s", "authentication, p95", None),
    kpi(
        "kpi.auth_attempts_per_success",
        "attempts per success",
        None,
    ),
    kpi(
        "kpi.auth_retransmission_ratio",
        "PANA messages sent again",
        None,
    ),
    kpi("kpi.half_open_max", "half-open sessions, most", None),
    kpi("kpi.queue_max", "head-end queue, longest", None),
    kpi("kpi.dropped", "dropped by the head-end", None),
    kpi("kpi.control_overhead_ratio", "PANA per C12.22 octet", None),
    kpi("kpi.availability_ratio", "meters keyed, mean of time", None),
    kpi(
        "kpi.availability_p05_ratio",
        "meters keyed, worst 5 %",
        None,
    ),
];

/// The indicators of a run that have a value, with it.
pub fn measured(summary: &Summary) -> impl Iterator<Item = (&'static Kpi, f64)> {
    KPIS.iter()
        .filter_map(|kpi| Some((kpi, summary.get(kpi.path)?)))
}

/// Adds all indicators, once the other sections are there.
pub(super) fn all(results: &Results, out: &mut Builder) -> Result<(), Error> {
    let reads = Table::find(results, ReadRow::TABLE)?;
    out.present = true;
    completeness(&reads, out).map_err(Error::parquet(ReadRow::TABLE.name))?;
    let commands = Table::find(results, CommandRow::TABLE)?;
    orders(&commands, out).map_err(Error::parquet(CommandRow::TABLE.name))?;
    let keys = Table::find(results, KeyRow::TABLE)?;
    let messages = Table::find(results, MessageRow::TABLE)?;
    let meters = Table::find(results, MeterRow::TABLE)?;
    let held = Held::of(&keys).map_err(Error::parquet(KeyRow::TABLE.name))?;
    rotation(&held, out);
    ages(&held, &messages, out).map_err(Error::parquet(MessageRow::TABLE.name))?;
    gathered(out);
    availability(&held, &meters, out).map_err(Error::parquet(MeterRow::TABLE.name))
}

fn completeness(reads: &Table<'_>, out: &mut Builder) -> PolarsResult<()> {
    let stored = out.summary.get("mdms.completeness_ratio");
    let value = match stored {
        Some(ratio) => Some(ratio),
        None => {
            let latencies = reads.numbers("latency_ns")?;
            let prompt = latencies.iter().filter(|ns| **ns <= DAY_S * NANOSECONDS);
            let due = reads.height() as f64;
            (due > 0.0).then(|| prompt.count() as f64 / due)
        }
    };
    out.number(
        "kpi.interval_completeness_ratio",
        "Intervals in the meter data management system by their deadline, of those measured; \
         without one, intervals at the head-end within 24 h.",
        value,
    );
    Ok(())
}

/// What was asked of meters, and of switches and homes.
fn orders(commands: &Table<'_>, out: &mut Builder) -> PolarsResult<()> {
    let latencies = commands.numbers("latency_ns")?;
    let prompt = latencies
        .iter()
        .filter(|ns| **ns <= SWITCH_S * NANOSECONDS)
        .count() as f64;
    let all = commands.height() as f64;
    for (path, doc, from) in [
        (
            "kpi.daily_register_read_ratio",
            "Scheduled reads of registers done within 7 h: with those of midnight, by 07:00.",
            "requests.registers.within_7h_ratio",
        ),
        (
            "kpi.on_demand_ratio",
            "On-demand reads answered within 30 s, of all.",
            "requests.on_demand.within_30s_ratio",
        ),
        (
            "kpi.on_demand_p95_s",
            "From the order of an on-demand read to its answer, 95th percentile.",
            "requests.on_demand.latency_s.p95",
        ),
    ] {
        gather(path, doc, from, out);
    }
    out.ratio(
        "kpi.switch_ratio",
        "Orders to switches carried out within 5 min, of all.",
        prompt,
        all,
    );
    gather(
        "kpi.demand_response_ratio",
        "Orders of demand response that meters took within 60 s, of all.",
        "demand_response.received_within_60s_ratio",
        out,
    );
    gather(
        "kpi.time_to_join_p95_s",
        "From first power-on to first key, 95th percentile of the meters that joined.",
        "meters.time_to_join_s.p95",
        out,
    );
    Ok(())
}

fn gather(path: &str, doc: &'static str, from: &str, out: &mut Builder) {
    let value = out.summary.get(from);
    out.number(path, doc, value);
}

/// The C12.22 keys of meters.
struct Held {
    meters: Vec<u32>,
    key_ids: Vec<u32>,
    derived_ns: Vec<f64>,
    /// When the key was gone, or the run over.
    ended_ns: Vec<f64>,
    superseded_ns: Vec<Option<f64>>,
    expires_ns: Vec<f64>,
    /// Whether it expired without a successor.
    lapsed: Vec<bool>,
}

impl Held {
    fn of(keys: &Table<'_>) -> PolarsResult<Self> {
        let at_meter = keys.is("side", label::METER)?;
        let rows = and(&at_meter, &keys.is("purpose", label::UNICAST)?);
        let expired = keys.is("end_reason", label::EXPIRED)?;
        let chosen = |values: Vec<Option<f64>>| -> Vec<Option<f64>> {
            let pairs = values.into_iter().zip(&rows);
            pairs
                .filter(|(_, row)| **row)
                .map(|(value, _)| value)
                .collect()
        };
        let whole = |column: &str| -> PolarsResult<Vec<u32>> {
            let values = keys.numbers_where(column, &rows)?;
            Ok(values.into_iter().map(|value| value as u32).collect())
        };
        let derived_ns = keys.numbers_where("derived_at_ns", &rows)?;
        let lifetimes = keys.numbers_where("lifetime_ns", &rows)?;
        let superseded_ns = chosen(keys.options("superseded_at_ns")?);
        let expired = expired.into_iter().zip(&rows).filter(|(_, row)| **row);
        let lapsed = expired
            .zip(&superseded_ns)
            .map(|((expired, _), superseded)| expired && superseded.is_none());
        Ok(Self {
            meters: whole("meter")?,
            key_ids: whole("c1222_key_id")?,
            ended_ns: derived_ns
                .iter()
                .zip(lifetimes)
                .map(|(derived, lifetime)| derived + lifetime)
                .collect(),
            derived_ns,
            lapsed: lapsed.collect(),
            superseded_ns,
            expires_ns: keys.numbers_where("expires_at_ns", &rows)?,
        })
    }

    fn len(&self) -> usize {
        self.meters.len()
    }
}

/// Whether keys are renewed in time, and how long two of them are there.
fn rotation(held: &Held, out: &mut Builder) {
    let (mut renewed, mut overlaps) = (0.0, Vec::new());
    for key in 0..held.len() {
        if let Some(superseded) = held.superseded_ns[key] {
            renewed += f64::from(superseded < held.expires_ns[key]);
            overlaps.push((held.ended_ns[key] - superseded).max(0.0) / NANOSECONDS);
        }
    }
    let due = overlaps.len() as f64 + count(&held.lapsed);
    out.ratio(
        "kpi.rekey_ratio",
        "Keys of meters that a newer key took over from before they expired, of those that were \
         taken over from or expired.",
        renewed,
        due,
    );
    out.distribution(
        "kpi.overlap_s",
        "Time for which a meter holds a key and its successor.",
        overlaps,
    );
}

/// How old keys are when messages are protected by them.
fn ages(held: &Held, messages: &Table<'_>, out: &mut Builder) -> PolarsResult<()> {
    let mut index: Vec<(u32, u32, f64)> = (0..held.len())
        .map(|key| (held.meters[key], held.key_ids[key], held.derived_ns[key]))
        .collect();
    index.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let succeeded = messages.is("outcome", label::SUCCESS)?;
    let (meters, sent) = (messages.numbers("meter")?, messages.numbers("sent_ns")?);
    let mut ages = Vec::new();
    for (row, key_id) in messages.options("key_id")?.into_iter().enumerate() {
        let Some(key_id) = key_id.filter(|_| succeeded[row]) else {
            continue;
        };
        let (meter, key_id, sent) = (meters[row] as u32, key_id as u32, sent[row]);
        // The latest key with this id that was there: ids come again.
        let place = index.partition_point(|key| {
            (key.0, key.1) < (meter, key_id) || (key.0, key.1) == (meter, key_id) && key.2 <= sent
        });
        let key = place.checked_sub(1).map(|at| index[at]);
        if let Some((_, _, derived)) = key.filter(|key| (key.0, key.1) == (meter, key_id)) {
            ages.push((sent - derived) / NANOSECONDS);
        }
    }
    out.distribution(
        "kpi.key_age_s",
        "Age of the key of an accepted message when it was sent, of the meters whose messages are \
         recorded.",
        ages,
    );
    // The period is the time to the next key.
    let mut periods: Vec<f64> = (0..held.len())
        .filter_map(|key| Some((held.superseded_ns[key]? - held.derived_ns[key]) / NANOSECONDS))
        .collect();
    periods.sort_unstable_by(f64::total_cmp);
    let period = periods.get(periods.len() / 2).copied();
    let p99 = out.summary.get("kpi.key_age_s.p99");
    let share = p99
        .zip(period.filter(|period| *period > 0.0))
        .map(|(age, period)| age / period);
    out.number(
        "kpi.key_age_p99_per_period",
        "99th percentile of that age, per median time from a key to its successor.",
        share,
    );
    Ok(())
}

/// What other sections compute of authentication and its load.
fn gathered(out: &mut Builder) {
    let get = |path: &str| out.summary.get(path);
    let per = |part: Option<f64>, whole: Option<f64>| {
        part.zip(whole.filter(|whole| *whole > 0.0))
            .map(|(part, whole)| part / whole)
    };
    let attempts = per(get("auth.attempts"), get("auth.succeeded"));
    let datagrams = ["initial", "reauthentication"].map(|kind| {
        let mean = get(&format!("auth.datagrams_per_{kind}.mean")).unwrap_or(0.0);
        let number = match kind {
            "initial" => get("auth.initial"),
            _ => get("auth.reauthentications"),
        };
        mean * number.unwrap_or(0.0)
    });
    let sent = datagrams.iter().sum::<f64>();
    let repeated = per(get("auth.retransmissions"), Some(sent));
    let values = [
        (
            "kpi.exposure_p95_s",
            "From the leak of a key to its end at both sides, 95th percentile.",
            get("attacks.exposure_s.p95"),
        ),
        (
            "kpi.auth_p95_s",
            "Duration of successful authentications, 95th percentile.",
            get("auth.latency_s.p95"),
        ),
        (
            "kpi.auth_attempts_per_success",
            "Attempts to authenticate per successful one.",
            attempts,
        ),
        (
            "kpi.auth_retransmission_ratio",
            "PANA messages that meters sent again, per datagram of successful authentications.",
            repeated,
        ),
        (
            "kpi.half_open_max",
            "Most half-open sessions of an instance at the end of a bin.",
            get("headend.half_open_max"),
        ),
        (
            "kpi.queue_max",
            "Longest queue of an instance.",
            get("headend.queue_max"),
        ),
        (
            "kpi.dropped",
            "Datagrams that instances dropped.",
            get("headend.dropped"),
        ),
        (
            "kpi.control_overhead_ratio",
            "Octets of PANA per octet of C12.22, on the links.",
            get("traffic.pana_per_c1222"),
        ),
    ];
    for (path, doc, value) in values {
        out.number(path, doc, value);
    }
}

/// The share of the time since its first power-on in which a meter has a key.
fn availability(held: &Held, meters: &Table<'_>, out: &mut Builder) -> PolarsResult<()> {
    let end = held.ended_ns.iter().copied().reduce(f64::max);
    let mut spans: Vec<(u32, f64, f64)> = (0..held.len())
        .map(|key| (held.meters[key], held.derived_ns[key], held.ended_ns[key]))
        .collect();
    spans.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let numbers = meters.numbers("meter")?;
    let powered = meters.options("powered_on_ns")?;
    let mut shares = Vec::new();
    for (meter, powered) in numbers.iter().zip(powered) {
        let (Some(powered), Some(end)) = (powered, end) else {
            continue;
        };
        let meter = *meter as u32;
        let first = spans.partition_point(|span| span.0 < meter);
        let own = spans[first..].iter().take_while(|span| span.0 == meter);
        let (mut keyed, mut until) = (0.0, powered);
        for (_, from, to) in own {
            keyed += (to - from.max(until)).max(0.0);
            until = until.max(*to);
        }
        if end > powered {
            shares.push((keyed / (end - powered)).min(1.0));
        }
    }
    shares.sort_unstable_by(f64::total_cmp);
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    out.number(
        "kpi.availability_ratio",
        "Share of the time since its first power-on in which a meter has a key, mean.",
        (!shares.is_empty()).then_some(mean),
    );
    out.number(
        "kpi.availability_p05_ratio",
        "The same share, fifth percentile of the meters.",
        crate::stats::quantile_sorted(&shares, 0.05),
    );
    Ok(())
}
