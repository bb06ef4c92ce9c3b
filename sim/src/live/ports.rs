//! The sockets of a live run, and which node is behind which.

use std::net::{Ipv4Addr, SocketAddrV4};

use firmware::meter::Channel;
use models::context::is_c1222;
use models::datagram::{C1222_PORT, Datagram, PANA_PORT, is_response};
use models::fleet::Fleet;
use models::telemetry::NodeId;

use super::LiveError;
use super::figures::PortFigures;
use super::tcp::Listener;
use super::udp::{Home, UdpPort};
use crate::scenario::live::{Live, Role};

/// Who is behind a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// A head-end instance.
    Headend(u32),
    /// All meters, and concentrators.
    Meters,
}

impl Side {
    /// Where its sockets are.
    fn home(self, fleet: &Fleet, live: &Live) -> Home {
        match self {
            Self::Headend(instance) => Home::One(fleet.instance_address(instance)),
            Self::Meters if live.meters.0.is_loopback() => Home::Loopback,
            Self::Meters => Home::All,
        }
    }

    /// The first of its addresses.
    fn address(self, fleet: &Fleet, live: &Live) -> Ipv4Addr {
        match self {
            Self::Headend(instance) => fleet.instance_address(instance),
            Self::Meters => live.meters.0,
        }
    }

    /// In the names of its ports.
    fn name(self) -> String {
        match self {
            Self::Headend(instance) => format!("head-end {instance}"),
            Self::Meters => "meters".to_owned(),
        }
    }
}

/// A UDP socket with its figures.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) socket: UdpPort,
    pub(super) side: Side,
    pub(super) channel: Channel,
    pub(super) figures: PortFigures,
}

/// A node that something has arrived for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addressee {
    /// In results.
    pub(super) node: NodeId,
    /// Its entity, or that of the concentrator before it.
    pub(super) target: u32,
    /// The domain of that entity.
    pub(super) domain: usize,
}

/// The sides that a process plays.
fn sides(fleet: &Fleet, live: &Live) -> impl Iterator<Item = Side> {
    let instances = if live.role == Role::Meters {
        0
    } else {
        fleet.headend.instances
    };
    let meters = (live.role != Role::Headend).then_some(Side::Meters);
    (0..instances).map(Side::Headend).chain(meters)
}

/// Opens the UDP sockets of the sides that are played.
pub(super) fn open(fleet: &Fleet, live: &Live) -> Result<Vec<Port>, LiveError> {
    let numbers = [
        (Channel::Pana, live.pana_port),
        (Channel::C1222, live.c1222_port),
    ];
    let mut ports = Vec::new();
    for (channel, number) in numbers {
        for side in sides(fleet, live) {
            let address = SocketAddrV4::new(side.address(fleet, live), number);
            let socket = UdpPort::open(side.home(fleet, live), number);
            let socket = socket.map_err(|source| LiveError::Open {
                protocol: "UDP",
                address,
                source,
            })?;
            let figures = PortFigures {
                name: format!("{} {}", side.name(), channel.name()),
                address: address.to_string(),
                buffer_octets: socket.buffer_octets(),
                ..PortFigures::default()
            };
            ports.push(Port {
                socket,
                side,
                channel,
                figures,
            });
        }
    }
    Ok(ports)
}

/// Opens the TCP ports of the sides that are played, each with its figures.
pub(super) fn listen(
    fleet: &Fleet,
    live: &Live,
) -> Result<Vec<(Listener, PortFigures)>, LiveError> {
    let listen = |side: Side| {
        let address = SocketAddrV4::new(side.address(fleet, live), live.c1222_port);
        let listener = Listener::open(side.home(fleet, live), side, live.c1222_port);
        let listener = listener.map_err(|source| LiveError::Open {
            protocol: "TCP",
            address,
            source,
        })?;
        let figures = PortFigures {
            name: format!("{} {} tcp", side.name(), Channel::C1222.name()),
            address: address.to_string(),
            ..PortFigures::default()
        };
        Ok((listener, figures))
    };
    sides(fleet, live).map(listen).collect()
}

