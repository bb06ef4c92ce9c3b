//! Two nodes that share keys, and what they refuse.

use std::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::support::{load, octets};
use crate::c1222::acse::Qualifier;
use crate::c1222::aptitle::{ApTitle, Title};
use crate::c1222::epsem::{Mode, ResponseControl, put_service};
use crate::c1222::interval::{self, Block, EndTime, Interval};
use crate::c1222::node::{Config, Incoming, Kind, Node, Options, ReplyTo, SendError, Sent};
use crate::c1222::registrar::{Grant, Registrar};
use crate::c1222::reject::Reject;
use crate::c1222::service::{
    ConnectionType, NodeType, Read, Register, Registered, Request, Response, ResponseCode,
    Selector, TableId,
};
use crate::crypto::{Secret, Work};
use crate::ukmf::{EndReason, KeyReject, KeyStore, Policy, Replay, Role};
use crate::wire::{Error, Writer};
use crate::{Duration, Env, Instant};

const UTC: u32 = 1_767_225_600;
const TITLE: &[u8] = &[0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16, 0x00, 0x02, 0x64];
pub(super) const ENCRYPTED: Options = Options {
    mode: Mode::Encrypted,
    response: ResponseControl::Always,
    qualifier: None,
    ed_class: None,
    terse: false,
};
pub(super) const READ: Request<'static> = Request::Read(Read {
    table: TableId::standard(1),
    selector: Selector::Full,
});

/// One end: node, keys, clock.
pub(super) struct End {
    pub(super) node: Node,
    pub(super) keys: KeyStore,
    pub(super) now: u64,
    rng: ChaCha8Rng,
    work: Work,
}

impl End {
    fn new(role: Role, local: &str, peer: &str, config: Config) -> Self {
        let (local, peer) = (local.parse().unwrap(), peer.parse().unwrap());
        Self {
            node: Node::new(local, peer, config),
            keys: KeyStore::new(role, Policy::default()),
            now: 0,
            rng: ChaCha8Rng::seed_from_u64(1),
            work: Work::NONE,
        }
    }

    pub(super) fn utc(&self) -> u32 {
        UTC + self.now as u32
    }

    pub(super) fn install(&mut self, kid32: u32, activate: bool) {
        let now = Instant::from_secs(self.now);
        let mut env = Env::new(now, &mut self.rng, &mut self.work);
        let emsk = Secret::new([kid32 as u8; 64]);
        let hour = Duration::from_secs(3600);
        self.keys
            .install(&emsk, &[0x2F; 33], kid32, TITLE, hour, &mut env)
            .unwrap();
        if activate {
            self.keys.activate(kid32, &mut env);
        }
    }

    pub(super) fn request(&mut self, options: &Options, service: &Request<'_>) -> (Vec<u8>, Sent) {
        self.try_request(options, service).unwrap()
    }

    pub(super) fn try_request(
        &mut self,
        options: &Options,
        service: &Request<'_>,
    ) -> Result<(Vec<u8>, Sent), SendError> {
        self.send(options, |writer| {
            put_service(writer, |writer| service.emit(writer))
        })
    }

    fn send(
        &mut self,
        options: &Options,
        services: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(Vec<u8>, Sent), SendError> {
        let utc = self.utc();
        let now = Instant::from_secs(self.now);
        let mut env = Env::new(now, &mut self.rng, &mut self.work);
        let mut out = [0xA5; 2048];
        let sent = self
            .node
            .request(options, &mut self.keys, utc, &mut out, services, &mut env)?;
        Ok((out[..sent.len].to_vec(), sent))
    }

    pub(super) fn respond(
        &mut self,
        to: &ReplyTo,
        response: Response<'_>,
    ) -> Result<Vec<u8>, SendError> {
        let utc = self.utc();
        let now = Instant::from_secs(self.now);
        let mut env = Env::new(now, &mut self.rng, &mut self.work);
        let mut out = [0xA5; 2048];
        let sent = self.node.respond(
            to,
            &mut self.keys,
            utc,
            &mut out,
            |writer| put_service(writer, |writer| response.emit(writer)),
            &mut env,
        )?;
        Ok(out[..sent.len].to_vec())
    }

    pub(super) fn receive<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Incoming<'a>, Reject> {
        let utc = self.utc();
        let now = Instant::from_secs(self.now);
        let mut env = Env::new(now, &mut self.rng, &mut self.work);
        self.node.receive(bytes, &mut self.keys, utc, &mut env)
    }

    /// Receives a copy, for messages that are delivered more than once.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<Kind, Reject> {
        self.receive(&mut bytes.to_vec())
            .map(|incoming| incoming.kind)
    }
}

