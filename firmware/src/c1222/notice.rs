//! Loss and return of power as a meter reports them: a Write of ST76.
//!
//! ```text
//! data = flags(1) | entries(2) | last element(2) | last number(4) | unread(2)
//!        { LTIME_DATE(6) | event(2) | user(2) | table or procedure(2) }*
//! ```
//!
//! The table is whole, in the formats of this meter, without sequence numbers and arguments. One
//! entry, "primary power down", is a last gasp; a second one, "primary power up", says that power
//! has returned. A last gasp takes 29 octets as a service, a restoration 41. That a notice looks
//! like this is a proposal of this project; C12.22 leaves it open.

use super::epsem::put_service;
use super::service::{Request, Selector, TableId, Write};
use crate::c1219::codec::Encoder;
use crate::c1219::format::Format;
use crate::c1219::log::{self, EventCode, LogEntry, LogKind, LogLimits, LogStatus, LogView};
use crate::c1219::types::DateTime;
use crate::wire::{Error, Writer};

/// Event log data.
pub const TABLE: TableId = TableId::standard(76);

/// Octets of a notice with both entries.
const DATA_LEN_MAX: usize = 11 + 2 * 12;

/// An outage, over or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When power was lost, in seconds since 1970.
    pub down_utc_s: u32,
    /// When it returned, in seconds since 1970; none in a last gasp.
    pub up_utc_s: Option<u32>,
}

impl Notice {
    /// Reads the data of a Write of [`TABLE`].
    ///
    /// # Errors
    ///
    /// Another table, not the one or two entries of an outage, or a date that is none.
    pub fn from_write(write: &Write<'_>) -> Result<Self, Error> {
        if write.table != TABLE || write.selector != Selector::Full {
            return Err(Error::Malformed("notice table"));
        }
        let (_, rest) = write.data.split_at_checked(1).unwrap_or_default();
        let entries = match rest {
            [1, 0, ..] => 1,
            [2, 0, ..] => 2,
            _ => return Err(Error::Malformed("notice entries")),
        };
        let view = LogView::parse(
            write.data,
            LogKind::Event,
            &limits(entries),
            &Format::PROFILE,
        )?;
        let at = |element, event| {
            let entry = view.entry(element)?;
            let time = entry.time.and_then(DateTime::to_utc);
            time.filter(|_| entry.event == event)
                .ok_or(Error::Malformed("notice entry"))
        };
        Ok(Self {
            down_utc_s: at(0, EventCode::POWER_DOWN)?,
            up_utc_s: (entries == 2)
                .then(|| at(1, EventCode::POWER_UP))
                .transpose()?,
        })
    }

    /// Writes the notice as one service.
    ///
    /// # Errors
    ///
    /// The writer is full, or a time is outside 2000 to 2099.
    pub fn put(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let entries = 1 + u16::from(self.up_utc_s.is_some());
        let status = LogStatus {
            valid: entries,
            last_element: entries - 1,
            unread: entries,
            ..LogStatus::default()
        };
        let date = |utc| DateTime::from_utc(utc).ok_or(Error::Malformed("notice time"));
        let down = date(self.down_utc_s)?;
        let up = self.up_utc_s.map(date).transpose()?;
        let entry = |element| {
            let (time, event) = match element {
                0 => (Some(down), EventCode::POWER_DOWN),
                _ => (up, EventCode::POWER_UP),
            };
            Some(LogEntry {
                time,
                event,
                sequence: 0,
                user: 0,
                code: 0,
                argument: &[],
            })
        };
        let mut data = [0; DATA_LEN_MAX];
        let mut table = Writer::new(&mut data);
        log::emit(
            LogKind::Event,
            &status,
            entry,
            &limits(entries),
            &mut Encoder::new(&mut table),
        )?;
        let write = Request::Write(Write {
            table: TABLE,
            selector: Selector::Full,
            data: table.written(),
        });
        put_service(writer, |writer| write.emit(writer))
    }
}

const fn limits(entries: u16) -> LogLimits {
    LogLimits {
        flags: LogLimits::EVENT_NUMBER | LogLimits::DATE_TIME,
        standard_events: 0,
        manufacturer_events: 0,
        history_data_len: 0,
        event_data_len: 0,
        history_entries: 0,
        event_entries: entries,
        extension: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOWN: u32 = 1_768_435_200;

    fn service(notice: &Notice) -> ([u8; 64], usize) {
        let mut out = [0xA5; 64];
        let mut writer = Writer::new(&mut out);
        notice.put(&mut writer).unwrap();
        let len = writer.written().len();
        (out, len)
    }

    fn reread(octets: &[u8]) -> Result<Notice, Error> {
        // Behind the length of the service.
        match Request::parse(&octets[1..])? {
            Request::Write(write) => Notice::from_write(&write),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_last_gasp_is_one_entry_of_st76() {
        let notice = Notice {
            down_utc_s: DOWN,
            up_utc_s: None,
        };
        let (octets, len) = service(&notice);
        // 2026-01-15 00:00:00, event 1.
        let expected = [
            29, 0x40, 0x00, 0x4C, 0x00, 0x17, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 26, 1, 15, 0, 0, 0,
            1, 0, 0, 0, 0, 0,
        ];
        assert_eq!(octets[..len - 1], expected[..len - 1]);
        assert_eq!(reread(&octets[..len]), Ok(notice));
    }

    #[test]
    fn what_is_no_outage_is_refused() {
        let notice = Notice {
            down_utc_s: DOWN,
            up_utc_s: Some(DOWN + 90),
        };
        let (octets, len) = service(&notice);
        assert_eq!(reread(&octets[..len]), Ok(notice));
        let data = 6;
        for (at, value) in [(1, 0), (1, 3), (2, 1), (11, 0), (12, 13), (17, 2), (29, 1)] {
            let mut octets = octets;
            octets[data + at] = value;
            assert!(reread(&octets[..len]).is_err(), "octet {at} is {value}");
        }
    }

    proptest! {
        #[test]
        fn octets_never_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let write = Write { table: TABLE, selector: Selector::Full, data: &data };
            let _ = Notice::from_write(&write);
        }

        #[test]
        fn a_notice_survives_its_octets(down in 946_684_800_u32..4_102_444_800, up in any::<bool>()) {
            let up_utc_s = up.then_some(down);
            let notice = Notice { down_utc_s: down, up_utc_s };
            let (octets, len) = service(&notice);
            prop_assert_eq!(reread(&octets[..len]), Ok(notice));
        }
    }
}
