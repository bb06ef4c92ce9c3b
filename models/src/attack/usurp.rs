//! Orders of demand response under a group key that was found in the memory of one member.
//!
//! A symmetric key tells nobody apart: whoever has it can order what the head-end can. The attacker
//! opens one meter of each instance when its campaign begins, takes the key that lies there, and
//! from then on orders every victim to limit its load, again and again. Its invocation ids lie far
//! ahead, so what the head-end sends afterwards under the same key comes too late.

use firmware::c1219::switch::{Limit, SwitchAction, SwitchCommand};
use firmware::crypto::Work;
use firmware::headend::seal_group_order;
use firmware::ukmf::GroupKey;

use super::behaviour::{Behaviour, Deed, Order, Scene};
use crate::datagram::C1222_PORT;

/// SEQ_NBR of its orders, which lies between those of the head-end.
const SEQUENCE: u8 = 100;
/// How far ahead its invocation ids begin.
const AHEAD: u32 = 1 << 20;
/// The first number of its events.
const EVENT: u32 = 0xF000_0000;

/// Usurps the head-end of a group.
#[derive(Debug)]
pub(super) struct Usurper {
    level_percent: u8,
    duration_min: u16,
    key: Option<GroupKey>,
    orders: u32,
}

impl Usurper {
    pub(super) const fn new(level_percent: u8, duration_min: u16) -> Self {
        Self {
            level_percent,
            duration_min,
            key: None,
            orders: 0,
        }
    }
}

impl Behaviour for Usurper {
    fn learn(&mut self, meter: u32, key: Option<GroupKey>, scene: &mut Scene<'_>) {
        scene.orders.push(Order::Note(Deed {
            action: "theft",
            meter: Some(meter),
            time: scene.now,
            end: Some(scene.now),
            count: 1,
            octets: 0,
            outcome: if key.is_some() { "accepted" } else { "ignored" },
            cause: key.is_none().then_some("no_group_key"),
        }));
        if key.is_some() {
            self.key = key;
            scene.orders.push(Order::Alarm(scene.now, 0));
        }
    }

    fn alarm(&mut self, _payload: u32, scene: &mut Scene<'_>) {
        let Some(key) = &self.key else {
            return;
        };
        let next = scene.now + scene.plan.capability.every;
        if next < scene.plan.campaign.stop {
            scene.orders.push(Order::Alarm(next, 0));
        }
        let command = SwitchCommand {
            action: SwitchAction::Limit,
            window_s: 0,
            limit: Limit {
                event_id: EVENT.wrapping_add(self.orders),
                level_percent: self.level_percent,
                duration_min: self.duration_min,
                start: None,
            },
        };
        let invocation = AHEAD.wrapping_add(self.orders);
        self.orders += 1;
        let utc = (scene.fleet.start_utc_s + scene.now.as_secs()) as u32;
        let calling = scene.fleet.meter_firmware.headend_title;
        let numbers = (SEQUENCE, invocation);
        let work = &mut Work::NONE.clone();
        let sealed = seal_group_order(key, calling.get(), numbers, command, utc, work);
        let Ok(octets) = sealed else { return };
        for index in 0..scene.victims.len() {
            let victim = scene.victims[index];
            scene.send_down(victim, C1222_PORT, octets.clone(), "group_order");
        }
    }
}
