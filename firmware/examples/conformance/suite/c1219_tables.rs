//! `c1219_tables.json`: tables of one meter, as octets and as fields.
//!
//! Every table is read to fields, the fields are compared with those of the file, and written
//! again; partial reads have to be parts of the whole. A table whose layout the firmware does not
//! know is listed as unsupported.

mod clock;
mod limits;
mod log;
mod profile;
mod registers;
mod sources;

use std::fmt::Debug;

use firmware::c1219::access::{Password, Permissions, SecurityLimits};
use firmware::c1219::codec::{Encoder, Window};
use firmware::c1219::general::{GenConfig, ManufacturerId, ModeStatus};
use firmware::c1219::identity::{Nameplate, UtilityInfo};
use firmware::c1219::procedure::{Initiate, Outcome};
use firmware::c1219::switch::{SwitchState, SwitchTable};
use firmware::c1219::types::contains;
use firmware::c1222::interval::EndTime;
use firmware::c1222::service::checksum;
use firmware::wire::{Error, Reader, Writer};
use serde_json::Value;

use super::json::{self, equal_octets, expect_number, expect_octets};
use super::report::Report;
use limits::Limits;

/// Octets of the longest table that is checked.
const TABLE_MAX: usize = 256;

type Check = fn(&Value, &[u8], &Limits) -> Result<(), String>;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let tables = document.get("tables")?;
    let limits = Limits::of(tables);
    for (number, table) in tables.as_object()? {
        let name = match number.parse() {
            Ok(2048..) => format!("MT{}", number.parse::<u32>().unwrap_or(0) - 2048),
            _ => format!("ST{number}"),
        };
        let Some(check) = check_of(&name) else {
            report.unsupported_case(&name);
            continue;
        };
        report.case(&name, || {
            let limits = limits.as_ref().map_err(Clone::clone)?;
            // Long tables are given by their beginning.
            let Ok(octets) = json::octets(table, "octets") else {
                return check(table, &json::octets(table, "first_1200_octets")?, limits);
            };
            expect_number(table, "size", octets.len() as u64)?;
            expect_octets(table, "sum_checksum", &[checksum(&octets)])?;
            check(table, &octets, limits)
        });
    }
    Some(())
}

fn check_of(name: &str) -> Option<Check> {
    Some(match name {
        "ST0" => |table, octets, _| gen_config(table, octets),
        "ST1" => |table, octets, _| manufacturer_id(table, octets),
        "ST2" => nameplate,
        "ST3" => |table, octets, _| mode_status(table, octets),
        "ST5" => |table, octets, _| identification(table, octets),
        "ST6" => utility_info,
        "ST7" => |table, octets, _| initiate(table, octets),
        "ST8" => |table, octets, _| outcome(table, octets),
        "ST11" => sources::limits,
        "ST12" => sources::units,
        "ST13" => sources::demand_control,
        "ST15" => sources::constants,
        "ST16" => sources::sources,
        "ST21" => registers::limits,
        "ST22" => registers::selection,
        "ST23" => registers::current,
        "ST25" => registers::previous,
        "ST26" => registers::self_reads,
        "ST27" => registers::present_selection,
        "ST28" => registers::present,
        "ST41" => security,
        "ST42" => |table, octets, _| passwords(table, octets),
        "ST44" => |table, octets, _| permissions(table, octets),
        "ST45" => keys,
        "ST51" => clock::limits,
        "ST52" => clock::clock,
        "ST53" => clock::offset,
        "ST54" => clock::calendar,
        "ST55" => clock::state,
        "ST56" => clock::remaining,
        "ST61" => profile::limits,
        "ST62" => profile::control,
        "ST63" => profile::status,
        "ST64" => profile::data,
        "ST71" => log::limits,
        "ST72" => log::events,
        "ST73" | "ST75" => log::control,
        "ST74" => log::history,
        "ST76" => log::event,
        "MT0" => |table, octets, _| switch(table, octets),
        _ => return None,
    })
}

