//! Installation codes: how a device and a meter come to share their first key.
//!
//! A device leaves the factory with a secret of 16 octets, printed on its label and protected
//! against typing errors by a CRC-16. Whoever installs it reads address and code to the utility,
//! which enrols the device at the meter. From then on both can compute the installation key:
//!
//! ```text
//! key = KDF(code, "han-install" | 00 | EUI-64 | 0010)       KDF of RFC 5295 §3.1.2
//! ```
//!
//! The installation key protects nothing but key requests and key transports. It never changes, so
//! its frame counters live in non-volatile memory at both ends. All of this is this project's
//! proposal: the public texts on unified key management name a link key of the home area network
//! and leave open how it gets to a device that takes no part in network access.

use alloc::string::String;
use core::fmt;
use core::fmt::Write;

use crate::c1218::crc;
use crate::crypto::{Secret, Work, kdf};

/// Label of the derivation.
const LABEL: &str = "han-install";
/// Octets of a code with its check.
const CODE_LEN: usize = 18;

/// An installation code.
#[derive(Clone, Debug)]
pub struct InstallCode(Secret<16>);

/// Why a text is no installation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// It does not have 36 hexadecimal digits.
    Digits,
    /// Its check does not match: a digit is wrong.
    Check,
}

impl InstallCode {
    /// The code with these octets.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(Secret::new(octets))
    }

    /// Reads a code as it is printed: 36 hexadecimal digits, spaces and hyphens between them.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut octets = [0; CODE_LEN];
        let mut digits = 0;
        for symbol in text.chars().filter(|symbol| !" -".contains(*symbol)) {
            let digit = symbol.to_digit(16).ok_or(CodeError::Digits)?;
            let octet: &mut u8 = octets.get_mut(digits / 2).ok_or(CodeError::Digits)?;
            *octet = *octet << 4 | digit as u8;
            digits += 1;
        }
        if digits != 2 * CODE_LEN {
            return Err(CodeError::Digits);
        }
        let (code, check) = octets.split_at(16);
        if crc::of(code).to_le_bytes() != check {
            return Err(CodeError::Check);
        }
        let mut secret = Secret::default();
        secret.expose_mut().copy_from_slice(code);
        Ok(Self(secret))
    }

    /// The code as it is printed: groups of four digits.
    pub fn print(&self) -> String {
        let mut text = String::new();
        let check = crc::of(self.0.expose()).to_le_bytes();
        for (at, octet) in self.0.expose().iter().chain(&check).enumerate() {
            let gap = if at > 0 && at % 2 == 0 { " " } else { "" };
            write!(text, "{gap}{octet:02X}").expect("a String takes any text");
        }
        text
    }

    /// The installation key of the device with this code and the EUI-64 `address`.
    pub fn key(&self, address: u64, work: &mut Work) -> Secret<16> {
        let mut key = Secret::default();
        let address = address.to_be_bytes();
        kdf(self.0.expose(), LABEL, &[&address], key.expose_mut(), work);
        key
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "not 36 hexadecimal digits",
            Self::Check => "the check digits do not match",
        })
    }
}

impl core::error::Error for CodeError {}
