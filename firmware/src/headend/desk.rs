//! The desk of an instance: orders to switches and requests to meters, on their way to the network.
//!
//! Orders go first. A meter whose switch is being operated is asked for nothing else meanwhile,
//! because the result of a procedure lies in a table that the next procedure overwrites.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::active::Active;
use super::commands::{CommandReport, Commands, SwitchOrder};
use super::image::{Alarm, Headend, HeadendEvent, Transmit};
use super::request::{RequestOrder, RequestReport};
use super::requests::{Requests, SessionChange};
use super::task::{Call, Task};
use crate::Env;
use crate::c1222::epsem::{Mode, Payload, ResponseControl};
use crate::c1222::native::PORT;
use crate::c1222::node::Options;
use crate::c1222::outbox::{DATAGRAM_LEN_DEFAULT, Outbox};
use crate::c1222::stream::APDU_LEN_DEFAULT;
use crate::meter::Channel;
use crate::pana::PaaSession;
use crate::time::{Instant, earlier};
use crate::wire::{Error, Writer};

/// Octets of the longest request: what a peer takes of which nothing is known (RFC 6142 §2.6).
const REQUEST_MAX: usize = APDU_LEN_DEFAULT;
/// Octets of the longest order to a switch.
const ORDER_MAX: usize = 256;

/// Orders and requests, and the message that is to be sent.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) commands: Commands,
    requests: Requests,
    /// Whether the turn is that of a request, not of an order.
    requests_turn: bool,
    outbox: Outbox,
    outbox_to: Option<SocketAddr>,
}

impl Desk {
    /// Whether a response of the meter to the message `invocation` is expected.
    pub(super) fn waits_for(&self, rank: u32, invocation: u32) -> bool {
        let request = self
            .requests
            .active(rank)
            .and_then(|active| active.invocation);
        request == Some(invocation) || self.commands.waits_for(rank, invocation)
    }
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

    /// Queues a request to a meter; `task` says what is wanted.
    pub fn request(&mut self, order: RequestOrder, task: &Arc<Task>) {
        let desk = self.commands.get_or_insert_default();
        desk.requests.request(order, task);
        self.touched.push(Alarm::Commands);
    }

    /// Withdraws the requests of `plan` that have not begun; returns the ranks of their meters.
    pub fn withdraw_requests(&mut self, plan: u32) -> Vec<u32> {
        let Some(desk) = &mut self.commands else {
            return Vec::new();
        };
        self.touched.push(Alarm::Commands);
        desk.requests.withdraw(plan)
    }

    /// The rank of the meter for which something is due at `now`, and its address if it has one.
    ///
    /// The host calls [`Headend::proceed_command`] for it, drains the outputs, and asks again.
    pub fn next_command(&mut self, now: Instant) -> Option<(u32, Option<SocketAddr>)> {
        let desk = self.commands.as_deref_mut()?;
        let Desk {
            commands,
            requests,
            requests_turn,
            ..
        } = desk;
        let order = commands.next_due(&self.config.commands, now);
        *requests_turn = order.is_none();
        let rank = order.or_else(|| {
            let policy = &self.config.requests;
            requests.next_due(policy, now, |rank| commands.is_active(rank))
        });
        if requests.has_ended() {
            // Too late for a transmission.
            self.settle_commands();
        }
        let rank = rank?;
        Some((rank, self.address_of(rank)))
    }

    /// Sends, repeats or gives up the order or request at hand of the meter `rank`.
    pub fn proceed_command(&mut self, rank: u32, utc: u32, env: &mut Env<'_>) {
        let address = self.address_of(rank);
        match &self.commands {
            Some(desk) if desk.requests_turn => self.proceed_request(rank, address, utc, env),
            Some(_) => self.proceed_order(rank, address, utc, env),
            None => return,
        }
        self.settle_commands();
    }