/// A meter and its head-end with one key.
pub(super) fn pair() -> (End, End) {
    let mut meter = End::new(Role::Meter, ".2.100", ".1.7", Config::default());
    let mut host = End::new(Role::Server, ".1.7", ".2.100", Config::default());
    meter.install(1, true);
    host.install(1, true);
    (meter, host)
}

pub(super) fn reply(kind: Kind) -> ReplyTo {
    match kind {
        Kind::Request(to) => to,
        Kind::Response(_) => panic!("a request was expected"),
    }
}

fn push(meter: &mut End, options: &Options) -> Vec<u8> {
    let end = EndTime::from_utc(UTC).unwrap();
    let interval = Interval {
        valid: true,
        status: [0; 3],
        values: [350, 0, 40, 0],
    };
    let pushed = meter.send(options, |writer| {
        interval::put_push(writer, 5, end, &[interval])
    });
    pushed.unwrap().0
}

#[test]
fn a_meter_pushes_an_interval_and_is_answered() {
    let (mut meter, mut host) = pair();
    let options = Options {
        qualifier: Some(Qualifier::NOTIFICATION),
        ed_class: Some(*b"SH2E"),
        ..ENCRYPTED
    };
    let mut bytes = push(&mut meter, &options);
    assert_eq!(bytes.len(), 83, "well below the 150 octets of the budget");
    let incoming = host.receive(&mut bytes).unwrap();
    assert_eq!(incoming.mode, Mode::Encrypted);
    assert_eq!(incoming.key_id, Some(0x11));
    assert!(incoming.qualifier.contains(Qualifier::NOTIFICATION));
    assert_eq!(incoming.payload.ed_class, Some(*b"SH2E"));
    let services: Vec<_> = incoming.payload.services().collect();
    let Ok(Request::Write(write)) = Request::parse(services[0].unwrap()) else {
        panic!("a push is a write");
    };
    let (offset, block) = Block::from_write(&write).unwrap();
    assert_eq!((offset, block.end.to_utc()), (5, Some(UTC)));
    assert_eq!(block.intervals().next().unwrap().values, [350, 0, 40, 0]);

    let to = reply(incoming.kind);
    let answer = host.respond(&to, Response::OK).unwrap();
    assert_eq!(answer.len(), 54);
    assert_eq!(meter.node.outstanding(Instant::ZERO), 1);
    assert_eq!(meter.hear(&answer), Ok(Kind::Response(0)));
    assert_eq!(meter.node.outstanding(Instant::ZERO), 0);
    assert_eq!(
        meter.hear(&answer),
        Err(Reject::UnexpectedResponse),
        "an answer counts once"
    );
    let used = meter.keys.current_key().unwrap();
    assert_eq!((used.tx.messages, used.tx.octets), (1, 83));
    assert_eq!((used.rx.messages, used.rx.octets), (1, 54));
}

#[test]
fn no_service_runs_twice() {
    let (mut meter, mut host) = pair();
    let (first, _) = host.request(&ENCRYPTED, &READ);
    let (second, _) = host.request(&ENCRYPTED, &READ);
    assert_ne!(first, second);
    assert!(meter.hear(&second).is_ok());
    assert!(meter.hear(&first).is_ok(), "overtaking is not replay");
    for bytes in [&first, &second] {
        assert_eq!(meter.hear(bytes), Err(Reject::Replay(Replay::Duplicate)));
    }
    for _ in 0..70 {
        let (bytes, _) = host.request(&ENCRYPTED, &READ);
        meter.hear(&bytes).unwrap();
    }
    assert_eq!(meter.hear(&first), Err(Reject::Replay(Replay::TooOld)));
}

#[test]
fn the_acceptance_window_is_a_quarter_of_an_hour_both_ways() {
    for (meter_at, host_at, expected) in [
        (0, 900, true),
        (900, 0, true),
        (0, 901, false),
        (901, 0, false),
    ] {
        let (mut meter, mut host) = pair();
        meter.now = meter_at;
        host.now = host_at;
        let bytes = push(&mut meter, &ENCRYPTED);
        let heard = host.hear(&bytes);
        if expected {
            assert!(heard.is_ok(), "{heard:?}");
        } else {
            assert_eq!(heard, Err(Reject::AcceptanceWindow));
        }
    }
}

