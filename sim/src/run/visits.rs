//! What visits to optical ports leave in meters, read from the meters themselves.

use std::sync::Arc;

use firmware::c1218::service::Request;
use firmware::c1218::{Client, ClientEvent, Timing};
use firmware::c1222::service::{
    Blocks, Logon, Read, Request as Service, Response, ResponseCode, Selector, TableId,
};
use firmware::crypto::Work;
use firmware::meter::Meter;
use firmware::{Env, Instant};
use models::context::Exchange;
use models::datagram::Datagram;
use models::domain::Domain;
use models::event::Event;
use models::fleet::Partition;
use models::rng::{Purpose, Stream};
use models::time::{Duration, Time};

use crate::engine::TimingWheel;
use crate::scenario::load_text;

const HOMES: &str = r#"Scenario(
    name: "homes",
    duration: "1h",
    cohorts: [(name: "homes", count: 4, medium: "wan", clock_drift: Fixed("0ppm"))],
    media: {"wan": Wan()},
    optical: (passwords: [(password: "INSTALL", access: Installer)]),
    timeline: [(at: "10min", action: FieldService(
        cohort: "homes", fraction: "60%", errand: Install(identification: "H-{n:04}"),
        per_visit: "1min", travel: Fixed("1min"), password: "INSTALL", user_id: 31,
    ))],
)"#;

struct Alone;

impl Exchange for Alone {
    type Stop = ();

    fn charge(&mut self, _: &Event, _: u64) -> Result<(), ()> {
        Ok(())
    }

    fn send(&mut self, _: Time, _: usize, _: Event, _: Datagram) -> Result<(), ()> {
        Err(())
    }
}

/// The first 20 octets of a table, read through the optical port on a line that takes no time.
fn table(image: &mut Meter, number: u16, now: Instant) -> Vec<u8> {
    let mut client = Client::new(Timing::default());
    let mut entropy = Stream::new(0, 0, Purpose::OpticalLine);
    let logon = Logon {
        user_id: 1,
        user: [b' '; 10],
        idle_timeout_s: None,
    };
    let read = Read {
        table: TableId(number),
        selector: Selector::Offset(0, 20),
    };
    let mut last = Vec::new();
    for request in [
        Service::Identification,
        Service::Logon(logon),
        Service::Read(read),
        Service::Terminate,
    ] {
        client.request(&Request::Common(request), now).unwrap();
        let mut answer = None;
        while answer.is_none() {
            while let Some(sent) = client.poll_transmit(now) {
                let mut work = Work::NONE;
                let mut env = Env::new(now, &mut entropy, &mut work);
                image.handle_optical(&sent.octets, now.as_secs() as u32, &mut env);
            }
            while let Some(sent) = image.poll_optical(now) {
                client.handle_octets(&sent.octets, now);
            }
            answer = client.poll_event();
        }
        let Some(ClientEvent::Response(message)) = answer else {
            panic!("{answer:?}");
        };
        let response = Response::parse(&message).unwrap();
        assert_eq!(response.code, ResponseCode::Ok, "{request:?}");
        if matches!(request, Service::Read(_)) {
            last = Blocks::new(response.data).single().unwrap().to_vec();
        }
        // The acknowledgement of the response.
        while let Some(sent) = client.poll_transmit(now) {
            let mut work = Work::NONE;
            let mut env = Env::new(now, &mut entropy, &mut work);
            image.handle_optical(&sent.octets, now.as_secs() as u32, &mut env);
        }
    }
    last
}

/// ST5 and the head of ST76, with the number of its entries, of every meter after a run.
fn tables(sets: &[&str]) -> Vec<[Vec<u8>; 2]> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let loaded = load_text("homes.ron", HOMES, &sets).unwrap();
    let fleet = Arc::new(super::fleet(&loaded.scenario, Partition::ByInstance));
    let mut domain = Domain::new(fleet, 0, TimingWheel::new());
    let end = Time::ZERO + Duration::from_secs(3_600);
    domain.run(end, &mut Alone).unwrap();
    let mut found = Vec::new();
    domain.for_each_meter(|mut meter, _| {
        let now = Instant::from_nanos(end.as_nanos());
        let image = &mut meter.firmware.image;
        found.push([5, 76].map(|number| table(image, number, now)));
    });
    found
}

#[test]
fn a_table_that_was_written_has_changed_and_no_other() {
    let untouched = tables(&["timeline=[]"]);
    let installed = tables(&[]);
    let mut changed = 0;
    for (number, (after, before)) in installed.iter().zip(&untouched).enumerate() {
        if after == before {
            continue;
        }
        changed += 1;
        let expected = format!("{:20}", format!("H-{number:04}"));
        assert_eq!(after[0], expected.as_bytes());
        assert_ne!(after[1], before[1], "the log tells of the write");
    }
    assert!((1..4).contains(&changed), "{changed} of four were visited");
}

#[test]
fn without_rights_nothing_is_altered() {
    let untouched = tables(&["timeline=[]"]);
    let as_guest = tables(&["timeline[0].action.password=\"\""]);
    for (after, before) in as_guest.iter().zip(&untouched) {
        assert_eq!(after[0], before[0]);
    }
}
