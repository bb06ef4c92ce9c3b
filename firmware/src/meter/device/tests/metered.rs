//! Tables of the measuring part, its procedures, and the clock.

use super::*;
use crate::c1219::blocks::{BlockLayout, ProfileData, ProfileView};
use crate::c1219::clock::{Clock, ClockState, Qualifier, TimeOffset, TimeRemaining};
use crate::c1219::number::Number;
use crate::c1219::profile::{IntervalFormat, ProfileLimits, SetStatus};
use crate::c1219::readings::{PresentView, SelfReadView};
use crate::c1219::registers::{Block, RegisterData, RegisterLimits, RegisterView, parse_previous};
use crate::c1219::sources::SourceLimits;
use crate::metrology::{
    Calendar, Energy, HALF_HOURS, Instantaneous, ProfileConfig, Quantity, SCHEDULES, Sample,
};

/// Octets of a table of c1219_tables.json.
fn vector(table: &str) -> Vec<u8> {
    const VECTORS: &str = include_str!("../../../../tests/vectors-metering/c1219_tables.json");
    let document: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let digits = document["tables"][table]["octets"].as_str().unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// The meter of the vectors: four channels, and tiers that change at every hour.
fn bench() -> Bench {
    let mut bench = Bench::new(Mode::Encrypted);
    let mut calendar = Calendar::default();
    for (half_hour, tier) in calendar.schedules[0].iter_mut().enumerate() {
        *tier = (half_hour / 2 % 6) as u8;
    }
    bench.equip(metrology::Config {
        profile: ProfileConfig {
            channels: Quantity::ALL.map(Some),
            ..ProfileConfig::default()
        },
        calendar: Arc::new(calendar),
        ..metrology::Config::default()
    });
    bench.authorise(b"MASTER");
    bench
}

/// Lets an hour pass at a power of `watts`.
fn draw(bench: &mut Bench, hours: u64, watts: i32) {
    for _ in 0..hours {
        bench.now += Duration::from_secs(3_600);
        bench.tick();
        let time = bench.device.time(bench.now);
        let energy = |share: u64| u64::from(watts.unsigned_abs()) * 1_000 / share;
        let sample = Sample {
            energy: Energy([energy(1), energy(2), energy(4), energy(8)]),
            now: Instantaneous {
                watts,
                vars: watts / 4,
                millivolts: 240_000,
                milliamperes: 8_000,
                millihertz: 60_000,
            },
        };
        bench.device.metrology_mut().unwrap().measure(time, &sample);
        let next = |device: &mut Device| device.metrology_mut().unwrap().poll_event();
        while let Some(event) = next(&mut bench.device) {
            bench.device.note_metrology(&event);
        }
    }
}

fn registers(octets: &[u8]) -> RegisterView<'_> {
    RegisterView::parse(octets, &measured::REGISTERS, &Format::PROFILE).unwrap()
}

fn delivered(octets: &[u8]) -> i64 {
    let view = registers(octets);
    view.summation(Block::Total, 0).integer().unwrap()
}

#[test]
fn what_does_not_change_is_that_of_the_vectors() {
    let mut bench = bench();
    for table in [11, 12, 13, 15, 16, 21, 22, 27, 51, 61, 62] {
        let found = bench.table(table);
        assert_eq!(found, vector(&std::format!("{table}")), "ST{table}");
    }
    for (dimension, limits) in [(10, 11), (20, 21), (50, 51), (60, 61)] {
        assert_eq!(bench.table(dimension), bench.table(limits));
    }
    let limits = SourceLimits::parse(&bench.table(11), &Format::PROFILE).unwrap();
    assert_eq!(bench.table(12).len(), 4 * usize::from(limits.units));
    let limits = RegisterLimits::parse(&bench.table(21), &Format::PROFILE).unwrap();
    assert_eq!(limits, measured::REGISTERS);
}

