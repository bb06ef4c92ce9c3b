//! `pana-cpana-capture.json`: two CPANA programs talking to each other.
//!
//! CPANA (Toshiba, 2010) deviates from the RFCs in ways that its file describes: the label of the
//! key derivation is cut to eight octets, AVPs have a reserved flag set, and the Identifier of
//! EAP-Success is incremented. Everything else has to agree: all messages parse, sequence numbers
//! and directions fit, and every AUTH verifies under that label.

use firmware::crypto::{CmacKey, Integrity, MacKey, Prf, Secret, Work};
use firmware::eap::psk::{LongTermKeys, Message as PskMessage, SessionKeys};
use firmware::eap::{MethodType, Packet};
use firmware::pana::{KeyInputs, Message, MessageType, Suite, TerminationCause};
use serde_json::Value;

use super::json;
use super::report::Report;

/// What is left of "IETF PANA" in a 64-bit build.
const LABEL: &[u8] = b"IETF PAN";

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let datagrams = document.get("datagrams")?.as_array()?;
    document.get("phases")?;
    report.case("parameters", || check_parameters(document));
    let mut capture = Capture::default();
    for (index, datagram) in datagrams.iter().enumerate() {
        report.case(&format!("datagram {}", index + 1), || {
            capture.check(document, datagram, index)
        });
    }
    report.case("phases", || capture.check_phases(document));
    Some(())
}

fn check_parameters(document: &Value) -> Result<(), String> {
    json::only(
        document,
        &[
            "origin",
            "note",
            "psk",
            "psk_ascii",
            "id_p",
            "id_s",
            "prf",
            "integrity",
            "phases",
            "datagrams",
        ],
    )?;
    json::expect_octets(
        document,
        "psk",
        json::text(document, "psk_ascii")?.as_bytes(),
    )?;
    suite(document).map(|_| ())
}

fn suite(document: &Value) -> Result<Suite, String> {
    let algorithm = |key| -> Result<u32, String> {
        u32::try_from(json::number(document, key)?).map_err(|error| error.to_string())
    };
    Ok(Suite {
        prf: Prf::from_id(algorithm("prf")?).ok_or("prf: unknown")?,
        integrity: Integrity::from_id(algorithm("integrity")?).ok_or("integrity: unknown")?,
        encryption: false,
    })
}

/// What the datagrams so far have told.
#[derive(Default)]
struct Capture {
    first_messages: Vec<u8>,
    nonces: [Vec<u8>; 2],
    rand_s: [u8; 16],
    rand_p: [u8; 16],
    session_id: Option<u32>,
    msk: Option<Secret<64>>,
    key: Option<MacKey>,
    /// Last requests of PaC and PAA, as (type, sequence number).
    requests: [Option<(MessageType, u32)>; 2],
    time: f64,
    verified: usize,
    pings: usize,
    authentications: usize,
    terminated: bool,
}

impl Capture {
    fn check(&mut self, document: &Value, datagram: &Value, index: usize) -> Result<(), String> {
        json::only(datagram, &["n", "t", "dir", "hex"])?;
        json::expect_number(datagram, "n", index as u64 + 1)?;
        let time = json::member(datagram, "t")?
            .as_f64()
            .ok_or("t: not a time")?;
        if time < self.time {
            return Err("t: runs backwards".into());
        }
        self.time = time;
        let octets = json::octets(datagram, "hex")?;
        let message = Message::parse(&octets).map_err(|reject| reject.name().to_owned())?;
        let from_paa = match json::text(datagram, "dir")? {
            "PaC->PAA" => false,
            "PAA->PaC" => true,
            other => return Err(format!("dir: unknown {other}")),
        };
        self.check_order(&message, from_paa)?;
        if octets[..2] != [0; 2] || octets[4] & 0x03 != 0 || octets[5] != 0 {
            return Err("a reserved bit of the header is set".into());
        }
        if message.prf.is_empty() == message.header.flags.contains(firmware::pana::Flags::START) {
            return Err("only the S exchange names algorithms".into());
        }
        if !message.prf.is_empty() {
            let suite = suite(document)?;
            let named =
                message.prf.has_prf(suite.prf) && message.integrity.has_integrity(suite.integrity);
            if !named {
                return Err("the S exchange names other algorithms".into());
            }
            self.first_messages.extend_from_slice(&octets);
        }
        if let Some(nonce) = message.nonce {
            self.nonces[usize::from(from_paa)] = nonce.to_vec();
        }
        if let Some(packet) = message.eap {
            self.take_eap(document, packet)?;
        }
        self.check_auth(document, &message)?;
        let header = message.header;
        self.pings += usize::from(header.is_request() && header.kind == MessageType::Notification);
        self.terminated |= message.termination_cause == Some(TerminationCause::Logout);
        Ok(())
    }

