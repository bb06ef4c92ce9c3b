//! Random access, airtimes, frames and lossy hops.

use super::{Group, Outcome};
use crate::dist::gamma_of_mean_one;
use crate::link::contention::Table;
use crate::link::draws::Draws;
use crate::link::g3plc::{Band, ToneMode};
use crate::link::jamming::Noise;
use crate::link::phy::Phy;
use crate::link::rach::{Channel, Parameters};
use crate::link::sixlowpan::FrameProfile;
use crate::link::{Hop, ieee802154, sun_fsk};
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// Octets of the PCI of an authentication (RFC 5191 §7.1).
const INITIATION: usize = 16;
/// Octets of the ten PANA messages of an authentication after the PCI (RFC 5191 §4.1).
const MESSAGES: [usize; 10] = [40, 40, 56, 72, 64, 96, 84, 68, 92, 56];
/// Transmissions of a request (RFC 5191 §9: once, and REQ_MRC retransmissions).
const TRIES: i32 = 11;
/// What a frame takes on a hop, in seconds.
const FRAME_HOP_S: f64 = 0.01;
/// SUN FSK, whose frames carry every message whole.
const LONG_FRAMES: Phy = Phy::SunFsk(sun_fsk::Mode::Kbps50);

pub(super) fn outcomes() -> Vec<Outcome> {
    let groups = [
        uniform_access(),
        synchronised_access(),
        mesh_frames(),
        long_frames(),
        lossy_hops(),
        hop_model(),
        power_line(),
        power_line_rate(),
        power_line_capacity(),
    ];
    groups
        .into_iter()
        .flat_map(|group| group.outcomes)
        .collect()
}

fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

/// What a storm of modems on one random access channel comes to.
struct Storm {
    collision_probability: f64,
    success: f64,
    mean_transmissions: f64,
    mean_delay_ms: f64,
}

fn storm(
    seed: u64,
    modems: u32,
    window: Duration,
    mut arrival: impl FnMut(&mut Stream) -> f64,
) -> Storm {
    let parameters = Parameters::TR_37_868;
    let mut arrivals = Stream::new(seed, modems, Purpose::Timing);
    let mut channel = Channel::new(parameters, Stream::new(seed, modems, Purpose::Contention));
    for modem in 0..modems {
        let at = arrival(&mut arrivals) * window.as_nanos() as f64;
        channel.request(Time(at as u64), modem);
    }
    while let Some(time) = channel.poll_timeout() {
        channel.handle_timeout(time);
    }
    let (mut granted, mut transmissions, mut delay) = (0_u32, 0_u32, 0_u64);
    while let Some(access) = channel.poll_access() {
        granted += u32::from(access.granted);
        transmissions += access.transmissions;
        delay += access.ended.saturating_since(access.requested).as_nanos();
    }
    let opportunities = window.as_nanos() / parameters.opportunity_period.as_nanos();
    let preambles = opportunities * u64::from(parameters.preambles);
    Storm {
        collision_probability: channel.collided_preambles() as f64 / preambles as f64,
        success: f64::from(granted) / f64::from(modems),
        mean_transmissions: f64::from(transmissions) / f64::from(modems),
        mean_delay_ms: delay as f64 / f64::from(modems) / 1e6,
    }
}

/// Modems that arrive evenly within a minute.
fn uniform_access() -> Group {
    let mut group = Group::new("V13", "3GPP TR 37.868, traffic model 1", 0.03);
    for (modems, transmissions) in [(5_000, 1.43), (10_000, 1.45), (30_000, 1.50)] {
        let storm = storm(3, modems, Duration::from_secs(60), Stream::unit);
        group.add_within(
            format!("{modems} modems: access success"),
            1.0,
            storm.success,
            5e-4,
        );
        let what = format!("{modems} modems: preambles per access");
        group.add(what, transmissions, storm.mean_transmissions);
    }
    group
}

/// Beta(3, 4) as a ratio of gammas: all modems return within ten seconds of the power.
fn synchronised(stream: &mut Stream) -> f64 {
    let (a, b) = (
        3.0 * gamma_of_mean_one(3.0, stream),
        4.0 * gamma_of_mean_one(4.0, stream),
    );
    a / (a + b)
}

