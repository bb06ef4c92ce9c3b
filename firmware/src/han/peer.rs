//! What the coordinator keeps of one device.

use alloc::collections::VecDeque;

use super::Reject;
use super::coordinator::{Enrolment, Source};
use super::key::{LinkKey, Received, SecuredKey};
use super::message::{Challenge, DemandEvent, Message, Text, Usage};
use crate::Env;
use crate::crypto::{Secret, Work};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::{EndReason, KeyContext, KeySummary, Purpose, Usage as KeyUsage};

/// Notes that wait for a device at most; the oldest gives way.
const NOTES_MAX: usize = 8;
/// How often the pause between two key transports doubles.
const BACKOFF_MAX: u8 = 4;

/// A device as the coordinator knows it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: u64,
    pub(super) install: SecuredKey,
    pub(super) association: Association,
    pub(super) keys: Keys,
    /// The update that is to be sent; a newer one replaces it.
    pub(super) usage: Option<Usage>,
    pub(super) notes: Notes,
}

impl Peer {
    pub(super) fn new(enrolment: &Enrolment, work: &mut Work) -> Self {
        Self {
            address: enrolment.address,
            install: SecuredKey::new(&enrolment.key, work),
            association: Association::None,
            keys: Keys::default(),
            usage: None,
            notes: Notes::default(),
        }
    }

    /// Power is lost.
    pub(super) fn forget_traffic(&mut self) {
        self.usage = None;
        self.association.forget();
    }

    /// When there is something to send.
    pub(super) fn poll_transmit_time(&self) -> Option<Instant> {
        if !self.association.is_complete() {
            return None;
        }
        let notes = self.notes.at.filter(|_| self.keys.is_usable());
        earlier(self.keys.transport_time(), notes)
    }
}

/// How far the association of a device has got (IEEE 802.15.4-2006 §7.5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Association {
    /// It never asked.
    None,
    /// It has asked, and has a short address from before or not.
    Requested { again: bool },
    /// It has asked for the answer.
    Polled,
    /// It has its short address.
    Complete,
}

impl Association {
    pub(super) fn requested(&mut self) {
        let again = matches!(self, Self::Complete | Self::Requested { again: true });
        *self = Self::Requested { again };
    }

    pub(super) fn polled(&mut self) -> Result<(), Reject> {
        match self {
            Self::Requested { .. } | Self::Polled => {
                *self = Self::Polled;
                Ok(())
            }
            Self::Complete => Err(Reject::Duplicate),
            Self::None => Err(Reject::Unexpected),
        }
    }

    /// Whether the answer is due; it counts as given then.
    pub(super) fn answer(&mut self) -> bool {
        let due = *self == Self::Polled;
        if due {
            *self = Self::Complete;
        }
        due
    }

    pub(super) const fn is_complete(self) -> bool {
        matches!(self, Self::Complete | Self::Requested { again: true })
    }

    fn forget(&mut self) {
        *self = if self.is_complete() {
            Self::Complete
        } else {
            Self::None
        };
    }
}

/// Something to be told once, and until it is acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    Text(Text),
    Event(DemandEvent),
}

/// What a device is still to be told.
#[derive(Debug, Default)]
pub(super) struct Notes {
    waiting: VecDeque<Note>,
    /// When to send the first of them.
    pub(super) at: Option<Instant>,
}

impl Notes {
    pub(super) fn push(&mut self, note: Note) {
        if self.waiting.len() == NOTES_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(note);
        self.at.get_or_insert(Instant::ZERO);
    }

    pub(super) fn due(&self, now: Instant) -> Option<Message> {
        self.at.filter(|at| *at <= now)?;
        self.waiting.front().map(|note| match note {
            Note::Text(text) => Message::Text(*text),
            Note::Event(event) => Message::DemandEvent(*event),
        })
    }

    /// The first one was sent: it is done with, or tried again at `retry`.
    pub(super) fn confirm(&mut self, delivered: bool, retry: Instant) {
        if delivered {
            self.waiting.pop_front();
            self.at = (!self.waiting.is_empty()).then_some(Instant::ZERO);
        } else {
            self.at = Some(retry);
        }
    }
}

/// A link key that a device does not have yet.
#[derive(Debug)]
struct Offer {
    link: LinkKey,
    key: Secret<16>,
    challenge: Challenge,
    /// How often it has been on the air.
    attempts: u8,
    /// When to send it.
    at: Instant,
}

/// The link keys of one device: offered, in use, and superseded ones.
#[derive(Debug, Default)]
pub(super) struct Keys {
    offered: Option<Offer>,
    current: Option<LinkKey>,
    retired: Option<LinkKey>,
    /// How many keys of the present authentication have been derived for this device.
    generation: u8,
    /// The challenge of a request that came while there was no key to give.
    wanted: Challenge,
}

/// Called with the summary of every key that ends.
type Ended<'a> = &'a mut dyn FnMut(KeySummary);

impl Keys {
    /// A new authentication: there is a new key to offer, the old one ends with the overlap.
    pub(super) fn succeed(
        &mut self,
        source: &Source,
        slot: usize,
        overlap: Duration,
        env: &mut Env<'_>,
        ended: Ended<'_>,
    ) {
        if let Some(offer) = self.offered.take() {
            ended(offer.link.end(EndReason::Superseded, env.now));
        }
        if let Some(current) = &mut self.current {
            current.retire(env.now, overlap);
        }
        self.generation = 0;
        let challenge = core::mem::take(&mut self.wanted);
        self.offer(source, slot, challenge, env);
    }

