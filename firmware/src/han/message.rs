//! What meter and devices say to each other inside secured data frames.
//!
//! ```text
//! 01 key request    challenge (8)
//! 02 key transport  challenge (8) | key (16) | key id | lifetime s (4)
//! 03 key confirm    -
//! 10 usage          tier | UTC (4) | power W (4) | energy Wh (6) | price (2)
//! 11 text           number (2) | text (1..64)
//! 12 demand event   number (4) | start UTC (4) | minutes (2) | reduction %
//! 13 event answer   number (4) | accepted | reduction W (4)
//! ```
//!
//! Integers are big-endian. No public text fixes these layouts: they are this project's own. The
//! first octets keep clear of the dispatch values of 6LoWPAN (RFC 4944 §5.1).

use crate::crypto::Secret;
use crate::wire::{Error, Reader, Writer};

/// The longest text in octets.
pub const TEXT_MAX: usize = 64;
/// Most watt-hours that an update can name: six octets.
const ENERGY_MAX: u64 = (1 << 48) - 1;

/// A random challenge that a device's key request carries.
pub type Challenge = [u8; 8];

/// What a meter measures and what it costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Price tier, from 0.
    pub tier: u8,
    /// When, in seconds since 1970-01-01 UTC.
    pub utc_s: u32,
    /// Power in W, negative while the premise feeds in.
    pub power_w: i32,
    /// The energy register in Wh; only its low 48 bits travel.
    pub energy_wh: u64,
    /// Price in thousandths of the currency unit per kWh.
    pub price_mills: u16,
}

/// A message of the utility to the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Number, to tell messages apart.
    pub number: u16,
    octets: [u8; TEXT_MAX],
    len: u8,
}

impl Text {
    /// A text of 1 to [`TEXT_MAX`] octets.
    pub fn new(number: u16, text: &str) -> Option<Self> {
        let mut octets = [0; TEXT_MAX];
        octets
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        (!text.is_empty()).then_some(Self {
            number,
            octets,
            len: text.len() as u8,
        })
    }

    /// The text.
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.octets[..usize::from(self.len)]).unwrap_or_default()
    }
}

/// A demand-response event: for a while the premise is to use less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemandEvent {
    /// Number, to tell events apart.
    pub number: u32,
    /// Start in seconds since 1970-01-01 UTC.
    pub start_utc_s: u32,
    /// Duration in minutes.
    pub minutes: u16,
    /// By how much, in percent of what can be shed.
    pub reduction_percent: u8,
}

impl DemandEvent {
    /// The end in seconds since 1970-01-01 UTC.
    pub const fn end_utc_s(&self) -> u32 {
        self.start_utc_s.saturating_add(60 * self.minutes as u32)
    }

    /// Whether the event is under way.
    pub const fn is_active(&self, utc_s: u32) -> bool {
        self.start_utc_s <= utc_s && utc_s < self.end_utc_s()
    }
}

/// What a device will do about a demand event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventAnswer {
    /// Number of the event.
    pub number: u32,
    /// Whether it takes part.
    pub accepted: bool,
    /// Power that it will shed, in W.
    pub reduction_w: u32,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A device asks for its link key.
    KeyRequest(Challenge),
    /// The meter hands a link key over.
    KeyTransport {
        /// Of the request, zero where nobody asked: a rotation.
        challenge: Challenge,
        /// The link key.
        key: Secret<16>,
        /// Its id.
        key_id: u8,
        /// For how long it is valid, in seconds.
        lifetime_s: u32,
    },
    /// A device has the key under which this is protected.
    KeyConfirm,
    /// An update.
    Usage(Usage),
    /// A text for the customer.
    Text(Text),
    /// A demand-response event.
    DemandEvent(DemandEvent),
    /// The answer to it.
    EventAnswer(EventAnswer),
}

impl Message {
    /// Reads a message.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let message = match reader.u8()? {
            0x01 => Self::KeyRequest(reader.array()?),
            0x02 => Self::KeyTransport {
                challenge: reader.array()?,
                key: Secret::new(reader.array()?),
                key_id: reader.u8()?,
                lifetime_s: reader.u32()?,
            },
            0x03 => Self::KeyConfirm,
            0x10 => Self::Usage(usage(&mut reader)?),
            0x11 => {
                let number = reader.u16()?;
                let text = core::str::from_utf8(reader.rest());
                let text = text.ok().and_then(|text| Text::new(number, text));
                Self::Text(text.ok_or(Error::Malformed("text"))?)
            }
            0x12 => Self::DemandEvent(demand_event(&mut reader)?),
            0x13 => Self::EventAnswer(EventAnswer {
                number: reader.u32()?,
                accepted: match reader.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(Error::Malformed("event answer")),
                },
                reduction_w: reader.u32()?,
            }),
            code => return Err(Error::Unsupported(code.into())),
        };
        if !reader.is_empty() {
            return Err(Error::Malformed("message length"));
        }
        Ok(message)
    }

    /// Writes the message.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Self::KeyRequest(challenge) => {
                writer.u8(0x01)?;
                writer.put(challenge)
            }
            Self::KeyTransport {
                challenge,
                key,
                key_id,
                lifetime_s,
            } => {
                writer.u8(0x02)?;
                writer.put(challenge)?;
                writer.put(key.expose())?;
                writer.u8(*key_id)?;
                writer.u32(*lifetime_s)
            }
            Self::KeyConfirm => writer.u8(0x03),
            Self::Usage(usage) => {
                writer.put(&[0x10, usage.tier])?;
                writer.u32(usage.utc_s)?;
                writer.put(&usage.power_w.to_be_bytes())?;
                writer.put(&(usage.energy_wh & ENERGY_MAX).to_be_bytes()[2..])?;
                writer.u16(usage.price_mills)
            }
            Self::Text(text) => {
                writer.u8(0x11)?;
                writer.u16(text.number)?;
                writer.put(text.text().as_bytes())
            }
            Self::DemandEvent(event) => {
                writer.u8(0x12)?;
                writer.u32(event.number)?;
                writer.u32(event.start_utc_s)?;
                writer.u16(event.minutes)?;
                writer.u8(event.reduction_percent)
            }
            Self::EventAnswer(answer) => {
                writer.u8(0x13)?;
                writer.u32(answer.number)?;
                writer.u8(answer.accepted.into())?;
                writer.u32(answer.reduction_w)
            }
        }
    }
}

fn usage(reader: &mut Reader<'_>) -> Result<Usage, Error> {
    Ok(Usage {
        tier: reader.u8()?,
        utc_s: reader.u32()?,
        power_w: reader.array().map(i32::from_be_bytes)?,
        energy_wh: {
            let [a, b, c, d, e, f] = reader.array()?;
            u64::from_be_bytes([0, 0, a, b, c, d, e, f])
        },
        price_mills: reader.u16()?,
    })
}

fn demand_event(reader: &mut Reader<'_>) -> Result<DemandEvent, Error> {
    let event = DemandEvent {
        number: reader.u32()?,
        start_utc_s: reader.u32()?,
        minutes: reader.u16()?,
        reduction_percent: reader.u8()?,
    };
    if event.reduction_percent > 100 {
        return Err(Error::Malformed("reduction"));
    }
    Ok(event)
}
