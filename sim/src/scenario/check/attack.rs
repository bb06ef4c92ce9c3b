//! Rules about attackers: that they exist in time and place, and can do what they do.

use firmware::Duration;
use models::address::ATTACKERS_MAX;

use super::super::attackers::{Attack, Attacker, Foothold, Leak, Psk, Tampering};
use super::super::schema::{Cohort, Medium, Scenario};
use super::super::units::{Quantity, Ratio};
use super::Judge;

/// Most guesses of a dictionary, about an hour on a core.
const GUESSES_MAX: u64 = 10_000_000_000;
/// Members of an attacker: what its part of the address plan holds.
const MEMBERS_MAX: u32 = 1 << 14;
/// Stations of one medium in which an attacker is.
const RELAYS_MAX: u32 = 64;
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
        check_foothold(scenario, attacker, &path, judge);
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
        attacker.every < Duration::from_micros(1),
        &format!("{path}.every"),
        "the time between two actions must be at least 1us",
    );
    let insider = matches!(attacker.attack, Attack::MassDisconnect { .. });
    judge.range(
        insider && !attacker.ramp.is_zero(),
        &format!("{path}.ramp"),
        "orders to switches are given in waves, not over a ramp",
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

/// A foothold in stations needs victims that share a medium, and an attack that uses it.
fn check_foothold(scenario: &Scenario, attacker: &Attacker, path: &str, judge: &mut Judge<'_>) {
    let (foothold, attack) = (format!("{path}.foothold"), format!("{path}.attack"));
    let is_access = attacker.foothold == Foothold::Access;
    if let Foothold::Relays { count } = attacker.foothold {
        judge.range(
            !(1..=RELAYS_MAX).contains(&count),
            &format!("{foothold}.count"),
            &format!("an attacker holds 1 to {RELAYS_MAX} relays of a medium"),
        );
    }
    judge.contradiction(
        !is_access
            && matches!(
                attacker.attack,
                Attack::Rogue
                    | Attack::Clone
                    | Attack::MassDisconnect { .. }
                    | Attack::Optical { .. }
                    | Attack::GroupOrder { .. }
            ),
        [&foothold, &attack],
        "these attackers are elsewhere: a foothold has no effect",
        "leave the foothold out",
    );
    let shares = |cohort: &Cohort| {
        let medium = scenario.media.get(&cohort.medium);
        matches!(medium, Some(Medium::Mesh { .. } | Medium::G3Plc { .. }))
    };
    let named = attacker.cohort.as_ref();
    let mut victims = scenario.cohorts.iter();
    judge.contradiction(
        !is_access
            && !victims
                .any(|cohort| named.is_none_or(|name| *name == cohort.name) && shares(cohort)),
        [&foothold, &format!("{path}.cohort")],
        "no victim shares a medium: there is no station to be in",
        "name a cohort on a mesh or a power line, or take the foothold Access",
    );
    if let Foothold::Meter { number } = attacker.foothold {
        let mut first = 0_u64;
        let home = scenario.cohorts.iter().find(|cohort| {
            first += u64::from(cohort.count);
            u64::from(number) < first
        });
        judge.range(
            home.is_none_or(|cohort| !shares(cohort)),
            &format!("{foothold}.number"),
            match home {
                None => "there is no meter of this number",
                Some(_) => "this meter has a link of its own and forwards for nobody",
            },
        );
    }
}

fn check_attack(attack: &Attack, path: &str, judge: &mut Judge<'_>) {
    let share = match attack {
        Attack::Replay { share, .. }
        | Attack::Block { share, .. }
        | Attack::Delay { share, .. } => Some(*share),
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
        Attack::Delay { by, .. } => {
            judge.range(
                by.is_zero(),
                &format!("{path}.by"),
                "a delay lasts longer than nothing",
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
                !(1..=GUESSES_MAX).contains(guesses),
                &format!("{path}.guesses"),
                &format!("1 to {GUESSES_MAX} guesses are made, each of them really"),
            );
        }
        Attack::MassDisconnect {
            waves,
            hold,
            detected_after,
        } => {
            judge.range(
                !(1..=10_000).contains(waves),
                &format!("{path}.waves"),
                "there are 1 to 10000 waves",
            );
            judge.range(
                hold.is_zero(),
                &format!("{path}.hold"),
                "the time from wave to wave must be above zero",
            );
            judge.range(
                detected_after.is_some_and(Duration::is_zero),
                &format!("{path}.detected_after"),
                "an attack that is stopped at once is none",
            );
        }
        Attack::GroupOrder { level, duration } => {
            judge.range(
                *level >= Ratio::ONE || !level.ppb().is_multiple_of(10_000_000),
                &format!("{path}.level"),
                "a level is a whole number of per cent below 100%, which is no limit",
            );
            let minute = 60_000_000_000;
            judge.range(
                duration.is_zero()
                    || *duration > Duration::from_secs(86_400)
                    || !duration.as_nanos().is_multiple_of(minute),
                &format!("{path}.duration"),
                "an event lasts a whole number of minutes, 1min to 1d",
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
