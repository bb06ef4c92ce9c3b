//! The home area network of a meter follows its network access.

use super::*;
use crate::crypto::Secret;
use crate::han::{self, Coordinator, CoordinatorEvent, Enrolment};
use crate::ukmf::{EndReason, KeyContext, KeySummary, Purpose};

fn with_han() -> Pair {
    let mut pair = Pair::new([7; 16]);
    let enrolment = |slot| Enrolment {
        address: slot,
        key: Secret::new([slot as u8; 16]),
    };
    let coordinator = Coordinator::new(
        han::Policy::default(),
        0x0021_4700_0000_0001,
        1,
        &[enrolment(1), enrolment(2)],
        &mut Work::default(),
    );
    pair.meter.equip_han(coordinator);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair
}

fn keys(pair: &Pair) -> Vec<KeySummary> {
    let han = pair.meter.han().unwrap();
    han.live_keys().copied().collect()
}

fn ended(pair: &mut Pair) -> Vec<Option<EndReason>> {
    let han = pair.meter.han_mut().unwrap();
    core::iter::from_fn(|| han.poll_event())
        .map(|event| match event {
            CoordinatorEvent::KeyEnded(summary) => summary.reason,
            other => panic!("nothing else happens without devices: {other:?}"),
        })
        .collect()
}

#[test]
fn every_authentication_gives_every_device_a_link_key_of_purpose_03() {
    let mut pair = with_han();
    assert_eq!(keys(&pair), []);
    pair.exchange();
    let session_id = pair
        .meter_events
        .iter()
        .find_map(|event| match event {
            MeterEvent::Authenticated { session_id, .. } => Some(*session_id),
            _ => None,
        })
        .unwrap();
    let first = keys(&pair);
    let title = reporter::absolute(&reporter::title([1, 1]));
    for (slot, key) in first.iter().enumerate() {
        assert_eq!((key.kid32, key.key_id), (1, 0x11));
        assert_eq!(key.purpose, Purpose::HanLink);
        let context = KeyContext {
            purpose: Purpose::HanLink,
            index: slot as u16,
            key_id: 0x11,
            ap_title: title.get().content(),
        };
        // The head-end has the same session id and computes the same names and keys.
        let name = context.name(session_id.as_bytes(), &mut Work::default());
        assert_eq!(key.name, name);
    }
    assert_eq!(first.len(), 2);
    // The C12.22 key is another one, under the same id.
    let c1222 = pair.meter.live_keys().next().unwrap();
    assert_eq!((c1222.key_id, c1222.purpose), (0x11, Purpose::C1222Unicast));

    pair.advance(Instant::from_secs(3_700));
    assert!(keys(&pair).iter().all(|key| key.kid32 == 2));
    assert_eq!(ended(&mut pair), [Some(EndReason::Superseded); 2]);
}

#[test]
fn a_loss_of_power_erases_the_link_keys() {
    let mut pair = with_han();
    pair.exchange();
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    assert_eq!(keys(&pair), []);
    assert_eq!(ended(&mut pair), [Some(EndReason::Reboot); 2]);
}