/// Fails unless `emit` writes `octets`, and unless any part of the table is a part of them.
fn emits(
    octets: &[u8],
    emit: impl Fn(&mut Encoder<'_>) -> Result<(), Error>,
) -> Result<(), String> {
    let part = |offset: usize, len: usize| {
        let mut buffer = vec![0xA5; len];
        let mut window = Window::new(offset, &mut buffer);
        emit(&mut Encoder::new(&mut window)).map_err(|error| error.to_string())?;
        let total = window.total();
        Ok::<_, String>((window.octets().to_vec(), total))
    };
    let (whole, total) = part(0, octets.len() + 1)?;
    equal_octets("octets", &whole, octets)?;
    equal("length", total, octets.len())?;
    for offset in 0..octets.len() {
        for len in [1, 7, 100] {
            let end = octets.len().min(offset + len);
            let (found, total) = part(offset, end - offset)?;
            equal_octets("part", &found, &octets[offset..end])?;
            equal("length", total, octets.len())?;
        }
    }
    Ok(())
}

/// A minute as the file writes it.
fn minute(time: Option<EndTime>) -> String {
    time.map_or_else(String::new, |time| {
        let EndTime {
            year,
            month,
            day,
            hour,
            minute,
        } = time;
        format!("20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}")
    })
}

/// Fails unless `emit` writes `octets`.
fn same(
    octets: &[u8],
    emit: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<(), String> {
    let mut buffer = [0xA5; TABLE_MAX];
    let mut writer = Writer::new(&mut buffer);
    emit(&mut writer).map_err(|error| error.to_string())?;
    equal_octets("octets", writer.written(), octets)
}

fn parsed<T>(result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

fn equal<T: Debug + PartialEq>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?}, expected {expected:?}"))
    }
}

fn gen_config(table: &Value, octets: &[u8]) -> Result<(), String> {
    let config = parsed(GenConfig::parse(octets))?;
    let decoded = json::member(table, "decoded")?;
    let [first, second, third] = config.format_control;
    let sets = [
        config.standard_tables,
        config.manufacturer_tables,
        config.standard_procedures,
        config.manufacturer_procedures,
        config.standard_writable,
        config.manufacturer_writable,
    ];
    for (name, value) in [
        ("DATA_ORDER", first & 1),
        ("CHAR_FORMAT", first >> 1 & 7),
        ("MODEL_SELECT", first >> 4 & 7),
        ("TM_FORMAT", second & 7),
        ("DATA_ACCESS_METHOD", second >> 3 & 3),
        ("ID_FORM", second >> 5 & 1),
        ("INT_FORMAT", second >> 6),
        ("NI_FORMAT1", third & 15),
        ("NI_FORMAT2", third >> 4),
        ("NAMEPLATE_TYPE", config.nameplate_type),
        ("DEFAULT_SET_USED", config.default_set_used),
        ("MAX_PROC_PARM_LENGTH", config.parameters_max),
        ("MAX_RESP_DATA_LEN", config.response_max),
        ("STD_VERSION_NO", config.version),
        ("STD_REVISION_NO", config.revision),
        ("DIM_STD_TBLS_USED", sets[0].len() as u8),
        ("DIM_MFG_TBLS_USED", sets[1].len() as u8),
        ("DIM_STD_PROC_USED", sets[2].len() as u8),
        ("DIM_MFG_PROC_USED", sets[3].len() as u8),
        ("DIM_MFG_STATUS_USED", config.manufacturer_status),
        ("NBR_PENDING", config.pending),
    ] {
        expect_number(decoded, name, value.into())?;
    }
    expect_octets(decoded, "DEVICE_CLASS", &config.device_class)?;
    for (name, set) in [
        "STD_TBLS_USED",
        "MFG_TBLS_USED",
        "STD_PROC_USED",
        "MFG_PROC_USED",
        "STD_TBLS_WRITE",
        "MFG_TBLS_WRITE",
    ]
    .into_iter()
    .zip(sets)
    {
        let members = (0..8 * set.len() as u16).filter(|number| contains(set, *number));
        let expected = json::list(decoded, name)?.iter().map(Value::as_u64);
        let found: Vec<_> = members.map(|number| Some(u64::from(number))).collect();
        equal(name, found, expected.collect())?;
    }
    same(octets, |writer| config.emit(writer))
}

