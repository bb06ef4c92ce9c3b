//! The end of a run: what is alive or open is written down, and files are completed.

use models::telemetry::ReadRecord;
use models::time::Time;
use reports::{Error, TableWriter};

use super::{Counts, Recorder, Writers, feeders, mdms, push, rows};
use crate::run::FleetDomain;

impl Recorder {
    /// Takes what [`conclude`] has left and completes all files.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn finish(mut self, domains: &mut [&mut FleetDomain], now: Time) -> Result<Counts, Error> {
        for domain in domains.iter_mut() {
            self.take(domain.world_mut().telemetry_mut());
        }
        self.write_records(domains)?;
        self.buffers.keep(0);
        self.write_missing_reads()?;
        self.write_meters(domains)?;
        self.write_switching(now)?;
        self.write_mdms()?;
        self.write_outages()?;
        self.write_feeders(now)?;
        let Writers {
            meters,
            auth,
            keys,
            traffic,
            messages,
            reads,
            headend,
            rejects,
            attacks,
            commands,
            requests,
            han,
            optical,
            grid,
            registers,
            demand,
            demand_response,
            mdms,
            outages,
            firmware,
            feeders,
        } = self.writers;
        finish(meters)?;
        finish(auth)?;
        finish(keys)?;
        finish(traffic)?;
        finish(messages)?;
        finish(reads)?;
        finish(headend)?;
        finish(rejects)?;
        finish(attacks)?;
        finish(commands)?;
        finish(requests)?;
        finish(han)?;
        finish(optical)?;
        finish(grid)?;
        finish(registers)?;
        finish(demand)?;
        finish(demand_response)?;
        finish(mdms)?;
        finish(outages)?;
        finish(firmware)?;
        finish(feeders)?;
        Ok(self.counts)
    }

    fn write_outages(&mut self) -> Result<(), Error> {
        for row in std::mem::take(&mut self.outages).rows(&self.fleet) {
            push(&mut self.writers.outages, || row)?;
        }
        Ok(())
    }

    fn write_feeders(&mut self, end: Time) -> Result<(), Error> {
        for row in feeders::rows(&self.fleet, &self.feeder_loads, end) {
            push(&mut self.writers.feeders, || row)?;
        }
        Ok(())
    }

    fn write_missing_reads(&mut self) -> Result<(), Error> {
        let interval = self.fleet.reports.interval;
        let mut missing: Vec<ReadRecord> = (0..)
            .zip(&self.totals)
            .flat_map(|(meter, totals)| totals.missing(meter, interval))
            .collect();
        missing.sort_by_key(|read| (read.due, read.meter));
        for read in &missing {
            push(&mut self.writers.reads, || rows::read(read))?;
        }
        Ok(())
    }

    fn write_switching(&mut self, now: Time) -> Result<(), Error> {
        self.switching.sort();
        let (commands, responses) = self.switching.commands(&self.fleet);
        for row in commands {
            push(&mut self.writers.commands, || row)?;
        }
        for row in responses {
            push(&mut self.writers.demand_response, || row)?;
        }
        for row in self.switching.grid(self.fleet.grid, now) {
            push(&mut self.writers.grid, || row)?;
        }
        Ok(())
    }

    fn write_mdms(&mut self) -> Result<(), Error> {
        let days = &mut self.buffers.mdms;
        days.sort_by_key(|(meter, record)| (record.day, *meter));
        for (meter, record) in days.drain(..) {
            push(&mut self.writers.mdms, || mdms::day(meter, &record))?;
        }
        Ok(())
    }

    fn write_meters(&mut self, domains: &mut [&mut FleetDomain]) -> Result<(), Error> {
        if self.writers.meters.is_none() {
            return Ok(());
        }
        let mut meters = Vec::with_capacity(self.totals.len());
        for (index, domain) in (0..).zip(domains.iter_mut()) {
            let (fleet, totals) = (&self.fleet, &self.totals);
            domain.world_mut().for_each_meter(|meter, way| {
                let totals = &totals[meter.placement.meter as usize];
                meters.push(rows::meter(fleet, &meter, &way, index, totals));
            });
        }
        meters.sort_by_key(|row| row.meter);
        for row in meters {
            push(&mut self.writers.meters, || row)?;
        }
        Ok(())
    }
}

/// Has domains note what is alive or open `now`, at the end of the run.
pub fn conclude(domains: &mut [&mut FleetDomain], now: Time) {
    for domain in domains {
        domain.world_mut().record_live_keys(now);
        domain.world_mut().record_open_commands(now);
        domain.world_mut().record_open_visits(now);
        domain.world_mut().record_registers(now);
        domain.world_mut().record_mdms(now);
        domain.world_mut().record_outages(now);
        domain.world_mut().conclude_attacks(now);
    }
}

fn finish<R: reports::Row>(writer: Option<TableWriter<R>>) -> Result<(), Error> {
    writer.map_or(Ok(()), |writer| writer.finish().map(drop))
}
