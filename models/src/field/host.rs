//! What happens at the optical port of a meter in each of its events.

use firmware::Instant;
use firmware::c1218::{Baud, ServerEvent, Timing};

use super::plan::{Errand, FieldService, Visit};
use super::visit::{Attendance, Present};
use super::visitor::{Next, Place, Visitor};
use crate::context::{Exchange, Kind};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::meter::{MeterHost, OPTICAL};
use crate::telemetry::{AttackRecord, NodeId, OpticalRecord};
use crate::time::Time;

impl<'c, A: Agenda, X: Exchange> MeterHost<'_, '_, '_, 'c, A, X> {
    /// Something may be due at the optical port.
    pub(crate) fn optical(&mut self) {
        let Some(mut field) = self.meter.premise.field.take() else {
            return;
        };
        if field.alarm.ring(self.now) {
            self.attend(&mut field);
        }
        self.meter.premise.field = Some(field);
        self.arm_optical();
    }

    /// The firmware has been called: it may have something to say to a visitor.
    pub(crate) fn serve_optical(&mut self) {
        let Some(mut field) = self.meter.premise.field.take() else {
            return;
        };
        self.attend(&mut field);
        self.meter.premise.field = Some(field);
        self.arm_optical();
    }

    /// Power is lost: what the meter was saying ends.
    pub(crate) fn darken_optical(&mut self) {
        if let Some(field) = self.meter.premise.field.as_deref_mut() {
            field.to_visitor.clear();
        }
        self.serve_optical();
    }

    fn arm_optical(&mut self) {
        let fleet: &'c Fleet = self.context.fleet;
        let Some(field) = self.meter.premise.field.as_deref_mut() else {
            return;
        };
        let visits = fleet.visits.of(self.meter.placement.meter);
        let next = field.next(visits).max(self.now);
        let end = Time(fleet.duration.as_nanos());
        let deadline = (next < end).then(|| Instant::from_nanos(next.as_nanos()));
        field.alarm.set(deadline, |at| Time(at.as_nanos()));
        if let Some(time) = field.alarm.arm(self.now, end) {
            self.post(time, Kind::Optical, 0);
        }
    }

    /// Carries out everything that is due, until nothing is.
    fn attend(&mut self, field: &mut Attendance) {
        let fleet: &'c Fleet = self.context.fleet;
        let visits = fleet.visits.of(self.meter.placement.meter);
        loop {
            // Sending takes time, so nobody can go on talking forever at one moment.
            let arrived = self.arrive_visitor(field, visits);
            let heard = self.hear_meter(field) | self.hear_visitor(field);
            let said = self.speak_as_meter(field) | self.speak_as_visitor(field);
            // What is acknowledged at the end of a session belongs to it; what is repeated or
            // asked for now has to be sent.
            let acted = self.act_as_visitor(field) | self.speak_as_visitor(field);
            if !(arrived || heard || said || acted) {
                break;
            }
        }
    }

    /// Whoever has an appointment comes, unless somebody else has his probe at the port.
    fn arrive_visitor(&mut self, field: &mut Attendance, visits: &[Visit]) -> bool {
        let Some(visit) = visits.get(field.begun).filter(|v| v.from <= self.now) else {
            return false;
        };
        let index = field.begun;
        field.begun += 1;
        let leaving = field.present.as_ref();
        if leaving.is_some_and(|present| present.visit.until <= self.now) {
            self.send_away(field);
        }
        if field.present.is_some() {
            let mut record = self.record_of(*visit);
            record.outcome = "occupied";
            self.report_session(record);
            return true;
        }
        field.present = Some(Present {
            visit: *visit,
            index,
            visitor: Visitor::new(self.now),
            session: None,
        });
        true
    }

    /// The visitor packs up before he has finished.
    fn send_away(&mut self, field: &mut Attendance) {
        if let Some(record) = field.close("out_of_time", self.now) {
            self.report_session(record);
        }
        field.to_meter.clear();
        field.to_visitor.clear();
        field.present = None;
    }

    /// Octets reach the port; a meter without power does not see them.
    fn hear_meter(&mut self, field: &mut Attendance) -> bool {
        let baud = self.optical_parameters().baud;
        let Some(piece) = field.to_meter.take(self.now, baud, &mut field.errors) else {
            return false;
        };
        self.hear_optical(&piece);
        true
    }

    fn hear_visitor(&mut self, field: &mut Attendance) -> bool {
        let present = field.present.as_mut();
        let baud = present
            .as_ref()
            .map_or(Baud::DEFAULT, |present| present.visitor.baud());
        let Some(piece) = field.to_visitor.take(self.now, baud, &mut field.errors) else {
            return false;
        };
        if let Some(present) = present {
            let client = present.visitor.client();
            client.handle_octets(&piece, Instant::from_nanos(self.now.as_nanos()));
        }
        true
    }

    /// The meter sends what it has to say once it is ready; takes note of what happened to it.
    fn speak_as_meter(&mut self, field: &mut Attendance) -> bool {
        let mut any = false;
        while let Some(event) = self.meter.firmware.image.poll_optical_event() {
            any = true;
            self.note(field, event);
        }
        let service = field.present.as_ref().map(|present| present.visit.service);
        let local = self.meter.processor.clock.read(self.now);
        while field.to_visitor.is_idle() {
            let Some(transmit) = self.meter.firmware.image.poll_optical(local) else {
                break;
            };
            any = true;
            // Into the open, if nobody is there any more.
            let Some(service) = service else { continue };
            let from = self.now + Timing::default().turn_around;
            let from = from.max(self.meter.processor.busy_until);
            let damaged_ppb = self.context.fleet.visits.service(service).probe.damaged_ppb;
            let (wire, errors) = (&mut field.to_visitor, &mut field.errors);
            wire.send(transmit, from, damaged_ppb, errors);
        }
        if any {
            // From now on it waits for an acknowledgement.
            self.rearm();
        }
        any
    }

    fn speak_as_visitor(&mut self, field: &mut Attendance) -> bool {
        let Some(present) = field.present.as_mut() else {
            return false;
        };
        if !field.to_meter.is_idle() {
            return false;
        }
        let local = Instant::from_nanos(self.now.as_nanos());
        let Some(transmit) = present.visitor.client().poll_transmit(local) else {
            return false;
        };
        let service = self.context.fleet.visits.service(present.visit.service);
        let from = self.now + Timing::default().turn_around;
        let (wire, errors) = (&mut field.to_meter, &mut field.errors);
        wire.send(transmit, from, service.probe.damaged_ppb, errors);
        true
    }

    /// The visitor's program goes on; returns whether anything has changed.
    fn act_as_visitor(&mut self, field: &mut Attendance) -> bool {
        let Some(present) = field.present.as_mut() else {
            return false;
        };
        if present.visit.until <= self.now {
            self.send_away(field);
            return true;
        }
        if present.visitor.next() > self.now && !present.visitor.has_heard() {
            return false;
        }
        let fleet: &'c Fleet = self.context.fleet;
        let cohort = &fleet.cohorts[usize::from(self.meter.placement.cohort)];
        let place = Place {
            cohort: &cohort.name,
            number: self.meter.placement.meter - cohort.first,
            start_utc_s: fleet.start_utc_s,
            sequence: (present.index * 8 % 64) as u8,
        };
        let service = fleet.visits.service(present.visit.service);
        let was_in_session = present.visitor.is_in_session();
        let next = present.visitor.proceed(service, &place, self.now);
        if present.visitor.is_in_session() && !was_in_session {
            let record = self.record_of(present.visit);
            present.session = Some(record);
            // What a meter still says to nobody belongs to no session.
            field.to_meter.count = Default::default();
            field.to_visitor.count = Default::default();
        }
        match next {
            Next::Wait => false,
            Next::SessionOver(outcome) => {
                if let Some(record) = field.close(outcome, self.now) {
                    self.report_session(record);
                }
                true
            }
            Next::Leave => {
                field.present = None;
                true
            }
        }
    }

    fn note(&mut self, field: &mut Attendance, event: ServerEvent) {
        let session = field.present.as_mut();
        let session = session.and_then(|present| present.session.as_mut());
        match (event, session) {
            (ServerEvent::Rejected(reject), _) => {
                let node = NodeId::Meter(self.meter.placement.meter);
                self.context.telemetry.reject(node, OPTICAL, reject.name());
            }
            (ServerEvent::PasswordAccepted(groups), Some(session)) => {
                session.groups |= groups.0;
            }
            (ServerEvent::PasswordRefused, Some(session)) => session.wrong_passwords += 1,
            (ServerEvent::LockedOut(_), Some(session)) => session.locked_out = true,
            (ServerEvent::LoggedOn { .. }, Some(session)) => session.logged_on = true,
            (ServerEvent::Ended(_), _) | (_, None) => {}
        }
    }

    fn record_of(&self, visit: Visit) -> OpticalRecord {
        OpticalRecord {
            meter: visit.meter,
            service: visit.service,
            start: self.now,
            end: self.now,
            ..OpticalRecord::default()
        }
    }

    /// Reports a session, and what it means to the attacker who made it.
    fn report_session(&mut self, record: OpticalRecord) {
        let fleet: &'c Fleet = self.context.fleet;
        let service: &FieldService = fleet.visits.service(record.service);
        if let Errand::Guess { attacker, .. } = service.errand {
            let attack = attack_record(attacker, fleet.instance_of(record.meter), &record);
            self.context.telemetry.attacks.push(attack);
        }
        self.context.telemetry.optical.push(record);
    }
}

/// The guesses of a session as the action of an attacker.
fn attack_record(attacker: u32, instance: u32, record: &OpticalRecord) -> AttackRecord {
    let accepted = record.passwords > record.wrong_passwords;
    let (outcome, cause) = match record.outcome {
        _ if accepted => ("accepted", None),
        cause @ ("wrong_password" | "locked_out" | "refused") => ("rejected", Some(cause)),
        cause => ("ignored", Some(cause)),
    };
    AttackRecord {
        attacker,
        instance,
        label: 0,
        action: "guess_password",
        meter: Some(record.meter),
        time: record.start,
        end: Some(record.end),
        count: record.passwords,
        octets: record.octets_to_meter,
        outcome,
        cause,
    }
}
