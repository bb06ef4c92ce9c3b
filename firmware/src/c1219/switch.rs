//! MT0 and manufacturer procedure 0: the service switch and demand response.
//!
//! ```text
//! MT0         state | last source | last sequence number | last change (6)
//!             | event id (4) | level % | start (6) | duration min (2) | opted out
//! parameters  action | flags | random window s (2) | level % | 0 | duration min (2)
//!             | event id (4) | start (6)                          limits only, may be left out
//! response    state | time of effect (6)
//! ```
//!
//! A limit asks the home to hold its controllable load at `level` for `duration` from `start` on,
//! or from its arrival on without one; a release ends it early. Either acts at random within the
//! window, and the window moves beginning and end of a limit alike. These layouts are this
//! project's own (see the [module](super) documentation).

use super::procedure::ProcedureId;
use super::types::{self, DateTime};
use crate::c1222::service::TableId;
use crate::wire::{Error, Reader, Writer};

/// The table of the switch.
pub const TABLE: TableId = TableId::manufacturer(0);
/// The procedure that operates it.
pub const PROCEDURE: ProcedureId = ProcedureId::manufacturer(0);
/// FLAGS: act without the random window.
const IMMEDIATE: u8 = 0x01;

/// SWITCH_STATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchState {
    /// No load is supplied (0).
    Open,
    /// The load is supplied (1).
    Closed,
    /// Open; the customer may close it with the button (2).
    Armed,
    /// Any other value.
    Unknown(u8),
}

impl From<u8> for SwitchState {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Open,
            1 => Self::Closed,
            2 => Self::Armed,
            _ => Self::Unknown(code),
        }
    }
}

impl From<SwitchState> for u8 {
    fn from(state: SwitchState) -> Self {
        match state {
            SwitchState::Open => 0,
            SwitchState::Closed => 1,
            SwitchState::Armed => 2,
            SwitchState::Unknown(code) => code,
        }
    }
}

/// MT0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchTable {
    /// SWITCH_STATE.
    pub state: SwitchState,
    /// LAST_SOURCE: 0 nobody, 1 C12.22, 2 optical port, 3 demand limit, 4 the button.
    pub last_source: u8,
    /// LAST_SEQ, the sequence number of the last procedure that was accepted.
    pub last_sequence: u8,
    /// LAST_CHANGE.
    pub last_change: Option<DateTime>,
    /// DR_EVENT_ID.
    pub event_id: u32,
    /// DR_LEVEL in per cent; 100 is no limit.
    pub level_percent: u8,
    /// DR_START.
    pub start: Option<DateTime>,
    /// DR_DURATION in minutes.
    pub duration_min: u16,
    /// OPT_STATE.
    pub opted_out: u8,
}

impl Default for SwitchTable {
    /// Closed by nobody, no event.
    fn default() -> Self {
        Self {
            state: SwitchState::Closed,
            last_source: 0,
            last_sequence: 0,
            last_change: None,
            event_id: 0,
            level_percent: 100,
            start: None,
            duration_min: 0,
            opted_out: 0,
        }
    }
}

impl SwitchTable {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or a date is none.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let table = Self {
            state: reader.u8()?.into(),
            last_source: reader.u8()?,
            last_sequence: reader.u8()?,
            last_change: DateTime::parse(&mut reader)?,
            event_id: types::u32(&mut reader)?,
            level_percent: reader.u8()?,
            start: DateTime::parse(&mut reader)?,
            duration_min: types::u16(&mut reader)?,
            opted_out: reader.u8()?,
        };
        types::end(&reader)?;
        Ok(table)
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&[self.state.into(), self.last_source, self.last_sequence])?;
        DateTime::emit(self.last_change, writer)?;
        writer.put(&self.event_id.to_le_bytes())?;
        writer.u8(self.level_percent)?;
        DateTime::emit(self.start, writer)?;
        writer.put(&self.duration_min.to_le_bytes())?;
        writer.u8(self.opted_out)
    }
}

/// ACTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchAction {
    /// Open the switch (0).
    Open,
    /// Close it (1).
    Close,
    /// Let the customer close it (2).
    Arm,
    /// Ask the home to limit its controllable load (3).
    Limit,
    /// End such a limit (4).
    Release,
    /// Any other value.
    Unknown(u8),
}

