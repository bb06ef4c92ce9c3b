//! Key rotation with the meter's re-authentication, replay, forgery and erasure.

use std::vec;

use super::*;

#[test]
fn a_rotation_loses_no_update() {
    let mut house = House::joined(vec![display()]);
    let before = house.updates.len();
    for kid32 in 2..12 {
        house.authenticate(kid32);
        house.run(Duration::from_secs(600));
    }
    let count = house.updates_since(before, 0);
    assert!((1_200..=1_212).contains(&count), "{count} in 6,000 s");
    assert_eq!(house.rejects, vec![]);
    assert_eq!(house.confirmed.len(), 11);
    assert_eq!(house.end_reasons(), vec![EndReason::Superseded; 10]);
    for key in &house.ended {
        let overlap = key.ended.unwrap().saturating_since(key.superseded.unwrap());
        assert_eq!(
            overlap,
            Policy::default().overlap,
            "receive-only for the overlap"
        );
    }
}

#[test]
fn updates_go_on_under_the_old_key_until_the_new_one_is_confirmed() {
    let mut house = House::joined(vec![display(), display()]);
    house.deaf = vec![0];
    house.authenticate(2);
    house.run(Duration::from_secs(50));
    assert_eq!(house.confirmed.last(), Some(&(1, 0x12)));
    assert!(
        house.coordinator.keys(0).is_usable(),
        "the old key is still in use"
    );
    house.deaf.clear();
    let before = house.updates.len();
    house.run(Duration::from_secs(120));
    assert!((24..=26).contains(&house.updates_since(before, 0)));
    assert_eq!(house.devices[0].key().unwrap().key_id, 0x12);
    assert_eq!(house.lost, 0);
}

#[test]
fn a_device_that_missed_the_overlap_gets_the_new_key_later() {
    let mut house = House::joined(vec![display()]);
    house.deaf = vec![0];
    house.authenticate(2);
    house.run(Duration::from_secs(400));
    assert!(
        !house.coordinator.keys(0).is_usable(),
        "nothing is sent under an old key"
    );
    house.deaf.clear();
    house.run(Duration::from_secs(120));
    assert!(house.devices[0].is_joined());
    assert_eq!(house.devices[0].key().unwrap().key_id, 0x12);
}

#[test]
fn rotations_on_a_bad_channel_leave_no_device_behind() {
    let mut house = House::joined(vec![display(), display()]);
    house.loss_percent = 25;
    for kid32 in 2..20 {
        house.authenticate(kid32);
        house.run(Duration::from_secs(900));
        for device in &house.devices {
            assert_eq!(device.key().unwrap().key_id, 0x10 + kid32 as u8);
        }
    }
    assert!(
        house
            .rejects
            .iter()
            .all(|(_, reject)| *reject == Reject::Duplicate)
    );
}

#[test]
fn keys_end_with_the_session_and_at_their_expiry() {
    let mut house = House::joined(vec![display()]);
    house
        .coordinator
        .erase(EndReason::SessionExpired, house.now);
    let before = house.updates.len();
    house.run(Duration::from_secs(120));
    assert_eq!(house.updates_since(before, 0), 0);
    assert_eq!(house.end_reasons(), [EndReason::SessionExpired]);

    let mut house = House::joined(vec![display()]);
    house.run(HOUR + Duration::from_secs(60));
    assert_eq!(house.end_reasons(), [EndReason::Expired]);
    assert!(!house.devices[0].is_joined());
}

#[test]
fn nothing_recorded_is_accepted_twice() {
    let mut house = House::joined(vec![display()]);
    house.authenticate(2);
    house.run(Duration::from_secs(60));
    let recorded = house.air.clone();
    let updates = house.updates.len();
    for sent in recorded.iter().filter(|sent| sent.psdu.len() > 30) {
        assert!(sent.at < house.now);
        let mut env = Env::new(house.now, &mut house.rng, &mut house.work);
        let result = if sent.from.is_some() {
            house.coordinator.handle_frame(&sent.psdu, &mut env)
        } else {
            house.devices[0].handle_frame(&sent.psdu, 15, &mut env)
        };
        let reject = result.unwrap_err();
        assert!(
            matches!(reject, Reject::Replay | Reject::Duplicate),
            "{reject:?}: {sent:?}"
        );
    }
    house.drain();
    assert_eq!(house.updates.len(), updates);
    assert_eq!(house.devices[0].key().unwrap().key_id, 0x12);
}

#[test]
fn an_old_transport_does_not_work_on_a_device_that_lost_its_keys() {
    let mut house = House::joined(vec![display()]);
    let transport = house
        .air
        .iter()
        .find(|sent| sent.psdu.len() == 68)
        .unwrap()
        .clone();
    house.devices[0].power_off();
    house.power_on_all();
    house
        .coordinator
        .erase(EndReason::SessionExpired, house.now);
    house.run(Duration::from_secs(8));
    let mut env = Env::new(house.now, &mut house.rng, &mut house.work);
    let result = house.devices[0].handle_frame(&transport.psdu, 15, &mut env);
    assert!(
        matches!(result, Err(Reject::Replay | Reject::Duplicate)),
        "{result:?}"
    );
    assert!(!house.devices[0].is_joined());
}

#[test]
fn an_altered_or_forged_frame_is_refused_and_its_counter_does_not_count() {
    let mut house = House::joined(vec![display()]);
    let before = house.updates.len();
    let mut update = house.air.last().unwrap().clone();
    assert_eq!(update.transmit.content, Content::Usage);
    // A frame counter far ahead would lock the meter out if it were believed.
    update.psdu[16..20].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0x7F]);
    let body = update.psdu.len() - frame::FCS_LEN;
    let check = frame::fcs(&update.psdu[..body]).to_le_bytes();
    update.psdu[body..].copy_from_slice(&check);
    let mut env = Env::new(house.now, &mut house.rng, &mut house.work);
    let result = house.devices[0].handle_frame(&update.psdu, 15, &mut env);
    assert_eq!(result, Err(Reject::BadMic));
    house.run(Duration::from_secs(60));
    assert!(
        house.updates_since(before, 0) >= 11,
        "the meter is still heard"
    );
}

#[test]
fn what_is_not_secured_well_enough_is_refused() {
    let mut house = House::joined(vec![display()]);
    let update = house.air.last().unwrap().clone();
    let level = |code: u8, psdu: &[u8]| {
        let mut psdu = psdu.to_vec();
        psdu[15] = psdu[15] & !7 | code;
        let body = psdu.len() - frame::FCS_LEN;
        let check = frame::fcs(&psdu[..body]).to_le_bytes();
        psdu[body..].copy_from_slice(&check);
        psdu
    };
    let mut env = Env::new(house.now, &mut house.rng, &mut house.work);
    let mut handle = |psdu: &[u8]| house.devices[0].handle_frame(psdu, 15, &mut env);
    let lower = handle(&level(1, &update.psdu));
    assert_eq!(lower, Err(Reject::SecurityLevel));
    let unauthentic = handle(&level(4, &update.psdu));
    assert!(matches!(unauthentic, Err(Reject::Malformed(_))));
}
