//! Names of C12.19 tables, procedures and response codes.

use firmware::c1219::ProcedureId;
use firmware::c1222::service::{ResponseCode, TableId};

/// Standard tables by number, without the ending `_TBL` (C12.19-2008 §9).
const STANDARD: &[(u16, &str)] = &[
    (0, "GEN_CONFIG"),
    (1, "GENERAL_MFG_ID"),
    (2, "DEVICE_NAMEPLATE"),
    (3, "ED_MODE_STATUS"),
    (4, "PENDING_STATUS"),
    (5, "DEVICE_IDENT"),
    (6, "UTIL_INFO"),
    (7, "PROC_INITIATE"),
    (8, "PROC_RESPONSE"),
    (10, "DIM_SOURCES_LIM"),
    (11, "ACT_SOURCES_LIM"),
    (12, "UOM_ENTRY"),
    (13, "DEMAND_CONTROL"),
    (14, "DATA_CONTROL"),
    (15, "CONSTANTS"),
    (16, "SOURCES"),
    (20, "DIM_REGS"),
    (21, "ACT_REGS"),
    (22, "DATA_SELECTION"),
    (23, "CURRENT_REG_DATA"),
    (24, "PREVIOUS_SEASON_DATA"),
    (25, "PREVIOUS_DEMAND_RESET_DATA"),
    (26, "SELF_READ_DATA"),
    (27, "PRESENT_REGISTER_SELECT"),
    (28, "PRESENT_REGISTER_DATA"),
    (30, "DIM_DISP"),
    (31, "ACT_DISP"),
    (32, "DISP_SOURCE"),
    (33, "PRI_DISP_LIST"),
    (34, "SEC_DISP_LIST"),
    (40, "DIM_SECURITY_LIMITING"),
    (41, "ACT_SECURITY_LIMITING"),
    (42, "SECURITY"),
    (43, "DEFAULT_ACCESS_CONTROL"),
    (44, "ACCESS_CONTROL"),
    (45, "KEY"),
    (46, "EXTENDED_KEY"),
    (50, "DIM_TIME_TOU"),
    (51, "ACT_TIME_TOU"),
    (52, "CLOCK"),
    (53, "TIME_OFFSET"),
    (54, "CALENDAR"),
    (55, "CLOCK_STATE"),
    (56, "TIME_REMAIN"),
    (60, "DIM_LP"),
    (61, "ACT_LP"),
    (62, "LP_CTRL"),
    (63, "LP_STATUS"),
    (64, "LP_DATA_SET1"),
    (65, "LP_DATA_SET2"),
    (66, "LP_DATA_SET3"),
    (67, "LP_DATA_SET4"),
    (70, "DIM_LOG"),
    (71, "ACT_LOG"),
    (72, "EVENTS_ID"),
    (73, "HISTORY_LOG_CTRL"),
    (74, "HISTORY_LOG_DATA"),
    (75, "EVENT_LOG_CTRL"),
    (76, "EVENT_LOG_DATA"),
    (80, "DIM_UDT_FUNC_LIM"),
    (81, "ACT_UDT_FUNC_LIM"),
    (90, "DIM_TELEPHONE"),
    (91, "ACT_TELEPHONE"),
    (110, "DIM_LOAD_CONTROL"),
    (111, "ACT_LOAD_CONTROL"),
    (112, "LOAD_CONTROL_STATUS"),
    (113, "LOAD_CONTROL_CONFIGURATION"),
    (114, "LOAD_CONTROL_SCHEDULE"),
    (115, "LOAD_CONTROL_CONDITIONS"),
    (116, "PREPAYMENT_STATUS"),
    (117, "PREPAYMENT_CONTROL"),
    (118, "BILLING_CONTROL"),
    (120, "DIM_NETWORK"),
    (121, "ACT_NETWORK"),
    (122, "INTERFACE_CTRL"),
    (123, "EXCEPTION_REPORT"),
    (124, "FILTERING_RULES"),
    (125, "INTERFACE_STATUS"),
    (126, "REGISTRATION_STATUS"),
    (127, "NETWORK_STATISTICS"),
    (130, "DIM_RELAY"),
    (131, "ACT_RELAY"),
];

/// Standard procedures by number (C12.19-2008 §9.1.8).
const PROCEDURES: &[&str] = &[
    "cold start",
    "warm start",
    "save configuration",
    "clear data",
    "reset list pointers",
    "update last read entry",
    "change end device mode",
    "clear standard status flags",
    "clear manufacturer status flags",
    "remote reset",
    "set date and time",
    "execute diagnostics",
    "activate all pending tables",
    "activate specific pending table",
    "clear all pending tables",
    "clear specific pending table",
    "start load profile",
    "stop load profile",
    "log in",
    "log out",
    "initiate an immediate call",
    "direct load control",
    "modify credit",
    "register",
    "deregister",
    "network interface control",
    "exception report",
    "clear call status",
];

/// A table by number and name, such as `ST1 GENERAL_MFG_ID`.
pub(super) fn name(table: TableId) -> String {
    let number = table.number();
    let pending = if table.is_pending() { "pending " } else { "" };
    if table.is_manufacturer() {
        let name = if number == 0 { " SWITCH" } else { "" };
        return format!("{pending}MT{number}{name}");
    }
    match STANDARD.binary_search_by_key(&number, |(number, _)| *number) {
        Ok(at) => format!("{pending}ST{number} {}", STANDARD[at].1),
        Err(_) => format!("{pending}ST{number}"),
    }
}

/// A procedure by number and name.
pub(super) fn procedure(id: ProcedureId) -> String {
    let number = id.procedure() & 0x07FF;
    if id.procedure() & 0x0800 != 0 {
        let name = if number == 0 { " (service switch)" } else { "" };
        return format!("manufacturer procedure {number}{name}");
    }
    match PROCEDURES.get(usize::from(number)) {
        Some(name) => format!("procedure {number} ({name})"),
        None => format!("procedure {number}"),
    }
}

/// A response code by its short name and what it means.
pub(super) const fn response_code(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::Ok => "ok",
        ResponseCode::Err => "err (error)",
        ResponseCode::Sns => "sns (service not supported)",
        ResponseCode::Isc => "isc (insufficient security clearance)",
        ResponseCode::Onp => "onp (operation not possible)",
        ResponseCode::Iar => "iar (inappropriate action requested)",
        ResponseCode::Bsy => "bsy (device busy)",
        ResponseCode::Dnr => "dnr (data not ready)",
        ResponseCode::Dlk => "dlk (data locked)",
        ResponseCode::Rno => "rno (renegotiate request)",
        ResponseCode::Isss => "isss (invalid service sequence state)",
        ResponseCode::Sme => "sme (security mechanism error)",
        ResponseCode::Uat => "uat (unknown application title)",
        ResponseCode::Nett => "nett (network time-out)",
        ResponseCode::Netr => "netr (network not reachable)",
        ResponseCode::Rqtl => "rqtl (request too large)",
        ResponseCode::Rstl => "rstl (response too large)",
        ResponseCode::Sgnp => "sgnp (segmentation not possible)",
        ResponseCode::Sgerr => "sgerr (segmentation error)",
        ResponseCode::Unknown(_) => "unknown response code",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_by_number() {
        assert!(STANDARD.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(name(TableId::standard(64)), "ST64 LP_DATA_SET1");
        assert_eq!(name(TableId::standard(9)), "ST9");
        assert_eq!(name(TableId::manufacturer(0)), "MT0 SWITCH");
        assert_eq!(name(TableId(0x1000 | 54)), "pending ST54 CALENDAR");
    }
}
