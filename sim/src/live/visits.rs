//! What happened at optical ports, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use firmware::c1218::ServerEvent;
use firmware::c1218::packet::NAK;
use serde_json::{Value, json};

/// What happened at the optical ports of a live run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// Meters with a port.
    pub ports: u64,
    /// Programs that have opened a port and said something.
    pub probes: u64,
    /// Programs that have closed a port again, and were noticed to.
    pub departures: u64,
    /// Contacts, from Identification to their end, by how they ended.
    pub sessions: BTreeMap<&'static str, u64>,
    /// Logons.
    pub logons: u64,
    /// Passwords that were accepted.
    pub passwords: u64,
    /// Passwords that were not.
    pub wrong_passwords: u64,
    /// How often wrong passwords have locked a port.
    pub lockouts: u64,
    /// Requests that were answered.
    pub services: u64,
    /// Those that were answered otherwise than with `ok`.
    pub refused: u64,
    /// Octets received.
    pub received_octets: u64,
    /// Octets sent.
    pub sent_octets: u64,
    /// Packets that meters have asked for again.
    pub naks: u64,
    /// Packets that meters have sent again.
    pub repetitions: u64,
    /// What meters have discarded, by cause.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Octets for meters without power.
    pub unpowered_octets: u64,
    /// Octets for programs that did not read them.
    pub unread_octets: u64,
}

impl Visits {
    /// Counts something that a meter has told.
    pub(super) fn count(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::LoggedOn { .. } => self.logons += 1,
            ServerEvent::PasswordAccepted(_) => self.passwords += 1,
            ServerEvent::PasswordRefused => self.wrong_passwords += 1,
            ServerEvent::LockedOut(_) => self.lockouts += 1,
            ServerEvent::Ended(contact) => {
                *self.sessions.entry(contact.ending.name()).or_default() += 1;
                self.services += u64::from(contact.services);
                self.refused += u64::from(contact.refused);
            }
            ServerEvent::Rejected(why) => *self.rejects.entry(why.name()).or_default() += 1,
        }
    }

    /// Counts what a meter sends.
    pub(super) fn sent(&mut self, octets: &[u8], repeated: bool) {
        self.sent_octets += octets.len() as u64;
        self.naks += u64::from(octets == [NAK]);
        self.repetitions += u64::from(repeated);
    }

    /// The figures as part of `summary.json`.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "ports": self.ports,
            "probes": self.probes,
            "departures": self.departures,
            "sessions": self.sessions,
            "logons": self.logons,
            "passwords": self.passwords,
            "wrong_passwords": self.wrong_passwords,
            "lockouts": self.lockouts,
            "services": self.services,
            "refused": self.refused,
            "received_bytes": self.received_octets,
            "sent_bytes": self.sent_octets,
            "naks": self.naks,
            "repetitions": self.repetitions,
            "rejects": self.rejects,
            "unpowered_bytes": self.unpowered_octets,
            "unread_bytes": self.unread_octets,
        })
    }
}

impl fmt::Display for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions: u64 = self.sessions.values().sum();
        write!(
            f,
            "optical   {} ports: {} programs, {sessions} sessions, {} logons; passwords: {} \
             accepted, {} wrong, {} lock-outs\n          {} services, {} refused, {} octets \
             received, {} sent, {} NAKs, {} packets repeated",
            self.ports,
            self.probes,
            self.logons,
            self.passwords,
            self.wrong_passwords,
            self.lockouts,
            self.services,
            self.refused,
            self.received_octets,
            self.sent_octets,
            self.naks,
            self.repetitions,
        )?;
        for (what, counts) in [("ended", &self.sessions), ("discarded", &self.rejects)] {
            let list: Vec<String> = counts
                .iter()
                .map(|(cause, count)| format!("{count} {cause}"))
                .collect();
            if !list.is_empty() {
                write!(f, "\n          {what}: {}", list.join(", "))?;
            }
        }
        for (octets, whose) in [
            (self.unpowered_octets, "meters without power"),
            (self.unread_octets, "programs that did not read"),
        ] {
            if octets > 0 {
                write!(f, "\n          {octets} octets for {whose}")?;
            }
        }
        Ok(())
    }
}