impl SwitchAction {
    /// Whether it is about demand response, not about the switch.
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Limit | Self::Release)
    }

    /// The action in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "disconnect",
            Self::Close => "connect",
            Self::Arm => "arm",
            Self::Limit => "limit",
            Self::Release => "release",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl From<u8> for SwitchAction {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Open,
            1 => Self::Close,
            2 => Self::Arm,
            3 => Self::Limit,
            4 => Self::Release,
            _ => Self::Unknown(code),
        }
    }
}

impl From<SwitchAction> for u8 {
    fn from(action: SwitchAction) -> Self {
        action.code()
    }
}

impl SwitchAction {
    const fn code(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Close => 1,
            Self::Arm => 2,
            Self::Limit => 3,
            Self::Release => 4,
            Self::Unknown(code) => code,
        }
    }
}

/// The terms of a limit, or which one is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// DR_EVENT_ID; 0 in a release stands for any.
    pub event_id: u32,
    /// DR_LEVEL: what controllable load may draw, in per cent of what it would.
    pub level_percent: u8,
    /// DR_DURATION in minutes.
    pub duration_min: u16,
    /// DR_START; at once if absent.
    pub start: Option<DateTime>,
}

/// The parameters of the procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchCommand {
    /// What to do.
    pub action: SwitchAction,
    /// Width in seconds of the window in which the meter acts at random; 0 acts at once.
    pub window_s: u16,
    /// The terms of a limit.
    pub limit: Limit,
}

impl SwitchCommand {
    /// Octets of the parameters without event and start.
    pub const LEN: usize = 8;
    /// Octets of the parameters of a limit.
    pub const LEN_MAX: usize = Self::LEN + 4 + DateTime::LEN;

    /// An action on the switch itself.
    pub const fn of(action: SwitchAction, window_s: u16) -> Self {
        Self {
            action,
            window_s,
            limit: Limit {
                event_id: 0,
                level_percent: 0,
                duration_min: 0,
                start: None,
            },
        }
    }

    /// Reads the parameters.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the start is no date.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let action = SwitchAction::from(reader.u8()?);
        let flags = reader.u8()?;
        let window_s = types::u16(&mut reader)?;
        let level_percent = reader.u8()?;
        reader.take(1)?;
        let duration_min = types::u16(&mut reader)?;
        let mut limit = Limit {
            level_percent,
            duration_min,
            ..Limit::default()
        };
        if action.is_response() && !reader.is_empty() {
            limit.event_id = types::u32(&mut reader)?;
            limit.start = DateTime::parse(&mut reader)?;
        }
        types::end(&reader)?;
        let immediate = flags & IMMEDIATE != 0;
        Ok(Self {
            action,
            window_s: if immediate { 0 } else { window_s },
            limit: if action.is_response() {
                limit
            } else {
                Limit::default()
            },
        })
    }

    /// Writes the parameters.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&self.octets())?;
        if self.action.is_response() {
            writer.put(&self.limit.event_id.to_le_bytes())?;
            DateTime::emit(self.limit.start, writer)?;
        }
        Ok(())
    }

    /// The parameters without event and start, which is all of them for the switch itself.
    pub const fn octets(&self) -> [u8; Self::LEN] {
        let flags = if self.window_s == 0 { IMMEDIATE } else { 0 };
        let [low, high] = self.window_s.to_le_bytes();
        let [short, long] = self.limit.duration_min.to_le_bytes();
        let level = self.limit.level_percent;
        [self.action.code(), flags, low, high, level, 0, short, long]
    }
}

/// The response data of the procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchResponse {
    /// The state at the time of the response.
    pub state: SwitchState,
    /// When the action took or will take effect.
    pub effective: Option<DateTime>,
}

impl SwitchResponse {
    /// Octets of the response data.
    pub const LEN: usize = 1 + DateTime::LEN;

    /// Reads the response data.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the date is none.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let response = Self {
            state: reader.u8()?.into(),
            effective: DateTime::parse(&mut reader)?,
        };
        types::end(&reader)?;
        Ok(response)
    }

    /// Writes the response data.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.state.into())?;
        DateTime::emit(self.effective, writer)
    }
}
