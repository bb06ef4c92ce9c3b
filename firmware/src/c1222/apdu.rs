//! Complete APDUs: a view for received octets, and a builder.
//!
//! A received APDU is opened in place: [`Apdu::parse`] over `&mut [u8]`, [`Apdu::open`] with the
//! key that its key id selects, then [`Apdu::payload`]. [`build`] writes services, header, cipher
//! text and MAC into one buffer without any other storage.

use super::acse::{self, Authentication, Elements, Frame, Header, Measured};
use super::aptitle::{ApTitle, NETWORK_ROOT};
use super::epsem::{Control, Mode, Payload};
use super::security::{self, Canonical};
use crate::crypto::Work;
use crate::crypto::eax_prime::{EaxPrimeKey, Failure, MAC_LEN, Rule};
use crate::wire::{Error, Writer};

/// A complete APDU over borrowed octets.
#[derive(Debug)]
pub struct Apdu<'a, B> {
    elements: Elements<'a>,
    /// BE up to and including the control octet, as sent.
    prefix: &'a [u8],
    control: Control,
    /// Everything after the control octet, including the MAC.
    body: B,
}

impl<'a> Apdu<'a, &'a [u8]> {
    /// Parses an APDU for reading.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let frame = Frame::locate(octets)?;
        let (head, body) = octets
            .split_at_checked(frame.user + 1)
            .ok_or(Error::Truncated { need: 1, have: 0 })?;
        Self::assemble(frame, head, body)
    }
}

impl<'a> Apdu<'a, &'a mut [u8]> {
    /// Parses an APDU for opening in place.
    pub fn parse_mut(octets: &'a mut [u8]) -> Result<Self, Error> {
        let frame = Frame::locate(octets)?;
        let (head, body) = octets
            .split_at_mut_checked(frame.user + 1)
            .ok_or(Error::Truncated { need: 1, have: 0 })?;
        Self::assemble(frame, head, body)
    }

    /// Verifies the MAC and, in mode 2, decrypts in place.
    ///
    /// `session` are key id and IV of the session, for APDUs without AC. Untouched on failure.
    /// An APDU in clear has nothing to verify and is refused.
    pub fn open(
        &mut self,
        key: &EaxPrimeKey,
        session: Authentication,
        work: &mut Work,
    ) -> Result<(), Failure> {
        let canonical = canonical(&self.elements, self.prefix, session);
        let Some(text_len) = self.body.len().checked_sub(MAC_LEN) else {
            return Err(Failure::Mac);
        };
        let (text, mac) = self.body.split_at_mut(text_len);
        let mut tag = [0; MAC_LEN];
        tag.copy_from_slice(mac);
        security::open(&canonical, self.control.mode(), text, &tag, key, work)
    }

    /// The services and the device class, once opened, for as long as the octets live.
    pub fn into_payload(self) -> Result<Payload<'a>, Error> {
        let text_len = self.body.len() - mac_len(self.control.mode());
        let body: &'a [u8] = self.body;
        Payload::parse(self.control, &body[..text_len])
    }
}

impl<'a, B: AsRef<[u8]>> Apdu<'a, B> {
    fn assemble(frame: Frame, head: &'a [u8], body: B) -> Result<Self, Error> {
        let elements = Elements::parse(&head[frame.elements..frame.user_information])?;
        if elements.header.segmented_len.is_some() {
            return Err(Error::Unsupported(0xA3));
        }
        let control = Control::parse(head[frame.user])?;
        let (need, have) = (mac_len(control.mode()), body.as_ref().len());
        if have < need {
            return Err(Error::Truncated { need, have });
        }
        Ok(Self {
            elements,
            prefix: &head[frame.user_information..],
            control,
            body,
        })
    }

    /// The elements before the user information.
    pub const fn header(&self) -> &Header<'a> {
        &self.elements.header
    }

    /// The control octet.
    pub const fn control(&self) -> Control {
        self.control
    }

    /// The base OID of relative titles: the application context if it is sent.
    pub fn base(&self) -> &[u8] {
        base(&self.elements.header)
    }

    /// The octets between control and MAC, as they are now.
    pub fn text(&self) -> &[u8] {
        let body = self.body.as_ref();
        &body[..body.len() - mac_len(self.control.mode())]
    }

    /// The MAC of a secured APDU.
    pub fn mac(&self) -> Option<[u8; MAC_LEN]> {
        match self.control.mode() {
            Mode::Clear => None,
            Mode::Authenticated | Mode::Encrypted => self.body.as_ref().last_chunk().copied(),
        }
    }

    /// The services and the device class; cipher text unless clear or opened.
    pub fn payload(&self) -> Result<Payload<'_>, Error> {
        Payload::parse(self.control, self.text())
    }

    /// The canonified cleartext N that EAX′ authenticates, for an APDU with or without AC.
    pub fn canonical(&self, session: Authentication) -> Canonical<'_> {
        canonical(&self.elements, self.prefix, session)
    }
}

