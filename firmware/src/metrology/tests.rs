//! Energy is conserved whatever happens, and calendars do what they say.

use std::vec;
use std::vec::Vec;

use alloc::sync::Arc;
use proptest::prelude::*;

use super::*;
use crate::c1222::interval::EndTime;
use crate::time::Duration;

/// A time in UTC as seconds since 1970.
fn utc(year: u8, month: u8, day: u8, hour: u8, minute: u8) -> u32 {
    let time = EndTime {
        year,
        month,
        day,
        hour,
        minute,
    };
    time.to_utc().unwrap()
}

/// Mountain time with the daylight saving time of the United States, and the schedules of the
/// reference tables: eight of them, every half hour another tier in turn.
fn denver() -> Calendar {
    let mut calendar = Calendar {
        zone: Zone {
            offset_min: -420,
            dst_min: 60,
            change_s: 7_200,
        },
        entries: Calendar::us_daylight_saving().to_vec(),
        ..Calendar::default()
    };
    for (number, schedule) in calendar.schedules.iter_mut().enumerate() {
        for (half_hour, tier) in schedule.iter_mut().enumerate() {
            *tier = ((half_hour / 6 + number) % TIERS) as u8;
        }
    }
    calendar.matrix = [
        [1, 1, 0, 6, 7],
        [3, 3, 2, 6, 7],
        [5, 5, 4, 6, 7],
        [1, 1, 0, 6, 7],
    ];
    for (season, month) in [(0, 1), (1, 4), (2, 7), (3, 10)] {
        let when = When::Yearly(Recurring {
            month,
            day: 1,
            weekday: None,
        });
        calendar.entries.push(Entry {
            when,
            control: Control::Season(season),
            demand_reset: false,
            self_read: false,
        });
    }
    let when = When::Once(Date {
        year: 24,
        month: 7,
        day: 4,
    });
    calendar.entries.push(Entry {
        when,
        control: Control::Special(0),
        demand_reset: false,
        self_read: true,
    });
    calendar
}

fn config(calendar: Calendar) -> Config {
    Config {
        calendar: Arc::new(calendar),
        ..Config::default()
    }
}

/// A meter that got power at `begin`, and everything that it reported.
struct Rig {
    metrology: Metrology,
    /// The oscillator, in seconds.
    raw_s: u32,
    events: Vec<Event>,
    fed: [u64; QUANTITIES],
}

impl Rig {
    fn new(config: Config, begin: u32) -> Self {
        let mut metrology = Metrology::new(Arc::new(config));
        metrology.power_on(Utc::from_secs(begin));
        Self {
            metrology,
            raw_s: begin,
            events: Vec::new(),
            fed: [0; QUANTITIES],
        }
    }

    fn oscillator(&self) -> (Utc, Instant) {
        (
            Utc::from_secs(self.raw_s),
            Instant::from_secs(u64::from(self.raw_s)),
        )
    }

    fn time(&self) -> Utc {
        let (raw, now) = self.oscillator();
        self.metrology.time(raw, now)
    }

    fn feed(&mut self, seconds: u32, energy: [u64; QUANTITIES]) {
        self.raw_s += seconds;
        let now = Instantaneous {
            milliamperes: 5_000,
            ..Instantaneous::default()
        };
        let energy_of = Energy(energy);
        let sample = Sample {
            energy: energy_of,
            now,
        };
        self.metrology.measure(self.time(), &sample);
        for (sum, energy) in self.fed.iter_mut().zip(energy) {
            *sum += energy;
        }
        self.drain();
    }

    fn outage(&mut self, seconds: u32) {
        self.metrology.power_off(self.time());
        self.raw_s += seconds;
        self.metrology.power_on(self.time());
        self.drain();
    }

    fn set_clock(&mut self, by_s: i64) -> ClockSet {
        let target = self.time().moved(by_s * 1_000_000_000);
        let set = self.metrology.set_clock(target, true, self.oscillator());
        self.drain();
        set
    }

    fn drain(&mut self) {
        self.events
            .extend(core::iter::from_fn(|| self.metrology.poll_event()));
    }

    fn intervals(&self) -> impl Iterator<Item = Interval> {
        self.events.iter().filter_map(|event| match event.kind {
            EventKind::Interval(interval) => Some(interval),
            _ => None,
        })
    }

