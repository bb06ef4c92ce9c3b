//! What meters count, when, and the delay of their switches.

use std::sync::Arc;

use firmware::meter::GeometricDelay;
use firmware::metrology::{
    self, Calendar, Energy, EventKind, Instantaneous, Metrology, Quantity, Sample, Utc, Zone,
};

use super::{Group, Outcome};
use crate::clock::Clock;
use crate::load::{DayKind, House, LoadModel, Season, ShapeTable};
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

const DAY_S: u64 = 86_400;
const QUARTER_S: u64 = 900;
/// Thursday, 15 January 2026.
const WEEKDAY_S: u64 = 1_768_435_200;
/// Midnight of Denver before 8 March and 1 November 2026, when clocks go forward and back, and
/// before the days that follow.
const SPRING_S: [u32; 2] = [1_772_953_200, 1_773_036_000];
const AUTUMN_S: [u32; 2] = [1_793_512_800, 1_793_602_800];

pub(super) fn outcomes() -> Vec<Outcome> {
    let groups = [
        delayed_switches(),
        load_shape(),
        drift(),
        long_and_short_days(),
    ];
    groups
        .into_iter()
        .flat_map(|group| group.outcomes)
        .collect()
}

/// Share of the switches that have acted a quarter of an hour after an order to all of them.
fn delayed_switches() -> Group {
    const SWITCHES: u32 = 100_000;
    let period = Duration::from_secs(60);
    let delay = GeometricDelay {
        period,
        probability_ppb: 50_000_000,
    };
    let acted = (0..SWITCHES).filter(|meter| {
        let draw = Stream::new(29, *meter, Purpose::SwitchDelay).below(u64::MAX);
        delay.delay(draw) <= period.scaled(15, 1)
    });
    let share = acted.count() as f64 / f64::from(SWITCHES);
    // One percentage point.
    let mut group = Group::new("V29", "Temple et al. 2013, geometric delay", 0.01 / 0.537);
    group.add("5 % a minute: share that acts within 15 min", 0.537, share);
    group
}

fn load_shape() -> Group {
    let shapes = ShapeTable::shipped();
    let hours: Vec<f64> = (0..24)
        .map(|hour| shapes.watts(Season::Winter, DayKind::Weekday, hour * 3_600))
        .collect();
    let energy: f64 = hours.iter().sum();
    let peak = hours.iter().copied().fold(0.0, f64::max);
    let source = "ELCAP shapes, NEEA RBSA 2014 energies";
    let mut group = Group::new("V33", source, 0.03);
    let what = |what: &str| format!("winter weekday without heating: {what}");
    group.add(what("kWh"), 21.7, energy / 1e3);
    group.add(what("peak to mean"), 1.55, peak * 24.0 / energy);
    let model = LoadModel {
        shapes,
        season: Season::Winter,
        house_sigma: 0.5,
        day_sigma: 0.15,
        day_correlation: 0.6,
        interval_shape: 1.0,
        local_epoch_s: WEEKDAY_S,
    };
    let houses = 10_000;
    let total: u64 = (0..houses)
        .map(|meter| {
            let mut house = House::new(&model, Stream::new(33, meter, Purpose::Load));
            (1..=DAY_S / QUARTER_S)
                .map(|number| {
                    let end_s = number * QUARTER_S;
                    u64::from(house.energy_wh(&model, end_s, QUARTER_S, 1.0))
                })
                .sum::<u64>()
        })
        .sum();
    let mean = total as f64 / f64::from(houses) / 1e3;
    group.add(what("kWh of 10,000 simulated houses"), 21.7, mean);
    group
}

fn drift() -> Group {
    let clock = Clock::new(20_000);
    let mut group = Group::new("V36", "arithmetic of a clock that is 20 ppm off", 0.01);
    for (days, target) in [(1, 1.73), (30, 51.8)] {
        let time = Time::from_secs(days * DAY_S);
        let shown = clock.read(time).as_nanos();
        let gained = shown.abs_diff(time.as_nanos()) as f64 / 1e9;
        let what = format!("error after {days} d, s");
        group.add(what, target, gained);
    }
    group
}

/// Intervals of one local day, and what their sum is off by from the registers, in Wh.
fn local_day([begin, end]: [u32; 2]) -> (usize, f64) {
    let calendar = Calendar {
        zone: Zone {
            offset_min: -420,
            dst_min: 60,
            change_s: 7_200,
        },
        entries: Calendar::us_daylight_saving().to_vec(),
        ..Calendar::default()
    };
    let mut meter = Metrology::new(Arc::new(metrology::Config {
        calendar: Arc::new(calendar),
        ..metrology::Config::default()
    }));
    meter.power_on(Utc::from_secs(begin));
    let (mut intervals, mut counted) = (0, 0);
    // An odd step and an odd energy, so that nothing divides evenly.
    for until in (begin..=end + 77).step_by(77).skip(1) {
        let sample = Sample {
            energy: Energy([123_457, 0, 0, 0]),
            now: Instantaneous::default(),
        };
        meter.measure(Utc::from_secs(until), &sample);
        while let Some(event) = meter.poll_event() {
            match event.kind {
                EventKind::Interval(interval) => {
                    intervals += 1;
                    counted += u64::from(interval.counts[0]);
                }
                EventKind::DayEnded(registers) => {
                    let total = registers.total.of(Quantity::Delivered);
                    return (intervals, total as f64 - counted as f64);
                }
                _ => {}
            }
        }
    }
    (intervals, f64::NAN)
}

fn long_and_short_days() -> Group {
    let source = "calendar of the United States, intervals of 15 min";
    let mut group = Group::new("V40", source, 0.0);
    for (day, target, bounds) in [
        ("8 March 2026", 92.0, SPRING_S),
        ("1 November 2026", 100.0, AUTUMN_S),
    ] {
        let (intervals, off) = local_day(bounds);
        group.add(
            format!("{day}, Denver: intervals"),
            target,
            intervals as f64,
        );
        group.add(format!("{day}: Wh that they miss"), 0.0, off);
    }
    group
}
