//! The elements of an ACSE APDU (IEEE 1703-2012 §5.3.2).
//!
//! ```text
//! APDU = 60 len [A1][A2][A3][A4][A6][A7] A8 [8B][AC] BE
//! A1 06 len OID            aSO-context             A2, A6  ApTitle   called, calling
//! A3 02 len unsigned       length of a segmented APDU
//! A4, A8 02 len unsigned   called, calling invocation id (A4 marks a response)
//! A7 02 01 flags           calling AE-qualifier    8B len OID  mechanism
//! AC 0F A2 0D A0 0B A1 09 80 01 kk 81 04 iv iv iv iv          key id and IV of EAX′
//! BE len 28 len [02 len unsigned] 81 len user information
//! ```
//!
//! Only this order is accepted. Unknown elements are refused, because EAX′ would not authenticate
//! them. C12.21 authentication inside AC is not supported.

use super::aptitle::ApTitle;
use super::ber;
use crate::wire::{Error, Reader, Writer};

pub(super) const APDU: u8 = 0x60;
const OID: u8 = 0x06;
const INTEGER: u8 = 0x02;
const USER_INFORMATION: u8 = 0xBE;
const EXTERNAL: u8 = 0x28;
const OCTET_ALIGNED: u8 = 0x81;
/// Contents of AC up to the key id.
const AUTHENTICATION: [u8; 8] = [0xA2, 0x0D, 0xA0, 0x0B, 0xA1, 0x09, 0x80, 0x01];

/// The calling AE-qualifier, a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qualifier(pub u8);

impl Qualifier {
    /// The message must have no effect (bit 0).
    pub const TEST: Self = Self(0x01);
    /// The message should be handled first (bit 1).
    pub const URGENT: Self = Self(0x02);
    /// The message is unsolicited (bit 2).
    pub const NOTIFICATION: Self = Self(0x04);

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Key id and initialisation vector of a secured message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The key; absent means 0.
    pub key_id: Option<u8>,
    /// UTC seconds since 1970 when the message was made, big-endian.
    pub iv: [u8; 4],
}

impl Authentication {
    /// The key id in force.
    pub fn key_id(&self) -> u8 {
        self.key_id.unwrap_or(0)
    }

    /// The initialisation vector as UTC seconds.
    pub const fn utc(&self) -> u32 {
        u32::from_be_bytes(self.iv)
    }
}

/// The meaningful values of the elements before the user information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// Application context (A1), OID content. Relative titles are below it if it is present.
    pub context: Option<&'a [u8]>,
    /// Receiver (A2).
    pub called: Option<ApTitle<'a>>,
    /// Length of the complete APDU (A3); its presence marks a segment.
    pub segmented_len: Option<u32>,
    /// Invocation id of the request (A4); its presence marks a response.
    pub called_invocation: Option<u32>,
    /// Sender (A6).
    pub calling: Option<ApTitle<'a>>,
    /// Flags (A7).
    pub qualifier: Option<Qualifier>,
    /// Invocation id that the sender chose (A8).
    pub invocation: u32,
    /// Security mechanism (8B), OID content.
    pub mechanism: Option<&'a [u8]>,
    /// Key id and IV (AC).
    pub authentication: Option<Authentication>,
}

impl Header<'_> {
    fn element_lens(&self) -> ElementLens {
        let unsigned = |value: u32| ber::element_len(ber::element_len(ber::unsigned_len(value)));
        let title = |title: ApTitle<'_>| ber::element_len(title.encoded_len());
        let oid = |oid: &[u8]| ber::element_len(ber::element_len(oid.len()));
        let authentication = |value: Authentication| match value.key_id {
            Some(_) => 17,
            None => 14,
        };
        ElementLens {
            context: self.context.map_or(0, oid),
            called: self.called.map_or(0, title),
            segmented_len: self.segmented_len.map_or(0, unsigned),
            called_invocation: self.called_invocation.map_or(0, unsigned),
            calling: self.calling.map_or(0, title),
            tail: self.qualifier.map_or(0, |_| 5)
                + unsigned(self.invocation)
                + self.mechanism.map_or(0, |oid| ber::element_len(oid.len()))
                + self.authentication.map_or(0, authentication),
        }
    }

    /// Writes all elements before the user information.
    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        if let Some(oid) = self.context {
            ber::write_header(writer, 0xA1, ber::element_len(oid.len()))?;
            ber::write_header(writer, OID, oid.len())?;
            writer.put(oid)?;
        }
        emit_title(writer, 0xA2, self.called)?;
        emit_unsigned(writer, 0xA3, self.segmented_len)?;
        emit_unsigned(writer, 0xA4, self.called_invocation)?;
        emit_title(writer, 0xA6, self.calling)?;
        if let Some(Qualifier(flags)) = self.qualifier {
            writer.put(&[0xA7, 0x03, INTEGER, 0x01, flags])?;
        }
        emit_unsigned(writer, 0xA8, Some(self.invocation))?;
        if let Some(oid) = self.mechanism {
            ber::write_header(writer, 0x8B, oid.len())?;
            writer.put(oid)?;
        }
        if let Some(authentication) = self.authentication {
            emit_authentication(writer, authentication)?;
        }
        Ok(())
    }
}