    /// Requests are numbered consecutively and answered by the other end.
    fn check_order(&mut self, message: &Message<'_>, from_paa: bool) -> Result<(), String> {
        let header = message.header;
        if header.kind == MessageType::ClientInitiation {
            return if from_paa {
                Err("dir: a PAA sends no PCI".into())
            } else {
                Ok(())
            };
        }
        if *self.session_id.get_or_insert(header.session_id) != header.session_id {
            return Err("another session identifier".into());
        }
        let own = usize::from(from_paa);
        if header.is_request() {
            let follows = self.requests[own]
                .is_none_or(|(_, sequence)| header.sequence == sequence.wrapping_add(1));
            if !follows {
                return Err("a sequence number is missing".into());
            }
            self.requests[own] = Some((header.kind, header.sequence));
        } else if self.requests[1 - own] != Some((header.kind, header.sequence)) {
            return Err("an answer without a request".into());
        }
        Ok(())
    }

    fn take_eap(&mut self, document: &Value, packet: &[u8]) -> Result<(), String> {
        let packet = Packet::parse(packet).map_err(|reject| reject.to_string())?;
        let is_response = packet.code == firmware::eap::Code::Response;
        if packet.kind == Some(MethodType::Identity) && is_response {
            json::expect_text(document, "id_p", &String::from_utf8_lossy(packet.data()))?;
        }
        let Ok(message) = PskMessage::parse(&packet) else {
            return Ok(());
        };
        let named = match message {
            PskMessage::First { rand_s, .. } => {
                self.rand_s = *rand_s;
                rand_s
            }
            PskMessage::Second { rand_s, .. }
            | PskMessage::Third { rand_s, .. }
            | PskMessage::Fourth { rand_s, .. } => rand_s,
        };
        if *named != self.rand_s {
            return Err("RAND_S names another conversation".into());
        }
        self.check_macs(document, &message)
    }

    /// The MACs of EAP-PSK, which CPANA computes as RFC 4764 §3.2 does.
    fn check_macs(&mut self, document: &Value, message: &PskMessage<'_>) -> Result<(), String> {
        let mut work = Work::default();
        let keys = LongTermKeys::from_psk(&json::array(document, "psk")?, &mut work);
        let ak = CmacKey::new(keys.ak.expose(), &mut work);
        let id_s = json::text(document, "id_s")?.as_bytes();
        match message {
            PskMessage::First { id_s, .. } => {
                json::expect_text(document, "id_s", &String::from_utf8_lossy(id_s))
            }
            PskMessage::Second {
                rand_p,
                mac_p,
                id_p,
                ..
            } => {
                json::expect_text(document, "id_p", &String::from_utf8_lossy(id_p))?;
                self.rand_p = **rand_p;
                let derived = SessionKeys::derive(&keys.kdk, rand_p, &self.rand_s, &mut work);
                self.msk = Some(derived.exported.msk);
                let parts: [&[u8]; 4] = [id_p, id_s, &self.rand_s, *rand_p];
                json::equal_octets("MAC_P", &ak.tag(&parts, &mut work), *mac_p)
            }
            PskMessage::Third { mac_s, .. } => {
                let tag = ak.tag(&[id_s, &self.rand_p], &mut work);
                json::equal_octets("MAC_S", &tag, *mac_s)
            }
            PskMessage::Fourth { .. } => Ok(()),
        }
    }

    fn check_auth(&mut self, document: &Value, message: &Message<'_>) -> Result<(), String> {
        if let Some(key_id) = message.key_id.filter(|_| message.header.is_request()) {
            let suite = suite(document)?;
            let mut key = Secret::default();
            let octets: &mut [u8; Integrity::KEY_LEN_MAX] = key.expose_mut();
            KeyInputs {
                msk: self.msk.as_ref().ok_or("a Key-Id before there is an MSK")?,
                suite,
                first_messages: &self.first_messages,
                pac_nonce: &self.nonces[0],
                paa_nonce: &self.nonces[1],
                key_id,
            }
            .expand(
                LABEL,
                &mut octets[..suite.integrity.key_len()],
                &mut Work::default(),
            );
            self.key = Some(MacKey::new(suite.integrity, key));
            self.authentications += 1;
        }
        match (&self.key, message.auth) {
            (Some(key), _) => {
                message
                    .verify(key, &mut Work::default())
                    .map_err(|reject| reject.name().to_owned())?;
                self.verified += 1;
                Ok(())
            }
            (None, Some(_)) => Err("AUTH before there is a key".into()),
            (None, None) => Ok(()),
        }
    }

    /// What took place, in the words of the file.
    fn check_phases(&self, document: &Value) -> Result<(), String> {
        let seen = (
            self.authentications,
            self.pings,
            self.terminated,
            self.verified,
        );
        // One of the three notification requests asks for the re-authentication.
        if seen != (2, 3, true, 18) {
            return Err(format!("saw {seen:?}"));
        }
        json::expect_text(
            document,
            "phases",
            "initial authentication, ping by PaC, re-authentication by PaC, ping, LOGOUT",
        )
    }
}
