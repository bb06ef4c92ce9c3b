//! One hop of a datagram: frames, retries and what they cost.

use super::contention::Contention;
use super::draws::Draws;
use super::g3plc::ToneMode;
use super::jamming::Noise;
use super::phy::Phy;
use super::sixlowpan::FrameProfile;
use crate::time::Duration;

/// Why a datagram did not get over a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopLoss {
    /// The channel was never idle (macMaxCSMABackoffs).
    ChannelAccess,
    /// A frame was repeated as often as allowed without an acknowledgement.
    Retries,
}

/// What it took to hand a datagram over one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// How long the sender was busy with it.
    pub duration: Duration,
    /// Airtime of all frames and acknowledgements.
    pub airtime: Duration,
    /// Frames that were sent, repetitions included.
    pub transmissions: u32,
    /// Frames that the datagram needs.
    pub frames: u32,
    /// Octets of all transmissions.
    pub octets: u32,
    /// Why it was lost, if it was.
    pub loss: Option<HopLoss>,
    /// The attacker whose jammer destroyed a frame or kept one from being sent, if any.
    pub jammed_by: Option<u32>,
}

/// A sender at message level.
///
/// Every frame waits for the channel, may collide, may be lost on the channel, and is repeated; the
/// loss of one frame ends the datagram (RFC 4944 §5.3 has no repair).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Physical layer.
    pub phy: Phy,
    /// Headers and fragmentation.
    pub frames: FrameProfile,
    /// Retries of a frame.
    pub frame_retries_max: u8,
}

impl Hop {
    /// A sender with the default frames and retries of its physical layer.
    pub const fn new(phy: Phy) -> Self {
        Self {
            phy,
            frames: phy.frames(),
            frame_retries_max: phy.frame_retries_max(),
        }
    }

    /// The same sender in another tone mode; nothing changes unless it is on a power line.
    pub const fn with_tone(self, tone: ToneMode) -> Self {
        match self.phy {
            Phy::G3Plc(band, _) => Self {
                frame_retries_max: self.frame_retries_max,
                ..Self::new(Phy::G3Plc(band, tone))
            },
            Phy::OQpsk | Phy::SunFsk(_) => self,
        }
    }

    /// Sends a UDP payload of `payload` octets; the channel delivers `delivery` of the frames.
    pub fn serve(
        &self,
        payload: usize,
        delivery: f64,
        contention: &Contention,
        noise: &Noise<'_>,
        draws: &mut Draws,
    ) -> Service {
        let parameters = self.phy.csma();
        let ack = parameters.ack_airtime.unwrap_or(Duration::ZERO);
        let acknowledged = parameters.turnaround + ack;
        let success = delivery * (1.0 - contention.collision);
        let frames = self.frames.frames(payload);
        let mut service = Service {
            duration: Duration::ZERO,
            airtime: Duration::ZERO,
            transmissions: 0,
            frames: frames.clone().count() as u32,
            octets: 0,
            loss: None,
            jammed_by: None,
        };
        for psdu in frames {
            let airtime = self.phy.airtime(psdu);
            let mut attempt = 0;
            service.loss = loop {
                // Uniform with the mean of the table: what a single backoff looks like.
                let access = 2.0 * draws.unit() * contention.access_nanos;
                service.duration = service.duration + Duration::from_nanos(access as u64);
                let blocker = noise.blocks_access(service.duration);
                service.jammed_by = blocker.or(service.jammed_by);
                if draws.chance(contention.access_failure) || blocker.is_some() {
                    break Some(HopLoss::ChannelAccess);
                }
                let jammer = noise.destroys(service.duration, airtime, acknowledged);
                service.jammed_by = jammer.or(service.jammed_by);
                service.transmissions += 1;
                service.octets += psdu as u32;
                service.airtime = service.airtime + airtime;
                service.duration = service.duration + airtime;
                if draws.chance(success) && jammer.is_none() {
                    service.airtime = service.airtime + ack;
                    service.duration = service.duration + acknowledged;
                    break None;
                }
                service.duration = service.duration + parameters.ack_wait;
                if attempt == self.frame_retries_max {
                    break Some(HopLoss::Retries);
                }
                attempt += 1;
            };
            if service.loss.is_some() {
                break;
            }
            service.duration = service.duration + parameters.interframe_space;
        }
        service
    }
}

#[cfg(test)]
mod tests {
    use super::super::ieee802154;
    use super::super::sixlowpan::tests::AUTHENTICATION;
    use super::*;

    const NO_CONTENTION: Contention = Contention {
        utilisation: 0.0,
        access_failure: 0.0,
        collision: 0.0,
        access_nanos: 0.0,
    };

    #[test]
    fn a_perfect_hop_takes_the_airtime_of_the_frames() {
        let hop = Hop::new(Phy::OQpsk);
        let services = AUTHENTICATION.map(|octets| {
            hop.serve(
                octets,
                1.0,
                &NO_CONTENTION,
                &Noise::default(),
                &mut Draws::numbered(1, 1),
            )
        });
        let frames: u32 = services.iter().map(|service| service.transmissions).sum();
        let octets: u32 = services.iter().map(|service| service.octets).sum();
        assert_eq!((frames, octets), (17, 1_673));
        let airtime: u64 = services
            .iter()
            .map(|service| service.airtime.as_nanos())
            .sum();
        let turnarounds = 17 * ieee802154::TURNAROUND.as_nanos();
        assert!(((airtime + turnarounds) as f64 / 66.0e6 - 1.0).abs() < 0.02);
    }

    #[test]
    fn frames_are_lost_with_the_probability_of_all_their_attempts_failing() {
        let hop = Hop::new(Phy::OQpsk);
        let mut draws = Draws::numbered(3, 1);
        let datagrams = 200_000;
        let (mut lost, mut transmissions) = (0, 0);
        for _ in 0..datagrams {
            let service = hop.serve(40, 0.5, &NO_CONTENTION, &Noise::default(), &mut draws);
            lost += u32::from(service.loss == Some(HopLoss::Retries));
            transmissions += service.transmissions;
        }
        let (lost, mean) = (
            f64::from(lost) / f64::from(datagrams),
            f64::from(transmissions) / f64::from(datagrams),
        );
        assert!(
            (lost / 0.0625 - 1.0).abs() < 0.03,
            "p^4 = 0.0625, got {lost}"
        );
        assert!(
            (mean / 1.875 - 1.0).abs() < 0.01,
            "1 + p + p^2 + p^3, got {mean}"
        );
    }

    #[test]
    fn a_busy_channel_refuses_before_anything_is_sent() {
        let busy = Contention {
            access_failure: 1.0,
            ..NO_CONTENTION
        };
        let hop = Hop::new(Phy::OQpsk);
        let service = hop.serve(
            96,
            1.0,
            &busy,
            &Noise::default(),
            &mut Draws::numbered(1, 1),
        );
        assert_eq!(service.loss, Some(HopLoss::ChannelAccess));
        assert_eq!((service.transmissions, service.frames), (0, 2));
    }
}
