//! A home energy management system: answers demand events by shedding what it controls.

use alloc::vec::Vec;

use super::message::{DemandEvent, EventAnswer, Usage};

/// Events that are remembered at most; one that is over gives way first.
const EVENTS_MAX: usize = 8;

/// What a system controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HemsConfig {
    /// Share of the premise's power that it can shed, in thousandths.
    pub sheddable_permille: u16,
    /// Whether its owner lets it take part.
    pub takes_part: bool,
}

/// A system.
#[derive(Clone, Debug)]
pub struct Hems {
    config: HemsConfig,
    power_w: i32,
    events: Vec<DemandEvent>,
}

impl Hems {
    /// A system that knows of no event.
    pub const fn new(config: HemsConfig) -> Self {
        Self {
            config,
            power_w: 0,
            events: Vec::new(),
        }
    }

    /// Takes note of the power of the premise.
    pub const fn update(&mut self, usage: &Usage) {
        self.power_w = usage.power_w;
    }

    /// Answers `event` at `utc_s`; one that is over already is declined.
    pub fn answer(&mut self, event: DemandEvent, utc_s: u32) -> EventAnswer {
        let accepted = self.config.takes_part && utc_s < event.end_utc_s();
        self.events.retain(|known| known.number != event.number);
        if accepted {
            if self.events.len() == EVENTS_MAX {
                self.events.retain(|known| utc_s < known.end_utc_s());
                self.events.truncate(EVENTS_MAX - 1);
            }
            self.events.push(event);
        }
        let permille = if accepted { self.permille(&event) } else { 0 };
        let power = u64::from(self.power_w.max(0) as u32);
        EventAnswer {
            number: event.number,
            accepted,
            reduction_w: (power * u64::from(permille) / 1_000) as u32,
        }
    }

    /// The share of the premise's power that is shed at `utc_s`, in thousandths.
    pub fn shed_permille(&self, utc_s: u32) -> u16 {
        let active = self.events.iter().filter(|event| event.is_active(utc_s));
        active.map(|event| self.permille(event)).max().unwrap_or(0)
    }

    fn permille(&self, event: &DemandEvent) -> u16 {
        let percent = u32::from(event.reduction_percent.min(100));
        (u32::from(self.config.sheddable_permille.min(1_000)) * percent / 100) as u16
    }
}
