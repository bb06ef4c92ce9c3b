//! What an authentication reveals to whoever listens.
//!
//! EAP-PSK hides neither identities nor challenges (RFC 4764 §8.5), and PANA sends them as they
//! are. Together with the pre-shared key that is everything that enters the keys.

use firmware::eap::{self, psk};
use firmware::pana::{Message, ResultCode};

/// EAP-PSK message 2, and the identity of message 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) id_s: Vec<u8>,
    pub(super) id_p: Vec<u8>,
    pub(super) rand_s: [u8; 16],
    pub(super) rand_p: [u8; 16],
    pub(super) mac_p: [u8; 16],
}

/// What has been gathered of the authentication of one meter that is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript {
    id_s: Vec<u8>,
    /// The latest message 2.
    pub(super) proof: Option<Proof>,
}

/// What a PANA message told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing of use.
    Nothing,
    /// Message 2 is known now.
    Proof,
    /// The authentication succeeded, under this PANA Key-Id.
    Success(u32),
}

impl Transcript {
    /// Takes in a PANA message of the meter's link, in either direction.
    pub(super) fn read(&mut self, octets: &[u8]) -> Told {
        let Ok(message) = Message::parse(octets) else {
            return Told::Nothing;
        };
        if message.result_code == Some(ResultCode::Success)
            && let Some(key_id) = message.key_id
        {
            return Told::Success(key_id);
        }
        let Some(Ok(packet)) = message.eap.map(eap::Packet::parse) else {
            return Told::Nothing;
        };
        match psk::Message::parse(&packet) {
            Ok(psk::Message::First { id_s, .. }) => {
                self.id_s.clear();
                self.id_s.extend_from_slice(id_s);
                Told::Nothing
            }
            Ok(psk::Message::Second {
                rand_s,
                rand_p,
                mac_p,
                id_p,
            }) => {
                self.proof = Some(Proof {
                    id_s: self.id_s.clone(),
                    id_p: id_p.to_vec(),
                    rand_s: *rand_s,
                    rand_p: *rand_p,
                    mac_p: *mac_p,
                });
                Told::Proof
            }
            _ => Told::Nothing,
        }
    }
}
