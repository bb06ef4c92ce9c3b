//! The load profile: what each channel counted in each interval, for 30 days.
//!
//! The time axis has no holes. Every interval boundary is passed exactly once: intervals that an
//! outage or a step of the clock leaves out are there and marked as skipped, and after a step back
//! the open interval lasts until the first boundary that has not been passed yet. So the end of an
//! interval follows from its number alone, and nothing is stored for it but the counts of its
//! channels: one channel of two octets takes 5,760 octets for 30 days.
//!
//! Status is kept only where there is any, in runs. What a channel cannot hold is marked as an
//! overflow and carried to the next interval, so no energy is lost.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::quantity::{QUANTITIES, Quantity};

/// Channels of a profile at most.
pub const CHANNELS: usize = QUANTITIES;
/// Intervals of a block of ST64.
pub const BLOCK_INTERVALS: u32 = 96;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileConfig {
    /// Length of an interval in seconds, whole minutes; divides an hour.
    pub interval_s: u32,
    /// Blocks of 96 intervals that are kept.
    pub blocks: u16,
    /// The quantity of each channel; at least one channel.
    pub channels: [Option<Quantity>; CHANNELS],
}

impl Default for ProfileConfig {
    /// Energy delivered in 15 min, for 30 days.
    fn default() -> Self {
        Self {
            interval_s: 900,
            blocks: 30,
            channels: [Some(Quantity::Delivered), None, None, None],
        }
    }
}

impl ProfileConfig {
    /// The quantities in the order of the channels.
    pub fn quantities(&self) -> impl Iterator<Item = Quantity> + use<'_> {
        self.channels.iter().flatten().copied()
    }

    /// How many channels there are.
    pub fn channel_count(&self) -> usize {
        self.quantities().count()
    }

    /// Intervals that are kept.
    pub const fn capacity(&self) -> u32 {
        self.blocks as u32 * BLOCK_INTERVALS
    }
}

/// What befell an interval (EXTENDED_INT_STATUS, the bits common to all channels).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Daylight saving time began or ended within the interval.
    pub const DST_CHANGE: Self = Self(0x10);
    /// There was no power for some of the interval.
    pub const POWER_FAIL: Self = Self(0x20);
    /// The clock was set forward.
    pub const CLOCK_FORWARD: Self = Self(0x40);
    /// The clock was set backward.
    pub const CLOCK_BACKWARD: Self = Self(0x80);

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How far an interval can be trusted (EXTENDED_INT_STATUS, the code of a channel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// Without reserve.
    #[default]
    Ok = 0,
    /// The count did not fit; the rest is in the next interval.
    Overflow = 1,
    /// The interval was shorter than others.
    Partial = 2,
    /// The interval was longer than others.
    Long = 3,
    /// Nothing was measured.
    Skipped = 4,
}

/// The status of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What befell it.
    pub flags: Flags,
    /// The code of all channels, overflow aside.
    pub code: Code,
    /// Channels that have overflowed, one bit each.
    pub overflows: u8,
}

impl Status {
    /// The code of `channel`.
    pub const fn code_of(&self, channel: usize) -> Code {
        if self.overflows >> channel & 1 != 0 {
            Code::Overflow
        } else {
            self.code
        }
    }

    /// Whether the counts may be used: SIMPLE_INT_STATUS.
    pub const fn is_valid(&self) -> bool {
        !matches!(self.code, Code::Skipped) && self.overflows == 0
    }

    /// The octets of EXTENDED_INT_STATUS for `channels` channels: `channels / 2 + 1` of them.
    pub fn octets(&self, channels: usize) -> [u8; CHANNELS / 2 + 1] {
        let mut octets = [0; CHANNELS / 2 + 1];
        octets[0] = self.flags.0;
        for channel in 0..channels.min(CHANNELS) {
            let code = self.code_of(channel) as u8;
            // Channel 1 is in the low nibble of the first octet, 2 in the high one of the next.
            octets[channel.div_ceil(2)] |= if channel % 2 == 1 { code << 4 } else { code };
        }
        octets
    }
}

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its number, from 0 at the first one ever.
    pub number: u32,
    /// Its end, in seconds since 1970.
    pub end_utc_s: u32,
    /// What each channel counted.
    pub counts: [u16; CHANNELS],
    /// Its status.
    pub status: Status,
}

/// Intervals in a row with the same status, which is not the ordinary one.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    count: u32,
    status: Status,
}

