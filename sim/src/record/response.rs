//! Demand response: the table `demand_response`, and what it does to the load.

use std::collections::BTreeMap;

use firmware::c1219::switch::SwitchAction;
use firmware::meter::SwitchStep;
use models::telemetry::{CommandRecord, HeldLoad, LoadChange, SwitchRecord};
use models::time::Time;
use reports::label;
use reports::schema::tables::ResponseRow;

use super::rows::{duration, time};
use super::switching::outcome;

/// What the meter did about an order of demand response.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Followed {
    received: Option<Time>,
    acted: Option<Time>,
    lifted: Option<Time>,
    effect: Option<&'static str>,
    watts: f64,
    shed_wh: f64,
    /// Sequence number of the message that came first.
    told_by: Option<u8>,
}

impl Followed {
    pub(super) fn take(&mut self, record: &SwitchRecord) {
        self.received = self.received.or(Some(record.time));
        self.told_by = self.told_by.or(Some(record.sequence));
        match record.step {
            SwitchStep::Limited(_) => {
                self.acted = Some(record.time);
                self.watts = record.watts;
            }
            SwitchStep::Lifted(lift) => {
                self.lifted = Some(record.time);
                self.effect = Some(lift.name());
                self.shed_wh += record.shed_wh;
            }
            SwitchStep::Released => self.lifted = Some(record.time),
            SwitchStep::Refused(refusal) => self.effect = Some(refusal.name()),
            _ => {}
        }
    }
}

/// The row of an order; the run began at `epoch_s`, in seconds since 1970.
pub(super) fn row(record: &CommandRecord, followed: &Followed, epoch_s: u64) -> ResponseRow {
    let report = &record.report;
    let at = |instant: firmware::Instant| Time(instant.as_nanos());
    let ordered = at(report.ordered);
    let (limit, action) = (&report.order.limit, report.order.action);
    let begins = |utc: u32| Time::from_secs(u64::from(utc).saturating_sub(epoch_s));
    let start = limit.start.and_then(|start| start.to_utc()).map(begins);
    let start = start.unwrap_or(ordered);
    let since = |from: Time| move |until: Time| duration(until.saturating_since(from));
    let (outcome, cause) = outcome(report.outcome);
    let by_group = |sequence| report.group.is_some_and(|group| group.sequence == sequence);
    let delivered_by = followed.told_by.map(|sequence| match by_group(sequence) {
        true => label::GROUP,
        false => label::UNICAST,
    });
    ResponseRow {
        meter: record.meter,
        instance: record.instance,
        event: limit.event_id,
        action: action.name(),
        level_ratio: match action {
            SwitchAction::Limit => f64::from(limit.level_percent) / 100.0,
            _ => 1.0,
        },
        ordered_ns: time(ordered),
        issued_ns: report.issued.map(|issued| time(at(issued))),
        received_ns: followed.received.map(time),
        start_ns: time(start),
        acted_ns: followed.acted.map(time),
        lifted_ns: followed.lifted.map(time),
        responded_ns: report.responded.map(|responded| time(at(responded))),
        ended_ns: time(at(report.ended)),
        delivered_by,
        fallback: report
            .group
            .is_some_and(|group| group.sequence != report.sequence),
        latency_ns: followed.received.map(since(ordered)),
        delay_ns: followed.acted.map(since(start)),
        transmissions: report.transmissions,
        held_w: followed.watts,
        held_wh: followed.shed_wh,
        effect: followed.effect,
        outcome,
        cause,
    }
}

/// A change of the load of all homes together.
#[derive(Clone, Copy, Debug)]
struct Change {
    time: Time,
    held_w: f64,
    homes: i32,
    rebound_w: f64,
    /// Change of the slope of the rebound, in W/s.
    slope: f64,
    /// Rebounds that begin, less those that end.
    rebounds: i32,
}

/// The load that homes hold back and draw in addition, advanced in time.
#[derive(Debug)]
pub(super) struct Curve {
    changes: std::iter::Peekable<std::vec::IntoIter<Change>>,
    now: Time,
    held_w: f64,
    homes: i32,
    rebound_w: f64,
    slope: f64,
    rebounds: i32,
}

