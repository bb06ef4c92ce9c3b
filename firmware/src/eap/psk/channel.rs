//! The protected channel PCHANNEL (RFC 4764 §3.3, §5.3, §6.1).
//!
//! ```text
//!   Nonce N(4) Tag(16) Ciphertext(1..=962)
//!   plaintext: R(2 bits) E(1 bit) reserved(5 bits) [ EXT_Type(1) EXT_Payload(0..=960) ]
//! ```
//!
//! EAX with the TEK; the EAX nonce is N, extended by twelve zero octets in front, and the EAX
//! header the first 22 octets of the EAP packet as they are on the wire. N counts the messages
//! from message 3, so that the server uses even and the peer odd values.

use super::{Extension, Message, Reject};
use crate::crypto::{EaxKey, Work};
use crate::eap::{Code, Packet};
use crate::wire::{Error, Writer};

/// Octets of nonce and tag.
const OVERHEAD: usize = 20;
/// Octets of the shortest PCHANNEL.
pub(super) const LEN_MIN: usize = OVERHEAD + 1;
/// Octets of the longest EXT_Payload (§5.3).
pub(super) const EXT_PAYLOAD_LEN_MAX: usize = 960;
/// Octets of the longest plaintext.
pub(super) const PLAINTEXT_LEN_MAX: usize = 2 + EXT_PAYLOAD_LEN_MAX;
/// Octets of the longest PCHANNEL.
pub(super) const LEN_MAX: usize = OVERHEAD + PLAINTEXT_LEN_MAX;
/// Stands for a PCHANNEL that is still to be encrypted.
static PLACEHOLDER: [u8; LEN_MAX] = [0; LEN_MAX];
/// Octets of the EAP packet that a PCHANNEL authenticates.
const HEADER_LEN: usize = 22;

/// The result indication R (§6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indication {
    /// 01: the dialog goes on.
    Cont,
    /// 10: this side has succeeded.
    DoneSuccess,
    /// 11: this side has failed.
    DoneFailure,
}

impl Indication {
    const fn bits(self) -> u8 {
        match self {
            Self::Cont => 0x40,
            Self::DoneSuccess => 0x80,
            Self::DoneFailure => 0xC0,
        }
    }

    const fn from_octet(octet: u8) -> Option<Self> {
        match octet & 0xC0 {
            0x40 => Some(Self::Cont),
            0x80 => Some(Self::DoneSuccess),
            0xC0 => Some(Self::DoneFailure),
            _ => None,
        }
    }
}

/// E, the bit that announces an extension.
const EXTENSION: u8 = 0x20;

/// The plaintext of a PCHANNEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The result indication.
    pub indication: Indication,
    /// The extension field.
    pub extension: Option<Extension<'a>>,
}

impl<'a> Payload<'a> {
    /// Reads a plaintext; reserved bits are ignored.
    pub fn parse(plaintext: &'a [u8]) -> Result<Self, Reject> {
        let malformed = Reject::MalformedPayload;
        let (&octet, rest) = plaintext.split_first().ok_or(malformed)?;
        let indication = Indication::from_octet(octet).ok_or(malformed)?;
        let extension = if octet & EXTENSION != 0 {
            let (&kind, payload) = rest.split_first().ok_or(malformed)?;
            Some(Extension { kind, payload })
        } else if rest.is_empty() {
            None
        } else {
            return Err(malformed);
        };
        Ok(Self {
            indication,
            extension,
        })
    }

    /// Octets of the plaintext.
    pub const fn len(&self) -> usize {
        match self.extension {
            Some(extension) => 2 + extension.payload.len(),
            None => 1,
        }
    }

    /// Never: a payload has at least its result octet.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Appends the plaintext.
    pub fn emit(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self.extension {
            None => out.u8(self.indication.bits()),
            Some(extension) => {
                out.u8(self.indication.bits() | EXTENSION)?;
                out.u8(extension.kind)?;
                out.put(extension.payload)
            }
        }
    }
}

/// The fields of a PCHANNEL, still protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected<'a> {
    /// N, which counts the messages from message 3.
    pub nonce: u32,
    /// The tag.
    pub tag: &'a [u8; 16],
    /// The encrypted payload.
    pub ciphertext: &'a [u8],
}

impl<'a> Protected<'a> {
    /// Takes the field of a message 3 or later apart (§3.3).
    pub fn parse(channel: &'a [u8]) -> Result<Self, Reject> {
        let (nonce, rest) = channel.split_first_chunk().ok_or(Reject::Truncated)?;
        let (tag, ciphertext) = rest.split_first_chunk().ok_or(Reject::Truncated)?;
        Ok(Self {
            nonce: u32::from_be_bytes(*nonce),
            tag,
            ciphertext,
        })
    }

