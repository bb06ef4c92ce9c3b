//! Key performance indicators: what operators agree on with each other, beside the usual targets.
//!
//! Some gather what other sections compute; the rest is computed here. Targets are those of
//! contracts and of the OpenSG SG-Network requirements, unless their text says otherwise.

use std::collections::BTreeSet;

use polars::prelude::PolarsResult;

use super::sections::{AT_METER, NANOSECONDS};
use super::table::{Rule, Table};
use super::{Builder, Summary};
use crate::schema::{Row, label};
use crate::stats;
use crate::{CommandRow, Error, KeyRow, MessageRow, MeterRow, ReadRow, Results};

const DAY_S: f64 = 86_400.0;
/// A switch is expected to have moved within this time.
const SWITCH_S: f64 = 300.0;
/// Keys of meters that are in memory at once; 24 MiB.
const SPANS_MAX: usize = 1 << 20;

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
    rotation(&keys, out).map_err(Error::parquet(KeyRow::TABLE.name))?;
    ages(&keys, &messages, out).map_err(Error::parquet(MessageRow::TABLE.name))?;
    gathered(out);
    availability(&keys, &meters, out).map_err(Error::parquet(MeterRow::TABLE.name))
}

fn completeness(reads: &Table, out: &mut Builder) -> PolarsResult<()> {
    let stored = out.summary.get("mdms.completeness_ratio");
    let value = match stored {
        Some(ratio) => Some(ratio),
        None => {
            let mut prompt = 0.0;
            reads.rows(["latency_ns"], &[], |[latency]| {
                prompt += f64::from(latency.is_some_and(|ns| ns <= DAY_S * NANOSECONDS));
            })?;
            let due = reads.height() as f64;
            (due > 0.0).then_some(prompt / due)
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
fn orders(commands: &Table, out: &mut Builder) -> PolarsResult<()> {
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

/// Whether keys are renewed in time, and how long two of them are there.
fn rotation(keys: &Table, out: &mut Builder) -> PolarsResult<()> {
    let [side, purpose] = AT_METER;
    let expired = [side, purpose, Rule::Is("end_reason", label::EXPIRED)];
    let mut lapsed = 0.0;
    keys.rows(["superseded_at_ns"], &expired, |[superseded]| {
        lapsed += f64::from(superseded.is_none());
    })?;
    let (mut renewed, mut superseded) = (0.0, 0.0);
    keys.rows(["superseded_at_ns", "expires_at_ns"], &AT_METER, |row| {
        if let [Some(at), Some(expires)] = row {
            renewed += f64::from(at < expires);
            superseded += 1.0;
        }
    })?;
    out.ratio(
        "kpi.rekey_ratio",
        "Keys of meters that a newer key took over from before they expired, of those that were \
         taken over from or expired.",
        renewed,
        superseded + lapsed,
    );
    let columns = ["derived_at_ns", "lifetime_ns", "superseded_at_ns"];
    let overlaps = |each: &mut dyn FnMut(f64)| {
        keys.rows(columns, &AT_METER, |row| {
            if let [Some(derived), Some(lifetime), Some(superseded)] = row {
                each((derived + lifetime - superseded).max(0.0) / NANOSECONDS);
            }
        })
    };
    out.spread(
        "kpi.overlap_s",
        "Time for which a meter holds a key and its successor.",
        overlaps,
    )
}

/// How old keys are when messages are protected by them.
fn ages(keys: &Table, messages: &Table, out: &mut Builder) -> PolarsResult<()> {
    let succeeded = [Rule::Is("outcome", label::SUCCESS), Rule::Known("key_id")];
    let mut recorded = BTreeSet::new();
    messages.rows(["meter"], &succeeded, |[meter]| {
        recorded.extend(meter.map(|meter| meter as u32));
    })?;
    // The keys of these meters by their ids, which come again.
    let mut index: Vec<(u32, u32, f64)> = Vec::new();
    keys.rows(
        ["meter", "c1222_key_id", "derived_at_ns"],
        &AT_METER,
        |row| {
            if let [Some(meter), Some(key_id), Some(derived)] = row
                && recorded.contains(&(meter as u32))
            {
                index.push((meter as u32, key_id as u32, derived));
            }
        },
    )?;
    index.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let ages = |each: &mut dyn FnMut(f64)| {
        messages.rows(["meter", "key_id", "sent_ns"], &succeeded, |row| {
            let [Some(meter), Some(key_id), Some(sent)] = row else {
                return;
            };
            let of = (meter as u32, key_id as u32);
            // The latest key with this id that was there.
            let place = index.partition_point(|key| {
                (key.0, key.1) < of || (key.0, key.1) == of && key.2 <= sent
            });
            let key = place.checked_sub(1).map(|at| index[at]);
            if let Some((_, _, derived)) = key.filter(|key| (key.0, key.1) == of) {
                each((sent - derived) / NANOSECONDS);
            }
        })
    };
    out.spread(
        "kpi.key_age_s",
        "Age of the key of an accepted message when it was sent, of the meters whose messages are \
         recorded.",
        ages,
    )?;
    // The period is the time to the next key.
    let periods = stats::sample([0.5], |each: &mut dyn FnMut(f64)| {
        keys.rows(["derived_at_ns", "superseded_at_ns"], &AT_METER, |row| {
            if let [Some(derived), Some(superseded)] = row {
                each((superseded - derived) / NANOSECONDS);
            }
        })
    })?;
    let [period] = periods.quantiles;
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
fn availability(keys: &Table, meters: &Table, out: &mut Builder) -> PolarsResult<()> {
    let mut powered: Vec<(u32, f64)> = Vec::with_capacity(meters.height());
    meters.rows(["meter", "powered_on_ns"], &[], |row| {
        if let [Some(meter), Some(at)] = row {
            powered.push((meter as u32, at));
        }
    })?;
    powered.sort_unstable_by_key(|(meter, _)| *meter);
    let mut end: Option<f64> = None;
    let columns = ["derived_at_ns", "lifetime_ns"];
    keys.rows(columns, &AT_METER, |row| {
        if let [Some(derived), Some(lifetime)] = row {
            let ended = derived + lifetime;
            end = Some(end.map_or(ended, |end| end.max(ended)));
        }
    })?;
    let groups = keys.height().div_ceil(SPANS_MAX).max(1);
    let mut shares = Vec::with_capacity(powered.len());
    if let Some(end) = end {
        for group in powered.chunks(powered.len().div_ceil(groups).max(1)) {
            keyed_shares(keys, group, end, &mut shares)?;
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
        stats::quantile_sorted(&shares, 0.05),
    );
    Ok(())
}

/// The shares of some meters, which are in order of their numbers.
fn keyed_shares(
    keys: &Table,
    meters: &[(u32, f64)],
    end: f64,
    shares: &mut Vec<f64>,
) -> PolarsResult<()> {
    let (Some((first, _)), Some((last, _))) = (meters.first(), meters.last()) else {
        return Ok(());
    };
    let mut spans: Vec<(u32, f64, f64)> = Vec::new();
    keys.rows(
        ["meter", "derived_at_ns", "lifetime_ns"],
        &AT_METER,
        |row| {
            if let [Some(meter), Some(derived), Some(lifetime)] = row
                && (*first..=*last).contains(&(meter as u32))
            {
                spans.push((meter as u32, derived, derived + lifetime));
            }
        },
    )?;
    spans.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for &(meter, powered) in meters {
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
    Ok(())
}