/// Octets of each element up to A6 and of those behind it, in their order.
struct ElementLens {
    context: usize,
    called: usize,
    segmented_len: usize,
    called_invocation: usize,
    calling: usize,
    tail: usize,
}

/// A header whose elements have been measured, which every length in front of them depends on.
pub struct Measured<'h, 'a> {
    header: &'h Header<'a>,
    lens: ElementLens,
    elements: usize,
}

impl<'h, 'a> Measured<'h, 'a> {
    /// Measures `header`.
    pub fn new(header: &'h Header<'a>) -> Self {
        let lens = header.element_lens();
        let elements = lens.context
            + lens.called
            + lens.segmented_len
            + lens.called_invocation
            + lens.calling
            + lens.tail;
        Self {
            header,
            lens,
            elements,
        }
    }

    /// Octets before the user information proper, if that is `user_len` octets long.
    ///
    /// `offset` is the integer in front of the user information, which only segments use.
    pub fn prefix_len(&self, offset: Option<u32>, user_len: usize) -> usize {
        let (apdu, _) = self.nested(offset, user_len);
        ber::element_len(apdu) - user_len
    }

    /// Writes everything up to the user information proper, which is `user_len` octets long.
    pub fn emit_prefix(
        &self,
        offset: Option<u32>,
        user_len: usize,
        writer: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let (apdu, external) = self.nested(offset, user_len);
        ber::write_header(writer, APDU, apdu)?;
        self.header.emit(writer)?;
        ber::write_header(writer, USER_INFORMATION, ber::element_len(external))?;
        ber::write_header(writer, EXTERNAL, external)?;
        if let Some(offset) = offset {
            ber::write_unsigned(writer, offset)?;
        }
        ber::write_header(writer, OCTET_ALIGNED, user_len)
    }

    /// Contents of the APDU and of the external in it.
    fn nested(&self, offset: Option<u32>, user_len: usize) -> (usize, usize) {
        let integer = offset.map_or(0, |offset| ber::element_len(ber::unsigned_len(offset)));
        let external = integer + ber::element_len(user_len);
        let apdu = self.elements + ber::element_len(ber::element_len(external));
        (apdu, external)
    }

    /// The elements, which were emitted as the last octets of `head`.
    pub(super) fn emitted(&self, head: &'a [u8]) -> Elements<'a> {
        let octets = &head[head.len() - self.elements..];
        let lens = &self.lens;
        let called_invocation = lens.context + lens.called + lens.segmented_len;
        let tail = called_invocation + lens.called_invocation + lens.calling;
        Elements {
            header: *self.header,
            context: &octets[..lens.context],
            called_invocation: &octets[called_invocation..][..lens.called_invocation],
            tail: &octets[tail..],
        }
    }
}

/// Octets from BE up to the user information proper, if that is `user_len` octets long.
pub(super) fn external_len(user_len: usize) -> usize {
    let external = ber::element_len(user_len);
    ber::element_len(ber::element_len(external)) - user_len
}

fn emit_title(writer: &mut Writer<'_>, tag: u8, title: Option<ApTitle<'_>>) -> Result<(), Error> {
    let Some(title) = title else { return Ok(()) };
    ber::write_header(writer, tag, title.encoded_len())?;
    title.emit(writer)
}

fn emit_unsigned(writer: &mut Writer<'_>, tag: u8, value: Option<u32>) -> Result<(), Error> {
    let Some(value) = value else { return Ok(()) };
    ber::write_header(writer, tag, ber::element_len(ber::unsigned_len(value)))?;
    ber::write_unsigned(writer, value)
}

fn emit_authentication(writer: &mut Writer<'_>, value: Authentication) -> Result<(), Error> {
    match value.key_id {
        Some(key_id) => {
            writer.put(&[0xAC, 0x0F])?;
            writer.put(&AUTHENTICATION)?;
            writer.u8(key_id)?;
        }
        None => writer.put(&[0xAC, 0x0C, 0xA2, 0x0A, 0xA0, 0x08, 0xA1, 0x06])?,
    }
    writer.put(&[0x81, 0x04])?;
    writer.put(&value.iv)
}

/// Where the parts of a datagram lie; found without looking into the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Start of the first element.
    pub(super) elements: usize,
    /// Start of BE.
    pub(super) user_information: usize,
    /// Start of the user information proper; it ends where the datagram ends.
    pub(super) user: usize,
    /// The integer in front of the user information.
    pub(super) integer: Option<u32>,
}

