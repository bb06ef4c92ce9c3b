//! Meters in the hands of an attacker: without the pre-shared key, or clones with it.
//!
//! They run the firmware of any meter, so whatever a meter can do with the key in question, they
//! can. A clone reports as well: intervals of no energy at all.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use firmware::crypto::Work;
use firmware::eap::psk::LongTermKeys;
use firmware::meter::{Channel, Interval, Meter, MeterEvent, Provisioning};
use firmware::{Env, Instant};

use super::behaviour::{Behaviour, Deed, Order, Scene};
use crate::context::{DATAGRAM_MAX, is_c1222};
use crate::datagram::{C1222_PORT, Datagram, PANA_PORT};
use crate::dist;
use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream};
use crate::spawn;
use crate::time::{Duration, Time};

/// What the puppets have of their victims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The identity.
    Rogue,
    /// The pre-shared key as well.
    Clone,
}

/// Alarms by the top bits of their payload; the rest names the puppet.
const SET_OUT: u32 = 1 << 30;
/// An interval of a clone ends.
const INTERVAL: u32 = 1 << 31;

/// A meter of the attacker.
struct Puppet {
    image: Meter,
    entropy: Stream,
    victim: u32,
    address: Ipv4Addr,
    alarm: Time,
}

/// The meters of one cell.
pub(super) struct Puppets {
    role: Role,
    puppets: Vec<Puppet>,
    scratch: Vec<u8>,
}

impl Puppets {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            puppets: Vec::new(),
            scratch: vec![0; DATAGRAM_MAX],
        }
    }

    fn puppet(&self, index: u32, scene: &mut Scene<'_>) -> Option<Puppet> {
        let victim = scene.any_victim()?;
        let mut psk = dist::key(scene.stream);
        if self.role == Role::Clone {
            psk = spawn::pre_shared_key(scene.fleet, victim);
        }
        let fleet = scene.fleet;
        let provisioning = Provisioning {
            identity: fleet.identity(victim).into_bytes(),
            keys: LongTermKeys::from_psk(&psk, &mut Work::NONE.clone()),
            title_arcs: Fleet::title_arcs(victim),
            switch_seed: u64::from(victim),
        };
        let member = index * fleet.headend.instances + scene.instance;
        let address = fleet.attacker_address(scene.attacker, member);
        // Cells draw from the streams of instances: puppets from those beyond.
        let (root, puppet) = (scene.plan.seed(fleet.seed), u32::MAX - member);
        Some(Puppet {
            image: Meter::new(Arc::clone(fleet.firmware_of(victim)), provisioning),
            entropy: Stream::new(root, puppet, Purpose::Attack),
            victim,
            address,
            alarm: Time::FAR_FUTURE,
        })
    }

    /// Calls the firmware of a puppet and lets the consequences take effect.
    fn call(
        &mut self,
        index: usize,
        scene: &mut Scene<'_>,
        action: impl FnOnce(&mut Meter, u32, &mut Env<'_>),
    ) {
        let now = scene.now;
        let Some(puppet) = self.puppets.get_mut(index) else {
            return;
        };
        let utc = (scene.fleet.start_utc_s + now.as_nanos() / 1_000_000_000) as u32;
        let mut work = Work::NONE;
        let local = Instant::from_nanos(now.as_nanos());
        action(
            &mut puppet.image,
            utc,
            &mut Env::new(local, &mut puppet.entropy, &mut work),
        );
        while let Some(event) = puppet.image.poll_event() {
            let (outcome, cause) = match event {
                MeterEvent::Authenticated { .. } => ("accepted", None),
                MeterEvent::AuthenticationFailed { cause } => ("rejected", Some(cause)),
                MeterEvent::KeyEnded(_)
                | MeterEvent::Switch(_)
                | MeterEvent::Image(_)
                | MeterEvent::Restarting
                | MeterEvent::Discarded(_) => continue,
            };
            scene.orders.push(Order::Note(Deed {
                action: "authenticate",
                meter: Some(puppet.victim),
                time: now,
                end: Some(now),
                count: 1,
                octets: 0,
                outcome,
                cause,
            }));
        }
        while let Some(transmit) = puppet.image.poll_transmit(&mut self.scratch) {
            let (port, action) = match transmit.channel {
                Channel::Pana => (PANA_PORT, "authenticate_message"),
                Channel::C1222 => (C1222_PORT, "report"),
            };
            let octets = self.scratch[..transmit.len].to_vec();
            let source = SocketAddrV4::new(puppet.address, port);
            scene.send_up(source, port, octets, action, Some(puppet.victim));
        }
        if let Some(deadline) = puppet.image.poll_timeout() {
            let at = Time(deadline.as_nanos()).max(now);
            if at < puppet.alarm {
                puppet.alarm = at;
                scene.orders.push(Order::Alarm(at, index as u32));
            }
        }
    }

    fn end_interval(&mut self, index: u32, scene: &mut Scene<'_>) {
        let length_s = scene.fleet.reports.interval.as_secs().max(1);
        let number = scene.now.as_nanos() / 1_000_000_000 / length_s;
        let interval = Interval {
            end_utc_s: (scene.fleet.start_utc_s + number * length_s) as u32,
            watt_hours: 0,
            status: 0,
        };
        self.call(index as usize, scene, |image, utc, env| {
            image.close_interval(interval);
            image.report(utc, env);
        });
        order_interval(index, scene);
    }
}