impl Curve {
    /// The curve of `records`, which are in order of their time.
    pub(super) fn new(records: &[HeldLoad]) -> Self {
        let mut changes = Vec::with_capacity(records.len());
        let mut held: BTreeMap<u32, f64> = BTreeMap::new();
        for record in records {
            let mut change = Change {
                time: record.time,
                held_w: 0.0,
                homes: 0,
                rebound_w: 0.0,
                slope: 0.0,
                rebounds: 0,
            };
            match record.change {
                LoadChange::Held(watts) => {
                    let before = held.insert(record.meter, watts);
                    change.held_w = watts - before.unwrap_or(0.0);
                    change.homes = i32::from(before.is_none());
                }
                LoadChange::Released(rebound) => {
                    let before = held.remove(&record.meter);
                    change.held_w = -before.unwrap_or(0.0);
                    change.homes = -i32::from(before.is_some());
                    if rebound.peak_w > 0.0 {
                        let slope = rebound.peak_w / (rebound.over.as_nanos() as f64 / 1e9);
                        (change.rebound_w, change.slope) = (rebound.peak_w, -slope);
                        change.rebounds = 1;
                        changes.push(Change {
                            time: rebound.end(),
                            held_w: 0.0,
                            homes: 0,
                            rebound_w: 0.0,
                            slope,
                            rebounds: -1,
                        });
                    }
                }
            }
            changes.push(change);
        }
        // Stable: what happens at the same time keeps the order of the records.
        changes.sort_by_key(|change| change.time);
        Self {
            changes: changes.into_iter().peekable(),
            now: Time::ZERO,
            held_w: 0.0,
            homes: 0,
            rebound_w: 0.0,
            slope: 0.0,
            rebounds: 0,
        }
    }

    /// When the load first changes.
    pub(super) fn first(&mut self) -> Option<Time> {
        self.changes.peek().map(|change| change.time)
    }

    /// Lets time pass until everything before `until` has happened.
    pub(super) fn advance(&mut self, until: Time) {
        while let Some(change) = self.changes.next_if(|change| change.time < until) {
            self.drift(change.time);
            self.held_w += change.held_w;
            self.homes += change.homes;
            self.rebound_w += change.rebound_w;
            self.slope += change.slope;
            self.rebounds += change.rebounds;
            // Nothing is left of rounding once nobody is concerned any more.
            if self.homes == 0 {
                self.held_w = 0.0;
            }
            if self.rebounds == 0 {
                (self.rebound_w, self.slope) = (0.0, 0.0);
            }
        }
        self.drift(until);
    }

    fn drift(&mut self, until: Time) {
        let seconds = until.saturating_since(self.now).as_nanos() as f64 / 1e9;
        self.rebound_w = (self.rebound_w + self.slope * seconds).max(0.0);
        self.now = self.now.max(until);
    }

    /// Homes that hold back, what they hold back, and what others draw in addition, in W.
    pub(super) fn load(&self) -> (u32, f64, f64) {
        let homes = u32::try_from(self.homes).unwrap_or(0);
        (homes, self.held_w, self.rebound_w)
    }
}

#[cfg(test)]
mod tests {
    use models::meter::Rebound;
    use models::time::Duration;

    use super::*;

    #[test]
    fn the_curve_adds_up_homes_and_lets_rebounds_fade() {
        let at = Time::from_secs;
        let rebound = Rebound {
            start: at(200),
            over: Duration::from_secs(100),
            peak_w: 50.0,
        };
        let change = |second, meter, change| HeldLoad {
            time: at(second),
            meter,
            change,
        };
        let mut curve = Curve::new(&[
            change(10, 1, LoadChange::Held(100.0)),
            change(20, 2, LoadChange::Held(200.0)),
            change(30, 1, LoadChange::Held(80.0)),
            change(200, 2, LoadChange::Released(rebound)),
            change(
                400,
                1,
                LoadChange::Released(Rebound {
                    peak_w: 0.0,
                    ..rebound
                }),
            ),
        ]);
        assert_eq!(curve.first(), Some(at(10)));
        for (second, load) in [
            (10, (0, 0.0, 0.0)),
            (11, (1, 100.0, 0.0)),
            (25, (2, 300.0, 0.0)),
            (100, (2, 280.0, 0.0)),
            (250, (1, 80.0, 25.0)),
            (301, (1, 80.0, 0.0)),
            (500, (0, 0.0, 0.0)),
        ] {
            curve.advance(at(second));
            assert_eq!(curve.load(), load, "at {second} s");
        }
    }
}
