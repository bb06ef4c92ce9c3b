//! Meters that measure everything, their tariff, and the households behind them.

use std::sync::Arc;

use firmware::Duration;
use firmware::metrology::{
    self, Calendar, ClockPolicy, Control, Date, DemandPolicy, Entry, HALF_HOURS, Limit,
    ProfileConfig, Quantity, Recurring, When, Zone,
};
use models::load::{self, DeviceKinds, HouseholdPlan};
use models::meter::{AccuracyClass, MeteringPlan};

use super::record::{choice, record, settings};
use super::schema::Scenario;
use super::units::{Civil, Ratio, zone_seconds};

/// Schedules of a season: Saturday, Sunday or weekday in turn of the matrix of ST54.
const DAYS_PER_SEASON: usize = 4;

settings! {
    /// Full metering: all registers, tariff, demand, load profile and a clock that can be set.
    pub struct Metering {
        /// Accuracy class of ANSI C12.20.
        class: Class = Class::Half,
        /// Starting current in amperes: what is smaller is not registered.
        starting_current_a: f64 = 0.05,
        /// What the load profile records, one to four channels.
        channels: Vec<Channel> = vec![Channel::Delivered],
        /// Days of the load profile.
        profile_days: u16 = 30,
        /// The tariff and its calendar.
        tariff: Tariff = Tariff::default(),
        /// Block demand.
        demand: Demand = Demand::default(),
        /// Contract demand that the meter enforces by its switch; none if absent.
        limit: Option<DemandLimit> = None,
        /// How the meter takes a set of its clock.
        clock: ClockRules = ClockRules::default(),
        /// What is behind the meter.
        household: Household = Household::default(),
    }
}

choice! {
    /// Accuracy class of ANSI C12.20.
    #[derive(Copy, Eq)]
    pub enum Class {
        /// Class 0.2.
        Fifth,
        /// Class 0.5.
        Half,
    }
}

choice! {
    /// A quantity that a channel of the load profile records.
    #[derive(Copy, Eq)]
    pub enum Channel {
        /// Energy delivered to the premise, in Wh.
        Delivered,
        /// Energy received from the premise, in Wh.
        Received,
        /// Lagging reactive energy, in varh.
        Lagging,
        /// Leading reactive energy, in varh.
        Leading,
    }
}

settings! {
    /// Block demand.
    pub struct Demand {
        /// Length of a block.
        block: Duration = Duration::from_secs(1_800),
        /// How long after a reset another one is ignored.
        reset_exclusion: Duration = Duration::from_secs(300),
        /// Outages shorter than this are not forgiven.
        outage_recognition: Duration = Duration::from_secs(10),
        /// How long demand is forgiven after an outage.
        forgiveness: Duration = Duration::from_secs(300),
    }
}

record! {
    /// A limit of demand.
    pub struct DemandLimit {
        /// Power in kW that may be exceeded for a while only.
        kw: f64,
        /// How long.
        tolerated: Duration = Duration::from_secs(300),
    }
}

settings! {
    /// How a meter takes a set of its clock.
    pub struct ClockRules {
        /// Errors below this are slewed.
        slew_below: Duration = Duration::from_secs(3),
        /// Errors above this are refused unless an operator insists.
        reject_above: Duration = Duration::from_secs(300),
    }
}

settings! {
    /// A time-of-use tariff and its calendar.
    pub struct Tariff {
        /// Standard time of the place, as an offset from UTC.
        zone: String = "+00:00".to_owned(),
        /// Daylight saving time.
        daylight_saving: DaylightSaving = DaylightSaving::Never,
        /// Seasons of the year in order of their beginning, at most two of different schedules
        /// and four in all; one rate all year if there are none.
        seasons: Vec<TariffSeason> = Vec::new(),
        /// Days of every year that have the schedule for holidays.
        holidays: Vec<Holiday> = Vec::new(),
        /// Day of the month at whose beginning demand is reset; never if absent.
        demand_reset_day: Option<u8> = None,
    }
}

choice! {
    /// Daylight saving time.
    #[derive(Copy, Eq)]
    pub enum DaylightSaving {
        /// None.
        Never,
        /// That of the United States since 2007.
        UnitedStates,
    }
}

record! {
    /// A season of a tariff.
    pub struct TariffSeason {
        /// Month in which it begins, 1 to 12.
        month: u8,
        /// Day of the month.
        day: u8 = 1,
        /// Switches of rates on working days, from midnight on at rate 0.
        weekday: Vec<RateSwitch>,
        /// Switches on Saturdays; none is rate 0 all day.
        saturday: Vec<RateSwitch> = Vec::new(),
        /// Switches on Sundays; none is rate 0 all day.
        sunday: Vec<RateSwitch> = Vec::new(),
        /// Switches on holidays; none is rate 0 all day.
        holiday: Vec<RateSwitch> = Vec::new(),
    }
}

record! {
    /// A change of the rate within a day.
    pub struct RateSwitch {
        /// Time since midnight, a multiple of half an hour.
        at: Duration,
        /// The rate from then on, 0 to 5.
        rate: u8,
    }
}

