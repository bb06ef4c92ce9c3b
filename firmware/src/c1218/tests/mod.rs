//! Both ends of an optical port on a line that takes its time and makes mistakes.

mod hostile;
mod properties;
mod sessions;

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use super::service::{Negotiate, Request};
use super::*;
use crate::c1219::access::Groups;
use crate::c1222::service::{
    Logon, Password, Read, Request as Service, Response, ResponseCode, Selector, TableId, Write,
    put_read_data,
};
use crate::time::{Duration, Instant, earlier};
use crate::wire::{Error, Writer};

/// Tables: everybody may read, whoever knows the password may write table 54.
#[derive(Default)]
struct Memory {
    contents: BTreeMap<u16, Vec<u8>>,
    trusted: bool,
    writes: usize,
    reads: usize,
}

impl Memory {
    fn new() -> Self {
        let mut memory = Self::default();
        memory
            .contents
            .insert(1, b"TOSHSH2E1   \x01\0\x02\x03".to_vec());
        let profile = (0..2_000_u16).map(|octet| octet as u8).collect();
        memory.contents.insert(64, profile);
        memory.contents.insert(54, vec![0; 30]);
        memory
    }

    fn read(&mut self, read: &Read<'_>) -> Result<Vec<u8>, ResponseCode> {
        self.reads += 1;
        let table = self.contents.get(&read.table.0);
        let table = table.ok_or(ResponseCode::Iar)?;
        match read.selector {
            Selector::Offset(offset, count) => {
                let start = offset as usize;
                let part = table.get(start..start + usize::from(count));
                part.map(<[u8]>::to_vec).ok_or(ResponseCode::Onp)
            }
            _ => Ok(table.clone()),
        }
    }

    fn write(&mut self, write: &Write<'_>) -> ResponseCode {
        match self.contents.get_mut(&write.table.0) {
            None => ResponseCode::Iar,
            Some(_) if !self.trusted || write.table.0 != 54 => ResponseCode::Isc,
            Some(table) => {
                self.writes += 1;
                *table = write.data.to_vec();
                ResponseCode::Ok
            }
        }
    }
}

impl Tables for Memory {
    fn begin(&mut self, _: u16) {
        self.trusted = false;
    }

    fn serve(&mut self, request: &Service<'_>, response: &mut Writer<'_>) -> Result<(), Error> {
        let code = match request {
            Service::Read(read) => match self.read(read) {
                Ok(data) => {
                    Response::OK.emit(response)?;
                    return put_read_data(response, &data);
                }
                Err(code) => code,
            },
            Service::Write(write) => self.write(write),
            Service::Security(password) if *password == Password::new(b"MASTER", None) => {
                self.trusted = true;
                ResponseCode::Ok
            }
            _ => ResponseCode::Isc,
        };
        Response::of(code).emit(response)
    }

    fn groups(&self) -> Groups {
        Groups(if self.trusted { 0x09 } else { 0x01 })
    }
}

/// What the line does to octets; told their number in order.
type Mistake = std::boxed::Box<dyn FnMut(usize, &mut Vec<u8>)>;

