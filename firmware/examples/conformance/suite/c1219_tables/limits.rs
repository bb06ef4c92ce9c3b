//! The tables that the sizes of others depend on.

use firmware::c1219::access::SecurityLimits;
use firmware::c1219::clock::TimeLimits;
use firmware::c1219::format::Format;
use firmware::c1219::general::GenConfig;
use firmware::c1219::log::{Dimensions, LogLimits};
use firmware::c1219::profile::ProfileLimits;
use firmware::c1219::registers::RegisterLimits;
use firmware::c1219::sources::SourceLimits;
use serde_json::Value;

use super::super::json;
use super::parsed;

/// Formats and limits of the meter whose tables the file holds.
pub(super) struct Limits {
    pub(super) format: Format,
    pub(super) dimensions: Dimensions,
    pub(super) sources: SourceLimits,
    pub(super) registers: RegisterLimits,
    pub(super) security: SecurityLimits,
    pub(super) time: TimeLimits,
    pub(super) profile: ProfileLimits,
    pub(super) log: LogLimits,
}

impl Limits {
    pub(super) fn of(tables: &Value) -> Result<Self, String> {
        let octets = |number: &str| json::octets(json::member(tables, number)?, "octets");
        let general = octets("0")?;
        let general = parsed(GenConfig::parse(&general))?;
        let format = parsed(Format::parse(general.format_control))?;
        Ok(Self {
            format,
            dimensions: Dimensions {
                standard_tables: general.standard_tables.len() as u8,
                manufacturer_tables: general.manufacturer_tables.len() as u8,
                standard_procedures: general.standard_procedures.len() as u8,
                manufacturer_procedures: general.manufacturer_procedures.len() as u8,
            },
            sources: parsed(SourceLimits::parse(&octets("11")?, &format))?,
            registers: parsed(RegisterLimits::parse(&octets("21")?, &format))?,
            security: parsed(SecurityLimits::parse(&octets("41")?, &format))?,
            time: parsed(TimeLimits::parse(&octets("51")?, &format))?,
            profile: parsed(ProfileLimits::parse(&octets("61")?, &format))?,
            log: parsed(LogLimits::parse(&octets("71")?, &format))?,
        })
    }
}
