//! The key log next to a capture, and key tables for Wireshark.
//!
//! `NAME.keys.jsonl` has one JSON object per line, of two types:
//!
//! | type | when | fields |
//! |---|---|---|
//! | `session` | an authentication succeeded | `time_ns`, `meter`, `identity`, `title`, `address`, `kid32`, `session_id`, `tek`, `msk`, `emsk`, `pana_auth_key`, `pana_integrity` |
//! | `key` | a C12.22 key ended, or the run | `meter`, `kid32`, `index`, `c1222_key_id`, `key`, `derived_at_ns`, `activated_at_ns`, `superseded_at_ns`, `ended_at_ns`, `end_reason` |
//! | `han_key` | a link key of a home ended, or the run | those of `key` |
//! | `installation_key` | the run ended | `meter`, `device`, `key` |
//!
//! `title` is the C12.22 title of the meter, by which its messages are known behind a relay.
//! Octet strings are hexadecimal; times are nanoseconds of virtual time, as in the table `keys`,
//! and null for what has not happened; `pana_integrity` is the number of RFC 7296 §3.3.2.
//!
//! Wireshark finds a key by its C12.22 key id alone, which every meter uses, and reuses after 224
//! authentications. So `NAME.wireshark` has for each meter, and each time it has gone through its
//! key ids, a configuration folder of its own: `meter-000012/1`, `meter-000012/2` and so on. For
//! homes it has a table of keys by their index, all of which it tries.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firmware::ukmf::Purpose;
use models::capture::SocketPorts;
use models::disclosure::Disclosure;
use models::fleet::Fleet;
use models::telemetry::{KeyRecord, Side};
use serde_json::json;

use crate::record::key_row;
use crate::scenario::schema::Keys;

/// Authentications of a meter that are remembered until their keys have ended.
const REMEMBERED: usize = 4;
/// Meters that get key tables: those with the lowest numbers.
const TABLES_MAX: usize = 1_000;

/// The C12.22 title of a meter in text.
fn title(meter: u32) -> String {
    let arcs = Fleet::title_arcs(meter);
    format!(".{}.{}", arcs[0], arcs[1])
}

/// What Wireshark has to know besides the keys: relative titles are below the network root.
const PREFERENCES: &str = "c1222.decrypt: TRUE\nc1222.baseoid: 2.16.124.113620.1.22.0\n";

/// What Wireshark would take the messages of homes for.
const NO_GUESSES: &str = "zbee_nwk\nlwm\n6lowpan\n";

/// The key ids of one meter that Wireshark can tell apart.
type Generation = BTreeMap<u8, String>;

/// Writes the key log of one capture.
#[derive(Debug)]
pub(super) struct KeyLog {
    fleet: Arc<Fleet>,
    keys: Keys,
    out: BufWriter<File>,
    tables: PathBuf,
    sessions: BTreeMap<u32, Vec<Disclosure>>,
    generations: BTreeMap<u32, Vec<Generation>>,
    /// Link keys of homes by meter, with their ids.
    homes: BTreeMap<u32, Vec<(u8, String)>>,
}

impl KeyLog {
    /// Creates the log next to the capture at `path`.
    pub(super) fn create(path: &Path, fleet: Arc<Fleet>, keys: Keys) -> io::Result<Self> {
        let tables = path.with_extension("wireshark");
        remove_tables(&tables)?;
        Ok(Self {
            fleet,
            keys,
            out: BufWriter::new(File::create(path.with_extension("keys.jsonl"))?),
            tables,
            sessions: BTreeMap::new(),
            generations: BTreeMap::new(),
            homes: BTreeMap::new(),
        })
    }

    /// Takes authentications and keys that ended, in the order of time and meter.
    pub(super) fn collect(
        &mut self,
        mut disclosed: Vec<Disclosure>,
        mut ended: Vec<KeyRecord>,
    ) -> io::Result<()> {
        disclosed.sort_by_key(|disclosure| (disclosure.time, disclosure.meter));
        for disclosure in disclosed {
            self.write_session(&disclosure)?;
            let sessions = self.sessions.entry(disclosure.meter).or_default();
            sessions.push(disclosure);
        }
        ended.retain(|record| record.side == Side::Meter);
        ended.sort_by_key(|record| {
            let epoch = &record.epoch;
            let purpose = u8::from(epoch.purpose);
            (record.time, record.meter, epoch.kid32, purpose, epoch.index)
        });
        for record in ended {
            self.write_key(&record)?;
        }
        for sessions in self.sessions.values_mut() {
            let forgotten = sessions.len().saturating_sub(REMEMBERED);
            sessions.drain(..forgotten);
        }
        Ok(())
    }

