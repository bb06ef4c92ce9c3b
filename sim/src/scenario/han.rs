//! Home area networks in the scenario language.

use firmware::Duration;
use firmware::han::Policy;
use firmware::han::frame::SecurityLevel;
use models::han::{AirPlan, Announcement, HanPlan, Jamming};
use models::time::Time;

use super::dist::Dist;
use super::record::{choice, record, settings};
use super::units::Ratio;

settings! {
    /// A home area network behind each meter of a cohort: IEEE 802.15.4 at 2.4 GHz.
    pub struct Han {
        /// In-home displays in each home.
        displays: u32 = 1,
        /// Energy management systems in each home.
        hems: u32 = 0,
        /// Channel, 11 to 26.
        channel: u8 = 15,
        /// Protection of frames; keys travel with the longest code whatever is chosen here.
        security: HanSecurity = HanSecurity::EncMic32,
        /// Time between two updates.
        update: Duration = Duration::from_secs(5),
        /// How long a device waits for an update before it asks for a key.
        silence: Duration = Duration::from_secs(60),
        /// From the power of the premise to a device that looks for its meter.
        device_boot: Dist<Duration> = Dist::uniform(
            Duration::from_secs(1), Duration::from_secs(5),
        ),
        /// Share of the frames that distance and walls lose.
        loss: Ratio = Ratio::percent(1),
        /// Share of the time that others, as wireless LANs, use the channel; below 95 %.
        interference: Ratio = Ratio::ZERO,
        /// Mean length of their bursts.
        burst: Duration = Duration::from_millis(1),
        /// Price that displays show, in thousandths of the currency unit per kWh.
        price_mills: u16 = 110,
        /// Share of a premise's power that an energy management system can shed.
        sheddable: Ratio = Ratio::percent(30),
        /// Share of the energy management systems that take part in demand events.
        participation: Ratio = Ratio::ONE,
        /// Demand events that meters tell their devices, in order of time.
        events: Vec<HomeEvent> = Vec::new(),
        /// When somebody jams the channel in every home.
        jamming: Vec<Jam> = Vec::new(),
        /// Mean time between two moves of an intruder near each home, who repeats what he has
        /// heard as it was and altered; none if absent.
        intruder: Option<Duration> = None,
    }
}

choice! {
    /// Protection of frames by AES-CCM* (IEEE 802.15.4-2006 Table 95).
    #[derive(Copy, Eq)]
    pub enum HanSecurity {
        /// Level 5: encrypted, integrity code of 4 octets.
        EncMic32,
        /// Level 6: encrypted, integrity code of 8 octets.
        EncMic64,
        /// Level 7: encrypted, integrity code of 16 octets.
        EncMic128,
    }
}

record! {
    /// A demand event that meters have been told of before and tell their devices.
    pub struct HomeEvent {
        /// When meters tell their devices.
        at: Duration,
        /// When it begins.
        start: Duration,
        /// How long it lasts, 1 min to 45 days.
        duration: Duration,
        /// By how much, as a share of what can be shed.
        reduction: Ratio = Ratio::ONE,
    }
}

record! {
    /// A time in which a channel is jammed.
    pub struct Jam {
        /// When it begins.
        at: Duration,
        /// How long it lasts.
        duration: Duration,
    }
}

impl Han {
    /// The plan of the models; superseded keys are received under for `overlap`.
    pub(crate) fn plan(&self, overlap: Duration) -> HanPlan {
        let announcement = |event: &HomeEvent| Announcement {
            at: Time::ZERO + event.at,
            start: Time::ZERO + event.start,
            minutes: u16::try_from(event.duration.as_secs() / 60).unwrap_or(u16::MAX),
            reduction_percent: (event.reduction.ppb() / 10_000_000) as u8,
        };
        let jamming = |jam: &Jam| Jamming {
            from: Time::ZERO + jam.at,
            until: Time::ZERO + jam.at + jam.duration,
        };
        HanPlan {
            policy: Policy {
                channel: self.channel,
                level: match self.security {
                    HanSecurity::EncMic32 => SecurityLevel::EncMic32,
                    HanSecurity::EncMic64 => SecurityLevel::EncMic64,
                    HanSecurity::EncMic128 => SecurityLevel::EncMic128,
                },
                update_period: self.update,
                overlap,
                silence: self.silence,
                ..Policy::default()
            },
            displays: self.displays,
            hems: self.hems,
            device_boot: self.device_boot.model(),
            air: AirPlan {
                loss: f64::from(self.loss.ppb()) / 1e9,
                interference: f64::from(self.interference.ppb()) / 1e9,
                burst: self.burst,
            },
            price_mills: self.price_mills,
            // The civil time of a scenario is that of its meters.
            utc_offset_s: 0,
            sheddable_permille: (self.sheddable.ppb() / 1_000_000) as u16,
            participation_ppb: self.participation.ppb(),
            announcements: self.events.iter().map(announcement).collect(),
            jamming: self.jamming.iter().map(jamming).collect(),
            intruder_every: self.intruder,
        }
    }
}