#[test]
fn registers_show_energy_by_tier_and_demand() {
    let mut bench = bench();
    draw(&mut bench, 3, 2_000);
    draw(&mut bench, 1, 5_000);
    let octets = bench.table(23);
    assert_eq!(octets.len(), 463);
    let view = registers(&octets);
    let total: Vec<i64> = (0..6)
        .map(|index| view.summation(Block::Total, index).integer().unwrap())
        .collect();
    assert_eq!(total, [11_000, 5_500, 16_500, 5_500, 2_750, 1_375]);
    for index in 0..6 {
        let tiers = (0..6).map(|tier| view.summation(Block::Tier(tier), index));
        let sum: i64 = tiers.map(|number| number.integer().unwrap()).sum();
        assert_eq!(sum, total[usize::from(index)], "tiers add up to the total");
    }
    let peak = view.peak(Block::Total, 0, 0);
    assert_eq!(peak.value, Number::Integer(5_000));
    let first_half = UTC + 3 * 3_600 + 1_800;
    assert_eq!(peak.at, EndTime::from_utc(first_half));
    let present = bench.table(28);
    let view = PresentView::parse(&present, &measured::REGISTERS, &Format::PROFILE).unwrap();
    let values = (0..6).map(|index| view.value(index).integer().unwrap());
    assert!(values.eq([5_000, 1_250, 240_000, 8_000, 60_000, 1_920]));
}

#[test]
fn a_demand_reset_moves_the_registers() {
    let mut bench = bench();
    draw(&mut bench, 2, 2_000);
    assert_eq!(bench.table(25), [0; 469], "none yet");
    assert_eq!(bench.run(9, 1, &[3]), (ResultCode::Completed, vec![3]));
    // RESET_EXCLUSION: five minutes.
    assert_eq!(
        bench.run(9, 2, &[1]),
        (ResultCode::TimingConstraint, vec![0])
    );
    assert_eq!(bench.run(9, 3, &[0]).0, ResultCode::InvalidParameter);
    assert_eq!(bench.run(9, 4, &[1, 0]).0, ResultCode::InvalidParameter);
    let octets = bench.table(25);
    let limits = &measured::REGISTERS;
    let (info, before) = parse_previous(&octets, limits, &Format::PROFILE).unwrap();
    assert_eq!(info.end, EndTime::from_utc(UTC + 7_200));
    assert_eq!(
        before.peak(Block::Total, 0, 0).value,
        Number::Integer(2_000)
    );
    let octets = bench.table(23);
    let after = registers(&octets);
    assert_eq!(after.demand_resets(), 1);
    assert_eq!(after.peak(Block::Total, 0, 0).value, Number::Integer(0));
    assert_eq!(after.cumulative(Block::Total, 0), Number::Integer(2_000));
    assert_eq!(delivered(&octets), 4_000, "energy goes on");
    draw(&mut bench, 1, 1_000);
    let events = bench.log(LogKind::Event);
    let codes: Vec<u16> = events.iter().map(|entry| entry.0).collect();
    assert_eq!(codes, [21, 20], "self read and demand reset");
}

#[test]
fn self_reads_are_a_ring_that_is_acknowledged() {
    let mut bench = bench();
    let view = |octets: &[u8]| {
        let limits = &measured::REGISTERS;
        let view = SelfReadView::parse(octets, limits, &Format::PROFILE).unwrap();
        let sequences: Vec<u16> = (0..view.status.valid)
            .map(|element| view.entry(element).unwrap().0)
            .collect();
        (view.status.last_element, view.status.unread, sequences)
    };
    assert_eq!(bench.table(26), {
        let mut empty = vec![0; 1_890];
        empty[0] = 4;
        empty
    });
    for number in 0..6 {
        draw(&mut bench, 1, 1_000);
        assert_eq!(bench.run(9, number, &[2]).0, ResultCode::Completed);
    }
    assert_eq!(view(&bench.table(26)), (1, 4, vec![4, 5, 2, 3]));
    assert_eq!(bench.run(5, 10, &[2, 3, 0]).0, ResultCode::Completed);
    assert_eq!(view(&bench.table(26)).1, 1);
    assert_eq!(bench.run(5, 11, &[2, 2, 0]).0, ResultCode::InvalidParameter);
    assert_eq!(bench.run(5, 12, &[2, 1, 0]).0, ResultCode::Completed);
    assert_eq!(view(&bench.table(26)).1, 0);
    bench.run(9, 13, &[2]);
    assert_eq!(view(&bench.table(26)).1, 1);
}

