//! Segments: forwarding, queues, parents, power, and agreement with the frame level.

use super::super::csma::{Capture, Cell, Traffic};
use super::super::g3plc::{Band, ToneMode};
use super::super::ieee802154::bit_error_rate;
use super::super::jamming::Jammer;
use super::super::topology::{Edge, Place, Propagation, StreetGrid};
use super::*;
use crate::dist::exponential;
use crate::rng::Purpose;

/// Stations in a line, 100 m apart, each hearing the next one.
fn line(stations: u32, delivery: f64) -> Topology {
    Topology {
        places: (0..stations)
            .map(|station| Place {
                x_m: 100.0 * f64::from(station),
                y_m: 0.0,
            })
            .collect(),
        edges: (1..stations)
            .map(|b| Edge {
                a: b - 1,
                b,
                delivery,
            })
            .collect(),
        tones: Vec::new(),
    }
}

fn plan(phy: Phy, contention: Table) -> Arc<SegmentPlan> {
    Arc::new(SegmentPlan {
        hop: Hop::new(phy),
        channel: ChannelModel::steady(),
        contention: Arc::new(contention),
        queue_datagrams: 4,
        carrier_sense_m: 200.0,
    })
}

fn segment(topology: &Topology) -> Segment {
    let mut stream = Stream::new(1, 1, Purpose::Channel);
    Segment::new(plan(Phy::OQpsk, Table::none()), topology, &mut stream)
}

fn packet(from: u32, to: u32, token: u32) -> Packet {
    Packet {
        from: StationId(from),
        to: StationId(to),
        payload: 40,
        token,
    }
}

/// Runs until nothing is due before `end`; returns what became known.
fn run(segment: &mut Segment, end: Time) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        while let Some(outcome) = segment.poll_outcome() {
            outcomes.push(outcome);
        }
        match segment.poll_timeout() {
            Some(time) if time < end => segment.handle_timeout(time),
            _ => return outcomes,
        }
    }
}

/// Like `run`, with compromised stations that decide by `fate`.
fn run_with(
    segment: &mut Segment,
    end: Time,
    mut fate: impl FnMut(&Custody) -> Fate,
) -> (Vec<Outcome>, Vec<Held>) {
    let (mut outcomes, mut held) = (Vec::new(), Vec::new());
    while let Some(time) = segment.poll_timeout().filter(|time| *time < end) {
        segment.handle_timeout(time);
        while let Some(custody) = segment.poll_custody() {
            held.extend(segment.resume(time, custody, fate(&custody)));
            segment.handle_timeout(time);
        }
        outcomes.extend(core::iter::from_fn(|| segment.poll_outcome()));
    }
    (outcomes, held)
}

/// One frame of 107 octets with its acknowledgement and interframe space.
const HOP_US: u64 = (6 + 107) * 32 + 192 + 352 + 640;

#[test]
fn a_datagram_is_stored_and_forwarded_in_both_directions() {
    let mut segment = segment(&line(4, 1.0));
    for (from, to) in [(3, 0), (0, 3)] {
        segment.send(Time::ZERO, packet(from, to, 7));
        let outcomes = run(&mut segment, Time::FAR_FUTURE);
        let expected = Outcome {
            packet: packet(from, to, 7),
            at: Time(3 * HOP_US * 1_000),
            result: Ok(()),
            hops: 3,
            effort: Effort {
                transmissions: 3,
                frames: 3,
                octets: 3 * 107,
                airtime: Duration::from_micros(3 * ((6 + 107) * 32 + 352)),
                jammed_by: None,
            },
        };
        assert_eq!(outcomes, [expected]);
    }
    assert_eq!(segment.counts().transmissions, 6);
}

#[test]
fn neighbours_talk_without_the_root() {
    let mut segment = segment(&line(4, 1.0));
    segment.send(Time::ZERO, packet(3, 2, 1));
    segment.send(Time::ZERO, packet(2, 3, 2));
    let hops: Vec<_> = run(&mut segment, Time::FAR_FUTURE)
        .iter()
        .map(|o| o.hops)
        .collect();
    assert_eq!(hops, [1, 1]);
}

#[test]
fn stations_of_two_branches_talk_through_the_root() {
    let mut topology = line(3, 1.0);
    topology.places.push(Place {
        x_m: -100.0,
        y_m: 0.0,
    });
    topology.edges.push(Edge {
        a: 0,
        b: 3,
        delivery: 1.0,
    });
    let mut segment = segment(&topology);
    segment.send(Time::ZERO, packet(2, 3, 1));
    let outcomes = run(&mut segment, Time::FAR_FUTURE);
    assert_eq!((outcomes[0].result, outcomes[0].hops), (Ok(()), 3));
}

