//! 6LoWPAN: header compression and fragmentation as sizes (RFC 4944, RFC 6282).
//!
//! ```text
//! one frame   | MAC header | security | IPHC + NHC + RPI | UDP payload        | MIC | FCS |
//! fragmented  | MAC header | security | FRAG1 | IPHC ... | first part         | MIC | FCS |
//!             | MAC header | security | FRAGN |            further part       | MIC | FCS |
//! ```
//!
//! Offsets count eight octets of the *uncompressed* datagram (RFC 4944 §5.3), so every fragment
//! but the last carries a multiple of eight of its octets. Only lengths are modelled: the octets of
//! the payload are those of the firmware, those of the headers nobody reads.

/// Octets of an IPv6 header (RFC 8200 §3) and of a UDP header (RFC 768).
const IPV6_UDP_OCTETS: usize = 40 + 8;
/// Octets of the first fragment header (RFC 4944 §5.3).
const FIRST_FRAGMENT_OCTETS: usize = 4;
/// Octets of a subsequent fragment header (RFC 4944 §5.3).
const NEXT_FRAGMENT_OCTETS: usize = 5;
/// The unit of fragment offsets in octets (RFC 4944 §5.3).
const OFFSET_UNIT: usize = 8;

/// How addresses appear in a compressed IPv6 header (RFC 6282 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Both addresses link-local and derived from the MAC header.
    LinkLocal,
    /// Both prefixes from a shared context, both interface identifiers inline.
    GlobalWithContext,
}

impl Addressing {
    /// Octets of the IPHC header, the hop limit being one of those that compress.
    pub const fn iphc_octets(self) -> usize {
        match self {
            Self::LinkLocal => 2,
            // Two octets of dispatch, one of context identifiers, two identifiers of eight.
            Self::GlobalWithContext => 2 + 1 + 16,
        }
    }
}

/// Octets of a UDP header compressed by NHC (RFC 6282 §4.3.3), the checksum carried.
pub const fn udp_nhc_octets(source_port: u16, destination_port: u16) -> usize {
    const fn in_f0bx(port: u16) -> bool {
        port & 0xFFF0 == 0xF0B0
    }
    const fn in_f0xx(port: u16) -> bool {
        port & 0xFF00 == 0xF000
    }
    let ports = if in_f0bx(source_port) && in_f0bx(destination_port) {
        1
    } else if in_f0xx(source_port) || in_f0xx(destination_port) {
        3
    } else {
        4
    };
    1 + ports + 2
}

/// What a frame adds to the part of a datagram that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameProfile {
    /// Longest PSDU in octets, FCS included.
    pub psdu_max: usize,
    /// MAC header and FCS in octets.
    pub mac_octets: usize,
    /// Auxiliary security header and MIC in octets.
    pub security_octets: usize,
    /// IPHC, UDP NHC and RPL information in octets, in the first frame only.
    pub compressed_header_octets: usize,
}

impl FrameProfile {
    /// A secured mesh on 127-octet frames, as in the sizes published for PANA on 802.15.4.
    ///
    /// Extended addresses with a compressed PAN identifier (21) and FCS (2); security level 5
    /// without key source (6 + 4); 34 octets of IPHC, UDP NHC and RPL option.
    pub const SECURED_MESH: Self = Self {
        psdu_max: 127,
        mac_octets: 21 + 2,
        security_octets: 6 + 4,
        compressed_header_octets: Addressing::GlobalWithContext.iphc_octets()
            + udp_nhc_octets(716, 716)
            + 8,
    };

    /// The same on the long frames of IEEE 802.15.4g: 2,047 octets, FCS of four.
    pub const SECURED_LONG_FRAME: Self = Self {
        psdu_max: 2_047,
        mac_octets: 21 + 4,
        ..Self::SECURED_MESH
    };

    /// Octets of every frame that are not of the datagram.
    const fn frame_overhead(&self) -> usize {
        self.mac_octets + self.security_octets
    }

    /// The frames of a datagram with a UDP payload of `payload` octets.
    pub const fn frames(&self, payload: usize) -> Frames {
        Frames {
            profile: *self,
            payload,
            sent: 0,
            finished: false,
        }
    }

    /// How many frames a UDP payload of `payload` octets takes.
    pub fn frame_count(&self, payload: usize) -> usize {
        self.frames(payload).count()
    }

