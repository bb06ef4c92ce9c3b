//! Rules about optical ports and field service.

use firmware::Duration;

use super::super::attackers::Attack;
use super::super::identity;
use super::super::optical::{FieldErrand, IDENTIFICATION_LEN, Probe, SPEEDS};
use super::super::requests::octets;
use super::super::schema::{Action, Scenario, Step};
use super::super::units::{Quantity, Ratio};
use super::Judge;
use models::fleet::expand_identity;

/// Entries of ST42 besides the password of the head-end.
const PASSWORDS_MAX: usize = 3;
/// Octets of a password.
const PASSWORD_LEN: usize = 20;
/// Octets of the name of a user.
const USER_LEN: usize = 10;
/// Numbers of tables and procedures: eleven bits, and one for those of the manufacturer.
const NUMBER_MAX: u16 = 4_095;
/// Things to be done at one meter.
const TASKS_MAX: usize = 100;
/// MAX_PROC_PARM_LENGTH of meters.
const PARAMETERS_MAX: usize = 32;
/// Technicians of one service.
const TECHNICIANS_MAX: u32 = 10_000;
/// Shortest time on site: a session of a few packets, and the silence after a lost one.
const VISIT_MIN: Duration = Duration::from_secs(10);
/// Digits of a password that somebody guesses.
const DIGITS_MAX: u8 = 19;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    check_ports(scenario, judge);
    for (index, step) in scenario.timeline.iter().enumerate() {
        check_service(scenario, step, &format!("timeline[{index}].action"), judge);
    }
    for (index, attacker) in scenario.attackers.iter().enumerate() {
        check_intruder(
            &attacker.attack,
            &format!("attackers[{index}].attack"),
            judge,
        );
    }
}

fn check_ports(scenario: &Scenario, judge: &mut Judge<'_>) {
    let optical = &scenario.optical;
    judge.range(
        optical.passwords.len() > PASSWORDS_MAX,
        "optical.passwords",
        "a meter knows at most 3 passwords besides that of the head-end",
    );
    for (index, entry) in optical.passwords.iter().enumerate() {
        judge.range(
            !(1..=PASSWORD_LEN).contains(&entry.password.len()),
            &format!("optical.passwords[{index}].password"),
            "a password has 1 to 20 octets",
        );
    }
    judge.range(
        optical.lockout_after > 0 && optical.lockout.is_zero(),
        "optical.lockout",
        "a lock that ends at once is none: set lockout_after to 0 for ports without one",
    );
    check_speed(optical.baud, "optical.baud", judge);
}

fn check_speed(baud: u32, path: &str, judge: &mut Judge<'_>) {
    judge.range(
        !SPEEDS.contains(&baud),
        path,
        "speeds are 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200, \
         128000 and 256000 baud",
    );
}

fn check_service(scenario: &Scenario, step: &Step, path: &str, judge: &mut Judge<'_>) {
    let Action::FieldService {
        cohort,
        fraction,
        errand,
        technicians,
        travel,
        per_visit,
        user,
        password,
        probe,
        ..
    } = &step.action
    else {
        return;
    };
    let at = |name: &str| format!("{path}.{name}");
    judge.cohort(scenario, &at("cohort"), cohort);
    judge.range(
        *fraction == Ratio::ZERO,
        &at("fraction"),
        "a share of 0% means nobody",
    );
    judge.range(
        !(1..=TECHNICIANS_MAX).contains(technicians),
        &at("technicians"),
        "1 to 10000 technicians share the meters",
    );
    judge.dist(travel, &at("travel"));
    judge.range(
        *per_visit < VISIT_MIN,
        &at("per_visit"),
        &format!("a visit lasts {} at least", VISIT_MIN.to_text()),
    );
    judge.range(
        user.len() > USER_LEN,
        &at("user"),
        "the name of a user has at most 10 octets",
    );
    judge.range(
        password.len() > PASSWORD_LEN,
        &at("password"),
        "a password has at most 20 octets",
    );
    check_probe(probe, &at("probe"), judge);
    let meters = scenario.cohorts.iter().find(|known| known.name == *cohort);
    let last = meters.map_or(0, |cohort| cohort.count.saturating_sub(1));
    check_errand(errand, (cohort, last), &at("errand"), judge);
}