/// The layout of ST64, its blocks in use, and the state of the set.
fn profile(bench: &mut Bench) -> (Vec<u8>, BlockLayout, SetStatus) {
    let limits = ProfileLimits::parse(&bench.table(61), &Format::PROFILE).unwrap();
    let layout = BlockLayout::new(&limits, 0, IntervalFormat::Unsigned(2)).unwrap();
    let status = bench.table(63);
    let mut status = SetStatus::parse(&status, &limits, &Format::PROFILE).unwrap();
    (bench.table(64), layout, status.next().unwrap())
}

#[test]
fn intervals_add_up_to_the_difference_of_end_readings() {
    let mut bench = bench();
    // Two days and a half hour beyond the month that is kept.
    draw(&mut bench, 32 * 24 + 1, 1_200);
    let (octets, layout, status) = profile(&mut bench);
    assert_eq!(octets.len(), 32_910);
    let view = ProfileView::parse(&octets, &layout, &Format::PROFILE).unwrap();
    assert_eq!((status.valid_blocks, status.valid_intervals), (30, 4));
    assert_eq!((status.last_sequence, status.last_block), (33, 2));
    let reading = |block| view.end_reading(block, 0).integer().unwrap();
    let counted = |block| {
        let intervals = (0..96).map(|interval| view.value(block, interval, 0).integer().unwrap());
        intervals.sum::<i64>()
    };
    // From the oldest block, the one after the last, around to the last.
    for step in 1..30 {
        let (before, block) = ((2 + step) % 30, (3 + step) % 30);
        assert_eq!(
            reading(block) - reading(before),
            counted(block),
            "block {block}"
        );
        let end = EndTime::to_utc(view.end(block).unwrap()).unwrap();
        let expected = UTC + 86_400 * (4 + u32::from(step));
        assert_eq!(end, expected.min(UTC + 32 * 86_400 + 3_600));
    }
    let octets = bench.table(23);
    assert_eq!(reading(2), delivered(&octets));
    assert_eq!(counted(2), 1_200, "one hour");
    assert!(view.is_valid(2, 3) && !view.is_valid(2, 4));
    // A reader takes one block by offset, and acknowledges.
    let block = layout.block_len(&Format::PROFILE);
    let part = Selector::Offset(2 * block as u32, block as u16);
    let found = bench.read(64, part).unwrap();
    let (octets, ..) = profile(&mut bench);
    assert_eq!(found, octets[2 * block..3 * block]);
    assert_eq!(status.unread_blocks, 30);
    assert_eq!(bench.run(5, 1, &[3, 29, 0]).0, ResultCode::Completed);
    assert_eq!(profile(&mut bench).2.unread_blocks, 1);
    assert_eq!(bench.run(5, 2, &[3, 2, 0]).0, ResultCode::InvalidParameter);
    bench.session = Session::new(Mode::Encrypted);
    assert_eq!(
        bench.read(64, part),
        Err(ResponseCode::Isc),
        "readers alone"
    );
}