fn manufacturer_id(table: &Value, octets: &[u8]) -> Result<(), String> {
    let id = parsed(ManufacturerId::parse(octets))?;
    let decoded = json::member(table, "decoded")?;
    for (name, text) in [
        ("MANUFACTURER", &id.manufacturer[..]),
        ("ED_MODEL", &id.model),
        ("MFG_SERIAL_NUMBER", &id.serial_number),
    ] {
        equal(name, text, json::text(decoded, name)?.as_bytes())?;
    }
    for (name, value) in [
        ("HW_VERSION_NUMBER", id.hardware[0]),
        ("HW_REVISION_NUMBER", id.hardware[1]),
        ("FW_VERSION_NUMBER", id.firmware[0]),
        ("FW_REVISION_NUMBER", id.firmware[1]),
    ] {
        expect_number(decoded, name, value.into())?;
    }
    same(octets, |writer| id.emit(writer))
}

fn mode_status(table: &Value, octets: &[u8]) -> Result<(), String> {
    let status = parsed(ModeStatus::parse(octets))?;
    let decoded = json::member(table, "decoded")?;
    expect_number(decoded, "ED_MODE", status.mode.into())?;
    expect_number(decoded, "ED_STD_STATUS1", status.status1.into())?;
    expect_number(decoded, "ED_STD_STATUS2", status.status2.into())?;
    expect_octets(decoded, "ED_MFG_STATUS", &status.manufacturer_status)?;
    same(octets, |writer| status.emit(writer))
}

fn identification(table: &Value, octets: &[u8]) -> Result<(), String> {
    let decoded = json::member(table, "decoded")?;
    let text = json::text(decoded, "IDENTIFICATION")?;
    same(octets, |writer| {
        firmware::c1219::general::put_text(text.trim_end().as_bytes(), 20, writer)
    })
}

fn initiate(_: &Value, octets: &[u8]) -> Result<(), String> {
    let table = parsed(Initiate::parse(octets))?;
    same(octets, |writer| table.emit(writer))
}

fn outcome(_: &Value, octets: &[u8]) -> Result<(), String> {
    let table = parsed(Outcome::parse(octets))?;
    same(octets, |writer| table.emit(writer))
}

fn passwords(_: &Value, octets: &[u8]) -> Result<(), String> {
    let mut reader = Reader::new(octets);
    let mut entries = Vec::new();
    while !reader.is_empty() {
        entries.push(parsed(Password::parse(&mut reader))?);
    }
    let groups: Vec<u8> = entries.iter().map(|entry| entry.groups.0).collect();
    equal("groups", groups, vec![1, 2, 4, 8])?;
    same(octets, |writer| {
        entries.iter().try_for_each(|entry| entry.emit(writer))
    })
}

fn permissions(_: &Value, octets: &[u8]) -> Result<(), String> {
    let mut reader = Reader::new(octets);
    let mut records = Vec::new();
    while !reader.is_empty() {
        records.push(parsed(Permissions::parse(&mut reader))?);
    }
    same(octets, |writer| {
        records.iter().try_for_each(|record| record.emit(writer))
    })
}

fn switch(_: &Value, octets: &[u8]) -> Result<(), String> {
    let table = parsed(SwitchTable::parse(octets))?;
    equal("state", table.state, SwitchState::Closed)?;
    equal("level", table.level_percent, 100)?;
    same(octets, |writer| table.emit(writer))
}

fn nameplate(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let table = parsed(Nameplate::parse(octets, &limits.format))?;
    equal("form", &table.configuration, b"2S   ")?;
    equal("frequency", table.frequency_hz(), Some(60))?;
    equal("class", &table.class_amperes, b"200   ")?;
    emits(octets, |out| table.emit(out))
}

fn utility_info(_: &Value, octets: &[u8], _: &Limits) -> Result<(), String> {
    let table = parsed(UtilityInfo::parse(octets))?;
    equal("owner", &table.owner, b"UTILITY             ")?;
    equal("customer", &table.customer, b"CUST00436332        ")?;
    equal("tariff", &table.tariff, b"TOU6    ")?;
    equal("software", &table.software[0], b"TOSH\x01\x00")?;
    emits(octets, |out| table.emit(out))
}

fn security(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let security = parsed(SecurityLimits::parse(octets, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    for (name, value) in [
        ("NBR_PASSWORDS", security.passwords.into()),
        ("PASSWORD_LEN", security.password_len.into()),
        ("NBR_KEYS", security.keys.into()),
        ("KEY_LEN", security.key_len.into()),
        ("NBR_PERM_USED", security.permissions.into()),
    ] {
        expect_number(decoded, name, value)?;
    }
    emits(octets, |out| security.emit(out))
}

fn keys(_: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    emits(octets, |out| out.zeros(limits.security.keys_len()))
}
