//! The other end of the optical port: a reader's program (C12.18-2006 §5).
//!
//! One request is outstanding at a time. What Negotiate and Terminate change takes effect by
//! itself; a request that nobody answers is reported, and the caller starts over with
//! Identification.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::line::{Parameters, Timing};
use super::link::{Link, LinkEvent, Transmit};
use super::reject::Reject;
use super::service::{Negotiated, Request};
use crate::c1222::service::{Request as Service, ResponseCode};
use crate::time::{Instant, earlier};
use crate::wire::{Error, Writer};

/// What the caller learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The response: its code and data.
    Response(Vec<u8>),
    /// The request was not acknowledged, or not answered in time. The line is as at first.
    Failed,
    /// Octets were discarded.
    Rejected(Reject),
}

/// The request that waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Negotiate,
    Terminate,
    Other,
}

/// The client.
#[derive(Debug)]
pub struct Client {
    timing: Timing,
    link: Link,
    waiting: Option<Purpose>,
    /// When the request was acknowledged.
    asked_at: Instant,
    events: VecDeque<ClientEvent>,
}

impl Client {
    /// A client that has said nothing.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            link: Link::new(timing),
            waiting: None,
            asked_at: Instant::ZERO,
            events: VecDeque::new(),
        }
    }

    /// What has been agreed upon with the meter.
    pub const fn parameters(&self) -> &Parameters {
        self.link.parameters()
    }

    /// Whether a request waits for its response.
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// Another one is outstanding, or the request is longer than agreed upon.
    pub fn request(&mut self, request: &Request<'_>, now: Instant) -> Result<(), Error> {
        if self.waiting.is_some() {
            return Err(Error::Malformed("sequence of requests"));
        }
        let mut message = vec![0; self.link.parameters().message_max()];
        let mut writer = Writer::new(&mut message);
        request.emit(&mut writer)?;
        let len = writer.len();
        message.truncate(len);
        self.link.send(message)?;
        self.waiting = Some(match request {
            Request::Negotiate(_) => Purpose::Negotiate,
            Request::Common(Service::Terminate) => Purpose::Terminate,
            Request::Common(_) => Purpose::Other,
        });
        self.asked_at = now;
        Ok(())
    }

    /// Takes octets from the line, in pieces of any length.
    pub fn handle_octets(&mut self, octets: &[u8], now: Instant) {
        self.link.handle_octets(octets, now);
        self.proceed(now);
    }

    /// Acts on every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
        self.proceed(now);
        if self.overdue_at().is_some_and(|at| at <= now) {
            self.fail();
        }
    }

    /// When [`Client::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.link.poll_timeout(), self.overdue_at())
    }

    /// The next octets for the line, which they occupy from `now` on.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.link.poll_transmit(now)
    }

    /// Whether [`Client::poll_event`] has an event.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When the response will be overdue.
    fn overdue_at(&self) -> Option<Instant> {
        self.waiting?;
        if self.link.is_sending() || self.link.is_receiving() {
            return None;
        }
        Some(self.asked_at.max(self.link.heard_at()) + self.timing.traffic)
    }

    fn proceed(&mut self, now: Instant) {
        while let Some(event) = self.link.poll_event() {
            match event {
                LinkEvent::Message(message) => self.handle_response(message),
                // A response that has begun acknowledges its request.
                LinkEvent::Sent | LinkEvent::Abandoned => self.asked_at = now,
                LinkEvent::Lost => self.fail(),
                // Already counted; nothing can be done with a response without its contents.
                LinkEvent::Oversize => self.fail(),
                LinkEvent::Rejected(why) => self.events.push_back(ClientEvent::Rejected(why)),
            }
        }
    }

    fn handle_response(&mut self, message: Vec<u8>) {
        let Some(purpose) = self.waiting.take() else {
            let unexpected = ClientEvent::Rejected(Reject::UnexpectedMessage);
            return self.events.push_back(unexpected);
        };
        match (purpose, message.split_first()) {
            (Purpose::Negotiate, Some((code, data)))
                if ResponseCode::from(*code) == ResponseCode::Ok =>
            {
                match Negotiated::parse(data, self.link.parameters()) {
                    Ok(negotiated) => self.link.set_parameters(negotiated.parameters),
                    // The meter now talks in a way that is not known here.
                    Err(_) => return self.fail(),
                }
            }
            (Purpose::Terminate, Some((code, _)))
                if ResponseCode::from(*code) == ResponseCode::Ok =>
            {
                self.link.reset();
            }
            _ => {}
        }
        self.events.push_back(ClientEvent::Response(message));
    }

    fn fail(&mut self) {
        self.waiting = None;
        self.link.reset();
        self.events.push_back(ClientEvent::Failed);
    }
}
