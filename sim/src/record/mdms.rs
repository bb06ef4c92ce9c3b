//! What the meter data management system has: the table `mdms`.

use models::mdms::DayRecord;
use reports::schema::tables::MdmsRow;

use super::rows::duration;

pub(super) fn day(meter: u32, record: &DayRecord) -> MdmsRow {
    MdmsRow {
        meter,
        day: record.day,
        day_start_ns: record.start_ns,
        expected: record.expected,
        received: record.on_time + record.late,
        on_time: record.on_time,
        late: record.late,
        replaced: record.replaced,
        unmeasured: record.unmeasured,
        missing: record.missing,
        gaps: record.gaps,
        gap_max: record.gap_max,
        estimated: record.estimated,
        duplicates: record.duplicates,
        dropped: record.dropped,
        misplaced: record.misplaced,
        power_fail: record.power_fail,
        clock_set: record.clock_set,
        partial: record.partial,
        energy_wh: record.energy_wh,
        estimated_wh: record.estimated_wh,
        register_wh: record.register_wh,
        validation: record.validation.name(),
        lag_max_ns: duration(record.lag_max),
    }
}
