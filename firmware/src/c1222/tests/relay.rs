//! A relay between a meter and a head-end: what passes, what does not, and what it learns.

use core::net::SocketAddr;
use std::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::c1222::acse::Header;
use crate::c1222::apdu::{self, Apdu};
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::{Control, Mode, ResponseControl, put_service};
use crate::c1222::native::NativeAddress;
use crate::c1222::node::{self, Kind, Node, Options};
use crate::c1222::relay::{Config, Reject, Relay};
use crate::c1222::segment::Segmenter;
use crate::c1222::service::{
    ConnectionType, NodeType, Read, Register, Registered, Request, Response, ResponseCode,
    Selector, TableId, Trace, resolved,
};
use crate::crypto::{Secret, Work};
use crate::time::{Duration, Instant};
use crate::ukmf::{KeyStore, Policy, Role};
use crate::wire::Writer;
use crate::{Env, c1222};

const UTC: u32 = 1_768_435_200;
const RELAY: &str = ".9.1";
const METER: &str = ".1.1";
const HEADEND: &str = ".2.1";

fn upstream() -> SocketAddr {
    "10.0.0.1:1153".parse().unwrap()
}

fn below(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 1, 0, host], 1_153))
}

fn relay() -> Relay {
    Relay::new(Config {
        title: RELAY.parse().unwrap(),
        address: "10.1.0.1:1153".parse().unwrap(),
        upstream: upstream(),
        route_lifetime: Duration::from_secs(3_600),
        nodes_max: 3,
    })
}

/// The two ends, which share a key.
struct Ends {
    meter: (Node, KeyStore),
    headend: (Node, KeyStore),
    rng: ChaCha8Rng,
    work: Work,
}

impl Ends {
    fn new() -> Self {
        let (meter, headend): (Title, Title) = (METER.parse().unwrap(), HEADEND.parse().unwrap());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut work = Work::default();
        let mut env = Env::new(Instant::ZERO, &mut rng, &mut work);
        let [meter_keys, headend_keys] = [Role::Meter, Role::Server].map(|role| {
            let mut keys = KeyStore::new(role, Policy::default());
            let (emsk, hour) = (Secret::new([7; 64]), Duration::from_secs(3_600));
            keys.install(&emsk, &[0x2F; 33], 1, &[0x60, 0x02], hour, &mut env)
                .unwrap();
            keys.activate(1, &mut env);
            keys
        });
        Self {
            meter: (
                Node::new(meter, headend, node::Config::default()),
                meter_keys,
            ),
            headend: (
                Node::new(headend, meter, node::Config::default()),
                headend_keys,
            ),
            rng,
            work,
        }
    }

    /// A read of ST1, up or down.
    fn ask(&mut self, up: bool) -> Vec<u8> {
        let (node, keys) = if up {
            &mut self.meter
        } else {
            &mut self.headend
        };
        let read = Request::Read(Read {
            table: TableId::standard(1),
            selector: Selector::Full,
        });
        let options = Options {
            mode: Mode::Encrypted,
            ..Options::default()
        };
        let mut out = std::vec![0; 512];
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.work);
        let put = |writer: &mut Writer<'_>| put_service(writer, |writer| read.emit(writer));
        let sent = node
            .request(&options, keys, UTC, &mut out, put, &mut env)
            .unwrap();
        out.truncate(sent.len);
        out
    }

    /// The answer of the other end to a request that went `up`.
    fn answer(&mut self, up: bool, octets: &[u8]) -> Vec<u8> {
        let (node, keys) = if up {
            &mut self.headend
        } else {
            &mut self.meter
        };
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.work);
        let mut received = octets.to_vec();
        let incoming = node.receive(&mut received, keys, UTC, &mut env).unwrap();
        let Kind::Request(reply) = incoming.kind else {
            panic!("a request");
        };
        let mut out = std::vec![0; 512];
        let put = |writer: &mut Writer<'_>| {
            put_service(writer, |writer| {
                Response::of(ResponseCode::Iar).emit(writer)
            })
        };
        let sent = node
            .respond(&reply, keys, UTC, &mut out, put, &mut env)
            .unwrap();
        out.truncate(sent.len);
        out
    }

    fn accepts(&mut self, up: bool, octets: &[u8]) -> Result<(), c1222::Reject> {
        let (node, keys) = if up {
            &mut self.headend
        } else {
            &mut self.meter
        };
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.work);
        let mut received = octets.to_vec();
        node.receive(&mut received, keys, UTC, &mut env).map(|_| ())
    }
}

