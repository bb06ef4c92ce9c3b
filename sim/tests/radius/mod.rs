//! As much of RADIUS as carries EAP between two programs on one machine (RFC 2865, 3579, 2548).

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

pub(crate) const ACCESS_REQUEST: u8 = 1;
pub(crate) const ACCESS_ACCEPT: u8 = 2;
pub(crate) const ACCESS_REJECT: u8 = 3;
pub(crate) const ACCESS_CHALLENGE: u8 = 11;

const USER_NAME: u8 = 1;
const NAS_IP_ADDRESS: u8 = 4;
const STATE: u8 = 24;
const VENDOR_SPECIFIC: u8 = 26;
const EAP_MESSAGE: u8 = 79;
const MESSAGE_AUTHENTICATOR: u8 = 80;

const MICROSOFT: [u8; 4] = 311_u32.to_be_bytes();
const MS_MPPE_SEND_KEY: u8 = 16;
const MS_MPPE_RECV_KEY: u8 = 17;

const HEADER_LEN: usize = 20;

pub(crate) struct Packet {
    pub(crate) code: u8,
    pub(crate) identifier: u8,
    pub(crate) authenticator: [u8; 16],
    attributes: Vec<(u8, Vec<u8>)>,
}

impl Packet {
    pub(crate) fn new(code: u8, identifier: u8, authenticator: [u8; 16]) -> Self {
        Self {
            code,
            identifier,
            authenticator,
            attributes: Vec::new(),
        }
    }

    /// The packet in `octets`, whose Message-Authenticator has to be right (RFC 3579 §3.2).
    ///
    /// A response is checked under the authenticator of its request.
    pub(crate) fn parse(octets: &[u8], request: Option<&[u8; 16]>, secret: &[u8]) -> Self {
        let len = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
        let octets = &octets[..len];
        let authenticator = octets[4..HEADER_LEN].try_into().expect("16 octets");
        let mut packet = Self::new(octets[0], octets[1], authenticator);
        let mut signed = octets.to_vec();
        if let Some(request) = request {
            signed[4..HEADER_LEN].copy_from_slice(request);
        }
        let (mut at, mut mac) = (HEADER_LEN, None);
        while at < len {
            let (kind, size) = (octets[at], usize::from(octets[at + 1]));
            let value = &octets[at + 2..at + size];
            if kind == MESSAGE_AUTHENTICATOR {
                mac = Some(value.to_vec());
                signed[at + 2..at + size].fill(0);
            }
            packet.attributes.push((kind, value.to_vec()));
            at += size;
        }
        if let Some(request) = request {
            let expected = response_authenticator(octets, request, secret);
            assert_eq!(authenticator, expected, "Response Authenticator");
        }
        let mac = mac.expect("a packet with EAP has a Message-Authenticator");
        assert_eq!(mac, hmac_md5(secret, &signed), "Message-Authenticator");
        packet
    }

