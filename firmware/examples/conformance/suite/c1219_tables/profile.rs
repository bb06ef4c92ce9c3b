//! Decade 6.

use firmware::c1219::blocks::{self, BlockLayout, COMMON, ProfileData, ProfileView};
use firmware::c1219::codec::{Encoder, Window};
use firmware::c1219::profile::{
    IntervalFormat, ProfileLimits, SetControl, SetStatus, emit_control,
};
use serde_json::Value;

use super::super::json::{self, equal_octets, expect_number, expect_text};
use super::{Limits, emits, equal, minute, parsed};

pub(super) fn limits(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let found = parsed(ProfileLimits::parse(octets, &limits.format))?;
    let [set] = found.sets() else {
        return Err("not one set".into());
    };
    let decoded = json::member(table, "decoded")?;
    for (name, value) in [
        ("LP_MEMORY_LEN", found.memory_len.into()),
        ("LP_FLAGS", found.flags.into()),
        ("LP_FMATS", found.formats.into()),
        ("NBR_BLKS_SET1", set.blocks.into()),
        ("NBR_BLK_INTS_SET1", set.intervals.into()),
        ("NBR_CHNS_SET1", set.channels.into()),
        ("INT_TIME_SET1", set.interval_min.into()),
    ] {
        expect_number(decoded, name, value)?;
    }
    emits(octets, |out| found.emit(out))
}

pub(super) fn control(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let mut sets = parsed(SetControl::parse(octets, &limits.profile, &limits.format))?;
    let set = sets.next().ok_or("no set")?;
    let decoded = json::member(table, "decoded")?;
    let channels: Vec<_> = set.channels().collect();
    let expected = json::list(decoded, "LP_SEL_SET1")?;
    equal("channels", channels.len(), expected.len())?;
    for (channel, expected) in channels.iter().zip(expected) {
        expect_number(expected, "CHNL_FLAG", channel.flags.into())?;
        expect_number(expected, "LP_SOURCE_SELECT", channel.source.into())?;
        let end = channel.end_source.into();
        expect_number(expected, "END_BLK_RDG_SOURCE_SELECT", end)?;
    }
    expect_number(decoded, "INT_FMT_CDE1", set.interval_format.into())?;
    let scalars: Vec<u16> = set.scalars().collect();
    let divisors: Vec<u16> = set.divisors().collect();
    for (name, found) in [("SCALARS_SET1", &scalars), ("DIVISORS_SET1", &divisors)] {
        equal(
            name,
            &Value::from(found.clone()),
            json::member(decoded, name)?,
        )?;
    }
    emits(octets, |out| {
        let factors = Some((&scalars[..], &divisors[..]));
        emit_control(&channels, set.interval_format, factors, out)
    })
}

pub(super) fn status(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let mut sets = parsed(SetStatus::parse(octets, &limits.profile, &limits.format))?;
    let set = sets.next().ok_or("no set")?;
    let decoded = json::member(table, "decoded")?;
    for (name, value) in [
        ("LP_SET_STATUS_FLAGS", set.flags.0.into()),
        ("NBR_VALID_BLOCKS", set.valid_blocks.into()),
        ("LAST_BLOCK_ELEMENT", set.last_block.into()),
        ("LAST_BLOCK_SEQ_NBR", set.last_sequence.into()),
        ("NBR_UNREAD_BLOCKS", set.unread_blocks.into()),
        ("NBR_VALID_INT", set.valid_intervals.into()),
    ] {
        expect_number(decoded, name, value)?;
    }
    emits(octets, |out| set.emit(out))
}

/// The file holds the first block and the beginning of the second; the digest of the whole table
/// cannot be checked with them.
pub(super) fn data(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let layout = BlockLayout::new(&limits.profile, 0, IntervalFormat::Unsigned(2));
    let layout = layout.ok_or("no set")?;
    let decoded = json::member(table, "decoded")?;
    let block_len = layout.block_len(&limits.format);
    expect_number(decoded, "block_size", block_len as u64)?;
    expect_number(table, "size", layout.table_len(&limits.format) as u64)?;
    let mut two = octets.to_vec();
    two.resize(2 * block_len, 0);
    let view = parsed(ProfileView::parse(&two, &layout, &limits.format))?;
    equal("blocks", view.blocks(), 2)?;
    first_block(&view, &layout, json::member(decoded, "first_block")?)?;
    equal(
        "end of the second block",
        minute(view.end(1)),
        "2024-05-03T00:00".into(),
    )?;
    for (offset, len) in [
        (0, octets.len()),
        (1, 50),
        (1096, 2),
        (1097, 103),
        (600, 500),
    ] {
        let mut buffer = vec![0xA5; len];
        let mut window = Window::new(offset, &mut buffer);
        parsed(blocks::emit(&view, &layout, &mut Encoder::new(&mut window)))?;
        equal("length", window.total(), layout.table_len(&limits.format))?;
        equal_octets("part", window.octets(), &octets[offset..offset + len])?;
    }
    Ok(())
}

fn first_block(
    view: &ProfileView<'_>,
    layout: &BlockLayout,
    decoded: &Value,
) -> Result<(), String> {
    expect_text(decoded, "BLK_END_TIME", &minute(view.end(0)))?;
    let (channels, intervals) = (0..layout.set().channels, 0..layout.set().intervals);
    let readings = channels
        .clone()
        .map(|channel| view.end_reading(0, channel).integer());
    let readings: Vec<_> = readings.collect();
    let expected = json::member(decoded, "END_READINGS")?;
    equal("END_READINGS", &Value::from(readings), expected)?;
    let valid = intervals
        .clone()
        .filter(|interval| view.is_valid(0, *interval));
    expect_number(decoded, "SIMPLE_INT_STATUS_set_bits", valid.count() as u64)?;
    let value = |interval, channel| view.value(0, interval, channel).integer();
    for (name, interval) in [("first_interval", 0), ("last_interval", intervals.end - 1)] {
        let nibbles = (COMMON..=channels.end.into()).map(|nibble| view.status(0, interval, nibble));
        equal("status", nibbles.map(u32::from).sum(), 0)?;
        let values: Vec<_> = channels
            .clone()
            .map(|channel| value(interval, channel))
            .collect();
        let expected = &json::list(decoded, name)?[1];
        equal(name, &Value::from(values), expected)?;
    }
    let sum = |channel| {
        intervals
            .clone()
            .filter_map(|interval| value(interval, channel))
            .sum()
    };
    let sums: Vec<i64> = channels.map(sum).collect();
    let expected = json::member(decoded, "channel_sums")?;
    equal("channel_sums", &Value::from(sums), expected)
}
