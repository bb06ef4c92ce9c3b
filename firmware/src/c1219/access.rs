//! Who may read, write and run what: ST41 to ST45 (C12.19-2008 §9.5).
//!
//! ```text
//! ST41  passwords | octets of a password | keys | octets of a key | records of ST44 (2)
//! ST42  { password (20) | group permission bits }*
//! ST43  default record of tables | default record of procedures
//! ST44  { TABLE_IDC (2) | read mask | write mask }*
//! ST45  { key }*
//!       TABLE_IDC: bits 0..10 number, 11 manufacturer, 12 procedure,
//!                  13 unrestricted read, 14 unrestricted write
//! ```
//!
//! A request is allowed if its record is unrestricted in that direction, or if the groups of the
//! requester and the mask of the record have a bit in common. A procedure is run with the rights
//! to write.

use super::codec::{Decoder, Encoder};
use super::format::Format;
use super::types;
use crate::crypto::Secret;
use crate::wire::{Error, Reader, Writer};

/// Octets of a password, padded with spaces.
pub const PASSWORD_LEN: usize = 20;

/// ST41 ACT_SECURITY_LIMITING, and ST40: what the other tables of the decade hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityLimits {
    /// NBR_PASSWORDS.
    pub passwords: u8,
    /// PASSWORD_LEN in octets.
    pub password_len: u8,
    /// NBR_KEYS.
    pub keys: u8,
    /// KEY_LEN in octets.
    pub key_len: u8,
    /// NBR_PERM_USED: records of ST44.
    pub permissions: u16,
}

impl SecurityLimits {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let [passwords, password_len, keys, key_len] = input.array()?;
            Ok(Self {
                passwords,
                password_len,
                keys,
                key_len,
                permissions: input.u16()?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.put(&[self.passwords, self.password_len, self.keys, self.key_len])?;
        out.u16(self.permissions)
    }

    /// Octets of ST42.
    pub const fn passwords_len(&self) -> usize {
        self.passwords as usize * (self.password_len as usize + 1)
    }

    /// Octets of ST45, which nobody is shown: it reads as zeros.
    pub const fn keys_len(&self) -> usize {
        self.keys as usize * self.key_len as usize
    }
}

/// The groups that a requester is in, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Groups(pub u8);

impl Groups {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Whoever is connected.
    pub const GUEST: Self = Self(0x01);
    /// Meter readers.
    pub const READER: Self = Self(0x02);
    /// Installers.
    pub const INSTALLER: Self = Self(0x04);
    /// Who operates the switch and sets up the meter.
    pub const MASTER: Self = Self(0x08);

    /// Whether a group of `mask` is among these.
    pub const fn meet(self, mask: u8) -> bool {
        self.0 & mask != 0
    }
}

/// An entry of ST42.
#[derive(Clone, Debug)]
pub struct Password {
    /// The password, padded with spaces.
    pub password: Secret<PASSWORD_LEN>,
    /// What it makes of the requester.
    pub groups: Groups,
}

impl Password {
    /// Octets of an entry.
    pub const LEN: usize = PASSWORD_LEN + 1;

    /// The entry of `text`; octets beyond the twentieth do not count.
    pub fn new(text: &[u8], groups: Groups) -> Self {
        let mut password = [b' '; PASSWORD_LEN];
        for (target, octet) in password.iter_mut().zip(text) {
            *target = *octet;
        }
        Self {
            password: Secret::new(password),
            groups,
        }
    }

    /// Reads an entry.
    ///
    /// # Errors
    ///
    /// The octets end.
    pub fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            password: Secret::new(reader.array()?),
            groups: Groups(reader.u8()?),
        })
    }

    /// Writes an entry; ST42 shows it to nobody, but an installer's tool writes it.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(self.password.expose())?;
        writer.u8(self.groups.0)
    }
}

/// A record of ST44.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// TABLE_IDC.
    pub id: u16,
    /// Groups that may read.
    pub read: u8,
    /// Groups that may write, or run the procedure.
    pub write: u8,
}

impl Permissions {
    /// Octets of a record.
    pub const LEN: usize = 4;
    const PROCEDURE: u16 = 1 << 12;
    const READ: u16 = 1 << 13;
    const WRITE: u16 = 1 << 14;

    /// The identifier in a record of the procedure `procedure`.
    pub const fn of_procedure(procedure: u16) -> u16 {
        procedure & 0x0FFF | Self::PROCEDURE
    }

    /// Table or procedure that the record is about.
    pub const fn subject(&self) -> u16 {
        self.id & 0x1FFF
    }

    /// Whether `groups` may read.
    pub const fn may_read(&self, groups: Groups) -> bool {
        self.id & Self::READ != 0 || groups.meet(self.read)
    }

    /// Whether `groups` may write or run.
    pub const fn may_write(&self, groups: Groups) -> bool {
        self.id & Self::WRITE != 0 || groups.meet(self.write)
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// The octets end.
    pub fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: types::u16(reader)?,
            read: reader.u8()?,
            write: reader.u8()?,
        })
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&self.id.to_le_bytes())?;
        writer.put(&[self.read, self.write])
    }
}
