//! Orders and what became of them: the tables `commands`, `demand_response` and `grid`.
//!
//! What the head-end knows of an order and what its meter did are observed apart, and only
//! together they make a row. So both are kept until the run ends: about 150 octets per order.

use std::collections::BTreeMap;

use firmware::headend::CommandOutcome;
use firmware::meter::SwitchStep;
use models::attack::Attacker;
use models::fleet::Fleet;
use models::grid::{GridPlan, Swing};
use models::switching::Origin;
use models::telemetry::{CommandRecord, HeldLoad, SwitchRecord};
use models::time::{Duration, Time};
use reports::label;
use reports::schema::tables::{CommandRow, GridRow, ResponseRow};

use super::response::{self, Curve, Followed};
use super::rows::{duration, time};

/// Width of a row of the table `grid`.
const STEP: Duration = Duration::from_secs(1);

/// Everything about switches since the start of the run.
#[derive(Debug, Default)]
pub(super) struct Switching {
    pub(super) commands: Vec<CommandRecord>,
    pub(super) switches: Vec<SwitchRecord>,
    pub(super) held: Vec<HeldLoad>,
}

/// What the meter did about an order.
#[derive(Clone, Copy, Debug, Default)]
struct Effect {
    accepted: Option<Time>,
    ended: Option<Time>,
    result: Option<&'static str>,
    watts: f64,
    followed: Followed,
}

impl Switching {
    /// Puts the records in an order that knows nothing of domains.
    pub(super) fn sort(&mut self) {
        let ordered = |record: &CommandRecord| {
            let report = &record.report;
            (report.ordered, record.meter, report.ended, report.sequence)
        };
        self.commands.sort_by_key(ordered);
        // What a switch does at the same time keeps the order in which it did it.
        self.switches
            .sort_by_key(|record| (record.time, record.meter));
        self.held.sort_by_key(|record| (record.time, record.meter));
    }

    /// The rows of the tables `commands` and `demand_response`; the records have been sorted.
    pub(super) fn commands(&self, fleet: &Fleet) -> (Vec<CommandRow>, Vec<ResponseRow>) {
        let effects = self.effects();
        let (mut commands, mut responses) = (Vec::new(), Vec::new());
        for (record, effect) in self.commands.iter().zip(&effects) {
            if record.report.order.action.is_response() {
                let followed = &effect.followed;
                responses.push(response::row(record, followed, fleet.start_utc_s));
            } else {
                commands.push(row(record, effect, &fleet.attackers));
            }
        }
        (commands, responses)
    }

    /// What meters did about each of the commands.
    ///
    /// Sequence numbers repeat after 255 orders to a meter: an effect belongs to the latest order
    /// with its number that had been sent by then.
    fn effects(&self) -> Vec<Effect> {
        let mut effects = vec![Effect::default(); self.commands.len()];
        let mut issued: Vec<(Time, usize, u8)> = (0..)
            .zip(&self.commands)
            .flat_map(|(index, record)| {
                let report = &record.report;
                let alone = report.issued.map(|at| (at, report.sequence));
                let group = report.group.map(|group| (group.sent, group.sequence));
                [group, alone]
                    .into_iter()
                    .flatten()
                    .map(move |(at, sequence)| (Time(at.as_nanos()), index, sequence))
            })
            .collect();
        issued.sort_unstable();
        let mut latest: BTreeMap<(u32, u8), usize> = BTreeMap::new();
        let mut issued = issued.into_iter().peekable();
        for switch in &self.switches {
            while let Some((_, index, sequence)) = issued.next_if(|(time, ..)| *time <= switch.time)
            {
                let record = &self.commands[index];
                latest.insert((record.meter, sequence), index);
            }
            let key = (switch.meter, switch.sequence);
            if let Some(&index) = latest.get(&key) {
                effects[index].take(switch);
            }
        }
        effects
    }

