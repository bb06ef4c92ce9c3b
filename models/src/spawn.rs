//! How meters, instances and concentrators come into the world.

use std::collections::VecDeque;
use std::sync::Arc;

use firmware::crypto::Work;
use firmware::eap::psk::LongTermKeys;
use firmware::headend::{Headend, Subscription};
use firmware::meter::{Meter, Provisioning};
use firmware::{Env, Instant};

use crate::alarm::AlarmClock;
use crate::clock::Clock;
use crate::concentrator::{Admission, Concentrator, Forwarder, Mains, Meshes};
use crate::dist;
use crate::field::Attendance;
use crate::fleet::{Fleet, PskPolicy};
use crate::han::Home;
use crate::headend::{Downlink, Instance, Station, Trunk, Visitors, Waves};
use crate::link::{Lane, Segment, StationId};
use crate::load::House;
use crate::mdms::Mdms;
use crate::meter::{
    Firmware, MeterBundle, Metering, Placement, Premise, Processor, Supply, Uplink, report_offset,
};
use crate::rng::{Purpose, Stream};
use crate::telemetry::InstanceLoad;
use crate::time::{Duration, Time};

/// What a meter is born with, as both of its ends know it.
struct Birth {
    psk: [u8; 16],
    drift_ppb: i64,
    sampled: bool,
    report_offset: Duration,
}

/// The order of the draws is part of what a seed means.
fn birth(fleet: &Fleet, meter: u32) -> Birth {
    let mut stream = Stream::new(fleet.seed, meter, Purpose::Provisioning);
    let cohort = &fleet.cohorts[fleet.cohort_of(meter)];
    let drawn = dist::key(&mut stream);
    let psk = match cohort.psk {
        PskPolicy::Random => drawn,
        PskPolicy::Digits(digits) => {
            let number = u64::from_le_bytes(drawn[..8].try_into().expect("8 of 16 octets"));
            dist::digits_key(number, digits)
        }
    };
    let drift_ppb = cohort.clock_drift.sample(&mut stream);
    let report_offset = report_offset(fleet.reports.spread, &mut stream);
    let sampled = fleet.is_sampled(meter);
    Birth {
        psk,
        drift_ppb,
        sampled,
        report_offset,
    }
}

/// The pre-shared key of `meter`: what its two ends know, and who has stolen it.
pub(crate) fn pre_shared_key(fleet: &Fleet, meter: u32) -> [u8; 16] {
    birth(fleet, meter).psk
}

/// The components of `meter`.
pub(crate) fn meter(fleet: &Fleet, meter: u32) -> MeterBundle {
    let cohort_index = fleet.cohort_of(meter);
    let cohort = &fleet.cohorts[cohort_index];
    let birth = birth(fleet, meter);
    let stream = |purpose| Stream::new(fleet.seed, meter, purpose);
    let provisioning = Provisioning {
        identity: fleet.identity(meter).into_bytes(),
        keys: LongTermKeys::from_psk(&birth.psk, &mut Work::NONE.clone()),
        title_arcs: Fleet::title_arcs(meter),
        switch_seed: stream(Purpose::SwitchDelay).below(u64::MAX),
    };
    let mut image = Meter::new(Arc::clone(fleet.firmware_of(meter)), provisioning);
    if let Some(plan) = &cohort.metering {
        image = image.with_metrology(Arc::clone(&plan.firmware));
    }
    if stream(Purpose::BackFeed).chance(cohort.back_feed_ppb) {
        image.sense_load_side(true);
    }
    let home = cohort.han.as_ref().map(|plan| {
        let (home, coordinator) = Home::new(fleet, meter, plan);
        image.equip_han(coordinator);
        Box::new(home)
    });
    MeterBundle {
        placement: Placement {
            meter,
            cohort: cohort_index as u16,
            link: cohort.link as u16,
            instance: fleet.instance_of(meter),
            address: fleet.meter_address(meter),
            report_offset: birth.report_offset,
            sampled: birth.sampled,
            concentrator: fleet
                .meshes
                .home(meter)
                .map(|home| fleet.concentrator_entity(home.concentrator)),
            cell: fleet.cells.of(meter).map(|cell| fleet.cell_entity(cell)),
        },
        firmware: Firmware {
            image,
            entropy: Stream::new(fleet.protocol_seed, meter, Purpose::MeterProtocol),
            attempt: None,
        },
        processor: Processor {
            clock: Clock::new(birth.drift_ppb),
            busy_until: Time::ZERO,
            inbox: VecDeque::new(),
            alarm: AlarmClock::default(),
            posted: 0,
            worked: Duration::ZERO,
            sent: 0,
            received: 0,
        },
        supply: Supply {
            powered: false,
            running: false,
            restarting: false,
            cycle: 0,
            timing: stream(Purpose::Timing),
            joined: false,
            returned: false,
            admission: Admission::Off,
            hold_up: fleet.hold_up.as_ref().map(|_| Box::default()),
        },
        uplink: Uplink {
            lane: Lane::new(stream(Purpose::Uplink)),
            waiting: Vec::new(),
        },
        premise: Premise {
            house: House::new(&fleet.load, stream(Purpose::Load)),
            register_wh: 0,
            service: None,
            metering: cohort.metering.as_ref().map(|plan| {
                let house = House::new(&fleet.load, stream(Purpose::Load));
                let index = meter - cohort.first;
                let recorded = cohort.replay.as_ref().and_then(|replay| replay.of(index));
                Box::new(Metering::new(plan, house, recorded, (fleet.seed, meter)))
            }),
            response: None,
            home,
            field: Attendance::new(fleet, meter).map(Box::new),
        },
    }
}