record! {
    /// A day of every year.
    pub struct Holiday {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// The first such weekday on or after the date, 0 being Sunday; the date itself if absent.
        weekday: Option<u8> = None,
    }
}

settings! {
    /// What is behind a meter.
    pub struct Household {
        /// Appliances one by one, by the minute, instead of the hourly shape with variation.
        appliances: bool = false,
        /// Share of the households with electric heating and cooling.
        hvac: Ratio = Ratio::ZERO,
        /// How those that have it cool.
        cooling: Cooling = Cooling::Compressor,
        /// Photovoltaics; none if absent.
        photovoltaics: Option<Photovoltaics> = None,
        /// Electric cars; none if absent.
        cars: Option<Cars> = None,
        /// The climate, for heating, cooling and the sun.
        weather: Weather = Weather::default(),
    }
}

choice! {
    /// How households cool.
    #[derive(Copy, Eq)]
    pub enum Cooling {
        /// By a compressor of 2 to 4 kW.
        Compressor,
        /// By evaporation, as in dry climates: 400 to 800 W for fan and pump.
        Evaporative,
    }
}

settings! {
    /// Photovoltaics on roofs.
    pub struct Photovoltaics {
        /// Share of the households.
        share: Ratio = Ratio::percent(25),
        /// Rated power in kW.
        kw: f64 = 5.0,
    }
}

settings! {
    /// Electric cars.
    pub struct Cars {
        /// Share of the households.
        share: Ratio = Ratio::percent(20),
        /// Power of a charger in kW.
        kw: f64 = 7.2,
        /// When they charge.
        charging: Charging = Charging::AtArrival,
    }
}

choice! {
    /// When a car charges.
    #[derive(Copy, Eq)]
    pub enum Charging {
        /// As soon as it is at home.
        AtArrival,
        /// From a time of the day on, as when a cheap rate begins.
        From {
            /// Time since midnight.
            time: Duration,
        },
    }
}

settings! {
    /// A climate.
    pub struct Weather {
        /// Mean temperature of January in °C.
        january_c: f64 = 2.0,
        /// Mean temperature of July in °C.
        july_c: f64 = 26.0,
        /// From the mean of a day to its maximum, in K.
        swing_k: f64 = 7.0,
        /// Northern latitude in degrees.
        latitude_deg: f64 = 35.0,
    }
}

impl Metering {
    /// The plan of the meters of a cohort of `scenario`, which has been checked; whether they
    /// replay `recorded` data.
    pub fn plan(&self, scenario: &Scenario, recorded: bool) -> MeteringPlan {
        let calendar = Arc::new(self.tariff.calendar(scenario.start));
        let mut household = HouseholdPlan::new(
            scenario.seed,
            scenario.start.0,
            Arc::clone(&calendar),
            self.household.devices(),
        );
        household.recorded = recorded.then_some(scenario.traffic.interval);
        let mut firmware = self.firmware(scenario, calendar);
        if recorded {
            // What was recorded was registered.
            firmware.starting_current_ma = 0;
        }
        MeteringPlan {
            firmware: Arc::new(firmware),
            household,
            class: match self.class {
                Class::Fifth => AccuracyClass::Class02,
                Class::Half => AccuracyClass::Class05,
            },
        }
    }

    fn firmware(&self, scenario: &Scenario, calendar: Arc<Calendar>) -> metrology::Config {
        let interval_s = scenario.traffic.interval.as_secs().max(1);
        let mut channels = [None; metrology::CHANNELS];
        for (place, channel) in channels.iter_mut().zip(&self.channels) {
            *place = Some(channel.quantity());
        }
        let intervals = u64::from(self.profile_days) * 86_400 / interval_s;
        let blocks = intervals.div_ceil(u64::from(metrology::BLOCK_INTERVALS));
        metrology::Config {
            profile: ProfileConfig {
                interval_s: interval_s as u32,
                blocks: u16::try_from(blocks.max(1)).unwrap_or(u16::MAX),
                channels,
            },
            demand: DemandPolicy {
                block_s: self.demand.block.as_secs() as u32,
                reset_exclusion: self.demand.reset_exclusion,
                outage_recognition: self.demand.outage_recognition,
                forgiveness: self.demand.forgiveness,
            },
            calendar,
            clock: ClockPolicy {
                slew_below: self.clock.slew_below,
                reject_above: self.clock.reject_above,
                ..ClockPolicy::default()
            },
            starting_current_ma: (self.starting_current_a * 1_000.0) as u32,
            limit: self.limit.as_ref().map(|limit| Limit {
                watts: (limit.kw * 1_000.0) as u32,
                tolerated: limit.tolerated,
            }),
            ..metrology::Config::default()
        }
    }
}

impl Channel {
    const fn quantity(self) -> Quantity {
        match self {
            Self::Delivered => Quantity::Delivered,
            Self::Received => Quantity::Received,
            Self::Lagging => Quantity::Lagging,
            Self::Leading => Quantity::Leading,
        }
    }
}

