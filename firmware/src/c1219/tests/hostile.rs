//! Any octets as any table under any limits: no panic, and what is read is written back.

use std::vec;

use super::*;
use crate::c1219::access::SecurityLimits;
use crate::c1219::blocks::{self, BlockLayout, ProfileView};
use crate::c1219::calendar::{Calendar, CalendarView};
use crate::c1219::clock::{Clock, ClockState, TimeLimits, TimeOffset, TimeRemaining};
use crate::c1219::codec::{Encoder, Window};
use crate::c1219::format::{Format, TimeFormat};
use crate::c1219::identity::{Nameplate, PendingStatus, UtilityInfo};
use crate::c1219::log::{self, Dimensions, EventsId, LogControl, LogKind, LogLimits, LogView};
use crate::c1219::profile::{IntervalFormat, ProfileLimits, SetControl, SetStatus};
use crate::c1219::readings::{DataSelection, PresentSelection, PresentView, SelfReadView};
use crate::c1219::registers::{RegisterLimits, RegisterView, emit_data, parse_previous};
use crate::c1219::sources::{
    DemandControl, SourceLimits, parse_constants, parse_data_controls, parse_units,
};

fn any_format() -> impl Strategy<Value = Format> {
    any::<[u8; 3]>().prop_filter_map("codes", |control| Format::parse(control).ok())
}

