//! Published and closed-form results, those of whole runs included.

use std::fs;
use std::path::Path;

use models::validation::{self, Outcome};
use reports::read::numbers;
use reports::{AuthRow, Results, Row};

use crate::run::{Options, RunError, run};
use crate::scenario::load_text;

/// One meter with identities and nonces of 16 octets on a quiet link.
const ONE_MEETS_ONE: &str = r#"Scenario(
    name: "one_meets_one",
    duration: "10min",
    cohorts: [(name: "homes", count: 1, medium: "lan", identity: "m{n:011}@a.b")],
    media: {"lan": Ethernet(latency: Fixed("5ms"))},
    headend: (id: "headend@util.com"),
    pana: (algorithms: [HmacSha1], identity_request: true),
)"#;

/// Computes all outcomes, in the order of their names.
///
/// Runs write their results below `folder`, which is removed again.
///
/// # Errors
///
/// A run fails, as on a full disk.
pub fn all(folder: &Path) -> Result<Vec<Outcome>, RunError> {
    let mut outcomes = validation::all();
    outcomes.extend(exchange(folder)?);
    outcomes.sort_by_key(|outcome| outcome.id);
    Ok(outcomes)
}

/// The octets of an authentication between a meter and a head-end.
fn exchange(folder: &Path) -> Result<Vec<Outcome>, RunError> {
    let loaded = load_text("validation", ONE_MEETS_ONE, &[]);
    let loaded = loaded.expect("the scenario is a constant that is sound");
    let options = Options {
        folder: Some(folder.to_owned()),
        force: true,
        ..Options::default()
    };
    run(&loaded, &options, |_| {})?;
    let results = Results::open(folder);
    let column = |name: &str| -> f64 {
        let frame = results.table(AuthRow::TABLE);
        let values = frame.ok().and_then(|frame| numbers(&frame, name).ok());
        values.map_or(f64::NAN, |values| values.iter().sum())
    };
    let [up, down] = ["pana_bytes_up", "pana_bytes_down"].map(column);
    let messages = column("datagrams_up") + column("datagrams_down");
    // What is left is in nobody's way.
    let _ = fs::remove_dir_all(folder);
    let outcome = |what: &str, target, ours| Outcome {
        id: "V19",
        what: what.to_owned(),
        source: "RFC 5191 and RFC 4764, piggybacked, HMAC-SHA-1",
        target,
        ours,
        tolerance: 0.0,
    };
    Ok(vec![
        outcome("PANA messages of an authentication", 11.0, messages),
        outcome("octets", 684.0, up + down),
        outcome("octets from the meter", 348.0, up),
        outcome("octets to the meter", 336.0, down),
    ])
}
