//! The enforcement point (RFC 5191 §2, RFC 5193 §5).
//!
//! Until the PAA has authorised a client nothing passes for it but PANA (UDP port 716) and what it
//! needs to configure an address. The client is known by its IP address and the link that it is
//! attached to, so that a stranger who borrows the address on another link gains nothing.

use core::hash::{BuildHasherDefault, Hasher};
use core::net::IpAddr;

use hashbrown::HashSet;

use super::header::{Flags, Header, MessageType};
use super::{PORT, Reject};

/// Names the link (interface, radio association) that a client is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Which side of the enforcement point a packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The client, not trusted.
    Client,
    /// The network behind the enforcement point.
    Network,
}

/// What a packet is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic<'a> {
    /// ARP, IPv6 neighbour discovery and router solicitation, DHCP.
    AddressConfiguration,
    /// A UDP datagram.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// UDP payload.
        payload: &'a [u8],
    },
    /// Anything else.
    Other,
}

/// The list of clients that have access.
#[derive(Clone, Debug, Default)]
pub struct EnforcementPoint {
    open: HashSet<(IpAddr, LinkId), FixedState>,
}

impl EnforcementPoint {
    /// Lets nobody through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants access: the PAA has authorised the client.
    pub fn open(&mut self, client: IpAddr, link: LinkId) {
        self.open.insert((client, link));
    }

    /// Revokes access: termination, expiry, or a re-authentication that failed.
    pub fn close(&mut self, client: IpAddr, link: LinkId) {
        self.open.remove(&(client, link));
    }

    /// Whether the client has access.
    pub fn is_open(&self, client: IpAddr, link: LinkId) -> bool {
        self.open.contains(&(client, link))
    }

    /// Whether a packet of or for `client` passes.
    ///
    /// A request of a PAA from the client side never does: no client may pose as the PAA.
    pub fn admit(
        &self,
        client: IpAddr,
        link: LinkId,
        from: Side,
        traffic: Traffic<'_>,
    ) -> Result<(), Reject> {
        match traffic {
            Traffic::AddressConfiguration => return Ok(()),
            Traffic::Udp {
                source,
                destination,
                payload,
            } if [source, destination].contains(&PORT) => {
                if from == Side::Client && is_start_request(payload) {
                    return Err(Reject::MessageUnexpected);
                }
                return Ok(());
            }
            Traffic::Udp { .. } | Traffic::Other => {}
        }
        if self.is_open(client, link) {
            Ok(())
        } else {
            Err(Reject::AccessClosed)
        }
    }
}

/// Whether `payload` is a PAR\[S\].
fn is_start_request(payload: &[u8]) -> bool {
    Header::parse(payload).is_ok_and(|header| {
        header.kind == MessageType::Auth && header.flags.contains(Flags::REQUEST.with(Flags::START))
    })
}

/// Hashes alike in every run; the tables are looked up, never iterated.
///
/// Keys that others choose can be made to collide, which costs time but no correctness; a real
/// head-end would seed this from its operating system.
pub(super) type FixedState = BuildHasherDefault<FixedHasher>;

/// Mixes octets by multiplication and rotation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FixedHasher(u64);

impl Default for FixedHasher {
    fn default() -> Self {
        Self(0x51_7C_C1_B7_27_22_0A_95)
    }
}

impl FixedHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        // The table takes its tag from the high bits and its slot from the low ones.
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ (mixed >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for octet in rest {
            self.mix(u64::from(*octet));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 10));
    const LINK: LinkId = LinkId(7);
    const C1222: Traffic<'_> = Traffic::Udp {
        source: 1153,
        destination: 1153,
        payload: &[],
    };

    fn pana(payload: &[u8]) -> Traffic<'_> {
        Traffic::Udp {
            source: 49_755,
            destination: PORT,
            payload,
        }
    }

    #[test]
    fn rfc5191_2_nothing_but_pana_passes_before_authorisation() {
        let mut point = EnforcementPoint::new();
        for side in [Side::Client, Side::Network] {
            assert_eq!(point.admit(CLIENT, LINK, side, pana(&[])), Ok(()));
            assert_eq!(
                point.admit(CLIENT, LINK, side, Traffic::AddressConfiguration),
                Ok(())
            );
            for traffic in [C1222, Traffic::Other] {
                assert_eq!(
                    point.admit(CLIENT, LINK, side, traffic),
                    Err(Reject::AccessClosed)
                );
            }
        }
        point.open(CLIENT, LINK);
        assert_eq!(point.admit(CLIENT, LINK, Side::Client, C1222), Ok(()));
        assert_eq!(
            point.admit(CLIENT, LinkId(8), Side::Client, C1222),
            Err(Reject::AccessClosed),
            "the address on another link is another client"
        );
        point.close(CLIENT, LINK);
        assert_eq!(
            point.admit(CLIENT, LINK, Side::Client, C1222),
            Err(Reject::AccessClosed)
        );
    }

    #[test]
    fn rfc5193_5_a_client_cannot_pose_as_the_paa() {
        let par_start = [0, 0, 0, 16, 0xC0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 1];
        let point = EnforcementPoint::new();
        assert_eq!(
            point.admit(CLIENT, LINK, Side::Client, pana(&par_start)),
            Err(Reject::MessageUnexpected)
        );
        assert_eq!(
            point.admit(CLIENT, LINK, Side::Network, pana(&par_start)),
            Ok(())
        );
    }
}