struct Rig {
    client: Client,
    server: Server,
    memory: Memory,
    now: Instant,
    /// Octets on the line: when they arrive, and whether at the meter.
    line: Vec<(Instant, bool, Vec<u8>)>,
    /// When each direction has nothing more to carry.
    free_at: [Instant; 2],
    mistake: Mistake,
    transmissions: usize,
    answers: Vec<ClientEvent>,
    events: Vec<ServerEvent>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Policy::default())
    }

    fn with(policy: Policy) -> Self {
        Self {
            client: Client::new(policy.timing),
            server: Server::new(policy),
            memory: Memory::new(),
            now: Instant::ZERO,
            line: Vec::new(),
            free_at: [Instant::ZERO; 2],
            mistake: std::boxed::Box::new(|_, _| {}),
            transmissions: 0,
            answers: Vec::new(),
            events: Vec::new(),
        }
    }

    fn put_on_line(&mut self, sent: Transmit, to_meter: bool) {
        let free_at = &mut self.free_at[usize::from(to_meter)];
        *free_at = self.now.max(*free_at) + sent.duration();
        let arrival = *free_at;
        let mut octets = sent.octets;
        (self.mistake)(self.transmissions, &mut octets);
        self.transmissions += 1;
        self.line.push((arrival, to_meter, octets));
    }

    fn drain(&mut self) {
        while let Some(sent) = self.client.poll_transmit(self.now) {
            self.put_on_line(sent, true);
        }
        while let Some(sent) = self.server.poll_transmit(self.now) {
            self.put_on_line(sent, false);
        }
        self.answers
            .extend(std::iter::from_fn(|| self.client.poll_event()));
        self.events
            .extend(std::iter::from_fn(|| self.server.poll_event()));
    }

    /// Advances to the next thing that happens before `until`; `false` if nothing does.
    fn step(&mut self, until: Instant) -> bool {
        self.drain();
        let arrival = self.line.iter().map(|(at, _, _)| *at).min();
        let timers = earlier(self.client.poll_timeout(), self.server.poll_timeout());
        let Some(next) = earlier(arrival, timers).filter(|next| *next <= until) else {
            return false;
        };
        self.now = self.now.max(next);
        let arrived = self.line.iter().position(|(at, _, _)| *at <= self.now);
        match arrived.map(|index| self.line.remove(index)) {
            Some((_, true, octets)) => {
                self.server
                    .handle_octets(&octets, &mut self.memory, self.now);
            }
            Some((_, false, octets)) => self.client.handle_octets(&octets, self.now),
            None => {
                self.client.handle_timeout(self.now);
                self.server.handle_timeout(&mut self.memory, self.now);
            }
        }
        self.drain();
        true
    }

    fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
        self.now = until;
    }

    /// Asks and waits for the response; `None` if the request fails.
    fn ask(&mut self, request: &Request<'_>) -> Option<Vec<u8>> {
        let seen = self.answers.len();
        self.client.request(request, self.now).unwrap();
        for _ in 0..2_000 {
            self.step(Instant::FAR_FUTURE);
            let answer = self.answers[seen..].iter().find_map(|event| match event {
                ClientEvent::Response(response) => Some(Some(response.clone())),
                ClientEvent::Failed => Some(None),
                ClientEvent::Rejected(_) => None,
            });
            if let Some(answer) = answer {
                // The acknowledgement of the response still has to arrive.
                while !self.line.is_empty() {
                    self.step(Instant::FAR_FUTURE);
                }
                return answer;
            }
        }
        panic!("a request neither succeeds nor fails");
    }

    fn common(&mut self, request: Service<'_>) -> Vec<u8> {
        self.ask(&Request::Common(request)).unwrap()
    }

    /// Identification, Negotiate and Logon.
    fn log_on(&mut self) {
        assert_eq!(self.common(Service::Identification), [0, 0, 1, 0, 0]);
        let offer = Request::Negotiate(Negotiate {
            packet_size: 256,
            packets: 16,
            bauds: &[6, 8],
        });
        assert_eq!(self.ask(&offer).unwrap(), [0, 1, 0, 16, 8]);
        assert_eq!(self.common(logon()), [0]);
    }

    fn rejected(&self, why: Reject) -> usize {
        let wanted = ServerEvent::Rejected(why);
        self.events.iter().filter(|event| **event == wanted).count()
    }

    fn contacts(&self) -> Vec<Contact> {
        let ended = |event: &ServerEvent| match event {
            ServerEvent::Ended(contact) => Some(*contact),
            _ => None,
        };
        self.events.iter().filter_map(ended).collect()
    }
}

fn logon() -> Service<'static> {
    Service::Logon(Logon {
        user_id: 2,
        user: *b"READER    ",
        idle_timeout_s: None,
    })
}

fn security(password: &[u8]) -> Service<'static> {
    Service::Security(Password::new(password, None))
}

fn read(table: u16) -> Service<'static> {
    Service::Read(Read {
        table: TableId(table),
        selector: Selector::Full,
    })
}

fn write(table: u16, data: &[u8]) -> Service<'_> {
    Service::Write(Write {
        table: TableId(table),
        selector: Selector::Full,
        data,
    })
}

fn message(request: &Request<'_>) -> Vec<u8> {
    let mut buffer = [0xA5; 600];
    let mut writer = Writer::new(&mut buffer);
    request.emit(&mut writer).unwrap();
    writer.written().to_vec()
}

/// A single packet with a message.
fn packet(toggle: bool, data: &[u8]) -> Vec<u8> {
    let packet = Packet {
        identity: 0,
        control: packet::Control {
            toggle,
            ..packet::Control::default()
        },
        sequence: 0,
        data,
    };
    let mut octets = vec![0xA5; packet.len()];
    packet.emit(&mut Writer::new(&mut octets)).unwrap();
    octets
}
