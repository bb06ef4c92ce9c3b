//! A meter and a head-end instance, back to back.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::c1219::access::{Groups, Password};
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::Mode;
use crate::crypto::CmacKey;
use crate::crypto::Work;
use crate::eap::AuthenticatorConfig;
use crate::eap::psk::LongTermKeys;
use crate::headend::{self, Alarm, Headend, HeadendEvent, Subscription};
use crate::time::{Duration, Instant};
use crate::{Env, Reject, c1218, pana, ukmf};

const UTC: u32 = 1_768_435_200;
/// Wrong passwords that lock the optical port.
const LOCKOUT: u32 = 3;
/// The key that signs images.
const VENDOR_KEY: [u8; 16] = [0x56; 16];
const METER: &str = "10.0.0.1:716";

struct Pair {
    meter: Meter,
    headend: Headend,
    now: Instant,
    rng: ChaCha8Rng,
    /// Every datagram, in order: whether it went up, its channel and its octets.
    log: Vec<(bool, Channel, Vec<u8>)>,
    meter_events: Vec<MeterEvent>,
    headend_events: Vec<HeadendEvent>,
}

impl Pair {
    fn new(psk_at_headend: [u8; 16]) -> Self {
        Self::with_switch(psk_at_headend, SwitchPolicy::default())
    }

    fn with_switch(psk_at_headend: [u8; 16], switch: SwitchPolicy) -> Self {
        Self::with_config(psk_at_headend, switch, |_| {})
    }

    fn with_config(
        psk_at_headend: [u8; 16],
        switch: SwitchPolicy,
        adapt: impl FnOnce(&mut Config),
    ) -> Self {
        Self::with_software(psk_at_headend, switch, adapt, |_| {})
    }

