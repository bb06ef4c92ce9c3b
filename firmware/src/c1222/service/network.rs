//! Register and Trace: the services of the network itself.
//!
//! ```text
//! 27 node type(1) connection type(1) device class(4) ApTitle serial number(06 len ..)
//!    address length(1) native address period(3, s) [len(1) my-domain pattern]
//! response 00 ApTitle delay(2, s) period(3, s) info(1)
//! ```

use super::super::aptitle::ApTitle;
use super::super::ber;
use crate::wire::{Error, Reader, Writer};

/// What kind of node registers; a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeType(pub u8);

impl NodeType {
    /// Forwards messages (bit 0).
    pub const RELAY: Self = Self(0x01);
    /// Assigns and resolves titles (bit 1).
    pub const MASTER_RELAY: Self = Self(0x02);
    /// Reads and commands meters (bit 2).
    pub const HOST: Self = Self(0x04);
    /// Is told about registrations (bit 3).
    pub const NOTIFICATION_HOST: Self = Self(0x08);
    /// Decides about registrations (bit 4).
    pub const AUTHENTICATION_HOST: Self = Self(0x10);
    /// Holds tables (bit 5).
    pub const END_DEVICE: Self = Self(0x20);

    const MY_DOMAIN: u8 = 0x80;
}

/// How a node may be talked to; a set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionType(pub u8);

impl ConnectionType {
    /// Broadcast and multicast are supported (bit 0).
    pub const BROADCAST: Self = Self(0x01);
    /// The message acceptance window is supported (bit 1).
    pub const ACCEPTANCE_WINDOW: Self = Self(0x02);
    /// Playback rejection is supported (bit 2).
    pub const PLAYBACK_REJECTION: Self = Self(0x04);
    /// Connectionless mode is supported and accepted (bits 4 and 5), UDP in RFC 6142 §3.
    pub const CONNECTIONLESS: Self = Self(0x30);
    /// Connection mode is supported and accepted (bits 6 and 7), TCP in RFC 6142 §3.
    pub const CONNECTION: Self = Self(0xC0);
}

/// A Register request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register<'a> {
    /// Kind of node; whether the my-domain pattern follows is set from the pattern itself.
    pub node_type: NodeType,
    /// How the node may be talked to.
    pub connection_type: ConnectionType,
    /// Device class.
    pub device_class: [u8; 4],
    /// Title of the node, [`ApTitle::UNASSIGNED`] if it has none.
    pub ap_title: ApTitle<'a>,
    /// Serial number, OID content.
    pub serial_number: &'a [u8],
    /// Native address in the form of RFC 6142 §2.
    pub native_address: &'a [u8],
    /// Requested lifetime in seconds (24 bits); FFFFFF: no preference.
    pub period_s: u32,
    /// Titles behind the node.
    pub my_domain: Option<&'a [u8]>,
}

impl<'a> Register<'a> {
    /// "No preference" for the registration period.
    pub const NO_PREFERENCE_S: u32 = 0xFF_FFFF;

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let node_type = reader.u8()?;
        let connection_type = ConnectionType(reader.u8()?);
        let device_class = reader.array()?;
        let ap_title = ApTitle::parse(reader)?;
        let serial_number = ber::expect(reader, 0x06, "serial number")?.rest();
        let len = usize::from(reader.u8()?);
        let native_address = reader.take(len)?;
        let period_s = reader.u24()?;
        let my_domain = if node_type & NodeType::MY_DOMAIN != 0 {
            let len = usize::from(reader.u8()?);
            Some(reader.take(len)?)
        } else {
            None
        };
        Ok(Self {
            node_type: NodeType(node_type & !NodeType::MY_DOMAIN),
            connection_type,
            device_class,
            ap_title,
            serial_number,
            native_address,
            period_s,
            my_domain,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let my_domain = self.my_domain.map_or(0, |_| NodeType::MY_DOMAIN);
        writer.u8(self.node_type.0 & !NodeType::MY_DOMAIN | my_domain)?;
        writer.u8(self.connection_type.0)?;
        writer.put(&self.device_class)?;
        self.ap_title.emit(writer)?;
        ber::write_header(writer, 0x06, self.serial_number.len())?;
        writer.put(self.serial_number)?;
        put_counted(writer, self.native_address)?;
        writer.u24(self.period_s)?;
        self.my_domain
            .map_or(Ok(()), |pattern| put_counted(writer, pattern))
    }
}

fn put_counted(writer: &mut Writer<'_>, octets: &[u8]) -> Result<(), Error> {
    let len = u8::try_from(octets.len()).map_err(|_| Error::Malformed("length"))?;
    writer.u8(len)?;
    writer.put(octets)
}

/// The data of a successful response to Register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered<'a> {
    /// The title in force.
    pub ap_title: ApTitle<'a>,
    /// Upper bound of the random delay before registering after power-up, in seconds.
    pub delay_s: u16,
    /// Lifetime of the registration in seconds (24 bits).
    pub period_s: u32,
    /// Flags: direct messaging, window, playback rejection, connection modes.
    pub info: u8,
}

impl<'a> Registered<'a> {
    /// Reads the data after the response code.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        let registered = Self {
            ap_title: ApTitle::parse(&mut reader)?,
            delay_s: reader.u16()?,
            period_s: reader.u24()?,
            info: reader.u8()?,
        };
        if reader.is_empty() {
            Ok(registered)
        } else {
            Err(Error::Malformed("service length"))
        }
    }

    /// Writes the data after the response code.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        self.ap_title.emit(writer)?;
        writer.u16(self.delay_s)?;
        writer.u24(self.period_s)?;
        writer.u8(self.info)
    }
}

/// The relays in a response to Trace, in order; ends after the first error.
#[derive(Clone, Debug)]
pub struct Trace<'a>(Reader<'a>);

impl<'a> Trace<'a> {
    /// The relays in the data after the response code.
    pub const fn new(data: &'a [u8]) -> Self {
        Self(Reader::new(data))
    }
}

impl<'a> Iterator for Trace<'a> {
    type Item = Result<ApTitle<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let title = ApTitle::parse(&mut self.0);
        if title.is_err() {
            self.0.rest();
        }
        Some(title)
    }
}

/// The native address in the data of a successful response to Resolve.
pub fn resolved(data: &[u8]) -> Result<&[u8], Error> {
    let mut reader = Reader::new(data);
    let len = usize::from(reader.u8()?);
    let address = reader.take(len)?;
    if reader.is_empty() {
        Ok(address)
    } else {
        Err(Error::Malformed("service length"))
    }
}
