//! The configuration that all meters of a kind share.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::device::DeviceConfig;
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::Mode;
use crate::eap::psk::LongTermKeys;
use crate::time::Duration;
use crate::{pana, ukmf};

/// When a meter starts its re-authentication after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reauthentication {
    /// After a period, uniformly earlier or later by at most a share of it.
    Every {
        /// The period.
        period: Duration,
        /// The share in thousandths.
        jitter_permille: u32,
    },
    /// At a uniformly drawn share of the session lifetime.
    Fraction {
        /// The least share in thousandths.
        from_permille: u32,
        /// The greatest share in thousandths.
        to_permille: u32,
    },
}

/// How intervals are reported to the head-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportPolicy {
    /// Security mode of the messages.
    pub mode: Mode,
    /// How long to wait for the response.
    pub timeout: Duration,
    /// Transmissions before the report waits for the next one.
    pub attempts: u32,
    /// Whether reports want no response: what is lost is only found by whoever reads the meter.
    pub one_way: bool,
}

/// What a meter says about a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutagePolicy {
    /// How long voltage is gone before that counts as a loss of power.
    pub debounce: Duration,
    /// Last gasps, 0 to [`GASPS_MAX`](super::GASPS_MAX).
    pub gasps: u8,
    /// Each is sent at random within this time after the debounce.
    pub spread: Duration,
    /// Shorter outages are counted and not reported.
    pub momentary: Duration,
    /// Range of the random pause between the return of power and the restoration message.
    pub restoration: (Duration, Duration),
}

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network access client.
    pub pana: Arc<pana::Config>,
    /// Identity of the head-end, the only one that the meter accepts.
    pub server_identity: Arc<[u8]>,
    /// Rotation of keys.
    pub keys: ukmf::Policy,
    /// When to re-authenticate.
    pub reauthentication: Reauthentication,
    /// Period of the liveness test in the access phase, if there is one.
    pub ping: Option<Duration>,
    /// Whether session and keys survive a loss of power.
    pub nonvolatile_session: bool,
    /// Whether a meter still knows after a loss of power which messages it has accepted under the
    /// keys that survived. Its own invocation ids go on from where they were in either case.
    pub nonvolatile_playback: bool,
    /// Range of the random pause before a failed authentication is tried again.
    pub retry: (Duration, Duration),
    /// Range of the random pause after a termination, by whichever end, before the meter
    /// authenticates anew.
    pub absence: (Duration, Duration),
    /// Interval reports.
    pub report: ReportPolicy,
    /// Reports of outages, if there are any.
    pub outage: Option<OutagePolicy>,
    /// Length of an interval in seconds, whole minutes.
    pub interval_s: u32,
    /// Period of the C12.22 registration; none if the meter does not register.
    pub registration: Option<Duration>,
    /// ApTitle of the head-end.
    pub headend_title: Title,
    /// Passwords of the tables, and the service switch.
    pub device: DeviceConfig,
}

/// What distinguishes one meter from the others.
#[derive(Debug)]
pub struct Provisioning {
    /// Identity ID_P in EAP-PSK.
    pub identity: Vec<u8>,
    /// Its long-term keys.
    pub keys: LongTermKeys,
    /// Arcs of its ApTitle below the network root.
    pub title_arcs: [u32; 2],
    /// Where the random delays of its switch start: apart from all other randomness, so that an
    /// order to the switch changes no nonce and no jitter.
    pub switch_seed: u64,
}
