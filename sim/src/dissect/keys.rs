//! The key log of a capture, read back (see `capture::keylog` for its fields).

use std::collections::BTreeMap;
use std::net::IpAddr;

use firmware::c1222::apdu;
use firmware::c1222::aptitle::{ApTitle, NETWORK_ROOT, Title};
use firmware::crypto::{CcmKey, EaxKey, Integrity, MacKey, Secret, Work};
use serde_json::Value;

/// Keys that are tried for one message at most, those nearest in time first.
const TRIED_MAX: usize = 16;

/// A line that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the key log: {problem}")]
pub struct KeyLogError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// An authentication that succeeded.
#[derive(Clone, Debug)]
pub struct Session {
    /// Virtual time at which the meter knew, in nanoseconds.
    pub time_ns: u64,
    /// The meter.
    pub meter: u32,
    /// Its address.
    pub address: IpAddr,
    /// PANA Key-Id.
    pub kid32: u32,
    /// PANA_AUTH_KEY.
    pub auth: Option<MacKey>,
    /// TEK, which protects the PCHANNEL.
    pub tek: Option<EaxKey>,
}

/// The life of a C12.22 key at its meter; virtual times in nanoseconds.
#[derive(Clone, Debug)]
pub struct ApplicationKey {
    /// The meter.
    pub meter: u32,
    /// The authentication that it comes from.
    pub kid32: u32,
    /// The id in C12.22 messages.
    pub key_id: u8,
    /// The key.
    pub key: [u8; 16],
    /// When it was derived.
    pub derived_at_ns: u64,
    /// When it became the key to send under.
    pub activated_at_ns: Option<u64>,
    /// When a newer one took its place.
    pub superseded_at_ns: Option<u64>,
    /// When it was erased; none if the run ended first.
    pub ended_at_ns: Option<u64>,
    /// Why it ended.
    pub end_reason: String,
}

/// All keys of a capture.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    sessions: Vec<Session>,
    keys: Vec<ApplicationKey>,
    by_address: BTreeMap<IpAddr, Vec<usize>>,
    /// Addresses of meters by the content of their absolute titles.
    by_title: BTreeMap<Vec<u8>, IpAddr>,
    by_challenge: BTreeMap<[u8; 16], usize>,
    by_key_id: BTreeMap<(u32, u8), Vec<usize>>,
    homes: Vec<HomeKey>,
}

/// A key of a home area network.
#[derive(Clone, Debug)]
pub(super) struct HomeKey {
    pub(super) meter: u32,
    /// The id of a link key; none for the key of an installation code.
    pub(super) key_id: Option<u8>,
    pub(super) key: CcmKey,
    derived_at_ns: u64,
}