#[test]
fn keys_that_do_not_exist_are_told_apart() {
    let (mut meter, mut host) = pair();
    host.install(2, false);
    host.install(3, false);
    host.now = 1;
    let (under_2, _) = {
        let now = Instant::from_secs(host.now);
        let mut env = Env::new(now, &mut host.rng, &mut host.work);
        host.keys.activate(2, &mut env);
        host.request(&ENCRYPTED, &READ)
    };
    assert_eq!(meter.hear(&under_2), Err(Reject::Key(KeyReject::Unknown)));
    let bytes = push(&mut meter, &ENCRYPTED);
    host.keys
        .erase_all(EndReason::Terminated, Instant::from_secs(1));
    assert_eq!(host.hear(&bytes), Err(Reject::Key(KeyReject::Erased)));
    assert_eq!(host.try_request(&ENCRYPTED, &READ), Err(SendError::NoKey));
}

#[test]
fn traffic_stops_when_the_key_expires() {
    let (mut meter, mut host) = pair();
    meter.now = 3599;
    let bytes = push(&mut meter, &ENCRYPTED);
    host.now = 3604;
    assert!(host.hear(&bytes).is_ok(), "within the grace");
    meter.now = 3600;
    assert_eq!(meter.try_request(&ENCRYPTED, &READ), Err(SendError::NoKey));
    host.now = 3605;
    assert_eq!(host.hear(&bytes), Err(Reject::Key(KeyReject::Expired)));
}

#[test]
fn a_lower_mode_than_the_policy_is_refused() {
    let (mut meter, mut host) = pair();
    for mode in [Mode::Clear, Mode::Authenticated] {
        let options = Options { mode, ..ENCRYPTED };
        let (bytes, _) = host.request(&options, &READ);
        assert_eq!(meter.hear(&bytes), Err(Reject::SecurityMode));
    }
    let mut lax = End::new(
        Role::Meter,
        ".2.100",
        ".1.7",
        Config {
            mode_min: Mode::Clear,
            ..Config::default()
        },
    );
    lax.install(1, true);
    for mode in [Mode::Clear, Mode::Authenticated, Mode::Encrypted] {
        let options = Options { mode, ..ENCRYPTED };
        let (bytes, sent) = host.request(&options, &READ);
        let to = reply(lax.hear(&bytes).unwrap());
        let answer = lax.respond(&to, Response::of(ResponseCode::Bsy)).unwrap();
        assert_eq!(host.hear(&answer), Ok(Kind::Response(sent.invocation)));
    }
}

#[test]
fn a_response_in_a_lower_mode_is_refused() {
    let (mut meter, mut host) = pair();
    let (bytes, _) = host.request(&ENCRYPTED, &READ);
    let to = reply(meter.hear(&bytes).unwrap());
    let clear = Options {
        mode: Mode::Clear,
        ..ENCRYPTED
    };
    let mut forger = End::new(
        Role::Meter,
        ".2.100",
        ".1.7",
        Config {
            mode_min: Mode::Clear,
            ..Config::default()
        },
    );
    // The attacker answers in clear with the invocation id that it saw.
    let (request, _) = host.request(&clear, &READ);
    let mut forged_to = reply(forger.hear(&request).unwrap());
    let mut forged = forger.respond(&forged_to, Response::OK).unwrap();
    assert_eq!(host.hear(&forged), Ok(Kind::Response(1)));
    forged_to = reply(forger.hear(&request).unwrap());
    forged = forger.respond(&forged_to, Response::OK).unwrap();
    let at = forged
        .windows(3)
        .position(|seen| seen == [0xA4, 3, 2])
        .unwrap();
    forged[at + 4] = 0;
    assert_eq!(host.hear(&forged), Err(Reject::ResponseMode));
    let answer = meter.respond(&to, Response::OK).unwrap();
    assert_eq!(host.hear(&answer), Ok(Kind::Response(0)), "still waiting");
}

#[test]
fn a_response_may_use_a_newer_key_but_never_an_older_one() {
    let (mut meter, mut host) = pair();
    let (bytes, sent) = host.request(&ENCRYPTED, &READ);
    let to = reply(meter.hear(&bytes).unwrap());
    // The meter re-authenticates while it answers; its PAN[C] is still on the way.
    host.install(2, false);
    meter.install(2, true);
    let answer = meter.respond(&to, Response::OK).unwrap();
    assert_eq!(host.hear(&answer), Ok(Kind::Response(sent.invocation)));
    assert_eq!(
        host.keys.current_key().unwrap().key_id,
        0x12,
        "which activates it"
    );

    let (mut meter, mut host) = pair();
    host.install(2, true);
    let (_, sent) = host.request(&ENCRYPTED, &READ);
    // The meter, still without the new key, answers a request that it never saw under the old.
    let (old, _) = {
        let mut other = End::new(Role::Server, ".1.7", ".2.100", Config::default());
        other.install(1, true);
        other.request(&ENCRYPTED, &READ)
    };
    let to = reply(meter.hear(&old).unwrap());
    assert_eq!(sent.invocation, 0);
    let answer = meter.respond(&to, Response::OK).unwrap();
    assert_eq!(host.hear(&answer), Err(Reject::ResponseKey));
}

