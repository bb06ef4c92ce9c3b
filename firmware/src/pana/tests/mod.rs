//! A PaC and a PAA joined by a network that loses, repeats, reorders and damages datagrams.

mod agent;
mod exchanges;
mod hostile;
mod lossy;
mod properties;
mod transitions;

use std::boxed::Box;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use core::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::crypto::{Integrity, Prf, Work};
use crate::eap::psk::{Credentials, LongTermKeys, PskPeer, PskServer};
use crate::eap::{Authenticator, AuthenticatorConfig, Peer};
use crate::{Duration, Env, Instant};

pub(super) const PSK: [u8; 16] = [0x42; 16];
pub(super) const ID_P: &[u8] = b"meter-000101@ami.example";
pub(super) const ID_S: &[u8] = b"headend@utility.example";
pub(super) const LATENCY: Duration = Duration::from_millis(20);
pub(super) const LIFETIME: Duration = Duration::from_secs(3_600);

pub(super) const SHA1: (Prf, Integrity) = (Prf::HmacSha1, Integrity::HmacSha1_160);
pub(super) const SHA256: (Prf, Integrity) = (Prf::HmacSha256, Integrity::HmacSha256_128);
pub(super) const CMAC: (Prf, Integrity) = (Prf::AesCmac, Integrity::AesCmac96);

pub(super) fn pac_address() -> SocketAddr {
    "192.0.2.10:49755".parse().unwrap()
}

/// One user, whose key may differ from that of the meter.
pub(super) struct Users {
    pub(super) psk: [u8; 16],
}

impl Credentials for Users {
    fn keys(&self, _: &[u8], work: &mut Work) -> Option<LongTermKeys> {
        Some(LongTermKeys::from_psk(&self.psk, work))
    }
}

/// Grants or denies everyone and counts Key-Ids from 1.
pub(super) struct Host {
    pub(super) key_id: u32,
    pub(super) denies: bool,
}

impl Authorizer for Host {
    fn authorize(&mut self, _: &[u8], _: SocketAddr) -> Decision {
        self.key_id += 1;
        let key_id = self.key_id;
        if self.denies {
            Decision::Deny { key_id }
        } else {
            Decision::Grant {
                key_id,
                lifetime: LIFETIME,
            }
        }
    }
}

/// What the network does to a datagram, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) lost: u32,
    pub(super) repeated: u32,
    pub(super) delayed: u32,
    pub(super) damaged: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Pac,
    Paa,
}

/// One datagram that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) to: To,
    pub(super) octets: Vec<u8>,
}

/// Both ends and everything between and around them.
pub(super) struct Pair {
    pub(super) pac: Pac<PskPeer>,
    pub(super) paa: Paa<PskServer>,
    pub(super) users: Users,
    pub(super) host: Host,
    pub(super) now: Instant,
    pub(super) pac_from: SocketAddr,
    pub(super) faults: Faults,
    pub(super) sent: Vec<Sent>,
    pub(super) pac_events: Vec<PacEvent>,
    pub(super) paa_events: Vec<(SessionRef, PaaEvent)>,
    pub(super) rejects: Vec<Reject>,
    pub(super) sessions: Vec<SessionRef>,
    pub(super) pac_work: Work,
    pub(super) paa_work: Work,
    /// In flight: by arrival and order, whereto, from where, what.
    flying: BTreeMap<(Instant, u64), (To, SocketAddr, Vec<u8>)>,
    order: u64,
    network: ChaCha8Rng,
    pac_rng: ChaCha8Rng,
    paa_rng: ChaCha8Rng,
}

macro_rules! pac_env {
    ($pair:expr) => {
        &mut Env::new($pair.now, &mut $pair.pac_rng, &mut $pair.pac_work)
    };
}
macro_rules! paa_env {
    ($pair:expr) => {
        &mut Env::new($pair.now, &mut $pair.paa_rng, &mut $pair.paa_work)
    };
}
pub(super) use {paa_env, pac_env};

pub(super) fn authenticator(identity_request: bool) -> Authenticator<PskServer> {
    let config = AuthenticatorConfig {
        identity_request,
        ..AuthenticatorConfig::default()
    };
    Authenticator::new(PskServer::new(ID_S), config)
}