/// Modems that return together after a restoration.
fn synchronised_access() -> Group {
    let mut group = Group::new("V14", "3GPP TR 37.868, traffic model 2", 0.10);
    for (modems, collisions, transmissions, delay) in [
        (5_000, 0.004_5, 1.56, 29.06),
        (10_000, 0.019_8, 1.77, 34.65),
    ] {
        // One storm has only a few hundred collisions: take the mean of ten.
        let storms: Vec<_> = (0..10)
            .map(|seed| storm(seed, modems, Duration::from_secs(10), synchronised))
            .collect();
        let mean = |value: fn(&Storm) -> f64| storms.iter().map(value).sum::<f64>() / 10.0;
        let what = |what: &str| format!("{modems} modems: {what}");
        let collided = mean(|storm| storm.collision_probability);
        group.add_within(what("collision probability"), collisions, collided, 0.15);
        let sent = mean(|storm| storm.mean_transmissions);
        group.add_within(what("preambles per access"), transmissions, sent, 0.03);
        group.add(what("delay, ms"), delay, mean(|storm| storm.mean_delay_ms));
    }
    group
}

/// All eleven messages of an authentication.
fn authentication() -> impl Iterator<Item = usize> {
    [INITIATION].into_iter().chain(MESSAGES)
}

/// An authentication on a hop of a secured 2.4 GHz mesh.
fn mesh_frames() -> Group {
    let mut group = Group::new("V20", "6LoWPAN arithmetic (RFC 4944, RFC 6282)", 0.02);
    let profile = FrameProfile::SECURED_MESH;
    let frames: usize = authentication()
        .map(|octets| profile.frame_count(octets))
        .sum();
    group.add_within("frames of an authentication", 17.0, frames as f64, 0.0);
    let times = authentication()
        .flat_map(|octets| profile.frames(octets))
        .map(|psdu| millis(ieee802154::exchange_time(psdu)));
    group.add("O-QPSK, channel per hop, ms", 66.0, times.sum());
    group
}

/// An authentication on a hop of SUN FSK.
fn long_frames() -> Group {
    let mut group = Group::new("V21", "IEEE 802.15.4 SUN FSK arithmetic", 0.02);
    for (mode, rate, target) in [
        (sun_fsk::Mode::Kbps50, 50, 355.0),
        (sun_fsk::Mode::Kbps150, 150, 126.0),
    ] {
        let times = authentication()
            .flat_map(|octets| FrameProfile::SECURED_LONG_FRAME.frames(octets))
            .map(|psdu| millis(mode.exchange_time(psdu)));
        group.add(
            format!("{rate} kb/s, channel per hop, ms"),
            target,
            times.sum(),
        );
    }
    group
}

/// The wait after the `tries`-th transmission of a request without RAND, in seconds.
fn wait_s(tries: i32) -> f64 {
    2.0_f64.powi(tries - 1).min(30.0)
}

/// Failure probability and mean delay of a session over lossy hops (Ohba and Chasko, 2014).
///
/// Every frame of every hop is lost with probability p^4; a request and its answer have eleven
/// tries.
fn closed_form(phy: Phy, p: f64, hops: i32) -> (f64, f64) {
    let frame_hop = 1.0 - p.powi(4);
    let frames = MESSAGES.map(|octets| phy.frames().frame_count(octets) as i32);
    let (mut success, mut delay) = (1.0, 0.0);
    for pair in frames.chunks(2) {
        let lost = 1.0 - frame_hop.powi((pair[0] + pair[1]) * hops);
        success *= 1.0 - lost.powi(TRIES);
        delay += f64::from((pair[0] + pair[1]) * hops) * FRAME_HOP_S;
        delay += (1..TRIES)
            .map(|tries| lost.powi(tries) * wait_s(tries))
            .sum::<f64>();
    }
    (1.0 - success, delay)
}

