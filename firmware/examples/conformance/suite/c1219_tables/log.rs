//! Decade 7.

use firmware::c1219::codec::{Encoder, Window};
use firmware::c1219::log::{self, EventsId, LogControl, LogKind, LogLimits, LogView};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::json::{self, expect_number, expect_octets, expect_text};
use super::{Limits, emits, equal, minute, parsed};

pub(super) fn limits(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let found = parsed(LogLimits::parse(octets, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    let (extended, programs) = found.extension.ok_or("no extension")?;
    for (name, value) in [
        ("LOG_FLAGS", found.flags.into()),
        ("NBR_STD_EVENTS", found.standard_events.into()),
        ("NBR_MFG_EVENTS", found.manufacturer_events.into()),
        ("HIST_DATA_LENGTH", found.history_data_len.into()),
        ("EVENT_DATA_LENGTH", found.event_data_len.into()),
        ("NBR_HISTORY_ENTRIES", found.history_entries.into()),
        ("NBR_EVENT_ENTRIES", found.event_entries.into()),
        ("EXT_LOG_FLAGS", extended.into()),
        ("NBR_PROGRAM_TABLES", programs.into()),
    ] {
        expect_number(decoded, name, value)?;
    }
    emits(octets, |out| found.emit(out))
}

pub(super) fn events(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let events = parsed(EventsId::parse(octets, &limits.log))?;
    emits(octets, |out| events.emit(out))
}

pub(super) fn control(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let control = LogControl::parse(octets, &limits.log, &limits.dimensions);
    let control = parsed(control)?;
    emits(octets, |out| control.emit(out))
}

pub(super) fn history(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let view = LogView::parse(octets, LogKind::History, &limits.log, &limits.format);
    let view = parsed(view)?;
    compare(&view, json::member(table, "decoded")?)?;
    let entry = |element| view.entry(element).ok();
    emits(octets, |out| {
        log::emit(LogKind::History, &view.status, entry, &limits.log, out)
    })
}

/// The file holds the first octets; the others are zeros, as the digest of the table confirms.
pub(super) fn event(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let mut whole = octets.to_vec();
    whole.resize(json::number(table, "size")? as usize, 0);
    let view = LogView::parse(&whole, LogKind::Event, &limits.log, &limits.format);
    let view = parsed(view)?;
    compare(&view, json::member(table, "decoded")?)?;
    let entry = |element| {
        let entry = view.entry(element).ok();
        entry.filter(|_| element < view.status.valid)
    };
    let mut emitted = vec![0xA5; whole.len()];
    let mut window = Window::new(0, &mut emitted);
    let mut out = Encoder::new(&mut window);
    parsed(log::emit(
        LogKind::Event,
        &view.status,
        entry,
        &limits.log,
        &mut out,
    ))?;
    equal("length", window.total(), whole.len())?;
    expect_octets(table, "sha256", &Sha256::digest(&emitted))
}

fn compare(view: &LogView<'_>, decoded: &Value) -> Result<(), String> {
    for (name, value) in [
        ("FLAGS", view.status.flags.0.into()),
        ("NBR_VALID_ENTRIES", view.status.valid.into()),
        ("LAST_ENTRY_ELEMENT", view.status.last_element.into()),
        ("LAST_ENTRY_SEQ_NBR", view.status.last_sequence.into()),
        ("NBR_UNREAD_ENTRIES", view.status.unread.into()),
    ] {
        expect_number(decoded, name, value)?;
    }
    for (element, decoded) in (0..).zip(json::list(decoded, "ENTRIES")?) {
        let entry = parsed(view.entry(element))?;
        let time = entry.time.ok_or("no time")?;
        let time = format!("{}:{:02}", minute(Some(time.minute)), time.second);
        expect_text(decoded, "TIME", &time)?;
        expect_number(decoded, "EVENT_NUMBER", entry.event.0.into())?;
        expect_number(decoded, "SEQ_NBR", entry.sequence.into())?;
        expect_number(decoded, "USER_ID", entry.user.into())?;
        expect_number(decoded, "CODE", entry.code.into())?;
        expect_octets(decoded, "ARGUMENT", entry.argument)?;
    }
    Ok(())
}
