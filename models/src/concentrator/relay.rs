//! What tells relayed PANA messages apart (RFC 6345).

use core::net::{SocketAddr, SocketAddrV4};
use core::ops::Range;

use firmware::pana::{Flags, Header, MessageType, relay};

use crate::datagram::PANA_PORT;

/// Whether `octets` are a PRY, a PANA message with another one inside.
pub(crate) fn is_relayed(octets: &[u8]) -> bool {
    Header::parse(octets).is_ok_and(|header| header.kind == MessageType::Relay)
}

/// Whether `octets` are a PAN, PNA or PTA.
pub(crate) fn is_answer(octets: &[u8]) -> bool {
    Header::parse(octets).is_ok_and(|header| {
        let single = matches!(
            header.kind,
            MessageType::ClientInitiation | MessageType::Relay | MessageType::Unknown(_)
        );
        !single && !header.flags.contains(Flags::REQUEST)
    })
}

/// Where in the octets of a PRY the message inside stands, and of or for which PaC it is.
pub(crate) fn inside(octets: &[u8]) -> Option<(SocketAddrV4, Range<usize>)> {
    let (SocketAddr::V4(pac), message) = relay::relay_from_paa(octets).ok()? else {
        return None;
    };
    // The message is the last AVP; its padding goes with what is in front of it.
    let start = octets
        .len()
        .checked_sub(message.len().next_multiple_of(4))?;
    Some((pac, start..start + message.len()))
}

/// Where in the octets of a datagram on `port` the message stands that a meter is about.
pub(crate) fn message_range(port: u16, octets: &[u8]) -> Range<usize> {
    let relayed = port == PANA_PORT && is_relayed(octets);
    let inside = if relayed { inside(octets) } else { None };
    inside.map_or(0..octets.len(), |(_, range)| range)
}

/// The meter that a PANA message of `source` is about: the one behind a relay element, or itself.
///
/// What the head-end draws depends on the meter, not on who happened to relay for it.
pub fn relayed_peer(source: SocketAddr, octets: &[u8]) -> SocketAddr {
    if !is_relayed(octets) {
        return source;
    }
    relay::relay_from_paa(octets).map_or(source, |(pac, _)| pac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relayed_message_is_attributed_to_the_meter_inside() {
        let pci = [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let (meter, element) = (
            "10.0.0.7:716".parse().unwrap(),
            "10.0.0.1:716".parse().unwrap(),
        );
        let mut pry = [0; 56];
        let len = relay::wrap(meter, &pci, &mut pry).unwrap();
        assert!(is_relayed(&pry[..len]) && !is_relayed(&pci));
        assert_eq!(relayed_peer(element, &pry[..len]), meter);
        assert_eq!(relayed_peer(element, &pci), element);
        assert_eq!(relayed_peer(element, &pry[..20]), element, "a stump");
        let range = message_range(PANA_PORT, &pry[..len]);
        assert_eq!(pry[range], pci);
        assert_eq!(message_range(PANA_PORT, &pci), 0..16);
        assert_eq!(message_range(PANA_PORT, &pry[..20]), 0..20);
    }
}
