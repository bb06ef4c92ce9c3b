//! Packet captures of a run, as Wireshark and its relatives read them.
//!
//! A pcapng file with one interface per medium. Like the recorder of tables, a capture takes at
//! each synchronisation point what the domains have seen, and writes it by time, meter and link;
//! so the file depends neither on threads nor on how the fleet is divided into domains.
//!
//! | medium | link type | octets on the link |
//! |---|---|---|
//! | Ethernet | Ethernet, with padding and check sequence | those of the frame |
//! | WAN, cellular | raw IP | those of the packet |
//! | Wi-Fi | raw IP; the frame around it is encrypted | those of the frame, more than captured |
//! | homes | IEEE 802.15.4 with check sequence, every transmission | those of the frame |
//! | meshes, power lines | raw IP, once per datagram | in the comment: the model has no frames |
//!
//! A comment at each packet says who sent it to whom, what it is, what became of it, and whether
//! an attacker made or altered it, which no observer on the link could tell.

pub mod frame;
mod keylog;
pub mod pcapng;
pub mod read;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use models::capture::{Captured, Fate};
use models::fleet::Fleet;
use models::link::{Direction, Medium};
use models::telemetry::HomeFrame;
use models::time::Time;

use crate::run::{FleetDomain, VERSION};
use crate::scenario::schema::Keys;
use keylog::KeyLog;
use pcapng::{Interface, Packet, Writer};

/// The file in the results folder, unless another is wanted.
pub const FILE: &str = "capture.pcapng";

/// The interface of the network that remote attackers come from.
const NETWORK: &str = "network";
/// Octets of the check sequence of IEEE 802.15.4.
const FCS_OCTETS: u8 = firmware::han::frame::FCS_LEN as u8;

/// The file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the capture {}: {source}", path.display())]
pub struct CaptureError {
    /// The file.
    path: PathBuf,
    /// Why.
    source: io::Error,
}

/// What a capture contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Where it is.
    pub path: PathBuf,
    /// Packets.
    pub packets: u64,
    /// Octets that these packets have on their links; a shared medium counts its frames instead.
    pub octets: u64,
}

/// Captures one run.
#[derive(Debug)]
pub struct Capture {
    fleet: Arc<Fleet>,
    writer: Writer<BufWriter<File>>,
    keys: KeyLog,
    contents: Contents,
    /// What left its sender, by the clock of a busy processor, after the time reached so far.
    pending: Vec<Captured>,
    /// The same of frames in homes.
    pending_homes: Vec<HomeFrame>,
    /// Number of the interface of homes.
    homes: u32,
    frame: Vec<u8>,
    comment: String,
}