fn check_probe(probe: &Probe, path: &str, judge: &mut Judge<'_>) {
    let at = |name: &str| format!("{path}.{name}");
    check_speed(probe.baud, &at("baud"), judge);
    judge.range(
        probe.baud < 9_600,
        &at("baud"),
        "every line begins at 9600 baud, and a probe wants no slower one",
    );
    judge.range(
        !(32..=8_192).contains(&probe.packet_size),
        &at("packet_size"),
        "a packet has 32 to 8192 octets",
    );
    judge.range(
        probe.packets == 0,
        &at("packets"),
        "a message has 1 to 255 packets",
    );
    judge.range(
        probe.frame_errors == Ratio::ONE,
        &at("frame_errors"),
        "a line that damages everything carries nothing",
    );
    judge.range(
        !(1..=100).contains(&probe.sessions),
        &at("sessions"),
        "1 to 100 sessions are begun at a meter",
    );
}

fn check_errand(
    errand: &FieldErrand,
    (cohort, last): (&str, u32),
    path: &str,
    judge: &mut Judge<'_>,
) {
    let at = |name: &str| format!("{path}.{name}");
    const NUMBERS: &str =
        "standard ones have numbers from 0 to 2047, those of the manufacturer from 2048 to 4095";
    match errand {
        FieldErrand::Read { tables } => {
            judge.range(
                !(1..=TASKS_MAX).contains(&tables.len()),
                &at("tables"),
                "1 to 100 tables are read at a meter",
            );
            judge.range(
                tables.iter().any(|table| *table > NUMBER_MAX),
                &at("tables"),
                NUMBERS,
            );
        }
        FieldErrand::Install { identification } => match identity::check(identification) {
            Err(message) => {
                judge.range(true, &at("identification"), &message);
            }
            Ok(_) => {
                let longest = expand_identity(identification, cohort, last);
                judge.range(
                    !(1..=IDENTIFICATION_LEN).contains(&longest.len()),
                    &at("identification"),
                    "an identification has 1 to 20 octets",
                );
            }
        },
        FieldErrand::Configure { writes, procedures } => {
            judge.range(
                !(1..=TASKS_MAX).contains(&(writes.len() + procedures.len())),
                path,
                "1 to 100 tables are written and procedures run at a meter",
            );
            for (index, write) in writes.iter().enumerate() {
                let at = |name: &str| format!("{path}.writes[{index}].{name}");
                judge.range(write.table > NUMBER_MAX, &at("table"), NUMBERS);
                let octets = octets(&write.data);
                judge.range(
                    octets.is_none_or(|octets| octets.is_empty()),
                    &at("data"),
                    "octets are pairs of hexadecimal digits, at least one",
                );
            }
            for (index, procedure) in procedures.iter().enumerate() {
                let at = |name: &str| format!("{path}.procedures[{index}].{name}");
                judge.range(procedure.number > NUMBER_MAX, &at("number"), NUMBERS);
                let octets = octets(&procedure.parameters);
                judge.range(
                    octets.is_none_or(|octets| octets.len() > PARAMETERS_MAX),
                    &at("parameters"),
                    "parameters are at most 32 pairs of hexadecimal digits",
                );
            }
        }
    }
}

fn check_intruder(attack: &Attack, path: &str, judge: &mut Judge<'_>) {
    let Attack::Optical {
        digits,
        guesses,
        stay,
        ..
    } = attack
    else {
        return;
    };
    judge.range(
        !(1..=DIGITS_MAX).contains(digits),
        &format!("{path}.digits"),
        "a password that is guessed has 1 to 19 digits",
    );
    judge.range(
        *guesses == 0,
        &format!("{path}.guesses"),
        "who guesses nothing is no intruder",
    );
    judge.range(
        stay.is_some_and(|stay| stay < VISIT_MIN),
        &format!("{path}.stay"),
        &format!("an intruder stays {} at least", VISIT_MIN.to_text()),
    );
}
