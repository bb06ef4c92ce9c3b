//! C12.22 over TCP: which message takes which connection, and what comes by them.

use std::net::{Ipv4Addr, SocketAddrV4};

use firmware::meter::Channel;
use models::datagram::is_response;
use models::fleet::Fleet;

use super::super::connections::{CONNECTIONS, Doorman, Happening, LISTENERS};
use super::super::ports::{self, Side};
use super::{Arrival, Driver};
use crate::scenario::live::{Live, Transport};

/// Who may come in, by the addresses of the fleet.
pub(super) struct Lobby<'a> {
    fleet: &'a Fleet,
    live: &'a Live,
}

impl Doorman for Lobby<'_> {
    fn is_home(&self, side: Side, address: Ipv4Addr) -> bool {
        ports::addressee(self.fleet, side, address).is_some()
    }

    /// The head-end that meters have been told of speaks to all of them.
    fn is_exempt(&self, side: Side, source: Ipv4Addr) -> bool {
        let told = self.live.c1222.is_some_and(|host| host.address == source);
        side == Side::Meters && (told || self.fleet.instance_of_address(source).is_some())
    }
}

impl Driver<'_> {
    pub(super) fn lobby(&self) -> Lobby<'_> {
        Lobby {
            fleet: &self.fleet,
            live: self.live,
        }
    }

    /// The connection that a message takes; none if it goes as a datagram.
    ///
    /// A response takes the transport of its request (RFC 6142 §2.4), a request of the head-end the
    /// connection that the meter has opened, one of a meter what the scenario wants.
    pub(super) fn stream_for(
        &mut self,
        side: Side,
        from: Ipv4Addr,
        to: SocketAddrV4,
        octets: &[u8],
    ) -> Option<Result<u64, &'static str>> {
        if is_response(octets) {
            if let Some(id) = self.connections.answering(from, to) {
                return Some(Ok(id));
            }
            // Nobody else is at the port of a connection that was closed before the answer.
            let over = to.port() != self.live.c1222_port && self.connections.is_over(from, to);
            return over.then_some(Err("closed"));
        }
        match (side, self.live.transport) {
            (Side::Headend(_), _) => self.connections.between(from, *to.ip()).map(Ok),
            (Side::Meters, Transport::Udp) => None,
            (Side::Meters, Transport::Tcp) => {
                if let Some(id) = self.connections.between(from, *to.ip()) {
                    return Some(Ok(id));
                }
                let now = self.clock.elapsed();
                let opened = self.connections.open(side, from, to, &self.epoll, now);
                Some(opened)
            }
        }
    }

    /// Serves the listener or the connection that the kernel calls `token`.
    pub(super) fn stream_ready(&mut self, token: u64) {
        let now = self.clock.elapsed();
        if token >= CONNECTIONS {
            let id = token - CONNECTIONS;
            self.connections.ready(id, &self.epoll, now);
        } else {
            let lobby = Lobby {
                fleet: &self.fleet,
                live: self.live,
            };
            let index = (token - LISTENERS) as usize;
            self.connections.accept(index, &lobby, &self.epoll, now);
        }
        self.settle_streams();
    }

    /// Lets everything take effect that has happened on connections.
    pub(super) fn settle_streams(&mut self) {
        let channel = Channel::C1222;
        while let Some(happening) = self.connections.happened() {
            match happening {
                Happening::Received(passed) => {
                    let len = passed.octets.len() as u64;
                    if let Some(figures) = self.figures_of(passed.side) {
                        figures.received += 1;
                        figures.received_octets += len;
                    }
                    self.take_in(&Arrival {
                        side: passed.side,
                        channel,
                        source: passed.remote,
                        destination: passed.local,
                        octets: &passed.octets,
                        truncated: false,
                    });
                }
                Happening::Sent(passed) => {
                    let len = passed.octets.len() as u64;
                    if let Some(figures) = self.figures_of(passed.side) {
                        figures.sent += 1;
                        figures.sent_octets += len;
                    }
                    let sockets = (passed.local, passed.remote);
                    self.observe(sockets, channel, passed.side, &passed.octets, false);
                }
                Happening::Broken(side, local, cause) => {
                    if let Some(addressee) = ports::addressee(&self.fleet, side, local)
                        && let Some(domain) = &mut self.domains[addressee.domain]
                    {
                        let telemetry = domain.world_mut().telemetry_mut();
                        telemetry.reject(addressee.node, "socket", cause);
                    }
                }
            }
        }
        for (cause, count) in self.connections.take_unsent() {
            *self.figures.unsent.entry(cause).or_default() += count;
        }
    }

    fn figures_of(&mut self, side: Side) -> Option<&mut super::PortFigures> {
        let mut streams = self.streams.iter_mut();
        let stream = streams.find(|(whose, _)| *whose == side);
        stream.map(|(_, figures)| figures)
    }
}
