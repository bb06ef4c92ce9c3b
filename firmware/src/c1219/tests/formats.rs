//! Tables of meters that write differently, and parts of tables.

use std::vec;

use super::*;
use crate::c1219::calendar::{self, Action, Calendar, CalendarView, Control, TierSwitch};
use crate::c1219::clock::{Clock, ClockState, Qualifier, TimeLimits, TimeOffset};
use crate::c1219::codec::{Decoder, Encoder, Window};
use crate::c1219::format::{Format, Kind};
use crate::c1219::number::Number;
use crate::c1219::readings::{PresentDemand, PresentView, emit_present};
use crate::c1219::registers::{
    Block, Peak, RegisterData, RegisterLimits, RegisterView, emit_data, parse_previous,
};
use crate::c1219::types::{Date, Recurrence, RecurringDate, TimeOfDay};
use crate::c1222::interval::EndTime;

/// 2024-06-01T12:34:56.
const UTC: u32 = 1_717_245_296;

fn encoded(format: &Format, emit: impl Fn(&mut Encoder<'_>) -> Result<(), Error>) -> Vec<u8> {
    let mut buffer = [0xA5; 4_096];
    let mut writer = Writer::new(&mut buffer);
    emit(&mut Encoder::with_format(&mut writer, format)).unwrap();
    writer.written().to_vec()
}

fn format(control: [u8; 3]) -> Format {
    Format::parse(control).unwrap()
}

/// Every assigned TM_FORMAT, INT_FORMAT and NI_FORMAT, in both orders.
fn formats() -> impl Iterator<Item = Format> {
    (0..2u8).flat_map(|order| {
        (0..5u8).flat_map(move |time| {
            (0..3u8).flat_map(move |integer| {
                (0..14u8).map(move |number| {
                    let second = time | 1 << 3 | integer << 6;
                    format([order | 2, second, number | (13 - number) << 4])
                })
            })
        })
    })
}

#[test]
fn the_profile_is_what_st0_says() {
    assert_eq!(Format::parse(Format::PROFILE_OCTETS), Ok(Format::PROFILE));
    for control in [
        [2, 5, 0x8A],
        [2, 0xCA, 0x8A],
        [2, 0x0A, 0x8E],
        [2, 0x0A, 0xEA],
    ] {
        assert!(matches!(Format::parse(control), Err(Error::Unsupported(_))));
    }
}

#[test]
fn the_same_second_in_every_time_format() {
    let date = DateTime::from_utc(UTC);
    let octets = |tm| encoded(&format([2, tm, 0x8A]), |out| out.date_time(date));
    assert_eq!(octets(0), b"");
    assert_eq!(octets(1), b"\x24\x06\x01\x12\x34\x56");
    assert_eq!(octets(2), [24, 6, 1, 12, 34, 56]);
    // 28,620,754 minutes, 56 seconds.
    assert_eq!(octets(3), [0xD2, 0xB7, 0xB4, 0x01, 56]);
    assert_eq!(octets(4), UTC.to_le_bytes());
    let reversed = encoded(&format([3, 4, 0x8A]), |out| out.date_time(date));
    assert_eq!(reversed, UTC.to_be_bytes());
}

#[test]
fn negative_integers_in_every_format() {
    let octets = |integer: u8, order: u8| {
        let format = format([2 | order, 2 | integer << 6, 0x8A]);
        encoded(&format, |out| out.int(-420, 2))
    };
    assert_eq!(
        octets(0, 0),
        [0x5C, 0xFE],
        "TIME_ZONE_OFFSET in c1219_tables.json"
    );
    assert_eq!(octets(0, 1), [0xFE, 0x5C]);
    assert_eq!(octets(1, 1), [0xFE, 0x5B]);
    assert_eq!(octets(2, 1), [0x81, 0xA4]);
    let mut writer = [0; 2];
    let mut writer = Writer::new(&mut writer);
    let mut out = Encoder::new(&mut writer);
    assert_eq!(out.int(-32_769, 2), Err(Error::Malformed("number")));
    assert_eq!(out.int(32_768, 2), Err(Error::Malformed("number")));
}

#[test]
fn quantities_survive_in_every_format() {
    for format in formats() {
        for value in [0, 1, -1, 99, 8_388_607, -8_388_608] {
            for kind in [Kind::First, Kind::Second] {
                let mut buffer = [0xA5; 32];
                let mut writer = Writer::new(&mut buffer);
                let mut out = Encoder::with_format(&mut writer, &format);
                if out.number(kind, Number::Integer(value)).is_err() {
                    continue;
                }
                assert_eq!(writer.len(), format.number_len(kind));
                let number = Decoder::whole(writer.written(), &format, |input| input.number(kind));
                let number = number.unwrap();
                if let Some(found) = number.integer() {
                    assert_eq!(found, value, "{format:?}");
                }
                let again = encoded(&format, |out| out.number(kind, number));
                assert_eq!(again, writer.written());
            }
        }
    }
}

#[test]
fn decimal_digits_are_checked() {
    let bcd = format([2, 2, 0x85]);
    let parse = |octets: &[u8]| Decoder::new(octets, &bcd).number(Kind::First);
    assert_eq!(
        parse(b"\x00\x00\x12\x34\x56\x78"),
        Ok(Number::Integer(12_345_678))
    );
    assert_eq!(
        parse(b"\x00\x00\x00\x00\x00\x0A"),
        Err(Error::Malformed("decimal digits"))
    );
    let bcd_dates = format([2, 1, 0x8A]);
    let date = Decoder::new(b"\x24\x0A\x01\x00\x00\x00", &bcd_dates).date_time();
    assert_eq!(date, Err(Error::Malformed("decimal digits")));
}

#[test]
fn a_foreign_clock_is_read() {
    // Most significant octet first, seconds since 1970, one's complement.
    let format = format([0x03, 0x4C, 0x8A]);
    let mut octets = UTC.to_be_bytes().to_vec();
    octets.push(Qualifier::DST | 6);
    let clock = Clock::parse(&octets, &format).unwrap();
    assert_eq!(clock.time, DateTime::from_utc(UTC));
    assert_eq!(clock.qualifier.day_of_week(), 6);
    assert!(clock.qualifier.has(Qualifier::DST) && !clock.qualifier.has(Qualifier::GMT));
    assert_eq!(encoded(&format, |out| clock.emit(out)), octets);
    let offset = b"\x00\x00\x1C\x20\x3C\xFE\x5B";
    let offset = TimeOffset::parse(offset, &TIME, &format).unwrap();
    assert_eq!(offset.dst_effective, TimeOfDay::new(7_200).unwrap());
    assert_eq!((offset.dst_amount_min, offset.time_zone_min), (60, -420));
}

#[test]
fn dates_of_both_centuries_and_recurring_ones() {
    let date = Date::new(2024, 3, 10).unwrap();
    assert_eq!(date.0, 0x5198, "c1219_tables.json, ST54");
    assert_eq!((date.year(), date.month(), date.day()), (2024, 3, 10));
    assert_eq!(Date(0x5198 & !0x7F | 99).year(), 1999);
    assert_eq!(Date(0x5198 & !0x7F | 89).year(), 2089);
    assert!(Date::new(2090, 1, 1).is_none() && Date::new(2024, 13, 1).is_none());
    assert!(!Date::default().is_set() && date.is_set());
    let yearly = RecurringDate::yearly(1, 1).unwrap();
    assert_eq!(yearly.0, 2049);
    let expected = Recurrence::Yearly {
        month: 1,
        day: 1,
        offset: 0,
        weekday: 0,
    };
    assert_eq!(yearly.recurrence(), expected);
    let weekly = RecurringDate(15 | 7 << 4 | 2 << 10);
    assert_eq!(
        weekly.recurrence(),
        Recurrence::Period {
            period: 7,
            delta: 2
        }
    );
    assert_eq!(RecurringDate(13).recurrence(), Recurrence::Other);
    assert_eq!(RecurringDate(0).recurrence(), Recurrence::Other);
}

const TIME: TimeLimits = TimeLimits {
    functions1: TimeLimits::ANCHOR_DATE,
    functions2: TimeLimits::TIME_ZONE | TimeLimits::SEPARATE_WEEKDAYS,
    seasons: 2,
    specials: 1,
    non_recurring: 3,
    recurring: 2,
    tier_switches: 4,
    calendar_len: 45,
};

#[test]
fn short_lists_of_a_calendar_are_filled_up() {
    let first = TierSwitch {
        tier: 3,
        summations: true,
        demands: true,
        minute: 30,
        hour: 7,
        schedule: 0,
    };
    let dst = (
        Date::new(2024, 3, 10).unwrap(),
        Action::new(Control::DstOn, 0).unwrap(),
    );
    let calendar = Calendar {
        anchor: Date::new(2024, 1, 1).unwrap(),
        non_recurring: &[dst],
        recurring: &[],
        tier_switches: &[first],
        matrix: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
    };
    let octets = encoded(&Format::PROFILE, |out| calendar.emit(&TIME, out));
    assert_eq!(octets.len(), usize::from(TIME.calendar_len));
    assert_eq!(octets.len(), calendar::table_len(&TIME));
    let view = CalendarView::parse(&octets, &TIME, &Format::PROFILE).unwrap();
    assert_eq!(view.anchor(), Some(calendar.anchor));
    assert!(view.non_recurring().eq([dst]));
    assert_eq!(view.recurring().count(), 0);
    let unused = core::iter::repeat_n(TierSwitch::UNUSED, 3);
    assert!(
        view.tier_switches()
            .eq(core::iter::once(first).chain(unused))
    );
    assert_eq!(
        (view.schedule(0, 0), view.schedule(1, 7)),
        (Some(1), Some(16))
    );
    assert_eq!((view.schedule(2, 0), view.schedule(0, 8)), (None, None));
    let wrong = Calendar {
        matrix: &[],
        ..calendar
    };
    let mut window = Window::measuring();
    let error = wrong.emit(&TIME, &mut Encoder::new(&mut window));
    assert_eq!(error, Err(Error::Malformed("calendar")));
    assert_eq!(Action::new(Control::Season(16), 0), None);
    assert_eq!(Action::new(Control::Special(12), 0), None);
}

#[test]
fn tiers_of_demands_have_their_own_field() {
    let separate = TimeLimits {
        functions2: TimeLimits::SEPARATE_DEMANDS,
        ..TIME
    };
    let clock = Clock {
        time: None,
        qualifier: Qualifier(0),
    };
    let state = ClockState {
        clock,
        tier: 5,
        demand_tier: 2,
        tier_drive: 1,
        special: None,
        season: 3,
    };
    let octets = encoded(&Format::PROFILE, |out| state.emit(&separate, out));
    assert_eq!(octets[7..], [0b0101_0101, 0x3F]);
    assert_eq!(
        ClockState::parse(&octets, &separate, &Format::PROFILE),
        Ok(state)
    );
    let together = ClockState::parse(&octets, &TIME, &Format::PROFILE).unwrap();
    assert_eq!((together.tier, together.demand_tier), (5, 0));
}

/// Registers whose values tell where they come from.
struct Numbered;

fn place(block: Block) -> i64 {
    match block {
        Block::Total => 0,
        Block::Tier(tier) => 1_000 * (1 + i64::from(tier)),
    }
}

impl RegisterData for Numbered {
    fn demand_resets(&self) -> u8 {
        7
    }

    fn summation(&self, block: Block, index: u8) -> Number {
        Number::Integer(place(block) + i64::from(index))
    }

    fn cumulative(&self, block: Block, demand: u8) -> Number {
        Number::Integer(place(block) + 100 + i64::from(demand))
    }

    fn continuous(&self, block: Block, demand: u8) -> Number {
        Number::Integer(place(block) + 200 + i64::from(demand))
    }

    fn peak(&self, block: Block, demand: u8, occurrence: u8) -> Peak {
        let value = place(block) + 10 * i64::from(demand) + i64::from(occurrence) + 300;
        Peak {
            at: EndTime::from_utc(UTC + 60 * value as u32),
            value: Number::Integer(value),
        }
    }

    fn coincident(&self, block: Block, index: u8, occurrence: u8) -> Number {
        Number::Integer(place(block) + 10 * i64::from(index) + i64::from(occurrence) + 400)
    }
}

#[test]
fn registers_of_all_functions_lie_where_their_limits_say() {
    for functions1 in 0..=0x7F {
        for (summations, demands, coincidents, occurrences, tiers) in [
            (6, 2, 0, 1, 6),
            (0, 1, 2, 3, 0),
            (1, 0, 0, 2, 1),
            (0, 0, 0, 0, 0),
        ] {
            let limits = RegisterLimits {
                functions1,
                functions2: 2,
                self_reads: 1,
                summations,
                demands,
                coincidents,
                occurrences,
                tiers,
                present_demands: 1,
                present_values: 2,
            };
            // Minutes in four octets, BCD4 and INT64.
            for format in [Format::PROFILE, format([3, 3, 0xB6])] {
                let octets = encoded(&format, |out| emit_data(&Numbered, &limits, out));
                assert_eq!(octets.len(), limits.data_len(&format));
                let view = RegisterView::parse(&octets, &limits, &format).unwrap();
                let again = encoded(&format, |out| emit_data(&view, &limits, out));
                assert_eq!(again, octets);
                let block = Block::Tier(tiers.wrapping_sub(1));
                if tiers > 0 && demands > 0 {
                    let found = view.peak(block, demands - 1, occurrences - 1).value;
                    assert_eq!(
                        found,
                        Numbered.peak(block, demands - 1, occurrences - 1).value
                    );
                }
                let len = limits.info_len(&format) + octets.len();
                assert!(parse_previous(&vec![0; len], &limits, &format).is_ok());
            }
        }
    }
}

#[test]
fn present_demands_may_tell_the_time_that_remains() {
    let limits = RegisterLimits::parse(
        b"\x40\x00\x00\x00\x00\x00\x00\x00\x02\x01",
        &Format::PROFILE,
    );
    let limits = limits.unwrap();
    let demand = |index: u8| PresentDemand {
        time_remaining: TimeOfDay::new(60 * u32::from(index)).unwrap(),
        value: Number::Integer(index.into()),
    };
    let octets = encoded(&Format::PROFILE, |out| {
        emit_present(demand, |_| Number::Integer(-5), &limits, out)
    });
    assert_eq!(octets.len(), 2 * (3 + 4) + 6);
    let view = PresentView::parse(&octets, &limits, &Format::PROFILE).unwrap();
    assert_eq!(
        (view.demand(1), view.value(0)),
        (demand(1), Number::Integer(-5))
    );
    assert_eq!(
        (view.demand(9), view.value(9)),
        (PresentDemand::default(), Number::default())
    );
}

proptest! {
    #[test]
    fn a_window_shows_a_part(
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..12),
        offset in 0usize..200,
        len in 0usize..120,
    ) {
        let whole: Vec<u8> = parts.iter().flat_map(|(part, _)| part.clone()).collect();
        let mut buffer = vec![0xA5; len];
        let mut window = Window::new(offset, &mut buffer);
        let mut out = Encoder::new(&mut window);
        for (part, try_to_skip) in &parts {
            if !(*try_to_skip && out.skip(part.len())) {
                out.put(part).unwrap();
            }
        }
        prop_assert_eq!(window.total(), whole.len());
        let start = offset.min(whole.len());
        prop_assert_eq!(window.octets(), &whole[start..whole.len().min(start + len)]);
    }
}
