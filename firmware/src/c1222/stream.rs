//! APDUs on a TCP connection (RFC 6142 §2.5).
//!
//! ```text
//! stream = { 60 length contents }*          nothing else delimits them
//! ```
//!
//! A [`Deframer`] takes octets as they arrive, in pieces of any size, and hands out complete APDUs,
//! ready for opening in place. Framing and transport are independent of what an APDU says: after
//! one that its node refuses, the next one follows as if nothing had happened. Only octets that
//! cannot be the beginning of an APDU end the stream, because nothing tells where the next one
//! starts: the host closes the connection. Sending needs no codec, an APDU goes out as it is built.
//!
//! Memory grows with received octets only, never with announced ones, and never beyond the limit.

use alloc::vec::Vec;

use super::acse;
use super::ber;
use crate::wire::{Error, Reader};

/// Octets that a receiver without knowledge of its peers should be able to take (RFC 6142 §2.6).
pub const APDU_LEN_DEFAULT: usize = 2_048;

/// Octets of the longest tag and length.
const HEADER_LEN_MAX: usize = 5;

/// The receiving end of a stream of APDUs.
///
/// Call [`push`](Self::push) and then [`poll`](Self::poll) until it has no more, in turn, until
/// everything that has arrived is taken.
#[derive(Debug)]
pub struct Deframer {
    limit: usize,
    buffer: Vec<u8>,
    /// Octets at the front that have been handed out.
    taken: usize,
    failed: Option<Error>,
}

impl Deframer {
    /// A stream without octets whose APDUs are at most `apdu_len_max` octets long, at least 5.
    pub const fn new(apdu_len_max: usize) -> Self {
        Self {
            limit: if apdu_len_max < HEADER_LEN_MAX {
                HEADER_LEN_MAX
            } else {
                apdu_len_max
            },
            buffer: Vec::new(),
            taken: 0,
            failed: None,
        }
    }

    /// Takes octets from the front of `octets` and returns how many: all, unless it is full.
    ///
    /// A full deframer holds a complete APDU or has failed, so `poll` always makes progress. A
    /// failed one takes everything and keeps nothing.
    pub fn push(&mut self, octets: &[u8]) -> usize {
        if self.failed.is_some() {
            return octets.len();
        }
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let room = self.limit.saturating_sub(self.buffer.len());
        let count = octets.len().min(room);
        self.buffer.extend_from_slice(&octets[..count]);
        count
    }

    /// The next complete APDU; `None` if more octets are needed.
    ///
    /// # Errors
    ///
    /// What is there is not the beginning of an APDU, or of one that is too long. The stream has
    /// failed for good: the same error comes from now on.
    pub fn poll(&mut self) -> Result<Option<&mut [u8]>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match frame_len(&self.buffer[self.taken..], self.limit) {
            Ok(Some(len)) => {
                let start = self.taken;
                self.taken += len;
                Ok(Some(&mut self.buffer[start..start + len]))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
                self.taken = 0;
                Err(error)
            }
        }
    }

    /// Octets that wait for the rest of their APDU, or to be polled.
    ///
    /// A connection that ends while there are any was cut in the middle of an APDU.
    pub const fn pending(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Whether the stream has failed.
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }
}

