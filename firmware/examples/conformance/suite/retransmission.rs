//! `retransmission.json`: the intervals that given draws of RAND lead to.
//!
//! The formulas of RFC 5191 §9 are compared first; then a machine that nobody answers has to
//! send at exactly these times.

use core::convert::Infallible;
use std::sync::Arc;

use firmware::crypto::Work;
use firmware::eap::psk::{LongTermKeys, PskPeer, PskServer};
use firmware::eap::{Authenticator, AuthenticatorConfig, Peer};
use firmware::pana::{Config, MESSAGE_LEN_MAX, PaaSession, PaaState, Pac, Rand, Retransmission};
use firmware::{Duration, Env, Instant};
use rand_core::TryRng;
use serde_json::Value;

use super::json;
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let tables = document.get("tables")?.as_array()?;
    tables.first()?.get("cumulative")?;
    for table in tables {
        let part = |key| table.get(key).and_then(Value::as_str).unwrap_or("unnamed");
        let name = format!("{} {}", part("timer"), part("name"));
        report.case(&name, || check(table));
    }
    Some(())
}

fn numbers(table: &Value, key: &str) -> Result<Vec<f64>, String> {
    json::list(table, key)?
        .iter()
        .map(|number| {
            number
                .as_f64()
                .ok_or_else(|| format!("{key}: not a number"))
        })
        .collect()
}

/// Microseconds, to which the tables round every RT; they add up the rounded ones.
fn rounded_us(duration: Duration) -> u64 {
    (duration.as_nanos() + 500) / 1_000
}

fn compare(what: &str, computed_us: u64, expected_s: f64) -> Result<(), String> {
    if computed_us as f64 == (expected_s * 1e6).round() {
        Ok(())
    } else {
        Err(format!(
            "{what}: computed {computed_us} us, expected {expected_s} s"
        ))
    }
}

fn check(table: &Value) -> Result<(), String> {
    json::only(
        table,
        &["timer", "IRT", "MRT", "rand", "name", "RT", "cumulative"],
    )?;
    let timer = json::text(table, "timer")?;
    let parameters = match timer {
        "PCI" => Retransmission::CLIENT_INITIATION,
        "REQ" => Retransmission::REQUEST,
        other => return Err(format!("timer: unknown timer {other}")),
    };
    json::expect_number(table, "IRT", parameters.initial.as_secs())?;
    json::expect_number(table, "MRT", parameters.interval_max.as_secs())?;
    let draws: Vec<i32> = numbers(table, "rand")?
        .iter()
        .map(|rand| (rand * 1e6).round() as i32)
        .collect();
    check_name(json::text(table, "name")?, &draws)?;
    let intervals = numbers(table, "RT")?;
    let cumulative = numbers(table, "cumulative")?;
    if intervals.len() != draws.len() || cumulative.len() != draws.len() {
        return Err("the lists differ in length".into());
    }
    let mut previous = None;
    let mut sum_us = 0;
    for (index, draw) in draws.iter().enumerate() {
        let rand = Rand::from_millionths(*draw);
        let interval = match previous {
            None => parameters.first(rand),
            Some(previous) => parameters.next(previous, rand),
        };
        previous = Some(interval);
        sum_us += rounded_us(interval);
        compare("RT", rounded_us(interval), intervals[index])?;
        compare("cumulative", sum_us, cumulative[index])?;
    }
    let times = if timer == "PCI" {
        unanswered_pac(&draws)
    } else {
        unanswered_paa(&draws)?
    };
    let mut previous = Instant::ZERO;
    for (time, expected) in times.iter().zip(&intervals) {
        let interval = time.saturating_since(previous);
        compare("transmission", rounded_us(interval), *expected)?;
        previous = *time;
    }
    if times.len() != draws.len() {
        return Err(format!("{} intervals were waited for", times.len()));
    }
    Ok(())
}

/// A table is named after its draws, if they are all the same.
fn check_name(name: &str, draws: &[i32]) -> Result<(), String> {
    let constant = match draws {
        [first, rest @ ..] if rest.iter().all(|draw| draw == first) => Some(*first),
        _ => None,
    };
    let expected = match constant {
        None => "random".to_owned(),
        Some(0) => "rand=0".to_owned(),
        Some(millionths) => format!("rand={:+}", f64::from(millionths) / 1e6),
    };
    if name == expected {
        Ok(())
    } else {
        Err(format!("name: expected {expected}"))
    }
}

/// Yields given values of RAND; other random numbers do not matter here.
struct Jitter {
    draws: Vec<i32>,
    next: usize,
}

impl TryRng for Jitter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let draw = self.draws.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        // The smallest number that is mapped to this one of 200,001 values.
        let index = u64::try_from(draw + 100_000).expect("RAND is at least -0.1");
        Ok((index << 32).div_ceil(200_001) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        octets.fill(0x5A);
        Ok(())
    }
}

/// When the intervals of a PCI end that nobody answers.
fn unanswered_pac(draws: &[i32]) -> Vec<Instant> {
    let mut rng = Jitter {
        draws: draws.to_vec(),
        next: 0,
    };
    let mut work = Work::NONE;
    let keys = LongTermKeys::from_psk(&[0; 16], &mut work);
    let peer = Peer::new(PskPeer::new(*b"meter", None, keys));
    let mut pac = Pac::new(Arc::new(Config::default()), peer);
    pac.start(&mut Env::new(Instant::ZERO, &mut rng, &mut work));
    let mut out = [0xA5; MESSAGE_LEN_MAX];
    let mut times = Vec::new();
    for _ in draws {
        assert_eq!(pac.poll_transmit(&mut out), Some(16));
        assert_eq!(pac.poll_transmit(&mut out), None);
        let now = pac.poll_timeout().expect("PCI is repeated without end");
        times.push(now);
        pac.handle_timeout(&mut Env::new(now, &mut rng, &mut work));
    }
    times
}

/// When the intervals of a PAR end that nobody answers; after the last one the session ends.
fn unanswered_paa(draws: &[i32]) -> Result<Vec<Instant>, String> {
    let mut rng = Jitter {
        draws: draws.to_vec(),
        next: 0,
    };
    let mut work = Work::NONE;
    let authenticator =
        Authenticator::new(PskServer::new(*b"server"), AuthenticatorConfig::default());
    let pac = "192.0.2.10:49755".parse().expect("an address");
    let mut session = PaaSession::new(
        Arc::new(Config::default()),
        authenticator,
        1,
        pac,
        None,
        &mut Env::new(Instant::ZERO, &mut rng, &mut work),
    );
    let mut out = [0xA5; MESSAGE_LEN_MAX];
    let mut first = None;
    let mut times = Vec::new();
    while let Some(now) = session.poll_timeout() {
        let transmit = session.poll_transmit(&mut out).ok_or("nothing was sent")?;
        let sent = out[..transmit.len].to_vec();
        if *first.get_or_insert(sent.clone()) != sent {
            return Err("a repetition differs from the first transmission".into());
        }
        times.push(now);
        session.handle_timeout(&mut Env::new(now, &mut rng, &mut work));
    }
    if session.state() != PaaState::Closed || session.poll_transmit(&mut out).is_some() {
        return Err("the session did not end with the last interval".into());
    }
    Ok(times)
}