    /// Everything that was fed is in the total, and in the tiers.
    fn check_registers(&self) {
        let registers = self.metrology.registers();
        for index in 0..QUANTITIES {
            let total = registers.total.energy[index];
            assert_eq!(total, self.fed[index] / 1_000, "quantity {index}");
            let tiers: u64 = registers.tiers.iter().map(|tier| tier.energy[index]).sum();
            assert_eq!(tiers, total, "tiers of quantity {index}");
        }
    }

    /// The intervals of channel `channel` add up to the register once the open one has closed.
    fn check_intervals(&mut self, channel: usize, quantity: Quantity) {
        // Close what is open without adding to it, and empty what overflowed.
        self.feed(4 * 900, [0; QUANTITIES]);
        let sum: u64 = self.intervals().map(|i| u64::from(i.counts[channel])).sum();
        assert_eq!(sum, self.metrology.registers().total.of(quantity));
    }
}

#[test]
fn daylight_saving_days_have_92_and_100_intervals_and_keep_the_energy() {
    // V40: 10 March and 3 November 2024 in Denver, and the days before.
    for (begin, count) in [
        (utc(24, 3, 9, 7, 0), 96),
        (utc(24, 3, 10, 7, 0), 92),
        (utc(24, 11, 2, 6, 0), 96),
        (utc(24, 11, 3, 6, 0), 100),
        (utc(24, 11, 4, 7, 0), 96),
    ] {
        let mut rig = Rig::new(config(denver()), begin);
        let mut ended = None;
        while ended.is_none() {
            rig.feed(300, [123_457, 0, 0, 0]);
            ended = rig.events.iter().find_map(|event| match &event.kind {
                EventKind::DayEnded(registers) => Some((event.utc_s, registers.clone())),
                _ => None,
            });
        }
        let (end, registers) = ended.unwrap();
        let closed: Vec<Interval> = rig.intervals().filter(|i| i.end_utc_s <= end).collect();
        assert_eq!(closed.len(), count);
        assert_eq!((end - begin) as usize, count * 900);
        let sum: u64 = closed.iter().map(|i| u64::from(i.counts[0])).sum();
        assert_eq!(sum, registers.total.of(Quantity::Delivered));
        rig.check_registers();
        let changes = closed
            .iter()
            .filter(|i| i.status.flags.contains(Flags::DST_CHANGE));
        assert_eq!(changes.count(), usize::from(count != 96));
    }
}

#[test]
fn the_calendar_knows_days_seasons_and_daylight_saving_time() {
    let calendar = denver();
    // Sunday 10 March 2024, 01:59:59 and 03:00 local time.
    let before = calendar.day(utc(24, 3, 10, 8, 59));
    assert_eq!((before.dst, before.offset_s), (false, -25_200));
    assert_eq!(before.until_utc_s, utc(24, 3, 10, 9, 0));
    let after = calendar.day(utc(24, 3, 10, 9, 0));
    assert_eq!((after.dst, after.offset_s), (true, -21_600));
    assert_eq!(after.from_utc_s, utc(24, 3, 10, 9, 0));
    assert_eq!(after.local_second(utc(24, 3, 10, 9, 0)), 3 * 3_600);
    assert_eq!((after.weekday, after.season), (0, 0));
    // 3 November: 01:00 to 02:00 comes twice.
    let summer = calendar.day(utc(24, 11, 3, 7, 30));
    let winter = calendar.day(utc(24, 11, 3, 8, 30));
    assert_eq!(summer.local_second(utc(24, 11, 3, 7, 30)), 5_400);
    assert_eq!(winter.local_second(utc(24, 11, 3, 8, 30)), 5_400);
    assert!(summer.dst && !winter.dst);
    // Independence Day is special, the day before an ordinary weekday of season 2.
    let holiday = calendar.day(utc(24, 7, 4, 18, 0));
    assert_eq!(
        (holiday.season, holiday.special, holiday.schedule),
        (2, Some(0), 6)
    );
    assert!(holiday.self_read);
    let weekday = calendar.day(utc(24, 7, 3, 18, 0));
    assert_eq!((weekday.special, weekday.schedule), (None, 4));
    assert_eq!(calendar.day(utc(24, 7, 6, 18, 0)).schedule, 5, "Saturday");
    // The season of January is that which began on 1 January, the one before in October.
    assert_eq!(calendar.day(utc(24, 1, 1, 6, 59)).season, 3);
    assert_eq!(calendar.day(utc(24, 1, 1, 7, 0)).season, 0);
    // Schedule 0: three hours of a tier, from local midnight.
    let day = calendar.day(utc(24, 1, 2, 12, 0));
    assert_eq!(calendar.tier(&day, utc(24, 1, 2, 9, 59)), 0);
    assert_eq!(calendar.tier(&day, utc(24, 1, 2, 10, 0)), 1);
    assert_eq!(
        calendar.next_switch(&day, utc(24, 1, 2, 8, 10)),
        utc(24, 1, 2, 10, 0)
    );
}

