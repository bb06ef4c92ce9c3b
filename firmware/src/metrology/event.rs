//! What happens in the measuring part, for the event log and for whoever watches.

use alloc::boxed::Box;

use super::profile::Interval;
use super::registers::Registers;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, by the meter's clock, in seconds since 1970.
    pub utc_s: u32,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An interval of the load profile has closed; skipped ones are not reported.
    Interval(Interval),
    /// Power was lost.
    PowerDown,
    /// Power has returned; the interruption lasted so many seconds.
    PowerUp {
        /// Length of the interruption by the meter's clock.
        outage_s: u32,
    },
    /// The clock was stepped from this time, in seconds since 1970.
    ClockStepped {
        /// What it showed before.
        from_utc_s: u32,
    },
    /// The demand was reset: the registers before that.
    DemandReset(Box<Registers>),
    /// The registers were copied as a self read.
    SelfRead {
        /// Its number.
        sequence: u16,
    },
    /// Daylight saving time began (`true`) or ended.
    Dst(bool),
    /// A season began.
    Season(u8),
    /// The tier in force changed.
    Tier(u8),
    /// A local day has ended: the registers at its end.
    DayEnded(Box<Registers>),
    /// The tariff calendar was replaced.
    CalendarChanged,
    /// More power than the contract allows was drawn for too long: the switch is to open.
    LimitExceeded,
}