    /// Verifies the tag under the TEK and decrypts into `buffer`; `packet` is the one around it.
    pub fn open<'b>(
        &self,
        key: &EaxKey,
        packet: &Packet<'_>,
        buffer: &'b mut [u8],
        work: &mut Work,
    ) -> Result<Payload<'b>, Reject> {
        let header = packet.octets().first_chunk::<HEADER_LEN>();
        let header = header.ok_or(Reject::Truncated)?;
        let plaintext = buffer.get_mut(..self.ciphertext.len());
        let plaintext = plaintext.ok_or(Reject::TooLong)?;
        plaintext.copy_from_slice(self.ciphertext);
        key.open(&eax_nonce(self.nonce), header, plaintext, self.tag, work)
            .map_err(|_| Reject::BadTag)?;
        Payload::parse(plaintext)
    }
}

/// The two directions of a PCHANNEL at one end: its key and the nonce that is due.
#[derive(Debug)]
pub struct Channel {
    key: EaxKey,
    /// The next nonce, of either direction; `None` once 2^32 - 1 was used (§3.3).
    nonce: Option<u32>,
}

impl Channel {
    /// The channel before message 3.
    pub const fn new(key: EaxKey) -> Self {
        Self {
            key,
            nonce: Some(0),
        }
    }

    /// Appends the packet of a message 3 (with `mac_s`) or of a later one.
    pub(super) fn send(
        &mut self,
        envelope: Envelope<'_>,
        payload: &Payload<'_>,
        out: &mut Writer<'_>,
        work: &mut Work,
    ) -> Result<(), Error> {
        let nonce = self.nonce.ok_or(Error::Malformed("PCHANNEL nonce"))?;
        let start = out.len();
        // It has the length of the PCHANNEL, which the EAP header announces.
        let channel = PLACEHOLDER
            .get(..OVERHEAD + payload.len())
            .ok_or(Error::Malformed("EXT_Payload"))?;
        envelope
            .message(channel)
            .emit(envelope.code, envelope.identifier, out)?;
        let packet = &mut out.written_mut()[start..];
        let (header, channel) = packet.split_at_mut(packet.len() - channel.len());
        let (prefix, ciphertext) = channel.split_at_mut(OVERHEAD);
        payload.emit(&mut Writer::new(ciphertext))?;
        let tag = self
            .key
            .seal(&eax_nonce(nonce), &header[..HEADER_LEN], ciphertext, work);
        prefix[..4].copy_from_slice(&nonce.to_be_bytes());
        prefix[4..].copy_from_slice(&tag);
        self.nonce = nonce.checked_add(1);
        Ok(())
    }

    /// Verifies and decrypts the `channel` field of `packet` into `buffer`.
    ///
    /// The nonce is checked before the tag and the tag before decryption (§8.4). The nonce stays
    /// due until [`Self::advance`].
    pub(super) fn receive<'b>(
        &self,
        packet: &Packet<'_>,
        channel: &[u8],
        buffer: &'b mut [u8; PLAINTEXT_LEN_MAX],
        work: &mut Work,
    ) -> Result<Payload<'b>, Reject> {
        let protected = Protected::parse(channel)?;
        if self.nonce != Some(protected.nonce) {
            return Err(Reject::BadNonce);
        }
        protected.open(&self.key, packet, buffer, work)
    }

    /// Counts a message that was received.
    pub(super) fn advance(&mut self) {
        self.nonce = self.nonce.and_then(|nonce| nonce.checked_add(1));
    }
}

/// What surrounds the PCHANNEL of an outgoing message.
#[derive(Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub(super) code: Code,
    pub(super) identifier: u8,
    pub(super) rand_s: &'a [u8; 16],
    /// Present in message 3 only.
    pub(super) mac_s: Option<&'a [u8; 16]>,
}

impl<'a> Envelope<'a> {
    fn message(self, channel: &'a [u8]) -> Message<'a> {
        let rand_s = self.rand_s;
        match self.mac_s {
            Some(mac_s) => Message::Third {
                rand_s,
                mac_s,
                channel,
            },
            None => Message::Fourth { rand_s, channel },
        }
    }
}

fn eax_nonce(nonce: u32) -> [u8; 16] {
    u128::from(nonce).to_be_bytes()
}