#[test]
fn daylight_saving_time_of_the_southern_hemisphere_lasts_over_new_year() {
    let sunday = |month, control| Entry {
        when: When::Yearly(Recurring {
            month,
            day: 1,
            weekday: Some(0),
        }),
        control,
        demand_reset: false,
        self_read: false,
    };
    let calendar = Calendar {
        zone: Zone {
            offset_min: 600,
            dst_min: 60,
            change_s: 7_200,
        },
        entries: vec![sunday(10, Control::DstOn), sunday(4, Control::DstOff)],
        ..Calendar::default()
    };
    assert!(calendar.day(utc(24, 1, 1, 0, 0)).dst);
    assert!(!calendar.day(utc(24, 7, 1, 0, 0)).dst);
    // 7 April 2024: 02:00 of the time that ends becomes 01:00, at 15:00 UTC of the day before.
    assert!(calendar.day(utc(24, 4, 6, 14, 59)).dst);
    assert!(!calendar.day(utc(24, 4, 6, 15, 0)).dst);
}

#[test]
fn demand_is_the_maximum_of_whole_aligned_half_hours() {
    let begin = utc(24, 1, 2, 10, 10);
    let mut rig = Rig::new(config(denver()), begin);
    // 20 minutes at 30 kW do not make a block; then 6 kW, then 2 kW.
    rig.feed(1_200, [10_000_000, 0, 0, 0]);
    rig.feed(1_800, [3_000_000, 0, 0, 0]);
    rig.feed(1_800, [1_000_000, 0, 0, 0]);
    let demand = rig.metrology.registers().total.demands[0];
    assert_eq!(demand.max_w, 6_000);
    assert_eq!(demand.at_utc_s, utc(24, 1, 2, 11, 0));
    assert_eq!(rig.metrology.registers().tiers[1].demands[0], demand);

    assert!(rig.metrology.reset_demand(rig.time()));
    rig.feed(60, [0; 4]);
    assert!(
        !rig.metrology.reset_demand(rig.time()),
        "excluded for 5 min"
    );
    rig.feed(1_740, [900_000, 0, 0, 0]);
    let demand = rig.metrology.registers().total.demands[0];
    assert_eq!(
        (demand.max_w, demand.cumulative_w),
        (0, 6_000),
        "cut by the reset"
    );
    let copy = rig.metrology.previous_reset().unwrap();
    assert_eq!(copy.registers.total.demands[0].max_w, 6_000);
    assert_eq!(rig.metrology.registers().demand_resets, 1);
    rig.feed(1_800, [900_000, 0, 0, 0]);
    assert!(rig.metrology.reset_demand(rig.time()));
    assert_eq!(
        rig.metrology.registers().total.demands[0].cumulative_w,
        7_800
    );
}

#[test]
fn demand_is_forgiven_for_a_while_after_an_outage() {
    let begin = utc(24, 1, 2, 10, 0);
    let mut rules = config(denver());
    rules.demand.forgiveness = Duration::from_secs(2_400);
    let mut rig = Rig::new(rules, begin);
    rig.outage(600);
    // 10:10 to 10:30 is no whole block, 10:30 to 11:00 begins before 10:50.
    rig.feed(1_200, [9_000_000, 0, 0, 0]);
    rig.feed(1_800, [9_000_000, 0, 0, 0]);
    assert_eq!(rig.metrology.registers().total.demands[0].max_w, 0);
    rig.feed(1_800, [500_000, 0, 0, 0]);
    assert_eq!(rig.metrology.registers().total.demands[0].max_w, 1_000);
    // An outage too short to be recognised costs its block only.
    rig.outage(5);
    rig.feed(1_795, [9_000_000, 0, 0, 0]);
    rig.feed(1_800, [600_000, 0, 0, 0]);
    assert_eq!(rig.metrology.registers().total.demands[0].max_w, 1_200);
}

