//! From telemetry to the tables of a results folder.
//!
//! The recorder sees all domains at every synchronisation point, when they have reached the same
//! time. It orders what they observed by time and meter, so a file's octets depend neither on
//! threads nor on how the fleet is divided into domains.

mod bins;
mod buffers;
mod closing;
mod feeders;
mod han;
mod mdms;
mod metering;
mod optical;
mod outage;
mod response;
mod rows;
mod switching;
mod totals;

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use firmware::ukmf::Purpose;
use models::datagram::MessageType;
use models::distribution::FeederLoads;
use models::fleet::Fleet;
use models::link::Direction;
use models::telemetry::{
    AuthRecord, KeyRecord, MessageRecord, NodeId, ReadRecord, RegisterRecord, RequestRecord, Side,
    Telemetry,
};
use models::time::Time;
use reports::schema::tables::{
    AttackRow, AuthRow, CommandRow, DemandRow, FeederRow, FirmwareRow, GridRow, HanRow, HeadendRow,
    KeyRow, MdmsRow, MessageRow, MeterRow, OpticalRow, OutageRow, ReadRow, RegisterRow, RejectRow,
    RequestRow, ResponseRow, TrafficRow,
};
use reports::{Error, Provenance, TableWriter};

pub(crate) use bins::Bin;
use rows::Span;

use crate::run::FleetDomain;
use crate::scenario::schema::{Keys, Table};
use buffers::{Buffers, Runs, gather, gather_rare, merge};
pub use closing::conclude;
use outage::Outages;
pub(crate) use rows::key as key_row;
use switching::Switching;
use totals::MeterTotals;

/// What has been counted besides the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams handed to protocol code.
    pub datagrams: u64,
    /// Authentications that succeeded.
    pub authentications: u64,
    /// Frames and octets that each tap saw, in the order of the scenario.
    pub taps: Vec<(u64, u64)>,
    /// What each attacker did, in the order of the scenario.
    pub attacks: Vec<AttackCounts>,
}

/// What an attacker did, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttackCounts {
    /// Everything it tried.
    pub actions: u64,
    /// What succeeded.
    pub accepted: u64,
    /// What its victims discarded.
    pub rejected: u64,
}

/// Writers of the tables that the scenario asks for.
struct Writers {
    meters: Option<TableWriter<MeterRow>>,
    auth: Option<TableWriter<AuthRow>>,
    keys: Option<TableWriter<KeyRow>>,
    traffic: Option<TableWriter<TrafficRow>>,
    messages: Option<TableWriter<MessageRow>>,
    reads: Option<TableWriter<ReadRow>>,
    headend: Option<TableWriter<HeadendRow>>,
    rejects: Option<TableWriter<RejectRow>>,
    attacks: Option<TableWriter<AttackRow>>,
    commands: Option<TableWriter<CommandRow>>,
    requests: Option<TableWriter<RequestRow>>,
    han: Option<TableWriter<HanRow>>,
    optical: Option<TableWriter<OpticalRow>>,
    grid: Option<TableWriter<GridRow>>,
    registers: Option<TableWriter<RegisterRow>>,
    demand: Option<TableWriter<DemandRow>>,
    demand_response: Option<TableWriter<ResponseRow>>,
    mdms: Option<TableWriter<MdmsRow>>,
    outages: Option<TableWriter<OutageRow>>,
    firmware: Option<TableWriter<FirmwareRow>>,
    feeders: Option<TableWriter<FeederRow>>,
}

/// Records one run.
pub struct Recorder {
    fleet: Arc<Fleet>,
    keys: Keys,
    writers: Writers,
    totals: Vec<MeterTotals>,
    counts: Counts,
    /// Lanes or collision domains of each medium.
    channels: Vec<u64>,
    buffers: Buffers,
    switching: Switching,
    outages: Outages,
    feeder_loads: FeederLoads,
    /// Whether meters are not part of this process, so that nobody says what falls due.
    meters_elsewhere: bool,
    /// Threads that may write at the same time.
    threads: usize,
}

