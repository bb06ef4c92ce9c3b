//! Firmware updates of the timeline: the image, its waves, and how it is sent.

use std::sync::Arc;

use firmware::Duration;
use firmware::c1219::image::Manifest;
use firmware::c1222::service::Password;
use firmware::crypto::{CmacKey, Digest, Work};
use firmware::headend::{Class, Persistence, Rollout, Task};
use models::requests::{RequestPlan, Wave};
use models::rng::{Purpose, Stream};
use models::time::Time;
use reports::label;

use super::record::choice;
use super::schema::{Action, Scenario};
use super::switching::{OPERATOR, OPERATOR_ID};
use super::units::{Quantity, Ratio};

/// How long to wait for the answer to a message with blocks.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after a message that was not answered.
const PAUSE: Duration = Duration::from_secs(60);
/// RFC 8036 §4.2, class C5: 98 % of the devices in seven days.
const DEADLINE: Duration = Duration::from_secs(7 * 86_400);

choice! {
    /// What is wrong with a firmware image.
    pub enum Defect {
        /// Nothing.
        Sound,
        /// An octet differs from the image that the vendor has signed.
        Altered,
        /// Somebody else than the vendor has signed it.
        Unsigned,
    }
}

/// The key under which the vendor signs, where the timeline has an update.
pub fn vendor_key(scenario: &Scenario) -> Option<CmacKey> {
    let update = |action: &Action| matches!(action, Action::FirmwareUpdate { .. });
    let any = scenario.timeline.iter().any(|step| update(&step.action));
    any.then(|| key(scenario.seed, b"vendor"))
}

fn key(seed: u64, holder: &[u8]) -> CmacKey {
    let mut work = Work::default();
    let mut digest = Digest::new();
    digest.update(holder, &mut work);
    digest.update(&seed.to_be_bytes(), &mut work);
    let octets = digest.finish(&mut work);
    let (key, _) = octets.as_chunks::<16>();
    CmacKey::new(&key[0], &mut work)
}

/// A version as a meter counts it: major in the upper octet, minor in the lower.
pub fn version(text: &str) -> Option<u16> {
    let (major, minor) = text.split_once('.')?;
    let part = |text: &str| {
        let digits = text.chars().all(|character| character.is_ascii_digit());
        text.parse::<u8>().ok().filter(|_| digits)
    };
    Some(u16::from_be_bytes([part(major)?, part(minor)?]))
}

/// The waves of an update as shares of the meters it is for; one for all without any.
pub fn waves(waves: &[Ratio]) -> Vec<Ratio> {
    if waves.is_empty() {
        vec![Ratio::ONE]
    } else {
        waves.to_vec()
    }
}

/// The requests of an update at `at`, one plan for each wave; none if it is another action.
pub fn plans(
    scenario: &Scenario,
    at: Duration,
    action: &Action,
    cohort_index: impl Fn(&str) -> usize,
) -> Vec<RequestPlan> {
    let Action::FirmwareUpdate {
        cohort,
        fraction,
        waves: shares,
        wave_every,
        proceed_at,
        halt_on,
        activate,
        window,
        ..
    } = action
    else {
        return Vec::new();
    };
    let gated = proceed_at.is_some() || halt_on.is_some();
    let Some(image) = image(scenario, action) else {
        return Vec::new();
    };
    let mut plans: Vec<RequestPlan> = Vec::new();
    for (share, number) in waves(shares).iter().zip(0..) {
        let first = at + wave_every.scaled(number, 1);
        let activation = scenario.start.0 + (first + *activate).as_secs();
        let rollout = Rollout {
            activate_utc: u32::try_from(activation).unwrap_or(u32::MAX),
            ..image.clone()
        };
        plans.push(RequestPlan {
            name: format!("{} {}", label::FIRMWARE_UPDATE, share.to_text()),
            kind: label::FIRMWARE_UPDATE,
            task: Arc::new(task(rollout)),
            cohort: Some(cohort_index(cohort)),
            fraction_ppb: share.of(fraction.ppb().into()) as u32,
            except_ppb: plans.last().map_or(0, |plan| plan.fraction_ppb),
            window: *window,
            first: Time::ZERO + first,
            every: None,
            wave: gated.then(|| Wave {
                number: number as u32,
                proceed_at_ppb: proceed_at.map(Ratio::ppb),
                halt_on_ppb: halt_on.map(Ratio::ppb),
            }),
        });
    }
    plans
}

/// The image of an update; it is activated at the beginning of time.
fn image(scenario: &Scenario, action: &Action) -> Option<Rollout> {
    let Action::FirmwareUpdate {
        version: number,
        size,
        block,
        blocks_per_message,
        rate,
        spread,
        defect,
        ..
    } = action
    else {
        return None;
    };
    let number = version(number)?;
    let mut stream = Stream::new(scenario.seed, number.into(), Purpose::Image);
    let mut octets: Vec<u8> = (0..size.0)
        .step_by(8)
        .flat_map(|_| stream.below(u64::MAX).to_be_bytes())
        .collect();
    octets.truncate(size.0 as usize);
    let mut work = Work::default();
    let mut digest = Digest::new();
    digest.update(&octets, &mut work);
    let holder: &[u8] = match defect {
        Defect::Unsigned => b"somebody",
        Defect::Sound | Defect::Altered => b"vendor",
    };
    let manifest = Manifest::signed(
        number,
        u32::try_from(size.0).ok()?,
        *block,
        digest.finish(&mut work),
        &key(scenario.seed, holder),
        &mut work,
    );
    if *defect == Defect::Altered
        && let Some(octet) = octets.last_mut()
    {
        *octet ^= 1;
    }
    // Each instance has its part of the rate.
    let per_octet = 8_000_000_000 * u64::from(scenario.headend.instances);
    let octet_time = rate.map_or(0, |rate| per_octet / rate.0.max(1));
    Some(Rollout {
        manifest,
        octets: octets.into(),
        password: Password::new(OPERATOR, Some(OPERATOR_ID)),
        blocks_per_message: *blocks_per_message,
        octet_time: Duration::from_nanos(octet_time),
        activate_utc: 0,
        window_s: u16::try_from(spread.as_secs()).unwrap_or(u16::MAX),
    })
}

fn task(rollout: Rollout) -> Task {
    Task {
        class: Class::Firmware,
        messages: Vec::new(),
        profile: None,
        image: Some(Arc::new(rollout)),
        tolerant: false,
        persistence: Persistence {
            attempts: u32::MAX,
            timeout: TIMEOUT,
            pause: PAUSE,
            factor: 1,
            deadline: DEADLINE,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_numbers() {
        assert_eq!(version("3.1"), Some(0x0301));
        assert_eq!(version("255.255"), Some(u16::MAX));
        for text in ["3", "3.", ".1", "3.256", "3.1.0", "+3.1", ""] {
            assert_eq!(version(text), None, "{text}");
        }
    }
}
