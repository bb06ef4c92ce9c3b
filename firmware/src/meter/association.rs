//! The server side of the meter's association: sessions, and services that concern no table.
//!
//! Services of one message are carried out in their order, each answered by one response. A
//! message that does not parse to its end has no effect at all. A service that comes at the wrong
//! time is answered with `isss`, one that only a relay or a master relay offers with `sns`.
//!
//! ```text
//!             Logon                      Security, Read, Write, Wait, ...
//! no session --------> session of a user ----------+
//!   ^  |                 |          ^              |
//!   |  | Security of     |          +--------------+
//!   |  | this message    | Logoff, Terminate, Disconnect, silence
//!   +--+                 v
//!   no session <---------+
//! ```

use super::device::{Device, DeviceConfig, Session as Rights};
use crate::Env;
use crate::c1219::access::Groups;
use crate::c1222::Reject;
use crate::c1222::epsem::{Mode, put_service};
use crate::c1222::node::{Incoming, Node};
use crate::c1222::service::{
    Feature, Identification, Logon, Request, Response, ResponseCode, Selector, Write,
};
use crate::c1222::session::{Session, granted_idle_timeout_s};
use crate::c1222::{ApTitle, security};
use crate::time::{Duration, Instant};
use crate::ukmf::group::{GroupKey, KEY_TABLE};
use crate::wire::{Error, Writer};

/// Device class of the meter of reference.
pub(crate) const DEVICE_CLASS: [u8; 4] = *b"SH2E";
/// Character format of the device identity: ISO 646, as in ST0.
const ISO_646: u8 = 1;

/// What became of the services of a message.
#[derive(Debug)]
pub(super) struct Served {
    /// Whether all of them succeeded.
    pub(super) succeeded: bool,
    /// Whether the meter was told to leave the network.
    pub(super) leave: bool,
    /// The key of a group that it is a member of from now on.
    pub(super) joined: Option<GroupKey>,
}

/// The rights of an open session.
#[derive(Debug, Default)]
pub(super) struct Association {
    rights: Option<Rights>,
}

/// What the services of one message need.
struct Service<'s, 'e> {
    node: &'s mut Node,
    device: &'s mut Device,
    config: &'s DeviceConfig,
    serial: &'s [u8],
    rights: Rights,
    utc: u32,
    env: &'s mut Env<'e>,
    leave: bool,
    joined: Option<GroupKey>,
}

impl Association {
    /// Answers the services of a request.
    pub(super) fn serve(
        &mut self,
        node: &mut Node,
        serial: &[u8],
        (device, config): (&mut Device, &DeviceConfig),
        incoming: &Incoming<'_>,
        (utc, env): (u32, &mut Env<'_>),
        writer: &mut Writer<'_>,
    ) -> Result<Served, Reject> {
        for service in incoming.payload.services() {
            Request::parse(service?)?;
        }
        let kept = self.rights.filter(|_| node.session(env.now).is_some());
        let mut service = Service {
            rights: Rights::resumed(kept, incoming.mode),
            node,
            device,
            config,
            serial,
            utc,
            env,
            leave: false,
            joined: None,
        };
        let mut succeeded = true;
        for request in incoming.payload.services() {
            let request = Request::parse(request?)?;
            succeeded &= service.answer(&request, incoming, writer)?;
        }
        let open = service.node.session(service.env.now).is_some();
        self.rights = open.then_some(service.rights);
        Ok(Served {
            succeeded,
            leave: service.leave,
            joined: service.joined,
        })
    }

    /// Forgets the rights of a session that is over.
    pub(super) const fn reset(&mut self) {
        self.rights = None;
    }
}

impl Service<'_, '_> {
    fn now(&self) -> Instant {
        self.env.now
    }