/// The component of an instance with its subscribers.
pub(crate) fn instance(fleet: &Fleet, index: u32) -> Instance {
    let ranks = 0..fleet.meters_of(index);
    let entity = fleet.instance_entity(index);
    let mut entropy = Stream::new(fleet.protocol_seed, entity, Purpose::HeadendProtocol);
    let mut work = Work::NONE;
    let mut env = Env::new(Instant::ZERO, &mut entropy, &mut work);
    let mut image = Headend::new(Arc::clone(&fleet.headend_software), &mut env);
    let mut downlinks = Vec::with_capacity(ranks.len());
    let trunks: Vec<Trunk> = (0..)
        .zip(&fleet.meshes.concentrators)
        .filter(|(_, plan)| plan.instance == index)
        .map(|(concentrator, _)| Trunk {
            concentrator,
            lane: Lane::new(Meshes::stream(fleet.seed, concentrator, Purpose::Downlink)),
        })
        .collect();
    for trunk in &trunks {
        if let Some(forwarder) = Forwarder::new(fleet, trunk.concentrator) {
            let (title, address) = forwarder.place();
            image.add_relay(title, address);
        }
    }
    for rank in ranks {
        let meter = fleet.meter_at(index, rank);
        let birth = birth(fleet, meter);
        image.subscribe(Subscription {
            identity: fleet.identity(meter).into_bytes(),
            keys: LongTermKeys::from_psk(&birth.psk, &mut Work::NONE.clone()),
            title_arcs: Fleet::title_arcs(meter),
        });
        let stream = |purpose| Stream::new(fleet.seed, meter, purpose);
        let cohort = fleet.cohort_of(meter);
        let trunk = fleet.meshes.home(meter).and_then(|home| {
            let concentrator = |trunk: &Trunk| trunk.concentrator;
            trunks
                .binary_search_by_key(&home.concentrator, concentrator)
                .ok()
        });
        let link = fleet.access_of(meter);
        downlinks.push(Downlink {
            lane: Lane::new(stream(Purpose::Downlink)),
            entropy: Stream::new(fleet.protocol_seed, meter, Purpose::HeadendProtocol),
            trunk: trunk.map(|trunk| trunk as u32),
            link: link as u16,
            cohort: cohort as u16,
            sampled: birth.sampled,
            alarm: AlarmClock::default(),
        });
    }
    let members = |cohort: usize| {
        let ranks = 0..fleet.meters_of(index);
        let is_member = |rank: &u32| fleet.cohort_of(fleet.meter_at(index, *rank)) == cohort;
        ranks.filter(is_member).collect()
    };
    for plan in &fleet.groups {
        let policy = plan.policy.clone();
        let utc = fleet.start_utc_s as u32;
        image.found_group(policy, members(plan.cohort), utc, &mut env);
    }
    Instance {
        index,
        entity,
        address: fleet.instance_address(index),
        image,
        station: Station::new(fleet.headend.cores, fleet.headend.buffer),
        ready: Time::FAR_FUTURE,
        up: true,
        downlinks,
        trunks,
        mdms: fleet
            .mdms
            .as_ref()
            .map(|plan| Box::new(Mdms::new(plan, fleet, index))),
        waves: Waves::new(&fleet.requests).map(Box::new),
        visitors: Visitors::default(),
        session_alarms: Vec::new(),
        command_alarm: AlarmClock::default(),
        labels: 0,
        load: InstanceLoad::default(),
        posted: 0,
    }
}

/// The component of a concentrator with its segment.
pub(crate) fn concentrator(fleet: &Fleet, index: u32) -> Concentrator {
    let plan = &fleet.meshes.concentrators[index as usize];
    let mesh = fleet.meshes.kind_of(index);
    let stream = |purpose| Meshes::stream(fleet.seed, index, purpose);
    let topology = fleet.meshes.topology(fleet.seed, index);
    let channel = &mut stream(Purpose::Channel);
    let mut segment = Segment::new(Arc::clone(&mesh.plan), &topology, channel);
    // Parents that are impossible were refused with the list; the routing knows others.
    let imposed = segment.tree_mut().impose(&mesh.layout.parents());
    debug_assert!(imposed.is_ok(), "station {imposed:?} in a list");
    for station in 1..topology.stations() {
        segment.set_admitted(StationId(station), false);
        segment.set_power(Time::ZERO, StationId(station), false);
    }
    Concentrator {
        index,
        entity: fleet.concentrator_entity(index),
        address: fleet.concentrator_address(index),
        link: mesh.link,
        backhaul: mesh.backhaul,
        cohort: plan.cohort,
        instance: plan.instance,
        segment,
        relayed: vec![false; topology.stations() as usize],
        forwarder: Forwarder::new(fleet, index).map(Box::new),
        uplink: Lane::new(stream(Purpose::Uplink)),
        mains: Mains::new(stream(Purpose::Timing)),
        wake: Time::FAR_FUTURE,
        posted: 0,
    }
}
