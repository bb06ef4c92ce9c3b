//! A probe on the optical port, in the hands of somebody who is not part of the models.

use firmware::c1218::{Parameters, ServerEvent, Transmit};

use super::MeterHost;
use crate::context::Exchange;
use crate::event::Agenda;
use crate::telemetry::NodeId;

/// What the results call the protocol of the optical port.
pub(crate) const OPTICAL: &str = "optical";

/// What a meter has said at its optical port.
#[derive(Debug, Default)]
pub struct Said {
    /// Packets and acknowledgements, in their order.
    pub transmits: Vec<Transmit>,
    /// What happened; discarded octets are in the telemetry, too.
    pub events: Vec<ServerEvent>,
    /// Whether the meter may have more to say without being told anything.
    pub expecting: bool,
}

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Octets arrive at the optical port; returns whether the firmware runs and takes them.
    pub fn hear_optical(&mut self, octets: &[u8]) -> bool {
        if !self.meter.supply.running {
            let node = NodeId::Meter(self.meter.placement.meter);
            self.context.telemetry.reject(node, OPTICAL, "unpowered");
            return false;
        }
        // Whoever reads registers reads those of now.
        self.measure();
        self.run("command", |image, utc, env| {
            image.handle_optical(octets, utc, env);
        });
        true
    }

    /// Takes what the meter has to say at its optical port into `said`, in place of what it held.
    pub fn take_optical(&mut self, said: &mut Said) {
        said.transmits.clear();
        said.events.clear();
        let local = self.meter.processor.clock.read(self.now);
        let image = &mut self.meter.firmware.image;
        while let Some(transmit) = image.poll_optical(local) {
            said.transmits.push(transmit);
        }
        while let Some(event) = image.poll_optical_event() {
            said.events.push(event);
        }
        said.expecting = image.poll_optical_timeout().is_some();
        let node = NodeId::Meter(self.meter.placement.meter);
        for event in &said.events {
            if let ServerEvent::Rejected(why) = event {
                self.context.telemetry.reject(node, OPTICAL, why.name());
            }
        }
        // What has been said is to be acknowledged by a certain time.
        self.rearm();
    }

    /// The probe is taken off.
    pub fn hang_up_optical(&mut self) {
        let local = self.meter.processor.clock.read(self.now);
        self.meter.firmware.image.hang_up_optical(local);
        self.rearm();
    }

    /// Sizes and speed at the optical port.
    pub fn optical_parameters(&self) -> Parameters {
        self.meter.firmware.image.optical_parameters()
    }
}