impl KeyRing {
    /// Reads a key log.
    ///
    /// # Errors
    ///
    /// The first line that is not one of it.
    pub fn parse(text: &str) -> Result<Self, KeyLogError> {
        let mut ring = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            let added = serde_json::from_str(text)
                .map_err(|error| error.to_string())
                .and_then(|object| ring.add(&object));
            added.map_err(|problem| KeyLogError { line, problem })?;
        }
        Ok(ring)
    }

    /// Whether there are no keys.
    pub const fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.keys.is_empty() && self.homes.is_empty()
    }

    /// All authentications in the order of the log.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// All C12.22 keys in the order of the log.
    pub fn application_keys(&self) -> &[ApplicationKey] {
        &self.keys
    }

    /// The address of a meter that has authenticated.
    pub fn address_of(&self, meter: u32) -> Option<IpAddr> {
        let session = self.sessions.iter().find(|session| session.meter == meter);
        session.map(|session| session.address)
    }

    /// The meter at an address.
    pub fn meter_at(&self, address: IpAddr) -> Option<u32> {
        let first = self.by_address.get(&address)?.first()?;
        Some(self.sessions[*first].meter)
    }

    /// The address of the meter that sends or gets a C12.22 message, by the titles in it.
    pub(super) fn address_by_title(&self, apdu: &[u8]) -> Option<IpAddr> {
        let parties = [apdu::sender(apdu), apdu::addressee(apdu)];
        parties.into_iter().flatten().find_map(|(title, base)| {
            let content = absolute(title?, base)?;
            self.by_title.get(&content).copied()
        })
    }

    /// Authentications of the meters at `addresses`, the likeliest first.
    pub(super) fn sessions_of(
        &self,
        addresses: &[IpAddr],
        key_id: Option<u32>,
        time_ns: u64,
    ) -> Vec<&Session> {
        let known = addresses
            .iter()
            .filter_map(|address| self.by_address.get(address));
        let mut sessions: Vec<_> = known.flatten().map(|&at| &self.sessions[at]).collect();
        sessions.sort_by_key(|session| {
            let other = key_id.is_some_and(|key_id| session.kid32 != key_id);
            (other, session.time_ns.abs_diff(time_ns))
        });
        sessions.truncate(TRIED_MAX);
        sessions
    }

    /// The authentication in which the server's challenge was `rand_s`.
    pub(super) fn session_of_challenge(&self, rand_s: &[u8; 16]) -> Option<&Session> {
        self.by_challenge.get(rand_s).map(|&at| &self.sessions[at])
    }

    /// Keys called `key_id` of the meters at `addresses`, the likeliest first.
    pub(super) fn keys_of(
        &self,
        addresses: &[IpAddr],
        key_id: u8,
        time_ns: u64,
    ) -> Vec<&ApplicationKey> {
        let meters = addresses
            .iter()
            .filter_map(|address| self.meter_at(*address));
        let known = meters.filter_map(|meter| self.by_key_id.get(&(meter, key_id)));
        let mut keys: Vec<_> = known.flatten().map(|&at| &self.keys[at]).collect();
        keys.sort_by_key(|key| {
            // A key is older than its messages.
            let early = key.derived_at_ns > time_ns;
            (early, key.derived_at_ns.abs_diff(time_ns))
        });
        keys.truncate(TRIED_MAX);
        keys
    }

    /// Keys that may protect a frame in the home of `meter`, or in any, the likeliest first.
    pub(super) fn home_keys(
        &self,
        meter: Option<u32>,
        key_id: Option<u8>,
        time_ns: u64,
    ) -> Vec<&HomeKey> {
        let fits =
            |key: &&HomeKey| key.key_id == key_id && meter.is_none_or(|meter| key.meter == meter);
        let mut keys: Vec<&HomeKey> = self.homes.iter().filter(fits).collect();
        keys.sort_by_key(|key| {
            let early = key.derived_at_ns > time_ns;
            (early, key.derived_at_ns.abs_diff(time_ns))
        });
        keys.truncate(TRIED_MAX);
        keys
    }

    fn add(&mut self, line: &Value) -> Result<(), String> {
        match line["type"].as_str() {
            Some("session") => {
                let (session, session_id) = session(line)?;
                let at = self.sessions.len();
                let known = self.by_address.entry(session.address).or_default();
                known.push(at);
                if let Some(title) = line["title"].as_str() {
                    let title: Title = title.parse().map_err(|_| "`title` is no ApTitle")?;
                    if let Some(content) = absolute(title.get(), &NETWORK_ROOT) {
                        self.by_title.insert(content, session.address);
                    }
                }
                if let Some(rand_s) = session_id.last_chunk() {
                    self.by_challenge.insert(*rand_s, at);
                }
                self.sessions.push(session);
            }
            Some("key") => {
                let key = application_key(line)?;
                let known = self.by_key_id.entry((key.meter, key.key_id)).or_default();
                known.push(self.keys.len());
                self.keys.push(key);
            }
            Some(kind @ ("han_key" | "installation_key")) => {
                let key = octets(line, "key")?.and_then(|octets| octets.try_into().ok());
                let key: [u8; 16] = key.ok_or("the field `key` is not 16 octets long")?;
                let key_id = (kind == "han_key").then(|| number(line, "c1222_key_id"));
                let key_id = key_id.transpose()?.map(u8::try_from).transpose();
                self.homes.push(HomeKey {
                    meter: small(line, "meter")?,
                    key_id: key_id.map_err(|_| "`c1222_key_id` is no octet")?,
                    key: CcmKey::new(&key, &mut Work::default()),
                    derived_at_ns: optional(line, "derived_at_ns")?.unwrap_or(0),
                });
            }
            // Later versions may log more.
            Some(_) => {}
            None => return Err("the field `type` is missing".to_owned()),
        }
        Ok(())
    }
}

