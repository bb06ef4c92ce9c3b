//! What the firmware of a meter reports, and what follows from it.

use firmware::eap::SessionId;
use firmware::meter::{Channel, MeterEvent, SwitchEvent, SwitchStep};

use super::{Attempt, MeterHost};
use crate::context::Exchange;
use crate::disclosure::Disclosure;
use crate::event::Agenda;
use crate::telemetry::{ImageRecord, KeyRecord, Milestone, NodeId, Side, SwitchRecord};
use crate::time::Time;

/// How an authentication attempt ended, held until its last datagram has left.
pub(super) struct Ending {
    pub(super) outcome: &'static str,
    pub(super) key_id: u32,
}

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Takes what the firmware reports; returns how the authentication under way has ended, if it has.
    pub(super) fn drain_events(&mut self) -> Option<Ending> {
        let mut ending = None;
        while let Some(event) = self.meter.firmware.image.poll_event() {
            match event {
                MeterEvent::Authenticated { key_id, session_id } => {
                    self.disclose(key_id, session_id);
                    ending = Some(Ending {
                        outcome: "success",
                        key_id,
                    });
                    if !self.meter.supply.joined {
                        self.meter.supply.joined = true;
                        let milestone = (self.now, self.meter.placement.meter, Milestone::Joined);
                        self.context.telemetry.milestones.push(milestone);
                    }
                    self.rejoin();
                }
                MeterEvent::AuthenticationFailed { cause } => {
                    ending = Some(Ending {
                        outcome: cause,
                        key_id: 0,
                    });
                }
                MeterEvent::KeyEnded(epoch) => self.context.telemetry.keys.push(KeyRecord {
                    time: self.now,
                    meter: self.meter.placement.meter,
                    side: Side::Meter,
                    drift_ppb: self.meter.processor.clock.drift_ppb(),
                    epoch,
                }),
                MeterEvent::Switch(event) => self.record_switch(event),
                MeterEvent::Image(event) => self.context.telemetry.images.push(ImageRecord {
                    time: self.now,
                    meter: self.meter.placement.meter,
                    version: event.version,
                    step: event.step.name(),
                    octets: event.octets,
                }),
                MeterEvent::Restarting => self.meter.supply.restarting = true,
                MeterEvent::Discarded(reject) => {
                    let node = NodeId::Meter(self.meter.placement.meter);
                    let (protocol, cause) = (Channel::C1222.name(), reject.name());
                    self.context.telemetry.reject(node, protocol, cause);
                }
            }
        }
        ending
    }

    /// Notes what the keys follow from, for a capture of this meter.
    fn disclose(&mut self, key_id: u32, session_id: SessionId) {
        let (fleet, meter) = (self.context.fleet, self.meter.placement.meter);
        let plan = fleet.capture.as_ref();
        if plan.is_some_and(|plan| plan.has_meter(fleet, meter)) {
            let association = self.meter.firmware.image.association();
            self.context.telemetry.disclosed.push(Disclosure {
                time: self.now,
                meter,
                key_id,
                session_id,
                auth: association.map(|association| association.auth().clone()),
            });
        }
    }

    /// An order has reached the switch; if the contacts have moved, the load follows.
    fn record_switch(&mut self, event: SwitchEvent) {
        let (mut watts, mut shed_wh) = (0.0, 0.0);
        match &event.step {
            SwitchStep::Done {
                closed,
                moved: true,
            } => {
                self.measure();
                let measured = self.reconnect(*closed);
                let drawn = measured.unwrap_or_else(|| self.expected_watts(self.now));
                let premise = &mut *self.meter.premise;
                let service = premise.service.get_or_insert_default();
                watts = service.move_to(*closed, self.now, drawn);
                self.revalue_response();
            }
            SwitchStep::Scheduled(start, limit) => {
                self.notice_limit(*start, limit);
                self.tell_home(*start, limit);
            }
            SwitchStep::Limited(limit) => watts = self.follow_limit(limit),
            SwitchStep::Lifted(_) => {
                shed_wh = self.lift_limit();
                self.untell_home();
            }
            _ => {}
        }
        self.context.telemetry.switches.push(SwitchRecord {
            time: self.now,
            meter: self.meter.placement.meter,
            sequence: event.sequence,
            step: event.step,
            watts,
            shed_wh,
        });
    }

    /// Notes that an authentication has ended.
    pub(super) fn record_attempt(&mut self, attempt: Attempt, ending: &Ending, end: Time) {
        let placement = self.meter.placement;
        let record = attempt.finish(
            placement.meter,
            placement.instance,
            end,
            ending.outcome,
            ending.key_id,
        );
        self.context.telemetry.auth.push(record);
    }
}
