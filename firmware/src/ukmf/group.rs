//! Group keys: one key for all members of a group of meters, for orders of demand response alone.
//!
//! No public text says how a group gets a key; this is the project's proposal. The head-end draws a
//! key at random and hands it to each member under that member's own C12.22 key, by a write to
//! [`KEY_TABLE`], which nobody can read. Key ids F0 to FF are those of groups.
//!
//! ```text
//! MT1  key id | generation (4) | expires, UTC s (4) | first invocation (4)
//!      | freshness s (2) | confirm within ms (4) | key (16)
//! MT2  key id | generation (4) | sequence number | result code
//! ```
//!
//! A generation replaces the one before at once, without an overlap: a member that has left, or
//! whoever has stolen a key, is shut out by the next one. Whoever has a group key can order what the
//! head-end can order under it: symmetric keys do not tell members from their head-end.

use super::epoch::{KeySummary, Usage};
use super::hierarchy::Purpose;
use crate::c1219::procedure::ResultCode;
use crate::c1222::aptitle::Title;
use crate::c1222::service::TableId;
use crate::crypto::Secret;
use crate::time::Instant;
use crate::wire::{Error, Reader, Writer};

/// The first key id of groups.
pub const KEY_ID_FIRST: u8 = 0xF0;
/// MT1: the key of a group, written by the head-end and read by nobody.
pub const KEY_TABLE: TableId = TableId::manufacturer(1);
/// MT2 of the head-end: a member has taken an order to its group.
pub const CONFIRMATION_TABLE: TableId = TableId::manufacturer(2);

/// Whether `key_id` is that of a group.
pub const fn is_group(key_id: u8) -> bool {
    key_id >= KEY_ID_FIRST
}

/// The title that calls the group with this key id: an interior arc of 0 marks a group.
pub fn title(key_id: u8) -> Title {
    Title::relative(&[0, u32::from(key_id)]).unwrap_or(Title::UNASSIGNED)
}

/// One generation of the key of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey {
    /// C12.22 key id, F0 to FF.
    pub key_id: u8,
    /// Counts the keys of the group.
    pub generation: u32,
    /// When it ends, in seconds since 1970.
    pub expires_utc: u32,
    /// The lowest invocation id that is accepted: what was sent before is not for this member.
    pub first_invocation: u32,
    /// How far the IV of an order may be from the member's clock, in seconds.
    pub freshness_s: u16,
    /// Width of the window in which a member confirms an order at random, in milliseconds.
    pub confirm_within_ms: u32,
    /// The key.
    pub key: Secret<16>,
}

impl GroupKey {
    /// Octets of the table.
    pub const LEN: usize = 35;

    /// Reads MT1.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the key id is none of a group.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let key_id = reader.u8()?;
        if !is_group(key_id) {
            return Err(Error::Malformed("group key id"));
        }
        let key = Self {
            key_id,
            generation: reader.u32()?,
            expires_utc: reader.u32()?,
            first_invocation: reader.u32()?,
            freshness_s: reader.u16()?,
            confirm_within_ms: reader.u32()?,
            key: Secret::new(reader.array()?),
        };
        end(&reader)?;
        Ok(key)
    }

    /// Writes MT1.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.key_id)?;
        writer.u32(self.generation)?;
        writer.u32(self.expires_utc)?;
        writer.u32(self.first_invocation)?;
        writer.u16(self.freshness_s)?;
        writer.u32(self.confirm_within_ms)?;
        writer.put(self.key.expose())
    }

    /// What may be reported about the key, at an end that has it since `now`.
    ///
    /// Its name is key id, generation (3) and end in UTC seconds (4): nothing is derived from it.
    pub const fn summary(&self, now: Instant) -> KeySummary {
        let [_, g, h, i] = self.generation.to_be_bytes();
        let [a, b, c, d] = self.expires_utc.to_be_bytes();
        KeySummary {
            kid32: self.generation,
            key_id: self.key_id,
            purpose: Purpose::Group,
            index: 0,
            name: [self.key_id, g, h, i, a, b, c, d],
            created: now,
            activated: Some(now),
            superseded: None,
            ended: None,
            reason: None,
            tx: Usage {
                first: None,
                last: None,
                messages: 0,
                octets: 0,
            },
            rx: Usage {
                first: None,
                last: None,
                messages: 0,
                octets: 0,
            },
        }
    }
}

/// MT2: what a member has made of an order to its group, said under the member's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// C12.22 key id of the group.
    pub key_id: u8,
    /// Generation of the key.
    pub generation: u32,
    /// SEQ_NBR of the order.
    pub sequence: u8,
    /// What ST8 would say.
    pub result: ResultCode,
}

impl Confirmation {
    /// Octets of the table.
    pub const LEN: usize = 7;

    /// Reads MT2.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let confirmation = Self {
            key_id: reader.u8()?,
            generation: reader.u32()?,
            sequence: reader.u8()?,
            result: reader.u8()?.into(),
        };
        end(&reader)?;
        Ok(confirmation)
    }

    /// Writes MT2.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.key_id)?;
        writer.u32(self.generation)?;
        writer.u8(self.sequence)?;
        writer.u8(self.result.into())
    }
}

/// When the group key of `summary` ends, in seconds since 1970.
pub const fn expires_utc(summary: &KeySummary) -> u32 {
    let [.., a, b, c, d] = summary.name;
    u32::from_be_bytes([a, b, c, d])
}

fn end(reader: &Reader<'_>) -> Result<(), Error> {
    if reader.remaining() == 0 {
        Ok(())
    } else {
        Err(Error::Malformed("length"))
    }
}
