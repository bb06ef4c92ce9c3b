//! Rules about attackers: that they exist in time and place, and can do what they do.

use models::fleet::ATTACKERS_MAX;

use super::super::attackers::{Attack, Attacker, Leak, Psk, Tampering};
use super::super::schema::{Medium, Scenario};
use super::super::units::{Quantity, Ratio};
use super::Judge;

/// Members of an attacker: what its part of the address plan holds.
const MEMBERS_MAX: u32 = 1 << 14;
/// Digits of a pre-shared key of 16 octets.
const DIGITS_MAX: u8 = 16;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    judge.names(
        "attacker",
        scenario
            .attackers
            .iter()
            .map(|attacker| attacker.name.as_str()),
        |index| format!("attackers[{index}].name"),
    );
    judge.range(
        scenario.attackers.len() > ATTACKERS_MAX as usize,
        "attackers",
        &format!("a scenario has at most {ATTACKERS_MAX} attackers"),
    );
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        if let Psk::Digits { count } = cohort.psk {
            digits(count, &format!("cohorts[{index}].psk.count"), judge);
        }
    }
    for (index, attacker) in scenario.attackers.iter().enumerate() {
        let path = format!("attackers[{index}]");
        check_campaign(scenario, attacker, &path, judge);
        check_capability(attacker, &path, judge);
        check_reach(scenario, attacker, &path, judge);
        check_attack(&attacker.attack, &format!("{path}.attack"), judge);
    }
}

fn digits(count: u8, path: &str, judge: &mut Judge<'_>) {
    judge.range(
        !(1..=DIGITS_MAX).contains(&count),
        path,
        &format!("a pre-shared key has 1 to {DIGITS_MAX} digits"),
    );
}

fn check_campaign(scenario: &Scenario, attacker: &Attacker, path: &str, judge: &mut Judge<'_>) {
    if let Some(cohort) = &attacker.cohort {
        judge.cohort(scenario, &format!("{path}.cohort"), cohort);
    }
    judge.range(
        attacker.fraction == Ratio::ZERO,
        &format!("{path}.fraction"),
        "a share of 0% means nobody",
    );
    let start = format!("{path}.start");
    judge.contradiction(
        attacker.start >= scenario.duration && !scenario.duration.is_zero(),
        [&start, "duration"],
        &format!(
            "the run ends after {}, before this happens",
            scenario.duration.to_text()
        ),
        "start earlier or run longer",
    );
    judge.contradiction(
        attacker.stop.is_some_and(|stop| stop <= attacker.start),
        [&format!("{path}.stop"), &start],
        "the campaign ends before it starts",
        "stop later or start earlier",
    );
}

fn check_capability(attacker: &Attacker, path: &str, judge: &mut Judge<'_>) {
    judge.range(
        !(1..=MEMBERS_MAX).contains(&attacker.count),
        &format!("{path}.count"),
        &format!("an attacker has 1 to {MEMBERS_MAX} members"),
    );
    judge.range(
        attacker.every.is_zero(),
        &format!("{path}.every"),
        "the time between two actions must be above zero",
    );
    let plan = attacker.model(attacker.start, |_| 0);
    let (position, knowledge) = plan.attack.needs();
    let name = plan.attack.name();
    judge.contradiction(
        plan.capability.position < position,
        [&format!("{path}.position"), &format!("{path}.attack")],
        &format!("the attack {name:?} cannot be made from there"),
        &format!("it needs the position {:?} at least", position),
    );
    judge.contradiction(
        plan.capability.knowledge < knowledge,
        [&format!("{path}.knowledge"), &format!("{path}.attack")],
        &format!("the attack {name:?} needs more knowledge"),
        &format!("it needs {:?} at least", knowledge),
    );
}

/// Attackers stand at links of one meter each; what is sent to the head-end alone needs no link.
fn check_reach(scenario: &Scenario, attacker: &Attacker, path: &str, judge: &mut Judge<'_>) {
    if matches!(
        attacker.attack,
        Attack::Flood | Attack::Rogue | Attack::Clone
    ) {
        return;
    }
    let cohort = format!("{path}.cohort");
    for (index, victims) in scenario.cohorts.iter().enumerate() {
        let named = attacker.cohort.as_ref();
        let shared = matches!(
            scenario.media.get(&victims.medium),
            Some(Medium::Mesh { .. } | Medium::G3Plc { .. })
        );
        judge.contradiction(
            shared && named.is_none_or(|name| *name == victims.name),
            [&cohort, &format!("cohorts[{index}].medium")],
            "this attack is made on the link of one meter, and these meters share a medium",
            "name a cohort whose meters have links of their own",
        );
    }
}

fn check_attack(attack: &Attack, path: &str, judge: &mut Judge<'_>) {
    let share = match attack {
        Attack::Replay { share, .. } | Attack::Block { share, .. } => Some(*share),
        Attack::Tamper {
            what: Tampering::BitFlip { share, .. },
        } => Some(*share),
        _ => None,
    };
    judge.range(
        share == Some(Ratio::ZERO),
        path,
        "a share of 0% is no attack",
    );
    match attack {
        Attack::Replay { delay, .. } => {
            judge.range(
                delay.is_zero(),
                &format!("{path}.delay"),
                "a replay comes later than the original",
            );
        }
        Attack::Eavesdrop {
            leak: Leak::SessionKey { from, until },
        } => {
            judge.range(
                until <= from,
                &format!("{path}.leak"),
                "the window of the leak is empty",
            );
        }
        Attack::Dictionary {
            digits: count,
            guesses,
            ..
        } => {
            digits(*count, &format!("{path}.digits"), judge);
            judge.range(
                *guesses == 0,
                &format!("{path}.guesses"),
                "an attack without a guess finds nothing",
            );
        }
        Attack::Jam { burst, period } => {
            judge.range(
                burst.is_zero() || burst > period,
                path,
                "a burst lasts longer than nothing and at most its period",
            );
        }
        _ => {}
    }
}
