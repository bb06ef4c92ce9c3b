//! The C12.22 relay of a concentrator: meters address it, and it goes by titles.
//!
//! ```text
//!   meter ..C12.22 to concentrator:1153..> segment ..> relay ==C12.22 to head-end:1153==> head-end
//!   meter <..C12.22 to meter:1153.. segment <.. relay <==C12.22 to concentrator:1153== head-end
//! ```
//!
//! The [`Relay`] is that of the firmware. It has no keys: it forwards what it cannot read, and what
//! it discards counts as a reject of the concentrator. A station that has not been admitted cannot
//! reach it, as it cannot reach anything but a relay element of PANA. Without power it forgets all
//! ways; each comes back with the next request of its meter that is answered.

use core::net::{SocketAddr, SocketAddrV4};

use firmware::Instant;
use firmware::c1222::apdu;
use firmware::c1222::aptitle::Title;
use firmware::c1222::relay::{Config, Reject, Relay};

use super::{Concentrator, ConcentratorHost};
use crate::context::{Exchange, Kind, Outgoing, Verdict, event};
use crate::datagram::{C1222_PORT, Handle};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::link::{Cause, Direction, StationId};
use crate::time::Time;

/// The relay of one concentrator.
#[derive(Debug)]
pub struct Forwarder {
    config: Config,
    relay: Relay,
    /// When a wake-up for the relay is under way.
    wake: Time,
}

impl Forwarder {
    /// The relay of a concentrator, if its medium has one.
    pub fn new(fleet: &Fleet, concentrator: u32) -> Option<Self> {
        let plan = fleet.meshes.kind_of(concentrator).relay?;
        let instance = fleet.meshes.concentrators[concentrator as usize].instance;
        let socket = |address| SocketAddr::V4(Fleet::c1222_socket(address));
        let config = Config {
            title: relay_title(concentrator),
            address: socket(fleet.concentrator_address(concentrator)),
            upstream: socket(fleet.instance_address(instance)),
            route_lifetime: plan.route_lifetime,
            nodes_max: plan.nodes_max,
        };
        Some(Self {
            config,
            relay: Relay::new(config),
            wake: Time::FAR_FUTURE,
        })
    }

    /// Title and address of the relay.
    pub const fn place(&self) -> (Title, SocketAddr) {
        (self.config.title, self.config.address)
    }

    /// It loses all that it knows.
    pub(super) fn restart(&mut self) {
        self.relay = Relay::new(self.config);
    }
}

/// The title of the relay at a concentrator.
fn relay_title(concentrator: u32) -> Title {
    Title::relative(&Fleet::relay_title_arcs(concentrator))
        .expect("a title of two small arcs is short")
}

/// What a relay says or forwards, on its way out of the concentrator.
struct Said<'a> {
    octets: &'a [u8],
    /// The meter that it is about.
    meter: u32,
    label: u64,
    sent: Time,
    /// Whether a meter, not the relay, has made it.
    forwarded: bool,
}

impl<A: Agenda, X: Exchange> ConcentratorHost<'_, '_, A, X> {
    /// The relay takes a C12.22 message that is addressed to it.
    pub(super) fn relay_c1222(&mut self, handle: Handle) {
        let fleet = self.context.fleet;
        let now = local_time(self.now);
        let Some(forwarder) = self.concentrator.forwarder.as_deref_mut() else {
            return self.discard(handle, Cause::NoRoute.name());
        };
        let datagram = self.context.pool.get_mut(handle);
        let (source, label, sent) = (datagram.source, datagram.label, datagram.sent);
        let from = SocketAddr::V4(source);
        let result = forwarder.relay.handle_datagram(from, &datagram.octets, now);
        let meter = fleet
            .meter_of_address(*source.ip())
            .or_else(|| called_meter(fleet, &datagram.octets))
            .unwrap_or_else(|| {
                // Nobody knows whom it is about: it is on the line of the first one here.
                let plan = &fleet.meshes.concentrators[self.concentrator.index as usize];
                plan.members[0]
            });
        let forwarded = result.is_ok();
        let mut scratch = core::mem::take(self.context.scratch);
        while let Some((to, len)) = self.poll_relay(&mut scratch) {
            self.emit(
                to,
                &Said {
                    octets: &scratch[..len],
                    meter,
                    label: if forwarded { label } else { 0 },
                    sent: if forwarded { sent } else { self.now },
                    forwarded,
                },
            );
        }
        *self.context.scratch = scratch;
        self.arm_relay();
        match result {
            Ok(()) => self.context.pool.release(handle),
            Err(reject) => self.end_relayed(handle, reject),
        }
    }