impl Pair {
    pub(super) fn new(config: &Config, identity_request: bool) -> Self {
        Self::seeded(config, config, identity_request, 0)
    }

    pub(super) fn seeded(pac: &Config, paa: &Config, identity_request: bool, seed: u64) -> Self {
        let mut pac_work = Work::NONE;
        let mut paa_work = Work::NONE;
        let mut paa_rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7_0000);
        let keys = LongTermKeys::from_psk(&PSK, &mut pac_work);
        let mut env = Env::new(Instant::ZERO, &mut paa_rng, &mut paa_work);
        let make: MakeAuthenticator<_> = Box::new(move || authenticator(identity_request));
        let paa = Paa::new(Arc::new(paa.clone()), make, &mut env);
        Self {
            pac: Pac::new(
                Arc::new(pac.clone()),
                Peer::new(PskPeer::new(ID_P, None, keys)),
            ),
            paa,
            users: Users { psk: PSK },
            host: Host {
                key_id: 0,
                denies: false,
            },
            now: Instant::from_secs(1),
            pac_from: pac_address(),
            faults: Faults::default(),
            sent: vec![],
            pac_events: vec![],
            paa_events: vec![],
            rejects: vec![],
            sessions: vec![],
            pac_work: Work::NONE,
            paa_work: Work::NONE,
            flying: BTreeMap::new(),
            order: 0,
            network: ChaCha8Rng::seed_from_u64(seed ^ 0x9_0000),
            pac_rng: ChaCha8Rng::seed_from_u64(seed ^ 0xB_0000),
            paa_rng,
        }
    }

    pub(super) fn start(&mut self) {
        self.pac.start(pac_env!(self));
        self.drain();
    }

    /// Fetches events and messages of both ends and puts the messages in flight.
    pub(super) fn drain(&mut self) {
        let mut out = [0xA5; MESSAGE_LEN_MAX];
        while let Some(event) = self.pac.poll_event() {
            self.pac_events.push(event);
        }
        while let Some(len) = self.pac.poll_transmit(&mut out) {
            self.send(To::Paa, self.pac_from, &out[..len]);
        }
        for session in self.sessions.clone() {
            while let Some(event) = self.paa.poll_event(session) {
                self.paa_events.push((session, event));
            }
            while let Some(transmit) = self.paa.poll_transmit(session, &mut out) {
                self.send(To::Pac, transmit.destination, &out[..transmit.len]);
            }
        }
        while let Some(transmit) = self.paa.poll_reply(&mut out) {
            self.send(To::Pac, transmit.destination, &out[..transmit.len]);
        }
        let paa = &self.paa;
        self.sessions
            .retain(|session| paa.session(*session).is_some());
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.network.next_u32() % 100 < percent
    }

    fn send(&mut self, to: To, address: SocketAddr, octets: &[u8]) {
        let mut octets = octets.to_vec();
        self.sent.push(Sent {
            at: self.now,
            to,
            octets: octets.clone(),
        });
        if self.chance(self.faults.lost) {
            return;
        }
        if self.chance(self.faults.damaged) {
            let bit = self.network.next_u32() as usize % (octets.len() * 8);
            octets[bit / 8] ^= 1 << (bit % 8);
        }
        let copies = 1 + usize::from(self.chance(self.faults.repeated));
        for _ in 0..copies {
            let mut arrival = self.now + LATENCY;
            if self.chance(self.faults.delayed) {
                arrival += Duration::from_millis(u64::from(self.network.next_u32() % 3_000));
            }
            self.order += 1;
            self.flying
                .insert((arrival, self.order), (to, address, octets.clone()));
        }
    }

    /// Hands a datagram to an end at once and drains both.
    pub(super) fn deliver(
        &mut self,
        to: To,
        address: SocketAddr,
        octets: &[u8],
    ) -> Result<(), Reject> {
        let result = match to {
            To::Pac if address != self.pac_from => Ok(()),
            To::Pac => self.pac.handle_datagram(octets, pac_env!(self)),
            To::Paa => {
                let handled = self.paa.handle_datagram(
                    address,
                    octets,
                    &self.users,
                    &mut self.host,
                    paa_env!(self),
                );
                handled.map(|session| {
                    if let Some(session) = session
                        && !self.sessions.contains(&session)
                    {
                        self.sessions.push(session);
                    }
                })
            }
        };
        self.drain();
        result
    }

    /// The next instant at which something happens.
    pub(super) fn next(&self) -> Option<Instant> {
        let arrival = self.flying.keys().next().map(|(arrival, _)| *arrival);
        let timeouts = self
            .sessions
            .iter()
            .filter_map(|session| self.paa.poll_timeout(*session));
        timeouts
            .chain(self.pac.poll_timeout())
            .chain(arrival)
            .min()
            .map(|at| at.max(self.now))
    }

    /// Advances to the next instant and acts; false if nothing will ever happen again.
    pub(super) fn step(&mut self) -> bool {
        let Some(next) = self.next() else {
            return false;
        };
        self.now = next;
        if let Some(entry) = self.flying.first_entry()
            && entry.key().0 <= next
        {
            let (to, address, octets) = entry.remove();
            if let Err(reject) = self.deliver(to, address, &octets) {
                self.rejects.push(reject);
            }
            return true;
        }
        if self.pac.poll_timeout().is_some_and(|at| at <= next) {
            self.pac.handle_timeout(pac_env!(self));
        }
        for session in self.sessions.clone() {
            if self.paa.poll_timeout(session).is_some_and(|at| at <= next) {
                self.paa.handle_timeout(session, paa_env!(self));
            }
        }
        self.drain();
        true
    }

    /// Runs to `end`.
    pub(super) fn run_until(&mut self, end: Instant) {
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = end;
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Runs the initial authentication on a network without faults.
    pub(super) fn authenticated(mut self) -> Self {
        self.start();
        self.run_for(Duration::from_secs(1));
        assert_eq!(self.pac.state(), PacState::Open);
        assert_eq!(self.paa_state(), PaaState::Open);
        self
    }

    /// The only session of the PAA.
    pub(super) fn session(&self) -> SessionRef {
        let [session] = self.sessions[..] else {
            panic!("{} sessions", self.sessions.len());
        };
        session
    }

    pub(super) fn paa_state(&self) -> PaaState {
        self.sessions
            .first()
            .and_then(|session| self.paa.session(*session))
            .map_or(PaaState::Closed, PaaSession::state)
    }

    pub(super) fn pac_reauthenticate(&mut self) {
        self.pac.reauthenticate(pac_env!(self));
        self.drain();
    }

    pub(super) fn paa_reauthenticate(&mut self) {
        self.paa.reauthenticate(self.session(), paa_env!(self));
        self.drain();
    }

    pub(super) fn pac_ping(&mut self) {
        self.pac.ping(pac_env!(self));
        self.drain();
    }

    pub(super) fn paa_ping(&mut self) {
        self.paa.ping(self.session(), paa_env!(self));
        self.drain();
    }

    pub(super) fn pac_terminate(&mut self) {
        self.pac.terminate(pac_env!(self));
        self.drain();
    }

    pub(super) fn paa_terminate(&mut self) {
        let cause = TerminationCause::Administrative;
        self.paa.terminate(self.session(), cause, paa_env!(self));
        self.drain();
    }

    /// Whether both ends are open under the same keys.
    pub(super) fn agrees(&self) -> bool {
        let paa = self
            .sessions
            .iter()
            .filter_map(|session| self.paa.session(*session)?.association());
        self.pac.association().is_some_and(|pac| {
            paa.into_iter().any(|paa| {
                paa.key_id() == pac.key_id() && paa.auth().expose() == pac.auth().expose()
            })
        })
    }

    /// Datagrams and octets, up and down.
    pub(super) fn traffic(&self) -> (usize, usize, usize) {
        let octets = |to| {
            let sent = self.sent.iter().filter(|sent| sent.to == to);
            sent.map(|sent| sent.octets.len()).sum()
        };
        (self.sent.len(), octets(To::Paa), octets(To::Pac))
    }
}

pub(super) fn config(pairs: &[(Prf, Integrity)], piggyback: bool, nonce_len: u16) -> Config {
    Config {
        algorithms: Algorithms::new(pairs),
        piggyback,
        nonce_len,
        ..Config::default()
    }
}
