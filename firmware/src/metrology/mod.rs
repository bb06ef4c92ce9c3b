//! The measuring part of a meter: registers, tariff, demand, load profile and clock.
//!
//! The host tells what the sensors have measured since the last time; everything else follows from
//! that and from the clock. Only integers: energy arrives in mWh, is counted in whole Wh, and what
//! is below one waits for the next sample.
//!
//! ```text
//!   Sample --> starting current --> division at interval boundaries --> whole units
//!                                                                          |
//!        +------------------+----------------+-----------------+-----------+
//!        v                  v                v                 v
//!   total registers   tier registers   demand block   channels of the load profile
//! ```
//!
//! A boundary of intervals is the only place where anything can change: tiers, demand blocks, days
//! and daylight saving time all begin at one, as time zones are multiples of 15 minutes.
//!
//! Time is UTC throughout. Tiers, seasons and demand blocks follow local time; intervals do not, so
//! the local days on which the clocks change have 92 and 100 intervals of a quarter of an hour.
//!
//! Everything here is kept through a loss of power, as in non-volatile memory.

mod calendar;
mod clock;
mod demand;
mod event;
mod limit;
mod profile;
mod quantity;
mod registers;
#[cfg(test)]
mod tests;
mod utc;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

pub use calendar::{
    Calendar, Control, DAY_TYPES, Date, Day, Entry, HALF_HOURS, Recurring, SCHEDULES, SEASONS,
    SPECIALS, TIERS, When, Zone,
};
pub use clock::{ClockPolicy, ClockSet};
pub use demand::DemandPolicy;
pub use event::{Event, EventKind};
pub use limit::Limit;
pub use profile::{
    BLOCK_INTERVALS, CHANNELS, Code, Flags, Interval, Profile, ProfileConfig, Status,
};
pub use quantity::{Energy, Instantaneous, QUANTITIES, Quantity, Sample};
pub use registers::{Block, Copy, DEMANDS, Demand, Registers};
pub use utc::Utc;

use crate::time::Instant;
use clock::Clock;
use demand::OpenBlock;
use limit::Watch;
use quantity::Division;

/// Self reads that are kept (NBR_SELF_READS).
pub const SELF_READS: usize = 4;
/// The longest step between two boundaries, in seconds.
const TICK_MAX_S: u32 = 900;

/// What all meters of a kind share.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The load profile.
    pub profile: ProfileConfig,
    /// Demand.
    pub demand: DemandPolicy,
    /// The tariff calendar that meters leave the factory with.
    pub calendar: Arc<Calendar>,
    /// How the clock is set.
    pub clock: ClockPolicy,
    /// Currents below this are not registered, in mA.
    pub starting_current_ma: u32,
    /// The contract demand, if the meter enforces one.
    pub limit: Option<Limit>,
    /// Whether a season ends with a self read (SEASON_SELF_READ).
    pub season_self_read: bool,
    /// Whether a season ends with a demand reset (SEASON_DEMAND_RESET).
    pub season_demand_reset: bool,
    /// Whether a self read is made with every demand reset.
    pub reset_self_read: bool,
}

/// The state of the measuring part of one meter.
#[derive(Debug)]
pub struct Metrology {
    config: Arc<Config>,
    calendar: Arc<Calendar>,
    clock: Clock,
    /// Time up to which everything is accounted for; none before the first power.
    at: Option<Utc>,
    powered: bool,
    /// What is below one unit, in thousandths of it.
    remainder: [u16; QUANTITIES],
    day: Day,
    /// The latest midnight at which a day has ended.
    day_ended_utc_s: u32,
    tier: u8,
    registers: Registers,
    block: OpenBlock,
    reset_excluded_until_utc_s: u32,
    profile: Profile,
    watch: Watch,
    now: Instantaneous,
    previous_season: Option<Box<Copy>>,
    previous_reset: Option<Box<Copy>>,
    self_reads: VecDeque<Box<Copy>>,
    self_read_sequence: u16,
    events: VecDeque<Event>,
}

impl Metrology {
    /// The measuring part of a new meter.
    pub fn new(config: Arc<Config>) -> Self {
        let calendar = Arc::clone(&config.calendar);
        Self {
            day: calendar.day(0),
            calendar,
            clock: Clock::default(),
            at: None,
            powered: false,
            day_ended_utc_s: 0,
            remainder: [0; QUANTITIES],
            tier: 0,
            registers: Registers::default(),
            block: OpenBlock::default(),
            reset_excluded_until_utc_s: 0,
            profile: Profile::default(),
            watch: Watch::default(),
            now: Instantaneous::default(),
            previous_season: None,
            previous_reset: None,
            self_reads: VecDeque::new(),
            self_read_sequence: 0,
            events: VecDeque::new(),
            config,
        }
    }

