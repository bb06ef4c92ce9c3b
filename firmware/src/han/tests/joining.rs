//! Scan, association, device authentication, strangers, and power failures.

use std::vec;

use super::*;
use crate::ukmf::Purpose;

#[test]
fn a_device_joins_and_is_updated_every_five_seconds() {
    let mut house = House::joined(vec![display(), display()]);
    assert_eq!(house.confirmed.len(), 2);
    let before = house.updates.len();
    house.run(HOUR.scaled(1, 6));
    for device in 0..2 {
        let count = house.updates_since(before, device);
        assert!((119..=121).contains(&count), "{count} updates in 10 min");
    }
    assert_eq!(house.rejects, vec![]);
    let keys: Vec<_> = house.coordinator.live_keys().collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| key.purpose == Purpose::HanLink));
    assert_ne!(keys[0].name, keys[1].name, "each device has its own key");
    let device = house.devices[0].key().unwrap();
    assert_eq!(
        (device.key_id, device.rx.messages),
        (0x11, keys[0].tx.messages)
    );
}

#[test]
fn frames_of_a_join_in_order() {
    let house = House::joined(vec![display()]);
    let home = house.air.iter().filter(|sent| sent.transmit.channel == 15);
    let frames: Vec<_> = home
        .map(|sent| (sent.from.is_some(), sent.transmit.content, sent.psdu.len()))
        .take(9)
        .collect();
    let (joining, key) = (Content::Joining, Content::Key);
    assert_eq!(
        frames,
        vec![
            (true, joining, 10),
            (false, joining, 22),
            (true, joining, 25),
            (true, joining, 24),
            (false, joining, 27),
            (true, key, 53),
            (false, key, 68),
            (true, key, 34),
            (false, Content::Usage, 45),
        ]
    );
    // Four channels before its own, 138 ms each.
    let asked = house.air.iter().filter(|sent| sent.psdu.len() == 10);
    assert_eq!(asked.count(), 5);
}

#[test]
fn no_key_is_handed_out_before_the_meter_has_authenticated() {
    let mut house = House::new(vec![display()]);
    house.power_on_all();
    house.run(Duration::from_secs(20));
    assert!(!house.devices[0].is_joined());
    let transports = house.air.iter().filter(|sent| sent.from.is_none());
    assert!(
        transports
            .clone()
            .all(|sent| sent.transmit.content == Content::Joining)
    );
    house.authenticate(1);
    house.run(Duration::from_secs(1));
    assert!(house.devices[0].is_joined(), "the request was remembered");
}

#[test]
fn a_stranger_is_denied_and_one_with_a_wrong_key_gets_nothing() {
    let mut house = House::joined(vec![display()]);
    let policy = Policy::default();
    let stranger = Enrolment {
        address: 0xBAD0_0000_0000_0001,
        ..enrolment(0)
    };
    let impostor = Enrolment {
        key: Secret::new([9; 16]),
        ..enrolment(0)
    };
    house.devices[0].power_off();
    for device in [stranger, impostor] {
        let device = Device::new(policy, &device, display(), &mut house.work);
        house.devices.push(device);
    }
    house.power_on_all();
    house.devices[0].power_off();
    house.run(Duration::from_secs(50));
    assert!(!house.devices[1].is_joined() && !house.devices[2].is_joined());
    let rejected = |wanted| house.rejects.iter().any(|(_, reject)| *reject == wanted);
    assert!(rejected(Reject::NotEnrolled) && rejected(Reject::BadMic));
}

#[test]
fn a_device_that_lost_power_rejoins_under_a_key_of_its_own() {
    let mut house = House::joined(vec![display()]);
    let first = *house.coordinator.live_keys().next().unwrap();
    house.devices[0].power_off();
    house.run(Duration::from_secs(120));
    let scanned = house.air.len();
    house.power_on_all();
    let before = house.updates.len();
    house.run(Duration::from_secs(20));
    assert!(house.devices[0].is_joined());
    assert!(house.updates_since(before, 0) >= 3);
    let asked = house.air[scanned..]
        .iter()
        .filter(|sent| sent.psdu.len() == 10);
    assert_eq!(
        asked.count(),
        1,
        "it looks on the channel of its meter first"
    );
    assert_eq!(house.end_reasons(), [EndReason::Reboot]);
    let second = *house.coordinator.live_keys().next().unwrap();
    assert_eq!(second.key_id, first.key_id);
    assert_eq!((first.index, second.index), (0x0000, 0x0100));
    assert_ne!(
        first.name, second.name,
        "no counter is used twice under a key"
    );
}

#[test]
fn a_meter_that_lost_power_hands_out_keys_of_its_next_authentication() {
    let mut house = House::joined(vec![display()]);
    let now = house.now;
    house.coordinator.power_off();
    house.coordinator.erase(EndReason::Reboot, now);
    house.run(Duration::from_secs(30));
    let before = house.updates.len();
    house.coordinator.power_on();
    house.run(Duration::from_secs(10));
    house.authenticate(2);
    house.run(Duration::from_secs(60));
    assert!(house.devices[0].is_joined());
    assert!(house.updates_since(before, 0) >= 11);
    assert_eq!(house.devices[0].key().unwrap().key_id, 0x12);
}

#[test]
fn a_device_out_of_reach_asks_again_and_then_looks_for_its_meter() {
    let mut house = House::joined(vec![display()]);
    house.deaf = vec![0];
    house.run(Duration::from_secs(600));
    assert!(house.lost >= 1 && !house.devices[0].is_joined());
    house.deaf.clear();
    house.run(Duration::from_secs(60));
    assert!(house.devices[0].is_joined());
}

#[test]
fn joining_succeeds_on_a_bad_channel() {
    for seed in 0..20 {
        let mut house = House::new(vec![display(), display(), display()]);
        house.rng = ChaCha8Rng::seed_from_u64(seed);
        house.loss_percent = 30;
        house.authenticate(1);
        house.power_on_all();
        house.run(Duration::from_secs(900));
        let joined = house.devices.iter().all(Device::is_joined);
        assert!(joined, "seed {seed}");
    }
}
