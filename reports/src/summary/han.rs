//! The metrics of home area networks.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::NANOSECONDS;
use super::table::Table;

/// Adds what devices of homes have got.
pub(super) fn han(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    // Every device has a row in every bin: the last one tells how many there are.
    let starts = frame.numbers("bin_start_ns")?;
    let last = starts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let keys = frame.options("key_id")?;
    let at_end = starts
        .iter()
        .zip(&keys)
        .filter(|(start, _)| **start == last);
    let (devices, keyed) = at_end.fold((0.0, 0.0), |(devices, keyed), (_, key)| {
        (devices + 1.0, keyed + f64::from(u8::from(key.is_some())))
    });
    let sum = |column: &str| frame.sum(column);
    let (sent, received) = (sum("updates_sent")?, sum("updates_received")?);
    let (powered, stale) = (sum("powered_ns")?, sum("stale_ns")?);
    for (path, doc, value) in [
        ("han.devices", "Devices in homes.", devices),
        (
            "han.updates_sent",
            "Updates that meters sent to devices.",
            sent,
        ),
        (
            "han.updates_received",
            "Updates that devices got.",
            received,
        ),
        (
            "han.frames_up",
            "Frames of devices, each counted once.",
            sum("frames_up")?,
        ),
        (
            "han.frames_down",
            "Frames of meters to devices, each counted once.",
            sum("frames_down")?,
        ),
        (
            "han.frames_lost",
            "Frames in homes that did not come through.",
            sum("frames_lost")?,
        ),
        (
            "han.retransmissions",
            "Transmissions in homes that repeat a frame.",
            sum("retransmissions")?,
        ),
        (
            "han.airtime_s",
            "Time on the air in homes.",
            sum("airtime_ns")? / NANOSECONDS,
        ),
        (
            "han.associations",
            "Times that devices have associated.",
            sum("associations")?,
        ),
        (
            "han.keys",
            "Link keys that devices have taken into use.",
            sum("keys")?,
        ),
        (
            "han.events_answered",
            "Demand events that devices have answered.",
            sum("events_answered")?,
        ),
        (
            "han.events_accepted",
            "Of these, answers of devices that take part.",
            sum("events_accepted")?,
        ),
        (
            "han.rejects",
            "Frames that devices discarded.",
            sum("rejects")?,
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "han.keyed_ratio",
        "Devices that have a link key at the end, of all.",
        keyed,
        devices,
    );
    out.ratio(
        "han.delivery_ratio",
        "Updates that devices got, of those sent.",
        received,
        sent,
    );
    out.ratio(
        "han.stale_ratio",
        "Share of the time with power in which what devices knew was older than two periods.",
        stale,
        powered,
    );
    Ok(())
}