fn written(
    format: &Format,
    len: usize,
    emit: impl FnOnce(&mut Encoder<'_>) -> Result<(), Error>,
) -> Vec<u8> {
    let mut buffer = vec![0xA5; len + 1];
    let mut window = Window::new(0, &mut buffer);
    emit(&mut Encoder::with_format(&mut window, format)).unwrap();
    window.octets().to_vec()
}

/// A meter that counts time in seconds was activated at one that begins no minute.
#[test]
fn short_times_in_seconds_keep_them() {
    let format = Format {
        time: TimeFormat::Seconds,
        ..Format::PROFILE
    };
    let dimensions = Dimensions {
        standard_tables: 1,
        manufacturer_tables: 0,
        standard_procedures: 0,
        manufacturer_procedures: 0,
    };
    let octets = [0x10, 0x0B, 0x4D, 0x01, 0x3D, 0];
    let table = PendingStatus::parse(&octets, &dimensions, &format).unwrap();
    let at = table.last_activation.unwrap();
    assert_eq!((at.to_utc(), at.second), (Some(0x3D01_4D0B), 15));
    let again = written(&format, octets.len(), |out| {
        PendingStatus::emit(table.standard, table.manufacturer, Some(at), &[], out)
    });
    assert_eq!(again, octets);
}

proptest! {
    #[test]
    fn limits_and_small_tables(octets in prop::collection::vec(any::<u8>(), 0..64), format in any_format()) {
        let len = octets.len();
        macro_rules! round_trip {
            ($($table:ty),*) => {$(
                if let Ok(table) = <$table>::parse(&octets, &format) {
                    prop_assert_eq!(written(&format, len, |out| table.emit(out)), &octets[..]);
                }
            )*};
        }
        round_trip!(SourceLimits, RegisterLimits, SecurityLimits, TimeLimits, ProfileLimits);
        round_trip!(LogLimits, Nameplate, TimeRemaining);
        // Dates before 2000 are refused, so that what is read can be written.
        round_trip!(Clock);
        let dimensions = Dimensions {
            standard_tables: 10,
            manufacturer_tables: 1,
            standard_procedures: 4,
            manufacturer_procedures: 1,
        };
        if let Ok(table) = PendingStatus::parse(&octets, &dimensions, &format) {
            let entries: Vec<_> = table.entries().collect();
            let again = written(&format, len, |out| {
                let last = table.last_activation;
                PendingStatus::emit(table.standard, table.manufacturer, last, &entries, out)
            });
            prop_assert_eq!(again, &octets[..]);
        }
    }

    #[test]
    fn utility_information(octets in prop::collection::vec(any::<u8>(), UtilityInfo::LEN)) {
        let table = UtilityInfo::parse(&octets).unwrap();
        prop_assert_eq!(written(&Format::PROFILE, octets.len(), |out| table.emit(out)), octets);
    }

    #[test]
    fn sources_and_registers(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        sources: [u8; 8],
        registers: [u8; 10],
        fit: bool,
        format in any_format(),
    ) {
        let sources = SourceLimits::parse(&sources, &format).unwrap();
        if let Ok(units) = parse_units(&octets, &sources, &format) {
            prop_assert_eq!(units.count(), usize::from(sources.units));
        }
        if let Ok(constants) = parse_constants(&octets, &sources, &format) {
            prop_assert_eq!(constants.count(), usize::from(sources.constants));
        }
        if let Ok((_, intervals)) = DemandControl::parse(&octets, &sources, &format) {
            prop_assert_eq!(intervals.count(), usize::from(sources.demand_controls));
        }
        let _ = parse_data_controls(&octets, &sources).map(Iterator::count);
        let small = registers.map(|octet| octet % 5);
        let limits = RegisterLimits::parse(&small, &format).unwrap();
        let mut octets = octets;
        if fit {
            octets.resize(limits.data_len(&format), 0);
        }
        if let Ok(view) = RegisterView::parse(&octets, &limits, &format) {
            let again = written(&format, octets.len(), |out| emit_data(&view, &limits, out));
            prop_assert_eq!(again.len(), octets.len());
        }
        let _ = parse_previous(&octets, &limits, &format);
        let _ = DataSelection::parse(&octets, &limits);
        let _ = PresentSelection::parse(&octets, &limits);
        let _ = PresentView::parse(&octets, &limits, &format);
        if let Ok(view) = SelfReadView::parse(&octets, &limits, &format) {
            for element in 0..=u8::MAX {
                let _ = view.entry(element);
            }
        }
    }

    #[test]
    fn calendars_and_clocks(
        octets in prop::collection::vec(any::<u8>(), 0..80),
        limits: [u8; 9],
        fit: bool,
        format in any_format(),
    ) {
        let mut limits = limits;
        for octet in &mut limits[2..7] {
            *octet %= 4;
        }
        // The count of tier switches has two octets.
        limits[5 + usize::from(!format.most_significant_first)] = 0;
        let limits = TimeLimits::parse(&limits, &format).unwrap();
        let _ = ClockState::parse(&octets, &limits, &format);
        let _ = TimeOffset::parse(&octets, &limits, &format);
        let mut octets = octets;
        if fit {
            octets.resize(crate::c1219::calendar::table_len(&limits), 0x11);
        }
        if let Ok(view) = CalendarView::parse(&octets, &limits, &format) {
            let once: Vec<_> = view.non_recurring().collect();
            let again: Vec<_> = view.recurring().collect();
            let switches: Vec<_> = view.tier_switches().collect();
            let matrix: Vec<_> = (0..limits.seasons)
                .flat_map(|season| (0..limits.days()).map(move |day| (season, day)))
                .filter_map(|(season, day)| view.schedule(season, day))
                .collect();
            let calendar = Calendar {
                anchor: view.anchor().unwrap_or_default(),
                non_recurring: &once,
                recurring: &again,
                tier_switches: &switches,
                matrix: &matrix,
            };
            let emitted = written(&format, octets.len(), |out| calendar.emit(&limits, out));
            prop_assert_eq!(emitted.len(), octets.len());
        }
    }

    #[test]
    fn profiles(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        limits: [u8; 13],
        code in 0u32..8,
        whole: u8,
        format in any_format(),
    ) {
        let limits = limits.map(|octet| octet & 0x0F);
        let Ok(limits) = ProfileLimits::parse(&limits, &format) else {
            return Ok(());
        };
        let _ = SetControl::parse(&octets, &limits, &format).map(Iterator::count);
        let _ = SetStatus::parse(&octets, &limits, &format).map(Iterator::count);
        let interval = IntervalFormat::parse(1 << code).unwrap();
        let layout = BlockLayout::new(&limits, 0, interval).unwrap();
        let _ = ProfileView::parse(&octets, &layout, &format);
        let len = layout.block_len(&format);
        let blocks = usize::from(layout.set().blocks).min(usize::from(whole % 3));
        let mut octets = octets;
        octets.resize((blocks * len).min(4_096), 0);
        if let Ok(view) = ProfileView::parse(&octets, &layout, &format) {
            prop_assert_eq!(usize::from(view.blocks()) * len, octets.len());
            let again = written(&format, octets.len(), |out| blocks::emit(&view, &layout, out));
            let shown = &again[..octets.len()];
            prop_assert_eq!(shown.len(), octets.len());
        }
    }

    #[test]
    fn logs(octets in prop::collection::vec(any::<u8>(), 0..200), limits: [u8; 9], format in any_format()) {
        let limits = limits.map(|octet| octet & 0x03);
        let limits = LogLimits::parse(&limits, &format).unwrap();
        let dimensions = Dimensions {
            standard_tables: 1,
            manufacturer_tables: 1,
            standard_procedures: 0,
            manufacturer_procedures: 1,
        };
        let _ = EventsId::parse(&octets, &limits);
        let _ = LogControl::parse(&octets, &limits, &dimensions);
        for kind in [LogKind::History, LogKind::Event] {
            if let Ok(view) = LogView::parse(&octets, kind, &limits, &format) {
                let entry = |element| view.entry(element).ok();
                let again = written(&format, octets.len(), |out| {
                    log::emit(kind, &view.status, entry, &limits, out)
                });
                prop_assert_eq!(again.len(), octets.len());
                let _ = view.entry(u16::MAX);
            }
        }
    }
}
