//! A pre-shared key from a password (RFC 4764 Appendix A).
//!
//! The standard discourages it: messages 1 and 2 let anybody who recorded them try passwords
//! offline. It serves studies of exactly that. The appendix leaves three points open; this module
//! aligns the identities at their first octets, takes HMAC-SHA-1 in PBKDF2, and lets the caller
//! choose the padding of long passwords.

use crate::crypto::{AesKey, Secret, Work, pbkdf2_hmac_sha1};

/// Iterations of PBKDF2 (Appendix A).
pub const ITERATIONS: u32 = 5000;

/// Octets of the PBKDF2 salt: the first 96 bits of ID_P xor ID_S.
const SALT_LEN: usize = 12;

/// Start value of the hash of long passwords (Appendix A).
const HASH_START: [u8; 16] = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210u128.to_be_bytes();

/// How a password longer than 16 octets is filled up to whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// With zero octets.
    Zero,
    /// With one bit, zeros and the length in bits as 64 bits, as hash functions do.
    Strengthened,
}

/// The 16 octets that PBKDF2 takes for `password`.
///
/// Shorter passwords are filled with zero octets in front, longer ones are hashed
/// (Matyas-Meyer-Oseas with AES-128).
pub fn normalise(password: &[u8], padding: Padding, work: &mut Work) -> Secret<16> {
    let mut normalised = [0; 16];
    if password.len() > 16 {
        return hash(password, padding, work);
    }
    normalised[16 - password.len()..].copy_from_slice(password);
    Secret::new(normalised)
}

/// The salt that belongs to the pair of identities.
pub fn salt(id_p: &[u8], id_s: &[u8]) -> [u8; SALT_LEN] {
    let mut salt = [0; SALT_LEN];
    for identity in [id_p, id_s] {
        for (octet, addend) in salt.iter_mut().zip(identity) {
            *octet ^= addend;
        }
    }
    salt
}

/// The pre-shared key of the peer `id_p` and the server `id_s`.
///
/// Costs 10,000 SHA-1 compressions.
pub fn pre_shared_key(
    password: &[u8],
    id_p: &[u8],
    id_s: &[u8],
    padding: Padding,
    work: &mut Work,
) -> Secret<16> {
    let password = normalise(password, padding, work);
    let mut psk = Secret::default();
    pbkdf2_hmac_sha1(
        password.expose(),
        &salt(id_p, id_s),
        ITERATIONS,
        psk.expose_mut(),
        work,
    );
    psk
}

fn hash(password: &[u8], padding: Padding, work: &mut Work) -> Secret<16> {
    let mut state = Secret::new(HASH_START);
    let (blocks, rest) = password.as_chunks::<16>();
    for block in blocks {
        absorb(&mut state, block, work);
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    match padding {
        Padding::Zero if rest.is_empty() => {}
        Padding::Zero => absorb(&mut state, &last, work),
        Padding::Strengthened => {
            last[rest.len()] = 0x80;
            if rest.len() >= 8 {
                absorb(&mut state, &last, work);
                last = [0; 16];
            }
            last[8..].copy_from_slice(&(password.len() as u64 * 8).to_be_bytes());
            absorb(&mut state, &last, work);
        }
    }
    state
}

/// H = E_H(block) xor block.
fn absorb(state: &mut Secret<16>, block: &[u8; 16], work: &mut Work) {
    let key = AesKey::new(state.expose(), work);
    let mut output = *block;
    key.encrypt(&mut output, work);
    for ((octet, output), input) in state.expose_mut().iter_mut().zip(output).zip(block) {
        *octet = output ^ input;
    }
}