#[test]
fn outages_leave_marks_and_no_holes_in_the_profile() {
    let begin = utc(24, 1, 2, 10, 0);
    let mut rig = Rig::new(config(denver()), begin);
    rig.feed(1_000, [1_000_000, 0, 0, 0]);
    rig.outage(3_000);
    rig.feed(500, [70_000, 0, 0, 0]);
    let metrology = &rig.metrology;
    let rules = &metrology.config().profile;
    let all: Vec<Interval> = (0..metrology.profile().open_number())
        .map(|number| metrology.profile().get(rules, number).unwrap())
        .collect();
    let codes: Vec<Code> = all.iter().map(|i| i.status.code).collect();
    use Code::{Ok, Partial, Skipped};
    assert_eq!(codes, [Ok, Partial, Skipped, Skipped, Partial]);
    let counts: Vec<u16> = all.iter().map(|i| i.counts[0]).collect();
    assert_eq!(counts, [900, 100, 0, 0, 70]);
    for interval in &all[1..] {
        assert!(interval.status.flags.contains(Flags::POWER_FAIL));
        assert_eq!(interval.end_utc_s, begin + 900 * (interval.number + 1));
    }
    assert_eq!(rig.intervals().count(), 3, "skipped ones are not reported");
    rig.check_registers();
}

#[test]
fn steps_of_the_clock_cross_no_boundary_twice() {
    let begin = utc(24, 1, 2, 10, 0);
    let mut rig = Rig::new(config(denver()), begin);
    rig.feed(1_000, [1_000_000, 0, 0, 0]);
    assert_eq!(rig.set_clock(-200), ClockSet::Stepped);
    // 10:13:20 again: the open interval still ends at 10:30.
    rig.feed(1_000, [1_000_000, 0, 0, 0]);
    let ends: Vec<u32> = rig.intervals().map(|i| i.end_utc_s - begin).collect();
    assert_eq!(ends, [900, 1_800]);
    let long = rig.intervals().nth(1).unwrap();
    assert_eq!(long.status.code, Code::Long);
    assert!(long.status.flags.contains(Flags::CLOCK_BACKWARD));
    assert_eq!(rig.set_clock(2_000), ClockSet::Stepped);
    rig.feed(900, [90_000, 0, 0, 0]);
    let after = rig.metrology.profile();
    let skipped = after.get(&rig.metrology.config().profile, 3).unwrap();
    assert_eq!(skipped.status.code, Code::Skipped);
    assert!(skipped.status.flags.contains(Flags::CLOCK_FORWARD));
    rig.check_registers();
    rig.check_intervals(0, Quantity::Delivered);
}

#[test]
fn what_an_interval_cannot_hold_goes_into_the_next() {
    let mut rig = Rig::new(config(denver()), utc(24, 1, 2, 10, 0));
    rig.feed(900, [70_000_000, 0, 0, 0]);
    rig.feed(900, [1_000_000, 0, 0, 0]);
    let intervals: Vec<Interval> = rig.intervals().collect();
    assert_eq!(intervals[0].counts[0], u16::MAX);
    assert_eq!(intervals[0].status.code_of(0), Code::Overflow);
    assert_eq!(
        intervals[1].counts[0],
        (71_000 - u32::from(u16::MAX)) as u16
    );
    rig.check_intervals(0, Quantity::Delivered);
}

#[test]
fn status_is_in_nibbles_with_channel_1_beside_the_common_flags() {
    let status = Status {
        flags: Flags::POWER_FAIL,
        code: Code::Partial,
        overflows: 0b0100,
    };
    assert_eq!(status.octets(1), [0x22, 0, 0]);
    assert_eq!(status.octets(4), [0x22, 0x21, 0x20]);
    assert!(!status.is_valid());
    assert_eq!(Status::default().octets(4), [0; 3]);
}