    /// Something is due at the relay.
    pub fn relay_alarm(&mut self) {
        let now = local_time(self.now);
        if let Some(forwarder) = self.concentrator.forwarder.as_deref_mut()
            && forwarder.wake == self.now
        {
            forwarder.wake = Time::FAR_FUTURE;
            forwarder.relay.handle_timeout(now);
            self.arm_relay();
        }
    }

    fn poll_relay(&mut self, out: &mut [u8]) -> Option<(SocketAddrV4, usize)> {
        let forwarder = self.concentrator.forwarder.as_deref_mut()?;
        match forwarder.relay.poll_transmit(out)? {
            (SocketAddr::V4(to), len) => Some((to, len)),
            // Nobody here has an address of that kind.
            (SocketAddr::V6(_), _) => None,
        }
    }

    fn end_relayed(&mut self, handle: Handle, reject: Reject) {
        let cause = reject.name();
        self.end(handle, ("c1222", cause), Verdict::Rejected(cause));
    }

    /// Sends on the access or on the medium, whichever leads there.
    fn emit(&mut self, to: SocketAddrV4, said: &Said<'_>) {
        let fleet = self.context.fleet;
        let source = SocketAddrV4::new(self.concentrator.address, C1222_PORT);
        if let Some(meter) = fleet.meter_of_address(*to.ip()) {
            let pool = &mut *self.context.pool;
            let handle = pool.insert(source, to, said.sent, said.octets);
            pool.get_mut(handle).label = said.label;
            return match self.station_of(meter) {
                Some(station) => self.send(StationId::ROOT, station, handle),
                None => self.discard(handle, Cause::NoRoute.name()),
            };
        }
        let out = Outgoing {
            meter: said.meter,
            link: self.concentrator.backhaul,
            cohort: self.concentrator.cohort,
            direction: Direction::Up,
            sampled: said.forwarded && fleet.is_sampled(said.meter),
            source,
            destination: to,
            octets: said.octets,
            label: said.label,
            retransmission: false,
            departure: self.now,
            sent: said.sent,
            domain: fleet.domain_of_instance(self.concentrator.instance),
            target: fleet.instance_entity(self.concentrator.instance),
            sender: self.concentrator.entity,
        };
        let Concentrator { uplink, posted, .. } = &mut *self.concentrator;
        self.context.transmit(uplink, &out, self.now, posted);
    }

    /// Makes sure that the relay forgets in time, if no wake-up is under way.
    ///
    /// It looks through all it knows to find out when that is, so it is not asked more often. A way
    /// that is over leads nowhere, whether it has been forgotten or not.
    fn arm_relay(&mut self) {
        let end = Time(self.context.fleet.duration.as_nanos());
        let Some(forwarder) = self.concentrator.forwarder.as_deref_mut() else {
            return;
        };
        if forwarder.wake != Time::FAR_FUTURE {
            return;
        }
        let due = forwarder.relay.poll_timeout();
        let due = due.map(|due| Time(due.as_nanos()).max(self.now));
        if let Some(time) = due.filter(|due| *due < end) {
            forwarder.wake = time;
            let (entity, posted) = (self.concentrator.entity, &mut self.concentrator.posted);
            let event = event(time, Kind::Alarm, entity, entity, posted, 0);
            self.context.agenda.post(event);
        }
    }
}

/// A concentrator keeps true time.
fn local_time(now: Time) -> Instant {
    Instant::from_nanos(now.as_nanos())
}

/// The meter that a C12.22 message or segment calls.
pub(crate) fn called_meter(fleet: &Fleet, octets: &[u8]) -> Option<u32> {
    let (called, base) = apdu::addressee(octets).ok()?;
    fleet.meter_of_title(called?, base)
}

/// The meter that a C12.22 message of `source` is from: the one behind a relay, or the one there.
///
/// What the head-end draws depends on the meter, not on the relay that it sits behind.
pub fn peer_by_title(fleet: &Fleet, source: SocketAddrV4, octets: &[u8]) -> SocketAddrV4 {
    if fleet.concentrator_of_address(*source.ip()).is_none() {
        return source;
    }
    let meter = apdu::sender(octets)
        .ok()
        .and_then(|(calling, base)| fleet.meter_of_title(calling?, base));
    meter.map_or(source, |meter| {
        Fleet::c1222_socket(fleet.meter_address(meter))
    })
}