/// The length of the APDU at the front of `octets`, if all of it is there.
fn frame_len(octets: &[u8], limit: usize) -> Result<Option<usize>, Error> {
    let mut reader = Reader::new(octets);
    match reader.u8() {
        Ok(acse::APDU) => {}
        Ok(_) => return Err(Error::Malformed("APDU tag")),
        Err(_) => return Ok(None),
    }
    let contents = match ber::read_len(&mut reader) {
        Ok(contents) => contents,
        Err(Error::Truncated { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = octets.len() - reader.remaining() + contents;
    if len > limit {
        Err(Error::Malformed("APDU length"))
    } else if len > octets.len() {
        Ok(None)
    } else {
        Ok(Some(len))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// An APDU as far as framing looks: tag, length in the form `form`, contents.
    fn frame(form: u8, contents: &[u8]) -> Vec<u8> {
        let len = contents.len() as u32;
        let [_, high, middle, low] = len.to_be_bytes();
        let mut octets = Vec::from([0x60]);
        match form {
            0 if len < 0x80 => octets.push(low),
            0 | 1 if len < 0x100 => octets.extend([0x81, low]),
            2 => octets.extend([0x82, middle, low]),
            _ => octets.extend([0x83, high, middle, low]),
        }
        octets.extend(contents);
        octets
    }

    /// Everything that comes out when `octets` arrive in pieces of `size`.
    fn receive(deframer: &mut Deframer, octets: &[u8], size: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut apdus = Vec::new();
        for mut piece in octets.chunks(size) {
            loop {
                let count = deframer.push(piece);
                piece = &piece[count..];
                while let Some(apdu) = deframer.poll()? {
                    apdus.push(apdu.to_vec());
                }
                if piece.is_empty() {
                    break;
                }
            }
        }
        Ok(apdus)
    }

    #[test]
    fn an_announced_length_takes_no_memory() {
        let mut deframer = Deframer::new(70_000);
        assert_eq!(deframer.push(&[0x60, 0x83, 0x01, 0x00, 0x00]), 5);
        assert_eq!(deframer.poll(), Ok(None));
        assert!(deframer.buffer.capacity() < 64);
        assert_eq!(deframer.pending(), 5);
    }

    #[test]
    fn what_is_no_apdu_ends_the_stream_for_good() {
        let cases = [
            (&[0x61, 0x00][..], "APDU tag"),
            (&[0x60, 0x84, 0, 0, 0, 1], "BER length"),
            (&[0x60, 0x80], "BER length"),
            (&[0x60, 0x82, 0x01, 0x00], "APDU length"),
        ];
        for (octets, field) in cases {
            let mut deframer = Deframer::new(64);
            let good = frame(0, &[7; 10]);
            deframer.push(&good);
            assert!(deframer.poll().unwrap().is_some());
            deframer.push(octets);
            for _ in 0..2 {
                assert_eq!(deframer.poll(), Err(Error::Malformed(field)));
                assert_eq!(deframer.push(&good), good.len(), "taken and forgotten");
            }
            assert_eq!((deframer.pending(), deframer.has_failed()), (0, true));
        }
    }

    #[test]
    fn the_longest_apdu_is_the_limit() {
        let longest = frame(0, &[1; 62]);
        assert_eq!(longest.len(), 64);
        let mut deframer = Deframer::new(64);
        let twice = [&longest[..], &longest].concat();
        assert_eq!(receive(&mut deframer, &twice, 200).unwrap().len(), 2);
        let longer = frame(0, &[1; 63]);
        let refused = receive(&mut Deframer::new(64), &longer, 200);
        assert_eq!(refused, Err(Error::Malformed("APDU length")));
        let shortest = receive(&mut Deframer::new(0), &[0x60, 0x01, 0x07], 1);
        assert_eq!(shortest.unwrap(), [[0x60, 0x01, 0x07]]);
    }

    proptest! {
        #[test]
        fn apdus_come_out_whole_however_they_arrive(
            apdus in proptest::collection::vec(
                (0u8..4, proptest::collection::vec(any::<u8>(), 0..300)), 0..8),
            size in 1usize..700,
        ) {
            let sent: Vec<Vec<u8>> =
                apdus.iter().map(|(form, contents)| frame(*form, contents)).collect();
            let mut deframer = Deframer::new(304);
            let received = receive(&mut deframer, &sent.concat(), size).unwrap();
            prop_assert_eq!(received, sent);
            prop_assert_eq!(deframer.pending(), 0);
        }

        #[test]
        fn any_octets_end_in_finite_memory(
            octets in proptest::collection::vec(any::<u8>(), 0..2_000),
            limit in 0usize..200,
            size in 1usize..100,
        ) {
            let mut deframer = Deframer::new(limit);
            for mut piece in octets.chunks(size) {
                // Every push of a working stream takes something.
                for _ in 0..=size {
                    let count = deframer.push(piece);
                    piece = &piece[count..];
                    while let Ok(Some(apdu)) = deframer.poll() {
                        prop_assert!((2..=limit.max(5)).contains(&apdu.len()));
                    }
                    if piece.is_empty() {
                        break;
                    }
                }
                prop_assert!(piece.is_empty());
                prop_assert!(deframer.buffer.len() <= limit.max(5));
            }
        }
    }
}