impl Recorder {
    /// Creates the tables in `folder`, which exists.
    ///
    /// # Errors
    ///
    /// A file cannot be created.
    pub fn new(
        folder: &Path,
        provenance: &Provenance,
        fleet: Arc<Fleet>,
        keys: Keys,
        tables: &[Table],
    ) -> Result<Self, Error> {
        fn writer<R: reports::Row>(
            wanted: bool,
            folder: &Path,
            provenance: &Provenance,
        ) -> Result<Option<TableWriter<R>>, Error> {
            wanted
                .then(|| TableWriter::create(folder, provenance))
                .transpose()
        }
        let wanted = |table| tables.contains(&table);
        let writers = Writers {
            meters: writer(wanted(Table::Meters), folder, provenance)?,
            auth: writer(wanted(Table::Auth), folder, provenance)?,
            keys: writer(wanted(Table::Keys), folder, provenance)?,
            traffic: writer(wanted(Table::Traffic), folder, provenance)?,
            messages: writer(wanted(Table::Messages), folder, provenance)?,
            reads: writer(wanted(Table::Reads), folder, provenance)?,
            headend: writer(wanted(Table::Headend), folder, provenance)?,
            rejects: writer(wanted(Table::Rejects), folder, provenance)?,
            attacks: writer(wanted(Table::Attacks), folder, provenance)?,
            commands: writer(wanted(Table::Commands), folder, provenance)?,
            requests: writer(wanted(Table::Requests), folder, provenance)?,
            han: writer(wanted(Table::Han), folder, provenance)?,
            optical: writer(wanted(Table::Optical), folder, provenance)?,
            grid: writer(wanted(Table::Grid), folder, provenance)?,
            registers: writer(wanted(Table::Registers), folder, provenance)?,
            demand: writer(wanted(Table::Demand), folder, provenance)?,
            demand_response: writer(wanted(Table::DemandResponse), folder, provenance)?,
            mdms: writer(wanted(Table::Mdms), folder, provenance)?,
            outages: writer(wanted(Table::Outages), folder, provenance)?,
            firmware: writer(wanted(Table::Firmware), folder, provenance)?,
            feeders: writer(wanted(Table::Feeders), folder, provenance)?,
        };
        let totals = vec![MeterTotals::default(); fleet.meters() as usize];
        let counts = Counts {
            taps: vec![(0, 0); fleet.taps.len()],
            attacks: vec![AttackCounts::default(); fleet.attackers.len()],
            ..Counts::default()
        };
        Ok(Self {
            channels: channels(&fleet),
            fleet,
            keys,
            writers,
            totals,
            counts,
            buffers: Buffers::default(),
            switching: Switching::default(),
            outages: Outages::default(),
            feeder_loads: FeederLoads::default(),
            meters_elsewhere: false,
            threads: 1,
        })
    }

    /// Writes large tables on up to `threads` threads.
    pub fn use_threads(&mut self, threads: usize) {
        self.threads = threads;
    }

    /// Takes every delivery as it comes, because the meters are part of another process.
    pub fn expect_strangers(&mut self) {
        self.meters_elsewhere = true;
    }

    /// Takes what `domains` have observed up to `now`.
    ///
    /// Time bins that have ended by then are written; with `bin_ends` also the present one, which
    /// ends now.
    ///
    /// # Errors
    ///
    /// A file cannot be written, for instance because the disk is full.
    pub fn collect(
        &mut self,
        domains: &mut [&mut FleetDomain],
        now: Time,
        bin_ends: bool,
    ) -> Result<(), Error> {
        let mut bins: Vec<Bin> = Vec::new();
        for domain in domains.iter_mut() {
            self.take(domain.world_mut().telemetry_mut());
            let own = domain.take_bins(now, bin_ends);
            if bins.is_empty() {
                bins = own;
                continue;
            }
            for (bin, own) in bins.iter_mut().zip(own) {
                bin.add(own);
            }
        }
        self.write_records(domains)?;
        self.buffers.keep(buffers::KEPT_MAX);
        bins.into_iter().try_for_each(|bin| self.write_bin(bin))
    }

    /// Empties `telemetry`, but for what [`write_records`](Self::write_records) takes from there.
    fn take(&mut self, telemetry: &mut Telemetry) {
        let buffers = &mut self.buffers;
        gather(&mut buffers.messages, &mut telemetry.messages);
        gather_rare(&mut buffers.registers, &mut telemetry.registers);
        gather_rare(&mut buffers.mdms, &mut telemetry.mdms);
        gather_rare(&mut buffers.attacks, &mut telemetry.attacks);
        gather_rare(&mut buffers.requests, &mut telemetry.requests);
        gather_rare(&mut buffers.optical, &mut telemetry.optical);
        gather_rare(&mut buffers.images, &mut telemetry.images);
        self.feeder_loads.append(&mut telemetry.feeder_loads);
        self.outages.outages.append(&mut telemetry.outages);
        self.outages.notices.append(&mut telemetry.notices);
        let switching = &mut self.switching;
        switching.commands.append(&mut telemetry.commands);
        switching.switches.append(&mut telemetry.switches);
        switching.held.append(&mut telemetry.held);
        for (sum, seen) in self.counts.taps.iter_mut().zip(&mut telemetry.taps) {
            let (frames, octets) = std::mem::take(seen);
            sum.0 += frames;
            sum.1 += octets;
        }
        self.counts.datagrams += std::mem::take(&mut telemetry.datagrams);
        for (time, meter, milestone) in telemetry.milestones.drain(..) {
            self.totals[meter as usize].reach(milestone, time);
        }
        for read in telemetry.due.drain(..) {
            self.totals[read.meter as usize].fall_due(&read);
        }
    }

