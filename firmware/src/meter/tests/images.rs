//! Firmware images: they arrive whole or not at all, and nothing runs that was not verified.

use alloc::vec;

use super::*;
use crate::c1219::image::{self, Activation, Manifest};
use crate::c1219::procedure::ResultCode;
use crate::c1222::service::{Password as Credential, ResponseCode};
use crate::crypto::Digest;
use crate::headend::{
    Call, Class, Message, Part, Persistence, RequestOrder, RequestOutcome, RequestReport, Rollout,
    Task,
};

const VERSION: u16 = 0x0300;
const BLOCK: u16 = 256;
/// Two hundred blocks, the last of which is short.
const SIZE: u32 = 199 * 256 + 17;
/// Six hours after the beginning.
const ACTIVATION: u32 = UTC + 6 * 3_600;

fn octets() -> Arc<[u8]> {
    (0..SIZE)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

fn manifest(octets: &[u8], key: [u8; 16]) -> Manifest {
    let mut work = Work::default();
    let mut digest = Digest::new();
    digest.update(octets, &mut work);
    let digest = digest.finish(&mut work);
    let key = CmacKey::new(&key, &mut work);
    Manifest::signed(VERSION, SIZE, BLOCK, digest, &key, &mut work)
}

fn rollout() -> Rollout {
    let octets = octets();
    Rollout {
        manifest: manifest(&octets, VENDOR_KEY),
        octets,
        password: Credential::new(b"MASTER", Some(1)),
        blocks_per_message: 1,
        octet_time: Duration::ZERO,
        activate_utc: ACTIVATION,
        window_s: 600,
    }
}

struct Bench {
    pair: Pair,
    /// Every so many-th datagram is lost.
    lose: Option<u32>,
    datagrams: u32,
    powered: bool,
}

impl Bench {
    fn new(lose: Option<u32>) -> Self {
        let mut bench = Self {
            pair: Pair::new([7; 16]),
            lose,
            datagrams: 0,
            powered: true,
        };
        bench.pair.meter(|meter, utc, env| meter.power_on(utc, env));
        bench.exchange();
        bench
    }

    fn begin(&mut self, rollout: Rollout) {
        let task = Task {
            class: Class::Firmware,
            messages: Vec::new(),
            profile: None,
            image: Some(Arc::new(rollout)),
            tolerant: false,
            persistence: Persistence {
                attempts: 100_000,
                timeout: Duration::from_secs(10),
                pause: Duration::from_secs(60),
                factor: 1,
                deadline: Duration::from_secs(86_400),
            },
        };
        self.request(task);
    }

    fn request(&mut self, task: Task) {
        let order = RequestOrder {
            rank: 0,
            plan: 0,
            due: self.pair.now,
        };
        self.pair.headend.request(order, &Arc::new(task));
    }

    fn ask(&mut self, calls: Vec<Call>) -> RequestOutcome {
        self.request(Task {
            class: Class::Control,
            messages: [Message::new(calls)].into(),
            profile: None,
            image: None,
            tolerant: false,
            persistence: Persistence {
                attempts: 3,
                timeout: Duration::from_secs(10),
                pause: Duration::ZERO,
                factor: 1,
                deadline: Duration::from_secs(60),
            },
        });
        self.run(self.pair.now + Duration::from_secs(1));
        self.reports().last().expect("it has ended").outcome
    }

    fn lost(&mut self) -> bool {
        self.datagrams += 1;
        !self.powered
            || self
                .lose
                .is_some_and(|every| self.datagrams.is_multiple_of(every))
    }

    /// Exchanges datagrams, of which some are lost and some refused.
    fn exchange(&mut self) {
        let mut buffer = [0; 2_048];
        loop {
            let pair = &mut self.pair;
            pair.take_meter_events();
            pair.headend_events
                .extend(core::iter::from_fn(|| pair.headend.poll_event()).map(|(_, event)| event));
            if let Some(sent) = pair.meter.poll_transmit(&mut buffer) {
                if !self.lost() {
                    let _ = self.pair.up(sent.channel, &mut buffer[..sent.len]);
                }
                continue;
            }
            let Some(sent) = pair.headend.poll_transmit(&mut buffer) else {
                break;
            };
            let octets = &mut buffer[..sent.len];
            self.pair.log.push((false, sent.channel, octets.to_vec()));
            if !self.lost() {
                self.pair.meter(|meter, utc, env| {
                    let _ = meter.handle_datagram(sent.channel, octets, utc, env);
                });
            }
        }
    }

    /// Lets time pass until `until`.
    fn run(&mut self, until: Instant) {
        loop {
            self.exchange();
            let pair = &mut self.pair;
            let meter = pair.meter.poll_timeout().filter(|_| self.powered);
            let alarms = [Alarm::Session(0), Alarm::Subscriber(0), Alarm::Commands];
            let next = alarms
                .into_iter()
                .filter_map(|alarm| pair.headend.deadline(alarm))
                .chain(meter)
                .min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            pair.now = pair.now.max(next);
            if meter.is_some_and(|at| at <= pair.now) {
                pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
            }
            for alarm in alarms {
                if pair
                    .headend
                    .deadline(alarm)
                    .is_some_and(|at| at <= pair.now)
                {
                    let mut work = Work::default();
                    let mut env = Env::new(pair.now, &mut pair.rng, &mut work);
                    pair.headend.handle_timeout(alarm, &mut env);
                }
            }
            let utc = UTC + self.pair.now.as_secs() as u32;
            while let Some((rank, _)) = self.pair.headend.next_command(self.pair.now) {
                let pair = &mut self.pair;
                let mut work = Work::default();
                let mut env = Env::new(pair.now, &mut pair.rng, &mut work);
                pair.headend.proceed_command(rank, utc, &mut env);
                self.exchange();
            }
        }
        self.pair.now = until;
    }

    fn reports(&self) -> Vec<RequestReport> {
        let report = |event: &HeadendEvent| match event {
            HeadendEvent::Request(report) => Some(*report),
            _ => None,
        };
        self.pair.headend_events.iter().filter_map(report).collect()
    }

    fn outcomes(&self) -> Vec<RequestOutcome> {
        self.reports().iter().map(|report| report.outcome).collect()
    }

    fn steps(&self) -> Vec<ImageStep> {
        let step = |event: &MeterEvent| match event {
            MeterEvent::Image(event) => Some(event.step),
            _ => None,
        };
        self.pair.meter_events.iter().filter_map(step).collect()
    }
}

#[test]
fn an_image_arrives_through_loss_and_runs_at_its_time() {
    let mut bench = Bench::new(Some(7));
    bench.begin(rollout());
    bench.run(Instant::from_secs(5 * 3_600));
    assert_eq!(bench.steps(), [ImageStep::Offered, ImageStep::Verified]);
    assert_eq!(bench.pair.meter.running_version(), 0x0203);
    let before = bench.pair.authentications().len();
    bench.run(Instant::from_secs(6 * 3_600));
    assert_eq!(bench.pair.meter.running_version(), 0x0203, "not yet");
    bench.run(Instant::from_secs(6 * 3_600 + 601));
    assert_eq!(bench.pair.meter.running_version(), VERSION);
    assert!(!bench.pair.meter.is_open(), "its session is gone");
    assert!(
        bench.pair.meter.live_keys().next().is_none(),
        "keys are volatile"
    );
    // The old session has to end at the head-end before a new one begins.
    bench.run(Instant::from_secs(9 * 3_600));
    assert!(bench.pair.authentications().len() > before);
    assert_eq!(bench.outcomes(), [RequestOutcome::Answered]);
    let [report] = bench.reports()[..] else {
        panic!("one request");
    };
    assert!(report.repetitions > 10, "every seventh datagram is lost");
    let steps = bench.steps();
    assert_eq!(steps[2..], [ImageStep::Activated]);

    // Again: it runs already, which one exchange tells.
    bench.begin(rollout());
    bench.run(bench.pair.now + Duration::from_secs(60));
    assert_eq!(bench.outcomes()[1], RequestOutcome::Answered);
    assert!(bench.reports()[1].octets_down < 1_000);
}

#[test]
fn an_image_with_another_digest_never_runs() {
    let mut bench = Bench::new(None);
    let mut altered = octets().to_vec();
    altered[12_345] ^= 1;
    bench.begin(Rollout {
        octets: altered.into(),
        ..rollout()
    });
    bench.run(Instant::from_secs(3_600));
    assert_eq!(bench.steps(), [ImageStep::Offered, ImageStep::Faulty]);
    assert_eq!(
        bench.outcomes(),
        [RequestOutcome::Failed(ResultCode::Conflict)]
    );
    let activation = Activation {
        version: VERSION,
        window_s: 0,
        start: None,
    };
    let parameters = activation.octets().unwrap();
    let activate = vec![
        Call::Security(Credential::new(b"MASTER", Some(1))),
        Call::Procedure(image::ACTIVATE, parameters[..].into()),
    ];
    let conflict = RequestOutcome::Failed(ResultCode::Conflict);
    assert_eq!(bench.ask(activate), conflict);
    bench.run(Instant::from_secs(8 * 3_600));
    assert_eq!(bench.pair.meter.running_version(), 0x0203);

    // The right one is welcome afterwards.
    bench.begin(rollout());
    bench.run(Instant::from_secs(12 * 3_600));
    assert_eq!(bench.pair.meter.running_version(), VERSION);
}

#[test]
fn what_the_vendor_has_not_signed_is_refused_before_a_block_is_sent() {
    let mut bench = Bench::new(None);
    let octets = octets();
    bench.begin(Rollout {
        manifest: manifest(&octets, [0x57; 16]),
        ..rollout()
    });
    bench.run(Instant::from_secs(600));
    assert_eq!(bench.steps(), [ImageStep::Unsigned]);
    assert_eq!(
        bench.outcomes(),
        [RequestOutcome::Denied(ResponseCode::Sme)]
    );
    let [report] = bench.reports()[..] else {
        panic!("one request");
    };
    assert_eq!(report.transmissions, 1);
}

#[test]
fn nobody_without_rights_writes_and_nobody_reads_an_image() {
    let mut bench = Bench::new(None);
    let manifest = rollout().manifest.octets();
    let offer = || Call::Write(image::MANIFEST, Part::Full, manifest[..].into());
    let denied = RequestOutcome::Denied(ResponseCode::Isc);
    assert_eq!(bench.ask(vec![offer()]), denied);
    let master = || Call::Security(Credential::new(b"MASTER", Some(1)));
    assert_eq!(
        bench.ask(vec![master(), Call::Read(image::DATA, Part::Full)]),
        denied
    );
    assert!(bench.steps().is_empty());
    assert_eq!(bench.ask(vec![master(), offer()]), RequestOutcome::Answered);
    // Half a block, a block that begins in another, one beyond the end.
    for (offset, len) in [(0, 128), (128, 256), (199 * 256, 256), (200 * 256, 17)] {
        let part = Part::Offset(offset, len);
        let data = vec![0; usize::from(len)].into();
        assert_eq!(
            bench.ask(vec![master(), Call::Write(image::DATA, part, data)]),
            RequestOutcome::Denied(ResponseCode::Onp),
            "{offset} {len}"
        );
    }
    let activation = Activation {
        version: VERSION,
        window_s: 0,
        start: None,
    };
    let parameters = activation.octets().unwrap();
    let activate = Call::Procedure(image::ACTIVATE, parameters[..].into());
    assert_eq!(
        bench.ask(vec![activate]),
        RequestOutcome::Denied(ResponseCode::Isc)
    );
}

#[test]
fn after_an_outage_only_what_is_missing_is_sent() {
    let mut bench = Bench::new(None);
    let slow = Rollout {
        // 100 octets per second: the image takes 510 s.
        octet_time: Duration::from_millis(10),
        ..rollout()
    };
    bench.begin(slow.clone());
    bench.run(Instant::from_secs(250));
    bench
        .pair
        .meter(|meter, utc, env| meter.power_off(utc, env));
    bench.powered = false;
    bench.run(Instant::from_secs(300));
    bench.powered = true;
    bench.pair.meter(|meter, utc, env| meter.power_on(utc, env));
    bench.run(Instant::from_secs(5 * 3_600));
    assert_eq!(bench.steps(), [ImageStep::Offered, ImageStep::Verified]);
    let verified = |event: &MeterEvent| match event {
        MeterEvent::Image(event) if event.step == ImageStep::Verified => Some(event.octets),
        _ => None,
    };
    let written = bench.pair.meter_events.iter().find_map(verified).unwrap();
    assert!(
        (SIZE..=SIZE + u32::from(BLOCK)).contains(&written),
        "{written} octets for {SIZE}"
    );
}

#[test]
fn a_request_made_anew_asks_what_is_missing() {
    let mut bench = Bench::new(None);
    let master = || Call::Security(Credential::new(b"MASTER", Some(1)));
    let all = octets();
    let manifest = rollout().manifest.octets();
    let offer = Call::Write(image::MANIFEST, Part::Full, manifest[..].into());
    assert_eq!(bench.ask(vec![master(), offer]), RequestOutcome::Answered);
    // Blocks 3, 1 and 2 are there: they came out of order.
    for index in [3, 1, 2] {
        let data = all[index * 256..][..256].into();
        let part = Part::Offset(index as u32 * 256, 256);
        let write = Call::Write(image::DATA, part, data);
        assert_eq!(bench.ask(vec![master(), write]), RequestOutcome::Answered);
    }
    bench.begin(Rollout {
        blocks_per_message: 4,
        ..rollout()
    });
    bench.run(Instant::from_secs(3_600));
    assert_eq!(bench.steps(), [ImageStep::Offered, ImageStep::Verified]);
    let verified = bench
        .pair
        .meter_events
        .iter()
        .find_map(|event| match event {
            MeterEvent::Image(event) if event.step == ImageStep::Verified => Some(event.octets),
            _ => None,
        });
    assert_eq!(verified, Some(SIZE), "nothing twice");
}

#[test]
fn urgent_requests_pass_a_transfer() {
    let mut bench = Bench::new(None);
    bench.begin(Rollout {
        octet_time: Duration::from_millis(10),
        ..rollout()
    });
    bench.run(Instant::from_secs(100));
    let outcome = bench.ask(vec![Call::Read(image::STATUS, Part::Full)]);
    assert_eq!(outcome, RequestOutcome::Answered);
    assert_eq!(bench.reports().len(), 1, "the transfer goes on");
    bench.run(Instant::from_secs(1_000));
    assert_eq!(bench.steps(), [ImageStep::Offered, ImageStep::Verified]);
}