impl Capture {
    /// Creates the file at `path`, and the log of the keys that `keys` rules beside it.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub fn create(path: &Path, fleet: Arc<Fleet>, keys: &Keys) -> Result<Self, CaptureError> {
        let begin = || {
            let file = BufWriter::new(File::create(path)?);
            let mut writer = Writer::new(
                file,
                &format!("meterstorm {VERSION}"),
                Some(fleet.start_utc_s),
            )?;
            for link in 0..fleet.links.len() {
                writer.interface(&interface(&fleet, link))?;
            }
            let at_sockets = keylog::socket_ports(&fleet).is_some();
            if at_sockets || !fleet.attackers.is_empty() {
                writer.interface(&Interface {
                    name: NETWORK,
                    description: if at_sockets {
                        "the sockets of live endpoints, from the IP layer up"
                    } else {
                        "where remote attackers send from"
                    },
                    link_type: pcapng::RAW_IP,
                    fcs_octets: 0,
                })?;
            }
            let homes = fleet.cohorts.iter().any(|cohort| cohort.han.is_some());
            let network = usize::from(at_sockets || !fleet.attackers.is_empty());
            if homes {
                writer.interface(&Interface {
                    name: reports::label::HAN,
                    description: "the air in homes: one packet per transmission",
                    link_type: pcapng::IEEE802_15_4,
                    fcs_octets: FCS_OCTETS,
                })?;
            }
            let keys = KeyLog::create(path, Arc::clone(&fleet), keys.clone())?;
            Ok((writer, keys, (fleet.links.len() + network) as u32))
        };
        let (writer, keys, homes) = begin().map_err(|source| CaptureError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            writer,
            keys,
            fleet,
            contents: Contents {
                path: path.to_owned(),
                ..Contents::default()
            },
            pending: Vec::new(),
            pending_homes: Vec::new(),
            homes,
            frame: Vec::new(),
            comment: String::new(),
        })
    }

    /// Takes what `domains` have seen, before the recorder does, and writes what happened before
    /// `now`.
    ///
    /// # Errors
    ///
    /// The file cannot be written, for instance because the disk is full.
    pub fn collect(
        &mut self,
        domains: &mut [&mut FleetDomain],
        now: Time,
    ) -> Result<(), CaptureError> {
        let (mut disclosed, mut ended) = (Vec::new(), Vec::new());
        for domain in domains.iter_mut() {
            let telemetry = domain.world_mut().telemetry_mut();
            self.pending.append(&mut telemetry.captured);
            self.pending_homes.append(&mut telemetry.home_frames);
            disclosed.append(&mut telemetry.disclosed);
            // The recorder takes them for its table.
            ended.extend_from_slice(&telemetry.keys);
        }
        let logged = self.keys.collect(disclosed, ended);
        logged.map_err(|source| self.error(source))?;
        // Equal keys come from one node, which lists them in the order in which it sent them.
        self.pending.sort_by_key(|captured| {
            let Captured {
                time, meter, link, ..
            } = *captured;
            (time, meter, link, captured.direction)
        });
        self.pending_homes
            .sort_by_key(|frame| (frame.time, frame.meter));
        let due = self.pending.partition_point(|captured| captured.time < now);
        let of_homes = &self.pending_homes;
        let due_of_homes = of_homes.partition_point(|frame| frame.time < now);
        let mut pending = std::mem::take(&mut self.pending);
        let mut homes = std::mem::take(&mut self.pending_homes);
        let written = self.write_all(pending.drain(..due), homes.drain(..due_of_homes));
        (self.pending, self.pending_homes) = (pending, homes);
        written.map_err(|source| self.error(source))
    }

    /// Writes what remains and completes the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn finish(mut self, domains: &mut [&mut FleetDomain]) -> Result<Contents, CaptureError> {
        self.collect(domains, Time::FAR_FUTURE)?;
        let flushed = self.writer.flush();
        flushed.map_err(|source| self.error(source))?;
        let Self { keys, contents, .. } = self;
        keys.finish().map_err(|source| CaptureError {
            path: contents.path.clone(),
            source,
        })?;
        Ok(contents)
    }

    fn error(&self, source: io::Error) -> CaptureError {
        CaptureError {
            path: self.contents.path.clone(),
            source,
        }
    }

    /// Writes both, each in the order of its times, in the order of their times.
    fn write_all(
        &mut self,
        datagrams: impl Iterator<Item = Captured>,
        frames: impl Iterator<Item = HomeFrame>,
    ) -> io::Result<()> {
        let mut frames = frames.peekable();
        for datagram in datagrams {
            while let Some(frame) = frames.next_if(|frame| frame.time < datagram.time) {
                self.write_frame(&frame)?;
            }
            self.write(&datagram)?;
        }
        frames.try_for_each(|frame| self.write_frame(&frame))
    }

    fn write_frame(&mut self, frame: &HomeFrame) -> io::Result<()> {
        let way = if frame.from_meter {
            "from the meter"
        } else {
            "to the meter"
        };
        let fate = if frame.received { "" } else { "; ended: lost" };
        let comment = format!("home of meter {}; {way}{fate}", frame.meter);
        self.contents.packets += 1;
        self.contents.octets += frame.octets.len() as u64;
        let start_ns = self.fleet.start_utc_s * 1_000_000_000;
        self.writer.packet(&Packet {
            interface: self.homes,
            time_ns: start_ns + frame.time.as_nanos(),
            inbound: !frame.from_meter,
            octets: &frame.octets,
            original_octets: frame.octets.len() as u32,
            comment: &comment,
        })
    }

    fn write(&mut self, captured: &Captured) -> io::Result<()> {
        let Self {
            fleet,
            frame,
            comment,
            contents,
            ..
        } = self;
        frame.clear();
        let sockets = (captured.source, captured.destination);
        let link = captured.link.filter(|link| !is_shared(fleet, *link));
        let medium = link.map(|link| fleet.links[link].medium);
        if medium == Some(Medium::Ethernet) {
            frame::ethernet(frame, sockets, &captured.octets);
        } else {
            frame::ipv4(frame, sockets, &captured.octets);
        }
        let original = match medium {
            Some(medium) => medium.frame_octets(captured.octets.len()),
            None => frame.len(),
        };
        comment.clear();
        describe(comment, fleet, captured);
        contents.packets += 1;
        contents.octets += captured
            .passage
            .map_or(original as u64, |passage| u64::from(passage.octets));
        let start_ns = fleet.start_utc_s * 1_000_000_000;
        self.writer.packet(&Packet {
            interface: captured.link.unwrap_or(fleet.links.len()) as u32,
            time_ns: start_ns + captured.time.as_nanos(),
            inbound: captured.direction == Direction::Up,
            octets: frame,
            original_octets: original as u32,
            comment,
        })
    }
}

