//! The optical port of the meter: C12.18 in front of the end device's tables.
//!
//! Whoever is there has the rights that his password gives, as over the network. While somebody
//! with a password is there, the network does not write.

use alloc::string::String;
use alloc::vec;

use super::device::{Device, DeviceConfig, Session};
use crate::Env;
use crate::c1218::{Parameters, Policy, Server, ServerEvent, Tables, Transmit};
use crate::c1219::access::Groups;
use crate::c1222::ber;
use crate::c1222::service::Request;
use crate::time::Instant;
use crate::wire::{Error, Reader, Writer};

/// Octets of the length that the end device puts in front of a response.
const LENGTH_MAX: usize = 4;

/// The port.
#[derive(Debug)]
pub(super) struct OpticalPort {
    server: Server,
    rights: Session,
    serial: String,
}

impl OpticalPort {
    /// A port that nobody has used; `serial` is what the tables show.
    pub(super) fn new(policy: Policy, serial: String) -> Self {
        Self {
            server: Server::new(policy),
            rights: Session::local(),
            serial,
        }
    }

    /// Takes octets from the line.
    pub(super) fn handle_octets(
        &mut self,
        octets: &[u8],
        device: (&mut Device, &DeviceConfig),
        utc: u32,
        env: &mut Env<'_>,
    ) {
        self.with_tables(device, utc, env, |server, tables, now| {
            server.handle_octets(octets, tables, now);
        });
    }

    /// Acts on every deadline that `env.now` has reached.
    pub(super) fn handle_timeout(
        &mut self,
        device: (&mut Device, &DeviceConfig),
        utc: u32,
        env: &mut Env<'_>,
    ) {
        self.with_tables(device, utc, env, |server, tables, now| {
            server.handle_timeout(tables, now);
        });
    }

    /// Power is lost: whoever was there has to begin anew.
    pub(super) fn power_off(&mut self, device: &mut Device, now: Instant) {
        self.server.power_off(now);
        self.rights = Session::local();
        device.attend(false);
    }

    /// Whoever was there has left with his probe.
    pub(super) fn hang_up(&mut self, device: &mut Device, now: Instant) {
        self.server.hang_up(now);
        self.rights = Session::local();
        device.attend(false);
    }

    /// What has been agreed upon with whoever is there.
    pub(super) const fn parameters(&self) -> &Parameters {
        self.server.parameters()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.server.poll_transmit(now)
    }

    pub(super) fn poll_event(&mut self) -> Option<ServerEvent> {
        self.server.poll_event()
    }

    fn with_tables(
        &mut self,
        (device, config): (&mut Device, &DeviceConfig),
        utc: u32,
        env: &mut Env<'_>,
        act: impl FnOnce(&mut Server, &mut dyn Tables, Instant),
    ) {
        let now = env.now;
        let mut desk = Desk {
            device: &mut *device,
            config,
            serial: self.serial.as_bytes(),
            rights: &mut self.rights,
            utc,
            env,
        };
        act(&mut self.server, &mut desk, now);
        let privileged = self.rights.groups() != Groups::GUEST;
        device.attend(self.server.is_in_session() && privileged);
    }
}

/// The end device as the port sees it for the length of a call.
struct Desk<'a, 'e> {
    device: &'a mut Device,
    config: &'a DeviceConfig,
    serial: &'a [u8],
    rights: &'a mut Session,
    utc: u32,
    env: &'a mut Env<'e>,
}

impl Tables for Desk<'_, '_> {
    fn begin(&mut self, user_id: u16) {
        *self.rights = Session::local().of_user(user_id);
    }

    fn serve(&mut self, request: &Request<'_>, response: &mut Writer<'_>) -> Result<(), Error> {
        let mut service = vec![0; response.remaining() + LENGTH_MAX];
        let mut writer = Writer::new(&mut service);
        self.device.answer(
            self.config,
            self.serial,
            request,
            self.rights,
            (self.utc, &mut *self.env),
            &mut writer,
        )?;
        let mut reader = Reader::new(writer.written());
        let len = ber::read_len(&mut reader)?;
        response.put(reader.take(len)?)
    }

    fn groups(&self) -> Groups {
        self.rights.groups()
    }

    fn locked_out(&mut self) {
        self.device.note_lock_out(*self.rights, self.utc);
    }
}
