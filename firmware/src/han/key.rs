//! Keys with their frame counters, and frames under them (IEEE 802.15.4-2006 §7.5.8).

use super::frame::{
    Address, BROADCAST, Endpoint, FrameKind, Header, KeyIdentifier, PSDU_MAX, Security,
    SecurityLevel,
};
use super::message::Message;
use super::{Reject, frame};
use crate::Env;
use crate::crypto::{CCM_NONCE_LEN, CcmKey, CcmTag, Secret, Work};
use crate::time::{Duration, Instant};
use crate::ukmf::{EndReason, KeySummary};
use crate::wire::{Error, Reader, Writer};

/// A key and the frame counters of both directions under it.
#[derive(Clone, Debug)]
pub(super) struct SecuredKey {
    key: CcmKey,
    /// Counter of the next frame sent.
    next: u32,
    /// Counter and sequence number of the frame accepted last.
    last: Option<(u32, u8)>,
}

impl SecuredKey {
    pub(super) fn new(key: &Secret<16>, work: &mut Work) -> Self {
        Self {
            key: CcmKey::new(key.expose(), work),
            next: 0,
            last: None,
        }
    }

    /// Writes `message` as a secured data frame with check sequence; returns its length.
    ///
    /// # Errors
    ///
    /// The frame does not fit, or the counter is used up (§7.5.8.2.1: COUNTER_ERROR).
    pub(super) fn seal(
        &mut self,
        mut header: Header,
        (level, identifier): (SecurityLevel, KeyIdentifier),
        source: u64,
        message: &Message,
        (out, work): (&mut [u8], &mut Work),
    ) -> Result<usize, Error> {
        let counter = self.next;
        let next = counter.checked_add(1);
        self.next = next.ok_or(Error::Malformed("frame counter"))?;
        header.security = Some(Security {
            level,
            counter,
            key: identifier,
        });
        let mut writer = Writer::new(out);
        header.emit(&mut writer)?;
        let header_len = writer.len();
        message.emit(&mut writer)?;
        let (tag, encrypted) = shape(level);
        let split = if encrypted { header_len } else { writer.len() };
        let (front, payload) = writer.written_mut().split_at_mut(split);
        let nonce = nonce(source, counter, level);
        let octets = self.key.seal(&nonce, front, payload, tag, work);
        writer.put(&octets[..tag.len()])?;
        frame::put_fcs(&mut writer)?;
        if writer.len() > PSDU_MAX {
            return Err(Error::Malformed("PSDU length"));
        }
        Ok(writer.len())
    }

    /// Decrypts and verifies a secured data frame; records its counter.
    pub(super) fn open(
        &mut self,
        received: &Received<'_>,
        source: u64,
        work: &mut Work,
    ) -> Result<Message, Reject> {
        let security = received.header.security.ok_or(Reject::Unsecured)?;
        let this = (security.counter, received.header.sequence);
        match self.last {
            Some(last) if last == this => return Err(Reject::Duplicate),
            Some((last, _)) if security.counter <= last => return Err(Reject::Replay),
            _ => {}
        }
        let mut buffer = [0; PSDU_MAX];
        let payload = received.open(&self.key, source, &mut buffer, work)?;
        self.last = Some(this);
        Ok(Message::parse(payload)?)
    }
}

/// Decrypts and verifies a secured data frame without its check sequence, which the owner of the
/// EUI-64 `source` has sent; whether its counter is a new one is not looked at.
///
/// # Errors
///
/// The frame cannot be read, is not secured or longer than a frame can be, or is not authentic.
pub fn open(frame: &[u8], key: &CcmKey, source: u64, work: &mut Work) -> Result<Message, Reject> {
    if frame.len() > PSDU_MAX {
        return Err(Error::Malformed("PSDU length").into());
    }
    let received = Received::read(frame)?;
    let mut buffer = [0; PSDU_MAX];
    let payload = received.open(key, source, &mut buffer, work)?;
    Ok(Message::parse(payload)?)
}

/// Length of the integrity code, and whether the payload is encrypted (Table 95).
const fn shape(level: SecurityLevel) -> (CcmTag, bool) {
    match level {
        SecurityLevel::Mic32 => (CcmTag::Four, false),
        SecurityLevel::Mic64 => (CcmTag::Eight, false),
        SecurityLevel::Mic128 => (CcmTag::Sixteen, false),
        SecurityLevel::EncMic32 => (CcmTag::Four, true),
        SecurityLevel::EncMic64 => (CcmTag::Eight, true),
        SecurityLevel::EncMic128 => (CcmTag::Sixteen, true),
    }
}

/// Source address, frame counter and security level (§7.6.3.2), the highest octet first.
fn nonce(source: u64, counter: u32, level: SecurityLevel) -> [u8; CCM_NONCE_LEN] {
    let mut nonce = [0; CCM_NONCE_LEN];
    nonce[..8].copy_from_slice(&source.to_be_bytes());
    nonce[8..12].copy_from_slice(&counter.to_be_bytes());
    nonce[12] = level.code();
    nonce
}