#[test]
fn responses_are_accepted_while_the_request_waits() {
    let (mut meter, mut host) = pair();
    let (bytes, sent) = host.request(&ENCRYPTED, &READ);
    let to = reply(meter.hear(&bytes).unwrap());
    let answer = meter.respond(&to, Response::OK).unwrap();
    host.now = 30;
    assert_eq!(host.hear(&answer), Err(Reject::UnexpectedResponse));
    host.now = 29;
    host.node.forget(sent.invocation + 1);
    assert_eq!(host.node.outstanding(Instant::from_secs(29)), 1);
    assert_eq!(host.hear(&answer), Ok(Kind::Response(sent.invocation)));

    let one_way = Options {
        response: ResponseControl::Never,
        ..ENCRYPTED
    };
    host.request(&one_way, &READ);
    assert_eq!(host.node.outstanding(Instant::from_secs(29)), 0);
}

#[test]
fn other_titles_are_not_ours() {
    let (mut meter, mut host) = pair();
    let (bytes, _) = host.request(&ENCRYPTED, &READ);
    let mut other = End::new(Role::Meter, ".2.101", ".1.7", Config::default());
    assert_eq!(other.hear(&bytes), Err(Reject::CalledTitle));
    let mut stranger = End::new(Role::Server, ".1.8", ".2.100", Config::default());
    stranger.install(1, true);
    let (bytes, _) = stranger.request(&ENCRYPTED, &READ);
    assert_eq!(meter.hear(&bytes), Err(Reject::CallingTitle));
    let root = "2.16.124.113620.1.22.0";
    let mut absolute = End::new(
        Role::Server,
        &std::format!("{root}.1.7"),
        &std::format!("{root}.2.100"),
        Config::default(),
    );
    absolute.install(1, true);
    let (bytes, _) = absolute.request(&ENCRYPTED, &READ);
    assert!(
        meter.hear(&bytes).is_ok(),
        "the absolute form is the same title"
    );
}

#[test]
fn registration_works_in_clear_and_nothing_else_does() {
    let mut meter = End::new(Role::Meter, ".", ".0", Config::default());
    let mut host = End::new(Role::Server, ".0", ".", Config::default());
    let clear = Options {
        mode: Mode::Clear,
        ed_class: Some(*b"SH2E"),
        ..ENCRYPTED
    };
    let register = Register {
        node_type: NodeType::END_DEVICE,
        connection_type: ConnectionType(0x37),
        device_class: *b"SH2E",
        ap_title: ApTitle::UNASSIGNED,
        serial_number: &[0x2B, 0x06, 0x01],
        native_address: &[10, 1, 197, 13, 4, 129],
        period_s: Register::NO_PREFERENCE_S,
        my_domain: None,
    };
    let (mut bytes, _) = meter.request(&clear, &Request::Register(register));
    let base: Title = "2.16.124.113620.1.22.0".parse().unwrap();
    let mut registrar = Registrar::new(base, Grant::default());
    let assigned: Title = ".2.100".parse().unwrap();
    let incoming = host.receive(&mut bytes).unwrap();
    let service = incoming.payload.services().next().unwrap().unwrap();
    let Ok(Request::Register(heard)) = Request::parse(service) else {
        panic!("a registration was sent");
    };
    assert_eq!(heard, register);
    let granted = registrar
        .register(&heard, Some(assigned.get()), Instant::ZERO)
        .unwrap();
    let mut data = [0xA5; 32];
    let mut writer = Writer::new(&mut data);
    granted.emit(&mut writer).unwrap();
    let response = Response {
        code: ResponseCode::Ok,
        data: writer.written(),
    };
    let to = reply(incoming.kind);
    let mut answer = host.respond(&to, response).unwrap();
    let incoming = meter.receive(&mut answer).unwrap();
    let service = incoming.payload.services().next().unwrap().unwrap();
    let granted = Registered::parse(Response::parse(service).unwrap().data).unwrap();
    assert_eq!((granted.ap_title, granted.period_s), (assigned.get(), 3600));
    meter.node.set_local(Title::new(granted.ap_title).unwrap());
    assert_eq!(*meter.node.local(), assigned);

    for service in [READ, Request::Deregister(assigned.get()), Request::Logoff] {
        let mut host = End::new(Role::Server, ".0", ".2.100", Config::default());
        let (bytes, _) = meter.request(&clear, &service);
        assert_eq!(host.hear(&bytes), Err(Reject::SecurityMode));
    }
}