    /// Answers one service; tells whether it succeeded.
    fn answer(
        &mut self,
        request: &Request<'_>,
        incoming: &Incoming<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<bool, Error> {
        let code = match request {
            Request::Identification => return self.identify(writer),
            Request::Logon(logon) => return self.log_on(logon, incoming, writer),
            Request::Logoff | Request::Terminate => self.close(),
            Request::Wait(seconds) => {
                let (pause, now) = (Duration::from_secs(u64::from(*seconds)), self.now());
                done_if(self.node.wait(pause, now))
            }
            Request::Disconnect if !self.rights.is_privileged() => ResponseCode::Isc,
            Request::Disconnect => {
                self.leave = true;
                let now = self.now();
                self.node.close_session(now);
                ResponseCode::Ok
            }
            // A password without a user belongs to a session.
            Request::Security(password)
                if password.user_id.is_none() && self.node.session(self.now()).is_none() =>
            {
                ResponseCode::Isss
            }
            Request::Resolve(title) | Request::Trace(title) => {
                return self.locate(title, matches!(request, Request::Resolve(_)), writer);
            }
            Request::Write(write) if write.table == KEY_TABLE => self.join(write, incoming.mode),
            Request::Read(_) | Request::Write(_) | Request::Security(_) => {
                let time = (self.utc, &mut *self.env);
                let (device, rights) = (&mut *self.device, &mut self.rights);
                return device.answer(self.config, self.serial, request, rights, time, writer);
            }
            Request::Register(_) | Request::Deregister(_) | Request::Unknown { .. } => {
                ResponseCode::Sns
            }
        };
        put_code(code, writer)
    }

    fn identify(&self, writer: &mut Writer<'_>) -> Result<bool, Error> {
        let features = [
            Feature::SecurityMechanism(&security::MECHANISM),
            Feature::SessionControl {
                sessionless: true,
                sessions: 1,
            },
            Feature::DeviceClass(ApTitle::Relative(&DEVICE_CLASS)),
            Feature::Identity {
                format: ISO_646,
                text: self.serial,
            },
        ];
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            Identification::emit(&features, writer)
        })?;
        Ok(true)
    }

    fn log_on(
        &mut self,
        logon: &Logon,
        incoming: &Incoming<'_>,
        writer: &mut Writer<'_>,
    ) -> Result<bool, Error> {
        let now = self.now();
        if self.node.session(now).is_some() {
            return put_code(ResponseCode::Isss, writer);
        }
        let granted_s = granted_idle_timeout_s(logon.idle_timeout_s);
        let idle = Duration::from_secs(u64::from(granted_s));
        let (authentication, user_id) = (incoming.authentication, logon.user_id);
        self.node
            .open_session(Session::new(authentication, user_id, idle, now));
        self.rights = Rights::new(incoming.mode).of_user(logon.user_id);
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            writer.u16(granted_s)
        })?;
        Ok(true)
    }

    /// Takes the key of a group: from a master, in a message that nobody else can read.
    fn join(&mut self, write: &Write<'_>, mode: Mode) -> ResponseCode {
        if mode != Mode::Encrypted || !self.rights.is_privileged_as(Groups::MASTER) {
            return ResponseCode::Isc;
        }
        if !matches!(write.selector, Selector::Full | Selector::Offset(0, _)) {
            return ResponseCode::Onp;
        }
        match GroupKey::parse(write.data) {
            Ok(key) => {
                self.joined = Some(key);
                ResponseCode::Ok
            }
            Err(_) => ResponseCode::Onp,
        }
    }

    fn close(&mut self) -> ResponseCode {
        let now = self.now();
        done_if(self.node.close_session(now))
    }

    /// Resolve and Trace of this meter itself, which is the end of any way.
    ///
    /// A native address of no octets says what it says in a registration: the one that the message
    /// comes from. No relay lies behind an end device.
    fn locate(
        &self,
        title: &ApTitle<'_>,
        resolve: bool,
        writer: &mut Writer<'_>,
    ) -> Result<bool, Error> {
        let root = &crate::c1222::aptitle::NETWORK_ROOT;
        if !title.same(&self.node.local().get(), root) {
            return put_code(ResponseCode::Uat, writer);
        }
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            if resolve { writer.u8(0) } else { Ok(()) }
        })?;
        Ok(true)
    }
}

const fn done_if(open: bool) -> ResponseCode {
    if open {
        ResponseCode::Ok
    } else {
        ResponseCode::Isss
    }
}

fn put_code(code: ResponseCode, writer: &mut Writer<'_>) -> Result<bool, Error> {
    put_service(writer, |writer| Response::of(code).emit(writer))?;
    Ok(code == ResponseCode::Ok)
}
