//! The headers around a datagram: Ethernet, IPv4 and UDP.

use std::net::SocketAddrV4;

/// Octets of an IPv4 header without options (RFC 791 §3.1).
const IPV4_OCTETS: usize = 20;
/// Octets of a UDP header (RFC 768).
const UDP_OCTETS: usize = 8;
/// Octets of an Ethernet frame without its check sequence, at least (IEEE 802.3 §4.4.2).
const ETHERNET_UNCHECKED_MIN: usize = 60;
/// Octets of the frame check sequence (IEEE 802.3 §3.2.9).
pub const FCS_OCTETS: u8 = 4;
/// Protocol number of UDP.
const UDP: u8 = 17;

/// Appends the datagram as an IPv4 packet with correct checksums.
pub fn ipv4(
    frame: &mut Vec<u8>,
    (source, destination): (SocketAddrV4, SocketAddrV4),
    payload: &[u8],
) {
    let start = frame.len();
    let udp_octets = (UDP_OCTETS + payload.len()) as u16;
    let total = (IPV4_OCTETS + UDP_OCTETS + payload.len()) as u16;
    frame.extend_from_slice(&[0x45, 0]);
    frame.extend_from_slice(&total.to_be_bytes());
    // Not to be fragmented, so the identification has no meaning (RFC 6864 §4.1).
    frame.extend_from_slice(&[0, 0, 0x40, 0, 64, UDP, 0, 0]);
    frame.extend_from_slice(&source.ip().octets());
    frame.extend_from_slice(&destination.ip().octets());
    let checksum = checksum(&[&frame[start..]]);
    frame[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());

    let udp = frame.len();
    frame.extend_from_slice(&source.port().to_be_bytes());
    frame.extend_from_slice(&destination.port().to_be_bytes());
    frame.extend_from_slice(&udp_octets.to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(payload);
    let [high, low] = udp_octets.to_be_bytes();
    let pseudo_header = [0, UDP, high, low];
    let addresses = &frame[start + 12..start + IPV4_OCTETS];
    // Zero would say that there is no checksum.
    let checksum = match self::checksum(&[addresses, &pseudo_header, &frame[udp..]]) {
        0 => u16::MAX,
        checksum => checksum,
    };
    frame[udp + 6..udp + 8].copy_from_slice(&checksum.to_be_bytes());
}

/// Appends the datagram as an Ethernet II frame, padded, with its frame check sequence.
///
/// Stations have locally administered addresses: 02-00 and the four octets of the IPv4 address.
pub fn ethernet(frame: &mut Vec<u8>, sockets: (SocketAddrV4, SocketAddrV4), payload: &[u8]) {
    let start = frame.len();
    let (source, destination) = sockets;
    for station in [destination, source] {
        frame.extend_from_slice(&[2, 0]);
        frame.extend_from_slice(&station.ip().octets());
    }
    frame.extend_from_slice(&[0x08, 0x00]);
    ipv4(frame, sockets, payload);
    let length = (frame.len() - start).max(ETHERNET_UNCHECKED_MIN);
    frame.resize(start + length, 0);
    let check = crc32(&frame[start..]);
    frame.extend_from_slice(&check.to_le_bytes());
}

/// The Internet checksum (RFC 1071) over `parts`, all but the last of an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        let (words, rest) = part.as_chunks();
        for word in words {
            sum += u32::from(u16::from_be_bytes(*word));
        }
        if let [last] = rest {
            sum += u32::from(*last) << 8;
        }
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// The check sequence of IEEE 802.3 §3.2.9.
fn crc32(octets: &[u8]) -> u32 {
    let step = |crc: u32, octet: &u8| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !octets.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::link::Medium;

    fn sockets() -> (SocketAddrV4, SocketAddrV4) {
        (
            SocketAddrV4::new([10, 0, 0, 1].into(), 716),
            SocketAddrV4::new([172, 16, 0, 1].into(), 716),
        )
    }

    #[test]
    fn the_check_sequence_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // §3: the sum of these words is DDF2.
        let words = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7];
        assert_eq!(checksum(&[&words]), !0xDDF2);
    }

    #[test]
    fn checksums_verify_for_odd_and_even_lengths() {
        for length in [0, 1, 15, 16, 1_400] {
            let mut frame = Vec::new();
            ipv4(&mut frame, sockets(), &vec![0xA5; length]);
            assert_eq!(checksum(&[&frame[..20]]), 0);
            let udp = &frame[20..];
            let pseudo_header = [0, UDP, udp[4], udp[5]];
            assert_eq!(checksum(&[&frame[12..20], &pseudo_header, udp]), 0);
        }
    }

    #[test]
    fn frames_are_as_long_as_the_link_model_counts_them() {
        for length in [0, 16, 40, 100] {
            let (mut ip, mut lan) = (Vec::new(), Vec::new());
            ipv4(&mut ip, sockets(), &vec![1; length]);
            ethernet(&mut lan, sockets(), &vec![1; length]);
            assert_eq!(ip.len(), Medium::Wan.frame_octets(length));
            assert_eq!(lan.len(), Medium::Ethernet.frame_octets(length));
        }
    }
}
