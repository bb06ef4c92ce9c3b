//! Messages on their way out, cut into segments where a datagram cannot hold them.
//!
//! RFC 6142 §2.6: datagrams stay within the path MTU, of which nothing is known but that 576 octets
//! pass. What is longer goes out as segments, one datagram each, made as they are fetched.

use alloc::vec::Vec;

use super::segment::Segmenter;
use crate::wire::Error;

/// Octets of an APDU or segment that pass every path: 576 without the headers of IPv4 and UDP.
pub const DATAGRAM_LEN_DEFAULT: usize = 548;

/// One APDU that waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    apdu: Vec<u8>,
    /// Octets of it that have been fetched in segments.
    sent: usize,
    repeated: bool,
}

impl Outbox {
    /// Puts an APDU in place of the one that is there; `repeated` if it was sent before.
    pub fn put(&mut self, apdu: &[u8], repeated: bool) {
        self.apdu.clear();
        self.apdu.extend_from_slice(apdu);
        self.sent = 0;
        self.repeated = repeated;
    }

    /// Throws away what has not been fetched.
    ///
    /// No memory is kept for the next APDU: among many meters few have one at a time.
    pub fn clear(&mut self) {
        self.apdu = Vec::new();
        self.sent = 0;
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.apdu.is_empty()
    }

    /// Writes the next datagram of at most `datagram_len` octets to `out`.
    ///
    /// Returns its length and whether it was sent before. An APDU that cannot be cut is dropped.
    #[inline]
    pub fn poll(&mut self, datagram_len: usize, out: &mut [u8]) -> Option<(usize, bool)> {
        // It is asked after every message that a node takes in, and mostly in vain.
        if self.apdu.is_empty() {
            return None;
        }
        self.next(datagram_len, out)
    }

    fn next(&mut self, datagram_len: usize, out: &mut [u8]) -> Option<(usize, bool)> {
        let len = self.apdu.len();
        if self.sent == 0 && len <= datagram_len {
            let copied = out
                .get_mut(..len)
                .map(|out| out.copy_from_slice(&self.apdu));
            self.clear();
            return copied.map(|()| (len, self.repeated));
        }
        let segment = self.segment(datagram_len, out);
        if segment.is_err() || self.sent >= len {
            self.clear();
        }
        segment.ok().flatten().map(|len| (len, self.repeated))
    }

    fn segment(&mut self, datagram_len: usize, out: &mut [u8]) -> Result<Option<usize>, Error> {
        let mut segmenter = Segmenter::fitting(&self.apdu, datagram_len)?.from(self.sent);
        let len = segmenter.next(out)?;
        self.sent = segmenter.offset();
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::c1222::segment::{Limits, Reassembler, Segment};
    use crate::time::Instant;

    /// An APDU in clear whose user information is `len` octets long.
    fn apdu(len: usize) -> Vec<u8> {
        let header = crate::c1222::acse::Header {
            called: Some(
                crate::c1222::ApTitle::parse(&mut crate::wire::Reader::new(&[
                    0x80, 0x02, 0x02, 0x01,
                ]))
                .unwrap(),
            ),
            invocation: 7,
            ..Default::default()
        };
        let mut out = std::vec![0; len + 64];
        let mut writer = crate::wire::Writer::new(&mut out);
        let measured = crate::c1222::acse::Measured::new(&header);
        measured.emit_prefix(None, len, &mut writer).unwrap();
        writer.put(&std::vec![0x80; len]).unwrap();
        let len = writer.len();
        out.truncate(len);
        out
    }

    #[test]
    fn what_fits_goes_as_it_is_and_what_does_not_is_cut() {
        let mut outbox = Outbox::default();
        let mut out = [0xA5; 600];
        assert_eq!(outbox.poll(548, &mut out), None);
        let short = apdu(500);
        outbox.put(&short, true);
        assert_eq!(outbox.poll(548, &mut out), Some((short.len(), true)));
        assert_eq!(out[..short.len()], short);
        assert_eq!(outbox.poll(548, &mut out), None);

        let long = apdu(3_000);
        outbox.put(&long, false);
        let mut reassembler = Reassembler::new(Limits::default());
        let mut segments = 0;
        let complete = loop {
            let (len, repeated) = outbox.poll(548, &mut out).expect("more segments follow");
            assert!(len <= 548 && !repeated);
            segments += 1;
            let segment = Segment::parse(&out[..len]).unwrap().expect("a segment");
            if let Some(whole) = reassembler.insert(&segment, Instant::ZERO).unwrap() {
                break whole.to_vec();
            }
        };
        assert_eq!(complete, long);
        assert_eq!(segments, 6);
        assert_eq!(outbox.poll(548, &mut out), None);
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_cannot_be_cut_is_dropped() {
        let mut outbox = Outbox::default();
        outbox.put(&apdu(3_000), false);
        let mut out = [0; 600];
        assert_eq!(outbox.poll(20, &mut out), None, "no room for a header");
        assert!(outbox.is_empty());
        outbox.put(&apdu(300), false);
        assert_eq!(
            outbox.poll(548, &mut out[..100]),
            None,
            "no room at the host"
        );
        assert!(outbox.is_empty());
    }
}