impl Tariff {
    /// The calendar of a run that begins at `start`.
    fn calendar(&self, start: Civil) -> Calendar {
        let offset_s = zone_seconds(&self.zone).unwrap_or(0);
        let saving = self.daylight_saving == DaylightSaving::UnitedStates;
        let mut calendar = Calendar {
            zone: Zone {
                offset_min: (offset_s / 60) as i16,
                dst_min: if saving { 60 } else { 0 },
                change_s: 7_200,
            },
            ..Calendar::default()
        };
        if saving {
            calendar.entries.extend(Calendar::us_daylight_saving());
        }
        self.put_schedules(&mut calendar);
        let ordinary = |when, control| Entry {
            when,
            control,
            demand_reset: false,
            self_read: false,
        };
        for (number, season) in (0..).zip(&self.seasons) {
            let when = yearly(season.month, season.day, None);
            let entry = ordinary(when, Control::Season(number));
            calendar.entries.push(entry);
        }
        for holiday in &self.holidays {
            let when = yearly(holiday.month, holiday.day, holiday.weekday);
            calendar.entries.push(ordinary(when, Control::Special(0)));
        }
        if let Some(day) = self.demand_reset_day {
            calendar.entries.extend(resets(start, day));
        }
        calendar
    }

    /// Schedules of equal content are one: a meter has room for eight.
    fn put_schedules(&self, calendar: &mut Calendar) {
        // Schedule 0 is rate 0 all day.
        let mut used = 1;
        for (row, season) in calendar.matrix.iter_mut().zip(&self.seasons) {
            let days = [
                &season.saturday,
                &season.sunday,
                &season.weekday,
                &season.holiday,
            ];
            for (column, switches) in days.into_iter().enumerate() {
                let schedule = half_hours(switches);
                let known = calendar.schedules[..used]
                    .iter()
                    .position(|s| *s == schedule);
                let number = known.unwrap_or_else(|| {
                    let number = used.min(metrology::SCHEDULES - 1);
                    calendar.schedules[number] = schedule;
                    used = (used + 1).min(metrology::SCHEDULES);
                    number
                });
                row[column] = number as u8;
            }
        }
    }

    /// Schedules that differ from each other and from rate 0 all day.
    pub fn schedules(&self) -> usize {
        let mut known = vec![[0; HALF_HOURS]];
        for season in &self.seasons {
            let days: [_; DAYS_PER_SEASON] = [
                &season.saturday,
                &season.sunday,
                &season.weekday,
                &season.holiday,
            ];
            for switches in days {
                let schedule = half_hours(switches);
                if !known.contains(&schedule) {
                    known.push(schedule);
                }
            }
        }
        known.len()
    }
}

/// The rate of each half hour.
fn half_hours(switches: &[RateSwitch]) -> [u8; HALF_HOURS] {
    let mut rates = [0; HALF_HOURS];
    for switch in switches {
        let from = (switch.at.as_secs() / 1_800) as usize;
        for rate in rates.iter_mut().skip(from) {
            *rate = switch.rate;
        }
    }
    rates
}

fn yearly(month: u8, day: u8, weekday: Option<u8>) -> When {
    When::Yearly(Recurring {
        month,
        day,
        weekday,
    })
}

/// The demand resets of the year that begins at `start`: a calendar holds no monthly rule.
fn resets(start: Civil, day: u8) -> impl Iterator<Item = Entry> {
    let (year, month, _) = start.date();
    (0..12).map(move |ahead| {
        let months = month - 1 + ahead;
        Entry {
            when: When::Once(Date {
                year: ((year + months / 12) % 100) as u8,
                month: (months % 12 + 1) as u8,
                day,
            }),
            control: Control::None,
            demand_reset: true,
            self_read: false,
        }
    })
}

impl Household {
    /// The same for the models; none without any device.
    fn devices(&self) -> Option<DeviceKinds> {
        let none = !self.appliances
            && self.hvac == Ratio::ZERO
            && self.photovoltaics.is_none()
            && self.cars.is_none();
        if none {
            return None;
        }
        Some(DeviceKinds {
            appliances: self.appliances,
            hvac_ppb: self.hvac.ppb(),
            evaporative: self.cooling == Cooling::Evaporative,
            photovoltaics: self.photovoltaics.as_ref().map(|pv| load::Photovoltaics {
                share_ppb: pv.share.ppb(),
                watts: pv.kw * 1_000.0,
            }),
            cars: self.cars.as_ref().map(|cars| load::Car {
                share_ppb: cars.share.ppb(),
                watts: cars.kw * 1_000.0,
                charging: match cars.charging {
                    Charging::AtArrival => load::Charging::AtArrival,
                    Charging::From { time } => load::Charging::From(time.as_secs() as u32),
                },
            }),
            weather: load::Weather {
                january_c: self.weather.january_c,
                july_c: self.weather.july_c,
                swing_k: self.weather.swing_k,
                latitude_deg: self.weather.latitude_deg,
            },
        })
    }
}
