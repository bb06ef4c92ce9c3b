//! The PANA SA: key derivation and encryption (RFC 5191 §5.3, RFC 6786 §3).

use alloc::vec::Vec;

use crate::crypto::{AesKey, Integrity, MacKey, Prf, Secret, Work};

/// The Encryption-Algorithm number of AES128_CTR (RFC 6786 §5).
pub const AES128_CTR: u32 = 1;

const AUTH_LABEL: &[u8] = b"IETF PANA";
const PAC_ENCRYPTION_LABEL: &[u8] = b"IETF PANA PaC Encr";
const PAA_ENCRYPTION_LABEL: &[u8] = b"IETF PANA PAA Encr";

/// What the S exchange settled (RFC 5191 §4.1, RFC 6786 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// Derives the keys.
    pub prf: Prf,
    /// Computes AUTH.
    pub integrity: Integrity,
    /// Whether AVPs may be encrypted with AES128_CTR.
    pub encryption: bool,
}

/// Everything that enters the keys of a PANA SA.
#[derive(Clone, Copy)]
pub struct KeyInputs<'a> {
    /// The MSK that EAP exported.
    pub msk: &'a Secret<64>,
    /// The negotiated algorithms.
    pub suite: Suite,
    /// I_PAR and I_PAN: the S exchange as on the wire, concatenated.
    pub first_messages: &'a [u8],
    /// The Nonce value of the PaC.
    pub pac_nonce: &'a [u8],
    /// The Nonce value of the PAA.
    pub paa_nonce: &'a [u8],
    /// The Key-Id that the PAA assigned.
    pub key_id: u32,
}

impl KeyInputs<'_> {
    /// prf+(MSK, `label` | I_PAR | I_PAN | PaC_nonce | PAA_nonce | Key_ID).
    pub fn expand(&self, label: &[u8], out: &mut [u8], work: &mut Work) {
        let key_id = self.key_id.to_be_bytes();
        let seed = [
            label,
            self.first_messages,
            self.pac_nonce,
            self.paa_nonce,
            &key_id,
        ];
        self.suite.prf.plus(self.msk.expose(), &seed, out, work);
    }

    /// The PANA SA (RFC 5191 §5.3).
    pub fn derive(&self, work: &mut Work) -> Association {
        let integrity = self.suite.integrity;
        let mut auth = Secret::default();
        let octets: &mut [u8; Integrity::KEY_LEN_MAX] = auth.expose_mut();
        self.expand(AUTH_LABEL, &mut octets[..integrity.key_len()], work);
        let mut encryption = None;
        if self.suite.encryption {
            let mut keys = EncryptionKeys::default();
            self.expand(PAC_ENCRYPTION_LABEL, keys.pac.expose_mut(), work);
            self.expand(PAA_ENCRYPTION_LABEL, keys.paa.expose_mut(), work);
            encryption = Some(keys);
        }
        Association {
            key_id: self.key_id,
            auth: MacKey::new(integrity, auth),
            encryption,
        }
    }
}

/// Which end encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// PANA_PAC_ENCR_KEY.
    Pac,
    /// PANA_PAA_ENCR_KEY.
    Paa,
}

#[derive(Clone, Debug, Default)]
struct EncryptionKeys {
    pac: Secret<16>,
    paa: Secret<16>,
}

/// A PANA SA (RFC 5191 §5.3).
#[derive(Clone, Debug)]
pub struct Association {
    key_id: u32,
    auth: MacKey,
    encryption: Option<EncryptionKeys>,
}

impl Association {
    /// The Key-Id that names the keys.
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// PANA_AUTH_KEY.
    pub const fn auth(&self) -> &MacKey {
        &self.auth
    }

    /// The encryption key of `sender`, if encryption was negotiated.
    pub fn encryption(&self, sender: Sender) -> Option<&Secret<16>> {
        let keys = self.encryption.as_ref()?;
        Some(match sender {
            Sender::Pac => &keys.pac,
            Sender::Paa => &keys.paa,
        })
    }

    /// Encrypts or decrypts `octets` of the message `sequence` of `session_id` in place.
    ///
    /// Returns false if encryption was not negotiated. The counter block (RFC 6786 §3) holds
    /// neither the R bit nor the sequence space: one end that encrypts both in requests and in
    /// answers may use a keystream twice, so it should encrypt in one of the two only.
    #[must_use]
    pub fn crypt(
        &self,
        sender: Sender,
        session_id: u32,
        sequence: u32,
        octets: &mut [u8],
        work: &mut Work,
    ) -> bool {
        let Some(key) = self.encryption(sender) else {
            return false;
        };
        let key = AesKey::new(key.expose(), work);
        let mut counter = [0; 16];
        counter[0] = 2;
        counter[1..5].copy_from_slice(&self.key_id.to_be_bytes());
        counter[5..9].copy_from_slice(&session_id.to_be_bytes());
        counter[9..13].copy_from_slice(&sequence.to_be_bytes());
        for (chunk, block) in octets.chunks_mut(16).zip(1_u32..) {
            counter[13..].copy_from_slice(&block.to_be_bytes()[1..]);
            let mut keystream = counter;
            key.encrypt(&mut keystream, work);
            for (octet, key_octet) in chunk.iter_mut().zip(keystream) {
                *octet ^= key_octet;
            }
        }
        true
    }
}

/// The two nonces of one authentication, empty until they are known (RFC 5191 §5.3).
#[derive(Clone, Debug, Default)]
pub(super) struct Nonces {
    pub(super) pac: Vec<u8>,
    pub(super) paa: Vec<u8>,
}

impl Nonces {
    /// Forgets both, for the next authentication.
    pub(super) fn clear(&mut self) {
        self.pac.clear();
        self.paa.clear();
    }

    /// Whether both are known.
    pub(super) fn complete(&self) -> bool {
        !self.pac.is_empty() && !self.paa.is_empty()
    }
}