impl Frame {
    /// Finds the parts of a complete APDU; nothing may follow it.
    pub(super) fn locate(octets: &[u8]) -> Result<Self, Error> {
        let at = |reader: &Reader<'_>| octets.len() - reader.remaining();
        let mut reader = Reader::new(octets);
        if reader.u8()? != APDU {
            return Err(Error::Malformed("APDU tag"));
        }
        exactly(ber::read_len(&mut reader)?, &reader)?;
        let elements = at(&reader);
        let user_information = loop {
            let start = at(&reader);
            let tag = reader.u8()?;
            let len = ber::read_len(&mut reader)?;
            if tag == USER_INFORMATION {
                exactly(len, &reader)?;
                break start;
            }
            reader.take(len)?;
        };
        if reader.u8()? != EXTERNAL {
            return Err(Error::Malformed("user information"));
        }
        exactly(ber::read_len(&mut reader)?, &reader)?;
        let mut integer = None;
        if reader.peek() == Some(INTEGER) {
            let contents = ber::expect(&mut reader, INTEGER, "user information")?.rest();
            integer = Some(ber::unsigned(contents, "user information")?);
        }
        if reader.u8()? != OCTET_ALIGNED {
            return Err(Error::Malformed("user information"));
        }
        exactly(ber::read_len(&mut reader)?, &reader)?;
        Ok(Self {
            elements,
            user_information,
            user: at(&reader),
            integer,
        })
    }
}

/// The length of a complete APDU at the front of a stream, once enough of it has arrived.
///
/// Over TCP APDUs follow each other without any other delimiter (RFC 6142 §4).
pub fn stream_len(octets: &[u8]) -> Result<Option<usize>, Error> {
    match octets.first() {
        None => return Ok(None),
        Some(&APDU) => {}
        Some(_) => return Err(Error::Malformed("APDU tag")),
    }
    let mut reader = Reader::new(&octets[1..]);
    match ber::read_len(&mut reader) {
        Ok(len) => Ok(Some(octets.len() - reader.remaining() + len)),
        Err(Error::Truncated { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn exactly(len: usize, reader: &Reader<'_>) -> Result<(), Error> {
    let have = reader.remaining();
    match len.cmp(&have) {
        core::cmp::Ordering::Equal => Ok(()),
        core::cmp::Ordering::Less => Err(Error::Malformed("trailing octets")),
        core::cmp::Ordering::Greater => Err(Error::Truncated { need: len, have }),
    }
}

/// The parsed elements together with their octets, which EAX′ authenticates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Elements<'a> {
    pub(super) header: Header<'a>,
    /// A1 as sent.
    pub(super) context: &'a [u8],
    /// A4 as sent.
    pub(super) called_invocation: &'a [u8],
    /// A7, A8, 8B and AC as sent: neighbours on the wire and in the canonified cleartext.
    pub(super) tail: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Parses everything between the APDU header and BE.
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let mut elements = Self::default();
        let mut reader = Reader::new(octets);
        let mut previous = 0;
        let mut invocation = None;
        let mut tail_start = None;
        while !reader.is_empty() {
            let start = octets.len() - reader.remaining();
            let tag = reader.u8()?;
            let len = ber::read_len(&mut reader)?;
            let contents = reader.sub(len)?;
            let raw = &octets[start..octets.len() - reader.remaining()];
            let rank = rank(tag)?;
            if rank <= previous {
                return Err(Error::Malformed("element order"));
            }
            previous = rank;
            if rank >= TAIL_RANK {
                tail_start.get_or_insert(start);
            }
            match tag {
                0xA4 => elements.called_invocation = raw,
                0xA1 => elements.context = raw,
                0xA8 => invocation = Some(parse_unsigned(contents, "invocation id")?),
                _ => {}
            }
            elements.header.set(tag, contents)?;
        }
        elements.header.invocation = invocation.ok_or(Error::Malformed("invocation id"))?;
        elements.tail = &octets[tail_start.unwrap_or(octets.len())..];
        Ok(elements)
    }
}

/// Context and sender of an APDU (A1 and A6), without a look at anything else.
pub(super) fn sender(octets: &[u8]) -> Result<Header<'_>, Error> {
    leading(octets, |tag| matches!(tag, 0xA1 | 0xA6))
}

/// Context and addressee of an APDU (A1 and A2), without a look at anything else.
pub(super) fn addressee(octets: &[u8]) -> Result<Header<'_>, Error> {
    leading(octets, |tag| matches!(tag, 0xA1 | 0xA2))
}

