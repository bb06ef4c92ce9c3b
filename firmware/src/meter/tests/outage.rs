//! Last gasps and restoration messages, from the mains to the head-end.

use super::*;
use crate::c1222::notice::Notice;

/// Two last gasps within seconds, and a restoration half a minute after the return, sharp.
const PROMPT: OutagePolicy = OutagePolicy {
    debounce: Duration::from_secs(3),
    gasps: 2,
    spread: Duration::from_secs(4),
    momentary: Duration::from_secs(60),
    restoration: (Duration::from_secs(30), Duration::from_secs(30)),
};

fn joined(adapt: impl FnOnce(&mut Config)) -> Pair {
    let mut pair = Pair::with_config([7; 16], SwitchPolicy::default(), |config| {
        config.outage = Some(PROMPT);
        adapt(config);
    });
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    pair
}

impl Pair {
    fn notices(&self) -> Vec<Notice> {
        let notice = |event: &HeadendEvent| match event {
            HeadendEvent::Notice(notice) => Some(*notice),
            _ => None,
        };
        self.headend_events.iter().filter_map(notice).collect()
    }

    fn lose(&mut self) -> u32 {
        self.meter(|meter, utc, env| meter.mains_lost(utc, env));
        UTC + self.now.as_secs() as u32
    }

    /// The times of the messages that the meter sends until `until`, in seconds.
    fn sends(&mut self, until: Instant) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(next) = self.meter.poll_timeout().filter(|next| *next <= until) {
            let before = self.log.len();
            self.advance(next);
            let sent = &self.log[before..];
            times.extend(sent.iter().map(|_| next.as_secs()));
        }
        times
    }
}

#[test]
fn a_meter_says_twice_that_power_is_gone_and_wants_no_answer() {
    let mut pair = joined(|_| {});
    pair.advance(Instant::from_secs(100));
    let down_utc_s = pair.lose();
    let before = pair.log.len();
    let times = pair.sends(Instant::from_secs(120));
    assert_eq!(times.len(), 2, "no more than the two last gasps: {times:?}");
    assert!(times.iter().all(|at| (103..=107).contains(at)), "{times:?}");
    assert!(
        pair.log[before..].iter().all(|(up, _, _)| *up),
        "one way: no answer comes"
    );
    let notice = Notice {
        down_utc_s,
        up_utc_s: None,
    };
    assert_eq!(pair.notices(), [notice, notice]);
}

#[test]
fn a_meter_that_goes_dark_before_the_debounce_says_nothing() {
    let mut pair = joined(|_| {});
    pair.lose();
    pair.now += Duration::from_secs(2);
    pair.meter(|meter, _, env| meter.halt(env));
    assert_eq!(pair.meter.poll_timeout(), None, "nothing is left to do");
    assert_eq!(pair.notices(), []);
}

#[test]
fn a_momentary_outage_is_counted_and_nothing_is_said() {
    let mut pair = joined(|_| {});
    pair.lose();
    pair.now += Duration::from_millis(2_900);
    pair.meter(|meter, utc, env| meter.mains_back(utc, env));
    let times = pair.sends(Instant::from_secs(600));
    assert!(times.is_empty(), "the session goes on: {times:?}");
    assert_eq!(pair.meter.momentary_outages(), 1);
    assert_eq!(pair.authentications().len(), 1);
}

#[test]
fn a_restoration_is_confirmed_under_the_key_of_the_new_session() {
    let mut pair = joined(|config| config.nonvolatile_session = true);
    pair.advance(Instant::from_secs(100));
    let down_utc_s = pair.lose();
    pair.now += Duration::from_secs(1);
    pair.meter(|meter, _, env| meter.halt(env));
    pair.now = Instant::from_secs(190);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    let sends = pair.sends(Instant::from_secs(300));
    // The pause is 30 s sharp; a request and its response.
    assert_eq!(sends, [220, 220]);
    let notice = Notice {
        down_utc_s,
        up_utc_s: Some(down_utc_s + 90),
    };
    assert_eq!(pair.notices(), [notice]);
    assert_eq!(pair.meter.momentary_outages(), 0);
}

#[test]
fn a_last_gasp_that_is_sent_again_is_refused() {
    let mut pair = joined(|_| {});
    pair.lose();
    let before = pair.log.len();
    pair.sends(Instant::from_secs(20));
    let mut replayed = pair.log[before].2.clone();
    let refused = pair.up(Channel::C1222, &mut replayed);
    assert_eq!(refused.unwrap_err().name(), "replay");
    assert_eq!(pair.notices().len(), 2);
}