fn sent(relay: &mut Relay) -> Option<(SocketAddr, Vec<u8>)> {
    let mut out = [0; 2_048];
    let (to, len) = relay.poll_transmit(&mut out)?;
    Some((to, out[..len].to_vec()))
}

/// A message in clear.
fn clear(
    called: &str,
    calling: &str,
    answers: Option<u32>,
    services: impl FnOnce(&mut Writer<'_>) -> Result<(), crate::wire::Error>,
) -> Vec<u8> {
    let (called, calling): (Title, Title) = (called.parse().unwrap(), calling.parse().unwrap());
    let header = Header {
        called: Some(called.get()),
        called_invocation: answers,
        calling: Some(calling.get()),
        invocation: 5,
        ..Header::default()
    };
    let mut out = std::vec![0; 512];
    let control = Control::new(Mode::Clear, ResponseControl::Always);
    let work = &mut Work::default();
    let len = apdu::build(&header, control, None, None, &mut out, services, work).unwrap();
    out.truncate(len);
    out
}

fn request(called: &str, calling: &str, request: Request<'_>) -> Vec<u8> {
    clear(called, calling, None, |writer| {
        put_service(writer, |writer| request.emit(writer))
    })
}

/// The first response in a message.
fn response(octets: &[u8]) -> (ResponseCode, Vec<u8>) {
    let apdu = Apdu::parse(octets).unwrap();
    let payload = apdu.payload().unwrap();
    let response = Response::parse(payload.services().next().unwrap().unwrap()).unwrap();
    (response.code, response.data.to_vec())
}

/// A relay that has seen an exchange of the meter at 10.1.0.7.
fn acquainted(ends: &mut Ends) -> Relay {
    let mut relay = relay();
    let up = ends.ask(true);
    relay.handle_datagram(below(7), &up, Instant::ZERO).unwrap();
    assert_eq!(
        sent(&mut relay),
        Some((upstream(), up.clone())),
        "untouched"
    );
    let down = ends.answer(true, &up);
    relay
        .handle_datagram(upstream(), &down, Instant::ZERO)
        .unwrap();
    assert_eq!(
        sent(&mut relay),
        Some((below(7), down.clone())),
        "untouched"
    );
    ends.accepts(false, &down).expect("authentic end to end");
    relay
}

#[test]
fn secured_messages_pass_untouched_both_ways() {
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    let down = ends.ask(false);
    relay
        .handle_datagram(upstream(), &down, Instant::ZERO)
        .unwrap();
    let (to, octets) = sent(&mut relay).unwrap();
    assert_eq!((to, &octets), (below(7), &down));
    let up = ends.answer(false, &octets);
    relay.handle_datagram(below(7), &up, Instant::ZERO).unwrap();
    let (to, octets) = sent(&mut relay).unwrap();
    assert_eq!(to, upstream());
    ends.accepts(true, &octets).expect("authentic end to end");
    assert_eq!((relay.counts().forwarded, relay.counts().dropped), (4, 0));
}

#[test]
fn who_lies_about_his_title_moves_no_route() {
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    let title: Title = METER.parse().unwrap();
    let forged = request(HEADEND, METER, Request::Identification);
    relay
        .handle_datagram(below(66), &forged, Instant::ZERO)
        .unwrap();
    assert_eq!(sent(&mut relay).unwrap().0, upstream());
    assert_eq!(relay.route(title.get(), Instant::ZERO), Some(below(7)));
    let down = ends.ask(false);
    relay
        .handle_datagram(upstream(), &down, Instant::ZERO)
        .unwrap();
    assert_eq!(sent(&mut relay).unwrap().0, below(7));
    // Nobody who has only asked gets requests, either.
    let fresh = request(HEADEND, ".1.2", Request::Identification);
    relay
        .handle_datagram(below(66), &fresh, Instant::ZERO)
        .unwrap();
    sent(&mut relay).unwrap();
    let to_it = request(".1.2", HEADEND, Request::Identification);
    let refused = relay.handle_datagram(upstream(), &to_it, Instant::ZERO);
    assert_eq!(refused, Err(Reject::Unreachable));
}

#[test]
fn routes_end_and_errors_say_which_way() {
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    let down = ends.ask(false);
    let late = Instant::from_secs(3_600);
    assert_eq!(relay.routes(Instant::from_secs(3_599)), 1);
    assert_eq!(relay.poll_timeout(), Some(late));
    relay.handle_timeout(late);
    assert_eq!(relay.routes(late), 0);
    let refused = relay.handle_datagram(upstream(), &down, late);
    assert_eq!(refused, Err(Reject::Unreachable));
    let (to, error) = sent(&mut relay).unwrap();
    assert_eq!(to, upstream());
    assert_eq!(response(&error).0, ResponseCode::Netr);
    let header = *Apdu::parse(&error).unwrap().header();
    let asked = *Apdu::parse(&down).unwrap().header();
    assert_eq!(header.called_invocation, Some(asked.invocation));
    assert_eq!(header.calling, Some(RELAY.parse::<Title>().unwrap().get()));

    let stranger = request(".1.99", HEADEND, Request::Identification);
    let refused = relay.handle_datagram(upstream(), &stranger, late);
    assert_eq!(refused, Err(Reject::UnknownTitle));
    assert_eq!(response(&sent(&mut relay).unwrap().1).0, ResponseCode::Uat);
    // A response that nobody waits for is not answered.
    let stray = clear(".1.99", HEADEND, Some(1), |writer| {
        put_service(writer, |writer| Response::OK.emit(writer))
    });
    assert!(relay.handle_datagram(upstream(), &stray, late).is_err());
    assert_eq!(sent(&mut relay), None);
}

#[test]
fn registrations_in_clear_get_the_address_of_the_relay_and_their_period() {
    let mut relay = relay();
    let title: Title = METER.parse().unwrap();
    let register = Request::Register(Register {
        node_type: NodeType::END_DEVICE,
        connection_type: ConnectionType::CONNECTIONLESS,
        device_class: *b"SH2E",
        ap_title: title.get(),
        serial_number: title.get().content(),
        native_address: &[],
        period_s: 86_400,
        my_domain: None,
    });
    let up = request(HEADEND, METER, register);
    relay.handle_datagram(below(7), &up, Instant::ZERO).unwrap();
    let (_, octets) = sent(&mut relay).unwrap();
    let apdu = Apdu::parse(&octets).unwrap();
    assert!(apdu.control().is_proxied());
    let payload = apdu.payload().unwrap();
    let service = payload.services().next().unwrap().unwrap();
    let Ok(Request::Register(proxied)) = Request::parse(service) else {
        panic!("a registration");
    };
    let native = NativeAddress::parse(proxied.native_address).unwrap();
    assert_eq!(native.socket, "10.1.0.1:1153".parse().unwrap());
    assert_eq!(proxied.ap_title, title.get());

    let granted = Registered {
        ap_title: title.get(),
        delay_s: 0,
        period_s: 120,
        info: 0,
    };
    let down = clear(METER, HEADEND, Some(5), |writer| {
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            granted.emit(writer)
        })
    });
    relay
        .handle_datagram(upstream(), &down, Instant::ZERO)
        .unwrap();
    assert_eq!(sent(&mut relay).unwrap().0, below(7));
    assert_eq!(relay.routes(Instant::from_secs(119)), 1);
    assert_eq!(relay.routes(Instant::from_secs(120)), 0);

    // It leaves: the way ends when the head-end agrees.
    let leave = request(HEADEND, METER, Request::Deregister(title.get()));
    relay
        .handle_datagram(below(7), &leave, Instant::ZERO)
        .unwrap();
    sent(&mut relay).unwrap();
    assert_eq!(relay.routes(Instant::ZERO), 1);
    let agreed = clear(METER, HEADEND, Some(5), |writer| {
        put_service(writer, |writer| Response::OK.emit(writer))
    });
    relay
        .handle_datagram(upstream(), &agreed, Instant::ZERO)
        .unwrap();
    assert_eq!(sent(&mut relay).unwrap().0, below(7));
    assert_eq!(relay.routes(Instant::ZERO), 0);
}

