//! Decade 2.

use firmware::c1219::number::Number;
use firmware::c1219::readings::{
    DataSelection, PresentSelection, PresentView, SelfRead, SelfReadView, emit_present,
    emit_self_reads,
};
use firmware::c1219::registers::{
    Block, RegisterData, RegisterLimits, RegisterView, emit_data, emit_previous, parse_previous,
};
use serde_json::Value;

use super::super::json::{self, equal_octets, expect_number, expect_text};
use super::{Limits, emits, equal, minute, parsed};

pub(super) fn limits(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let found = parsed(RegisterLimits::parse(octets, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    for (name, value) in [
        ("REG_FUNC1_FLAGS", found.functions1),
        ("REG_FUNC2_FLAGS", found.functions2),
        ("NBR_SELF_READS", found.self_reads),
        ("NBR_SUMMATIONS", found.summations),
        ("NBR_DEMANDS", found.demands),
        ("NBR_COIN_VALUES", found.coincidents),
        ("NBR_OCCUR", found.occurrences),
        ("NBR_TIERS", found.tiers),
        ("NBR_PRESENT_DEMANDS", found.present_demands),
        ("NBR_PRESENT_VALUES", found.present_values),
    ] {
        expect_number(decoded, name, value.into())?;
    }
    emits(octets, |out| found.emit(out))
}

pub(super) fn selection(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let selection = parsed(DataSelection::parse(octets, &limits.registers))?;
    equal_octets("summations", selection.summations, &[0, 1, 2, 3, 4, 5])?;
    equal_octets("demands", selection.demands, &[6, 7])?;
    equal_octets("maxima", selection.maxima, &[0b11])?;
    emits(octets, |out| selection.emit(out))
}

pub(super) fn current(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let (registers, format) = (&limits.registers, &limits.format);
    let data = parsed(RegisterView::parse(octets, registers, format))?;
    compare(&data, registers, json::member(table, "decoded")?)?;
    emits(octets, |out| emit_data(&data, registers, out))
}

pub(super) fn previous(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let (registers, format) = (&limits.registers, &limits.format);
    let (info, data) = parsed(parse_previous(octets, registers, format))?;
    let decoded = json::member(table, "decoded")?;
    expect_text(decoded, "END_DATE_TIME", &minute(info.end))?;
    expect_number(decoded, "SEASON", info.season.into())?;
    let decoded = json::member(decoded, "PREV_DEMAND_RESET_DATA")?;
    compare(&data, registers, decoded)?;
    emits(octets, |out| {
        emit_previous(Some((info, &data)), registers, out)
    })
}

fn compare(
    data: &RegisterView<'_>,
    limits: &RegisterLimits,
    decoded: &Value,
) -> Result<(), String> {
    expect_number(decoded, "NBR_DEMAND_RESETS", data.demand_resets().into())?;
    let total = json::member(decoded, "TOT_DATA_BLOCK")?;
    compare_block(data, Block::Total, limits, total)?;
    let tiers = json::list(decoded, "TIER_DATA_BLOCK")?;
    equal("tiers", tiers.len(), limits.tiers.into())?;
    for (tier, decoded) in (0..limits.tiers).zip(tiers) {
        compare_block(data, Block::Tier(tier), limits, decoded)?;
    }
    Ok(())
}

fn compare_block(
    data: &RegisterView<'_>,
    block: Block,
    limits: &RegisterLimits,
    decoded: &Value,
) -> Result<(), String> {
    let summations = json::list(decoded, "SUMMATIONS")?;
    let found = (0..limits.summations).map(|index| data.summation(block, index));
    equal("SUMMATIONS", found.collect(), integers(summations))?;
    let demands = json::list(decoded, "DEMANDS")?;
    equal("demands", demands.len(), limits.demands.into())?;
    for (demand, decoded) in (0..limits.demands).zip(demands) {
        let peaks: Vec<_> = (0..limits.occurrences)
            .map(|occurrence| data.peak(block, demand, occurrence))
            .collect();
        let times: Vec<_> = peaks.iter().map(|peak| minute(peak.at)).collect();
        let expected = json::list(decoded, "EVENT_TIME")?.iter();
        let expected = expected.map(|time| time.as_str().unwrap_or_default().to_owned());
        equal("EVENT_TIME", times, expected.collect())?;
        let values = peaks.iter().map(|peak| peak.value).collect();
        equal("DEMAND", values, integers(json::list(decoded, "DEMAND")?))?;
        let cumulative = data.cumulative(block, demand).integer().unwrap_or(-1);
        expect_number(decoded, "CUM_DEMAND", cumulative as u64)?;
    }
    Ok(())
}

fn integers(values: &[Value]) -> Vec<Number> {
    let integer = |value: &Value| Number::Integer(value.as_i64().unwrap_or(i64::MIN));
    values.iter().map(integer).collect()
}

pub(super) fn self_reads(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let (registers, format) = (&limits.registers, &limits.format);
    let table = parsed(SelfReadView::parse(octets, registers, format))?;
    equal("last sequence number", table.status.last_sequence, 2)?;
    let entries = (0..registers.self_reads).map(|element| table.entry(element));
    let entries: Vec<_> = parsed(entries.collect())?;
    equal("first sequence number", entries[0].0, 1)?;
    equal("second sequence number", entries[1].0, 2)?;
    equal("end", minute(entries[0].1.end), "2024-05-30T00:00".into())?;
    let entry = |element: u8| {
        let (sequence, info, data) = entries.get(usize::from(element))?;
        Some(SelfRead {
            sequence: *sequence,
            info: *info,
            data,
        })
    };
    emits(octets, |out| {
        emit_self_reads(&table.status, entry, registers, out)
    })
}

pub(super) fn present_selection(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let selection = parsed(PresentSelection::parse(octets, &limits.registers))?;
    equal_octets("demands", selection.demands, &[6, 7])?;
    equal_octets("values", selection.values, &[8, 9, 10, 11, 12, 13])?;
    emits(octets, |out| selection.emit(out))
}

pub(super) fn present(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let (registers, format) = (&limits.registers, &limits.format);
    let view = parsed(PresentView::parse(octets, registers, format))?;
    let decoded = json::member(table, "decoded")?;
    let demands = (0..registers.present_demands).map(|index| view.demand(index).value);
    let expected = integers(json::list(decoded, "PRESENT_DEMAND")?);
    equal("PRESENT_DEMAND", demands.collect(), expected)?;
    let values = (0..registers.present_values).map(|index| view.value(index));
    let expected = integers(json::list(decoded, "PRESENT_VALUE")?);
    equal("PRESENT_VALUE", values.collect(), expected)?;
    emits(octets, |out| {
        let (demand, value) = (|index| view.demand(index), |index| view.value(index));
        emit_present(demand, value, registers, out)
    })
}
