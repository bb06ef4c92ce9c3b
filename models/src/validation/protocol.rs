//! Timers, conversations, keys and forgeries: what the firmware does.

use firmware::crypto::eax_prime::{EaxPrimeKey, MAC_LEN, Rule};
use firmware::crypto::{Secret, Work};
use firmware::eap::psk::{Credentials, LongTermKeys, PskPeer, PskServer};
use firmware::eap::{Authenticator, AuthenticatorConfig, MTU, Peer, PeerOutcome};
use firmware::pana::{Rand, Retransmission};
use firmware::ukmf::{KeyReject, KeyStore, Policy, Role};
use firmware::wire::Writer;
use firmware::{Env, Instant, Rng as _};

use super::{Group, Outcome};
use crate::rng::{Purpose, Stream};
use crate::time::Duration;

pub(super) fn outcomes() -> Vec<Outcome> {
    let groups = [
        dead_peer(),
        thin_carrier(),
        forgeries(),
        exposed_keys(),
        half_open(),
    ];
    groups
        .into_iter()
        .flat_map(|group| group.outcomes)
        .collect()
}

/// Intervals after the transmissions of a request that nobody answers, in seconds.
fn intervals(parameters: &Retransmission, mut rand: impl FnMut() -> Rand) -> Vec<f64> {
    let seconds = |interval: Duration| interval.as_nanos() as f64 / 1e9;
    let mut interval = parameters.first(rand());
    let mut intervals = vec![seconds(interval)];
    for _ in 1..parameters.transmissions_max {
        interval = parameters.next(interval, rand());
        intervals.push(seconds(interval));
    }
    intervals
}

/// Ten transmissions by default; eleven where REQ_MRC counts the repetitions (RFC 5609).
fn dead_peer() -> Group {
    let mut group = Group::new("V23", "RFC 5191 \u{a7}9, RAND 0", 0.0);
    for (transmissions_max, last_sent, given_up) in [(10, 151.0, 181.0), (11, 181.0, 211.0)] {
        let parameters = Retransmission {
            transmissions_max,
            ..Retransmission::REQUEST
        };
        let waits = intervals(&parameters, || Rand::from_millionths(0));
        for (index, target) in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0].into_iter().enumerate() {
            if transmissions_max == 10 {
                let what = format!("wait after transmission {}, s", index + 1);
                group.add(what, target, waits[index]);
            }
        }
        let what = |what: &str| format!("{transmissions_max} transmissions: {what}, s");
        let all: f64 = waits.iter().sum();
        group.add(
            what("last one sent after"),
            last_sent,
            all - waits[waits.len() - 1],
        );
        group.add(what("given up after"), given_up, all);
    }
    group
}

struct OneKey;

impl Credentials for OneKey {
    fn keys(&self, _: &[u8], work: &mut Work) -> Option<LongTermKeys> {
        Some(LongTermKeys::from_psk(&[0x42; 16], work))
    }
}

/// Octets of the EAP packets that the client of an EAP-PSK conversation receives and sends.
fn eap_psk_conversation() -> (Vec<usize>, Vec<usize>) {
    let (mut rng, mut work) = (Stream::new(24, 1, Purpose::MeterProtocol), Work::NONE);
    let keys = LongTermKeys::from_psk(&[0x42; 16], &mut work);
    let mut peer = Peer::new(PskPeer::new(*b"meter-0000000001", None, keys));
    let mut server = Authenticator::new(
        PskServer::new(*b"headend-00000001"),
        AuthenticatorConfig::default(),
    );
    let mut env = Env::new(Instant::ZERO, &mut rng, &mut work);
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    let (mut request, mut response) = ([0; MTU], [0; MTU]);
    let mut out = Writer::new(&mut request);
    server.start(&mut out, &mut env).expect("room for an MTU");
    let mut len = out.written().len();
    loop {
        received.push(len);
        let mut out = Writer::new(&mut response);
        let outcome = peer.handle(&request[..len], &mut out, &mut env);
        if outcome.expect("an honest server") == PeerOutcome::Success {
            return (received, sent);
        }
        let answer = out.written().len();
        sent.push(answer);
        let mut out = Writer::new(&mut request);
        server
            .handle(&response[..answer], &OneKey, &mut out, &mut env)
            .expect("an honest peer");
        len = out.written().len();
    }
}

/// EAP-PSK on a carrier that adds two packets of its own.
///
/// Pawlowski et al. count 4 packets received and 5 sent; EAP-PSK accounts for 3 of the latter. The
/// table does not say what the other two are, presumably the carrier's own.
fn thin_carrier() -> Group {
    const CARRIER_PACKETS: usize = 2;
    let mut group = Group::new("V24", "Pawlowski et al. 2015, table 1", 0.0);
    let (received, sent) = eap_psk_conversation();
    let packets = received.len() + sent.len() + CARRIER_PACKETS;
    group.add("EAP-PSK, packets of the client", 9.0, packets as f64);
    group
}

/// What a forged message consists of; its tag is zero.
#[derive(Clone, Copy)]
enum Forgery {
    /// A cleartext of one block and a shorter ciphertext.
    CleartextBlock,
    /// A ciphertext of one block and a shorter cleartext.
    CiphertextBlock,
    /// A cleartext beyond a block, for which nobody knows a forgery.
    LongCleartext,
}

