//! An in-home display: what it shows now, and the trend of the last day and month.
//!
//! The trend follows from the energy register alone, so nothing is lost when updates are: the
//! energy between two of them is spread evenly over the time between them.

use super::message::{DemandEvent, Text, Usage};
use crate::time::Instant;

const HOUR_S: u32 = 3_600;
const DAY_S: u32 = 86_400;
/// Hours of the trend.
pub const HOURS: usize = 24;
/// Days of the trend.
pub const DAYS: usize = 31;

/// Energy by equal periods of time, the latest one last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars<const N: usize> {
    wh: [u64; N],
    /// Number of the latest period since 1970.
    latest: u32,
    length_s: u32,
}

impl<const N: usize> Bars<N> {
    const fn new(length_s: u32) -> Self {
        Self {
            wh: [0; N],
            latest: 0,
            length_s,
        }
    }

    /// Watt-hours of the periods, the latest one last.
    pub const fn watt_hours(&self) -> &[u64; N] {
        &self.wh
    }

    /// Spreads `wh` over the time from `from_s` to `until_s`.
    fn add(&mut self, from_s: u32, until_s: u32, wh: u64) {
        self.advance(until_s / self.length_s);
        let oldest = self.latest.saturating_sub(N as u32 - 1);
        let span = u64::from(until_s.saturating_sub(from_s)).max(1);
        // Shares are differences of a rounded running total: their sum is exact.
        let total_at = |time_s: u32| {
            let passed = u64::from(time_s.clamp(from_s, until_s) - from_s);
            (u128::from(wh) * u128::from(passed) / u128::from(span)) as u64
        };
        if until_s <= from_s {
            self.wh[N - 1] += wh;
            return;
        }
        for period in oldest.max(from_s / self.length_s)..=self.latest {
            let end = (period + 1).saturating_mul(self.length_s);
            let share = total_at(end) - total_at(period.saturating_mul(self.length_s));
            self.wh[N - 1 - (self.latest - period) as usize] += share;
        }
    }

    /// Makes room up to the period with number `latest`.
    fn advance(&mut self, latest: u32) {
        let steps = latest.saturating_sub(self.latest) as usize;
        if steps == 0 {
            return;
        }
        let steps = steps.min(N);
        self.wh.rotate_left(steps);
        self.wh[N - steps..].fill(0);
        self.latest = latest;
    }
}

/// A display.
#[derive(Clone, Debug)]
pub struct Display {
    /// Seconds by which local time is ahead of UTC.
    utc_offset_s: i32,
    latest: Option<(Usage, Instant)>,
    hours: Bars<HOURS>,
    days: Bars<DAYS>,
    /// Greatest power of the present local day in W.
    peak_w: i32,
    /// Cost of the present local day in millionths of the currency unit.
    cost_micros: u64,
    text: Option<Text>,
    event: Option<DemandEvent>,
}

impl Display {
    /// A display without power yet; local time is `utc_offset_s` ahead of UTC.
    pub const fn new(utc_offset_s: i32) -> Self {
        Self {
            utc_offset_s,
            latest: None,
            hours: Bars::new(HOUR_S),
            days: Bars::new(DAY_S),
            peak_w: i32::MIN,
            cost_micros: 0,
            text: None,
            event: None,
        }
    }

    /// Takes an update.
    pub fn update(&mut self, usage: Usage, now: Instant) {
        let local = |usage: &Usage| usage.utc_s.saturating_add_signed(self.utc_offset_s);
        let until = local(&usage);
        let before = self.latest.map(|(before, _)| before);
        let from = before.as_ref().map_or(until, local);
        if from / DAY_S != until / DAY_S {
            (self.peak_w, self.cost_micros) = (i32::MIN, 0);
        }
        self.peak_w = self.peak_w.max(usage.power_w);
        // A register that went back is that of another meter: there is no difference to show.
        let wh = before.map_or(0, |before| usage.energy_wh.saturating_sub(before.energy_wh));
        self.hours.add(from, until, wh);
        self.days.add(from, until, wh);
        // A thousandth of the currency unit per kWh is a millionth per Wh.
        let cost = wh.saturating_mul(usage.price_mills.into());
        self.cost_micros = self.cost_micros.saturating_add(cost);
        self.latest = Some((usage, now));
    }

    /// Shows a text.
    pub fn show(&mut self, text: Text) {
        self.text = Some(text);
    }

    /// Shows a demand event.
    pub fn announce(&mut self, event: DemandEvent) {
        self.event = Some(event);
    }

    /// The latest update and when it came.
    pub const fn latest(&self) -> Option<&(Usage, Instant)> {
        self.latest.as_ref()
    }

    /// Energy of the last 24 hours, by hours of local time.
    pub const fn hours(&self) -> &Bars<HOURS> {
        &self.hours
    }

    /// Energy of the last 31 days, by days of local time.
    pub const fn days(&self) -> &Bars<DAYS> {
        &self.days
    }

    /// Greatest power of the present local day in W, once there was an update.
    pub fn peak_w(&self) -> Option<i32> {
        (self.peak_w != i32::MIN).then_some(self.peak_w)
    }

    /// Cost of the present local day in millionths of the currency unit.
    pub const fn cost_micros(&self) -> u64 {
        self.cost_micros
    }

    /// The latest text.
    pub const fn text(&self) -> Option<&Text> {
        self.text.as_ref()
    }

    /// The demand event that is under way at `utc_s`.
    pub fn event(&self, utc_s: u32) -> Option<&DemandEvent> {
        self.event.as_ref().filter(|event| event.is_active(utc_s))
    }
}
