use firmware::meter::Interval;

use super::*;
use crate::mdms::Row;

/// 2026-03-02, a Monday, 00:00 UTC.
const START: u64 = 1_772_409_600;
const HOUR: Duration = Duration::from_secs(3_600);

fn plan() -> MdmsPlan {
    MdmsPlan {
        row_time: Duration::ZERO,
        commit: Duration::ZERO,
        batch: 1,
        batch_wait: Duration::ZERO,
        buffer: 1_000,
        deadline: Duration::from_secs(2 * 3_600),
        settle: Duration::ZERO,
        rules: Rules {
            estimate_after: Duration::from_secs(6 * 3_600),
            ..Rules::default()
        },
        zone_s: 0,
    }
}

/// A history of hours with the energies that `energy` tells.
fn history(hours: usize, energy: impl Fn(usize) -> Option<u32>) -> History {
    let mut history = History::new(Calendar::new(START, HOUR, false, 0));
    for slot in 0..hours {
        if let Some(watt_hours) = energy(slot) {
            put(&mut history, slot, watt_hours, 0, 60);
        }
    }
    history
}

/// Stores an interval `delay_s` after its end.
fn put(history: &mut History, slot: usize, watt_hours: u32, status: u8, delay_s: u64) {
    let end_s = history.calendar().end_s(slot) as u64;
    let stored = Time::from_secs(end_s + delay_s);
    let row = Row {
        rank: 0,
        slot: slot as u32,
        interval: Interval {
            end_utc_s: (START + end_s) as u32,
            watt_hours,
            status,
        },
        arrived: stored,
    };
    history.store(&plan(), &row, stored);
}

fn days(history: &History, hours: u64) -> Vec<DayRecord> {
    judge(&plan(), history, Time::ZERO, Time::from_secs(hours * 3_600))
}

#[test]
fn short_gaps_are_filled_by_a_straight_line() {
    let history = history(10, |slot| match slot {
        0 => Some(100),
        2 => Some(200),
        3 | 4 => None,
        5 => Some(107),
        6.. => Some(50),
        _ => None,
    });
    let rules = plan().rules;
    let estimates = estimate(&rules, &history, 0..10);
    // 150 between 100 and 200; 200 - 31 and 200 - 62 on the way to 107.
    let expected = [None, Some(150), None, Some(169), Some(138)];
    assert_eq!(estimates[..5], expected);
    assert!(estimates[5..].iter().all(Option::is_none));
    let [day] = &days(&history, 10)[..] else {
        panic!("one day");
    };
    assert_eq!((day.expected, day.on_time, day.missing), (10, 7, 3));
    assert_eq!((day.gaps, day.gap_max, day.estimated), (2, 2, 3));
    assert_eq!((day.energy_wh, day.estimated_wh), (607, 457));
}

#[test]
fn long_gaps_are_filled_from_like_days() {
    // Three weeks; the hour tells the energy, Mondays use more, and the last Monday is missing.
    let energy = |slot: usize| {
        let (day, hour) = (slot / 24, slot % 24);
        let monday = u32::from(day % 7 == 0);
        (day != 14).then_some(100 + hour as u32 + 1_000 * monday + 10 * (day as u32 / 7))
    };
    let history = history(21 * 24, energy);
    let days = days(&history, 21 * 24);
    assert_eq!(days.len(), 21);
    let monday = &days[14];
    assert_eq!(
        (monday.missing, monday.estimated, monday.gap_max),
        (24, 24, 24)
    );
    // The mean of two Mondays: 5 Wh above the first one.
    let expected: u64 = (0..24).map(|hour| 1_105 + hour).sum();
    assert_eq!(monday.estimated_wh, expected);
}

#[test]
fn like_days_are_working_days_if_there_is_no_other_week_and_any_days_if_there_are_none() {
    // Thursday, Friday, Saturday of the first week are known, Wednesday is missing.
    let energy = |slot: usize| match slot / 24 {
        3 => Some(300),
        4 => Some(400),
        5 => Some(9_000),
        _ => None,
    };
    let rules = plan().rules;
    let known = history(6 * 24, energy);
    let estimates = estimate(&rules, &known, 2 * 24..6 * 24);
    assert!(estimates[..24].iter().all(|found| *found == Some(350)));
    // With nothing but a Saturday that has to do.
    let known = history(6 * 24, |slot| energy(slot).filter(|_| slot / 24 == 5));
    let estimates = estimate(&rules, &known, 2 * 24..6 * 24);
    assert!(estimates[..72].iter().all(|found| *found == Some(9_000)));
    // With nothing at all the gap stays open.
    let known = history(0, |_| None);
    assert!(estimate(&rules, &known, 0..48).iter().all(Option::is_none));
}

#[test]
fn where_the_power_failed_nothing_was_used() {
    let mut history = history(0, |_| None);
    for (slot, status) in [(0, 0), (1, 0x22), (6, 0x22), (7, 0)] {
        put(&mut history, slot, 500, status, 0);
    }
    let [day] = &days(&history, 8)[..] else {
        panic!("one day");
    };
    assert_eq!((day.missing, day.estimated, day.estimated_wh), (4, 4, 0));
    assert_eq!((day.power_fail, day.partial, day.clock_set), (2, 2, 0));
}

#[test]
fn late_data_replace_estimates_and_copies_are_counted() {
    let mut history = history(0, |_| None);
    let hour = 3_600;
    // On time at two hours, late after that, replacing after six.
    for (slot, delay_s) in [(0, 2 * hour), (1, 2 * hour + 1), (2, 6 * hour + 1)] {
        put(&mut history, slot, 10, 0, delay_s);
    }
    put(&mut history, 0, 99, 0, 3 * hour);
    put(&mut history, 3, 0, 0x24, 0);
    let [day] = &days(&history, 4)[..] else {
        panic!("one day");
    };
    assert_eq!((day.on_time, day.late, day.replaced), (1, 2, 1));
    assert_eq!((day.duplicates, day.unmeasured, day.missing), (1, 1, 0));
    assert_eq!(day.energy_wh, 30, "the first copy counts");
}

#[test]
fn registers_and_intervals_have_to_agree() {
    let readings = |end_wh: u64, missing: Option<usize>| {
        let mut history = history(48, |slot| (Some(slot) != missing).then_some(100));
        // Read at 00:30 of both days: 24 hours lie between, 23 of them for certain.
        history.read_register(Time::from_secs(1_800), 5_000);
        history.read_register(Time::from_secs(86_400 + 1_800), end_wh);
        let days = days(&history, 48);
        (days[0].validation, days[0].register_wh, days[1].validation)
    };
    let unchecked = Validation::Unchecked;
    for (advance, verdict) in [
        (2_400, Validation::Pass),
        (2_298, Validation::Pass),
        (2_297, Validation::Fail),
        (2_502, Validation::Pass),
        (2_503, Validation::Fail),
    ] {
        let expected = (verdict, Some(advance), unchecked);
        assert_eq!(readings(5_000 + advance, None), expected, "{advance}");
    }
    assert_eq!(readings(7_400, Some(12)), (unchecked, None, unchecked));
    let (verdict, _, _) = readings(4_999, None);
    assert_eq!(verdict, Validation::Fail, "registers never go back");
}