/// The content of the absolute form of a title.
fn absolute(title: ApTitle<'_>, base: &[u8]) -> Option<Vec<u8>> {
    let title = Title::new(title).ok()?.to_absolute(base).ok()?;
    Some(title.get().content().to_vec())
}

fn session(line: &Value) -> Result<(Session, Vec<u8>), String> {
    let address = line["address"].as_str().and_then(|text| text.parse().ok());
    let integrity = optional(line, "pana_integrity")?.map(|id| {
        let algorithm = u32::try_from(id).ok().and_then(Integrity::from_id);
        algorithm.ok_or_else(|| format!("`pana_integrity` {id} is not known"))
    });
    let auth = match (integrity.transpose()?, octets(line, "pana_auth_key")?) {
        (Some(algorithm), Some(octets)) => {
            let mut key = Secret::<{ Integrity::KEY_LEN_MAX }>::default();
            if octets.len() != algorithm.key_len() {
                return Err("`pana_auth_key` has a wrong length".to_owned());
            }
            key.expose_mut()[..octets.len()].copy_from_slice(&octets);
            Some(MacKey::new(algorithm, key))
        }
        _ => None,
    };
    let tek = octets(line, "tek")?.map(|octets| {
        let key = octets.try_into().map_err(|_| "`tek` has a wrong length")?;
        Ok::<_, String>(EaxKey::new(key))
    });
    let session = Session {
        time_ns: number(line, "time_ns")?,
        meter: small(line, "meter")?,
        address: address.ok_or("the field `address` is no address")?,
        kid32: small(line, "kid32")?,
        auth,
        tek: tek.transpose()?,
    };
    Ok((session, octets(line, "session_id")?.unwrap_or_default()))
}

fn application_key(line: &Value) -> Result<ApplicationKey, String> {
    let key = octets(line, "key")?.and_then(|octets| octets.try_into().ok());
    let key_id = number(line, "c1222_key_id")?;
    Ok(ApplicationKey {
        meter: small(line, "meter")?,
        kid32: small(line, "kid32")?,
        key_id: u8::try_from(key_id).map_err(|_| "`c1222_key_id` is no octet")?,
        key: key.ok_or("the field `key` is not 16 octets long")?,
        derived_at_ns: number(line, "derived_at_ns")?,
        activated_at_ns: optional(line, "activated_at_ns")?,
        superseded_at_ns: optional(line, "superseded_at_ns")?,
        ended_at_ns: optional(line, "ended_at_ns")?,
        end_reason: line["end_reason"].as_str().unwrap_or_default().to_owned(),
    })
}

fn number(line: &Value, field: &str) -> Result<u64, String> {
    let number = line[field].as_u64();
    number.ok_or_else(|| format!("the field `{field}` is no number"))
}

fn small(line: &Value, field: &str) -> Result<u32, String> {
    let number = number(line, field)?;
    u32::try_from(number).map_err(|_| format!("the field `{field}` is too large"))
}

fn optional(line: &Value, field: &str) -> Result<Option<u64>, String> {
    match &line[field] {
        Value::Null => Ok(None),
        _ => number(line, field).map(Some),
    }
}

/// Octets in hexadecimal; none if the field is missing or null.
fn octets(line: &Value, field: &str) -> Result<Option<Vec<u8>>, String> {
    let problem = || format!("the field `{field}` is no hexadecimal text");
    let text = match &line[field] {
        Value::Null => return Ok(None),
        value => value.as_str().ok_or_else(problem)?,
    };
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0);
    let digits = digits.ok_or_else(problem)?;
    let octets = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
    Ok(Some(octets.collect()))
}
