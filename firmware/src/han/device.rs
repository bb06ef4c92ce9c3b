//! A device of the home area network: its network side and what it is for.

use alloc::boxed::Box;

use super::coordinator::Transmit;
use super::display::Display;
use super::hems::Hems;
use super::message::Message;
use super::node::{Node, NodeEvent};
use super::{Enrolment, Policy, Reject};
use crate::Env;
use crate::crypto::Work;
use crate::time::Instant;
use crate::ukmf::KeySummary;

/// What a device is for.
#[derive(Clone, Debug)]
pub enum Role {
    /// It shows.
    Display(Box<Display>),
    /// It manages.
    Hems(Hems),
}

impl Role {
    /// The name in results.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Display(_) => "display",
            Self::Hems(_) => "hems",
        }
    }
}

/// What the host learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// It has a link key.
    KeyInstalled {
        /// Its id.
        key_id: u8,
    },
    /// It has got an update that was measured at this time, in seconds since 1970-01-01 UTC.
    Updated {
        /// When it was measured.
        utc_s: u32,
    },
    /// It has got a text or a demand event.
    Noted,
    /// It does not hear its meter any more.
    Lost,
}

/// A device.
#[derive(Debug)]
pub struct Device {
    node: Node,
    role: Role,
}

impl Device {
    /// A device without power.
    pub fn new(policy: Policy, enrolment: &Enrolment, role: Role, work: &mut Work) -> Self {
        Self {
            node: Node::new(policy, enrolment.address, &enrolment.key, work),
            role,
        }
    }

    /// It gets power and looks for its meter.
    pub fn power_on(&mut self, env: &mut Env<'_>) {
        self.node.power_on(env);
    }

    /// It loses power: its keys are gone, what it shows is not.
    pub fn power_off(&mut self) {
        self.node.power_off();
    }

    /// Whether it has power.
    pub const fn is_on(&self) -> bool {
        self.node.is_on()
    }

    /// Whether it has a link key.
    pub const fn is_joined(&self) -> bool {
        self.node.is_joined()
    }

    /// The channel that its receiver is on, if it is on.
    pub fn channel(&self) -> Option<u8> {
        self.node.channel()
    }

    /// The link key in use; of a device's summary only id, times and counts have a meaning.
    pub fn key(&self) -> Option<&KeySummary> {
        self.node.key()
    }

    /// What it is for.
    pub const fn role(&self) -> &Role {
        &self.role
    }

    /// Takes a frame from the channel that it listens to; `utc_s` is the time.
    pub fn handle_frame(
        &mut self,
        psdu: &[u8],
        channel: u8,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        if self.node.channel() != Some(channel) {
            return Err(Reject::Foreign);
        }
        self.node.handle_frame(psdu, channel, env)
    }

    /// Acts on every deadline that `env.now` has reached.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        self.node.handle_timeout(env);
    }

    /// When [`Self::handle_timeout`] or [`Self::poll_transmit`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }

    /// Writes the next frame to `out`; the one before it must have been confirmed.
    pub fn poll_transmit(&mut self, out: &mut [u8], env: &mut Env<'_>) -> Option<Transmit> {
        self.node.poll_transmit(out, env)
    }

    /// What became of the frame that [`Self::poll_transmit`] wrote last.
    pub fn confirm(&mut self, delivered: bool, now: Instant) {
        self.node.confirm(delivered, now);
    }

    /// The oldest event; `utc_s` is the time in seconds since 1970-01-01.
    pub fn poll_event(&mut self, utc_s: u32, now: Instant) -> Option<DeviceEvent> {
        let message = match self.node.poll_event()? {
            NodeEvent::KeyInstalled { key_id } => {
                return Some(DeviceEvent::KeyInstalled { key_id });
            }
            NodeEvent::Lost => return Some(DeviceEvent::Lost),
            NodeEvent::Message(message) => message,
        };
        match (&mut self.role, message) {
            (Role::Display(display), Message::Usage(usage)) => {
                display.update(usage, now);
                let utc_s = usage.utc_s;
                return Some(DeviceEvent::Updated { utc_s });
            }
            (Role::Hems(hems), Message::Usage(usage)) => {
                hems.update(&usage);
                let utc_s = usage.utc_s;
                return Some(DeviceEvent::Updated { utc_s });
            }
            (Role::Display(display), Message::Text(text)) => display.show(text),
            (Role::Display(display), Message::DemandEvent(event)) => display.announce(event),
            (Role::Hems(hems), Message::DemandEvent(event)) => {
                let answer = hems.answer(event, utc_s);
                self.node.send(Message::EventAnswer(answer));
            }
            _ => {}
        }
        Some(DeviceEvent::Noted)
    }
}