#[test]
fn the_relay_tells_where_nodes_are_and_that_it_lies_between() {
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    let title: Title = METER.parse().unwrap();
    let unknown: Title = ".1.2".parse().unwrap();
    let mut ask = |asked: Request<'_>| {
        let octets = request(RELAY, HEADEND, asked);
        relay
            .handle_datagram(upstream(), &octets, Instant::ZERO)
            .unwrap();
        let (to, octets) = sent(&mut relay).unwrap();
        assert_eq!(to, upstream());
        response(&octets)
    };
    let (code, data) = ask(Request::Resolve(title.get()));
    assert_eq!(code, ResponseCode::Ok);
    let native = NativeAddress::parse(resolved(&data).unwrap()).unwrap();
    assert_eq!(native.socket, below(7));
    let (code, data) = ask(Request::Trace(title.get()));
    assert_eq!(code, ResponseCode::Ok);
    let relays: Vec<_> = Trace::new(&data).map(|title| title.unwrap()).collect();
    assert_eq!(relays, [RELAY.parse::<Title>().unwrap().get()]);
    assert_eq!(ask(Request::Trace(unknown.get())).0, ResponseCode::Uat);
    assert_eq!(ask(Request::Logoff).0, ResponseCode::Sns);
    assert_eq!(ask(Request::Identification).0, ResponseCode::Ok);
}