    /// Octets of all PSDUs of a UDP payload of `payload` octets.
    pub fn psdu_octets(&self, payload: usize) -> usize {
        self.frames(payload).sum()
    }
}

/// The PSDU lengths of the frames of one datagram, in order.
#[derive(Clone, Debug)]
pub struct Frames {
    profile: FrameProfile,
    payload: usize,
    /// Octets of the uncompressed datagram in the frames so far.
    sent: usize,
    finished: bool,
}

impl Iterator for Frames {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.finished {
            return None;
        }
        let profile = &self.profile;
        let (overhead, header) = (profile.frame_overhead(), profile.compressed_header_octets);
        let room = profile.psdu_max.saturating_sub(overhead);
        if self.sent == 0 && header + self.payload <= room {
            self.finished = true;
            return Some(overhead + header + self.payload);
        }
        let total = IPV6_UDP_OCTETS + self.payload;
        // In the first fragment the compressed header stands for all of the uncompressed one.
        let (prefix, least) = if self.sent == 0 {
            (FIRST_FRAGMENT_OCTETS + header, IPV6_UDP_OCTETS)
        } else {
            (NEXT_FRAGMENT_OCTETS, 0)
        };
        let carried = least + room.saturating_sub(prefix);
        let rest = total - self.sent;
        // A profile without room for one unit still makes progress.
        let part = if carried >= rest {
            rest
        } else {
            (carried / OFFSET_UNIT * OFFSET_UNIT)
                .max(OFFSET_UNIT)
                .min(rest)
        };
        self.sent += part;
        self.finished = self.sent == total;
        Some(overhead + prefix + part.saturating_sub(least))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Octets of the eleven PANA messages of an authentication with EAP-PSK (RFC 5191 §4.1,
    /// RFC 4764 §3), HMAC-SHA-1 AUTH, identities and nonces of 16 octets.
    pub(in crate::link) const AUTHENTICATION: [usize; 11] =
        [16, 40, 40, 56, 72, 64, 96, 84, 68, 92, 56];

    #[test]
    fn headers_have_the_sizes_of_rfc_6282() {
        assert_eq!(Addressing::LinkLocal.iphc_octets(), 2);
        assert_eq!(Addressing::GlobalWithContext.iphc_octets(), 19);
        assert_eq!(udp_nhc_octets(716, 716), 7);
        assert_eq!(udp_nhc_octets(0xF0B1, 0xF0BF), 4);
        assert_eq!(udp_nhc_octets(0xF012, 716), 6);
        assert_eq!(FrameProfile::SECURED_MESH.compressed_header_octets, 34);
    }

    #[test]
    fn v20_an_authentication_takes_17_frames_of_a_secured_mesh() {
        let profile = FrameProfile::SECURED_MESH;
        let frames = AUTHENTICATION.map(|octets| profile.frame_count(octets));
        assert_eq!(frames, [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 1]);
        assert_eq!(frames.iter().sum::<usize>(), 17);
        let octets = AUTHENTICATION.iter().map(|&len| profile.psdu_octets(len));
        assert_eq!(octets.sum::<usize>(), 1_673);
    }

    #[test]
    fn a_frame_is_filled_to_the_last_octet_before_it_is_split() {
        let profile = FrameProfile::SECURED_MESH;
        assert_eq!(profile.frames(60).collect::<Vec<_>>(), [127]);
        // 48 + 61 uncompressed octets: the first fragment carries 48 + 56 of them.
        assert_eq!(
            profile.frames(61).collect::<Vec<_>>(),
            [33 + 38 + 56, 33 + 5 + 5]
        );
        assert_eq!(FrameProfile::SECURED_LONG_FRAME.frame_count(1_280), 1);
    }

    proptest! {
        #[test]
        fn fragments_fit_and_carry_the_payload_once(payload in 0..3_000_usize) {
            let profile = FrameProfile::SECURED_MESH;
            let frames: Vec<_> = profile.frames(payload).collect();
            prop_assert!(frames.iter().all(|&psdu| psdu <= profile.psdu_max));
            let overhead: usize = if frames.len() == 1 {
                33 + 34
            } else {
                frames.len() * 33 + 34 + 4 + 5 * (frames.len() - 1)
            };
            prop_assert_eq!(frames.iter().sum::<usize>(), payload + overhead);
        }
    }
}