#[test]
fn a_queue_holds_what_the_plan_says_and_keeps_its_order() {
    let mut segment = segment(&line(2, 1.0));
    for token in 0..7 {
        segment.send(Time::ZERO, packet(1, 0, token));
    }
    let outcomes = run(&mut segment, Time::FAR_FUTURE);
    let refused: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.result == Err(Cause::QueueFull))
        .map(|outcome| outcome.packet.token)
        .collect();
    assert_eq!(refused, [5, 6], "one is being sent and four wait");
    let arrivals: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_ok())
        .map(|outcome| (outcome.packet.token, outcome.at.0 / 1_000))
        .collect();
    let expected: Vec<_> = (0..5)
        .map(|token| (token, u64::from(token + 1) * HOP_US))
        .collect();
    assert_eq!(arrivals, expected);
}

#[test]
fn delivery_over_hops_is_the_product_of_the_hops() {
    let mut segment = segment(&line(4, 0.5));
    let datagrams = 40_000_u32;
    let mut delivered = 0;
    for token in 0..datagrams {
        segment.send(Time::from_secs(u64::from(token)), packet(3, 0, token));
        let outcomes = run(&mut segment, Time::FAR_FUTURE);
        delivered += u32::from(outcomes[0].result.is_ok());
    }
    let share = f64::from(delivered) / f64::from(datagrams);
    let theory = (1.0 - 0.5_f64.powi(4)).powi(3);
    assert!(
        (share / theory - 1.0).abs() < 0.01,
        "{share}, theory {theory}"
    );
}

#[test]
fn a_station_finds_another_way_when_its_relay_loses_power() {
    // 3 reaches the root through 1, or through 2 with a slightly worse link.
    let mut topology = line(2, 1.0);
    topology.places.resize(4, Place::default());
    topology.edges.extend([
        Edge {
            a: 0,
            b: 2,
            delivery: 0.95,
        },
        Edge {
            a: 1,
            b: 3,
            delivery: 1.0,
        },
        Edge {
            a: 2,
            b: 3,
            delivery: 0.95,
        },
    ]);
    let mut segment = segment(&topology);
    segment.send(Time::ZERO, packet(3, 0, 0));
    assert_eq!(run(&mut segment, Time::FAR_FUTURE)[0].result, Ok(()));
    segment.set_power(Time::from_secs(1), StationId(1), false);
    let mut results = Vec::new();
    for token in 0..10 {
        segment.send(Time::from_secs(10 + token), packet(3, 0, token as u32));
        results.push(run(&mut segment, Time::FAR_FUTURE)[0].result);
    }
    assert_eq!(results[0], Err(Cause::Channel));
    assert_eq!(results[9], Ok(()), "{results:?}");
    assert_eq!(segment.tree().parent(3).map(|(parent, _)| parent), Some(2));
    assert_eq!(segment.counts().parent_switches, 1);
}

#[test]
fn what_a_station_holds_is_lost_with_its_power() {
    let mut segment = segment(&line(3, 1.0));
    for token in 0..3 {
        segment.send(Time::ZERO, packet(2, 0, token));
    }
    segment.set_power(Time(1_000), StationId(2), false);
    segment.send(Time(2_000), packet(2, 0, 3));
    segment.send(Time(2_000), packet(0, 2, 4));
    let outcomes = run(&mut segment, Time::FAR_FUTURE);
    let down = outcomes
        .iter()
        .filter(|o| o.result == Err(Cause::StationDown))
        .count();
    assert_eq!(down, 4);
    assert_eq!(
        outcomes[4].result,
        Err(Cause::Channel),
        "nobody acknowledges"
    );
    segment.set_power(Time::from_secs(1), StationId(2), true);
    segment.send(Time::from_secs(1), packet(2, 0, 5));
    assert_eq!(run(&mut segment, Time::FAR_FUTURE)[0].result, Ok(()));
}

