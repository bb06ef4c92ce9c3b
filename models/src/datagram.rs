//! Datagrams in flight and what they carry.

use core::net::SocketAddrV4;

use crate::time::Time;

/// UDP port of PANA (RFC 5191 §6.1).
pub const PANA_PORT: u16 = 716;
/// UDP port of C12.22 (RFC 6142 §2.1).
pub const C1222_PORT: u16 = 1153;

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where it came from.
    pub source: SocketAddrV4,
    /// Where it goes.
    pub destination: SocketAddrV4,
    /// When it was handed to the link.
    pub sent: Time,
    /// The UDP payload.
    pub octets: Vec<u8>,
    /// Ground truth: the label of an attacker that sent or altered it, zero without one.
    pub label: u64,
}

/// Index of a datagram in a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub u32);

/// The datagrams of one domain; buffers are reused, so nothing is allocated in a steady state.
#[derive(Debug, Default)]
pub struct Pool {
    slots: Vec<Datagram>,
    free: Vec<u32>,
}

impl Pool {
    /// Copies `octets` into a free slot.
    pub fn insert(
        &mut self,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        sent: Time,
        octets: &[u8],
    ) -> Handle {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.source = source;
            slot.destination = destination;
            slot.sent = sent;
            slot.label = 0;
            slot.octets.clear();
            slot.octets.extend_from_slice(octets);
            return Handle(index);
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 datagrams in flight");
        self.slots.push(Datagram {
            source,
            destination,
            sent,
            octets: octets.to_vec(),
            label: 0,
        });
        Handle(index)
    }

    /// The datagram of `handle`, which has not been released.
    pub fn get_mut(&mut self, handle: Handle) -> &mut Datagram {
        &mut self.slots[handle.0 as usize]
    }

    /// Gives the slot of `handle` back.
    pub fn release(&mut self, handle: Handle) {
        self.free.push(handle.0);
    }

    /// Datagrams in flight.
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// What a datagram is, as far as traffic statistics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum MessageType {
    /// PANA-Client-Initiation.
    Pci,
    /// PANA-Auth-Request that starts a session.
    ParStart,
    /// PANA-Auth-Answer that starts a session.
    PanStart,
    /// PANA-Auth-Request within an authentication.
    Par,
    /// PANA-Auth-Answer within an authentication.
    Pan,
    /// PANA-Auth-Request that completes an authentication.
    ParComplete,
    /// PANA-Auth-Answer that completes an authentication.
    PanComplete,
    /// PANA-Notification-Request for re-authentication.
    PnrAuth,
    /// PANA-Notification-Answer for re-authentication.
    PnaAuth,
    /// PANA-Notification-Request as a ping.
    PnrPing,
    /// PANA-Notification-Answer to a ping.
    PnaPing,
    /// PANA-Termination-Request.
    Ptr,
    /// PANA-Termination-Answer.
    Pta,
    /// Anything else on the PANA port.
    PanaOther,
    /// C12.22 request or notification.
    C1222Request,
    /// C12.22 response.
    C1222Response,
    /// Part of a C12.22 message that is longer than a datagram.
    C1222Segment,
    /// Anything on another port.
    Other,
}

impl MessageType {
    /// Every type, in the order of their discriminants.
    pub const ALL: [Self; 18] = [
        Self::Pci,
        Self::ParStart,
        Self::PanStart,
        Self::Par,
        Self::Pan,
        Self::ParComplete,
        Self::PanComplete,
        Self::PnrAuth,
        Self::PnaAuth,
        Self::PnrPing,
        Self::PnaPing,
        Self::Ptr,
        Self::Pta,
        Self::PanaOther,
        Self::C1222Request,
        Self::C1222Response,
        Self::C1222Segment,
        Self::Other,
    ];

    /// The type of a datagram to or from the well-known `port` with UDP payload `octets`.
    ///
    /// Reads header fields only: what an observer on the link can tell.
    pub fn classify(port: u16, octets: &[u8]) -> Self {
        match port {
            PANA_PORT => Self::classify_pana(octets),
            C1222_PORT => Self::classify_c1222(octets),
            _ => Self::Other,
        }
    }

    /// RFC 5191 §6.2: flags in octets 4 and 5, message type in octets 6 and 7.
    fn classify_pana(octets: &[u8]) -> Self {
        const REQUEST: u8 = 0x80;
        const START: u8 = 0x40;
        const COMPLETE: u8 = 0x20;
        const AUTH: u8 = 0x10;
        let Some(&[_, _, _, _, flags, _, 0, kind]) = octets.first_chunk::<8>() else {
            return Self::PanaOther;
        };
        let is = |flag| flags & flag != 0;
        match (kind, is(REQUEST)) {
            (1, false) => Self::Pci,
            (2, true) if is(START) => Self::ParStart,
            (2, false) if is(START) => Self::PanStart,
            (2, true) if is(COMPLETE) => Self::ParComplete,
            (2, false) if is(COMPLETE) => Self::PanComplete,
            (2, true) => Self::Par,
            (2, false) => Self::Pan,
            (3, true) => Self::Ptr,
            (3, false) => Self::Pta,
            (4, true) if is(AUTH) => Self::PnrAuth,
            (4, false) if is(AUTH) => Self::PnaAuth,
            (4, true) => Self::PnrPing,
            (4, false) => Self::PnaPing,
            _ => Self::PanaOther,
        }
    }