/// The same by running the hop model: share of failed sessions and mean delay of the others.
fn simulated(phy: Phy, p: f64, hops: i32, sessions: u32) -> (f64, f64) {
    let (hop, quiet) = (Hop::new(phy), Table::none().at(0.0));
    let mut draws = Draws::numbered(22, hops as u64);
    let mut crosses = |octets: usize| {
        (0..hops).all(|_| {
            hop.serve(octets, 1.0 - p, &quiet, &Noise::default(), &mut draws)
                .loss
                .is_none()
        })
    };
    let (mut failed, mut delay) = (0_u32, 0.0);
    'sessions: for _ in 0..sessions {
        let mut session_delay = 0.0;
        for pair in MESSAGES.chunks(2) {
            let answered = (1..=TRIES).find(|_| crosses(pair[0]) && crosses(pair[1]));
            let Some(tries) = answered else {
                failed += 1;
                continue 'sessions;
            };
            let frames: usize = pair.iter().map(|&len| phy.frames().frame_count(len)).sum();
            session_delay += (frames as i32 * hops) as f64 * FRAME_HOP_S;
            session_delay += (1..tries).map(wait_s).sum::<f64>();
        }
        delay += session_delay;
    }
    let kept = f64::from(sessions - failed);
    (f64::from(failed) / f64::from(sessions), delay / kept)
}

const OHBA_CHASKO: &str = "Ohba and Chasko 2014, structure of the analysis";

fn lossy_hops() -> Group {
    let mut group = Group::new("V22", OHBA_CHASKO, 0.10);
    for (phy, p, hops, failure, delay) in [
        (Phy::OQpsk, 0.3, 10, 1.6e-6, 3.8),
        (LONG_FRAMES, 0.3, 10, 4.4e-9, 2.1),
        (Phy::OQpsk, 0.5, 3, 2.5e-3, 14.5),
        (LONG_FRAMES, 0.5, 3, 1.9e-5, 4.5),
    ] {
        let ours = closed_form(phy, p, hops);
        let case = format!("{}, loss {p}, {hops} hops, closed form", phy.name());
        group.add(format!("{case}: failure"), failure, ours.0);
        group.add(format!("{case}: delay, s"), delay, ours.1);
    }
    group
}

/// The same by Monte-Carlo, where failures are frequent enough to be seen.
fn hop_model() -> Group {
    let mut group = Group::new("V22", OHBA_CHASKO, 0.10);
    let (failure, delay) = simulated(Phy::OQpsk, 0.5, 3, 200_000);
    let case = format!("{}, loss 0.5, 3 hops, simulated", Phy::OQpsk.name());
    group.add(format!("{case}: failure"), 2.5e-3, failure);
    group.add(format!("{case}: delay, s"), 14.5, delay);
    for (phy, p, hops, sessions, target) in [
        (LONG_FRAMES, 0.5, 3, 100_000, 4.5),
        (Phy::OQpsk, 0.3, 10, 20_000, 3.8),
    ] {
        let (_, delay) = simulated(phy, p, hops, sessions);
        let case = format!("{}, loss {p}, {hops} hops, simulated", phy.name());
        group.add(format!("{case}: delay, s"), target, delay);
    }
    group
}

fn power_line() -> Group {
    let mut group = Group::new("V25", "ITU-T G.9903 physical layer", 0.01);
    for (mode, name, octets, target) in [
        (ToneMode::Robo, "ROBO", 133, 190.3),
        (ToneMode::Dbpsk, "DBPSK", 235, 92.95),
        (ToneMode::Dqpsk, "DQPSK", 235, 54.0),
    ] {
        let ours = millis(mode.frame_time(Band::CenelecA, octets));
        group.add(
            format!("CENELEC-A {name}, {octets} octets, ms"),
            target,
            ours,
        );
    }
    group
}

fn power_line_rate() -> Group {
    let mut group = Group::new("V26", "published maximum of G3-PLC, DQPSK", 0.05);
    let time = millis(ToneMode::Dqpsk.frame_time(Band::CenelecA, 235));
    group.add("CENELEC-A DQPSK, kb/s", 33.4, 235.0 * 8.0 / time);
    group
}

fn power_line_capacity() -> Group {
    let mut group = Group::new("V35", "ITU-T G.9903, 252 symbols", 0.0);
    let ours = ToneMode::Robo.psdu_max(Band::CenelecA);
    group.add("CENELEC-A ROBO, largest PSDU, octets", 133.0, ours as f64);
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_overrun_refuses_modems() {
        let storm = storm(3, 60_000, Duration::from_secs(10), synchronised);
        assert!(storm.success < 0.6, "{}", storm.success);
    }
}
