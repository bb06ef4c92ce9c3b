//! EAX′ forgeries without any query (Minematsu, Lucks, Morita, Iwata, FSE 2013).
//!
//! Where cleartext and ciphertext have at most one block each, the masks of both chains cancel and
//! the tag of a chosen pair is zero under every key. A conformant C12.22 message never enters that
//! domain: its canonified cleartext has 30 octets at least. The victims here are therefore
//! endpoints of a non-conformant profile that apply EAX′ to a short cleartext; next to each
//! attempt the same cipher text goes to the head-end in a conformant APDU.

use firmware::Rng as _;
use firmware::c1222::acse::{Authentication, Header, Measured};
use firmware::c1222::aptitle::Title;
use firmware::c1222::epsem::{Control, Mode, ResponseControl};
use firmware::crypto::Work;
use firmware::crypto::eax_prime::{EaxPrimeKey, Failure, MAC_LEN, Rule};
use firmware::wire::Writer;

use super::behaviour::{Behaviour, Deed, Order, Scene};
use super::plan::Family;
use crate::datagram::C1222_PORT;
use crate::fleet::Fleet;
use crate::rng::Stream;
use crate::spawn;

/// Octets of a block.
const BLOCK: usize = 16;

/// Forges messages of one family.
#[derive(Debug)]
pub(super) struct Forger {
    family: Family,
    rule: Rule,
}

impl Forger {
    pub(super) const fn new(family: Family, rule: Rule) -> Self {
        Self { family, rule }
    }

    /// Cleartext and cipher text whose tag is zero.
    fn pair(&self, stream: &mut Stream) -> (Vec<u8>, Vec<u8>) {
        let len = 1 + stream.below(BLOCK as u64 - 1) as usize;
        let mut short = vec![0; len];
        stream.fill_bytes(&mut short);
        let mut padded = short.clone();
        padded.push(0x80);
        padded.resize(BLOCK, 0);
        match self.family {
            Family::CleartextBlock => (padded, short),
            Family::CiphertextBlock => (short, padded),
        }
    }
}

/// The cipher text in an APDU from `meter` to the head-end, with a tag of zero.
fn apdu(fleet: &Fleet, meter: u32, cipher: &[u8], now_s: u64) -> Option<Vec<u8>> {
    let calling = Title::relative(&Fleet::title_arcs(meter)).ok()?;
    let called = fleet.meter_firmware.headend_title;
    let utc = (fleet.start_utc_s + now_s) as u32;
    let header = Header {
        called: Some(called.get()),
        calling: Some(calling.get()),
        authentication: Some(Authentication {
            key_id: Some(0x10),
            iv: utc.to_be_bytes(),
        }),
        ..Header::default()
    };
    let mut octets = [0; 256];
    let mut writer = Writer::new(&mut octets);
    let user_len = 1 + cipher.len() + MAC_LEN;
    let measured = Measured::new(&header);
    measured.emit_prefix(None, user_len, &mut writer).ok()?;
    let control = Control::new(Mode::Encrypted, ResponseControl::Always);
    writer.u8(control.octet()).ok()?;
    writer.put(cipher).ok()?;
    writer.put(&[0; MAC_LEN]).ok()?;
    Some(writer.written().to_vec())
}

impl Behaviour for Forger {
    fn begin(&mut self, scene: &mut Scene<'_>) {
        scene.schedule_action();
    }

    fn alarm(&mut self, _payload: u32, scene: &mut Scene<'_>) {
        if let Some(victim) = scene.any_victim() {
            let (cleartext, mut cipher) = self.pair(scene.stream);
            let now_s = scene.now.as_nanos() / 1_000_000_000;
            let conformant = apdu(scene.fleet, victim, &cipher, now_s);
            // A key of 128 random bits that the attacker never uses otherwise.
            let key = spawn::pre_shared_key(scene.fleet, victim);
            let key = EaxPrimeKey::new(&key, &mut Work::NONE.clone());
            let parts: [&[u8]; 1] = [&cleartext];
            let octets = (cleartext.len() + cipher.len() + MAC_LEN) as u64;
            let work = &mut Work::NONE.clone();
            let opened = key.open(&parts, &mut cipher, &[0; MAC_LEN], self.rule, work);
            scene.orders.push(Order::Note(Deed {
                action: "forge_short",
                meter: Some(victim),
                time: scene.now,
                end: Some(scene.now),
                count: 1,
                octets,
                outcome: if opened.is_ok() {
                    "accepted"
                } else {
                    "rejected"
                },
                cause: opened.err().map(|failure| match failure {
                    Failure::CleartextTooShort => "cleartext_too_short",
                    Failure::Mac => "mac",
                }),
            }));
            if let Some(octets) = conformant {
                let source = Fleet::c1222_socket(scene.fleet.meter_address(victim));
                scene.send_up(source, C1222_PORT, octets, "forge_apdu", Some(victim));
            }
        }
        scene.schedule_action();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist;
    use crate::rng::Purpose;

    /// What a victim with a random key makes of `change` applied to a forged pair with tag zero.
    fn verdicts(
        family: Family,
        rule: Rule,
        change: impl Fn(&mut Vec<u8>, &mut Vec<u8>),
    ) -> Vec<Result<(), Failure>> {
        let mut stream = Stream::new(1, family as u32, Purpose::Attack);
        let forger = Forger::new(family, rule);
        let verdict = |_| {
            let (mut cleartext, mut cipher) = forger.pair(&mut stream);
            change(&mut cleartext, &mut cipher);
            let key = EaxPrimeKey::new(&dist::key(&mut stream), &mut Work::NONE.clone());
            let work = &mut Work::NONE.clone();
            let parts: [&[u8]; 1] = [&cleartext];
            key.open(&parts, &mut cipher, &[0; MAC_LEN], rule, work)
        };
        (0..1_000).map(verdict).collect()
    }

    const FAMILIES: [Family; 2] = [Family::CleartextBlock, Family::CiphertextBlock];

    #[test]
    fn every_forgery_is_accepted_without_the_rule_and_none_with_it() {
        for family in FAMILIES {
            let bare = verdicts(family, Rule::AcceptAnyCleartext, |_, _| {});
            assert!(bare.iter().all(Result::is_ok), "{family:?}");
            let ruled = verdicts(family, Rule::RejectShortCleartext, |_, _| {});
            let refused = Err(Failure::CleartextTooShort);
            assert!(
                ruled.iter().all(|verdict| *verdict == refused),
                "{family:?}"
            );
        }
    }

    #[test]
    fn outside_the_domain_of_the_proof_of_concept_no_forgery_is_accepted() {
        type Change = fn(&mut Vec<u8>, &mut Vec<u8>);
        let changes: [(&str, Change); 5] = [
            ("a cleartext of 20 octets", |cleartext, _| {
                cleartext.resize(20, 0);
            }),
            ("a ciphertext of 20 octets", |_, cipher| {
                cipher.resize(20, 0);
            }),
            ("another first octet", |cleartext, _| cleartext[0] ^= 1),
            ("another last octet", |_, cipher| {
                let last = cipher.len() - 1;
                cipher[last] ^= 0x55;
            }),
            ("two blocks each", |cleartext, cipher| {
                cleartext.resize(32, 0);
                cipher.resize(32, 0);
            }),
        ];
        for family in FAMILIES {
            for (what, change) in changes {
                let verdicts = verdicts(family, Rule::AcceptAnyCleartext, change);
                let refused = Err(Failure::Mac);
                assert!(
                    verdicts.iter().all(|verdict| *verdict == refused),
                    "{family:?}: {what}"
                );
            }
        }
    }
}