    /// A called invocation id (element A4) marks a response, a length of the whole (A3) a segment;
    /// both stand before the element A6.
    fn classify_c1222(octets: &[u8]) -> Self {
        if octets.first() != Some(&0x60) {
            return Self::Other;
        }
        let mark = first_elements(octets).find(|tag| matches!(tag, 0xA3 | 0xA4));
        match mark {
            Some(0xA3) => Self::C1222Segment,
            Some(_) => Self::C1222Response,
            None => Self::C1222Request,
        }
    }

    /// Whether it is C12.22: what meters are there for, unlike the authentication.
    pub const fn is_application(self) -> bool {
        matches!(
            self,
            Self::C1222Request | Self::C1222Response | Self::C1222Segment
        )
    }

    /// The protocol in results.
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::C1222Request | Self::C1222Response | Self::C1222Segment => "c1222",
            Self::Other => "other",
            _ => "pana",
        }
    }

    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pci => "pci",
            Self::ParStart => "par_start",
            Self::PanStart => "pan_start",
            Self::Par => "par",
            Self::Pan => "pan",
            Self::ParComplete => "par_complete",
            Self::PanComplete => "pan_complete",
            Self::PnrAuth => "pnr_auth",
            Self::PnaAuth => "pna_auth",
            Self::PnrPing => "pnr_ping",
            Self::PnaPing => "pna_ping",
            Self::Ptr => "ptr",
            Self::Pta => "pta",
            Self::PanaOther => "pana_other",
            Self::C1222Request => "request",
            Self::C1222Response => "response",
            Self::C1222Segment => "segment",
            Self::Other => "other",
        }
    }
}

/// Whether the C12.22 message is a response, or a segment of one.
///
/// Reads header fields only, as [`MessageType::classify`] does.
pub fn is_response(octets: &[u8]) -> bool {
    octets.first() == Some(&0x60) && first_elements(octets).any(|tag| tag == 0xA4)
}

/// The tags of the elements A1 to A4 of an APDU, up to the first one that is none of these.
fn first_elements(octets: &[u8]) -> impl Iterator<Item = u8> {
    let length_octets = match octets.get(1) {
        Some(&first) if first & 0x80 != 0 => 1 + usize::from(first & 0x7F),
        _ => 1,
    };
    let mut elements = octets.get(1 + length_octets..).unwrap_or_default();
    core::iter::from_fn(move || {
        let [tag @ (0xA1..=0xA4), length, rest @ ..] = elements else {
            return None;
        };
        elements = rest.get(usize::from(*length)..).unwrap_or_default();
        Some(*tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart_by_header_fields() {
        let pana = |flags: u8, kind: u8| {
            MessageType::classify(PANA_PORT, &[0, 0, 0, 16, flags, 0, 0, kind, 0, 0, 0, 0])
        };
        assert_eq!(pana(0, 1), MessageType::Pci);
        assert_eq!(pana(0xC0, 2), MessageType::ParStart);
        assert_eq!(pana(0x20, 2), MessageType::PanComplete);
        assert_eq!(pana(0x90, 4), MessageType::PnrAuth);
        assert_eq!(pana(0x08, 4), MessageType::PnaPing);
        assert_eq!(pana(0x80, 9), MessageType::PanaOther);
        assert_eq!(
            MessageType::classify(PANA_PORT, &[1, 2]),
            MessageType::PanaOther
        );
        let c1222 = |octets: &[u8]| MessageType::classify(C1222_PORT, octets);
        assert_eq!(
            c1222(&[0x60, 9, 0xA2, 1, 7, 0xA4, 3, 2, 1, 1]),
            MessageType::C1222Response
        );
        assert_eq!(
            c1222(&[0x60, 0x81, 9, 0xA2, 1, 7, 0xA6, 1, 1]),
            MessageType::C1222Request
        );
        assert_eq!(
            c1222(&[0x60, 9, 0xA2, 1, 7, 0xA3, 3, 2, 1, 99]),
            MessageType::C1222Segment
        );
        assert!(is_response(&[0x60, 9, 0xA2, 1, 7, 0xA3, 1, 99, 0xA4, 1, 1]));
        assert!(!is_response(&[
            0x60, 9, 0xA2, 1, 7, 0xA3, 1, 99, 0xA6, 1, 1
        ]));
        assert_eq!(c1222(&[]), MessageType::Other);
        assert_eq!(c1222(&[0x60, 0xFF]), MessageType::C1222Request);
    }

    #[test]
    fn types_are_listed_in_the_order_of_their_discriminants() {
        for (index, kind) in MessageType::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }

    #[test]
    fn a_pool_reuses_released_slots() {
        let address = SocketAddrV4::new([10, 0, 0, 1].into(), PANA_PORT);
        let mut pool = Pool::default();
        let first = pool.insert(address, address, Time::ZERO, b"first");
        pool.release(first);
        let second = pool.insert(address, address, Time::ZERO, b"second one");
        assert_eq!(first, second);
        assert_eq!(pool.get_mut(second).octets, b"second one");
        assert_eq!(pool.in_flight(), 1);
    }
}
