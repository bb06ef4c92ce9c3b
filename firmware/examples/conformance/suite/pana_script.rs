//! What our ends need to repeat a recorded session: configuration, random numbers, decisions.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use firmware::Duration;
use firmware::crypto::Work;
use firmware::eap::Packet;
use firmware::eap::psk::{Credentials, LongTermKeys};
use firmware::pana::avp::{Avps, Code};
use firmware::pana::{
    Algorithms, Authorizer, Config, Decision, Flags, Header, Message, MessageType, ResultCode,
};
use rand_core::TryRng;

use super::pana_record::{Role, Session, avp_value};

/// Random numbers by their length; retransmissions are drawn without jitter.
#[derive(Default)]
pub(super) struct Draws(BTreeMap<usize, VecDeque<Vec<u8>>>);

impl Draws {
    pub(super) fn push(&mut self, octets: &[u8]) {
        let queue = self.0.entry(octets.len()).or_default();
        queue.push_back(octets.to_vec());
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The middle of the range: RAND is zero.
        Ok(1 << 31)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(1 << 63)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        let drawn = self
            .0
            .get_mut(&octets.len())
            .and_then(VecDeque::pop_front)
            .expect("more random octets were drawn than the session has");
        octets.copy_from_slice(&drawn);
        Ok(())
    }
}

/// The head-end of a session.
pub(super) struct Host {
    pub(super) id_p: Vec<u8>,
    pub(super) psk: [u8; 16],
    pub(super) admits: bool,
    /// What each PAR with C bit announced, in order.
    pub(super) decisions: VecDeque<Decision>,
    /// AVPs that go encrypted into PAR with C bit, after Session-Lifetime.
    pub(super) confidential: Vec<u8>,
    /// What a confidential ping is answered with.
    pub(super) confidential_answer: Vec<u8>,
    /// What confidential pings asked.
    pub(super) asked: Vec<Vec<u8>>,
}

impl Credentials for Host {
    fn keys(&self, id_p: &[u8], work: &mut Work) -> Option<LongTermKeys> {
        (id_p == self.id_p).then(|| LongTermKeys::from_psk(&self.psk, work))
    }

    fn admits(&self, _: &[u8]) -> bool {
        self.admits
    }
}

/// The part of [`Host`] that decides; the other part is lent as credentials.
pub(super) struct Decider<'a>(pub(super) &'a mut Host);

impl Authorizer for Decider<'_> {
    fn authorize(&mut self, identity: &[u8], _: core::net::SocketAddr) -> Decision {
        assert_eq!(identity, self.0.id_p, "EAP names another peer");
        self.0
            .decisions
            .pop_front()
            .expect("more authentications succeeded than the session has")
    }

    fn confidential(&mut self, _: &[u8], avps: &mut Vec<u8>) {
        avps.extend_from_slice(&self.0.confidential);
    }

    fn confidential_answer(&mut self, request: &[u8], avps: &mut Vec<u8>) {
        self.0.asked.push(request.to_vec());
        avps.extend_from_slice(&self.0.confidential_answer);
    }
}

/// What the recorded PAA decided, from each PAR with C bit that carries a Key-Id.
pub(super) fn decisions(
    session: &Session<'_>,
    plaintext: &[u8],
) -> Result<VecDeque<Decision>, String> {
    let hidden = Avps::new(plaintext)
        .map_while(Result::ok)
        .find(|avp| avp.vendor.is_none() && avp.code == Code::SessionLifetime as u16)
        .and_then(|avp| Some(u32::from_be_bytes(avp.value.try_into().ok()?)));
    let mut decisions = VecDeque::new();
    let mut seen = Vec::new();
    for (_, octets) in session.messages() {
        let Ok(message) = Message::parse(&octets) else {
            continue;
        };
        let (Some(result_code), Some(key_id)) = (message.result_code, message.key_id) else {
            continue;
        };
        if seen.contains(&message.header.sequence) {
            continue;
        }
        seen.push(message.header.sequence);
        let lifetime_s = message.lifetime_s.or(hidden);
        decisions.push_back(match (result_code, lifetime_s) {
            (ResultCode::Success, Some(lifetime_s)) => Decision::Grant {
                key_id,
                lifetime: Duration::from_secs(lifetime_s.into()),
            },
            (ResultCode::Success, None) => return Err("PAR[C] without Session-Lifetime".into()),
            _ => Decision::Deny { key_id },
        });
    }
    Ok(decisions)
}