#[test]
fn the_profile_is_a_ring_of_thirty_days_in_5760_octets_a_channel() {
    let begin = utc(24, 1, 1, 0, 0);
    let mut rig = Rig::new(Config::default(), begin);
    assert!(
        rig.metrology.memory() < 1_600,
        "{} octets",
        rig.metrology.memory()
    );
    for number in 0..3_000_u64 {
        rig.feed(900, [number * 1_000, 0, 0, 0]);
    }
    let (profile, rules) = (rig.metrology.profile(), &rig.metrology.config().profile);
    assert_eq!(profile.len(rules), 2_880);
    assert_eq!(profile.first(rules), 120);
    assert_eq!(profile.get(rules, 119), None);
    for number in [120, 1_500, 2_999] {
        let interval = profile.get(rules, number).unwrap();
        assert_eq!(u32::from(interval.counts[0]), number);
        assert_eq!(interval.end_utc_s, begin + 900 * (number + 1));
        assert_eq!(profile.ending_at(rules, interval.end_utc_s), Some(interval));
    }
    assert_eq!(profile.memory(), 5_760);
    assert!(
        rig.metrology.memory() < 7_300,
        "{} octets",
        rig.metrology.memory()
    );
}

#[test]
fn gaps_longer_than_the_profile_leave_nothing_of_it() {
    let mut rig = Rig::new(config(denver()), utc(24, 1, 2, 10, 0));
    rig.feed(1_000, [1_000_000, 0, 0, 0]);
    rig.outage(40 * 86_400);
    let (profile, rules) = (rig.metrology.profile(), &rig.metrology.config().profile);
    assert_eq!(profile.len(rules), 0);
    assert_eq!(profile.open_number(), 40 * 96 + 1);
    assert_eq!(profile.open_end_utc_s(), utc(24, 2, 11, 10, 30));
    rig.feed(900, [1_000_000, 0, 0, 0]);
    rig.check_registers();
    // An operator's mistake of decades is survived as well.
    rig.set_clock(70 * 365 * 86_400);
    rig.feed(9_000, [1_000_000, 0, 0, 0]);
    rig.check_registers();
}

#[test]
fn seasons_and_calendar_dates_copy_the_registers() {
    let mut rules = config(denver());
    rules.season_demand_reset = true;
    let mut rig = Rig::new(rules, utc(24, 6, 30, 7, 0));
    for _ in 0..5 * 24 {
        rig.feed(3_600, [1_000_000, 0, 0, 0]);
    }
    let season = rig.metrology.previous_season().unwrap();
    assert_eq!(season.end_utc_s, utc(24, 7, 1, 6, 0));
    assert_eq!(
        (season.season, season.registers.total.energy[0]),
        (1, 23_000)
    );
    assert_eq!(season.registers.total.demands[0].max_w, 1_000);
    let read = rig.metrology.self_reads().next().unwrap();
    assert_eq!(read.end_utc_s, utc(24, 7, 4, 6, 0));
    assert_eq!(rig.metrology.registers().demand_resets, 1);
    let days = rig
        .events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::DayEnded(_)));
    assert_eq!(days.count(), 5);
}

#[test]
fn an_outage_over_a_calendar_date_is_made_up_for_once() {
    let mut rig = Rig::new(config(denver()), utc(24, 7, 3, 18, 0));
    rig.feed(3_600, [1_000_000, 0, 0, 0]);
    rig.outage(10 * 86_400);
    let reads: Vec<u32> = rig
        .metrology
        .self_reads()
        .map(|copy| copy.end_utc_s)
        .collect();
    assert_eq!(reads, [utc(24, 7, 13, 19, 0)]);
}

#[test]
fn small_currents_are_not_registered() {
    let mut rules = config(denver());
    rules.starting_current_ma = 50;
    let mut metrology = Metrology::new(Arc::new(rules));
    let begin = utc(24, 1, 1, 0, 0);
    metrology.power_on(Utc::from_secs(begin));
    let mut sample = Sample {
        energy: Energy([5_000, 0, 0, 0]),
        now: Instantaneous {
            milliamperes: 49,
            ..Instantaneous::default()
        },
    };
    metrology.measure(Utc::from_secs(begin + 900), &sample);
    assert_eq!(metrology.registers().total.energy[0], 0);
    sample.now.milliamperes = 50;
    metrology.measure(Utc::from_secs(begin + 1_800), &sample);
    assert_eq!(metrology.registers().total.energy[0], 5);
}

