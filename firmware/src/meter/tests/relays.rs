//! A C12.22 relay between the meter and the head-end: what the head-end learns, and from whom.

use std::vec;

use super::*;
use crate::c1222::acse::Header;
use crate::c1222::apdu::{self, Apdu};
use crate::c1222::epsem::{Control, ResponseControl, put_service};
use crate::c1222::relay::{self, Relay};
use crate::c1222::service::{Request, Response, ResponseCode, TableId, Trace, resolved};
use crate::headend::{Call, Class, Message, Part, Persistence, RequestOrder, RequestOutcome, Task};

const RELAY: &str = "10.1.0.1:1153";
const AT_RELAY: &str = ".9.1";
const HEADEND: &str = "10.2.0.1:1153";
const METER_C1222: &str = "10.0.0.1:1153";

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn relay() -> Relay {
    Relay::new(relay::Config {
        title: AT_RELAY.parse().unwrap(),
        address: socket(RELAY),
        upstream: socket(HEADEND),
        route_lifetime: Duration::from_secs(3_600),
        nodes_max: 10,
    })
}

/// A meter behind a relay.
struct Behind {
    pair: Pair,
    relay: Relay,
    /// Where C12.22 of the head-end has gone, in order.
    sent_to: Vec<SocketAddr>,
    /// What the head-end has refused to take from the relay.
    refused: Vec<Reject>,
}