#[test]
fn vectors_that_need_a_node_are_refused_as_expected() {
    let vectors = load("c1222_apdus.json");
    let negative = |id: &str| {
        let cases = vectors["negative"].as_array().unwrap();
        octets(&cases.iter().find(|case| case["id"] == id).unwrap()["apdu"])
    };
    let key: [u8; 16] = octets(&vectors["keys"]["2"]).try_into().unwrap();
    let meter = || {
        let mut meter = End::new(Role::Meter, ".2.233154", ".1.178", Config::default());
        let mut env = Env::new(Instant::ZERO, &mut meter.rng, &mut meter.work);
        meter
            .keys
            .install_static(2, &Secret::new(key), &mut env)
            .unwrap();
        meter
    };
    // The vectors were made before UTC; count from their IV instead.
    let at = |meter: &mut End, bytes: &[u8], after: u32| {
        let utc = 0x68DF_CB86 + after;
        let mut env = Env::new(Instant::ZERO, &mut meter.rng, &mut meter.work);
        let mut bytes = bytes.to_vec();
        meter
            .node
            .receive(&mut bytes, &mut meter.keys, utc, &mut env)
            .map(|incoming| incoming.payload.services().count())
    };
    let mut end = meter();
    let replay = negative("neg-replay");
    assert_eq!(at(&mut end, &replay, 0), Ok(2));
    assert_eq!(
        at(&mut end, &replay, 1),
        Err(Reject::Replay(Replay::Duplicate))
    );
    let stale = negative("neg-stale-iv");
    assert_eq!(
        at(&mut meter(), &stale, 3600),
        Err(Reject::AcceptanceWindow)
    );
    assert_eq!(at(&mut meter(), &stale, 0), Ok(2));
    let downgrade = negative("neg-mode-downgrade");
    assert!(matches!(
        at(&mut meter(), &downgrade, 0),
        Err(Reject::SecurityMode | Reject::Malformed(_))
    ));
    let wrong_key = negative("neg-key-id");
    assert_eq!(
        at(&mut meter(), &wrong_key, 0),
        Err(Reject::Key(KeyReject::Unknown))
    );
    assert_eq!(
        at(&mut meter(), &negative("neg-mac-last-byte"), 0),
        Err(Reject::BadMac)
    );
}

#[test]
fn an_association_is_small() {
    assert!(size_of::<Node>() <= 256, "{}", size_of::<Node>());
}

proptest! {
    #[test]
    fn any_changed_octet_is_refused(position: prop::sample::Index, change in 1u8..=255) {
        let (mut meter, mut host) = pair();
        let mut bytes = push(&mut meter, &ENCRYPTED);
        let at = position.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(host.hear(&bytes).is_err());
        let used = host.keys.current_key().unwrap();
        prop_assert_eq!(used.rx.messages, 0);
    }

    #[test]
    fn a_bad_network_never_makes_a_request_run_twice(
        fates in proptest::collection::vec((0u8..4, 0usize..8), 1..40),
    ) {
        let (mut meter, mut host) = pair();
        let mut in_flight: Vec<Vec<u8>> = Vec::new();
        let mut answers: Vec<Vec<u8>> = Vec::new();
        let (mut sent, mut ran, mut answered) = (0, 0, 0);
        for (fate, index) in fates {
            let (bytes, _) = host.request(&ENCRYPTED, &READ);
            sent += 1;
            in_flight.push(bytes.clone());
            match fate {
                0 => { in_flight.pop(); }
                1 => in_flight.push(bytes),
                2 => {
                    let at = index.min(in_flight.len() - 1);
                    let mut changed = in_flight[at].clone();
                    let last = changed.len() - 1 - index;
                    changed[last] ^= 1;
                    in_flight.push(changed);
                }
                _ => {}
            }
            if index % 3 == 0 {
                in_flight.reverse();
                for bytes in in_flight.drain(..) {
                    if let Ok(Kind::Request(to)) = meter.hear(&bytes) {
                        ran += 1;
                        answers.push(meter.respond(&to, Response::OK).unwrap());
                    }
                }
                for bytes in answers.drain(..) {
                    if host.hear(&bytes).is_ok() {
                        answered += 1;
                    }
                }
            }
        }
        prop_assert!(ran <= sent);
        prop_assert!(answered <= ran);
    }
}
