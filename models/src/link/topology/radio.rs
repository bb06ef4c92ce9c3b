//! Who hears whom by radio: path loss, shadowing, noise.

use std::collections::BTreeMap;

use super::{Edge, Place, Topology};
use crate::dist::normal;
use crate::link::ieee802154::{from_db, packet_error_rate};
use crate::link::sun_fsk;
use crate::rng::Stream;

/// A log-distance path loss with log-normal shadowing.
#[derive(Clone, Copy, Debug)]
pub struct Propagation {
    /// Loss over the first metre in dB.
    pub first_metre_db: f64,
    /// Path loss exponent.
    pub exponent: f64,
    /// Standard deviation of the shadowing in dB, drawn once for each pair.
    pub shadowing_db: f64,
    /// Power of the sender in dBm.
    pub power_dbm: f64,
    /// Noise in the bandwidth of the receiver, its noise figure included, in dBm.
    pub noise_dbm: f64,
    /// Error rate by linear signal to noise ratio and octets.
    pub packet_error_rate: fn(f64, usize) -> f64,
}

/// Links that deliver less are left out.
const DELIVERY_MIN: f64 = 0.1;
/// Frame by which links are judged, in octets.
const FRAME_OCTETS: usize = 100;
/// Shadowing beyond this many deviations does not make a link.
const SHADOWING_DEVIATIONS: f64 = 2.0;

impl Propagation {
    /// O-QPSK at 2.4 GHz from meter to meter in a suburb: 10 dBm, noise figure 10 dB.
    pub const SUBURB_2_4_GHZ: Self = Self {
        first_metre_db: 40.2,
        exponent: 3.5,
        shadowing_db: 6.0,
        power_dbm: 10.0,
        noise_dbm: -101.0,
        packet_error_rate,
    };

    /// SUN FSK at 915 MHz: 27 dBm, 50 kb/s in 200 kHz, noise figure 8 dB.
    pub const SUBURB_915_MHZ: Self = Self {
        first_metre_db: 31.7,
        exponent: 3.5,
        shadowing_db: 6.0,
        power_dbm: 27.0,
        // -174 dBm/Hz in 50 kHz, so that the ratio is that of bit energy to noise density.
        noise_dbm: -119.0,
        packet_error_rate: sun_fsk::packet_error_rate,
    };

    /// Signal to noise ratio in dB over `metres` without shadowing.
    pub fn snr_db(&self, metres: f64) -> f64 {
        let loss = self.first_metre_db + 10.0 * self.exponent * libm::log10(metres.max(1.0));
        self.power_dbm - loss - self.noise_dbm
    }

    /// Probability that a frame and its acknowledgement get through at `snr_db`.
    pub fn delivery(&self, snr_db: f64) -> f64 {
        1.0 - (self.packet_error_rate)(from_db(snr_db), FRAME_OCTETS)
    }

    /// The distance in metres beyond which two stations never hear each other.
    pub fn range_m(&self) -> f64 {
        let lucky = SHADOWING_DEVIATIONS * self.shadowing_db;
        let hears = |metres| self.delivery(self.snr_db(metres) + lucky) >= DELIVERY_MIN;
        let (mut near, mut far) = (1.0, 100_000.0);
        for _ in 0..40 {
            let middle = 0.5 * (near + far);
            *(if hears(middle) { &mut near } else { &mut far }) = middle;
        }
        near
    }

    /// Links all stations that hear each other.
    ///
    /// The shadowing of a pair is a draw of its own, whatever other pairs there are.
    pub fn connect(&self, places: Vec<Place>, stream: &mut Stream) -> Topology {
        let range = self.range_m();
        let cell_of = |place: Place| {
            (
                libm::floor(place.x_m / range) as i64,
                libm::floor(place.y_m / range) as i64,
            )
        };
        let mut cells: BTreeMap<(i64, i64), Vec<u32>> = BTreeMap::new();
        for (station, &place) in (0..).zip(&places) {
            cells.entry(cell_of(place)).or_default().push(station);
        }
        let mut edges = Vec::new();
        for (a, &place) in (0..).zip(&places) {
            let (x, y) = cell_of(place);
            let around = (x - 1..=x + 1).flat_map(|x| (y - 1..=y + 1).map(move |y| (x, y)));
            let mut near: Vec<u32> = around
                .filter_map(|cell| cells.get(&cell))
                .flatten()
                .copied()
                .filter(|&b| a < b && place.distance_m(places[b as usize]) <= range)
                .collect();
            near.sort_unstable();
            for b in near {
                let shadow = normal(stream).clamp(-SHADOWING_DEVIATIONS, SHADOWING_DEVIATIONS);
                let snr = self.snr_db(place.distance_m(places[b as usize]));
                let delivery = self.delivery(snr + shadow * self.shadowing_db);
                if delivery >= DELIVERY_MIN {
                    edges.push(Edge { a, b, delivery });
                }
            }
        }
        Topology {
            places,
            edges,
            tones: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn ranges_are_those_of_the_link_budget() {
        // 0 dBm and -95 dBm at 2.45 GHz: 67 m, 37 m and 23 m for n = 3, 3.5 and 4.
        for (exponent, metres) in [(3.0, 67.0), (3.5, 37.0), (4.0, 23.0)] {
            let budget = Propagation {
                exponent,
                power_dbm: 0.0,
                ..Propagation::SUBURB_2_4_GHZ
            };
            let received = budget.snr_db(metres) + budget.noise_dbm;
            assert!(
                (received + 95.0).abs() < 0.7,
                "{received} dBm at {metres} m"
            );
        }
    }

    #[test]
    fn stations_within_range_hear_each_other_and_others_do_not() {
        let propagation = Propagation {
            shadowing_db: 0.0,
            ..Propagation::SUBURB_2_4_GHZ
        };
        let range = propagation.range_m();
        let place = |x_m| Place { x_m, y_m: 0.0 };
        let places = vec![
            place(0.0),
            place(0.99 * range),
            place(-0.5 * range),
            place(3.0 * range),
        ];
        let mut stream = Stream::new(1, 1, Purpose::Topology);
        let topology = propagation.connect(places, &mut stream);
        let pairs: Vec<_> = topology.edges.iter().map(|edge| (edge.a, edge.b)).collect();
        assert_eq!(pairs, [(0, 1), (0, 2)]);
    }
}
