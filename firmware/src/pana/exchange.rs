//! Sequence numbers, the outstanding request and the cached answer (RFC 5191 §5.2).
//!
//! Each end counts its own requests, starting from a random number, and expects those of its
//! peer in sequence. An end has at most one request outstanding and answers a repetition of the
//! last request of its peer with the same octets as before.

use alloc::vec::Vec;

use crate::crypto::{MacKey, Work};
use crate::{Env, Instant};

use super::avp::Code;
use super::config::Config;
use super::header::{Flags, HEADER_LEN, Header, MessageType};
use super::message::{Emitter, Message};
use super::retransmit::{Expiry, Timer};
use super::{Reject, TerminationCause};

/// The two sequence number spaces of a session and what was last said in each.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Number of the own next request; drawn at the first one.
    next: Option<u32>,
    /// Number of the next request of the peer; any number is accepted first.
    expected: Option<u32>,
    /// Fingerprint of the last accepted request of the peer.
    fingerprint: u64,
    request: Vec<u8>,
    answer: Vec<u8>,
    timer: Option<Timer>,
    /// Type and flags of the request that waits for its answer.
    awaiting: Option<(MessageType, Flags)>,
    request_due: bool,
    answer_due: bool,
    /// Messages that were sent once more, over all sessions.
    repetitions: u32,
}

/// What the sequence number of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The expected next request.
    New,
    /// The octets of the last request once more.
    Repeated,
}

impl Exchange {
    /// Forgets everything but the capacity of the buffers.
    pub(super) fn reset(&mut self) {
        self.next = None;
        self.expected = None;
        self.fingerprint = 0;
        self.answer.clear();
        self.answer_due = false;
        self.settle();
    }

    /// Judges the sequence number of a request.
    pub(super) fn classify(&self, message: &Message<'_>) -> Result<Arrival, Reject> {
        let sequence = message.header.sequence;
        match self.expected {
            None => Ok(Arrival::New),
            Some(expected) if sequence == expected => Ok(Arrival::New),
            Some(_) if self.is_repeated(message) => Ok(Arrival::Repeated),
            Some(_) => Err(Reject::SequenceUnexpected),
        }
    }

    /// Whether `message` is the last accepted request, octet for octet.
    pub(super) fn is_repeated(&self, message: &Message<'_>) -> bool {
        self.expected == Some(message.header.sequence.wrapping_add(1))
            && !self.answer.is_empty()
            && self.fingerprint == fingerprint(message.octets)
    }

    /// Advances past the request `message`, which has been verified.
    pub(super) fn accept(&mut self, message: &Message<'_>) {
        self.expected = Some(message.header.sequence.wrapping_add(1));
        self.fingerprint = fingerprint(message.octets);
        self.answer.clear();
        self.answer_due = false;
    }

    /// Sends the cached answer again.
    pub(super) fn repeat_answer(&mut self) {
        self.repetitions = self.repetitions.wrapping_add(1);
        self.answer_due = true;
    }