#[test]
fn a_link_with_a_faster_tone_mode_takes_less_of_the_line() {
    let phy = Phy::G3Plc(Band::CenelecA, ToneMode::Robo);
    let airtime = |tones: &[ToneMode]| {
        let topology = Topology {
            tones: tones.to_vec(),
            ..line(3, 1.0)
        };
        let mut stream = Stream::new(1, 1, Purpose::Channel);
        let mut segment = Segment::new(plan(phy, Table::none()), &topology, &mut stream);
        segment.send(Time::ZERO, packet(2, 0, 1));
        assert_eq!(run(&mut segment, Time::FAR_FUTURE)[0].result, Ok(()));
        segment.domains()[0].airtime()
    };
    let frame = |mode: ToneMode| mode.frame_time(Band::CenelecA, 107) + Band::CenelecA.ack_time();
    let (robo, fast) = (frame(ToneMode::Robo), frame(ToneMode::Dqpsk));
    assert_eq!(airtime(&[]), robo + robo);
    assert_eq!(airtime(&[ToneMode::Dqpsk, ToneMode::Robo]), fast + robo);
}

#[test]
fn without_a_way_there_is_no_route() {
    let mut topology = line(2, 1.0);
    topology.places.push(Place {
        x_m: 9_000.0,
        y_m: 0.0,
    });
    let mut segment = segment(&topology);
    for (from, to) in [(2, 0), (0, 2), (1, 9), (9, 0), (1, 1)] {
        segment.send(Time::ZERO, packet(from, to, 0));
        let outcomes = run(&mut segment, Time::FAR_FUTURE);
        assert_eq!(outcomes[0].result, Err(Cause::NoRoute), "{from} to {to}");
    }
}

#[test]
fn a_strangers_traffic_does_not_change_the_luck_of_others() {
    let fates = |stranger: bool| {
        let mut segment = segment(&line(5, 0.6));
        let mut fates = Vec::new();
        for second in 0..2_000 {
            let now = Time::from_secs(second);
            if stranger && second % 3 == 0 {
                segment.send(Time(now.0), packet(3, 0, u32::MAX));
                run(&mut segment, Time(now.0 + 500_000_000));
            }
            segment.send(Time(now.0 + 500_000_000), packet(4, 0, second as u32));
            fates.extend(run(&mut segment, Time::FAR_FUTURE).iter().map(|o| o.result));
        }
        fates
    };
    assert_eq!(fates(false), fates(true));
}

#[test]
fn a_busy_domain_delays_and_loses() {
    let capture = Capture::BySinr(bit_error_rate);
    let plan = plan(Phy::OQpsk, Phy::OQpsk.contention(capture));
    let star = Topology {
        places: vec![Place::default(); 41],
        edges: (1..41)
            .map(|b| Edge {
                a: 0,
                b,
                delivery: 1.0,
            })
            .collect(),
        tones: Vec::new(),
    };
    let run_with = |interval: Duration| {
        let mut stream = Stream::new(1, 1, Purpose::Channel);
        let mut segment = Segment::new(Arc::clone(&plan), &star, &mut stream);
        let (mut delivered, mut delay, mut now) = (0_u32, 0, Time::ZERO);
        for token in 0..20_000 {
            now = now + interval;
            let mut outcomes = run(&mut segment, now);
            segment.send(now, packet(1 + token % 40, 0, token));
            outcomes.extend(run(&mut segment, now));
            for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
                delivered += 1;
                let sent = interval.as_nanos() * u64::from(outcome.packet.token + 1);
                delay += outcome.at.0 - sent;
            }
        }
        let utilisation = segment.domains()[0].utilisation(now);
        (
            utilisation,
            f64::from(delivered) / 20_000.0,
            delay as f64 / f64::from(delivered),
        )
    };
    let light = run_with(Duration::from_millis(200));
    let heavy = run_with(Duration::from_micros(6_000));
    assert!(
        (light.0 - 0.02).abs() < 0.01 && light.1 > 0.999,
        "{light:?}"
    );
    assert!(heavy.0 > 0.55 && heavy.1 < 0.97, "{heavy:?}");
    assert!(heavy.2 > 1.2 * light.2, "{heavy:?}");
}

