//! One-way reports: sent once, under a key, and forgotten.

use super::*;
use crate::c1222::ResponseControl;
use crate::c1222::acse::Qualifier;
use crate::c1222::apdu::Apdu;

impl Pair {
    fn one_way() -> Self {
        let switch = SwitchPolicy::default();
        let mut pair = Self::with_config([7; 16], switch, |config| config.report.one_way = true);
        pair.meter(|meter, utc, env| meter.power_on(utc, env));
        pair.exchange();
        pair
    }

    fn close(&mut self, numbers: core::ops::RangeInclusive<u32>) {
        self.now = Instant::from_secs(900 * u64::from(*numbers.end()));
        self.meter(|meter, utc, env| {
            for number in numbers {
                meter.close_interval(Interval {
                    end_utc_s: UTC + 900 * number,
                    watt_hours: number,
                    status: 0,
                });
            }
            meter.report(utc, env);
        });
    }
}

#[test]
fn a_notification_wants_no_response_and_gets_none() {
    let mut pair = Pair::one_way();
    let before = pair.log.len();
    pair.close(1..=1);
    pair.exchange();
    let [(true, Channel::C1222, sent)] = &pair.log[before..] else {
        panic!("one message up, nothing down: {:?}", &pair.log[before..]);
    };
    let apdu = Apdu::parse(sent).unwrap();
    let control = apdu.control();
    assert_eq!(control.response(), ResponseControl::Never);
    assert_eq!(control.mode(), Mode::Encrypted);
    assert!(control.has_ed_class(), "required in one-way messages");
    assert_eq!(apdu.header().qualifier, Some(Qualifier::NOTIFICATION));
    assert_eq!(pair.delivered().len(), 1);

    // Heard again, it is refused.
    let mut again = sent.clone();
    let replayed = pair.up(Channel::C1222, &mut again);
    assert_eq!(replayed.unwrap_err().name(), "replay");
}

#[test]
fn what_is_lost_is_not_sent_again() {
    let mut pair = Pair::one_way();
    pair.close(1..=1);
    let mut buffer = [0; 2_048];
    let sent = pair.meter.poll_transmit(&mut buffer).expect("a report");
    assert_eq!(sent.channel, Channel::C1222);
    pair.advance(Instant::from_secs(1_700));
    assert!(pair.delivered().is_empty());
    pair.close(2..=2);
    pair.exchange();
    let numbers: Vec<u32> = pair.delivered().iter().map(|i| i.watt_hours).collect();
    assert_eq!(numbers, [2]);
}

#[test]
fn more_than_fits_into_one_message_follows() {
    let mut pair = Pair::one_way();
    pair.now = Instant::from_secs(60);
    pair.meter(|meter, utc, env| {
        // A day and an hour that nobody has been told about.
        for number in 1..=100 {
            meter.close_interval(Interval {
                end_utc_s: UTC - 90_000 + 900 * number,
                watt_hours: number,
                status: 0,
            });
        }
        meter.report(utc, env);
    });
    pair.exchange();
    assert_eq!(pair.delivered().len(), 40);
    for _ in 0..2 {
        pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
        pair.exchange();
    }
    assert_eq!(pair.delivered().len(), 100);
}
