//! The data link: messages that arrive whole, once and in order (C12.18-2006 §4.4).
//!
//! A message is cut into packets, each of which is repeated until it is acknowledged. Whoever has
//! sent a message awaits the other's: requests and responses alternate. Whoever hears a packet
//! where an acknowledgement was due takes it for a new beginning: the other end has given up.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::crc;
use super::line::{Baud, Parameters, Timing};
use super::packet::{ACK, Control, NAK, OVERHEAD, Packet};
use super::receiver::{Receiver, Unit};
use super::reject::Reject;
use crate::time::{Duration, Instant};
use crate::wire::{Error, Writer};

/// What the layer above learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// A message has arrived.
    Message(Vec<u8>),
    /// A message has arrived that is longer than agreed; its contents are gone.
    Oversize,
    /// The message that was sent has been acknowledged to its end.
    Sent,
    /// The other end began anew while the message was being sent.
    Abandoned,
    /// The message was repeated in vain: nobody acknowledges it.
    Lost,
    /// Octets were discarded.
    Rejected(Reject),
}

/// Octets for the line: a packet or an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The octets.
    pub octets: Vec<u8>,
    /// The speed at which they go.
    pub baud: Baud,
    /// Whether they were sent before.
    pub retransmission: bool,
}

impl Transmit {
    /// How long the octets are on the line.
    pub fn duration(&self) -> Duration {
        self.baud.time_of(self.octets.len())
    }
}

/// A message of several packets that has begun to arrive.
#[derive(Debug)]
struct Incoming {
    message: Vec<u8>,
    /// Packets that still follow.
    left: u8,
    oversize: bool,
}

/// A message on its way.
#[derive(Debug)]
struct Outgoing {
    message: Vec<u8>,
    /// Octets that have been acknowledged.
    acknowledged: usize,
    /// The packet that is being sent.
    packet: Vec<u8>,
    /// Octets of the message in it.
    carried: usize,
    repeated: u32,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The packet waits for the line.
    Ready,
    /// Its acknowledgement is awaited until then.
    Awaiting(Instant),
}

/// One end of a line.
#[derive(Debug)]
pub struct Link {
    timing: Timing,
    parameters: Parameters,
    receiver: Receiver,
    incoming: Option<Incoming>,
    /// Toggle and check sequence of the packet received last.
    previous: Option<(bool, u16)>,
    /// Toggle of the packet to be sent next.
    toggle: bool,
    outgoing: Option<Outgoing>,
    /// ACK or NAK that waits for the line, with its speed.
    answer: Option<(u8, Baud)>,
    heard_at: Instant,
    events: VecDeque<LinkEvent>,
}