#[test]
fn a_limit_trips_once_after_its_tolerance() {
    let mut rules = config(denver());
    rules.limit = Some(Limit {
        watts: 5_000,
        tolerated: Duration::from_secs(600),
    });
    let mut metrology = Metrology::new(Arc::new(rules));
    let begin = utc(24, 1, 1, 0, 0);
    metrology.power_on(Utc::from_secs(begin));
    let draw = |metrology: &mut Metrology, at: u32, watts: i32| {
        let now = Instantaneous {
            watts,
            ..Instantaneous::default()
        };
        let energy = Energy::default();
        metrology.measure(Utc::from_secs(begin + at), &Sample { energy, now });
        core::iter::from_fn(|| metrology.poll_event())
            .filter(|event| event.kind == EventKind::LimitExceeded)
            .count()
    };
    assert_eq!(draw(&mut metrology, 300, 6_000), 0);
    assert_eq!(metrology.limit_due(), Some(Utc::from_secs(begin + 600)));
    assert_eq!(draw(&mut metrology, 400, 4_000), 0);
    assert_eq!(metrology.limit_due(), None);
    assert_eq!(draw(&mut metrology, 900, 6_000), 0);
    assert_eq!(draw(&mut metrology, 1_000, 6_000), 1);
    assert_eq!(draw(&mut metrology, 2_000, 6_000), 0, "once");
}

/// Something that befalls a meter.
#[derive(Clone, Debug)]
enum Op {
    Feed(u32, [u64; QUANTITIES]),
    Outage(u32),
    Clock(i64),
    ResetDemand,
    SelfRead,
    Calendar,
}

fn op() -> impl Strategy<Value = Op> {
    let energy = prop::array::uniform4(0..3_000_000_u64);
    prop_oneof![
        8 => (1..8_000_u32, energy).prop_map(|(seconds, energy)| Op::Feed(seconds, energy)),
        1 => (1..200_000_u32).prop_map(Op::Outage),
        1 => (-5_000..5_000_i64).prop_map(Op::Clock),
        1 => Just(Op::ResetDemand),
        1 => Just(Op::SelfRead),
        1 => Just(Op::Calendar),
    ]
}

proptest! {
    #[test]
    fn energy_is_conserved_whatever_happens(
        ops in prop::collection::vec(op(), 1..80),
        begin in utc(24, 3, 8, 0, 0)..utc(24, 3, 12, 0, 0),
        autumn: bool,
    ) {
        let begin = if autumn { begin + 239 * 86_400 } else { begin };
        let mut rules = config(denver());
        rules.profile.channels = [
            Some(Quantity::Delivered), Some(Quantity::Received), None, Some(Quantity::Leading),
        ];
        rules.reset_self_read = true;
        let mut rig = Rig::new(rules, begin);
        for op in ops {
            match op {
                Op::Feed(seconds, energy) => rig.feed(seconds, energy),
                Op::Outage(seconds) => rig.outage(seconds),
                Op::Clock(by_s) => { rig.set_clock(by_s); }
                Op::ResetDemand => { rig.metrology.reset_demand(rig.time()); }
                Op::SelfRead => rig.metrology.self_read(rig.time()),
                Op::Calendar => {
                    let other = Arc::new(Calendar::default());
                    rig.metrology.set_calendar(other, rig.time());
                }
            }
            rig.check_registers();
        }
        // Steps back may have left the open interval far ahead.
        for _ in 0..60 {
            rig.feed(900, [0; QUANTITIES]);
        }
        rig.check_intervals(0, Quantity::Delivered);
        rig.check_intervals(1, Quantity::Received);
        rig.check_intervals(2, Quantity::Leading);
        let ends: Vec<u32> = rig.intervals().map(|interval| interval.end_utc_s).collect();
        prop_assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "no boundary twice");
        prop_assert!(ends.iter().all(|end| end % 900 == 0));
    }

    #[test]
    fn days_follow_each_other_without_hole_or_overlap(
        begin in utc(20, 1, 1, 0, 0)..utc(60, 1, 1, 0, 0),
    ) {
        let calendar = denver();
        let mut day = calendar.day(begin);
        prop_assert!(day.from_utc_s <= begin && begin < day.until_utc_s);
        for _ in 0..400 {
            let next = calendar.day(day.until_utc_s);
            prop_assert_eq!(next.from_utc_s, day.until_utc_s);
            prop_assert!(next.until_utc_s > next.from_utc_s);
            prop_assert_eq!(calendar.day(next.until_utc_s - 1), next);
            day = next;
        }
    }
}