#[test]
fn nothing_goes_in_circles_and_memory_is_bounded() {
    let mut relay = relay();
    let own = request(HEADEND, RELAY, Request::Identification);
    let result = relay.handle_datagram(below(7), &own, Instant::ZERO);
    assert_eq!(result, Err(Reject::Loop));
    for host in 1..=3 {
        let title = std::format!(".1.{host}");
        let octets = request(HEADEND, &title, Request::Identification);
        relay
            .handle_datagram(below(host), &octets, Instant::ZERO)
            .unwrap();
    }
    let fourth = request(HEADEND, ".1.4", Request::Identification);
    let result = relay.handle_datagram(below(4), &fourth, Instant::ZERO);
    assert_eq!(result, Err(Reject::NodesFull));
    // Nobody has answered the others: their places are free after a while.
    let later = Instant::from_secs(61);
    relay.handle_datagram(below(4), &fourth, later).unwrap();
    while let Some((to, _)) = sent(&mut relay) {
        assert_eq!(to, upstream());
    }
}

#[test]
fn segments_take_the_same_way() {
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    for (source, destination, apdu) in [
        (below(7), upstream(), ends.ask(true)),
        (upstream(), below(7), ends.ask(false)),
    ] {
        let mut segmenter = Segmenter::new(&apdu, 20).unwrap();
        let mut out = [0; 256];
        let mut segments = 0;
        while let Some(len) = segmenter.next(&mut out).unwrap() {
            relay
                .handle_datagram(source, &out[..len], Instant::ZERO)
                .unwrap();
            assert_eq!(sent(&mut relay), Some((destination, out[..len].to_vec())));
            segments += 1;
        }
        assert!(segments > 2);
    }
}

/// Octets from text: what stands between a sign `|` and the end of its line is a remark.
fn octets(text: &str) -> Vec<u8> {
    let words = text.lines().flat_map(|line| {
        line.split('|')
            .next()
            .unwrap_or_default()
            .split_whitespace()
    });
    words
        .map(|word| u8::from_str_radix(word, 16).unwrap())
        .collect()
}