    /// The octets of the packet; a response is signed for the request with this authenticator.
    pub(crate) fn emit(&self, request: Option<&[u8; 16]>, secret: &[u8]) -> Vec<u8> {
        let mut octets = vec![self.code, self.identifier, 0, 0];
        octets.extend_from_slice(request.unwrap_or(&self.authenticator));
        for (kind, value) in &self.attributes {
            octets.extend_from_slice(&[*kind, value.len() as u8 + 2]);
            octets.extend_from_slice(value);
        }
        octets.extend_from_slice(&[MESSAGE_AUTHENTICATOR, 18]);
        octets.extend_from_slice(&[0; 16]);
        let len = octets.len();
        octets[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        let mac = hmac_md5(secret, &octets);
        octets[len - 16..].copy_from_slice(&mac);
        if let Some(request) = request {
            let authenticator = response_authenticator(&octets, request, secret);
            octets[4..HEADER_LEN].copy_from_slice(&authenticator);
        }
        octets
    }

    pub(crate) fn eap(&self) -> Vec<u8> {
        self.all(EAP_MESSAGE).flatten().copied().collect()
    }

    pub(crate) fn set_eap(&mut self, packet: &[u8]) {
        for chunk in packet.chunks(253) {
            self.attributes.push((EAP_MESSAGE, chunk.to_vec()));
        }
    }

    pub(crate) fn state(&self) -> Option<Vec<u8>> {
        self.all(STATE).next().cloned()
    }

    pub(crate) fn set_state(&mut self, state: Vec<u8>) {
        self.attributes.push((STATE, state));
    }

    pub(crate) fn set_user(&mut self, name: &[u8]) {
        self.attributes.push((USER_NAME, name.to_vec()));
        self.attributes.push((NAS_IP_ADDRESS, vec![127, 0, 0, 1]));
    }

    /// The MSK that an Access-Accept carries, in halves (RFC 2548 §2.4.2, RFC 3079 §4).
    pub(crate) fn msk(&self, request: &[u8; 16], secret: &[u8]) -> Vec<u8> {
        let half = |vendor_type| {
            let prefix: Vec<u8> = MICROSOFT.into_iter().chain([vendor_type]).collect();
            let value = self
                .all(VENDOR_SPECIFIC)
                .find(|value| value.starts_with(&prefix))
                .expect("an MPPE key");
            let (salt, hidden) = (&value[6..8], &value[8..]);
            let plain = mppe(request, secret, salt, hidden, |chunk, _| chunk.to_vec());
            plain[1..=usize::from(plain[0])].to_vec()
        };
        [half(MS_MPPE_RECV_KEY), half(MS_MPPE_SEND_KEY)].concat()
    }

    /// Adds `msk` as two MPPE keys of 32 octets.
    pub(crate) fn set_msk(&mut self, msk: &[u8], request: &[u8; 16], secret: &[u8]) {
        let keys = [
            (MS_MPPE_RECV_KEY, &msk[..32]),
            (MS_MPPE_SEND_KEY, &msk[32..]),
        ];
        for (vendor_type, key) in keys {
            let salt = [0x80, vendor_type];
            let mut plain = vec![key.len() as u8];
            plain.extend_from_slice(key);
            plain.resize(plain.len().next_multiple_of(16), 0);
            let hidden = mppe(request, secret, &salt, &plain, |_, mixed| mixed.to_vec());
            let mut value = MICROSOFT.to_vec();
            value.extend_from_slice(&[vendor_type, (hidden.len() + 4) as u8]);
            value.extend_from_slice(&salt);
            value.extend_from_slice(&hidden);
            self.attributes.push((VENDOR_SPECIFIC, value));
        }
    }

    fn all(&self, kind: u8) -> impl Iterator<Item = &Vec<u8>> {
        let of_kind = self
            .attributes
            .iter()
            .filter(move |(other, _)| *other == kind);
        of_kind.map(|(_, value)| value)
    }
}

/// Hides or reveals an MPPE key; `chained` picks the hidden octets of a chunk and its mixture.
fn mppe(
    request: &[u8; 16],
    secret: &[u8],
    salt: &[u8],
    input: &[u8],
    chained: impl Fn(&[u8], &[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut output = Vec::new();
    let mut previous = [request.as_slice(), salt].concat();
    for chunk in input.chunks(16) {
        let mask = Md5::new()
            .chain_update(secret)
            .chain_update(&previous)
            .finalize();
        let mixed: Vec<u8> = chunk.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        previous = chained(chunk, &mixed);
        output.extend_from_slice(&mixed);
    }
    output
}

fn response_authenticator(octets: &[u8], request: &[u8; 16], secret: &[u8]) -> [u8; 16] {
    Md5::new()
        .chain_update(&octets[..4])
        .chain_update(request)
        .chain_update(&octets[HEADER_LEN..])
        .chain_update(secret)
        .finalize()
        .into()
}

fn hmac_md5(secret: &[u8], octets: &[u8]) -> [u8; 16] {
    Hmac::<Md5>::new_from_slice(secret)
        .expect("HMAC takes keys of any length")
        .chain_update(octets)
        .finalize()
        .into_bytes()
        .into()
}
