//! Somebody at the optical port, while the head-end is at work as well.

mod hostile;

use alloc::vec;

use super::*;
use crate::c1218::service::Request as Line;
use crate::c1218::{Client, ClientEvent, Ending, ServerEvent, Timing};
use crate::c1219::procedure::{Initiate, Outcome, ResultCode};
use crate::c1219::switch::{self, SwitchAction, SwitchCommand};
use crate::c1222::service::{
    Blocks, Logon, Password as Key, Read, Request, Response, Selector, TableId, Write,
};
use crate::headend::CommandOutcome;
use crate::wire::Writer;

/// A technician with his program.
pub(super) struct Technician {
    client: Client,
    answers: Vec<ClientEvent>,
    events: Vec<ServerEvent>,
}

impl Technician {
    pub(super) fn new() -> Self {
        Self {
            client: Client::new(Timing::default()),
            answers: vec![],
            events: vec![],
        }
    }

    /// Carries octets to and fro until nobody has anything to say; the line takes no time.
    pub(super) fn converse(&mut self, pair: &mut Pair) {
        loop {
            let now = pair.now;
            let mut up = vec![];
            while let Some(sent) = self.client.poll_transmit(now) {
                up.extend(sent.octets);
            }
            if !up.is_empty() {
                pair.meter(|meter, utc, env| meter.handle_optical(&up, utc, env));
            }
            let mut down = vec![];
            while let Some(sent) = pair.meter.poll_optical(now) {
                down.extend(sent.octets);
            }
            self.client.handle_octets(&down, now);
            self.answers
                .extend(core::iter::from_fn(|| self.client.poll_event()));
            self.events
                .extend(core::iter::from_fn(|| pair.meter.poll_optical_event()));
            if up.is_empty() && down.is_empty() {
                break;
            }
        }
    }

