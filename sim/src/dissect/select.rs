//! Which frames of a capture are wanted.

use std::net::IpAddr;

use super::Frame;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PANA without an EAP packet in it.
    Pana,
    /// PANA with an EAP packet in it.
    Eap,
    /// C12.22.
    C1222,
    /// A frame of a home area network, IEEE 802.15.4.
    Han,
    /// Anything else.
    Other,
}

impl Protocol {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pana => "pana",
            Self::Eap => "eap",
            Self::C1222 => "c1222",
            Self::Han => "han",
            Self::Other => "other",
        }
    }

    /// Whether whoever wants `self` wants a frame of `other`: PANA carries EAP.
    const fn includes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Pana, Self::Pana | Self::Eap)
                | (Self::Eap, Self::Eap)
                | (Self::C1222, Self::C1222)
                | (Self::Han, Self::Han)
                | (Self::Other, Self::Other)
        )
    }
}

/// Which frames are wanted; empty lists want all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Addresses at either end, or of the PaC that a relay element or a C12.22 relay speaks for.
    pub addresses: Vec<IpAddr>,
    /// Meters whose home area network is wanted as well, where addresses are given.
    pub homes: Vec<u32>,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// The first instant, in nanoseconds.
    pub from_ns: u64,
    /// The first instant that is not wanted any more, if there is one.
    pub until_ns: Option<u64>,
    /// Only frames of which something cannot be read, breaks a rule or fails to verify.
    pub unsound_only: bool,
}

impl Selection {
    /// Whether `frame` is wanted.
    pub fn wants(&self, frame: &Frame) -> bool {
        let sockets = [frame.source, frame.destination, frame.pac];
        let mut addresses = sockets.iter().flatten().map(|socket| socket.ip());
        let until_ns = self.until_ns.unwrap_or(u64::MAX);
        (self.from_ns..until_ns).contains(&frame.time_ns)
            && (self.addresses.is_empty()
                || addresses.any(|address| self.addresses.contains(&address))
                || frame.home.is_some_and(|home| self.homes.contains(&home)))
            && (self.protocols.is_empty()
                || self
                    .protocols
                    .iter()
                    .any(|wanted| wanted.includes(frame.protocol)))
            && (!self.unsound_only || frame.is_unsound())
    }
}