/// The profile.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Counts, channel by channel within an interval; a ring once it is full.
    counts: Vec<u16>,
    /// Number of the interval that `counts` begins with before it is a ring.
    origin: u32,
    /// Number of the open interval.
    open: u32,
    /// Its end, in seconds since 1970; 0 before the first.
    open_end_utc_s: u32,
    /// What its channels have counted, and what earlier ones could not hold.
    pending: [u32; CHANNELS],
    status: Status,
    runs: VecDeque<Run>,
    /// Blocks up to this number have been acknowledged by a reader.
    acknowledged: u32,
}

impl Profile {
    /// Number of the open interval, which is that of closed ones since the first power.
    pub const fn open_number(&self) -> u32 {
        self.open
    }

    /// End of the open interval, in seconds since 1970; 0 before the first power.
    pub const fn open_end_utc_s(&self) -> u32 {
        self.open_end_utc_s
    }

    /// Number of the oldest interval that is kept.
    pub fn first(&self, config: &ProfileConfig) -> u32 {
        self.origin.max(self.open.saturating_sub(config.capacity()))
    }

    /// Closed intervals that are kept.
    pub fn len(&self, config: &ProfileConfig) -> u32 {
        self.open - self.first(config)
    }

    /// Whether no interval has been closed.
    pub const fn is_empty(&self) -> bool {
        self.open == self.origin
    }

    /// A closed interval; none if it is not kept or not closed.
    pub fn get(&self, config: &ProfileConfig, number: u32) -> Option<Interval> {
        if !(self.first(config)..self.open).contains(&number) {
            return None;
        }
        let mut counts = [0; CHANNELS];
        let place = self.place(config, number);
        for (target, count) in counts.iter_mut().zip(self.counts.get(place)?) {
            *target = *count;
        }
        let behind = self.open - number;
        Some(Interval {
            number,
            end_utc_s: self
                .open_end_utc_s
                .saturating_sub(behind.saturating_mul(config.interval_s)),
            counts,
            status: self.status_of(number),
        })
    }

    /// The interval that ended at `end_utc_s`.
    pub fn ending_at(&self, config: &ProfileConfig, end_utc_s: u32) -> Option<Interval> {
        let behind = self.open_end_utc_s.checked_sub(end_utc_s)?;
        if !behind.is_multiple_of(config.interval_s) {
            return None;
        }
        let number = self.open.checked_sub(behind / config.interval_s)?;
        self.get(config, number)
    }

    /// What a channel has counted since interval `number` began, the open interval included.
    ///
    /// A register that shows this much more now showed the difference then.
    pub fn counted_since(&self, config: &ProfileConfig, number: u32, channel: usize) -> u64 {
        let open = self.pending.get(channel).copied().unwrap_or(0);
        let closed = (number.max(self.first(config))..self.open).filter_map(|number| {
            let counts = self.counts.get(self.place(config, number))?;
            counts.get(channel)
        });
        u64::from(open) + closed.map(|count| u64::from(*count)).sum::<u64>()
    }

    /// Blocks that no reader has acknowledged, the one under way included.
    pub fn unread_blocks(&self, config: &ProfileConfig) -> u32 {
        let last = self
            .open
            .saturating_sub(self.origin)
            .div_ceil(BLOCK_INTERVALS);
        let kept = u32::from(config.blocks).min(last);
        (last - self.acknowledged.min(last)).min(kept)
    }

    /// A reader has what it wants of the oldest `blocks` unread blocks.
    pub fn acknowledge(&mut self, config: &ProfileConfig, blocks: u32) {
        let last = self
            .open
            .saturating_sub(self.origin)
            .div_ceil(BLOCK_INTERVALS);
        let unread = self.unread_blocks(config);
        self.acknowledged = last - unread + blocks.min(unread);
    }

    /// Number of the interval that the first block begins with.
    pub const fn origin(&self) -> u32 {
        self.origin
    }

    /// Octets on the heap.
    pub(super) fn memory(&self) -> usize {
        self.counts.capacity() * size_of::<u16>() + self.runs.capacity() * size_of::<Run>()
    }

    /// Forgets all closed intervals; what the open one has counted stays.
    pub(super) fn clear(&mut self) {
        self.counts = Vec::new();
        self.runs = VecDeque::new();
        self.origin = self.open;
        self.acknowledged = 0;
    }