    fn with_software(
        psk_at_headend: [u8; 16],
        switch: SwitchPolicy,
        adapt: impl FnOnce(&mut Config),
        adapt_headend: impl FnOnce(&mut headend::Config),
    ) -> Self {
        let pana = Arc::new(pana::Config {
            piggyback: true,
            ..pana::Config::default()
        });
        let server_identity: Arc<[u8]> = b"headend@utility.example"[..].into();
        let headend_title = Title::relative(&[2, 1]).unwrap();
        let mut config = Config {
            pana: Arc::clone(&pana),
            server_identity: Arc::clone(&server_identity),
            keys: ukmf::Policy::default(),
            reauthentication: Reauthentication::Every {
                period: Duration::from_secs(3_600),
                jitter_permille: 0,
            },
            ping: None,
            nonvolatile_session: false,
            nonvolatile_playback: true,
            retry: (Duration::from_secs(10), Duration::from_secs(10)),
            absence: (Duration::from_secs(90), Duration::from_secs(90)),
            report: ReportPolicy {
                mode: Mode::Encrypted,
                timeout: Duration::from_secs(10),
                attempts: 4,
                one_way: false,
            },
            outage: None,
            interval_s: 900,
            registration: Some(Duration::from_secs(86_400)),
            headend_title,
            device: DeviceConfig {
                passwords: [Password::new(b"MASTER", Groups::MASTER)].into(),
                switch,
                optical: c1218::Policy {
                    lockout: Some(c1218::Lockout {
                        attempts: LOCKOUT,
                        duration: Duration::from_secs(60),
                    }),
                    ..c1218::Policy::default()
                },
                vendor_key: Some(CmacKey::new(&VENDOR_KEY, &mut Work::default())),
            },
        };
        adapt(&mut config);
        let keys = |psk: &[u8; 16]| LongTermKeys::from_psk(psk, &mut Work::default());
        let identity = b"meter-1@ami.example".to_vec();
        let provisioning = Provisioning {
            identity: identity.clone(),
            keys: keys(&[7; 16]),
            title_arcs: [1, 1],
            switch_seed: 1,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut work = Work::default();
        let mut env = Env::new(Instant::ZERO, &mut rng, &mut work);
        let mut software = headend::Config {
            pana,
            eap: AuthenticatorConfig {
                identity_request: true,
                ..AuthenticatorConfig::default()
            },
            server_identity,
            session_lifetime: Duration::from_secs(5_400),
            keys: ukmf::Policy::default(),
            title: headend_title,
            mode_min: Mode::Encrypted,
            acceptance_window: Duration::from_secs(900),
            registration_period: Duration::from_secs(86_400),
            one_place: false,
            interval_s: 900,
            commands: headend::CommandPolicy::default(),
            requests: headend::RequestPolicy::default(),
        };
        adapt_headend(&mut software);
        let mut headend = Headend::new(Arc::new(software), &mut env);
        headend.subscribe(Subscription {
            identity,
            keys: keys(&psk_at_headend),
            title_arcs: [1, 1],
        });
        Self {
            meter: Meter::new(Arc::new(config), provisioning),
            headend,
            now: Instant::ZERO,
            rng,
            log: Vec::new(),
            meter_events: Vec::new(),
            headend_events: Vec::new(),
        }
    }

    fn meter(&mut self, act: impl FnOnce(&mut Meter, u32, &mut Env<'_>)) {
        let mut work = Work::default();
        let utc = UTC + self.now.as_secs() as u32;
        act(
            &mut self.meter,
            utc,
            &mut Env::new(self.now, &mut self.rng, &mut work),
        );
    }

    /// Takes the events of the meter; one that has stopped to start anew boots in no time.
    fn take_meter_events(&mut self) {
        while let Some(event) = self.meter.poll_event() {
            if matches!(event, MeterEvent::Restarting) {
                self.meter(|meter, utc, env| meter.restart(utc, env));
            }
            self.meter_events.push(event);
        }
    }

    fn up(&mut self, channel: Channel, octets: &mut [u8]) -> Result<(), Reject> {
        let mut work = Work::default();
        let utc = UTC + self.now.as_secs() as u32;
        let mut env = Env::new(self.now, &mut self.rng, &mut work);
        let source: SocketAddr = METER.parse().unwrap();
        self.headend
            .handle_datagram(channel, source, octets, utc, &mut env)
    }

    /// Exchanges datagrams until nobody has anything to say.
    fn exchange(&mut self) {
        let mut buffer = [0; 2_048];
        loop {
            self.take_meter_events();
            if let Some(sent) = self.meter.poll_transmit(&mut buffer) {
                self.log
                    .push((true, sent.channel, buffer[..sent.len].to_vec()));
                self.up(sent.channel, &mut buffer[..sent.len])
                    .expect("the head-end accepts");
                continue;
            }
            while let Some((rank, event)) = self.headend.poll_event() {
                assert_eq!(rank, 0);
                self.headend_events.push(event);
            }
            let Some(sent) = self.headend.poll_transmit(&mut buffer) else {
                break;
            };
            let meter: SocketAddr = METER.parse().unwrap();
            assert_eq!(sent.destination.ip(), meter.ip());
            self.log
                .push((false, sent.channel, buffer[..sent.len].to_vec()));
            let octets = &mut buffer[..sent.len];
            self.meter(|meter, utc, env| {
                meter
                    .handle_datagram(sent.channel, octets, utc, env)
                    .expect("the meter accepts");
            });
        }
    }

    /// Lets time pass, with both ends acting on their deadlines.
    fn advance(&mut self, until: Instant) {
        loop {
            let alarms = [
                Alarm::Session(0),
                Alarm::Session(1),
                Alarm::Subscriber(0),
                Alarm::Commands,
            ];
            let meter = self.meter.poll_timeout();
            let headend = alarms.map(|alarm| self.headend.deadline(alarm));
            let next = headend.into_iter().chain([meter]).flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            self.meter(|meter, utc, env| meter.handle_timeout(utc, env));
            for alarm in alarms {
                if self
                    .headend
                    .deadline(alarm)
                    .is_some_and(|at| at <= self.now)
                {
                    let mut work = Work::default();
                    let mut env = Env::new(self.now, &mut self.rng, &mut work);
                    self.headend.handle_timeout(alarm, &mut env);
                    let utc = UTC + self.now.as_secs() as u32;
                    if alarm == Alarm::Commands {
                        self.headend.handle_groups(utc, &mut env);
                    }
                }
            }
            self.exchange();
            self.command();
        }
        self.now = until;
    }

    /// Lets the head-end do what is due for orders to switches.
    fn command(&mut self) {
        let utc = UTC + self.now.as_secs() as u32;
        while let Some((rank, _)) = self.headend.next_command(self.now) {
            let mut work = Work::default();
            let mut env = Env::new(self.now, &mut self.rng, &mut work);
            self.headend.proceed_command(rank, utc, &mut env);
            self.exchange();
        }
    }

    fn authentications(&self) -> Vec<u32> {
        let key_id = |event: &MeterEvent| match event {
            MeterEvent::Authenticated { key_id, .. } => Some(*key_id),
            _ => None,
        };
        self.meter_events.iter().filter_map(key_id).collect()
    }

    fn delivered(&self) -> Vec<Interval> {
        let interval = |event: &HeadendEvent| match event {
            HeadendEvent::Interval(interval) => Some(*interval),
            _ => None,
        };
        self.headend_events.iter().filter_map(interval).collect()
    }
}

#[test]
fn a_meter_joins_registers_reports_and_rotates_its_key() {
    let mut pair = Pair::new([7; 16]);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    assert_eq!(pair.authentications(), [1]);
    assert!(pair.meter.is_open());
    let first_c1222 = pair
        .log
        .iter()
        .position(|(_, channel, _)| *channel == Channel::C1222);
    assert_eq!(
        first_c1222,
        Some(11),
        "eleven PANA datagrams come before anything else"
    );

    for number in 1..=8 {
        pair.advance(Instant::from_secs(900 * number));
        let interval = Interval {
            end_utc_s: UTC + 900 * number as u32,
            watt_hours: 100 + number as u32,
            status: 0,
        };
        pair.meter(|meter, utc, env| {
            meter.close_interval(interval);
            meter.report(utc, env);
        });
        pair.exchange();
        assert_eq!(pair.delivered().last(), Some(&interval));
    }
    // Two hours with a period of one hour: rotated at 1 h and at 2 h.
    assert_eq!(pair.authentications(), [1, 2, 3]);
    assert_eq!(pair.delivered().len(), 8);
    let ended = pair
        .meter_events
        .iter()
        .filter(|e| matches!(e, MeterEvent::KeyEnded(_)))
        .count();
    assert_eq!(
        ended, 1,
        "the first key is erased when its overlap is over, the second lives on"
    );
}

#[test]
fn nothing_but_pana_passes_before_success() {
    let mut pair = Pair::new([7; 16]);
    let mut message = *b"\x60\x05\xA8\x03\x02\x01\x01";
    assert_eq!(
        pair.up(Channel::C1222, &mut message),
        Err(Reject::AccessClosed)
    );
    pair.meter(|meter, utc, env| {
        let result = meter.handle_datagram(Channel::C1222, &mut message, utc, env);
        assert_eq!(result, Err(Reject::AccessClosed));
        meter.close_interval(Interval {
            end_utc_s: UTC,
            watt_hours: 1,
            status: 0,
        });
        meter.report(utc, env);
    });
    pair.exchange();
    assert!(pair.log.is_empty(), "a meter without a key reports nothing");
}

#[test]
fn a_wrong_psk_opens_nothing_and_is_tried_again() {
    let mut pair = Pair::new([8; 16]);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    let mut buffer = [0; 2_048];
    let mut refused = 0;
    for _ in 0..200 {
        while let Some(sent) = pair.meter.poll_transmit(&mut buffer) {
            refused += u32::from(pair.up(sent.channel, &mut buffer[..sent.len]).is_err());
        }
        while let Some(sent) = pair.headend.poll_transmit(&mut buffer) {
            let octets = &mut buffer[..sent.len];
            pair.meter(|meter, utc, env| {
                let _ = meter.handle_datagram(sent.channel, octets, utc, env);
            });
        }
        pair.now = pair
            .meter
            .poll_timeout()
            .expect("the meter never gives up for good");
        pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
    }
    assert!(!pair.meter.is_open());
    assert!(pair.authentications().is_empty());
    assert!(pair.meter.live_keys().next().is_none());
    assert!(refused > 0, "MAC_P does not verify");
}

#[test]
fn a_reboot_brings_a_new_session_and_erases_the_old_key_at_both_ends() {
    let mut pair = Pair::new([7; 16]);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    assert!(!pair.meter.is_open());
    assert!(pair.meter.live_keys().next().is_none());
    pair.now = Instant::from_secs(60);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    let mut buffer = [0; 2_048];
    let sent = pair.meter.poll_transmit(&mut buffer).unwrap();
    // This head-end follows RFC 5191 §5.5 to the letter: the old session has to expire first.
    let reject = pair.up(sent.channel, &mut buffer[..sent.len]).unwrap_err();
    assert_eq!(reject.name(), pana::Reject::MessageUnexpected.name());
}

mod groups;
mod han;
mod images;
mod metering;
mod notifications;
mod optical;
mod orders;
mod outage;
mod relays;
mod requests;
mod response;
mod sessions;
mod tables;
