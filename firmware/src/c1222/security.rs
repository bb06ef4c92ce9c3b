//! EAX′ over an APDU: the canonified cleartext (IEEE 1703-2012 Annex G).
//!
//! ```text
//! N = A1 | A2 absolute | A4 | A7 | A8 | 8B | AC | BE .. control | A6 absolute | key id | IV
//! ```
//!
//! Each element as sent and only if sent; titles are rewritten into absolute form with minimal
//! lengths; key id and IV always end N, from the session if AC is absent. In mode 1 the readable
//! octets between control and MAC follow and there is no cipher text.

use super::acse::{Authentication, Elements};
use super::apdu::RULE;
use super::aptitle::ApTitle;
use super::ber;
use super::epsem::Mode;
use crate::crypto::Work;
use crate::crypto::eax_prime::{EaxPrimeKey, Failure, MAC_LEN};
use crate::wire::Writer;

/// The mechanism 2.16.124.113620.1.22.2.1, which is EAX′: OID content.
pub const MECHANISM: [u8; 9] = [0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16, 0x02, 0x01];

/// Parts of N, the text of mode 1 included.
const PARTS: usize = 12;

/// The canonified cleartext of one APDU, borrowed in parts.
#[derive(Clone, Copy, Debug)]
pub struct Canonical<'a> {
    context: &'a [u8],
    called: AbsoluteTitle<'a>,
    called_invocation: &'a [u8],
    tail: &'a [u8],
    user_information: &'a [u8],
    calling: AbsoluteTitle<'a>,
    /// Key id and IV.
    end: [u8; 5],
}

impl<'a> Canonical<'a> {
    pub(super) fn new(
        elements: &Elements<'a>,
        user_information: &'a [u8],
        base: &'a [u8],
        authentication: Authentication,
    ) -> Self {
        let [a, b, c, d] = authentication.iv;
        Self {
            context: elements.context,
            called: AbsoluteTitle::new(0xA2, elements.header.called, base),
            called_invocation: elements.called_invocation,
            tail: elements.tail,
            user_information,
            calling: AbsoluteTitle::new(0xA6, elements.header.calling, base),
            end: [authentication.key_id(), a, b, c, d],
        }
    }

    /// The parts whose concatenation is N; `text` is empty but in mode 1.
    pub fn parts<'b>(&'b self, text: &'b [u8]) -> [&'b [u8]; PARTS] {
        [
            self.context,
            self.called.prefix(),
            self.called.base,
            self.called.content,
            self.called_invocation,
            self.tail,
            self.user_information,
            self.calling.prefix(),
            self.calling.base,
            self.calling.content,
            &self.end,
            text,
        ]
    }
}

/// A title element in absolute form: header, base OID, arcs.
#[derive(Clone, Copy, Debug)]
struct AbsoluteTitle<'a> {
    prefix: [u8; 10],
    prefix_len: usize,
    base: &'a [u8],
    content: &'a [u8],
}

impl<'a> AbsoluteTitle<'a> {
    fn new(tag: u8, title: Option<ApTitle<'a>>, base: &'a [u8]) -> Self {
        let Some(title) = title else {
            return Self {
                prefix: [0; 10],
                prefix_len: 0,
                base: &[],
                content: &[],
            };
        };
        let (base, content) = title.absolute(base);
        let len = base.len() + content.len();
        let mut prefix = [0; 10];
        let mut writer = Writer::new(&mut prefix);
        let written = match u8::try_from(ber::element_len(len)) {
            // Both lengths are short.
            Ok(element @ ..=0x7F) => writer.put(&[tag, element, 0x06, element - 2]),
            _ => ber::write_header(&mut writer, tag, ber::element_len(len))
                .and_then(|()| ber::write_header(&mut writer, 0x06, len)),
        };
        debug_assert!(written.is_ok(), "a title is shorter than 16 MiB");
        let prefix_len = writer.len();
        Self {
            prefix,
            prefix_len,
            base,
            content,
        }
    }

    fn prefix(&self) -> &[u8] {
        &self.prefix[..self.prefix_len]
    }
}

/// Protects `text` in place and returns the MAC.
pub(super) fn seal(
    canonical: &Canonical<'_>,
    mode: Mode,
    text: &mut [u8],
    key: &EaxPrimeKey,
    work: &mut Work,
) -> Result<[u8; MAC_LEN], Failure> {
    match mode {
        Mode::Clear => Err(Failure::Mac),
        Mode::Authenticated => key.seal(&canonical.parts(text), &mut [], RULE, work),
        Mode::Encrypted => key.seal(&canonical.parts(&[]), text, RULE, work),
    }
}

/// Verifies `mac`, then restores `text` in place.
pub(super) fn open(
    canonical: &Canonical<'_>,
    mode: Mode,
    text: &mut [u8],
    mac: &[u8; MAC_LEN],
    key: &EaxPrimeKey,
    work: &mut Work,
) -> Result<(), Failure> {
    match mode {
        Mode::Clear => Err(Failure::Mac),
        Mode::Authenticated => key.open(&canonical.parts(text), &mut [], mac, RULE, work),
        Mode::Encrypted => key.open(&canonical.parts(&[]), text, mac, RULE, work),
    }
}