    /// Begins with the interval that `utc_s` lies in.
    pub(super) fn begin(&mut self, config: &ProfileConfig, utc_s: u32) {
        let into = utc_s % config.interval_s;
        self.open_end_utc_s = utc_s - into + config.interval_s;
        if into != 0 {
            self.mark(Flags::default(), Code::Partial);
        }
    }

    /// Counts units of all quantities in the open interval.
    pub(super) fn count(&mut self, config: &ProfileConfig, units: &[u32; QUANTITIES]) {
        for (pending, quantity) in self.pending.iter_mut().zip(config.quantities()) {
            *pending = pending.saturating_add(units[quantity.index()]);
        }
    }

    /// Marks the open interval; the graver code stays.
    pub(super) fn mark(&mut self, flags: Flags, code: Code) {
        self.status.flags = self.status.flags.with(flags);
        self.status.code = self.status.code.max(code);
    }

    /// Closes the open interval.
    pub(super) fn close(&mut self, config: &ProfileConfig) {
        let channels = config.channel_count();
        let mut counts = [0; CHANNELS];
        let pairs = counts.iter_mut().zip(&mut self.pending).take(channels);
        for (channel, (count, pending)) in pairs.enumerate() {
            *count = u16::try_from(*pending).unwrap_or(u16::MAX);
            *pending -= u32::from(*count);
            if *pending > 0 {
                self.status.overflows |= 1 << channel;
            }
        }
        let status = core::mem::take(&mut self.status);
        self.append(config, &counts[..channels], status);
    }

    /// Closes the open interval and leaves out all others that end by `utc_s`, for `flags`.
    ///
    /// The interval that `utc_s` lies in is open then.
    pub(super) fn jump(&mut self, config: &ProfileConfig, utc_s: u32, flags: Flags) {
        if utc_s < self.open_end_utc_s {
            self.mark(flags, Code::Partial);
            return;
        }
        self.mark(flags, Code::Partial);
        self.close(config);
        let missing = (utc_s + config.interval_s - self.open_end_utc_s) / config.interval_s;
        if missing >= config.capacity() {
            // Nothing of what is kept would be left.
            self.open += missing;
            self.open_end_utc_s += missing * config.interval_s;
            self.clear();
        } else {
            let skipped = Status {
                flags,
                code: Code::Skipped,
                overflows: 0,
            };
            let zeros = [0; CHANNELS];
            for _ in 0..missing {
                self.append(config, &zeros[..config.channel_count()], skipped);
            }
        }
        let at_start = utc_s + config.interval_s == self.open_end_utc_s;
        if !at_start {
            self.mark(flags, Code::Partial);
        }
    }

    fn append(&mut self, config: &ProfileConfig, counts: &[u16], status: Status) {
        let place = self.place(config, self.open);
        if let Some(old) = self.counts.get_mut(place) {
            old.copy_from_slice(counts);
        } else {
            if self.counts.len() == self.counts.capacity() {
                // A day, a week, then everything: little memory for what is never recorded, few
                // moves, and few holes that the smaller allocation leaves.
                let block = BLOCK_INTERVALS as usize * counts.len();
                let blocks = match self.counts.len() / block {
                    0 => 1,
                    1 => 7,
                    _ => usize::from(config.blocks),
                };
                let len = self.counts.len();
                self.counts
                    .reserve_exact((blocks * block).saturating_sub(len).max(1));
            }
            self.counts.extend_from_slice(counts);
        }
        if status != Status::default() {
            self.note(status);
        }
        self.open += 1;
        self.open_end_utc_s += config.interval_s;
        let first = self.first(config);
        while let Some(run) = self.runs.front()
            && run.first + run.count <= first
        {
            self.runs.pop_front();
        }
    }

    /// Where the counts of an interval are.
    fn place(&self, config: &ProfileConfig, number: u32) -> core::ops::Range<usize> {
        let channels = config.channel_count();
        let at = (number - self.origin) % config.capacity().max(1);
        let start = at as usize * channels;
        start..start + channels
    }

    fn note(&mut self, status: Status) {
        if let Some(run) = self.runs.back_mut()
            && run.first + run.count == self.open
            && run.status == status
        {
            run.count += 1;
            return;
        }
        self.runs.push_back(Run {
            first: self.open,
            count: 1,
            status,
        });
    }

    fn status_of(&self, number: u32) -> Status {
        let at = self.runs.partition_point(|run| run.first <= number);
        at.checked_sub(1)
            .and_then(|at| self.runs.get(at))
            .filter(|run| number < run.first + run.count)
            .map_or(Status::default(), |run| run.status)
    }
}