    fn write_attacks(&mut self) -> Result<(), Error> {
        let attacks = &mut self.buffers.attacks;
        // Labels are unique, and nobody does the same to a meter twice at once without one.
        attacks.sort_by_key(|record| {
            let known = record.end.unwrap_or(record.time);
            let who = (record.attacker, record.instance);
            (known, who, record.label, record.meter)
        });
        for record in attacks.drain(..) {
            let counts = &mut self.counts.attacks[record.attacker as usize];
            counts.actions += 1;
            counts.accepted += u64::from(record.outcome == reports::label::ACCEPTED);
            counts.rejected += u64::from(record.outcome == reports::label::REJECTED);
            let attacker = &self.fleet.attackers[record.attacker as usize];
            push(&mut self.writers.attacks, || {
                rows::attack(attacker, &record)
            })?;
        }
        Ok(())
    }

    /// Adds up what the domains have left, in their order: what belongs to a meter is in its own
    /// order, and what belongs to one domain is together in memory.
    fn add_up(&mut self, runs: &mut Runs<'_>) {
        let Self {
            totals,
            counts,
            meters_elsewhere,
            ..
        } = self;
        for record in runs.auth.iter().flat_map(|run| run.iter()) {
            totals[record.meter as usize].authenticate(record);
            counts.authentications += u64::from(record.outcome == reports::label::SUCCESS);
        }
        for record in runs.keys.iter().flat_map(|run| run.iter()) {
            if record.side == Side::Meter && record.epoch.purpose == Purpose::C1222Unicast {
                totals[record.meter as usize].keys += 1;
            }
        }
        // A report that was sent again because its response was lost counts once.
        for run in &mut runs.reads {
            run.retain(|read| {
                let totals = &mut totals[read.meter as usize];
                if *meters_elsewhere {
                    totals.deliver_unannounced(read)
                } else {
                    totals.deliver(read)
                }
            });
        }
    }

    /// Writes what has been taken and what the domains have left.
    fn write_records(&mut self, domains: &mut [&mut FleetDomain]) -> Result<(), Error> {
        let mut runs = Runs::of(domains);
        self.add_up(&mut runs);
        self.write_attacks()?;
        self.write_registers()?;
        let Self {
            fleet,
            buffers,
            writers,
            keys,
            threads,
            ..
        } = self;
        let (read_rows, auth_rows) = (&mut writers.reads, &mut writers.auth);
        let key_rows = &mut writers.keys;
        let fleet = &**fleet;
        let mut write_reads = || {
            let order = |read: &ReadRecord| (read.delivered, read.meter, read.interval);
            merge(&mut runs.reads, order, |read| {
                push(read_rows, || rows::read(&read))
            })?;
            let order = |record: &AuthRecord| (record.end, record.meter);
            merge(&mut runs.auth, order, |record| {
                push(auth_rows, || rows::auth(&record))
            })
        };
        let mut write_keys = || {
            let order = |record: &KeyRecord| {
                let epoch = &record.epoch;
                (
                    record.time,
                    record.meter,
                    record.side,
                    epoch.kid32,
                    u8::from(epoch.purpose),
                    epoch.index,
                )
            };
            merge(&mut runs.keys, order, |record| {
                push(key_rows, || rows::key(&record, keys, fleet.start_utc_s))
            })
        };
        // The tables that have a row per key or read of every meter are as long as all others.
        if *threads > 1 {
            thread::scope(|scope| {
                let beside = scope.spawn(&mut write_keys);
                let reads = write_reads();
                let keys = beside.join().unwrap_or_else(|panic| resume_unwind(panic));
                reads.and(keys)
            })?;
        } else {
            write_reads()?;
            write_keys()?;
        }
        let order = |record: &MessageRecord| {
            (
                record.end,
                record.meter,
                record.direction,
                record.sent,
                record.kind,
            )
        };
        buffers.messages.sort_by_key(order);
        for record in buffers.messages.drain(..) {
            push(&mut writers.messages, || rows::message(&record))?;
        }
        let order = |record: &RequestRecord| {
            let report = &record.report;
            (
                report.ended,
                record.meter,
                report.order.plan,
                report.order.due,
            )
        };
        buffers.requests.sort_by_key(order);
        for record in buffers.requests.drain(..) {
            push(&mut writers.requests, || rows::request(fleet, &record))?;
        }
        // A meter's own are in order, and a meter is in one domain.
        buffers
            .images
            .sort_by_key(|record| (record.time, record.meter));
        for record in buffers.images.drain(..) {
            push(&mut writers.firmware, || rows::image(fleet, &record))?;
        }
        buffers
            .optical
            .sort_by_key(|record| (record.end, record.meter, record.start, record.service));
        for record in buffers.optical.drain(..) {
            push(&mut writers.optical, || optical::row(fleet, &record))?;
        }
        Ok(())
    }

