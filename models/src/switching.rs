//! Orders to service switches and to homes: whose are meant, when, and by whom.

use firmware::c1219::switch::{Limit, SwitchAction};

use crate::attack::{Attack, Attacker, is_victim};
use crate::fleet::{Action, Fleet, TimelineStep};
use crate::group::Manner;
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// Who gives orders, as a number of the protocol software: attackers count from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator of the head-end.
    Operator,
    /// Somebody with the operator's rights.
    Attacker(u32),
}

impl Origin {
    /// The number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Operator => 0,
            Self::Attacker(attacker) => attacker + 1,
        }
    }

    /// The origin with this number.
    pub const fn of(number: u32) -> Self {
        match number.checked_sub(1) {
            None => Self::Operator,
            Some(attacker) => Self::Attacker(attacker),
        }
    }
}

/// Whose switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A share of a cohort, in billionths; equal shares are the same meters.
    Share {
        /// Index of the cohort.
        cohort: usize,
        /// The share.
        fraction_ppb: u32,
    },
    /// The victims of an attacker.
    Victims(u32),
}

/// Orders that are given at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// When they are queued at the head-end.
    pub at: Time,
    /// Whose switches.
    pub choice: Choice,
    /// What they do.
    pub action: SwitchAction,
    /// Time between two orders over all instances; the head-end may demand more.
    pub gap: Duration,
    /// Seconds within which each meter acts at random.
    pub window_s: u16,
    /// The terms of a limit of demand response.
    pub limit: Limit,
    /// Who orders it.
    pub origin: Origin,
    /// Whose queued orders are withdrawn before.
    pub withdraws: Option<Origin>,
    /// Whom the orders are told.
    pub manner: Manner,
}

impl Batch {
    /// Whether the batch is about `meter`.
    pub fn includes(&self, fleet: &Fleet, meter: u32) -> bool {
        match self.choice {
            Choice::Share {
                cohort,
                fraction_ppb,
            } => {
                let mut stream = Stream::new(fleet.seed, meter, Purpose::Switching);
                let chosen = stream.chance(fraction_ppb);
                chosen && cohort == fleet.cohort_of(meter)
            }
            Choice::Victims(attacker) => {
                is_victim(fleet, &fleet.attackers[attacker as usize], meter)
            }
        }
    }
}

/// The batches of a timeline and of attackers at the head-end, in order of their time.
pub fn batches(timeline: &[TimelineStep], attackers: &[Attacker]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = timeline.iter().filter_map(of_step).collect();
    for (index, attacker) in (0..).zip(attackers) {
        batches.extend(of_attacker(index, attacker));
    }
    batches.sort_by_key(|batch| batch.at);
    batches
}

fn of_step(step: &TimelineStep) -> Option<Batch> {
    let Action::Switch {
        cohort,
        fraction_ppb,
        action,
        gap,
        window_s,
        limit,
        manner,
    } = step.action
    else {
        return None;
    };
    Some(Batch {
        at: step.at,
        choice: Choice::Share {
            cohort,
            fraction_ppb,
        },
        action,
        gap,
        window_s,
        limit,
        origin: Origin::Operator,
        withdraws: None,
        manner,
    })
}

/// Waves of opening and closing until the campaign ends or the operator intervenes; the operator
/// then withdraws what is queued and closes every switch concerned.
fn of_attacker(index: u32, attacker: &Attacker) -> Vec<Batch> {
    let Attack::MassDisconnect {
        waves,
        hold,
        detected_after,
    } = attacker.attack
    else {
        return Vec::new();
    };
    let campaign = attacker.campaign;
    let detected = detected_after.map(|after| campaign.start + after);
    let end = detected.map_or(campaign.stop, |detected| detected.min(campaign.stop));
    let pace = attacker.capability.every.as_nanos() / u64::from(attacker.capability.count.max(1));
    let batch = |at, action, gap, origin, withdraws| Batch {
        at,
        choice: Choice::Victims(index),
        action,
        gap,
        window_s: 0,
        limit: Limit::default(),
        origin,
        withdraws,
        manner: Manner::Alone,
    };
    let (insider, gap) = (Origin::Attacker(index), Duration::from_nanos(pace));
    let mut batches: Vec<Batch> = (0..waves)
        .map(|wave| {
            let action = if wave % 2 == 0 {
                SwitchAction::Open
            } else {
                SwitchAction::Close
            };
            let at = campaign.start + hold.scaled(u64::from(wave), 1);
            batch(at, action, gap, insider, None)
        })
        .take_while(|batch| batch.at < end)
        .collect();
    batches.extend(detected.map(|at| {
        let operator = Origin::Operator;
        let gap = Duration::ZERO;
        batch(at, SwitchAction::Close, gap, operator, Some(insider))
    }));
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{Campaign, Capability, Foothold, Knowledge, Position};

    fn insider(waves: u32, detected_after: Option<Duration>) -> Attacker {
        Attacker {
            name: "insider".to_owned(),
            capability: Capability {
                position: Position::HeadEnd,
                foothold: Foothold::Access,
                knowledge: Knowledge::Operator,
                count: 2,
                every: Duration::from_millis(10),
            },
            campaign: Campaign {
                start: Time::from_secs(100),
                stop: Time::from_secs(400),
                ramp: Duration::ZERO,
            },
            cohort: None,
            fraction_ppb: 1_000_000_000,
            attack: Attack::MassDisconnect {
                waves,
                hold: Duration::from_secs(60),
                detected_after,
            },
        }
    }

    #[test]
    fn waves_alternate_until_the_campaign_or_the_operator_ends_them() {
        let plan = batches(&[], &[insider(9, None)]);
        let times: Vec<u64> = plan.iter().map(|batch| batch.at.as_secs()).collect();
        assert_eq!(times, [100, 160, 220, 280, 340]);
        assert_eq!(plan[0].action, SwitchAction::Open);
        assert_eq!(plan[1].action, SwitchAction::Close);
        assert_eq!(plan[0].gap, Duration::from_millis(5), "two of them");
        assert!(plan.iter().all(|batch| batch.origin == Origin::Attacker(0)));

        let plan = batches(&[], &[insider(9, Some(Duration::from_secs(90)))]);
        let [open, close, restore] = plan[..] else {
            panic!("two waves and the operator")
        };
        assert_eq!(open.at.as_secs(), 100);
        assert_eq!(close.at.as_secs(), 160);
        assert_eq!(restore.at.as_secs(), 190);
        assert_eq!(restore.origin, Origin::Operator);
        assert_eq!(restore.withdraws, Some(Origin::Attacker(0)));
        assert_eq!(restore.action, SwitchAction::Close);
    }

    #[test]
    fn origins_have_numbers() {
        for origin in [Origin::Operator, Origin::Attacker(0), Origin::Attacker(7)] {
            assert_eq!(Origin::of(origin.number()), origin);
        }
    }
}
