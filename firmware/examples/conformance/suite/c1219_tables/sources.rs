//! Decade 1.

use firmware::c1219::number::Number;
use firmware::c1219::sources::{
    DemandControl, DemandInterval, Source, SourceLimits, Unit, emit_constants, emit_units,
    parse_constants, parse_units,
};
use serde_json::Value;

use super::super::json::{self, expect_number};
use super::{Limits, emits, equal, parsed};

pub(super) fn limits(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let found = parsed(SourceLimits::parse(octets, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    for (name, value) in [
        ("SOURCE_FLAGS", found.flags),
        ("NBR_UOM_ENTRIES", found.units),
        ("NBR_DEMAND_CTRL_ENTRIES", found.demand_controls),
        ("DATA_CTRL_LENGTH", found.data_control_len),
        ("NBR_DATA_CTRL_ENTRIES", found.data_controls),
        ("NBR_CONSTANTS_ENTRIES", found.constants),
        ("CONSTANTS_SELECTOR", found.constants_selector),
        ("NBR_SOURCES", found.sources),
    ] {
        expect_number(decoded, name, value.into())?;
    }
    emits(octets, |out| found.emit(out))
}

pub(super) fn units(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let units = parsed(parse_units(octets, &limits.sources, &limits.format))?;
    let units: Vec<Unit> = units.collect();
    let decoded = json::list(table, "decoded")?;
    equal("units", units.len(), decoded.len())?;
    for (unit, decoded) in units.iter().zip(decoded) {
        for (name, value) in [
            ("ID_CODE", unit.id()),
            ("TIME_BASE", unit.time_base() as u8),
            ("MULTIPLIER", unit.multiplier()),
            ("QUADRANTS", unit.quadrants()),
            ("NET_FLOW", unit.is_net().into()),
            ("SEGMENTATION", unit.segmentation()),
            ("HARMONIC", unit.is_harmonic().into()),
            ("NFS", unit.is_private().into()),
        ] {
            expect_number(decoded, name, value.into())?;
        }
        let made = Unit::new(
            unit.id(),
            unit.time_base(),
            unit.multiplier(),
            unit.quadrants(),
            unit.is_net(),
        );
        equal("unit", made, *unit)?;
    }
    emits(octets, |out| emit_units(&units, out))
}

pub(super) fn demand_control(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let sources = &limits.sources;
    let (control, intervals) = parsed(DemandControl::parse(octets, sources, &limits.format))?;
    let intervals: Vec<DemandInterval> = intervals.collect();
    let decoded = json::member(table, "decoded")?;
    for (name, value) in [
        ("RESET_EXCLUSION", control.reset_exclusion_min),
        ("P_FAIL_RECOGNTN_TM", control.recognition_s),
        ("P_FAIL_EXCLUSION", control.exclusion_min),
        ("COLD_LOAD_PICKUP", control.cold_load_min),
    ] {
        expect_number(decoded, name, value.into())?;
    }
    let minutes = |value: &Value| DemandInterval::Block(value.as_u64().unwrap_or(0) as u16);
    let expected = json::list(decoded, "INT_LENGTH")?.iter().map(minutes);
    equal("INT_LENGTH", intervals.clone(), expected.collect())?;
    emits(octets, |out| control.emit(&intervals, sources, out))
}

pub(super) fn constants(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let sources = &limits.sources;
    let constants = parsed(parse_constants(octets, sources, &limits.format))?;
    let constants: Vec<_> = constants.collect();
    for constant in &constants {
        equal("multiplier", constant.multiplier, Number::Integer(1))?;
        equal("offset", constant.offset, Number::Integer(0))?;
    }
    emits(octets, |out| emit_constants(&constants, sources, out))
}

pub(super) fn sources(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    equal("sources", octets.len(), limits.sources.sources.into())?;
    let of = |flag| {
        octets
            .iter()
            .filter(|octet| Source(**octet).has(flag))
            .count()
    };
    // The flags refer to the entries of the other tables, in order.
    equal("units", of(Source::UNIT), limits.sources.units.into())?;
    let controls = limits.sources.demand_controls.into();
    equal("demands", of(Source::DEMAND_CONTROL), controls)?;
    let constants = limits.sources.constants.into();
    equal("constants", of(Source::CONSTANT), constants)
}
