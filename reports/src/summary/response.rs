//! The metrics of demand response.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, and, count};
use super::table::Table;
use crate::schema::label;

/// RFC 8036 §4.2, class C1 (pricing events, emergencies): 98 % within this time.
const EMERGENCY_S: f64 = 5.0;
/// OpenSG SG-Network, event of demand response: more than 99.5 % within this time.
const EVENT_S: f64 = 60.0;

/// Adds what became of events: whom they reached, who acted, and when.
pub(super) fn responses(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let limits = frame.is("action", label::LIMIT)?;
    let all = count(&limits);
    let received = seconds(frame, "latency_ns", &limits)?;
    let delays = seconds(frame, "delay_ns", &limits)?;
    let confirmed = count(&and(&limits, &frame.is("outcome", label::SUCCESS)?));
    let opted_out = count(&and(&limits, &frame.is("effect", label::OPTED_OUT)?));
    let lifted = frame.numbers_where("lifted_ns", &limits)?.len() as f64;
    let released = frame.height() as f64 - all;
    let (reached, acted) = (received.len() as f64, delays.len() as f64);
    let within = |times: &[f64], limit: f64| {
        let prompt = times.iter().filter(|time| **time <= limit);
        prompt.count() as f64
    };
    let in_group = count(&and(&limits, &frame.is("delivered_by", label::GROUP)?));
    let fallbacks = frame.numbers_where("fallback", &limits)?.iter().sum();
    let homes = frame.numbers_where("held_w", &limits)?;
    let homes = homes.iter().filter(|watts| **watts > 0.0).count() as f64;
    let held: f64 = frame.numbers_where("held_wh", &limits)?.iter().sum();
    for (path, doc, value) in [
        (
            "orders",
            "Meters asked to limit their load, over all events.",
            all,
        ),
        ("received", "Of these, meters that took the order.", reached),
        (
            "received_by_group",
            "Of these, meters that one message to all had reached first.",
            in_group,
        ),
        (
            "fallbacks",
            "Orders to groups that were given to a meter alone in the end.",
            fallbacks,
        ),
        (
            "acted",
            "Of these, meters that asked their home to follow.",
            acted,
        ),
        ("homes", "Of these, homes that held load back.", homes),
        (
            "lifted",
            "Limits that were over before the run was.",
            lifted,
        ),
        (
            "opted_out",
            "Orders of events that the household opted out of.",
            opted_out,
        ),
        (
            "confirmed",
            "Orders of which the meter has confirmed the beginning.",
            confirmed,
        ),
        ("releases", "Orders to end an event early.", released),
        ("held_kwh", "Energy that homes held back.", held / 1_000.0),
        (
            "transmissions",
            "Requests sent to meters alone, for all orders.",
            frame.numbers("transmissions")?.iter().sum(),
        ),
    ] {
        out.number(&format!("demand_response.{path}"), doc, Some(value));
    }
    for (path, doc, part) in [
        (
            "received_ratio",
            "Received of all orders to limit.",
            reached,
        ),
        (
            "received_within_5s_ratio",
            "Received within 5 s, of all (RFC 8036 §4.2, class C1, wants 98 %).",
            within(&received, EMERGENCY_S),
        ),
        (
            "received_within_60s_ratio",
            "Received within 60 s, of all (OpenSG wants more than 99.5 %).",
            within(&received, EVENT_S),
        ),
        (
            "fallback_ratio",
            "Given to the meter alone after a message to its group, of all orders to limit.",
            fallbacks,
        ),
        ("acted_ratio", "Acted of all orders to limit.", acted),
        (
            "acted_within_60s_ratio",
            "Acted within 60 s of the beginning of the event, of all.",
            within(&delays, EVENT_S),
        ),
        (
            "confirmed_ratio",
            "Confirmed of all orders to limit.",
            confirmed,
        ),
    ] {
        out.ratio(&format!("demand_response.{path}"), doc, part, all);
    }
    out.distribution(
        "demand_response.latency_s",
        "From the order to its acceptance by the meter.",
        received,
    );
    out.distribution(
        "demand_response.delay_s",
        "From the beginning of the event to the request to the home, with the random window.",
        delays,
    );
    out.breakdown("demand_response.effects", frame.label_counts("effect")?);
    out.breakdown("demand_response.causes", frame.label_counts("cause")?);
    Ok(())
}

fn seconds(frame: &Table, column: &str, rows: &[bool]) -> PolarsResult<Vec<f64>> {
    let nanoseconds = frame.numbers_where(column, rows)?;
    Ok(nanoseconds.into_iter().map(|ns| ns / NANOSECONDS).collect())
}
