//! The EAP-PSK key hierarchy (RFC 4764 §3.1, §3.2, §4.1).

use crate::crypto::{AesKey, BlockMode, CmacKey, EaxKey, Secret, Work};
use crate::eap::{Keys, MethodType, SessionId};

/// The keys that a peer and a server store for each other (RFC 4764 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongTermKeys {
    /// Authentication Key.
    pub ak: Secret<16>,
    /// Key-Derivation Key.
    pub kdk: Secret<16>,
}

impl LongTermKeys {
    /// Derives AK and KDK from the pre-shared key, which can be erased afterwards.
    ///
    /// Costs three block encryptions.
    pub fn from_psk(psk: &[u8; 16], work: &mut Work) -> Self {
        let mut keys = Self {
            ak: Secret::default(),
            kdk: Secret::default(),
        };
        let outputs = [keys.ak.expose_mut(), keys.kdk.expose_mut()];
        modified_counter_mode(psk, &[0; 16], outputs, work);
        keys
    }

    /// The key of MAC_P and MAC_S, expanded.
    pub(super) fn authentication(&self, work: &mut Work) -> CmacKey {
        CmacKey::new(self.ak.expose(), work)
    }
}

/// MAC_P = CMAC(AK, ID_P | ID_S | RAND_S | RAND_P).
pub(super) fn mac_p(
    ak: &CmacKey,
    id_p: &[u8],
    id_s: &[u8],
    rand_s: &[u8; 16],
    rand_p: &[u8; 16],
    work: &mut Work,
) -> [u8; 16] {
    ak.tag(&[id_p, id_s, rand_s, rand_p], work)
}

/// MAC_S = CMAC(AK, ID_S | RAND_P).
pub(super) fn mac_s(ak: &CmacKey, id_s: &[u8], rand_p: &[u8; 16], work: &mut Work) -> [u8; 16] {
    ak.tag(&[id_s, rand_p], work)
}

/// The keys of one conversation (RFC 4764 §3.2).
#[derive(Debug)]
pub struct SessionKeys {
    /// Transient EAP Key, which protects the PCHANNEL.
    pub tek: Secret<16>,
    /// What is exported on success.
    pub exported: Keys,
}

impl SessionKeys {
    /// Derives TEK, MSK and EMSK from RAND_P. Costs ten block encryptions.
    ///
    /// RAND_S only names the session (RFC 5247 Appendix A).
    pub fn derive(kdk: &Secret<16>, rand_p: &[u8; 16], rand_s: &[u8; 16], work: &mut Work) -> Self {
        let mut tek = Secret::default();
        let mut msk = Secret::<64>::default();
        let mut emsk = Secret::<64>::default();
        let outputs = core::iter::once(tek.expose_mut())
            .chain(msk.expose_mut().as_chunks_mut().0)
            .chain(emsk.expose_mut().as_chunks_mut().0);
        modified_counter_mode(kdk.expose(), rand_p, outputs, work);
        let session_id = SessionId::new(&[&[MethodType::Psk.value()], rand_p, rand_s])
            .expect("33 octets fit a Session-Id");
        Self {
            tek,
            exported: Keys {
                msk,
                emsk,
                session_id,
            },
        }
    }

    /// The PCHANNEL key.
    pub fn channel_key(&self) -> EaxKey {
        EaxKey::new(*self.tek.expose())
    }
}

/// Modified counter mode: output i is E(E(`input`) xor i) (RFC 4764 §3.1).
fn modified_counter_mode<'a>(
    key: &[u8; 16],
    input: &[u8; 16],
    outputs: impl IntoIterator<Item = &'a mut [u8; 16]>,
    work: &mut Work,
) {
    let mode = ModifiedCounter { input, outputs };
    AesKey::new(key, work).run(mode, work);
}

struct ModifiedCounter<'a, O> {
    input: &'a [u8; 16],
    outputs: O,
}

impl<'a, O: IntoIterator<Item = &'a mut [u8; 16]>> BlockMode for ModifiedCounter<'_, O> {
    type Output = ();

    fn run(self, mut encrypt: impl FnMut(&mut [u8; 16])) {
        let mut intermediate = Secret::new(*self.input);
        encrypt(intermediate.expose_mut());
        for (output, counter) in self.outputs.into_iter().zip(1..=9) {
            *output = *intermediate.expose();
            output[15] ^= counter;
            encrypt(output);
        }
    }
}