/// The base OID of relative titles under `header`.
pub fn base<'a>(header: &Header<'a>) -> &'a [u8] {
    header.context.unwrap_or(&NETWORK_ROOT)
}

/// The sender of an APDU and the base of its title, without a look at anything else.
///
/// A receiver that serves many senders selects by it the node that parses the APDU in full.
pub fn sender(octets: &[u8]) -> Result<(Option<ApTitle<'_>>, &[u8]), Error> {
    let header = acse::sender(octets)?;
    Ok((header.calling, base(&header)))
}

/// Whom an APDU or segment is for and the base of his title, without a look at anything else.
pub fn addressee(octets: &[u8]) -> Result<(Option<ApTitle<'_>>, &[u8]), Error> {
    let header = acse::addressee(octets)?;
    Ok((header.called, base(&header)))
}

fn canonical<'a>(
    elements: &Elements<'a>,
    prefix: &'a [u8],
    session: Authentication,
) -> Canonical<'a> {
    let authentication = elements.header.authentication.unwrap_or(session);
    Canonical::new(elements, prefix, base(&elements.header), authentication)
}

const fn mac_len(mode: Mode) -> usize {
    match mode {
        Mode::Clear => 0,
        Mode::Authenticated | Mode::Encrypted => MAC_LEN,
    }
}

/// What protects an APDU to be built.
#[derive(Clone, Copy, Debug)]
pub struct Protection<'a> {
    /// The key.
    pub key: &'a EaxPrimeKey,
    /// Key id and IV; of the session if the header has no AC.
    pub session: Authentication,
}

/// Builds an APDU in `out` and returns its length.
///
/// The mode is that of `control`; a secured APDU needs `protection`, a clear one ignores it.
/// `services` writes the services, each through
/// [`put_service`](super::epsem::put_service). `out` needs up to eight octets more than the APDU.
pub fn build(
    header: &Header<'_>,
    control: Control,
    ed_class: Option<[u8; 4]>,
    protection: Option<Protection<'_>>,
    out: &mut [u8],
    services: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    work: &mut Work,
) -> Result<usize, Error> {
    let control = ed_class.map_or(control, |_| control.with_ed_class());
    // The lengths in front of the services depend on their length: write these first, behind room
    // for the longest prefix, then move them down.
    let measured = Measured::new(header);
    let room = measured.prefix_len(None, usize::from(u16::MAX)) + 1;
    let have = out.len();
    let mut writer = Writer::new(
        out.get_mut(room..)
            .ok_or(Error::Truncated { need: room, have })?,
    );
    if let Some(ed_class) = ed_class {
        writer.put(&ed_class)?;
    }
    services(&mut writer)?;
    let text_len = writer.len();
    let user_len = 1 + text_len + mac_len(control.mode());
    let start = measured.prefix_len(None, user_len) + 1;
    let end = start + text_len;
    let total = start + user_len - 1;
    if total > have {
        return Err(Error::Truncated { need: total, have });
    }
    out.copy_within(room..room + text_len, start);
    let (head, rest) = out.split_at_mut(start);
    let mut writer = Writer::new(head);
    measured.emit_prefix(None, user_len, &mut writer)?;
    writer.u8(control.octet())?;
    if control.mode() == Mode::Clear {
        return Ok(end);
    }
    let protection = protection.ok_or(Error::Malformed("protection"))?;
    let (text, mac) = rest[..text_len + MAC_LEN].split_at_mut(text_len);
    let external = head.len() - 1 - acse::external_len(user_len);
    let canonical = canonical(
        &measured.emitted(&head[..external]),
        &head[external..],
        protection.session,
    );
    let tag = security::seal(&canonical, control.mode(), text, protection.key, work)
        .map_err(|_| Error::Malformed("canonified cleartext"))?;
    mac.copy_from_slice(&tag);
    Ok(total)
}

/// The rule of every conformant node: its cleartexts are always longer than one block.
pub(super) const RULE: Rule = Rule::RejectShortCleartext;