    /// The rows of the table `grid`, from the first change of load to `end`.
    pub(super) fn grid(&self, plan: GridPlan, end: Time) -> Vec<GridRow> {
        let mut moves = self
            .switches
            .iter()
            .filter_map(|record| match record.step {
                SwitchStep::Done {
                    closed,
                    moved: true,
                } => Some((record.time, closed, record.watts)),
                _ => None,
            })
            .peekable();
        let mut curve = Curve::new(&self.held);
        let moved = moves.peek().map(|(time, _, _)| *time);
        let Some(first) = [moved, curve.first()].into_iter().flatten().min() else {
            return Vec::new();
        };
        let mut swing = Swing::new(plan);
        let mut at = Time::from_secs(first.as_secs());
        swing.advance(at);
        let (mut open, mut lost_w) = (0_i64, 0.0);
        let mut rows = Vec::new();
        while at < end {
            let next = (at + STEP).min(end);
            let (mut low, mut high) = (swing.frequency_hz(), swing.frequency_hz());
            while let Some((time, closed, watts)) = moves.next_if(|(time, _, _)| *time < next) {
                let (below, above) = swing.advance(time);
                (low, high) = (low.min(below), high.max(above));
                let sign = if closed { -1.0 } else { 1.0 };
                open += if closed { -1 } else { 1 };
                lost_w = if open == 0 {
                    0.0
                } else {
                    lost_w + sign * watts
                };
                let (_, held_w, rebound_w) = curve.load();
                swing.set_lost(lost_w + held_w - rebound_w);
            }
            let (below, above) = swing.advance(next);
            curve.advance(next);
            let (responding_homes, held_w, rebound_w) = curve.load();
            swing.set_lost(lost_w + held_w - rebound_w);
            rows.push(GridRow {
                bin_start_ns: time(at),
                bin_ns: duration(next.saturating_since(at)),
                open_switches: u32::try_from(open).unwrap_or(0),
                lost_w: lost_w * plan.premises_per_meter,
                responding_homes,
                held_w: held_w * plan.premises_per_meter,
                rebound_w: rebound_w * plan.premises_per_meter,
                frequency_hz: swing.frequency_hz(),
                frequency_min_hz: low.min(below),
                frequency_max_hz: high.max(above),
            });
            at = next;
        }
        rows
    }
}

impl Effect {
    fn take(&mut self, switch: &SwitchRecord) {
        if self.is_obeyed() {
            // Obeyed once more: somebody has sent the order again.
            return;
        }
        match switch.step {
            SwitchStep::Accepted(_) => {
                self.accepted = self.accepted.or(Some(switch.time));
                return;
            }
            SwitchStep::Done { moved: true, .. } => {
                self.result = Some(label::MOVED);
                self.watts = switch.watts;
            }
            SwitchStep::Done { moved: false, .. } => self.result = Some(label::UNMOVED),
            SwitchStep::TakenBack => self.result = Some(label::TAKEN_BACK),
            SwitchStep::Refused(refusal) => {
                self.result = Some(refusal.name());
                self.followed.take(switch);
            }
            SwitchStep::Scheduled(..)
            | SwitchStep::Limited(_)
            | SwitchStep::Lifted(_)
            | SwitchStep::Released => self.followed.take(switch),
        }
        self.accepted = self.accepted.or(Some(switch.time));
        self.ended = Some(switch.time);
    }

    /// When the switch was where the order wants it.
    fn applied(&self) -> Option<Time> {
        self.ended.filter(|_| self.is_obeyed())
    }

    /// Whether the switch has been where the order wants it.
    fn is_obeyed(&self) -> bool {
        matches!(self.result, Some(label::MOVED | label::UNMOVED))
    }
}

fn row(record: &CommandRecord, effect: &Effect, attackers: &[Attacker]) -> CommandRow {
    let report = &record.report;
    let at = |instant: firmware::Instant| Time(instant.as_nanos());
    let ordered = at(report.ordered);
    let (outcome, cause) = outcome(report.outcome);
    let applied = effect.applied();
    CommandRow {
        meter: record.meter,
        instance: record.instance,
        origin: match Origin::of(report.order.origin) {
            Origin::Operator => label::OPERATOR.to_owned(),
            Origin::Attacker(attacker) => attackers[attacker as usize].name.clone(),
        },
        authorised: report.order.origin == Origin::Operator.number(),
        action: report.order.action.name(),
        ordered_ns: time(ordered),
        issued_ns: report.issued.map(|issued| time(at(issued))),
        accepted_ns: effect.accepted.map(time),
        applied_ns: applied.map(time),
        responded_ns: report.responded.map(|responded| time(at(responded))),
        ended_ns: time(at(report.ended)),
        latency_ns: applied.map(|applied| duration(applied.saturating_since(ordered))),
        transmissions: report.transmissions,
        effect: effect.result,
        load_w: effect.watts,
        outcome,
        cause,
    }
}

/// The outcome of an order, and its cause if it is no success.
pub(super) fn outcome(outcome: CommandOutcome) -> (&'static str, Option<&'static str>) {
    let label = match outcome {
        CommandOutcome::Confirmed => return (label::SUCCESS, None),
        CommandOutcome::Denied(_) | CommandOutcome::Failed(_) | CommandOutcome::Foreign => {
            label::REJECTED
        }
        CommandOutcome::Unanswered | CommandOutcome::Unreachable => label::TIMEOUT,
        CommandOutcome::Superseded | CommandOutcome::Withdrawn | CommandOutcome::Pending => {
            label::CLOSED
        }
    };
    (label, Some(outcome.name()))
}
