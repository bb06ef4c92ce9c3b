//! Sessions over a network that loses, repeats, reorders and damages datagrams.

use proptest::prelude::*;

use super::*;

/// Runs one session and checks what must hold at any time.
fn run(pair: &mut Pair, time: Duration) {
    let end = pair.now + time;
    while pair.next().is_some_and(|at| at <= end) {
        pair.step();
        let both_open = pair.pac.state() == PacState::Open && pair.paa_state() == PaaState::Open;
        if both_open && pair.pac.session_id() == session_id(pair) {
            assert!(pair.agrees(), "both ends are open under different keys");
        }
    }
    pair.now = end;
}

fn session_id(pair: &Pair) -> u32 {
    pair.sessions
        .first()
        .and_then(|session| pair.paa.session(*session))
        .map_or(0, PaaSession::session_id)
}

fn configurations() -> impl Strategy<Value = Config> {
    (
        prop::sample::select(vec![SHA1, SHA256, CMAC]),
        any::<[bool; 3]>(),
        8_u16..=32,
    )
        .prop_map(
            |(pair, [piggyback, optimized, stateless], nonce_len)| Config {
                optimized,
                stateless,
                replace_on_new_pci: true,
                ..config(&[pair], piggyback, nonce_len)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A session is established, or fails within FAILED_SESS_TIMEOUT; then the next one starts.
    #[test]
    fn faults_delay_but_do_not_confuse(
        config in configurations(),
        identity_request in any::<bool>(),
        seed in any::<u64>(),
        lost in 0_u32..25,
        repeated in 0_u32..25,
        delayed in 0_u32..25,
        damaged in 0_u32..10,
    ) {
        let mut pair = Pair::seeded(&config, &config, identity_request, seed);
        pair.faults = Faults { lost, repeated, delayed, damaged };
        let mut attempts = 0;
        while pair.pac.state() != PacState::Open {
            prop_assert!(attempts < 20, "no success in {attempts} attempts");
            attempts += 1;
            pair.start();
            while !matches!(pair.pac.state(), PacState::Open | PacState::Closed) {
                run(&mut pair, Duration::from_secs(1));
                prop_assert!(pair.now < Instant::from_secs(20_000));
            }
        }
        // Every request that follows succeeds or ends the session cleanly.
        for round in 0..4 {
            match round {
                0 => pair.pac_ping(),
                1 => pair.pac_reauthenticate(),
                2 => pair.paa_reauthenticate_all(),
                _ => pair.pac_terminate(),
            }
            run(&mut pair, Duration::from_secs(400));
            prop_assert!(
                matches!(pair.pac.state(), PacState::Open | PacState::Closed),
                "{:?} after round {round}",
                pair.pac.state()
            );
        }
        prop_assert_eq!(pair.pac.state(), PacState::Closed);
        pair.faults = Faults { lost: 100, ..Faults::default() };
        run(&mut pair, LIFETIME);
        prop_assert_eq!(pair.paa.session_count(), 0, "nothing outlives its lifetime");
        prop_assert_eq!(pair.paa.half_open_count(), 0);
    }
}

impl Pair {
    fn paa_reauthenticate_all(&mut self) {
        for session in self.sessions.clone() {
            self.paa.reauthenticate(session, paa_env!(self));
        }
        self.drain();
    }
}