impl Behind {
    fn new(adapt: impl FnOnce(&mut headend::Config)) -> Self {
        let switch = SwitchPolicy::default();
        let mut pair = Pair::with_software([7; 16], switch, |_| {}, adapt);
        let title = AT_RELAY.parse().unwrap();
        pair.headend.add_relay(title, socket(RELAY));
        Self {
            pair,
            relay: relay(),
            sent_to: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// With power and a session in PANA, registered.
    fn in_session() -> Self {
        let mut behind = Self::new(|_| {});
        behind
            .pair
            .meter(|meter, utc, env| meter.power_on(utc, env));
        behind.exchange();
        behind
    }

    fn way(&self) -> Option<SocketAddr> {
        self.pair.headend.way_of(0)
    }

    /// Hands a datagram to the relay and what comes of it to whom it is for.
    fn through_relay(&mut self, source: SocketAddr, octets: &[u8]) {
        let now = self.pair.now;
        let _ = self.relay.handle_datagram(source, octets, now);
        let mut buffer = [0; 2_048];
        while let Some((to, len)) = self.relay.poll_transmit(&mut buffer) {
            let octets = &mut buffer[..len];
            if to == socket(HEADEND) {
                let result = self.tell_headend(socket(RELAY), octets);
                self.refused.extend(result.err());
            } else {
                assert_eq!(to, socket(METER_C1222));
                self.tell_meter(Channel::C1222, octets);
            }
        }
    }

    fn tell_headend(&mut self, source: SocketAddr, octets: &mut [u8]) -> Result<(), Reject> {
        let Pair {
            headend, now, rng, ..
        } = &mut self.pair;
        let mut work = Work::default();
        let utc = UTC + now.as_secs() as u32;
        let mut env = Env::new(*now, rng, &mut work);
        headend.handle_datagram(Channel::C1222, source, octets, utc, &mut env)
    }

    fn tell_meter(&mut self, channel: Channel, octets: &mut [u8]) {
        self.pair.meter(|meter, utc, env| {
            let taken = meter.handle_datagram(channel, octets, utc, env);
            taken.expect("the meter accepts");
        });
    }

    /// Exchanges datagrams until nobody has anything to say.
    fn exchange(&mut self) {
        let mut buffer = [0; 2_048];
        loop {
            while self.pair.meter.poll_event().is_some() {}
            if let Some(sent) = self.pair.meter.poll_transmit(&mut buffer) {
                let octets = &mut buffer[..sent.len];
                match sent.channel {
                    Channel::Pana => self.pair.up(sent.channel, octets).expect("accepted"),
                    Channel::C1222 => self.through_relay(socket(METER_C1222), octets),
                }
                continue;
            }
            while let Some((_, event)) = self.pair.headend.poll_event() {
                self.pair.headend_events.push(event);
            }
            let Some(sent) = self.pair.headend.poll_transmit(&mut buffer) else {
                break;
            };
            let octets = &mut buffer[..sent.len];
            if sent.channel == Channel::C1222 {
                self.sent_to.push(sent.destination);
            }
            if sent.destination == socket(RELAY) {
                self.through_relay(socket(HEADEND), octets);
            } else {
                assert_eq!(sent.destination.ip(), socket(METER).ip());
                self.tell_meter(sent.channel, octets);
            }
        }
    }

    /// Has the head-end ask the meter for something; returns how that has ended after a minute.
    fn ask(&mut self, call: Call) -> Option<RequestOutcome> {
        let persistence = Persistence {
            attempts: 3,
            timeout: Duration::from_secs(10),
            pause: Duration::from_secs(5),
            factor: 1,
            deadline: Duration::from_secs(600),
        };
        let task = Task {
            class: Class::Control,
            messages: vec![Message::new(vec![call])],
            profile: None,
            image: None,
            tolerant: false,
            persistence,
        };
        let order = RequestOrder {
            rank: 0,
            plan: 0,
            due: self.pair.now,
        };
        self.pair.headend.request(order, &Arc::new(task));
        for _ in 0..60 {
            let utc = UTC + self.pair.now.as_secs() as u32;
            while let Some((rank, _)) = self.pair.headend.next_command(self.pair.now) {
                let Pair {
                    headend, now, rng, ..
                } = &mut self.pair;
                let mut work = Work::default();
                let mut env = Env::new(*now, rng, &mut work);
                headend.proceed_command(rank, utc, &mut env);
                self.exchange();
            }
            self.pair.now += Duration::from_secs(1);
        }
        let outcome = |event: &HeadendEvent| match event {
            HeadendEvent::Request(report) => Some(report.outcome),
            _ => None,
        };
        self.pair.headend_events.iter().rev().find_map(outcome)
    }

    fn read(&mut self) -> Option<RequestOutcome> {
        self.ask(Call::Read(TableId::standard(1), Part::Full))
    }

    /// The meter reports an interval.
    fn report(&mut self) {
        let interval = Interval {
            end_utc_s: UTC + 900,
            watt_hours: 1,
            status: 0,
        };
        self.pair.meter(|meter, utc, env| {
            meter.close_interval(interval);
            meter.report(utc, env);
        });
        self.exchange();
    }
}

/// A message in clear for the head-end.
fn clear(
    calling: &str,
    answers: Option<u32>,
    put: &dyn Fn(&mut crate::wire::Writer<'_>),
) -> Vec<u8> {
    let (called, calling): (Title, Title) = (".2.1".parse().unwrap(), calling.parse().unwrap());
    let header = Header {
        called: Some(called.get()),
        called_invocation: answers,
        calling: Some(calling.get()),
        invocation: 77,
        ..Header::default()
    };
    let mut out = vec![0; 256];
    let control = Control::new(Mode::Clear, ResponseControl::Always);
    let services = |writer: &mut crate::wire::Writer<'_>| {
        put(writer);
        Ok(())
    };
    let work = &mut Work::default();
    let len = apdu::build(&header, control, None, None, &mut out, services, work).unwrap();
    out.truncate(len);
    out
}

fn asking(calling: &str, request: Request<'_>) -> Vec<u8> {
    clear(calling, None, &|writer| {
        put_service(writer, |writer| request.emit(writer)).unwrap();
    })
}

#[test]
fn the_way_is_learnt_from_the_registration_and_taken_by_requests() {
    let mut behind = Behind::in_session();
    assert_eq!(behind.way(), Some(socket(RELAY)));
    behind.sent_to.clear();
    assert_eq!(behind.read(), Some(RequestOutcome::Answered));
    assert_eq!(behind.sent_to, [socket(RELAY)]);
    // What lies between them, the relay knows: it is asked as well.
    assert_eq!(behind.ask(Call::Trace), Some(RequestOutcome::Answered));
    assert_eq!(behind.sent_to, [socket(RELAY); 3]);
    assert_eq!(behind.way(), Some(socket(RELAY)), "it traces the way");
    assert!(behind.refused.is_empty(), "{:?}", behind.refused);
    // Who logs out is nowhere.
    behind.pair.meter(|meter, _, env| meter.terminate(env));
    behind.exchange();
    assert_eq!(behind.way(), None);
}

#[test]
fn a_meter_that_speaks_for_itself_is_not_behind_a_relay_any_more() {
    let mut behind = Behind::in_session();
    behind.pair.meter(|meter, utc, env| {
        meter.close_interval(Interval {
            end_utc_s: UTC + 900,
            watt_hours: 1,
            status: 0,
        });
        meter.report(utc, env);
    });
    let mut buffer = [0; 2_048];
    let sent = behind.pair.meter.poll_transmit(&mut buffer).unwrap();
    behind
        .tell_headend(socket(METER_C1222), &mut buffer[..sent.len])
        .unwrap();
    assert_eq!(behind.way(), None);
    behind.exchange();
    assert_eq!(behind.pair.delivered().len(), 1);
}

#[test]
fn nobody_moves_the_way_of_another_or_gets_in_without_a_session() {
    let mut behind = Behind::new(|_| {});
    // The relay is known, the meter has no session: PANA first.
    let early = asking(".1.1", Request::Identification);
    assert_eq!(
        behind.tell_headend(socket(RELAY), &mut early.clone()),
        Err(Reject::AccessClosed)
    );
    behind
        .pair
        .meter(|meter, utc, env| meter.power_on(utc, env));
    behind.exchange();
    // What is accepted in clear moves nothing, neither at this relay nor at another.
    let title: Title = ".9.2".parse().unwrap();
    let other = socket("10.1.0.2:1153");
    behind.pair.headend.add_relay(title, other);
    behind.tell_headend(other, &mut early.clone()).unwrap();
    assert_eq!(behind.way(), Some(socket(RELAY)));
    // Nor does what is not authentic.
    behind.pair.meter(|meter, utc, env| meter.report(utc, env));
    behind.report();
    let secured = |behind: &mut Behind| {
        behind.pair.meter(|meter, utc, env| {
            meter.close_interval(Interval {
                end_utc_s: UTC + 1_800,
                watt_hours: 1,
                status: 0,
            });
            meter.report(utc, env);
        });
        let mut buffer = vec![0; 2_048];
        let sent = behind.pair.meter.poll_transmit(&mut buffer).unwrap();
        buffer.truncate(sent.len);
        buffer
    };
    let mut altered = secured(&mut behind);
    *altered.last_mut().unwrap() ^= 1;
    let refused = behind.tell_headend(other, &mut altered);
    assert_eq!(refused, Err(Reject::C1222(crate::c1222::Reject::BadMac)));
    assert_eq!(behind.way(), Some(socket(RELAY)));
    // And who has no relay's address is no relay.
    let mut stranger = asking(".1.1", Request::Identification);
    assert_eq!(
        behind.tell_headend(socket("10.9.9.9:1153"), &mut stranger),
        Err(Reject::AccessClosed)
    );
}

#[test]
fn a_relay_that_has_forgotten_is_passed_by_until_the_meter_asks_again() {
    let mut behind = Behind::in_session();
    behind.relay = relay();
    behind.sent_to.clear();
    assert_eq!(behind.read(), Some(RequestOutcome::Answered));
    assert_eq!(behind.refused, [Reject::Relay(ResponseCode::Uat)]);
    // The request, the Trace that finds out who is meant, and the request again.
    let (relay, meter) = (socket(RELAY), socket(METER_C1222));
    assert_eq!(behind.sent_to, [relay, relay, meter]);
    let report = behind
        .pair
        .headend_events
        .iter()
        .find_map(|event| match event {
            HeadendEvent::Request(report) => Some(*report),
            _ => None,
        });
    let report = report.unwrap();
    // It has not waited for a time-out.
    assert_eq!(report.ended, report.issued.unwrap());
    assert_eq!((report.transmissions, report.repetitions), (2, 1));
    assert_eq!(behind.way(), None);
    behind.report();
    assert_eq!(behind.way(), Some(relay));
    assert_eq!(behind.read(), Some(RequestOutcome::Answered));
    assert_eq!(behind.refused.len(), 1);
}

#[test]
fn errors_of_a_relay_prove_nothing() {
    let mut behind = Behind::in_session();
    // A relay that knows the way denies it: somebody else has said so in its name.
    let mut forged = clear(AT_RELAY, Some(0), &|writer| {
        let uat = Response::of(ResponseCode::Uat);
        put_service(writer, |writer| uat.emit(writer)).unwrap();
    });
    let told = behind.tell_headend(socket(RELAY), &mut forged);
    assert_eq!(told, Err(Reject::Relay(ResponseCode::Uat)));
    behind.exchange();
    assert_eq!(behind.way(), Some(socket(RELAY)));
    let mut unasked = clear(AT_RELAY, Some(1 << 31), &|writer| {
        put_service(writer, |writer| Response::OK.emit(writer)).unwrap();
    });
    let told = behind.tell_headend(socket(RELAY), &mut unasked);
    let unexpected = crate::c1222::Reject::UnexpectedResponse;
    assert_eq!(told, Err(Reject::C1222(unexpected)));
}

#[test]
fn the_head_end_names_itself_and_the_relay_in_this_order() {
    let mut behind = Behind::new(|software| software.mode_min = Mode::Clear);
    behind
        .pair
        .meter(|meter, utc, env| meter.power_on(utc, env));
    behind.exchange();
    let title: Title = ".1.1".parse().unwrap();
    let mut buffer = [0; 2_048];
    let mut answer = |request: Request<'_>| -> Vec<u8> {
        let mut asked = asking(".1.1", request);
        behind.tell_headend(socket(RELAY), &mut asked).unwrap();
        let sent = behind.pair.headend.poll_transmit(&mut buffer).unwrap();
        assert_eq!(sent.destination, socket(RELAY));
        let apdu = Apdu::parse(&buffer[..sent.len]).unwrap();
        let payload = apdu.payload().unwrap();
        let service = payload.services().next().unwrap().unwrap();
        service.to_vec()
    };
    let traced = answer(Request::Trace(title.get()));
    assert_eq!(traced, [0, 0x80, 2, 2, 1, 0x80, 2, 9, 1]);
    assert_eq!(Trace::new(&traced[1..]).count(), 2);
    let found = answer(Request::Resolve(title.get()));
    let native = [10, 1, 0, 1, 0x04, 0x81, 0x11];
    assert_eq!(resolved(&found[1..]), Ok(&native[..]));
}
