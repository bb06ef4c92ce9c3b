//! PBKDF2 with HMAC-SHA-1 (RFC 8018 §5.2).

use super::Work;
use super::hmac::{HmacKey, Sha1};

/// Octets of an HMAC-SHA-1 output.
const OUTPUT: usize = 20;

/// Derives `out` from `password` and `salt`.
///
/// Every 20 octets cost `iterations` HMAC computations.
pub fn pbkdf2_hmac_sha1(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    out: &mut [u8],
    work: &mut Work,
) {
    let keyed = HmacKey::<Sha1>::new(password, |blocks| work.sha1_blocks += blocks);
    for (chunk, index) in out.chunks_mut(OUTPUT).zip(1u32..) {
        let mut last: [u8; OUTPUT] = keyed.tag(&[salt, &index.to_be_bytes()], |blocks| {
            work.sha1_blocks += blocks;
        });
        let mut sum = last;
        for _ in 1..iterations {
            last = keyed.tag(&[&last], |blocks| work.sha1_blocks += blocks);
            for (octet, addend) in sum.iter_mut().zip(last) {
                *octet ^= addend;
            }
        }
        chunk.copy_from_slice(&sum[..chunk.len()]);
    }
}
