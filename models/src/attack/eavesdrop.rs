//! Recording now, reading later: what a key that leaks makes readable.
//!
//! The recorder keeps every C12.22 message and what entered the keys. When the run ends it does
//! what somebody with the leaked key can do: derive, and open the messages, one by one. EAP-PSK
//! has no forward secrecy (RFC 4764 §8.7), so a pre-shared key opens everything; a C12.22 key
//! opens what was sent under it.

use std::collections::BTreeMap;

use firmware::c1222::Apdu;
use firmware::c1222::acse::Authentication;
use firmware::crypto::Work;
use firmware::crypto::eax_prime::EaxPrimeKey;

use super::behaviour::{Behaviour, Deed, Order, Scene, Seen};
use super::plan::Leak;
use super::transcript::{Told, Transcript};
use crate::disclosure;
use crate::fleet::Fleet;
use crate::time::{Duration, Time};

/// A C12.22 message as it was on the link.
#[derive(Debug)]
struct Recorded {
    time: Time,
    octets: Vec<u8>,
}

/// An authentication that succeeded.
#[derive(Debug)]
struct Established {
    at: Time,
    key_id: u32,
    rand_s: [u8; 16],
    rand_p: [u8; 16],
}

/// What was recorded of one meter.
#[derive(Debug, Default)]
struct Recording {
    transcript: Transcript,
    established: Vec<Established>,
    messages: Vec<Recorded>,
}

/// Records the links of its victims.
#[derive(Debug)]
pub(super) struct Eavesdropper {
    leak: Leak,
    recordings: BTreeMap<u32, Recording>,
}

impl Eavesdropper {
    pub(super) fn new(leak: Leak) -> Self {
        Self {
            leak,
            recordings: BTreeMap::new(),
        }
    }

    /// Reads what the pre-shared key of `meter` opens.
    fn read_with_psk(meter: u32, recording: &Recording, at: Time, scene: &mut Scene<'_>) {
        let keys: Vec<EaxPrimeKey> = recording
            .established
            .iter()
            .flat_map(|session| session.keys(scene.fleet, meter))
            .collect();
        let read = open_all(&keys, recording.messages.iter());
        scene.orders.push(Order::Note(Deed {
            action: "read_with_psk",
            meter: Some(meter),
            time: at,
            end: None,
            ..read.deed()
        }));
    }

    /// Reads what the C12.22 key opens that `meter` uses when it leaks.
    fn read_with_key(meter: u32, recording: &Recording, at: Time, scene: &mut Scene<'_>) {
        let sessions = &recording.established;
        let after = sessions.partition_point(|session| session.at <= at);
        let Some(session) = after.checked_sub(1).map(|index| &sessions[index]) else {
            return;
        };
        let keys = session.keys(scene.fleet, meter);
        let read = open_all(&keys, recording.messages.iter());
        // The next key supersedes this one, which is still accepted during the overlap.
        let overlap = scene.fleet.meter_firmware.keys.overlap;
        scene.orders.push(Order::Note(Deed {
            action: "read_with_key",
            meter: Some(meter),
            time: at,
            end: sessions.get(after).map(|next| next.at + overlap),
            ..read.deed()
        }));
    }
}

impl Established {
    /// The C12.22 keys of the authentication, from the pre-shared key as both ends derive them.
    fn keys(&self, fleet: &Fleet, meter: u32) -> Vec<EaxPrimeKey> {
        let keys = disclosure::session_keys(fleet, meter, &self.rand_p, &self.rand_s);
        let length = fleet.meter_firmware.keys.array_length.get();
        let key = |index: u16| {
            let key = disclosure::c1222_key(fleet, meter, &keys.exported, (self.key_id, index))?;
            Some(EaxPrimeKey::new(key.expose(), &mut Work::NONE.clone()))
        };
        (0..u16::from(length)).filter_map(key).collect()
    }
}

/// What could be read.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    messages: u64,
    octets: u64,
    tried: u64,
}

impl Read {
    fn deed(self) -> Deed {
        Deed {
            action: "",
            meter: None,
            time: Time::ZERO,
            end: None,
            count: self.messages,
            octets: self.octets,
            outcome: if self.messages > 0 {
                "accepted"
            } else {
                "rejected"
            },
            cause: (self.messages == 0).then_some(if self.tried == 0 {
                "nothing_recorded"
            } else {
                "key_mismatch"
            }),
        }
    }
}

/// Opens every message with every key.
fn open_all<'a>(keys: &[EaxPrimeKey], messages: impl Iterator<Item = &'a Recorded>) -> Read {
    let mut read = Read::default();
    let mut scratch = Vec::new();
    for message in messages {
        read.tried += 1;
        for key in keys {
            scratch.clear();
            scratch.extend_from_slice(&message.octets);
            let Ok(mut apdu) = Apdu::parse_mut(&mut scratch) else {
                break;
            };
            let Some(authentication) = apdu.header().authentication else {
                break;
            };
            let session = Authentication { ..authentication };
            if apdu.open(key, session, &mut Work::NONE.clone()).is_ok() {
                read.messages += 1;
                read.octets += apdu.text().len() as u64;
                break;
            }
        }
    }
    read
}

impl Behaviour for Eavesdropper {
    fn overhear(&mut self, seen: &Seen<'_>, _scene: &mut Scene<'_>) {
        let recording = self.recordings.entry(seen.meter).or_default();
        if seen.kind.protocol() == "c1222" {
            recording.messages.push(Recorded {
                time: seen.departure,
                octets: seen.octets.to_vec(),
            });
            return;
        }
        if let Told::Success(key_id) = recording.transcript.read(seen.octets)
            && let Some(proof) = &recording.transcript.proof
            // PAR[C] may be sent more than once.
            && recording.established.last().is_none_or(|last| last.key_id != key_id)
        {
            recording.established.push(Established {
                at: seen.departure,
                key_id,
                rand_s: proof.rand_s,
                rand_p: proof.rand_p,
            });
        }
    }

    fn conclude(&mut self, scene: &mut Scene<'_>) {
        for (meter, recording) in core::mem::take(&mut self.recordings) {
            let octets = |message: &Recorded| message.octets.len() as u64;
            scene.orders.push(Order::Note(Deed {
                action: "record",
                meter: Some(meter),
                time: recording
                    .messages
                    .first()
                    .map_or(scene.now, |message| message.time),
                end: recording.messages.last().map(|message| message.time),
                count: recording.messages.len() as u64,
                octets: recording.messages.iter().map(octets).sum(),
                outcome: "accepted",
                cause: None,
            }));
            match self.leak {
                Leak::Nothing => {}
                Leak::SessionKey { from, until } => {
                    let window = until.saturating_since(from).as_nanos();
                    let at = from + Duration::from_nanos(scene.stream.below(window));
                    Self::read_with_key(meter, &recording, at, scene);
                }
                Leak::PreSharedKey { at } => Self::read_with_psk(meter, &recording, at, scene),
            }
        }
    }
}
