//! Live endpoints in the scenario language.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use firmware::Duration;
use models::address::AddressPlan;

use super::record::{choice, record, settings};
use super::schema::Scenario;
use super::units::{BadQuantity, Quantity};

/// An IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub Ipv4Addr);

/// An IPv4 address, and a port unless it is the usual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: Ipv4Addr,
    /// The port, if another than the usual one.
    pub port: Option<u16>,
}

settings! {
    /// How `meterstorm live` puts the scenario on the sockets of this machine.
    pub struct Live {
        /// Which side this process plays.
        role: Role = Role::Both,
        /// Address of the first head-end instance; the others follow.
        bind: Address = Address(Ipv4Addr::new(127, 0, 0, 1)),
        /// Address of the first meter; the others follow.
        meters: Address = Address(Ipv4Addr::new(127, 16, 0, 1)),
        /// Address of the first concentrator; the others follow.
        concentrators: Address = Address(Ipv4Addr::new(127, 8, 0, 1)),
        /// UDP port of PANA on both sides; below 1024 needs a privilege.
        pana_port: u16 = 716,
        /// UDP and TCP port of C12.22 on both sides.
        c1222_port: u16 = 1153,
        /// Where meters find a PAA that is not this program; its port if not `pana_port`.
        paa: Option<Peer> = None,
        /// Where meters find the C12.22 host; at the address of the PAA if absent.
        c1222: Option<Peer> = None,
        /// How meters open conversations in C12.22.
        transport: Transport = Transport::Udp,
        /// Whether peers on other machines are served, too.
        exposed: bool = false,
        /// What is between the ends besides the network that is really there.
        links: Links = Links::Real,
        /// Virtual seconds per second, 0.1 to 100.
        pace: f64 = 1.0,
        /// What becomes of sessions when the program ends.
        at_end: AtEnd = AtEnd::Terminate,
        /// Optical ports of meters on pseudo-terminals.
        optical: LiveOptical = LiveOptical::default(),
        /// What protects the program from its peers.
        limits: LiveLimits = LiveLimits::default(),
    }
}

choice! {
    /// A side of the conversation.
    #[derive(Copy, Eq)]
    pub enum Role {
        /// Meters and head-end, which converse through the sockets.
        Both,
        /// The meters alone, for a head-end that is another program.
        Meters,
        /// The head-end alone, for meters that are real or in another process.
        Headend,
    }
}

choice! {
    /// How C12.22 messages travel (RFC 6142).
    #[derive(Copy, Eq)]
    pub enum Transport {
        /// One datagram per message.
        Udp,
        /// A connection of each meter, opened when it has something to say. The head-end uses it
        /// for its own requests as well; a connection that it has opened itself serves as well.
        Tcp,
    }
}

choice! {
    /// What is between the ends.
    #[derive(Copy, Eq)]
    pub enum Links {
        /// The real network alone.
        Real,
        /// The delay and the loss of the media as well, on the side of the sender.
        Modelled,
    }
}

choice! {
    /// What becomes of sessions.
    #[derive(Copy, Eq)]
    pub enum AtEnd {
        /// They are terminated (RFC 5191 §4.4).
        Terminate,
        /// They are left to expire at the other end.
        Leave,
    }
}

settings! {
    /// What protects live endpoints from their peers; zero means no limit.
    pub struct LiveLimits {
        /// Datagrams, and messages on connections, per second from one address, of which a
        /// second's worth may come at once. The head-end that meters have been told of is exempt.
        per_source: u32 = 200,
        /// Datagrams and messages per second from all addresses together.
        total: u32 = 100_000,
        /// TCP connections of peers that are open at once, 1 to 15,000.
        connections: u32 = 4_096,
        /// TCP connections of one address. The head-end that meters have been told of is exempt.
        connections_per_source: u32 = 16,
        /// After so long without a complete message a TCP connection is closed. One that is not
        /// complete within 30 s closes it as well.
        idle: Duration = Duration::from_secs(300),
    }
}

settings! {
    /// Meters whose optical port is a pseudo-terminal, for programs that speak C12.18.
    pub struct LiveOptical {
        /// So many meters from the first on, at most 500.
        first: u32 = 0,
        /// Numbers of more meters, which count from 0.
        meters: Vec<u32> = Vec::new(),
        /// Whether octets take the time of a line at the agreed speed.
        paced: bool = true,
    }
}

impl LiveOptical {
    /// Most ports of a process: each is an open file.
    pub const PORTS_MAX: usize = 500;

    /// The numbers of the meters, in order.
    pub fn numbers(&self) -> Vec<u32> {
        let numbers: BTreeSet<u32> = (0..self.first).chain(self.meters.iter().copied()).collect();
        numbers.into_iter().collect()
    }
}

impl Quantity for Address {
    const WANTED: &'static str = "an IPv4 address such as \"127.0.0.1\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        address(text).map(Self)
    }

    fn to_text(self) -> String {
        self.0.to_string()
    }
}

impl Quantity for Peer {
    const WANTED: &'static str = "an IPv4 address, as in \"192.0.2.1\" or \"192.0.2.1:7160\"";

    fn parse(text: &str) -> Result<Self, BadQuantity> {
        let Some((host, port)) = text.split_once(':') else {
            let address = address(text)?;
            return Ok(Self {
                address,
                port: None,
            });
        };
        let number = port.parse().ok().filter(|port| *port != 0);
        let port = number.ok_or_else(|| BadQuantity {
            offset: host.len() + 1,
            why: format!("{port:?} is not a port from 1 to 65535"),
        })?;
        Ok(Self {
            address: address(host)?,
            port: Some(port),
        })
    }

    fn to_text(self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.address),
            None => self.address.to_string(),
        }
    }
}

fn address(text: &str) -> Result<Ipv4Addr, BadQuantity> {
    text.parse().map_err(|_| BadQuantity {
        offset: 0,
        why: "it is not four numbers up to 255 with dots in between".to_owned(),
    })
}

impl Live {
    /// The addresses of everybody, in the view of this process.
    pub fn addresses(&self) -> AddressPlan {
        let instances = match (self.role, self.paa) {
            (Role::Meters, Some(paa)) => paa.address,
            _ => self.bind.0,
        };
        AddressPlan {
            meters: self.meters.0,
            instances,
            concentrators: self.concentrators.0,
        }
    }

    /// The blocks of addresses that this process has, each with its field, its first address and
    /// how many there are.
    pub fn blocks(&self, scenario: &Scenario) -> Vec<(&'static str, Ipv4Addr, u64)> {
        let count = |cohort: &super::schema::Cohort| u64::from(cohort.count);
        let meters = scenario.cohorts.iter().map(count).sum();
        let instances = u64::from(scenario.headend.instances);
        let mut blocks = Vec::new();
        if self.role != Role::Meters {
            blocks.push(("live.bind", self.bind.0, instances));
        }
        if self.role != Role::Headend {
            blocks.push(("live.meters", self.meters.0, meters));
            let meshed = |medium: &super::schema::Medium| medium.backhaul().is_some();
            if scenario.media.values().any(meshed) {
                // Every meter might need a concentrator of its own.
                blocks.push(("live.concentrators", self.concentrators.0, meters));
            }
        }
        blocks
    }
}

/// Whether all of the `count` addresses from `first` are loopback addresses (RFC 1122 §3.2.1.3).
pub fn is_loopback(first: Ipv4Addr, count: u64) -> bool {
    let last = u64::from(first.to_bits()) + count.max(1) - 1;
    first.is_loopback() && last < u64::from(Ipv4Addr::new(127, 255, 255, 255).to_bits())
}
