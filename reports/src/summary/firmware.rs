//! The metrics of firmware images.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, count};
use super::table::Table;
use crate::schema::label;

/// Adds what became of images: who has got one, how long it took, and who runs it.
pub(super) fn images(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let step = |label| frame.is("step", label);
    let offered = step(label::OFFERED)?;
    let verified = step(label::VERIFIED)?;
    let activated = step(label::ACTIVATED)?;
    let [offers, verifications, activations] =
        [&offered, &verified, &activated].map(|rows| count(rows));
    let faulty = count(&step(label::FAULTY)?);
    let [halted, held_back] = [step(label::HALTED)?, step(label::HELD_BACK)?];
    let [halted, held_back] = [halted, held_back].map(|rows| count(&rows));
    let steps = offers + verifications + activations + faulty + halted + held_back;
    let refused = frame.height() as f64 - steps;
    let octets: f64 = frame.numbers_where("bytes", &verified)?.iter().sum();
    for (path, doc, value) in [
        (
            "firmware.offered",
            "Images whose manifest a meter has accepted.",
            offers,
        ),
        (
            "firmware.verified",
            "Images that a meter has got whole.",
            verifications,
        ),
        (
            "firmware.activated",
            "Images that run; each has made its meter start anew.",
            activations,
        ),
        (
            "firmware.faulty",
            "Images whose blocks have another digest than the manifest says.",
            faulty,
        ),
        (
            "firmware.refused",
            "Manifests that are not signed by the vendor, or not newer.",
            refused,
        ),
        (
            "firmware.halted",
            "Meters that were not asked because the update was halted.",
            halted,
        ),
        (
            "firmware.held_back",
            "Meters that were not asked because their wave waited until the end of the run.",
            held_back,
        ),
        (
            "firmware.bytes",
            "Octets of blocks written to meters until their image was verified.",
            octets,
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "firmware.activated_ratio",
        "Activated of all images that were offered.",
        activations,
        offers,
    );
    let (meters, times) = (frame.numbers("meter")?, frame.numbers("time_ns")?);
    let mut begun: BTreeMap<u64, f64> = BTreeMap::new();
    let mut transfers = Vec::new();
    for (row, (meter, time)) in meters.into_iter().zip(times).enumerate() {
        let meter = meter as u64;
        if offered[row] {
            begun.insert(meter, time);
        } else if verified[row]
            && let Some(begin) = begun.remove(&meter)
        {
            transfers.push((time - begin) / NANOSECONDS);
        }
    }
    out.distribution(
        "firmware.transfer_s",
        "From the acceptance of an image to its last block, of those that are whole.",
        transfers,
    );
    Ok(())
}