    /// Starts the answer to the request with `header`; [`Emitter::finish`] completes it.
    pub(super) fn answer(&mut self, header: &Header) -> Emitter<'_> {
        self.answer_due = true;
        Emitter::new(
            &mut self.answer,
            header.kind,
            header
                .flags
                .without(Flags::REQUEST)
                .without(Flags::IP_RECONFIGURATION),
            header.session_id,
            header.sequence,
        )
    }

    /// Starts a new request; [`Emitter::finish`] completes it, [`Exchange::launch`] sends it.
    pub(super) fn request(
        &mut self,
        kind: MessageType,
        flags: Flags,
        session_id: u32,
        env: &mut Env<'_>,
    ) -> Emitter<'_> {
        let sequence = self
            .next
            .unwrap_or_else(|| u32::from_be_bytes(env.random()));
        self.next = Some(sequence.wrapping_add(1));
        let flags = flags.with(Flags::REQUEST);
        self.awaiting = Some((kind, flags));
        Emitter::new(&mut self.request, kind, flags, session_id, sequence)
    }

    /// Sends the finished request and starts its retransmission.
    pub(super) fn launch(&mut self, config: &Config, env: &mut Env<'_>) {
        self.request_due = true;
        self.timer = Some(Timer::start(&config.request, env));
    }

    /// A PTR (RFC 5191 §7.4), which is sent at once.
    pub(super) fn terminate(
        &mut self,
        session_id: u32,
        cause: TerminationCause,
        key: &MacKey,
        config: &Config,
        env: &mut Env<'_>,
    ) {
        let mut emitter = self.request(MessageType::Termination, Flags::NONE, session_id, env);
        emitter.number(Code::TerminationCause, cause.id());
        emitter.finish(Some(key), env.work);
        self.launch(config, env);
    }

    /// Sends a PCI (RFC 5191 §7.1), which no answer settles by number.
    pub(super) fn initiate(&mut self, config: &Config, env: &mut Env<'_>) {
        Emitter::new(
            &mut self.request,
            MessageType::ClientInitiation,
            Flags::NONE,
            0,
            0,
        )
        .finish(None, env.work);
        self.request_due = true;
        self.awaiting = None;
        self.timer = Some(Timer::start(&config.pci, env));
    }

    /// Takes over a request that has been sent already and is not retransmitted.
    pub(super) fn adopt(&mut self, request: &[u8], header: &Header) {
        self.request.clear();
        self.request.extend_from_slice(request);
        self.next = Some(header.sequence.wrapping_add(1));
        self.awaiting = Some((header.kind, header.flags));
        self.timer = None;
        self.request_due = false;
    }

    /// The octets of the own last request.
    pub(super) fn request_octets(&self) -> &[u8] {
        &self.request
    }

    /// The octets of the last answer.
    pub(super) fn answer_octets(&self) -> &[u8] {
        &self.answer
    }

    /// Type of the request that waits for its answer.
    pub(super) fn outstanding_kind(&self) -> Option<MessageType> {
        self.awaiting.map(|(kind, _)| kind)
    }

    /// Whether a PCI is being repeated.
    pub(super) const fn is_initiating(&self) -> bool {
        self.timer.is_some() && self.awaiting.is_none()
    }

    /// Checks that an answer is the one to the outstanding request.
    pub(super) fn check_answer(&self, message: &Message<'_>) -> Result<(), Reject> {
        let header = message.header;
        let (kind, flags) = self.awaiting.ok_or(Reject::SequenceUnexpected)?;
        if Some(header.sequence.wrapping_add(1)) != self.next {
            return Err(Reject::SequenceUnexpected);
        }
        let answered = flags
            .without(Flags::REQUEST)
            .without(Flags::IP_RECONFIGURATION);
        if (kind, answered) != (header.kind, header.flags) {
            return Err(Reject::MessageUnexpected);
        }
        Ok(())
    }

    /// Sends the outstanding request again at once, if there is one.
    pub(super) fn repeat_request(&mut self) {
        self.request_due = self.awaiting.is_some();
        self.repetitions = self.repetitions.wrapping_add(u32::from(self.request_due));
    }

    /// The request has been answered, or is no longer of interest.
    pub(super) fn settle(&mut self) {
        self.request_due = false;
        self.awaiting = None;
        self.timer = None;
    }

    /// When [`Exchange::handle_timeout`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.as_ref().map(Timer::deadline)
    }

    /// Retransmits what is due; false if the peer has to be given up.
    pub(super) fn handle_timeout(&mut self, config: &Config, env: &mut Env<'_>) -> bool {
        let Some(timer) = &mut self.timer else {
            return true;
        };
        if env.now < timer.deadline() {
            return true;
        }
        let parameters = if self.awaiting.is_some() {
            &config.request
        } else {
            &config.pci
        };
        match timer.expire(parameters, env) {
            Expiry::Retransmit => {
                self.request_due = true;
                self.repetitions = self.repetitions.wrapping_add(1);
                true
            }
            Expiry::Fail => {
                self.settle();
                false
            }
        }
    }

    /// The next message to send, the answer before the request that follows from it.
    pub(super) fn poll_transmit(&mut self) -> Option<&[u8]> {
        if core::mem::take(&mut self.answer_due) {
            return Some(&self.answer);
        }
        if core::mem::take(&mut self.request_due) {
            return Some(&self.request);
        }
        None
    }

    /// How many messages were sent once more.
    pub(super) const fn repetitions(&self) -> u32 {
        self.repetitions
    }

    /// Whether [`Exchange::poll_transmit`] would return a message.
    pub(super) const fn has_output(&self) -> bool {
        self.answer_due || self.request_due
    }
}

/// A 64-bit mix of `octets`, to recognise a repetition without keeping it.
///
/// Not keyed: an attacker who finds a collision causes the cached answer to be sent once more,
/// which a replay of the request itself does as well.
fn fingerprint(octets: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = octets.as_chunks::<8>();
    let mut mix = octets.len() as u64 ^ HEADER_LEN as u64;
    for word in words {
        mix = (mix ^ u64::from_le_bytes(*word)).wrapping_mul(MULTIPLIER);
        mix ^= mix >> 29;
    }
    for octet in rest {
        mix = (mix ^ u64::from(*octet)).wrapping_mul(MULTIPLIER);
        mix ^= mix >> 29;
    }
    mix
}

/// Checks AUTH under the SA, or its absence before there is one (RFC 5191 §5.3, §5.5).
pub(super) fn authenticate(
    message: &Message<'_>,
    key: Option<&MacKey>,
    work: &mut Work,
) -> Result<(), Reject> {
    match (key, message.auth) {
        (Some(key), _) => message.verify(key, work),
        (None, Some(_)) => Err(Reject::AuthUnexpected),
        (None, None) => Ok(()),
    }
}