/// What the relay answers the head-end octet by octet, layouts as in IEEE 1703 and RFC 6142 §2.2.
#[test]
fn answers_of_the_relay_octet_by_octet() {
    const HEAD: &str = "
        A2 04 80 02 02 01           | called: .2.1, the head-end
        A4 03 02 01 05              | in response to 5
        A6 04 80 02 09 01           | calling: .9.1, the relay";
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    let [known, unknown]: [Title; 2] = [METER, ".1.99"].map(|title| title.parse().unwrap());
    for (invocation, asked, tail) in [
        (
            0,
            request(RELAY, HEADEND, Request::Resolve(known.get())),
            "BE 0F 28 0D 81 0B 80       | in clear
             09 00                      | ok
             07 0A 01 00 07 04 81 11    | 10.1.0.7, port 1153, UDP",
        ),
        (
            1,
            request(RELAY, HEADEND, Request::Trace(known.get())),
            "BE 0B 28 09 81 07 80
             05 00                      | ok
             80 02 09 01                | through .9.1",
        ),
        (
            2,
            request(RELAY, HEADEND, Request::Resolve(unknown.get())),
            "BE 07 28 05 81 03 80
             01 0C                      | uat",
        ),
        (
            3,
            request(".1.99", HEADEND, Request::Identification),
            "BE 07 28 05 81 03 80
             01 0C                      | uat",
        ),
    ] {
        let _ = relay.handle_datagram(upstream(), &asked, Instant::ZERO);
        let own = std::format!("A8 03 02 01 {invocation:02X}");
        let elements = octets(&std::format!("{HEAD}\n{own}\n{tail}"));
        let expected = [&[0x60, elements.len() as u8], &elements[..]].concat();
        assert_eq!(sent(&mut relay), Some((upstream(), expected)));
    }
}

#[test]
fn a_registration_with_proxy_service_used_octet_by_octet() {
    let mut relay = relay();
    let plain = octets(
        "60 2C
         A2 04 80 02 02 01          | called: .2.1
         A6 04 80 02 01 01          | calling: .1.1
         A8 03 02 01 05
         BE 19 28 17 81 15 80       | in clear
         13 27 20 30                | Register: end device, connectionless
         53 48 32 45                | device class
         80 02 01 01                | title .1.1
         06 02 01 01                | serial number
         00                         | no native address
         01 51 80                   | a day",
    );
    relay
        .handle_datagram(below(7), &plain, Instant::ZERO)
        .unwrap();
    let proxied = octets(
        "60 33
         A2 04 80 02 02 01
         A6 04 80 02 01 01
         A8 03 02 01 05
         BE 20 28 1E 81 1C A0       | PROXY_SERVICE_USED
         1A 27 20 30
         53 48 32 45
         80 02 01 01
         06 02 01 01
         07 0A 01 00 01 04 81 11    | 10.1.0.1, port 1153, UDP: the relay
         01 51 80",
    );
    assert_eq!(sent(&mut relay), Some((upstream(), proxied)));
}

#[test]
fn a_way_that_is_over_is_told_to_nobody() {
    let mut ends = Ends::new();
    let mut relay = acquainted(&mut ends);
    let title: Title = METER.parse().unwrap();
    // Nobody has told the relay to forget.
    let late = Instant::from_secs(3_600);
    for asked in [Request::Resolve(title.get()), Request::Trace(title.get())] {
        let asked = request(RELAY, HEADEND, asked);
        relay.handle_datagram(upstream(), &asked, late).unwrap();
        let (_, answer) = sent(&mut relay).unwrap();
        assert_eq!(response(&answer).0, ResponseCode::Uat);
    }
}

proptest! {
    #[test]
    fn whatever_arrives_is_forwarded_at_most_once(
        octets in proptest::collection::vec(any::<u8>(), 0..80),
        at in 0_usize..60,
        from_above in any::<bool>(),
    ) {
        let mut ends = Ends::new();
        let mut relay = acquainted(&mut ends);
        let source = if from_above { upstream() } else { below(7) };
        // Noise, and a message with noise in it.
        let mut altered = ends.ask(!from_above);
        let at = at.min(altered.len());
        for (octet, noise) in altered[at..].iter_mut().zip(&octets) {
            *octet = *noise;
        }
        for message in [&octets, &altered] {
            let before = relay.counts();
            let result = relay.handle_datagram(source, message, Instant::ZERO);
            let after = relay.counts();
            prop_assert_eq!(
                after.forwarded + after.dropped,
                before.forwarded + before.dropped + 1
            );
            let out: Vec<_> = core::iter::from_fn(|| sent(&mut relay)).collect();
            prop_assert!(out.len() <= 1);
            if result.is_ok() && from_above {
                for (to, sent) in &out {
                    let own = Apdu::parse(sent).is_ok_and(|apdu| {
                        apdu.header().calling == Some(RELAY.parse::<Title>().unwrap().get())
                    });
                    prop_assert!(*to != upstream() || own, "nothing goes back");
                }
            }
        }
    }
}
