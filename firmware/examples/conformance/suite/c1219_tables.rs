//! `c1219_tables.json`: tables of one meter, as octets and as fields.
//!
//! A table whose layout the firmware does not know is listed as unsupported.

use std::fmt::Debug;

use firmware::c1219::access::{Password, Permissions};
use firmware::c1219::general::{GenConfig, ManufacturerId, ModeStatus};
use firmware::c1219::procedure::{Initiate, Outcome};
use firmware::c1219::switch::{SwitchState, SwitchTable};
use firmware::c1219::types::contains;
use firmware::c1222::service::checksum;
use firmware::wire::{Error, Reader, Writer};
use serde_json::Value;

use super::json::{self, equal_octets, expect_number, expect_octets};
use super::report::Report;

/// Octets of the longest table that is checked.
const TABLE_MAX: usize = 256;

type Check = fn(&Value, &[u8]) -> Result<(), String>;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    for (number, table) in document.get("tables")?.as_object()? {
        let name = match number.parse() {
            Ok(2048..) => format!("MT{}", number.parse::<u32>().unwrap_or(0) - 2048),
            _ => format!("ST{number}"),
        };
        let check: Check = match name.as_str() {
            "ST0" => gen_config,
            "ST1" => manufacturer_id,
            "ST3" => mode_status,
            "ST5" => identification,
            "ST7" => initiate,
            "ST8" => outcome,
            "ST42" => passwords,
            "ST44" => permissions,
            "MT0" => switch,
            _ => {
                report.unsupported_case(&name);
                continue;
            }
        };
        report.case(&name, || {
            let octets = json::octets(table, "octets")?;
            expect_number(table, "size", octets.len() as u64)?;
            expect_octets(table, "sum_checksum", &[checksum(&octets)])?;
            check(table, &octets)
        });
    }
    Some(())
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