    fn write_registers(&mut self) -> Result<(), Error> {
        let records = &mut self.buffers.registers;
        let order =
            |record: &RegisterRecord| (record.time, record.meter, record.utc_s, record.reason);
        records.sort_unstable_by_key(order);
        for record in std::mem::take(records) {
            let fleet = &self.fleet;
            push(&mut self.writers.registers, || {
                metering::registers(fleet, &record)
            })?;
            if self.writers.demand.is_some() {
                for row in metering::demand(fleet, &record) {
                    push(&mut self.writers.demand, || row)?;
                }
            }
        }
        Ok(())
    }

    fn write_bin(&mut self, mut bin: Bin) -> Result<(), Error> {
        let span = Span::new(bin.start, bin.width);
        let Self {
            fleet,
            writers,
            channels,
            ..
        } = self;
        for (link, profile) in fleet.links.iter().enumerate() {
            for direction in [Direction::Up, Direction::Down] {
                for kind in MessageType::ALL {
                    let index = Telemetry::traffic_index(link, direction, kind);
                    let count = bin.traffic.get(index).copied().unwrap_or_default();
                    if count.frames > 0 {
                        let airtime = rows::airtime(fleet, link, direction, &count);
                        let use_of = (airtime, channels[link]);
                        push(&mut writers.traffic, || {
                            rows::traffic(&profile.name, direction, kind, &span, &count, use_of)
                        })?;
                    }
                }
            }
        }
        let homes = han::homes(fleet);
        for ((direction, content), count) in bin.home_traffic {
            push(&mut writers.traffic, || {
                han::traffic(direction, content, &span, &count, homes)
            })?;
        }
        bin.homes.sort_by_key(|row| (row.meter, row.device));
        for row in bin.homes {
            push(&mut writers.han, || row)?;
        }
        for (traffic, count) in bin.attack_traffic {
            push(&mut writers.traffic, || {
                rows::attack_traffic(fleet, &traffic, &span, &count, channels)
            })?;
        }

        bin.loads.sort_by_key(|(index, _, _)| *index);
        for (index, load, sessions) in &bin.loads {
            let rejects = bin
                .rejects
                .iter()
                .filter(|((node, _, _), _)| *node == NodeId::Instance(*index))
                .map(|(_, count)| count)
                .sum();
            let cores = fleet.headend.cores;
            push(&mut writers.headend, || {
                rows::headend(*index, load, *sessions, rejects, cores, &span)
            })?;
        }

        for ((node, protocol, cause), count) in bin.rejects {
            push(&mut writers.rejects, || {
                rows::reject(node, protocol, cause, count, &span)
            })?;
        }
        Ok(())
    }
}

fn push<R: reports::Row>(
    writer: &mut Option<TableWriter<R>>,
    row: impl FnOnce() -> R,
) -> Result<(), Error> {
    match writer {
        Some(writer) => writer.push(&row()),
        None => Ok(()),
    }
}

/// Lanes in one direction or collision domains of each medium.
fn channels(fleet: &Fleet) -> Vec<u64> {
    let of_link = |link: usize| {
        let kinds = &fleet.meshes.kinds;
        if let Some(mesh) = kinds.iter().position(|kind| kind.link == link) {
            return fleet.meshes.collision_domains(fleet.seed, mesh);
        }
        let meters = fleet.cohorts.iter().filter(|cohort| cohort.link == link);
        let concentrators = fleet.meshes.concentrators.iter();
        let concentrators = concentrators.filter(|plan| kinds[plan.mesh].backhaul == link);
        meters.map(|cohort| u64::from(cohort.count)).sum::<u64>() + concentrators.count() as u64
    };
    (0..fleet.links.len()).map(of_link).collect()
}