    pub(super) fn ask(&mut self, pair: &mut Pair, request: Request<'_>) -> Vec<u8> {
        self.client
            .request(&Line::Common(request), pair.now)
            .unwrap();
        self.converse(pair);
        match self.answers.pop() {
            Some(ClientEvent::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn log_on(&mut self, pair: &mut Pair) {
        self.ask(pair, Request::Identification);
        let logon = Logon {
            user_id: 17,
            user: *b"FIELD     ",
            idle_timeout_s: None,
        };
        assert_eq!(self.ask(pair, Request::Logon(logon)), [0]);
    }

    pub(super) fn read(&mut self, pair: &mut Pair, table: u16) -> Vec<u8> {
        let read = Read {
            table: TableId(table),
            selector: Selector::Full,
        };
        self.ask(pair, Request::Read(read))
    }

    pub(super) fn switch(
        &mut self,
        pair: &mut Pair,
        action: SwitchAction,
        sequence: u8,
    ) -> Vec<u8> {
        let command = SwitchCommand::of(action, 0);
        let initiate = Initiate {
            procedure: switch::PROCEDURE,
            sequence,
            parameters: &command.octets(),
        };
        let mut table = [0; 32];
        let mut writer = Writer::new(&mut table);
        initiate.emit(&mut writer).unwrap();
        let write = Write {
            table: TableId(7),
            selector: Selector::Full,
            data: writer.written(),
        };
        self.ask(pair, Request::Write(write))
    }
}

pub(super) fn secured() -> Request<'static> {
    Request::Security(Key::new(b"MASTER", None))
}

#[test]
fn tables_are_read_without_any_network() {
    let mut pair = Pair::new([7; 16]);
    let mut technician = Technician::new();
    technician.log_on(&mut pair);
    let response = technician.read(&mut pair, 1);
    let response = Response::parse(&response).unwrap();
    let table = Blocks::new(response.data).single().unwrap();
    assert_eq!(&table[..12], b"TOSHSH2E1   ");
    assert_eq!(technician.read(&mut pair, 999), [5]);
    let terminated = technician.ask(&mut pair, Request::Terminate);
    assert_eq!(terminated, [0]);
    let Some(ServerEvent::Ended(contact)) = technician.events.last() else {
        panic!("{:?}", technician.events);
    };
    assert_eq!(contact.ending, Ending::Terminated);
    assert_eq!(contact.user, Some((17, *b"FIELD     ")));
    assert_eq!(pair.meter.poll_timeout(), None);
}

#[test]
fn the_switch_obeys_whoever_knows_the_password() {
    let mut pair = Pair::new([7; 16]);
    let mut technician = Technician::new();
    technician.log_on(&mut pair);
    assert_eq!(technician.switch(&mut pair, SwitchAction::Open, 1), [3]);
    assert_eq!(technician.ask(&mut pair, secured()), [0]);
    assert_eq!(technician.switch(&mut pair, SwitchAction::Open, 2), [0]);
    let due = pair.meter.poll_timeout().unwrap();
    pair.now = due;
    pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
    let response = technician.read(&mut pair, 8);
    let response = Response::parse(&response).unwrap();
    let outcome = Outcome::parse(Blocks::new(response.data).single().unwrap()).unwrap();
    assert_eq!(
        (outcome.sequence, outcome.result),
        (2, ResultCode::Completed)
    );
    let response = technician.read(&mut pair, switch::TABLE.0);
    assert_eq!(response[3..5], [0, 2], "open, by the optical port");
}

/// The head-end hears that the meter is busy, and gets its way once the technician has left.
#[test]
fn the_network_does_not_write_while_a_technician_is_there() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    let mut technician = Technician::new();
    technician.log_on(&mut pair);
    assert_eq!(technician.ask(&mut pair, secured()), [0]);
    pair.order(SwitchAction::Open);
    assert!(pair.meter_events.iter().all(|event| !is_switch(event)));
    assert!(pair.outcomes().is_empty(), "the head-end tries again");
    assert_eq!(technician.ask(&mut pair, Request::Logoff), [0]);
    pair.after(Duration::from_secs(30));
    assert_eq!(pair.outcomes(), [CommandOutcome::Confirmed]);
    assert!(pair.meter_events.iter().any(is_switch));
}

#[test]
fn a_loss_of_power_ends_the_visit() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    let mut technician = Technician::new();
    technician.log_on(&mut pair);
    assert_eq!(technician.ask(&mut pair, secured()), [0]);
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    technician.converse(&mut pair);
    let ended = technician.events.iter().find_map(|event| match event {
        ServerEvent::Ended(contact) => Some(contact.ending),
        _ => None,
    });
    assert_eq!(ended, Some(Ending::PowerFailed));
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    technician.client = Client::new(Timing::default());
    assert_eq!(technician.read(&mut pair, 1), [0x0A], "the rights are gone");
}

/// A terminal tells that its line is gone: the next one finds a port that nobody has used.
#[test]
fn a_probe_that_is_taken_off_ends_the_visit() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    let mut technician = Technician::new();
    technician.log_on(&mut pair);
    assert_eq!(technician.ask(&mut pair, secured()), [0]);
    let now = pair.now;
    pair.meter.hang_up_optical(now);
    technician.converse(&mut pair);
    let Some(ServerEvent::Ended(contact)) = technician.events.last() else {
        panic!("{:?}", technician.events);
    };
    assert_eq!(contact.ending, Ending::Lost);
    let mut next = Technician::new();
    assert_eq!(next.read(&mut pair, 1), [0x0A], "nobody is logged on");
    next.log_on(&mut pair);
    assert_eq!(next.switch(&mut pair, SwitchAction::Open, 1), [3]);
    pair.order(SwitchAction::Open);
    assert!(
        pair.meter_events.iter().any(is_switch),
        "the network may write"
    );
}

fn is_switch(event: &MeterEvent) -> bool {
    matches!(event, MeterEvent::Switch(_))
}
