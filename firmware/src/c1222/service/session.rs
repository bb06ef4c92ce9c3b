//! Logon and Security.
//!
//! ```text
//! 50 user id(2) user(10) session idle timeout(2, s)       response 00 granted timeout(2)
//! 51 password(20) [user id(2), only when sessionless]
//! ```
//!
//! Names and passwords are padded with spaces.

use core::fmt;

use crate::crypto::Secret;
use crate::wire::{Error, Reader, Writer};

/// A Logon request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logon {
    /// Number of the user.
    pub user_id: u16,
    /// Name of the user.
    pub user: [u8; 10],
    /// Requested idle timeout of the session in seconds.
    ///
    /// Absent in requests of some generators, which end after the name.
    pub idle_timeout_s: Option<u16>,
}

impl Logon {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            user_id: reader.u16()?,
            user: reader.array()?,
            idle_timeout_s: if reader.is_empty() {
                None
            } else {
                Some(reader.u16()?)
            },
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u16(self.user_id)?;
        writer.put(&self.user)?;
        self.idle_timeout_s
            .map_or(Ok(()), |seconds| writer.u16(seconds))
    }
}

/// A Security request: the password of an access level.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password {
    octets: [u8; 20],
    /// Number of the user, only in sessionless messages.
    pub user_id: Option<u16>,
}

impl Password {
    /// A password, padded with spaces; octets beyond the twentieth do not count.
    pub fn new(password: &[u8], user_id: Option<u16>) -> Self {
        let mut octets = [b' '; 20];
        for (target, octet) in octets.iter_mut().zip(password) {
            *target = *octet;
        }
        Self { octets, user_id }
    }

    /// The password with its padding.
    pub(crate) const fn octets(&self) -> &[u8; 20] {
        &self.octets
    }

    /// Whether the password is `other`, in constant time.
    pub fn is(&self, other: &Secret<20>) -> bool {
        crate::crypto::equal(&self.octets, other.expose())
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            octets: reader.array()?,
            user_id: if reader.is_empty() {
                None
            } else {
                Some(reader.u16()?)
            },
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&self.octets)?;
        self.user_id.map_or(Ok(()), |user_id| writer.u16(user_id))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}
