//! The key derivation function of the EMSK hierarchy (RFC 5295 §3.1).

use super::{Prf, Work};

/// KDF(`key`, `label` | 00 | `optional` | length of `out`), two octets of length.
///
/// The function is prf+ with HMAC-SHA-256.
///
/// # Panics
/// If `out` is longer than 65,535 octets or `optional` has more than five parts; both are
/// constants of the caller.
pub fn kdf(key: &[u8], label: &str, optional: &[&[u8]], out: &mut [u8], work: &mut Work) {
    let len = u16::try_from(out.len())
        .expect("derived keys are shorter than 64 KiB")
        .to_be_bytes();
    let mut seed: [&[u8]; 8] = [&[]; 8];
    seed[0] = label.as_bytes();
    seed[1] = &[0];
    seed[2..2 + optional.len()].copy_from_slice(optional);
    seed[2 + optional.len()] = &len;
    Prf::HmacSha256.plus(key, &seed[..3 + optional.len()], out, work);
}