/// A frame whose check sequence is right and whose header is readable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) header: Header,
    header_len: usize,
    frame: &'a [u8],
}

impl<'a> Received<'a> {
    pub(super) fn parse(psdu: &'a [u8]) -> Result<Self, Reject> {
        Self::read(frame::checked(psdu)?)
    }

    /// Reads a frame whose check sequence has been taken off.
    fn read(frame: &'a [u8]) -> Result<Self, Reject> {
        let mut reader = Reader::new(frame);
        let header = Header::parse(&mut reader)?;
        Ok(Self {
            header,
            header_len: frame.len() - reader.remaining(),
            frame,
        })
    }

    /// Decrypts the frame to `buffer` and verifies it; returns what follows its header.
    fn open<'b>(
        &self,
        key: &CcmKey,
        source: u64,
        buffer: &'b mut [u8; PSDU_MAX],
        work: &mut Work,
    ) -> Result<&'b [u8], Reject> {
        let security = self.header.security.ok_or(Reject::Unsecured)?;
        let (tag, encrypted) = shape(security.level);
        let frame = &mut buffer[..self.frame.len()];
        frame.copy_from_slice(self.frame);
        let len = frame.len().checked_sub(tag.len());
        let len = len.filter(|len| *len >= self.header_len);
        let len = len.ok_or(Reject::Malformed(Error::Malformed("integrity code")))?;
        let split = if encrypted { self.header_len } else { len };
        let (body, tag) = frame.split_at_mut(len);
        let (front, payload) = body.split_at_mut(split);
        let nonce = nonce(source, security.counter, security.level);
        key.open(&nonce, front, payload, tag, work)
            .map_err(|_| Reject::BadMic)?;
        Ok(&body[self.header_len..])
    }

    /// What follows the header.
    pub(super) fn payload(&self) -> &'a [u8] {
        &self.frame[self.header_len..]
    }
}

/// Writes a frame that is not secured; returns its length.
pub(super) fn put_plain(
    header: &Header,
    out: &mut [u8],
    payload: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<usize, Error> {
    let mut writer = Writer::new(out);
    header.emit(&mut writer)?;
    payload(&mut writer)?;
    frame::put_fcs(&mut writer)?;
    Ok(writer.len())
}

/// A header without security; a frame for one receiver asks it for an acknowledgement.
pub(super) fn header(
    kind: FrameKind,
    sequence: u8,
    destination: Option<Endpoint>,
    source: Option<Endpoint>,
) -> Header {
    let everybody = Address::Short(BROADCAST);
    Header {
        kind,
        pending: false,
        ack_request: destination.is_some_and(|endpoint| endpoint.address != everybody),
        sequence,
        destination,
        source,
        security: None,
    }
}

/// A link key from its derivation to its erasure.
#[derive(Debug)]
pub(super) struct LinkKey {
    pub(super) secured: SecuredKey,
    pub(super) summary: KeySummary,
    /// End of any use.
    pub(super) deadline: Instant,
}

impl LinkKey {
    /// A key that is valid until `deadline`.
    pub(super) fn new(
        key: &Secret<16>,
        summary: KeySummary,
        deadline: Instant,
        work: &mut Work,
    ) -> Self {
        Self {
            secured: SecuredKey::new(key, work),
            summary,
            deadline,
        }
    }

    /// Writes `message` as a data frame under the key and counts it; returns its length.
    pub(super) fn seal(
        &mut self,
        header: Header,
        level: SecurityLevel,
        source: u64,
        message: &Message,
        (out, env): (&mut [u8], &mut Env<'_>),
    ) -> Result<usize, Error> {
        let identifier = KeyIdentifier::Index(self.summary.key_id);
        let out = (out, &mut *env.work);
        let len = self
            .secured
            .seal(header, (level, identifier), source, message, out)?;
        self.summary.tx.record(len, env.now);
        Ok(len)
    }

    /// Decrypts and verifies a data frame under the key and counts it.
    pub(super) fn open(
        &mut self,
        received: &Received<'_>,
        source: u64,
        env: &mut Env<'_>,
    ) -> Result<Message, Reject> {
        let message = self.secured.open(received, source, env.work)?;
        self.summary.rx.record(received.frame.len(), env.now);
        Ok(message)
    }

    /// A newer key has taken over: this one is received under until the overlap ends.
    pub(super) fn retire(&mut self, now: Instant, overlap: Duration) {
        self.summary.superseded = Some(now);
        self.deadline = self.deadline.min(now + overlap);
    }

    /// The summary of the key, which ends here.
    pub(super) fn end(self, reason: EndReason, now: Instant) -> KeySummary {
        KeySummary {
            ended: Some(now),
            reason: Some(reason),
            ..self.summary
        }
    }

    /// Why the key ends at its deadline.
    pub(super) const fn natural_end(&self) -> EndReason {
        if self.summary.superseded.is_some() {
            EndReason::Superseded
        } else {
            EndReason::Expired
        }
    }
}
