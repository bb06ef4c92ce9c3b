//! The key hierarchy: root keys, C12.22 keys, their names and key ids (RFC 5295 §3, §4).
//!
//! ```text
//! USRK     = KDF(EMSK, label | 00 | optional data | length)
//! EMSKname = KDF(Session-Id, "EMSK" | 00 | 0008)
//! USRKname = KDF(Session-Id, label | 00 | optional data | 0008)
//! DSRK     = USRK with label "dsrk@ietf.org" and the domain as optional data
//! DSUSRK   = KDF(DSRK, label | 00 | optional data | length)
//! ```
//!
//! Lengths are two octets, big-endian. The C12.22 layer on top of it is this project's proposal.

use crate::crypto::{AesKey, Secret, Work, kdf};

/// Label of the root key of the key management function.
pub const ROOT_LABEL: &str = "ukmf@ami.example";
/// Label of the keys below the root key.
pub const KEY_LABEL: &str = "c1222-key";
/// Label of a domain-specific root key (RFC 5295 §4).
pub const DSRK_LABEL: &str = "dsrk@ietf.org";
/// Label of the name of an EMSK (RFC 5295 §3.1).
pub const EMSK_NAME_LABEL: &str = "EMSK";

/// First key id for keys that UKMF derives.
pub const RING_START: u8 = 0x10;
/// Number of key ids for keys that UKMF derives: 0x10 to 0xEF.
pub const RING_LEN: u8 = 224;
/// Number of key ids for static and commissioning keys: 0x00 to 0x0F.
pub const STATIC_LEN: u8 = 16;
/// First key id reserved for group keys and experiments.
pub const RESERVED_START: u8 = 0xF0;
/// Longest content of an absolute ApTitle that a key can be bound to, in octets.
pub const AP_TITLE_LEN_MAX: usize = 255;

/// The name of a key; it identifies the key and may be logged.
pub type KeyName = [u8; 8];

/// What a derived key is for; part of its derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// EAX′ between a meter and its head-end (01).
    C1222Unicast,
    /// Reserved for the password or MAC key of the optical port (02).
    OpticalPort,
    /// Link key of the home area network (03).
    HanLink,
    /// A random key that all members of a group share (80, private); it is not derived.
    Group,
    /// Any other value; 80 to FF are private.
    Unknown(u8),
}

impl From<Purpose> for u8 {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::C1222Unicast => 1,
            Purpose::OpticalPort => 2,
            Purpose::HanLink => 3,
            Purpose::Group => 0x80,
            Purpose::Unknown(code) => code,
        }
    }
}

impl From<u8> for Purpose {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::C1222Unicast,
            2 => Self::OpticalPort,
            3 => Self::HanLink,
            0x80 => Self::Group,
            _ => Self::Unknown(code),
        }
    }
}

/// What separates one key below a root key from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyContext<'a> {
    /// What the key is for.
    pub purpose: Purpose,
    /// Element of the key array.
    pub index: u16,
    /// The C12.22 key id under which the key will be used.
    pub key_id: u8,
    /// Content octets of the meter's absolute ApTitle, no tag and no length.
    ///
    /// At most [`AP_TITLE_LEN_MAX`] octets count.
    pub ap_title: &'a [u8],
}

impl KeyContext<'_> {
    /// purpose(1) | index(2) | key id(1) | length(1), the fixed part of the optional data.
    fn prefix(&self) -> [u8; 5] {
        let [high, low] = self.index.to_be_bytes();
        let len = self.ap_title().len() as u8;
        [self.purpose.into(), high, low, self.key_id, len]
    }

    fn ap_title(&self) -> &[u8] {
        &self.ap_title[..self.ap_title.len().min(AP_TITLE_LEN_MAX)]
    }

    fn derive(&self, from: &[u8], out: &mut [u8], work: &mut Work) {
        kdf(
            from,
            KEY_LABEL,
            &[&self.prefix(), self.ap_title()],
            out,
            work,
        );
    }

    /// The name of the key, from the EAP Session-Id of the authentication.
    pub fn name(&self, session_id: &[u8], work: &mut Work) -> KeyName {
        let mut name = [0; 8];
        self.derive(session_id, &mut name, work);
        name
    }
}

/// The root key of one authentication, from which only keys below it are derived.
#[derive(Clone, Debug)]
pub struct RootKey(Secret<64>);

impl RootKey {
    /// Derives the root key; the EMSK is not needed afterwards.
    pub fn derive(emsk: &Secret<64>, session_id: &[u8], work: &mut Work) -> Self {
        let mut root = Secret::new([0; 64]);
        usrk(
            emsk.expose(),
            ROOT_LABEL,
            &[session_id],
            root.expose_mut(),
            work,
        );
        Self(root)
    }

    /// The key for `context`.
    pub fn key(&self, context: &KeyContext<'_>, work: &mut Work) -> Secret<16> {
        let mut key = Secret::new([0; 16]);
        context.derive(self.0.expose(), key.expose_mut(), work);
        key
    }

    /// The octets, for export to a head-end that derives its own keys.
    pub const fn expose(&self) -> &[u8; 64] {
        self.0.expose()
    }
}

/// The name of a root key (RFC 5295 §3.1, USRKname).
pub fn root_name(session_id: &[u8], work: &mut Work) -> KeyName {
    let mut name = [0; 8];
    kdf(session_id, ROOT_LABEL, &[session_id], &mut name, work);
    name
}

/// The name of the EMSK of one authentication (RFC 5295 §3.1).
pub fn emsk_name(session_id: &[u8], work: &mut Work) -> KeyName {
    let mut name = [0; 8];
    kdf(session_id, EMSK_NAME_LABEL, &[], &mut name, work);
    name
}

/// A usage-specific root key (RFC 5295 §3.1) as long as `out`.
pub fn usrk(emsk: &[u8; 64], label: &str, optional: &[&[u8]], out: &mut [u8], work: &mut Work) {
    kdf(emsk, label, optional, out, work);
}

/// The domain-specific root key of `domain` (RFC 5295 §4).
pub fn dsrk(emsk: &Secret<64>, domain: &str, work: &mut Work) -> Secret<64> {
    let mut dsrk = Secret::new([0; 64]);
    usrk(
        emsk.expose(),
        DSRK_LABEL,
        &[domain.as_bytes()],
        dsrk.expose_mut(),
        work,
    );
    dsrk
}

/// A domain- and usage-specific root key (RFC 5295 §4) as long as `out`.
pub fn dsusrk(dsrk: &Secret<64>, label: &str, optional: &[&[u8]], out: &mut [u8], work: &mut Work) {
    kdf(dsrk.expose(), label, optional, out, work);
}

/// The key check value: the first three octets of AES over a zero block.
pub fn check_value(key: &Secret<16>, work: &mut Work) -> [u8; 3] {
    let mut block = [0; 16];
    AesKey::new(key.expose(), work).encrypt(&mut block, work);
    [block[0], block[1], block[2]]
}

/// The C12.22 key id of array element `index` of the authentication with PANA Key-Id `kid32`.
///
/// Slots repeat after 224 / `array_length` authentications.
pub const fn key_id(kid32: u32, array_length: u8, index: u16) -> u8 {
    let slot = (kid32 as u64 * array_length as u64 + index as u64) % RING_LEN as u64;
    RING_START + slot as u8
}