#[test]
fn links_that_vary_make_stations_change_their_parents_and_keep_delivering() {
    let grid = StreetGrid {
        meters: 150,
        lot_m: 20.0,
        block_m: 120.0,
        scatter_m: 2.0,
    };
    let mut stream = Stream::new(5, 1, Purpose::Topology);
    let places = grid.places(&mut stream);
    let topology = Propagation::SUBURB_2_4_GHZ.connect(places, &mut stream);
    let plan = SegmentPlan {
        channel: ChannelModel::varying(),
        ..(*plan(Phy::OQpsk, Table::none())).clone()
    };
    let trajectory = || {
        let mut stream = Stream::new(5, 1, Purpose::Channel);
        let mut segment = Segment::new(Arc::new(plan.clone()), &topology, &mut stream);
        let mut outcomes = Vec::new();
        for tick in 0..30_000_u32 {
            let now = Time(u64::from(tick) * 500_000_000);
            outcomes.extend(run(&mut segment, now));
            segment.send(now, packet(1 + tick % 150, 0, tick));
        }
        outcomes.extend(run(&mut segment, Time::FAR_FUTURE));
        (outcomes, segment.counts())
    };
    let (outcomes, counts) = trajectory();
    let delivered = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_ok())
        .count();
    assert_eq!(outcomes.len(), 30_000);
    assert!(delivered > 28_500, "{delivered}");
    assert!(counts.parent_switches > 100, "{counts:?}");
    assert_eq!(trajectory(), (outcomes, counts), "the same again");
}

/// Share delivered and mean delay in milliseconds of both levels at a mean interval per node.
fn both_levels(interval_ms: u64) -> [(f64, f64); 2] {
    const NODES: u32 = 50;
    let interval = Duration::from_millis(interval_ms);
    let capture = Capture::BySinr(bit_error_rate);
    let mut stream = Stream::new(8, 1, Purpose::Contention);
    let cell = Cell {
        parameters: Phy::OQpsk.csma(),
        nodes: NODES as usize,
        airtime: Phy::OQpsk.airtime(107),
        bits: 8 * 113,
        capture,
        traffic: Traffic::Poisson(interval),
    };
    let counts = cell.run(40_000, &mut stream);
    let delay_ms = counts.delay_nanos as f64 / counts.delivered as f64 / 1e6;
    let frames = (counts.delivery_ratio(), delay_ms);

    let star = Topology {
        places: vec![Place::default(); NODES as usize + 1],
        edges: (1..=NODES)
            .map(|b| Edge {
                a: 0,
                b,
                delivery: 1.0,
            })
            .collect(),
        tones: Vec::new(),
    };
    let plan = SegmentPlan {
        queue_datagrams: 1_000,
        ..(*plan(Phy::OQpsk, Phy::OQpsk.contention(capture))).clone()
    };
    let mut segment = Segment::new(Arc::new(plan), &star, &mut stream);
    let (mut now, mut sent, mut delivered, mut delay) = (Time::ZERO, Vec::new(), 0_u32, 0);
    for token in 0..40_000 {
        let gap = exponential(&mut stream) * interval.as_nanos() as f64;
        now = now + Duration::from_nanos(gap as u64 / u64::from(NODES));
        let mut outcomes = run(&mut segment, now);
        let from = 1 + stream.below(u64::from(NODES)) as u32;
        sent.push(now);
        segment.send(now, packet(from, 0, token));
        outcomes.extend(run(&mut segment, now));
        for outcome in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
            delivered += 1;
            delay += outcome
                .at
                .saturating_since(sent[outcome.packet.token as usize])
                .as_nanos();
        }
    }
    // A message ends with its acknowledgement and the space after it, a frame with its last bit.
    let delay_ms = delay as f64 / f64::from(delivered) / 1e6 - 1.184;
    [frames, (f64::from(delivered) / 40_000.0, delay_ms)]
}

#[test]
fn messages_fare_like_frames_in_one_collision_domain() {
    for interval_ms in [5_000, 2_000, 1_000, 700] {
        let [frames, messages] = both_levels(interval_ms);
        let close =
            (frames.0 - messages.0).abs() < 0.01 && (messages.1 / frames.1 - 1.0).abs() < 0.10;
        assert!(
            close,
            "{interval_ms} ms: frames {frames:?}, messages {messages:?}"
        );
    }
}

/// A town in which everybody sends at once.
fn busy_town() -> Segment {
    let places = StreetGrid {
        meters: 40,
        lot_m: 40.0,
        block_m: 160.0,
        scatter_m: 0.0,
    }
    .places(&mut Stream::new(1, 1, Purpose::Topology));
    let shadows = &mut Stream::new(1, 2, Purpose::Topology);
    let topology = Propagation::SUBURB_2_4_GHZ.connect(places, shadows);
    let mut segment = segment(&topology);
    for _ in 0..2 {
        for station in 1..=40 {
            segment.send(Time::ZERO, packet(station, 0, station));
            segment.send(Time::ZERO, packet(0, station, 100 + station));
        }
    }
    segment
}