impl Link {
    /// A line on which nothing has been said.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            parameters: Parameters::default(),
            receiver: Receiver::default(),
            incoming: None,
            previous: None,
            toggle: false,
            outgoing: None,
            answer: None,
            heard_at: Instant::ZERO,
            events: VecDeque::new(),
        }
    }

    /// What has been agreed upon.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Changes what has been agreed upon, for everything that follows.
    pub const fn set_parameters(&mut self, parameters: Parameters) {
        self.parameters = parameters;
    }

    /// Forgets everything but the acknowledgement that is due: the line is as it was at first.
    ///
    /// A packet in the middle of which that happens counts as discarded.
    pub fn reset(&mut self) {
        self.parameters = Parameters::default();
        if let Some(broken) = self.receiver.give_up() {
            self.reject(broken.into());
        }
        self.incoming = None;
        self.previous = None;
        self.toggle = false;
        self.outgoing = None;
    }

    /// When a valid packet or an awaited acknowledgement was heard last.
    pub const fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Whether a message is on its way.
    pub const fn is_sending(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Whether a packet is arriving that may be valid.
    pub fn is_receiving(&self) -> bool {
        self.receiver.is_receiving()
    }

    /// Sends a message in place of any that is on its way.
    ///
    /// # Errors
    ///
    /// It is empty or longer than [`Parameters::message_max`].
    pub fn send(&mut self, message: Vec<u8>) -> Result<(), Error> {
        let packets = message.len().div_ceil(self.parameters.payload_max().max(1));
        if packets == 0 || packets > usize::from(self.parameters.packets) {
            return Err(Error::Malformed("message length"));
        }
        self.give_up();
        self.outgoing = Some(Outgoing {
            message,
            acknowledged: 0,
            packet: Vec::new(),
            carried: 0,
            repeated: 0,
            step: Step::Ready,
        });
        self.build_packet();
        Ok(())
    }

    /// Takes octets from the line, in pieces of any length.
    pub fn handle_octets(&mut self, mut octets: &[u8], now: Instant) {
        let mut noise = false;
        while let Some((octet, rest)) = octets.split_first() {
            octets = rest;
            let size_max = usize::from(self.parameters.packet_size);
            match self.receiver.push(*octet, size_max) {
                None => {}
                Some(Unit::Noise) => noise = true,
                Some(Unit::Ack) => self.handle_ack(now),
                Some(Unit::Nak) => self.handle_nak(now),
                Some(Unit::Packet(packet)) => {
                    let ends_there = self.handle_packet(&packet, now);
                    // Where a damaged packet ends is not known: what came with it is part of it.
                    octets = if ends_there { octets } else { &[] };
                }
            }
        }
        if noise {
            self.reject(Reject::Noise);
        }
        self.receiver.expect_by(now + self.timing.inter_character);
    }

    /// Acts on every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(broken) = self.receiver.handle_timeout(now) {
            self.refuse(broken.into(), now);
        }
        if self.receiver.is_busy() {
            return;
        }
        if let Some(outgoing) = &self.outgoing
            && let Step::Awaiting(deadline) = outgoing.step
            && deadline <= now
        {
            self.repeat();
        }
    }

    /// When [`Link::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // An acknowledgement cannot be overdue while the other end is talking.
        self.receiver.poll_timeout().or_else(|| {
            self.outgoing
                .as_ref()
                .and_then(|outgoing| match outgoing.step {
                    Step::Ready => None,
                    Step::Awaiting(deadline) => Some(deadline),
                })
        })
    }

    /// The next octets for the line, which they occupy from `now` on.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        if let Some((octet, baud)) = self.answer.take() {
            return Some(Transmit {
                octets: vec![octet],
                baud,
                retransmission: false,
            });
        }
        if self.receiver.is_busy() {
            return None;
        }
        let baud = self.parameters.baud;
        let outgoing = self.outgoing.as_mut()?;
        if outgoing.step != Step::Ready {
            return None;
        }
        let transmit = Transmit {
            octets: outgoing.packet.clone(),
            baud,
            retransmission: outgoing.repeated > 0,
        };
        outgoing.step = Step::Awaiting(now + transmit.duration() + self.timing.response);
        Some(transmit)
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    fn handle_ack(&mut self, now: Instant) {
        let Some(outgoing) = self.awaiting() else {
            return self.reject(Reject::UnexpectedAnswer);
        };
        outgoing.acknowledged += outgoing.carried;
        outgoing.repeated = 0;
        let done = outgoing.acknowledged >= outgoing.message.len();
        self.heard_at = now;
        self.toggle = !self.toggle;
        if done {
            self.outgoing = None;
            self.events.push_back(LinkEvent::Sent);
        } else {
            self.build_packet();
        }
    }

    fn handle_nak(&mut self, now: Instant) {
        if self.awaiting().is_none() {
            return self.reject(Reject::UnexpectedAnswer);
        }
        self.heard_at = now;
        self.repeat();
    }

    fn awaiting(&mut self) -> Option<&mut Outgoing> {
        self.outgoing
            .as_mut()
            .filter(|outgoing| outgoing.step != Step::Ready)
    }

    /// Sends the packet again, or gives the message up.
    fn repeat(&mut self) {
        let Some(outgoing) = &mut self.outgoing else {
            return;
        };
        if outgoing.repeated < self.timing.retries {
            outgoing.repeated += 1;
            outgoing.step = Step::Ready;
        } else {
            self.give_up();
            self.events.push_back(LinkEvent::Lost);
        }
    }

    /// Gives up the message on its way, if there is one.
    fn give_up(&mut self) -> bool {
        let given_up = self.outgoing.take().is_some();
        // Its packet may have arrived: the next one must not look like a repetition of it.
        self.toggle ^= given_up;
        given_up
    }

    /// Takes a packet; returns whether its end is certain.
    fn handle_packet(&mut self, octets: &[u8], now: Instant) -> bool {
        let packet = match Packet::parse(octets) {
            Ok(packet) => packet,
            Err(Error::Malformed("control")) => {
                self.refuse(Reject::Control, now);
                return true;
            }
            Err(_) => {
                self.refuse(Reject::Crc, now);
                return false;
            }
        };
        if packet.identity != 0 {
            self.reject(Reject::Identity);
            return true;
        }
        let (body, _) = octets.split_at(octets.len() - 2);
        let mark = (packet.control.toggle, crc::of(body));
        if self.previous == Some(mark) {
            self.heard_at = now;
            self.answer = Some((ACK, self.parameters.baud));
            self.reject(Reject::Duplicate);
            return true;
        }
        if !self.assemble(&packet) {
            self.refuse(Reject::Sequence, now);
            return true;
        }
        self.previous = Some(mark);
        self.heard_at = now;
        self.answer = Some((ACK, self.parameters.baud));
        true
    }

    /// Adds a new packet to the message; returns whether it fits there.
    fn assemble(&mut self, packet: &Packet<'_>) -> bool {
        let Control { multi, first, .. } = packet.control;
        let mut incoming = match (multi, first) {
            (false, _) if packet.sequence != 0 => return false,
            (false, _) | (true, true) => {
                if self.incoming.take().is_some() {
                    self.reject(Reject::Unfinished);
                }
                Incoming {
                    message: Vec::new(),
                    left: packet.sequence,
                    oversize: false,
                }
            }
            (true, false) => {
                let continues =
                    |incoming: &mut Incoming| incoming.left.checked_sub(1) == Some(packet.sequence);
                match self.incoming.take_if(continues) {
                    Some(incoming) => incoming,
                    None => return false,
                }
            }
        };
        incoming.left = packet.sequence;
        let len = incoming.message.len() + packet.data.len();
        if incoming.oversize || len > self.parameters.message_max() {
            // Nothing is kept of what cannot be used.
            incoming.oversize = true;
            incoming.message = Vec::new();
        } else {
            incoming.message.extend_from_slice(packet.data);
        }
        if self.give_up() {
            self.events.push_back(LinkEvent::Abandoned);
        }
        if incoming.left > 0 {
            self.incoming = Some(incoming);
        } else if incoming.oversize {
            self.incoming = None;
            self.reject(Reject::Oversize);
            self.events.push_back(LinkEvent::Oversize);
        } else {
            self.incoming = None;
            self.events.push_back(LinkEvent::Message(incoming.message));
        }
        true
    }

    /// Asks for a packet again.
    fn refuse(&mut self, why: Reject, now: Instant) {
        self.answer = Some((NAK, self.parameters.baud));
        // The other end now repeats its packet: our own has to wait.
        let deadline = now + self.timing.response;
        if let Some(outgoing) = self.awaiting() {
            outgoing.step = Step::Awaiting(deadline);
        }
        self.reject(why);
    }

    fn reject(&mut self, why: Reject) {
        self.events.push_back(LinkEvent::Rejected(why));
    }

    /// Builds the packet after what has been acknowledged.
    fn build_packet(&mut self) {
        let payload_max = self.parameters.payload_max().max(1);
        let toggle = self.toggle;
        let Some(outgoing) = &mut self.outgoing else {
            return;
        };
        let rest = outgoing.message.get(outgoing.acknowledged..).unwrap_or(&[]);
        let data = &rest[..rest.len().min(payload_max)];
        let packet = Packet {
            identity: 0,
            control: Control {
                multi: outgoing.message.len() > payload_max,
                first: outgoing.message.len() > payload_max && outgoing.acknowledged == 0,
                toggle,
            },
            // At most 255 packets were agreed upon, or `send` had refused the message.
            sequence: (rest.len().div_ceil(payload_max)).saturating_sub(1) as u8,
            data,
        };
        let mut octets = vec![0; data.len() + OVERHEAD];
        let emitted = packet.emit(&mut Writer::new(&mut octets));
        debug_assert_eq!(emitted, Ok(()), "the buffer has the length of the packet");
        outgoing.carried = data.len();
        outgoing.packet = octets;
        outgoing.step = Step::Ready;
    }
}
