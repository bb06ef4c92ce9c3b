//! What a successful method exports (RFC 3748 §7.10, RFC 5247).

use core::fmt;

use crate::crypto::Secret;

/// The keying material of one successful conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Master Session Key, handed to the authenticator.
    pub msk: Secret<64>,
    /// Extended Master Session Key, never leaves the peer and the EAP server.
    pub emsk: Secret<64>,
    /// Name of the conversation: Type-Code followed by the Method-Id (RFC 5247 §1.4).
    pub session_id: SessionId,
}

/// The longest Session-Id of any method in use: one Type octet and 64 of Method-Id.
const SESSION_ID_LEN_MAX: usize = 65;

/// The Session-Id of a conversation (RFC 5247 §1.4). Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId {
    len: u8,
    octets: [u8; SESSION_ID_LEN_MAX],
}

impl SessionId {
    /// The concatenation of `parts`, or `None` beyond 65 octets.
    pub fn new(parts: &[&[u8]]) -> Option<Self> {
        let mut octets = [0; SESSION_ID_LEN_MAX];
        let mut len = 0;
        for part in parts {
            octets.get_mut(len..len + part.len())?.copy_from_slice(part);
            len += part.len();
        }
        Some(Self {
            len: len as u8,
            octets,
        })
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(")?;
        for octet in self.as_bytes() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}
