//! What displays show and how energy management systems answer.

use std::vec;

use super::*;

fn hems(sheddable_permille: u16, takes_part: bool) -> Role {
    Role::Hems(Hems::new(HemsConfig {
        sheddable_permille,
        takes_part,
    }))
}

#[test]
fn a_demand_event_is_shown_answered_and_carried_out() {
    let roles = vec![display(), hems(600, true), hems(600, false)];
    let mut house = House::joined(roles);
    let start = house.utc_s() + 600;
    house.coordinator.announce(DemandEvent {
        number: 7,
        start_utc_s: start,
        minutes: 30,
        reduction_percent: 50,
    });
    house.run(Duration::from_secs(10));
    let answer = |accepted, reduction_w| EventAnswer {
        number: 7,
        accepted,
        reduction_w,
    };
    // Half of 60 % of 720 W.
    assert_eq!(house.answers, [answer(true, 216), answer(false, 0)]);
    let shed = |device: usize, at: u32| match house.devices[device].role() {
        Role::Hems(hems) => hems.shed_permille(at),
        Role::Display(_) => unreachable!("a display sheds nothing"),
    };
    assert_eq!(
        [start - 1, start, start + 1_799, start + 1_800].map(|at| shed(1, at)),
        [0, 300, 300, 0]
    );
    assert_eq!(shed(2, start), 0);
    let Role::Display(shown) = house.devices[0].role() else {
        unreachable!("the first device is a display");
    };
    assert!(shown.event(start).is_some() && shown.event(start + 1_800).is_none());
}

#[test]
fn a_text_waits_until_the_device_is_back() {
    let mut house = House::joined(vec![display()]);
    house.deaf = vec![0];
    house
        .coordinator
        .say(Text::new(1, "Rate change tomorrow").unwrap());
    house.run(Duration::from_secs(20));
    house.deaf.clear();
    house.run(Duration::from_secs(20));
    let Role::Display(shown) = house.devices[0].role() else {
        unreachable!("the device is a display");
    };
    assert_eq!(shown.text().unwrap().text(), "Rate change tomorrow");
    assert!(Text::new(1, "").is_none() && Text::new(1, &"x".repeat(65)).is_none());
}

#[test]
fn the_trend_is_that_of_the_register_even_across_a_gap() {
    let mut house = House::joined(vec![display()]);
    house.run(HOUR.scaled(1, 2));
    house.devices[0].power_off();
    house.run(HOUR.scaled(3, 1));
    house.authenticate(2);
    house.power_on_all();
    house.run(HOUR.scaled(1, 2));
    let Role::Display(shown) = house.devices[0].role() else {
        unreachable!("the device is a display");
    };
    let hours = shown.hours().watt_hours();
    let first = house.updates[0].1;
    let last = house.updates.last().unwrap().1;
    let registered = u64::from((last - START_UTC_S) / 5 - (first - START_UTC_S) / 5);
    assert_eq!(hours.iter().sum::<u64>(), registered);
    assert_eq!(shown.days().watt_hours().iter().sum::<u64>(), registered);
    // 720 W: each of the hours without updates has what the register says they had.
    assert!(
        hours[20..23].iter().all(|wh| (719..=721).contains(wh)),
        "{hours:?}"
    );
    assert_eq!(shown.cost_micros(), 110 * registered);
    assert_eq!(shown.peak_w(), Some(720));
}