fn leading(octets: &[u8], is_wanted: impl Fn(u8) -> bool) -> Result<Header<'_>, Error> {
    let mut reader = Reader::new(octets);
    if reader.u8()? != APDU {
        return Err(Error::Malformed("APDU tag"));
    }
    ber::read_len(&mut reader)?;
    let mut header = Header::default();
    while let Some(tag) = reader.peek().filter(|tag| *tag <= 0xA6) {
        reader.u8()?;
        let len = ber::read_len(&mut reader)?;
        let contents = reader.sub(len)?;
        if is_wanted(tag) {
            header.set(tag, contents)?;
        }
    }
    Ok(header)
}

/// Rank of A7, the first of the elements that stay neighbours in the canonified cleartext.
const TAIL_RANK: u8 = 6;

/// The position of an element in the order that the standard prescribes.
fn rank(tag: u8) -> Result<u8, Error> {
    Ok(match tag {
        0xA1 => 1,
        0xA2 => 2,
        0xA3 => 3,
        0xA4 => 4,
        0xA6 => 5,
        0xA7 => TAIL_RANK,
        0xA8 => 7,
        0x8B => 8,
        0xAC => 9,
        _ => return Err(Error::Unsupported(u16::from(tag))),
    })
}

impl<'a> Header<'a> {
    fn set(&mut self, tag: u8, mut contents: Reader<'a>) -> Result<(), Error> {
        match tag {
            0xA1 => {
                let oid = ber::expect(&mut contents, OID, "application context")?.rest();
                self.context = Some(oid);
                end(&contents, "application context")
            }
            0xA2 => {
                self.called = Some(ApTitle::parse(&mut contents)?);
                end(&contents, "called ApTitle")
            }
            0xA3 => {
                self.segmented_len = Some(parse_unsigned(contents, "APDU length")?);
                Ok(())
            }
            0xA4 => {
                self.called_invocation = Some(parse_unsigned(contents, "called invocation id")?);
                Ok(())
            }
            0xA6 => {
                self.calling = Some(ApTitle::parse(&mut contents)?);
                end(&contents, "calling ApTitle")
            }
            0xA7 => {
                let flags = parse_unsigned(contents, "AE-qualifier")?;
                let flags = u8::try_from(flags).map_err(|_| Error::Malformed("AE-qualifier"))?;
                self.qualifier = Some(Qualifier(flags));
                Ok(())
            }
            0x8B => {
                self.mechanism = Some(contents.rest());
                Ok(())
            }
            0xAC => {
                self.authentication = Some(parse_authentication(contents)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn parse_unsigned(mut contents: Reader<'_>, field: &'static str) -> Result<u32, Error> {
    let value = ber::unsigned(ber::expect(&mut contents, INTEGER, field)?.rest(), field)?;
    end(&contents, field)?;
    Ok(value)
}

/// AC: A2 { [02 01 00] A0 { A1 { [80 01 key id] 81 04 IV } } }.
fn parse_authentication(mut contents: Reader<'_>) -> Result<Authentication, Error> {
    const FIELD: &str = "authentication value";
    let mut external = ber::expect(&mut contents, 0xA2, FIELD)?;
    end(&contents, FIELD)?;
    if external.peek() == Some(INTEGER) {
        ber::expect(&mut external, INTEGER, FIELD)?;
    }
    let mut encoding = ber::expect(&mut external, 0xA0, FIELD)?;
    end(&external, FIELD)?;
    let mut parameters = ber::expect(&mut encoding, 0xA1, FIELD)?;
    end(&encoding, FIELD)?;
    let mut key_id = None;
    if parameters.peek() == Some(0x80) {
        let mut value = ber::expect(&mut parameters, 0x80, FIELD)?;
        key_id = Some(value.u8()?);
        end(&value, FIELD)?;
    }
    let mut value = ber::expect(&mut parameters, 0x81, FIELD)?;
    let iv = value.array()?;
    end(&value, FIELD)?;
    end(&parameters, FIELD)?;
    Ok(Authentication { key_id, iv })
}

fn end(reader: &Reader<'_>, field: &'static str) -> Result<(), Error> {
    if reader.is_empty() {
        Ok(())
    } else {
        Err(Error::Malformed(field))
    }
}