    fn offer(&mut self, source: &Source, slot: usize, challenge: Challenge, env: &mut Env<'_>) {
        let context = KeyContext {
            purpose: Purpose::HanLink,
            index: u16::from(self.generation) << 8 | slot as u16,
            key_id: source.key_id,
            ap_title: &source.title,
        };
        let key = source.root.key(&context, env.work);
        let summary = KeySummary {
            kid32: source.kid32,
            key_id: source.key_id,
            purpose: context.purpose,
            index: context.index,
            // The name serves reports alone: no node is charged for it.
            name: context.name(&source.session_id, &mut Work::default()),
            created: env.now,
            activated: None,
            superseded: None,
            ended: None,
            reason: None,
            tx: KeyUsage::default(),
            rx: KeyUsage::default(),
        };
        self.generation = self.generation.saturating_add(1);
        self.offered = Some(Offer {
            link: LinkKey::new(&key, summary, source.expiry, env.work),
            key,
            challenge,
            attempts: 0,
            at: env.now,
        });
    }

    /// The device has asked for a key, so it has none, or none that works.
    pub(super) fn request(
        &mut self,
        challenge: Challenge,
        source: Option<&Source>,
        slot: usize,
        env: &mut Env<'_>,
        ended: Ended<'_>,
    ) -> Result<(), Reject> {
        let Some(source) = source else {
            // Answered as soon as the meter has authenticated.
            self.wanted = challenge;
            return Ok(());
        };
        if let Some(offer) = &mut self.offered
            && (offer.challenge == challenge || offer.attempts == 0)
        {
            offer.challenge = challenge;
            (offer.attempts, offer.at) = (0, env.now);
            return Ok(());
        }
        if self.generation == u8::MAX {
            return Err(Reject::KeysExhausted);
        }
        self.erase(EndReason::Reboot, env.now, ended);
        self.offer(source, slot, challenge, env);
        Ok(())
    }

    /// The key transport that is due; the next one is due after `retry`, later ones after longer.
    pub(super) fn transport(&mut self, now: Instant, retry: Duration) -> Option<Message> {
        let offer = self.offered.as_mut().filter(|offer| offer.at <= now)?;
        offer.at = now + retry.scaled(1 << offer.attempts.min(BACKOFF_MAX), 1);
        offer.attempts = offer.attempts.saturating_add(1);
        let left = offer.link.deadline.saturating_since(now);
        Some(Message::KeyTransport {
            challenge: offer.challenge,
            key: offer.key.clone(),
            key_id: offer.link.summary.key_id,
            lifetime_s: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
        })
    }

    pub(super) fn transport_time(&self) -> Option<Instant> {
        self.offered.as_ref().map(|offer| offer.at)
    }

    /// Opens a frame under the key with `key_id`.
    pub(super) fn open(
        &mut self,
        key_id: u8,
        received: &Received<'_>,
        source: u64,
        env: &mut Env<'_>,
    ) -> Result<Message, Reject> {
        let offered = self.offered.as_mut().map(|offer| &mut offer.link);
        let links = [offered, self.current.as_mut(), self.retired.as_mut()];
        let mut links = links.into_iter().flatten();
        let link = links.find(|link| link.summary.key_id == key_id && env.now < link.deadline);
        link.ok_or(Reject::KeyUnknown)?.open(received, source, env)
    }

    /// An authentic frame came under `key_id`: if that key was offered, it is in use from now on.
    ///
    /// Returns whether it was.
    pub(super) fn confirm(
        &mut self,
        key_id: u8,
        overlap: Duration,
        now: Instant,
        ended: Ended<'_>,
    ) -> bool {
        let offered = self.offered.as_ref();
        if offered.is_none_or(|offer| offer.link.summary.key_id != key_id) {
            return false;
        }
        if let Some(retired) = self.retired.take() {
            ended(retired.end(EndReason::Superseded, now));
        }
        if let Some(mut current) = self.current.take() {
            if current.summary.superseded.is_none() {
                current.retire(now, overlap);
            }
            self.retired = Some(current);
        }
        self.current = self.offered.take().map(|offer| {
            let mut link = offer.link;
            link.summary.activated = Some(now);
            link
        });
        true
    }

    /// The key for sending.
    pub(super) fn sending(&mut self, now: Instant) -> Option<&mut LinkKey> {
        self.current.as_mut().filter(|link| now < link.deadline)
    }

    /// Whether there is a key for sending.
    pub(super) const fn is_usable(&self) -> bool {
        self.current.is_some()
    }

    /// Erases the keys whose time is over.
    pub(super) fn expire(&mut self, now: Instant, ended: Ended<'_>) {
        for slot in [&mut self.current, &mut self.retired] {
            if let Some(link) = slot.take_if(|link| link.deadline <= now) {
                let reason = link.natural_end();
                ended(link.end(reason, now));
            }
        }
        if let Some(offer) = self.offered.take_if(|offer| offer.link.deadline <= now) {
            ended(offer.link.end(EndReason::Expired, now));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.links().map(|link| link.deadline).min()
    }

    /// Erases all keys.
    pub(super) fn erase(&mut self, reason: EndReason, now: Instant, ended: Ended<'_>) {
        let offered = self.offered.take().map(|offer| offer.link);
        let links = [offered, self.current.take(), self.retired.take()];
        for link in links.into_iter().flatten() {
            ended(link.end(reason, now));
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &KeySummary> {
        self.links().map(|link| &link.summary)
    }

    fn links(&self) -> impl Iterator<Item = &LinkKey> {
        let offered = self.offered.as_ref().map(|offer| &offer.link);
        let links = [offered, self.current.as_ref(), self.retired.as_ref()];
        links.into_iter().flatten()
    }
}