/// Share of 1,000 keys under which a forgery is accepted.
fn accepted(rule: Rule, forgery: Forgery) -> f64 {
    const KEYS: u32 = 1_000;
    let mut stream = Stream::new(28, forgery as u32, Purpose::Attack);
    let mut accepted = 0;
    for _ in 0..KEYS {
        let mut key = [0; 16];
        stream.fill_bytes(&mut key);
        let key = EaxPrimeKey::new(&key, &mut Work::NONE.clone());
        let mut short = vec![0; 1 + stream.below(15) as usize];
        stream.fill_bytes(&mut short);
        let mut padded = short.clone();
        padded.push(0x80);
        padded.resize(16, 0);
        let (cleartext, mut cipher) = match forgery {
            Forgery::CleartextBlock => (padded, short),
            Forgery::CiphertextBlock => (short, padded),
            Forgery::LongCleartext => ([&padded[..], &[0; 4]].concat(), short),
        };
        let work = &mut Work::NONE.clone();
        let opened = key.open(&[&cleartext], &mut cipher, &[0; MAC_LEN], rule, work);
        accepted += u32::from(opened.is_ok());
    }
    f64::from(accepted) / f64::from(KEYS)
}

/// Forgeries without any query, and the rule that stops them.
fn forgeries() -> Group {
    let mut group = Group::new("V28", "Minematsu, Lucks, Morita, Iwata, FSE 2013", 0.0);
    for (name, forgery, rule, target) in [
        (
            "cleartext of a block, without the rule",
            Forgery::CleartextBlock,
            Rule::AcceptAnyCleartext,
            1.0,
        ),
        (
            "cleartext of a block, with the rule",
            Forgery::CleartextBlock,
            Rule::RejectShortCleartext,
            0.0,
        ),
        (
            "ciphertext of a block, without the rule",
            Forgery::CiphertextBlock,
            Rule::AcceptAnyCleartext,
            1.0,
        ),
        (
            "ciphertext of a block, with the rule",
            Forgery::CiphertextBlock,
            Rule::RejectShortCleartext,
            0.0,
        ),
        (
            "cleartext of 20 octets, without the rule",
            Forgery::LongCleartext,
            Rule::AcceptAnyCleartext,
            0.0,
        ),
    ] {
        let what = format!("{name}: forgeries accepted");
        group.add(what, target, accepted(rule, forgery));
    }
    group
}

const DAY_S: u64 = 86_400;

/// How long keys that leak at random moments stay good with the server: mean and maximum in days.
fn exposure(period_s: u64, overlap_s: u64) -> (f64, f64) {
    let policy = Policy {
        overlap: Duration::from_secs(overlap_s),
        grace: Duration::ZERO,
        ..Policy::default()
    };
    let mut store = KeyStore::new(Role::Server, policy);
    let mut rng = Stream::new(31, 1, Purpose::HeadendProtocol);
    let mut leaks = Stream::new(31, 1, Purpose::Timing);
    let mut work = Work::NONE;
    let (mut sum, mut max, mut count) = (0.0, 0.0_f64, 0);
    let mut at = |second: u64, run: &mut dyn FnMut(&mut KeyStore, &mut Env<'_>)| {
        let mut env = Env::new(Instant::from_secs(second), &mut rng, &mut work);
        run(&mut store, &mut env);
    };
    let mut previous = None;
    for number in 0..60_u32 {
        let start = u64::from(number) * period_s;
        let mut key_id = 0;
        at(start, &mut |store, env| {
            let emsk = Secret::new([number as u8; 64]);
            let lifetime = Duration::from_secs(2 * period_s);
            key_id = store
                .install(&emsk, b"session", number + 1, &[0x60, 1], lifetime, env)
                .expect("a valid ApTitle");
            assert!(store.activate(number + 1, env));
        });
        // The previous key is good to the last second of the overlap and no longer.
        if let Some((key_id, previous_start)) = previous {
            let end = start + overlap_s;
            at(end.saturating_sub(1).max(start), &mut |store, env| {
                assert_eq!(store.receiving(key_id, env.now).is_ok(), overlap_s > 0);
            });
            at(end, &mut |store, env| {
                let found = store.receiving(key_id, env.now).map(|_| ());
                assert_eq!(found, Err(KeyReject::Expired));
            });
            for _ in 0..500 {
                let leak = previous_start as f64 + leaks.unit() * period_s as f64;
                let residual = (end as f64 - leak) / DAY_S as f64;
                sum += residual;
                max = max.max(residual);
                count += 1;
            }
        }
        previous = Some((key_id, start));
    }
    (sum / f64::from(count), max)
}

fn exposed_keys() -> Group {
    let mut group = Group::new("V31", "residual life of a key, uniform leak", 0.02);
    for overlap_days in [0, 1] {
        let (mean, max) = exposure(7 * DAY_S, overlap_days * DAY_S);
        let case = format!("period 7 d, overlap {overlap_days} d");
        let overlap = overlap_days as f64;
        group.add(format!("{case}: mean, d"), 3.5 + overlap, mean);
        group.add(format!("{case}: maximum, d"), 7.0 + overlap, max);
    }
    group
}

/// Half-open sessions of a flood that nobody answers, by Little's law.
fn half_open() -> Group {
    const PCI_PER_S: f64 = 1_000.0;
    const SESSIONS: u32 = 5_000;
    let mut group = Group::new("V41", "RFC 5191 \u{a7}9 and Little's law", 0.15);
    let mut stream = Stream::new(41, 1, Purpose::HeadendProtocol);
    let total: f64 = (0..SESSIONS)
        .map(|_| {
            let rand = || Rand::draw(&mut stream);
            intervals(&Retransmission::REQUEST, rand)
                .iter()
                .sum::<f64>()
        })
        .sum();
    let entries = PCI_PER_S * total / f64::from(SESSIONS);
    group.add("1,000 PCI per second: half-open sessions", 1.95e5, entries);
    group.add_within(
        "the same against 1 + 2 + 4 + 8 + 16 + 5 x 30 s",
        1.81e5,
        entries,
        0.02,
    );
    group
}
