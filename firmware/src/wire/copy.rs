//! Copying fields of a few octets.

/// Copies all of `from` to the front of `to`.
///
/// Most fields of a message are so short that calling `memcpy` is what costs: up to 32 octets move
/// here as two words, which overlap unless they fit exactly.
///
/// # Panics
///
/// `to` is shorter than `from`.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    let len = from.len();
    let to = &mut to[..len];
    match len {
        0 => {}
        1..=3 => {
            for at in [0, len / 2, len - 1] {
                to[at] = from[at];
            }
        }
        4..=7 => copy_ends::<4>(from, to),
        8..=16 => copy_ends::<8>(from, to),
        17..=32 => copy_ends::<16>(from, to),
        _ => to.copy_from_slice(from),
    }
}

/// Copies the first and the last `N` octets.
#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_in_full_and_nothing_behind_it() {
        let from: [u8; 70] = core::array::from_fn(|at| at as u8 + 1);
        for len in 0..=from.len() {
            let mut to = [0; 72];
            copy(&from[..len], &mut to);
            assert_eq!(to[..len], from[..len]);
            assert_eq!(to[len..], [0; 72][len..], "{len} octets");
        }
    }
}