/// Between the ports that models know and those that sockets have.
///
/// PANA and C12.22 have fixed ports in the models; a socket may have another one. The two numbers
/// change places, so that nothing is lost and a peer at any port gets its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortMap {
    pana: u16,
    c1222: u16,
}

impl PortMap {
    pub(super) const fn new(live: &Live) -> Self {
        Self {
            pana: live.pana_port,
            c1222: live.c1222_port,
        }
    }

    /// The number in the other world of `port` on `channel`.
    pub(super) const fn translate(self, channel: Channel, port: u16) -> u16 {
        let (ours, theirs) = match channel {
            Channel::Pana => (PANA_PORT, self.pana),
            Channel::C1222 => (C1222_PORT, self.c1222),
        };
        if port == ours {
            theirs
        } else if port == theirs {
            ours
        } else {
            port
        }
    }
}

/// The port of `channel` in the models.
pub(super) const fn canonical(channel: Channel) -> u16 {
    match channel {
        Channel::Pana => PANA_PORT,
        Channel::C1222 => C1222_PORT,
    }
}

/// What a node speaks at a port of the models.
pub(super) const fn channel_of(port: u16) -> Channel {
    if is_c1222(port) {
        Channel::C1222
    } else {
        Channel::Pana
    }
}

/// Who gets what has arrived for `destination` at a socket of `side`.
pub(super) fn addressee(fleet: &Fleet, side: Side, destination: Ipv4Addr) -> Option<Addressee> {
    match side {
        Side::Headend(instance) => Some(Addressee {
            node: NodeId::Instance(instance),
            target: fleet.instance_entity(instance),
            domain: fleet.domain_of_instance(instance),
        }),
        Side::Meters => {
            if let Some(meter) = fleet.meter_of_address(destination) {
                let home = fleet.meshes.home(meter);
                let through = home.map(|home| fleet.concentrator_entity(home.concentrator));
                return Some(Addressee {
                    node: NodeId::Meter(meter),
                    target: through.unwrap_or(meter),
                    domain: fleet.domain_of_meter(meter),
                });
            }
            let concentrator = fleet.concentrator_of_address(destination)?;
            Some(Addressee {
                node: NodeId::Concentrator(concentrator),
                target: fleet.concentrator_entity(concentrator),
                domain: fleet.domain_of_concentrator(concentrator),
            })
        }
    }
}

/// Which socket a datagram of the models leaves by: its side, its channel and the real sockets.
pub(super) fn route(
    fleet: &Fleet,
    live: &Live,
    map: PortMap,
    datagram: &Datagram,
) -> (Side, Channel, SocketAddrV4) {
    let (source, destination) = (datagram.source, datagram.destination);
    let instance = fleet.instance_of_address(*source.ip());
    if live.role != Role::Meters
        && let Some(instance) = instance
    {
        let channel = channel_of(source.port());
        let port = map.translate(channel, destination.port());
        let to = SocketAddrV4::new(*destination.ip(), port);
        return (Side::Headend(instance), channel, to);
    }
    let channel = channel_of(source.port());
    let exactly = || {
        let port = map.translate(channel, destination.port());
        SocketAddrV4::new(*destination.ip(), port)
    };
    let to = match (channel, live.c1222) {
        (Channel::C1222, _) if is_response(&datagram.octets) => exactly(),
        (Channel::C1222, Some(host)) => {
            let port = host.port.unwrap_or(live.c1222_port);
            SocketAddrV4::new(host.address, port)
        }
        (Channel::C1222, None) => exactly(),
        (Channel::Pana, _) => {
            let other = live.paa.and_then(|paa| paa.port);
            SocketAddrV4::new(*destination.ip(), other.unwrap_or(live.pana_port))
        }
    };
    (Side::Meters, channel, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_change_places_and_back() {
        let map = PortMap {
            pana: 7160,
            c1222: C1222_PORT,
        };
        for port in [PANA_PORT, 7160, 40_000, C1222_PORT] {
            for channel in [Channel::Pana, Channel::C1222] {
                let there = map.translate(channel, port);
                assert_eq!(map.translate(channel, there), port);
            }
        }
        assert_eq!(map.translate(Channel::Pana, 7160), PANA_PORT);
        assert_eq!(map.translate(Channel::C1222, C1222_PORT), C1222_PORT);
    }
}
