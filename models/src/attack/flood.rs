//! State exhaustion of the authentication agent (RFC 5191 §11.1).
//!
//! A PCI costs 16 octets and needs no answer. An agent that keeps state for each, and repeats its
//! PAR until it gives up, holds rate × patience half-open sessions.

use core::net::{Ipv4Addr, SocketAddrV4};

use firmware::crypto::Work;
use firmware::pana::{Emitter, Flags, MessageType};

use super::behaviour::{Behaviour, Scene};
use crate::datagram::PANA_PORT;

/// Spoofed sources are of 198.18.0.0/15, which is assigned to nobody (RFC 2544).
const SPOOFED_NETWORK: u32 = 0xC612_0000;
/// Host bits of that network.
const SPOOFED_HOSTS: u64 = 1 << 17;
/// Ports that sources are drawn from: the dynamic ones (RFC 6335 §6).
const SPOOFED_PORTS: (u16, u64) = (49_152, 16_384);

/// PCI from addresses that nobody has.
#[derive(Debug, Default)]
pub(super) struct Flood;

impl Behaviour for Flood {
    fn begin(&mut self, scene: &mut Scene<'_>) {
        scene.schedule_action();
    }

    fn alarm(&mut self, _payload: u32, scene: &mut Scene<'_>) {
        let host = scene.stream.below(SPOOFED_HOSTS) as u32;
        let port = SPOOFED_PORTS.0 + scene.stream.below(SPOOFED_PORTS.1) as u16;
        let source = SocketAddrV4::new(Ipv4Addr::from_bits(SPOOFED_NETWORK | host), port);
        scene.send_up(source, PANA_PORT, initiation(), "initiate", None);
        scene.schedule_action();
    }
}

/// A PCI: the same 16 octets from everybody (RFC 5191 §7.1).
pub(super) fn initiation() -> Vec<u8> {
    let mut octets = Vec::new();
    Emitter::new(
        &mut octets,
        MessageType::ClientInitiation,
        Flags::NONE,
        0,
        0,
    )
    .finish(None, &mut Work::NONE.clone());
    octets
}