    /// What the clock shows when the oscillator shows `uncorrected` and has counted to `now`.
    pub fn time(&self, uncorrected: Utc, now: Instant) -> Utc {
        self.clock.read(uncorrected, now)
    }

    /// Power has come on.
    pub fn power_on(&mut self, now: Utc) {
        self.powered = true;
        let now_s = now.as_secs();
        let Some(since) = self.at.replace(now) else {
            self.profile.begin(&self.config.profile, now_s);
            self.day = self.calendar.day(now_s);
            self.tier = self.calendar.tier(&self.day, now_s);
            return;
        };
        let outage = now.saturating_since(since);
        let demand = self.config.demand;
        self.block.cut();
        if outage >= demand.outage_recognition {
            let forgiven = now + demand.forgiveness;
            self.block.forgive_until(forgiven.as_secs());
        }
        self.leap(since.as_secs(), now_s, Flags::POWER_FAIL);
        let outage_s = u32::try_from(outage.as_secs()).unwrap_or(u32::MAX);
        self.note(now_s, EventKind::PowerUp { outage_s });
    }

    /// Power is lost; what was measured until then has been told.
    pub fn power_off(&mut self, now: Utc) {
        if core::mem::take(&mut self.powered) {
            self.profile.mark(Flags::POWER_FAIL, Code::Partial);
            self.watch.forget();
            self.now = Instantaneous::default();
            self.note(now.as_secs(), EventKind::PowerDown);
        }
    }

    /// Accounts for everything up to `until`, spread evenly since the sample before.
    ///
    /// Nothing is measured without power.
    pub fn measure(&mut self, until: Utc, sample: &Sample) {
        let Some(begun) = self.at.filter(|_| self.powered) else {
            return;
        };
        let until = until.max(begun);
        self.now = sample.now;
        if let Some(limit) = self.config.limit {
            self.watch.see(&limit, sample.now.watts, begun);
            if self.watch.trips(&limit, until) {
                self.note(until.as_secs(), EventKind::LimitExceeded);
            }
        }
        let starts = sample.now.milliamperes >= self.config.starting_current_ma;
        let energy = if starts {
            sample.energy
        } else {
            Energy::default()
        };
        let length_us = |at: Utc| at.saturating_since(begun).as_nanos() / 1_000;
        let mut division = Division::new(energy, length_us(until));
        loop {
            let at = self.at.unwrap_or(until);
            let boundary = self.next_boundary_s(at);
            let boundary_time = Utc::from_secs(boundary);
            if boundary_time > until {
                self.count(&division.up_to(u64::MAX));
                break;
            }
            self.count(&division.up_to(length_us(boundary_time)));
            self.at = Some(boundary_time);
            self.pass(boundary);
        }
        self.at = Some(until);
    }

    /// Sets the clock, which showed `before` until now; `operator` insists on large corrections.
    ///
    /// What was measured until then has been told.
    pub fn set_clock(
        &mut self,
        target: Utc,
        operator: bool,
        (uncorrected, now): (Utc, Instant),
    ) -> ClockSet {
        let policy = self.config.clock;
        let before = self.clock.read(uncorrected, now);
        let set = self
            .clock
            .set(&policy, target, operator, (uncorrected, now));
        if set == ClockSet::Stepped && self.at.is_some() {
            self.step(before, self.clock.read(uncorrected, now));
        }
        set
    }

    /// Resets the demand; `false` if the last reset was too short a while ago.
    pub fn reset_demand(&mut self, now: Utc) -> bool {
        let now_s = now.as_secs();
        if now_s < self.reset_excluded_until_utc_s {
            return false;
        }
        if self.config.reset_self_read {
            self.self_read(now);
        }
        let excluded = now + self.config.demand.reset_exclusion;
        self.reset_excluded_until_utc_s = excluded.as_secs();
        self.previous_reset = Some(Box::new(self.copy(now_s, 0)));
        let before = Box::new(self.registers);
        self.registers.reset_demand();
        // Half a block would count in both periods.
        self.block.cut();
        self.note(now_s, EventKind::DemandReset(before));
        true
    }

    /// Copies the registers to the self reads; the oldest gives way.
    pub fn self_read(&mut self, now: Utc) {
        if self.self_reads.len() == SELF_READS {
            self.self_reads.pop_front();
        }
        let sequence = self.self_read_sequence;
        self.self_read_sequence = sequence.wrapping_add(1);
        let copy = self.copy(now.as_secs(), sequence);
        self.self_reads.push_back(Box::new(copy));
        self.note(now.as_secs(), EventKind::SelfRead { sequence });
    }

