//! EPSEM, the envelope of services inside an APDU (IEEE 1703-2012 §5.3.2.4.11).
//!
//! ```text
//! user information = control [ed-class(4)] service* [mac(4)]
//! service          = BER length | code | data            a length of 00 ends the list
//! control          = 1 | recovery | proxy | ed-class | security mode (2) | response control (2)
//! ```
//!
//! The control octet is never encrypted; in mode 2 everything after it up to the MAC is.

use super::ber;
use crate::wire::{Error, Reader, Writer};

/// How a message is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Not at all (0).
    #[default]
    Clear,
    /// Clear text with a MAC (1).
    Authenticated,
    /// Cipher text with a MAC (2).
    Encrypted,
}

impl Mode {
    /// The mode in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Authenticated => "authenticated",
            Self::Encrypted => "encrypted",
        }
    }
}

/// When the sender wants an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseControl {
    /// Always (0).
    #[default]
    Always,
    /// Only if a service fails (1).
    OnException,
    /// Never (2).
    Never,
}

/// The EPSEM control octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control(u8);

impl Control {
    /// No flags, mode 0, always answer.
    pub const CLEAR: Self = Self(0x80);

    /// The control octet for `mode` and `response`, without flags.
    pub const fn new(mode: Mode, response: ResponseControl) -> Self {
        Self(0x80 | (mode as u8) << 2 | response as u8)
    }

    /// Reads a control octet: bit 7 must be set and no reserved code may be used.
    pub const fn parse(octet: u8) -> Result<Self, Error> {
        if octet & 0x80 == 0 || octet & 0x0C == 0x0C || octet & 0x03 == 0x03 {
            Err(Error::Malformed("EPSEM control"))
        } else {
            Ok(Self(octet))
        }
    }

    /// The same with the ed-class flag.
    #[must_use]
    pub const fn with_ed_class(self) -> Self {
        Self(self.0 | 0x10)
    }

    /// The same with the flag of a proxy.
    #[must_use]
    pub const fn proxied(self) -> Self {
        Self(self.0 | 0x20)
    }

    /// The octet.
    pub const fn octet(self) -> u8 {
        self.0
    }

    /// How the message is protected.
    pub const fn mode(self) -> Mode {
        match self.0 >> 2 & 0x03 {
            0 => Mode::Clear,
            1 => Mode::Authenticated,
            _ => Mode::Encrypted,
        }
    }

    /// When the sender wants an answer.
    pub const fn response(self) -> ResponseControl {
        match self.0 & 0x03 {
            0 => ResponseControl::Always,
            1 => ResponseControl::OnException,
            _ => ResponseControl::Never,
        }
    }

    /// Whether the message repairs clocks or keys and claims exemption from freshness rules.
    pub const fn is_recovery(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Whether a proxy took part.
    pub const fn is_proxied(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Whether the device class precedes the services.
    pub const fn has_ed_class(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// The octets between control and MAC, decrypted: device class and services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The device class, four octets in practice ASCII.
    pub ed_class: Option<[u8; 4]>,
    services: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Splits the decrypted octets after `control`.
    pub fn parse(control: Control, octets: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let ed_class = if control.has_ed_class() {
            Some(reader.array()?)
        } else {
            None
        };
        Ok(Self {
            ed_class,
            services: reader.rest(),
        })
    }

    /// The services in order, each as code and data.
    pub const fn services(&self) -> Services<'a> {
        Services {
            reader: Reader::new(self.services),
        }
    }
}

/// An iterator over the services of a message; ends after the first error.
#[derive(Clone, Debug)]
pub struct Services<'a> {
    reader: Reader<'a>,
}

impl<'a> Services<'a> {
    /// Octets not yet read.
    pub const fn remaining(&self) -> usize {
        self.reader.remaining()
    }

    fn take(&mut self) -> Result<Option<&'a [u8]>, Error> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let len = ber::read_len(&mut self.reader)?;
        if len == 0 {
            // The list ends early; what follows is padding.
            self.reader.rest();
            return Ok(None);
        }
        self.reader.take(len).map(Some)
    }
}

impl<'a> Iterator for Services<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.take().transpose();
        if matches!(item, Some(Err(_))) {
            self.reader.rest();
        }
        item
    }
}

/// Writes one service with its length in front.
pub fn put_service(
    writer: &mut Writer<'_>,
    emit: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = writer.len();
    // Most services are short: one length octet now, more only if the service turns out long.
    writer.u8(0)?;
    emit(writer)?;
    let len = writer.len() - start - 1;
    let extra = ber::len_len(len) - 1;
    writer.reserve(extra)?;
    let service = &mut writer.written_mut()[start..];
    service.copy_within(1..=len, 1 + extra);
    ber::write_len(&mut Writer::new(service), len)
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_octets_of_the_vectors_read_back() {
        for (octet, mode, response, ed_class) in [
            (0x80, Mode::Clear, ResponseControl::Always, false),
            (0x84, Mode::Authenticated, ResponseControl::Always, false),
            (0x89, Mode::Encrypted, ResponseControl::OnException, false),
            (0x9A, Mode::Encrypted, ResponseControl::Never, true),
        ] {
            let control = Control::parse(octet).unwrap();
            assert_eq!(control.mode(), mode);
            assert_eq!(control.response(), response);
            assert_eq!(control.has_ed_class(), ed_class);
            let mut built = Control::new(mode, response);
            if ed_class {
                built = built.with_ed_class();
            }
            assert_eq!(built.octet(), octet);
        }
        for octet in [0x00, 0x8C, 0x83] {
            assert_eq!(
                Control::parse(octet),
                Err(Error::Malformed("EPSEM control"))
            );
        }
        assert!(Control::parse(0xC8).unwrap().is_recovery());
        assert!(Control::parse(0xA8).unwrap().is_proxied());
    }

    #[test]
    fn a_zero_length_ends_the_list_and_an_error_ends_the_iteration() {
        let payload = Payload::parse(Control::CLEAR, &[1, 0x20, 0, 1, 0x52]).unwrap();
        let services: Vec<_> = payload.services().collect();
        assert_eq!(services, [Ok(&[0x20][..])]);
        let payload = Payload::parse(Control::CLEAR, &[1, 0x20, 5, 1, 0x52]).unwrap();
        let services: Vec<_> = payload.services().collect();
        assert_eq!(
            services,
            [Ok(&[0x20][..]), Err(Error::Truncated { need: 5, have: 2 })]
        );
    }

    proptest! {
        #[test]
        fn services_of_any_length_survive(lens in proptest::collection::vec(1usize..400, 0..5)) {
            let mut buffer = vec![0xA5; 2100];
            let mut writer = Writer::new(&mut buffer);
            for len in &lens {
                put_service(&mut writer, |writer| {
                    (0..*len).try_for_each(|at| writer.u8(at as u8))
                }).unwrap();
            }
            let payload = Payload::parse(Control::CLEAR, writer.written()).unwrap();
            let found: Vec<Vec<u8>> =
                payload.services().map(|service| service.unwrap().to_vec()).collect();
            let expected: Vec<Vec<u8>> =
                lens.iter().map(|len| (0..*len).map(|at| at as u8).collect()).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_payload_is_iterated_to_its_end(control: u8, octets: Vec<u8>) {
            if let Ok(payload) =
                Control::parse(control).and_then(|control| Payload::parse(control, &octets))
            {
                prop_assert!(payload.services().count() <= octets.len());
            }
        }
    }
}