/// Orders the alarm for the end of the next interval.
fn order_interval(index: u32, scene: &mut Scene<'_>) {
    let length = scene.fleet.reports.interval.as_nanos().max(1);
    let next = Time((scene.now.as_nanos() / length + 1) * length);
    scene.orders.push(Order::Alarm(next, INTERVAL | index));
}

impl Behaviour for Puppets {
    fn begin(&mut self, scene: &mut Scene<'_>) {
        for index in 0..scene.members {
            let Some(puppet) = self.puppet(index, scene) else {
                return;
            };
            self.puppets.push(puppet);
            let campaign = scene.plan.campaign;
            let delay = Duration::from_nanos(scene.stream.below(campaign.ramp.as_nanos()));
            let at = campaign.start + delay;
            scene.orders.push(Order::Alarm(at, SET_OUT | index));
        }
    }

    fn alarm(&mut self, payload: u32, scene: &mut Scene<'_>) {
        if scene.now >= scene.plan.campaign.stop {
            return;
        }
        let index = payload & !(SET_OUT | INTERVAL);
        if payload & SET_OUT != 0 {
            self.call(index as usize, scene, |image, utc, env| {
                image.power_on(utc, env);
            });
            if self.role == Role::Clone {
                order_interval(index, scene);
            }
        } else if payload & INTERVAL != 0 {
            self.end_interval(index, scene);
        } else if let Some(puppet) = self.puppets.get_mut(index as usize)
            && puppet.alarm == scene.now
        {
            puppet.alarm = Time::FAR_FUTURE;
            self.call(index as usize, scene, |image, utc, env| {
                image.handle_timeout(utc, env);
            });
        }
    }

    fn receive(&mut self, datagram: &mut Datagram, scene: &mut Scene<'_>) {
        if scene.now >= scene.plan.campaign.stop {
            return;
        }
        let address = *datagram.destination.ip();
        let is = |puppet: &Puppet| puppet.address == address;
        let Some(index) = self.puppets.iter().position(is) else {
            return;
        };
        let channel = if is_c1222(datagram.source.port()) {
            Channel::C1222
        } else {
            Channel::Pana
        };
        let octets = &mut datagram.octets;
        self.call(index, scene, |image, utc, env| {
            // What the attacker's own firmware discards is nobody's observation.
            let _ = image.handle_datagram(channel, octets, utc, env);
        });
    }
}
