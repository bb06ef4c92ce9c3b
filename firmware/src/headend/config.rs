//! The configuration of head-end instances.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::commands::CommandPolicy;
use super::request::RequestPolicy;
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::Mode;
use crate::eap::AuthenticatorConfig;
use crate::eap::psk::LongTermKeys;
use crate::time::Duration;
use crate::{pana, ukmf};

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The authentication agent.
    pub pana: Arc<pana::Config>,
    /// The EAP authenticator.
    pub eap: AuthenticatorConfig,
    /// Identity ID_S in EAP-PSK.
    pub server_identity: Arc<[u8]>,
    /// Session-Lifetime that is granted (RFC 5191 §8.9).
    pub session_lifetime: Duration,
    /// Rotation of keys.
    pub keys: ukmf::Policy,
    /// ApTitle of the head-end.
    pub title: Title,
    /// Least security mode of what meters send.
    pub mode_min: Mode,
    /// How far the IV of a message may be from the clock of the head-end.
    pub acceptance_window: Duration,
    /// Longest registration that is granted.
    pub registration_period: Duration,
    /// Whether an identity is refused while a session of it is open at another address: a defence
    /// against clones, which a meter that gets a new address pays for until its session ends.
    pub one_place: bool,
    /// Length of an interval in seconds.
    pub interval_s: u32,
    /// Orders to switches.
    pub commands: CommandPolicy,
    /// Requests to meters.
    pub requests: RequestPolicy,
}

/// A meter that the head-end knows.
#[derive(Debug)]
pub struct Subscription {
    /// Identity ID_P in EAP-PSK.
    pub identity: Vec<u8>,
    /// Its long-term keys.
    pub keys: LongTermKeys,
    /// Arcs of its ApTitle below the network root.
    pub title_arcs: [u32; 2],
}