fn is_shared(fleet: &Fleet, link: usize) -> bool {
    fleet.meshes.kinds.iter().any(|kind| kind.link == link)
}

fn interface(fleet: &Fleet, link: usize) -> Interface<'_> {
    let profile = &fleet.links[link];
    let shared = is_shared(fleet, link);
    let ethernet = !shared && profile.medium == Medium::Ethernet;
    Interface {
        name: &profile.name,
        description: match profile.medium {
            _ if shared => "shared medium: one packet per datagram",
            Medium::Ethernet => "Ethernet",
            Medium::Wan => "wide-area access, from the IP layer up",
            Medium::Wifi => "Wi-Fi, from the IP layer up",
            Medium::Cellular => "mobile access, from the IP layer up",
        },
        link_type: if ethernet {
            pcapng::ETHERNET
        } else {
            pcapng::RAW_IP
        },
        fcs_octets: if ethernet { frame::FCS_OCTETS } else { 0 },
    }
}

/// Says in words what the packet alone does not tell.
fn describe(comment: &mut String, fleet: &Fleet, captured: &Captured) {
    let from = entity(fleet, *captured.source.ip());
    let to = entity(fleet, *captured.destination.ip());
    let (direction, kind) = (captured.direction.name(), captured.kind);
    let mut say = |text: std::fmt::Arguments<'_>| {
        // Writing to a text does not fail.
        let _ = comment.write_fmt(text);
    };
    say(format_args!("{from} -> {to}; {direction}; "));
    say(format_args!("{} {}", kind.protocol(), kind.name()));
    if let Fate::Ended(cause) = captured.fate {
        say(format_args!("; ended: {cause}"));
    }
    if let Some(passage) = captured.passage {
        say(format_args!(
            "; {} hops, {} transmissions, {} octets",
            passage.hops, passage.transmissions, passage.octets
        ));
    }
    if let Some(attacker) = captured.attacker {
        let name = &fleet.attackers[attacker as usize].name;
        let did = if captured.altered {
            "altered or held by"
        } else {
            "forged by"
        };
        say(format_args!("; {did} {name}, label {}", captured.label));
    }
}

/// Who has the address.
fn entity(fleet: &Fleet, address: Ipv4Addr) -> String {
    if let Some(meter) = fleet.meter_of_address(address) {
        return format!("meter {meter} ({})", fleet.identity(meter));
    }
    if let Some(concentrator) = fleet.concentrator_of_address(address) {
        return format!("concentrator {concentrator}");
    }
    if let Some((attacker, member)) = fleet.attacker_of_address(address) {
        let name = &fleet.attackers[attacker as usize].name;
        return format!("attacker {name} ({member})");
    }
    match fleet.instance_of_address(address) {
        Some(instance) => format!("head-end {instance}"),
        None => address.to_string(),
    }
}