#[test]
fn a_station_that_forwards_everything_leaves_no_trace() {
    let mut honest = busy_town();
    let expected = run(&mut honest, Time::FAR_FUTURE);
    let mut watched = busy_town();
    for station in 1..=40 {
        watched.compromise(StationId(station));
        watched.listen(StationId(station));
    }
    let mut decisions = 0;
    let (outcomes, _) = run_with(&mut watched, Time::FAR_FUTURE, |_| {
        decisions += 1;
        Fate::Forward
    });
    assert!(decisions > 20, "{decisions}");
    assert_eq!(outcomes.len(), expected.len());
    let key = |outcome: &Outcome| (outcome.at, outcome.packet.token, outcome.hops);
    let sorted = |mut outcomes: Vec<Outcome>| {
        outcomes.sort_by_key(key);
        outcomes
    };
    assert_eq!(sorted(outcomes), sorted(expected));
    assert_eq!(watched.counts(), honest.counts());
}

#[test]
fn a_station_drops_or_holds_what_it_forwards_and_nothing_else() {
    let mut segment = segment(&line(4, 1.0));
    segment.compromise(StationId(2));
    let packets = [
        packet(3, 0, 1),
        packet(2, 0, 2),
        packet(0, 2, 3),
        packet(0, 3, 4),
    ];
    for packet in packets {
        segment.send(Time::ZERO, packet);
    }
    let mut asked = Vec::new();
    let (outcomes, held) = run_with(&mut segment, Time::FAR_FUTURE, |custody| {
        assert_eq!(custody.at, StationId(2));
        asked.push(custody.packet.token);
        if custody.packet.token == 1 {
            Fate::Drop
        } else {
            Fate::Hold
        }
    });
    asked.sort_unstable();
    assert_eq!(asked, [1, 4], "not its own, nor what is for it");
    let result = |token: u32| {
        let outcome = outcomes
            .iter()
            .find(|outcome| outcome.packet.token == token);
        outcome.map(|outcome| outcome.result)
    };
    assert_eq!(
        result(1),
        Some(Err(Cause::Channel)),
        "as if it had been lost"
    );
    assert_eq!((result(2), result(3)), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(result(4), None, "still held");

    let later = Time::from_secs(60);
    assert_eq!(Held::of(held[0].payload()), held[0]);
    segment.release(later, held[0]);
    let outcomes = run(&mut segment, Time::FAR_FUTURE);
    assert_eq!(outcomes.len(), 1);
    let hop = Duration::from_micros(HOP_US);
    assert_eq!((outcomes[0].at, outcomes[0].result), (later + hop, Ok(())));
}

#[test]
fn a_station_hears_its_neighbours_and_no_others() {
    let mut segment = segment(&line(5, 1.0));
    segment.listen(StationId(2));
    for station in 1..=4 {
        segment.send(Time::ZERO, packet(station, 0, station));
    }
    run(&mut segment, Time::FAR_FUTURE);
    let mut heard: Vec<u32> = core::iter::from_fn(|| segment.poll_heard())
        .map(|heard| heard.packet.token)
        .collect();
    heard.sort_unstable();
    // Datagram 1 is sent by 1; 2 by 2 and 1; 3 by 3, 2 and 1; 4 by 4, which it does not hear.
    assert_eq!(heard, [1, 2, 2, 3, 3, 3, 4, 4, 4]);
}

#[test]
fn a_jammer_blocks_those_in_reach_and_its_end_frees_them() {
    let jammer = Jammer {
        attacker: 7,
        start: Time::from_secs(10),
        stop: Time::from_secs(20),
        burst: Duration::from_secs(1),
        period: Duration::from_secs(1),
    };
    let sent_at = |seconds, from, to| {
        let mut segment = segment(&line(6, 1.0));
        segment.jam(StationId(1), jammer);
        segment.send(Time::from_secs(seconds), packet(from, to, 1));
        let outcome = run(&mut segment, Time::FAR_FUTURE)[0];
        (outcome.result, outcome.effort.jammed_by)
    };
    assert_eq!(sent_at(9, 1, 0), (Ok(()), None));
    let busy = (Err(Cause::ChannelAccess), Some(7));
    assert_eq!(
        sent_at(10, 1, 0),
        busy,
        "it hears the jammer and waits in vain"
    );
    assert_eq!(
        sent_at(15, 3, 0),
        (Err(Cause::Channel), Some(7)),
        "2 hears it, 3 does not"
    );
    assert_eq!(sent_at(15, 5, 4), (Ok(()), None), "out of reach");
    assert_eq!(sent_at(20, 1, 0), (Ok(()), None));
}