#[test]
fn clearing_empties_registers_and_profile() {
    let mut bench = bench();
    draw(&mut bench, 30, 1_000);
    bench.run(9, 1, &[2]);
    assert_eq!(bench.run(3, 2, &[]).0, ResultCode::Completed);
    let octets = bench.table(23);
    assert_eq!(delivered(&octets), 0);
    let (octets, _, status) = profile(&mut bench);
    assert!(octets.iter().all(|octet| *octet == 0));
    assert_eq!((status.valid_blocks, status.unread_blocks), (0, 0));
    draw(&mut bench, 1, 1_000);
    let (_, _, status) = profile(&mut bench);
    assert_eq!((status.valid_blocks, status.valid_intervals), (1, 4));
}

#[test]
fn a_tariff_is_downloaded() {
    let mut bench = bench();
    let calendar = vector("54");
    assert_eq!(bench.write(54, None, &calendar), ResponseCode::Ok);
    assert_eq!(bench.table(54), calendar);
    assert_eq!(bench.write(53, None, &vector("53")), ResponseCode::Ok);
    assert_eq!(bench.table(53), vector("53"));
    // 2026-01-15 at 00:00 UTC: five in the afternoon of a Wednesday of season 0.
    let state = ClockState::parse(&bench.table(55), &tariff::TIME, &Format::PROFILE).unwrap();
    assert_eq!((state.season, state.special), (0, None));
    assert_eq!(state.tier, 4, "schedule 0, 17:00 to 21:00");
    let remaining = TimeRemaining::parse(&bench.table(56), &Format::PROFILE).unwrap();
    assert_eq!(remaining.tier_min, 240);
    // The calendar stays when the zone changes, and a part of it can be written.
    assert_eq!(bench.write(54, Some(1_261), &[0]), ResponseCode::Ok);
    assert_eq!(bench.table(54)[..1_261], calendar[..1_261]);
    assert_eq!(bench.write(54, Some(1_261), &[8]), ResponseCode::Onp);
    assert_eq!(bench.table(54)[1_261], 0);
    bench.authorise(b"READER");
    assert_eq!(bench.write(54, Some(1_261), &[7]), ResponseCode::Isc);
    assert_eq!(
        HALF_HOURS * SCHEDULES,
        usize::from(tariff::TIME.tier_switches)
    );
}

#[test]
fn a_tariff_waits_for_its_day() {
    let mut bench = bench();
    draw(&mut bench, 1, 1_000);
    let calendar = vector("54");
    let EndTime {
        year,
        month,
        day,
        hour,
        minute,
    } = EndTime::from_utc(UTC + 86_400).unwrap();
    // With a self read and a demand reset.
    let mut image = vec![0x30 | PendingEntry::AT_TIME, year, month, day, hour, minute];
    image.extend_from_slice(&calendar);
    for (number, part) in image.chunks(400).enumerate() {
        let offset = Some(400 * number as u32);
        assert_eq!(bench.write(0x1036, offset, part), ResponseCode::Ok);
    }
    let before = bench.table(54);
    draw(&mut bench, 23, 1_000);
    assert_eq!(bench.table(54), before);
    assert_eq!(bench.device.poll_timeout(), Some(bench.now));
    bench.handle_timeout();
    assert_eq!(bench.table(54), calendar);
    let octets = bench.table(23);
    assert_eq!(registers(&octets).demand_resets(), 1);
    assert_eq!(bench.table(26)[1], 1);
}

fn shown(bench: &mut Bench) -> u32 {
    let clock = Clock::parse(&bench.table(52), &Format::PROFILE).unwrap();
    clock.time.and_then(DateTime::to_utc).unwrap()
}

/// The parameters of procedure 10.
fn date_time(mask: u8, utc: u32) -> Vec<u8> {
    let mut parameters = vec![mask];
    let date = DateTime::from_utc(utc);
    parameters.extend(settings::octets_of(|out| out.date_time(date)).unwrap());
    parameters.push(0);
    parameters
}

