//! The published results for one broadcast domain (Latré 2006 and others; ns-3 lr-wpan).

use super::super::ieee802154::{self, airtime, bit_error_rate};
use super::*;
use crate::rng::Purpose;

fn cell(nodes: usize, octets: usize, acknowledged: bool, traffic: Traffic) -> Cell {
    Cell {
        parameters: ieee802154::csma(acknowledged),
        nodes,
        airtime: airtime(octets),
        bits: 8 * (octets as u32 + 6),
        capture: Capture::Never,
        traffic,
    }
}

fn run(cell: &Cell, frames: u64) -> Counts {
    cell.run(
        frames,
        &mut Stream::new(5, cell.nodes as u32, Purpose::Contention),
    )
}

fn assert_within(what: &str, ours: f64, target: f64, relative: f64) {
    let error = (ours / target - 1.0).abs();
    assert!(
        error <= relative,
        "{what}: {ours}, target {target}, error {error}"
    );
}

#[test]
fn v05_a_single_sender_reaches_its_exact_throughput() {
    for (acknowledged, target) in [(false, 160.35), (true, 147.66)] {
        let counts = run(&cell(1, 127, acknowledged, Traffic::Saturated), 40_000);
        let kbps = counts.delivered as f64 * 127.0 * 8.0 / (counts.end.0 as f64 / 1e6);
        assert_within("kb/s", kbps, target, 0.005);
    }
}

/// Share of the frames that arrive without, and that are acknowledged with acknowledgements.
fn saturated(nodes: usize, capture: Capture) -> (f64, f64) {
    let run = |acknowledged| {
        let cell = Cell {
            capture,
            ..cell(nodes, 127, acknowledged, Traffic::Saturated)
        };
        run(&cell, 60_000)
    };
    let (plain, acknowledged) = (run(false), run(true));
    let share = acknowledged.acknowledged as f64 / acknowledged.offered as f64;
    (plain.delivery_ratio(), share)
}

#[test]
fn v06_v07_saturation_without_capture() {
    for (nodes, plain, acknowledged) in [(2, 0.781, 0.875), (5, 0.430, 0.510), (10, 0.207, 0.219)] {
        let ours = saturated(nodes, Capture::Never);
        assert_within("no ACK", ours.0, plain, 0.03);
        assert_within("ACK", ours.1, acknowledged, 0.04);
    }
}

#[test]
fn v08_v09_saturation_with_capture() {
    for (nodes, plain, acknowledged) in
        [(2, 0.8355, 0.8835), (5, 0.518, 0.5715), (10, 0.290, 0.3155)]
    {
        let ours = saturated(nodes, Capture::BySinr(bit_error_rate));
        assert_within("no ACK", ours.0, plain, 0.03);
        assert_within("ACK", ours.1, acknowledged, 0.04);
    }
}

/// Delivery ratio over many bursts in which every node has one frame.
fn burst(nodes: usize, acknowledged: bool, bursts: u32) -> f64 {
    let cell = cell(nodes, 100, acknowledged, Traffic::Burst);
    let delivered: u64 = (0..bursts)
        .map(|burst| {
            let mut stream = Stream::new(9, burst, Purpose::Contention);
            cell.run(nodes as u64, &mut stream).acknowledged
        })
        .sum();
    delivered as f64 / (f64::from(bursts) * nodes as f64)
}

#[test]
fn v10_answers_to_a_broadcast_collide() {
    for (nodes, target) in [(5, 0.84), (20, 0.27), (100, 0.046)] {
        assert_within("burst", burst(nodes, true, 4_000), target, 0.05);
    }
}

#[test]
fn v11_two_nodes_pick_the_same_slot_in_one_of_eight_bursts() {
    // Neighbouring slots do not collide: the later node hears the earlier one.
    let cell = cell(2, 100, false, Traffic::Burst);
    let collided: u64 = (0..20_000)
        .map(|burst| {
            cell.run(2, &mut Stream::new(9, burst, Purpose::Contention))
                .collisions
        })
        .sum();
    let first_stage = 1.0 - collided as f64 / 40_000.0;
    assert!((first_stage - 0.875).abs() < 0.01, "{first_stage}");
}

#[test]
fn v12_light_random_traffic_gets_through() {
    let traffic = Traffic::Poisson(Duration::from_secs(2));
    for (acknowledged, ratio, delay_ms) in [(false, 0.989, 5.3), (true, 0.9985, 6.2)] {
        let counts = run(&cell(50, 100, acknowledged, traffic), 60_000);
        assert_within("PDR", counts.delivery_ratio(), ratio, 0.01);
        // The published delay of an acknowledged frame ends with its acknowledgement.
        let ack_ms = if acknowledged { 0.544 } else { 0.0 };
        let delay = counts.delay_nanos as f64 / counts.delivered as f64 / 1e6 + ack_ms;
        assert_within("delay", delay, delay_ms, 0.05);
    }
}