    fn proceed_order(
        &mut self,
        rank: u32,
        address: Option<SocketAddr>,
        utc: u32,
        env: &mut Env<'_>,
    ) {
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
            let mut message = [0; ORDER_MAX];
            let (keys, out) = (&mut subscriber.keys, &mut message[..]);
            let put = |writer: &mut Writer<'_>| send.put(writer);
            // Without a key the attempt has failed like one without a session.
            if let Ok(sent) = subscriber.node.request(&options, keys, utc, out, put, env) {
                desk.commands.sent(rank, sent.invocation, env.now);
                desk.outbox.put(&message[..sent.len], send.repeated);
                desk.outbox_to = Some(destination);
            }
        }
    }

    fn proceed_request(
        &mut self,
        rank: u32,
        address: Option<SocketAddr>,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let Some(desk) = &mut self.commands else {
            return;
        };
        let step = desk.requests.step(rank, address.is_some(), env.now);
        let subscriber = self.subscribers.get_mut(rank);
        if let Some(invocation) = step.forget {
            subscriber.node.forget(invocation);
        }
        let active = desk.requests.active(rank).filter(|_| step.send);
        let (Some(active), Some(destination)) = (active, address) else {
            return;
        };
        let current = active.current();
        let options = Options {
            mode: current.map_or(Mode::Encrypted, |message| message.mode),
            response: active.response_control(),
            ..Options::default()
        };
        let meter = *subscriber.node.peer();
        let put = |writer: &mut Writer<'_>| active.put(&meter, utc, writer);
        let mut message = [0; REQUEST_MAX];
        let (keys, node) = (&mut subscriber.keys, &mut subscriber.node);
        let built = node.request(&options, keys, utc, &mut message, put, env);
        if let Ok(sent) = built {
            let repeated = desk.requests.is_repeated(rank);
            let authentication = sent.authentication();
            let (invocation, len) = (sent.invocation, sent.len);
            desk.requests
                .sent(rank, invocation, authentication, len, env.now);
            let traces = current_traces(desk.requests.active(rank));
            desk.outbox.put(&message[..len], repeated);
            desk.outbox_to = Some(destination);
            if traces {
                // The meter tells what lies behind it; what lies before it, its relay does.
                self.trace_way(rank, None, env.now);
            }
        }
    }

    /// The message `invocation` to the meter has got nowhere: it is sent again on another way.
    pub(super) fn resend(&mut self, rank: u32, invocation: u32, now: Instant) {
        let Some(desk) = &mut self.commands else {
            return;
        };
        if desk.requests.resend(rank, invocation, now)
            || desk.commands.resend(rank, invocation, now)
        {
            self.subscribers.get_mut(rank).node.forget(invocation);
            self.touched.push(Alarm::Commands);
        }
    }

    /// Takes a response, `octets` long, to an order or a request.
    pub(super) fn take_response(
        &mut self,
        rank: u32,
        invocation: u32,
        (payload, octets): (&Payload<'_>, usize),
        (utc, now): (u32, Instant),
    ) -> Result<(), Error> {
        let Some(desk) = &mut self.commands else {
            return Ok(());
        };
        let policy = &self.config.commands;
        desk.commands
            .respond(policy, rank, invocation, payload, (utc, now))?;
        let subscriber = self.subscribers.get_mut(rank);
        let known = (subscriber.read_until_s, utc);
        let learnt = desk
            .requests
            .respond(rank, invocation, payload, octets, known, now);
        if let Ok(learnt) = &learnt {
            for change in &learnt.session {
                match change {
                    SessionChange::Opened(session) => subscriber.node.open_session(*session),
                    SessionChange::Closed => {
                        subscriber.node.close_session(now);
                    }
                }
            }
            subscriber.read_until_s = subscriber.read_until_s.max(learnt.read_until_s);
            if let Some(register_wh) = learnt.register_wh {
                self.events
                    .push_back((rank, HeadendEvent::Register(register_wh)));
            }
            for interval in &learnt.intervals {
                self.events
                    .push_back((rank, HeadendEvent::Interval(*interval)));
            }
        }
        self.settle_commands();
        learnt.map(|_| ())
    }

    /// Orders that have not ended, for reports.
    pub fn unfinished_commands(&self, now: Instant) -> impl Iterator<Item = CommandReport> {
        let desk = self.commands.iter();
        let alone = desk.flat_map(move |desk| desk.commands.unfinished(now));
        alone.chain(self.unfinished_rounds(now))
    }

    /// Requests that are due and have not ended, for reports.
    pub fn unfinished_requests(&self, now: Instant) -> impl Iterator<Item = RequestReport> {
        let desk = self.commands.iter();
        desk.flat_map(move |desk| desk.requests.unfinished(now))
    }

    /// When something is due next at the desk.
    pub(super) fn desk_deadline(&self) -> Option<Instant> {
        let desk = self.commands.as_ref()?;
        let orders = desk.commands.poll_timeout(&self.config.commands);
        earlier(orders, desk.requests.poll_timeout(&self.config.requests))
    }

    /// Writes the next datagram of the message at hand to `out`.
    pub(super) fn poll_command(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let desk = self.commands.as_mut()?;
        let destination = desk.outbox_to?;
        let Some((len, retransmission)) = desk.outbox.poll(DATAGRAM_LEN_DEFAULT, out) else {
            desk.outbox_to = None;
            return None;
        };
        Some(Transmit {
            destination,
            channel: Channel::C1222,
            len,
            retransmission,
        })
    }

    /// Tells of orders and requests that have ended.
    pub(super) fn settle_commands(&mut self) {
        if let Some(desk) = &mut self.commands {
            while let Some(report) = desk.commands.poll_ended() {
                let event = HeadendEvent::Command(report);
                self.events.push_back((report.order.rank, event));
            }
            while let Some(report) = desk.requests.poll_ended() {
                if let Some(groups) = &mut self.groups {
                    groups.take_handed(&report);
                }
                let event = HeadendEvent::Request(report);
                self.events.push_back((report.order.rank, event));
            }
        }
        self.touched.push(Alarm::Commands);
    }

    /// Where the meter, or the relay that it sits behind, listens, while it has a session.
    fn address_of(&self, rank: u32) -> Option<SocketAddr> {
        let session = self.subscribers.get(rank).session?;
        let pac = self.paa.session(session).map(PaaSession::pac)?;
        let relay = self.way_of(rank);
        Some(relay.unwrap_or(SocketAddr::new(pac.ip(), PORT)))
    }
}

/// Whether the message at hand asks what lies between.
fn current_traces(active: Option<&Active>) -> bool {
    let message = active.and_then(Active::current);
    message.is_some_and(|message| message.calls.contains(&Call::Trace))
}