    /// Replaces the tariff calendar.
    pub fn set_calendar(&mut self, calendar: Arc<Calendar>, now: Utc) {
        let now_s = now.as_secs();
        self.calendar = calendar;
        // Demand blocks are aligned with local time, which may have changed.
        self.block.cut();
        self.note(now_s, EventKind::CalendarChanged);
        let day = self.calendar.day(now_s);
        self.enter(day, now_s);
        self.switch_tier(now_s);
    }

    /// Clears the registers, copies and profile, as procedure 3 does.
    pub fn clear(&mut self) {
        self.registers = Registers::default();
        self.block.cut();
        self.remainder = [0; QUANTITIES];
        self.previous_season = None;
        self.previous_reset = None;
        self.self_reads = VecDeque::new();
        self.profile.clear();
    }

    /// Acknowledges the oldest `blocks` unread blocks of the profile.
    pub fn acknowledge_profile(&mut self, blocks: u32) {
        self.profile.acknowledge(&self.config.profile, blocks);
    }

    /// When the limit of demand is exceeded for too long, if nothing changes.
    pub fn limit_due(&self) -> Option<Utc> {
        self.watch.due(self.config.limit.as_ref()?)
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tariff calendar in force.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Time up to which everything is accounted for; none before the first power.
    pub const fn accounted_until(&self) -> Option<Utc> {
        self.at
    }

    /// The local day.
    pub const fn day(&self) -> &Day {
        &self.day
    }

    /// The tier in force.
    pub const fn tier(&self) -> u8 {
        self.tier
    }

    /// The registers.
    pub const fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The load profile.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The values of the last sample.
    pub const fn instantaneous(&self) -> &Instantaneous {
        &self.now
    }

    /// Mean power of the demand block under way, in W, delivered and received.
    pub fn present_demand_w(&self) -> [u32; DEMANDS] {
        self.block.present(self.at.unwrap_or_default().as_secs())
    }

    /// Seconds until the demand block under way ends.
    pub fn demand_remaining_s(&self) -> u32 {
        let block_s = self.config.demand.block_s.max(1);
        let now_s = self.at.unwrap_or_default().as_secs();
        block_s - self.day.local_second(now_s) % block_s
    }

    /// The registers at the end of the season before (ST24).
    pub fn previous_season(&self) -> Option<&Copy> {
        self.previous_season.as_deref()
    }

    /// The registers at the last demand reset (ST25).
    pub fn previous_reset(&self) -> Option<&Copy> {
        self.previous_reset.as_deref()
    }

    /// The self reads, oldest first (ST26).
    pub fn self_reads(&self) -> impl Iterator<Item = &Copy> {
        self.self_reads.iter().map(Box::as_ref)
    }

    /// Octets that this state takes on the heap, itself included.
    pub fn memory(&self) -> usize {
        let copies = self.self_reads.len()
            + usize::from(self.previous_season.is_some())
            + usize::from(self.previous_reset.is_some());
        size_of::<Self>()
            + self.profile.memory()
            + copies * size_of::<Copy>()
            + self.events.capacity() * size_of::<Event>()
    }

    fn note(&mut self, utc_s: u32, kind: EventKind) {
        self.events.push_back(Event { utc_s, kind });
    }

    fn copy(&self, end_utc_s: u32, sequence: u16) -> Copy {
        Copy {
            end_utc_s,
            season: self.day.season,
            sequence,
            registers: self.registers,
        }
    }

    /// The next boundary after `at`, in seconds since 1970.
    fn next_boundary_s(&self, at: Utc) -> u32 {
        let tick = self.config.profile.interval_s.clamp(1, TICK_MAX_S);
        let now_s = at.as_secs();
        now_s.saturating_add(tick - now_s % tick)
    }

    /// Counts energy in everything that counts.
    fn count(&mut self, energy: &Energy) {
        let mut units = [0; QUANTITIES];
        for (index, units) in units.iter_mut().enumerate() {
            let thousandths = energy.0[index].saturating_add(u64::from(self.remainder[index]));
            *units = u32::try_from(thousandths / 1_000).unwrap_or(u32::MAX);
            self.remainder[index] = (thousandths % 1_000) as u16;
        }
        if units == [0; QUANTITIES] {
            return;
        }
        self.registers.count(self.tier, &units);
        self.block.count([units[0], units[1]]);
        self.profile.count(&self.config.profile, &units);
    }

    /// A boundary is reached: closes what ends there.
    fn pass(&mut self, now_s: u32) {
        // After the clock was set back, boundaries come again; intervals do not.
        if now_s == self.profile.open_end_utc_s() {
            self.close_interval();
        }
        let block_s = self.config.demand.block_s.max(1);
        if self.day.local_second(now_s).is_multiple_of(block_s)
            && let Some(watts) = self.block.close(now_s, block_s)
        {
            self.registers.take_demand(self.tier, watts, now_s);
        }
        if now_s >= self.day.until_utc_s {
            self.begin_day(now_s);
        }
        self.switch_tier(now_s);
    }

    fn close_interval(&mut self) {
        let config = &self.config.profile;
        self.profile.close(config);
        let number = self.profile.open_number() - 1;
        if let Some(interval) = self.profile.get(config, number) {
            self.note(interval.end_utc_s, EventKind::Interval(interval));
        }
    }

    /// The stretch of local time that was in force has ended at `now_s`, or earlier.
    fn begin_day(&mut self, now_s: u32) {
        let day = self.calendar.day(now_s);
        // After the clock was set back, a midnight comes again; what it brought does not.
        let ended = day.local_day(day.from_utc_s) > self.day.local_day(self.day.from_utc_s)
            && day.from_utc_s > self.day_ended_utc_s;
        if ended {
            self.day_ended_utc_s = day.from_utc_s;
            let registers = Box::new(self.registers);
            self.note(now_s, EventKind::DayEnded(registers));
        }
        self.enter(day, now_s);
        let now = Utc::from_secs(now_s);
        if ended && day.self_read {
            self.self_read(now);
        }
        if ended && day.demand_reset {
            self.reset_demand(now);
        }
    }

    /// Lets another stretch of local time begin; seasons and daylight saving time may change.
    fn enter(&mut self, day: Day, now_s: u32) {
        let now = Utc::from_secs(now_s);
        if day.dst != self.day.dst {
            // The interval that begins with the new time carries the mark.
            self.profile.mark(Flags::DST_CHANGE, Code::Ok);
            self.note(now_s, EventKind::Dst(day.dst));
        }
        if day.season != self.day.season {
            self.previous_season = Some(Box::new(self.copy(now_s, 0)));
            if self.config.season_self_read {
                self.self_read(now);
            }
            if self.config.season_demand_reset {
                self.reset_demand(now);
            }
            self.note(now_s, EventKind::Season(day.season));
        }
        self.day = day;
    }

    fn switch_tier(&mut self, now_s: u32) {
        let tier = self.calendar.tier(&self.day, now_s);
        if tier != self.tier {
            self.tier = tier;
            self.note(now_s, EventKind::Tier(tier));
        }
    }

    /// Time has gone from `from_s` to `now_s` without measurement.
    fn leap(&mut self, from_s: u32, now_s: u32, flags: Flags) {
        let (number, config) = (self.profile.open_number(), &self.config.profile);
        self.profile.jump(config, now_s, flags);
        if let Some(interval) = self.profile.get(config, number) {
            // What it had counted before is reported; what was skipped is not.
            self.note(interval.end_utc_s, EventKind::Interval(interval));
        }
        let (mut reset, mut read) = (false, false);
        let mut at_s = self.day.until_utc_s.max(from_s);
        // Whatever a calendar says, a year has fewer changes than this.
        for _ in 0..400 {
            if at_s >= now_s {
                break;
            }
            let day = self.calendar.day(at_s);
            reset |= day.demand_reset && day.begins_a_day();
            read |= day.self_read && day.begins_a_day();
            at_s = day.until_utc_s;
        }
        if now_s >= self.day.until_utc_s {
            self.begin_day(now_s);
        }
        // What fell due in between is made up for, once.
        let now = Utc::from_secs(now_s);
        if read && !self.day.self_read {
            self.self_read(now);
        }
        if reset && !self.day.demand_reset {
            self.reset_demand(now);
        }
        self.switch_tier(now_s);
    }

    /// The clock was stepped.
    fn step(&mut self, before: Utc, after: Utc) {
        let (before_s, after_s) = (before.as_secs(), after.as_secs());
        self.at = Some(after);
        self.block.cut();
        self.watch.forget();
        let from_utc_s = before_s;
        self.note(after_s, EventKind::ClockStepped { from_utc_s });
        if after > before {
            self.leap(before_s, after_s, Flags::CLOCK_FORWARD);
            return;
        }
        self.profile.mark(Flags::CLOCK_BACKWARD, Code::Long);
        let day = self.calendar.day(after_s);
        self.enter(day, after_s);
        self.switch_tier(after_s);
    }
}
