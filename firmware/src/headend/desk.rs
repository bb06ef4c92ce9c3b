//! The desk of an instance: orders to switches on their way to the network.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::commands::{CommandReport, Commands, SwitchOrder};
use super::image::{Alarm, Headend, HeadendEvent, Transmit};
use crate::Env;
use crate::c1222::epsem::{Mode, ResponseControl};
use crate::c1222::node::Options;
use crate::meter::Channel;
use crate::pana::PaaSession;
use crate::time::Instant;
use crate::wire::Writer;

/// Octets of the longest request.
const REQUEST_MAX: usize = 256;
/// The port of C12.22 (RFC 6142 §2.1).
const PORT: u16 = 1153;

/// Orders, and the request that is to be sent.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) commands: Commands,
    request: Vec<u8>,
    request_to: Option<SocketAddr>,
    repeated: bool,
}

impl Headend {
    /// Queues an order to the switch of a meter.
    pub fn order(&mut self, order: SwitchOrder, now: Instant) {
        let desk = self.commands.get_or_insert_default();
        desk.commands.order(order, now);
        self.touched.push(Alarm::Commands);
    }

    /// Withdraws orders of `origin` that have not been sent.
    pub fn withdraw(&mut self, origin: u32, now: Instant) {
        if let Some(desk) = &mut self.commands {
            desk.commands.withdraw(origin, now);
            self.settle_commands();
        }
    }

    /// The rank of the meter for which an order is due at `now`, and its address if it has one.
    ///
    /// The host calls [`Headend::proceed_command`] for it, drains the outputs, and asks again.
    pub fn next_command(&mut self, now: Instant) -> Option<(u32, Option<SocketAddr>)> {
        let desk = self.commands.as_mut()?;
        let rank = desk.commands.next_due(&self.config.commands, now)?;
        Some((rank, self.address_of(rank)))
    }

    /// Sends, repeats or gives up the order of the meter `rank`.
    pub fn proceed_command(&mut self, rank: u32, utc: u32, env: &mut Env<'_>) {
        let address = self.address_of(rank);
        let Some(desk) = &mut self.commands else {
            return;
        };
        let policy = &self.config.commands;
        let reachable = address.is_some();
        let step = desk.commands.step(policy, rank, reachable, env.now);
        let subscriber = self.subscribers.get_mut(rank);
        if let Some(invocation) = step.forget {
            subscriber.node.forget(invocation);
        }
        if let (Some(send), Some(destination)) = (step.send, address) {
            let options = Options {
                // The switch obeys nothing less than an encrypted and authenticated message.
                mode: Mode::Encrypted,
                response: ResponseControl::Always,
                ..Options::default()
            };
            desk.request.resize(REQUEST_MAX, 0);
            let (keys, out) = (&mut subscriber.keys, &mut desk.request[..]);
            let put = |writer: &mut Writer<'_>| send.put(writer);
            // Without a key the attempt has failed like one without a session.
            if let Ok(sent) = subscriber.node.request(&options, keys, utc, out, put, env) {
                desk.commands.sent(rank, sent.invocation, env.now);
                desk.request.truncate(sent.len);
                desk.request_to = Some(destination);
                desk.repeated = send.repeated;
            }
        }
        self.settle_commands();
    }

    /// Orders that have not ended, for reports.
    pub fn unfinished_commands(&self, now: Instant) -> impl Iterator<Item = CommandReport> {
        let desk = self.commands.iter();
        desk.flat_map(move |desk| desk.commands.unfinished(now))
    }

    /// Writes the request at hand to `out`.
    pub(super) fn poll_command(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let desk = self.commands.as_mut()?;
        let destination = desk.request_to.take()?;
        let len = desk.request.len();
        out.get_mut(..len)?.copy_from_slice(&desk.request);
        Some(Transmit {
            destination,
            channel: Channel::C1222,
            len,
            retransmission: desk.repeated,
        })
    }

    /// Tells of orders that have ended.
    pub(super) fn settle_commands(&mut self) {
        if let Some(desk) = &mut self.commands {
            while let Some(report) = desk.commands.poll_ended() {
                let event = HeadendEvent::Command(report);
                self.events.push_back((report.order.rank, event));
            }
        }
        self.touched.push(Alarm::Commands);
    }

    /// Where the meter listens, while it has a session.
    fn address_of(&self, rank: u32) -> Option<SocketAddr> {
        let session = self.subscribers.get(rank).session?;
        let pac = self.paa.session(session).map(PaaSession::pac)?;
        Some(SocketAddr::new(pac.ip(), PORT))
    }
}