    /// Completes the log and writes the tables.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let mut homes = std::mem::take(&mut self.homes);
        for (meter, keys) in &mut homes {
            self.write_installation_keys(*meter, keys)?;
        }
        self.out.flush()?;
        for (meter, generations) in self.generations {
            for (number, generation) in (1..).zip(generations) {
                let folder = self.tables.join(format!("meter-{meter:06}/{number}"));
                fs::create_dir_all(&folder)?;
                let mut table = String::new();
                for (key_id, key) in generation {
                    // Writing to a text does not fail.
                    let _ = writeln!(table, "\"{key_id:x}\",{key}");
                }
                fs::write(folder.join("c1222_decryption_table"), table)?;
                fs::write(folder.join("preferences"), PREFERENCES)?;
                if let Some(keys) = homes.get(&meter) {
                    fs::write(folder.join("ieee802154_keys"), table_of_home(keys))?;
                    fs::write(folder.join("disabled_protos"), NO_GUESSES)?;
                }
                if let Some(ports) = socket_ports(&self.fleet) {
                    fs::write(folder.join("decode_as_entries"), decode_as(ports))?;
                }
            }
        }
        Ok(())
    }

    /// Logs the installation keys of a home and adds them to its table.
    fn write_installation_keys(
        &mut self,
        meter: u32,
        table: &mut Vec<(u8, String)>,
    ) -> io::Result<()> {
        let fleet = &*self.fleet;
        let Some(plan) = &fleet.cohorts[fleet.cohort_of(meter)].han else {
            return Ok(());
        };
        for (device, key) in plan.installation_keys(fleet, meter).iter().enumerate() {
            let key = hex(key.expose());
            let line = json!({
                "type": "installation_key",
                "meter": meter,
                "device": device,
                "key": key,
            });
            writeln!(self.out, "{line}")?;
            table.push((0, key));
        }
        Ok(())
    }

    fn write_session(&mut self, disclosure: &Disclosure) -> io::Result<()> {
        let keys = disclosure.session_keys(&self.fleet);
        let exported = keys.as_ref().map(|keys| &keys.exported);
        let auth = disclosure.auth.as_ref();
        let line = json!({
            "type": "session",
            "time_ns": disclosure.time.as_nanos(),
            "meter": disclosure.meter,
            "identity": self.fleet.identity(disclosure.meter),
            "title": title(disclosure.meter),
            "address": self.fleet.meter_address(disclosure.meter).to_string(),
            "kid32": disclosure.key_id,
            "session_id": hex(disclosure.session_id.as_bytes()),
            "tek": keys.as_ref().map(|keys| hex(keys.tek.expose())),
            "msk": exported.map(|keys| hex(keys.msk.expose())),
            "emsk": exported.map(|keys| hex(keys.emsk.expose())),
            "pana_auth_key": auth.map(|key| hex(key.expose())),
            "pana_integrity": auth.map(|key| key.algorithm().id()),
        });
        writeln!(self.out, "{line}")
    }

    fn write_key(&mut self, record: &KeyRecord) -> io::Result<()> {
        let epoch = &record.epoch;
        // The key of a group is random: it follows from no session.
        if epoch.purpose == Purpose::Group {
            return Ok(());
        }
        let sessions = self.sessions.get(&record.meter);
        let is = |session: &&Disclosure| session.key_id == epoch.kid32;
        let session = sessions.and_then(|all| all.iter().rev().find(is));
        let key = session.and_then(|session| {
            let keys = session.session_keys(&self.fleet)?;
            session.key(&keys.exported, epoch)
        });
        // A meter that is not captured discloses nothing.
        let Some(key) = key else {
            return Ok(());
        };
        let (row, key) = (
            key_row(record, &self.keys, self.fleet.start_utc_s),
            hex(key.expose()),
        );
        let home = epoch.purpose == Purpose::HanLink;
        let line = json!({
            "type": if home { "han_key" } else { "key" },
            "meter": row.meter,
            "kid32": row.kid32,
            "index": epoch.index,
            "c1222_key_id": row.c1222_key_id,
            "key": key,
            "derived_at_ns": row.derived_at_ns,
            "activated_at_ns": row.activated_at_ns,
            "superseded_at_ns": row.superseded_at_ns,
            "ended_at_ns": row.ended_at_ns,
            "end_reason": row.end_reason,
        });
        writeln!(self.out, "{line}")?;
        if home {
            let keys = self.homes.entry(record.meter).or_default();
            keys.push((epoch.key_id, key));
        } else {
            self.tabulate(record.meter, epoch.key_id, key);
        }
        Ok(())
    }

    fn tabulate(&mut self, meter: u32, key_id: u8, key: String) {
        let room = self.generations.len() < TABLES_MAX;
        if !room && !self.generations.contains_key(&meter) {
            let last = self.generations.last_key_value();
            if last.is_none_or(|(last, _)| *last < meter) {
                return;
            }
            self.generations.pop_last();
        }
        let generations = self.generations.entry(meter).or_default();
        match generations.last_mut() {
            Some(latest) if !latest.contains_key(&key_id) => {
                latest.insert(key_id, key);
            }
            _ => generations.push(Generation::from([(key_id, key)])),
        }
    }
}

/// The keys of a home as Wireshark reads them: key, index, and that it is not hashed.
fn table_of_home(keys: &[(u8, String)]) -> String {
    keys.iter().fold(String::new(), |mut table, (index, key)| {
        // Writing to a text does not fail.
        let _ = writeln!(table, "\"{key}\",\"{index}\",\"No hash\"");
        table
    })
}

/// The ports of the sockets at which a capture is taken, if it is.
pub(super) fn socket_ports(fleet: &Fleet) -> Option<SocketPorts> {
    fleet.capture.as_ref()?.at_sockets
}

/// What is at ports that Wireshark does not expect it at.
fn decode_as(ports: SocketPorts) -> String {
    let SocketPorts { pana, c1222 } = ports;
    format!(
        "decode_as_entry: udp.port,{pana},(none),PANA\n\
         decode_as_entry: udp.port,{c1222},(none),C12.22\n\
         decode_as_entry: tcp.port,{c1222},(none),C12.22\n"
    )
}

/// Removes the tables of an earlier run, which had other keys, and nothing else.
fn remove_tables(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("meter-"));
        if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a text does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