#[test]
fn the_clock_is_set_by_table_and_by_procedure() {
    for metered in [false, true] {
        let mut bench = if metered {
            bench()
        } else {
            Bench::of(b"MASTER")
        };
        assert_eq!(shown(&mut bench), UTC);
        let (result, data) = bench.run(10, 1, &date_time(3, UTC + 7_200));
        assert_eq!((result, data.len()), (ResultCode::Completed, 12));
        assert_eq!(data[..6], date_time(0, UTC)[1..7]);
        assert_eq!(data[6..], date_time(0, UTC + 7_200)[1..7]);
        assert_eq!(shown(&mut bench), UTC + 7_200);
        // Only the date, only the time.
        bench.run(10, 2, &date_time(2, UTC + 3 * 86_400));
        assert_eq!(shown(&mut bench), UTC + 3 * 86_400 + 7_200);
        bench.run(10, 3, &date_time(1, UTC + 60));
        assert_eq!(shown(&mut bench), UTC + 3 * 86_400 + 60);
        assert_eq!(
            bench.run(10, 4, &date_time(0, UTC)).0,
            ResultCode::InvalidParameter
        );
        assert_eq!(bench.run(10, 5, &[3]).0, ResultCode::InvalidParameter);
        assert_eq!(
            bench.run(10, 6, &[3, 0, 0, 0, 0, 0, 0, 0]).0,
            ResultCode::InvalidParameter
        );
        let clock = Clock {
            time: DateTime::from_utc(UTC + 100),
            qualifier: Qualifier(0),
        };
        let octets = settings::octets_of(|out| clock.emit(out)).unwrap();
        assert_eq!(bench.write(52, None, &octets), ResponseCode::Ok);
        assert_eq!(shown(&mut bench), UTC + 100);
        assert_eq!(bench.write(52, None, &[0; 7]), ResponseCode::Onp);
        let events = bench.log(LogKind::Event);
        let last: Vec<u16> = events.iter().map(|entry| entry.0).collect();
        assert_eq!(last, [3, 4, 3, 4, 3, 4, 3, 4]);
        assert_eq!(events[1].3[..6], date_time(0, UTC + 7_200)[1..7]);
    }
}

#[test]
fn an_installer_does_not_set_a_tariff_clock_to_any_time() {
    let mut bench = bench();
    bench.authorise(b"INSTALLER");
    let far = bench.run(10, 1, &date_time(3, UTC + 3_600));
    assert_eq!(far.0, ResultCode::TimingConstraint);
    assert_eq!(shown(&mut bench), UTC);
    let near = bench.run(10, 2, &date_time(3, UTC + 60));
    assert_eq!(near.0, ResultCode::Completed);
    assert_eq!(shown(&mut bench), UTC + 60);
    bench.authorise(b"READER");
    let refused = bench.run(10, 3, &date_time(3, UTC));
    assert_eq!(refused.0, ResultCode::NoAuthorization);
}

#[test]
fn a_cold_start_brings_back_the_factory() {
    let mut bench = bench();
    draw(&mut bench, 2, 1_000);
    let (of_factory, rules) = (bench.table(5), bench.table(54));
    assert_eq!(bench.write(5, None, &[b'X'; 20]), ResponseCode::Ok);
    assert_eq!(bench.write(54, None, &vector("54")), ResponseCode::Ok);
    assert_eq!(bench.run(0, 1, &[]).0, ResultCode::Accepted);
    bench.now = bench.device.poll_timeout().unwrap();
    assert!(bench.device.take_restart(bench.now));
    assert!(!bench.device.take_restart(bench.now));
    let octets = bench.table(8);
    assert_eq!(
        Outcome::parse(&octets).unwrap().result,
        ResultCode::Completed
    );
    assert_eq!((bench.table(5), bench.table(54)), (of_factory, rules));
    let octets = bench.table(23);
    assert_eq!(delivered(&octets), 0);
    let offset = TimeOffset::parse(&bench.table(53), &tariff::TIME, &Format::PROFILE).unwrap();
    assert_eq!(offset.time_zone_min, 0);
}
