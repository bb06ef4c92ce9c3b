//! The parameters of both ends.

use crate::Duration;
use crate::crypto::{Integrity, Prf};

use super::message::{NONCE_LEN_MAX, NONCE_LEN_MIN, Offer};
use super::retransmit::Retransmission;

/// The most algorithm pairs of a configuration.
pub const ALGORITHMS_MAX: usize = 3;

/// Acceptable pairs of PRF and integrity algorithm, the preferred one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithms {
    pairs: [(Prf, Integrity); ALGORITHMS_MAX],
    len: u8,
}

impl Algorithms {
    /// PRF_HMAC_SHA1 and AUTH_HMAC_SHA1_160, which RFC 5191 §5.3 makes mandatory.
    pub const MANDATORY: Self = Self {
        pairs: [(Prf::HmacSha1, Integrity::HmacSha1_160); ALGORITHMS_MAX],
        len: 1,
    };

    /// The pairs in order of preference.
    ///
    /// # Panics
    /// If there are none, or more than [`ALGORITHMS_MAX`].
    pub fn new(pairs: &[(Prf, Integrity)]) -> Self {
        assert!(
            (1..=ALGORITHMS_MAX).contains(&pairs.len()),
            "a configuration has 1 to {ALGORITHMS_MAX} algorithm pairs"
        );
        let mut algorithms = Self::MANDATORY;
        algorithms.pairs[..pairs.len()].copy_from_slice(pairs);
        algorithms.len = pairs.len() as u8;
        algorithms
    }

    /// The pairs in order of preference.
    pub fn pairs(&self) -> &[(Prf, Integrity)] {
        &self.pairs[..usize::from(self.len)]
    }

    /// The distinct PRFs in order of preference.
    pub fn prfs(&self) -> impl Iterator<Item = Prf> {
        let pairs = self.pairs();
        (0..pairs.len()).filter_map(|index| {
            let (prf, _) = pairs[index];
            let repeated = pairs[..index].iter().any(|(earlier, _)| *earlier == prf);
            (!repeated).then_some(prf)
        })
    }

    /// The distinct integrity algorithms in order of preference.
    pub fn integrities(&self) -> impl Iterator<Item = Integrity> {
        let pairs = self.pairs();
        (0..pairs.len()).filter_map(|index| {
            let (_, integrity) = pairs[index];
            let repeated = pairs[..index]
                .iter()
                .any(|(_, earlier)| *earlier == integrity);
            (!repeated).then_some(integrity)
        })
    }

    /// The preferred pair of which both algorithms are offered.
    pub(super) fn select(&self, prf: Offer, integrity: Offer) -> Option<(Prf, Integrity)> {
        self.pairs()
            .iter()
            .copied()
            .find(|pair| prf.has_prf(pair.0) && integrity.has_integrity(pair.1))
    }

    /// The PRF and integrity algorithm that an answer selected, if both were offered.
    pub(super) fn selected(&self, prf: Offer, integrity: Offer) -> Option<(Prf, Integrity)> {
        let prf = self.prfs().find(|offered| prf.has_prf(*offered))?;
        let integrity = self
            .integrities()
            .find(|offered| integrity.has_integrity(*offered))?;
        Some((prf, integrity))
    }
}

/// A limit on PCI by the network that they come from (RFC 5191 §11.1 asks for rate limiting).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciLimit {
    /// Bits of an address that name a network, at most 32 of IPv4 and 128 of IPv6.
    pub prefix_len: u8,
    /// The mean time between two PCI of a network.
    pub every: Duration,
    /// PCI that a network may send at once.
    pub burst: u32,
}

/// The parameters of a PaC or PAA; many sessions share one by `Arc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Algorithms that are offered (PAA) or acceptable (PaC).
    pub algorithms: Algorithms,
    /// PaC: whether a PAN carries the EAP response, saving a PAR and PAN (RFC 5191 §4.1).
    pub piggyback: bool,
    /// PAA: whether PAR with S bit carries the first EAP request (RFC 5191 §4.1).
    pub optimized: bool,
    /// PAA: whether a PCI is answered without keeping any state (RFC 5191 §4.1). It has no effect
    /// together with `optimized`: an EAP request is state.
    pub stateless: bool,
    /// Whether encryption of AVPs is offered or accepted (RFC 6786).
    pub encryption: bool,
    /// PAA: whether the PaC has to obtain another address after success (RFC 5191 §4.1).
    pub ip_reconfiguration: bool,
    /// Octets of own nonces, 8 to 256 (RFC 5191 §8.5).
    pub nonce_len: u16,
    /// Retransmission of PCI.
    pub pci: Retransmission,
    /// Retransmission of PAR, PNR and PTR.
    pub request: Retransmission,
    /// FAILED_SESS_TIMEOUT: how long an authentication may take (RFC 5609 §5.3).
    pub failed_session_timeout: Duration,
    /// The least time between two ping requests that are answered (RFC 5191 §4.2).
    pub ping_interval_min: Duration,
    /// PAA: the most sessions that are being established at once (RFC 5191 §11.1).
    pub half_open_max: u32,
    /// PAA: whether a PCI from the address of an open session starts a second session, which
    /// replaces the first one once it is authenticated. RFC 5191 §5.5 discards such a PCI, so
    /// that a rebooted PaC waits for the old session to expire.
    pub replace_on_new_pci: bool,
    /// PAA: how many PCI are answered.
    pub pci_limit: Option<PciLimit>,
    /// PaC: whether a failure that no key protects ends the authentication at once, as RFC 5191
    /// §4.1 has it. Otherwise it is discarded, and one that is genuine costs `failed_session_timeout`.
    pub unprotected_failure: bool,
    /// PAA: how long a stateless answer to a PCI stays the same.
    pub cookie_period: Duration,
}

impl Default for Config {
    /// What RFC 5191 prescribes or, where it does not, the least surprising choice.
    fn default() -> Self {
        Self {
            algorithms: Algorithms::MANDATORY,
            piggyback: false,
            optimized: false,
            stateless: false,
            encryption: false,
            ip_reconfiguration: false,
            nonce_len: 20,
            pci: Retransmission::CLIENT_INITIATION,
            request: Retransmission::REQUEST,
            failed_session_timeout: Duration::from_secs(120),
            ping_interval_min: Duration::from_millis(500),
            half_open_max: u32::MAX,
            replace_on_new_pci: false,
            pci_limit: None,
            unprotected_failure: true,
            cookie_period: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// `nonce_len` within the limits of RFC 5191 §8.5.
    pub(super) fn nonce_len(&self) -> usize {
        usize::from(self.nonce_len).clamp(NONCE_LEN_MIN, NONCE_LEN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn repeated_algorithms_are_offered_once() {
        let algorithms = Algorithms::new(&[
            (Prf::HmacSha256, Integrity::HmacSha256_128),
            (Prf::HmacSha256, Integrity::HmacSha1_160),
            (Prf::HmacSha1, Integrity::HmacSha1_160),
        ]);
        assert_eq!(
            algorithms.prfs().collect::<Vec<_>>(),
            [Prf::HmacSha256, Prf::HmacSha1]
        );
        assert_eq!(
            algorithms.integrities().collect::<Vec<_>>(),
            [Integrity::HmacSha256_128, Integrity::HmacSha1_160]
        );
    }
}