/// How the recorded ends were configured.
pub(super) struct Style {
    pub(super) config: Config,
    pub(super) identity_request: bool,
    pub(super) admits: bool,
    pub(super) drives_paa: bool,
}

impl Style {
    pub(super) fn of(session: &Session<'_>) -> Result<Self, String> {
        let first_request = session.first_request().ok_or("there is no PAR[S]")?;
        let mut config = Config {
            algorithms: Algorithms::new(&session.offered()?),
            optimized: avp_value(&first_request, Code::EapPayload).is_some(),
            encryption: avp_value(&first_request, Code::EncryptionAlgorithm).is_some(),
            ip_reconfiguration: Header::parse(&first_request)
                .is_ok_and(|header| header.flags.contains(Flags::IP_RECONFIGURATION)),
            ..Config::default()
        };
        let mut identity_request = false;
        let mut drives_paa = true;
        let mut indicated = false;
        let mut failed = false;
        for (role, octets) in session.messages() {
            if let Some(nonce) = avp_value(&octets, Code::Nonce) {
                config.nonce_len = nonce.len() as u16;
            }
            let Some(packet) = avp_value(&octets, Code::EapPayload) else {
                continue;
            };
            let packet = Packet::parse(&packet).map_err(|reject| reject.to_string())?;
            let is_request = octets[4] & 0x80 != 0;
            config.piggyback |= role == Role::Pac && !is_request;
            let kind = packet.kind.map(|kind| kind.value());
            identity_request |= kind == Some(1);
            drives_paa &= kind != Some(3);
            indicated |= kind == Some(47) && packet.data().first().is_some_and(|t| t >> 6 == 3);
            failed |= packet.code == firmware::eap::Code::Failure;
        }
        Ok(Self {
            config,
            identity_request,
            // A failure after message 4 was the server's own choice.
            admits: !(failed && indicated),
            drives_paa,
        })
    }

    /// The random numbers of both ends, in the order in which ours draw those of equal length.
    pub(super) fn draws(&self, session: &Session<'_>) -> Result<(Draws, Draws), String> {
        let (mut pac, mut paa) = (Draws::default(), Draws::default());
        let mut conversations = session.conversations.iter();
        let mut seen: Vec<(Role, Vec<u8>)> = Vec::new();
        let mut pac_began = false;
        let mut paa_nonces = 0;
        for (role, octets) in session.messages() {
            // Repetitions draw nothing.
            if seen.contains(&(role, octets.clone())) {
                continue;
            }
            seen.push((role, octets.clone()));
            let header = Header::parse(&octets).map_err(|reject| reject.name().to_owned())?;
            if role == Role::Pac && header.is_request() && !pac_began {
                pac_began = true;
                pac.push(&header.sequence.to_be_bytes());
            }
            let nonce = avp_value(&octets, Code::Nonce);
            let draws = if role == Role::Pac {
                &mut pac
            } else {
                &mut paa
            };
            if role == Role::Paa && header.is_request() && header.kind == MessageType::Auth {
                let is_start = header.flags.contains(Flags::START);
                if is_start {
                    draws.push(&header.session_id.to_be_bytes());
                    draws.push(&header.sequence.to_be_bytes());
                }
                let packet = avp_value(&octets, Code::EapPayload);
                if let Some([1, identifier, _, _, kind, rest @ ..]) = packet.as_deref() {
                    let resumes = self.config.optimized && paa_nonces == 0;
                    if (nonce.is_some() && !resumes) || is_start {
                        draws.push(&[*identifier]);
                    }
                    if *kind == 47 && rest.first() == Some(&0) {
                        draws.push(&rest[1..17]);
                        let rand_p = conversations.next().map(|conversation| conversation.rand_p);
                        pac.push(&rand_p.unwrap_or_default());
                    }
                }
            }
            let draws = if role == Role::Pac {
                &mut pac
            } else {
                &mut paa
            };
            if let Some(nonce) = nonce {
                draws.push(&nonce);
                paa_nonces += usize::from(role == Role::Paa);
            }
        }
        Ok((pac, paa))
    }
}
