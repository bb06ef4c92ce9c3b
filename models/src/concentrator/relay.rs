//! What tells relayed PANA messages apart (RFC 6345).

use core::net::SocketAddr;

use firmware::pana::{Flags, Header, MessageType, relay};

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
    }
}
