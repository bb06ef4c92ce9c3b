//! What meters measure, and how far it comes.

use crate::schema::table;

table! {
    /// One row per interval read that fell due, in order of its end.
    pub table "reads" => ReadRow, ReadColumns {
        /// Meter read.
        meter: u32 = Identifier,
        /// End of the interval, which is when the read falls due.
        due_ns: i64 = Nanoseconds,
        /// When the head-end accepted the read; missing if it never did.
        delivered_ns: Option<i64> = Nanoseconds,
        /// `delivered_ns` - `due_ns`; missing if never delivered.
        latency_ns: Option<i64> = Nanoseconds,
        /// Energy of the interval.
        interval_wh: u32 = WattHours,
    }
}

table! {
    /// One row per local day and per demand reset of a meter with full metering, and one at the end
    /// of the run: its registers; in order of `time_ns`.
    pub table "registers" => RegisterRow, RegisterColumns {
        /// Meter whose registers these are.
        meter: u32 = Identifier,
        /// Why: `day` (a local day ended), `demand_reset` or `run_ended`.
        reason: &'static str = Identifier,
        /// When the row was made: at the next measurement after the meter's midnight.
        time_ns: i64 = Nanoseconds,
        /// Time of the registers by the meter's own clock.
        clock_ns: i64 = Nanoseconds,
        /// Energy delivered to the premise since the meter is new.
        delivered_wh: u64 = WattHours,
        /// Energy received from the premise.
        received_wh: u64 = WattHours,
        /// Delivered plus received.
        sum_wh: u64 = WattHours,
        /// Delivered minus received.
        net_wh: i64 = WattHours,
        /// Lagging reactive energy.
        lagging_varh: u64 = VarHours,
        /// Leading reactive energy.
        leading_varh: u64 = VarHours,
        /// Of the energy delivered, that at rate 0.
        rate_0_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 1.
        rate_1_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 2.
        rate_2_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 3.
        rate_3_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 4.
        rate_4_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 5.
        rate_5_wh: u64 = WattHours,
        /// Sum of all intervals of the load profile so far; missing if none records this energy.
        profile_wh: Option<u64> = WattHours,
        /// Demand resets since the meter is new; counts to 255 and starts over.
        demand_resets: u32 = Count,
    }
}

table! {
    /// One row per maximum demand of a row of `registers`, in the same order: the total in both
    /// directions, and each rate that had any.
    pub table "demand" => DemandRow, DemandColumns {
        /// Meter whose registers these are.
        meter: u32 = Identifier,
        /// Why, as in `registers`.
        reason: &'static str = Identifier,
        /// When, as in `registers`.
        time_ns: i64 = Nanoseconds,
        /// `delivered` to the premise or `received` from it.
        direction: &'static str = Identifier,
        /// The rate; missing for the maximum regardless of rates.
        rate: Option<u32> = Identifier,
        /// Highest mean power of a demand block since the last reset.
        max_w: u32 = Watts,
        /// End of that block by the meter's own clock; missing without one.
        max_at_ns: Option<i64> = Nanoseconds,
        /// Sum of the maxima of all periods before the last reset.
        cumulative_w: u32 = Watts,
    }
}

table! {
    /// One row per meter and day of the meter data management system, in order of day and meter;
    /// empty without one. An interval belongs to the day in which it ends.
    pub table "mdms" => MdmsRow, MdmsColumns {
        /// Meter whose data these are.
        meter: u32 = Identifier,
        /// Number of the day, 0 being that of the start of the run.
        day: u32 = Identifier,
        /// Midnight at which the day begins; the first one may have begun before the run.
        day_start_ns: i64 = Nanoseconds,
        /// Intervals that the day should have, as far as it is part of the run.
        expected: u32 = Count,
        /// Intervals with an energy from the meter: on time or late.
        received: u32 = Count,
        /// Intervals that were stored by the deadline.
        on_time: u32 = Count,
        /// Intervals that were stored after it.
        late: u32 = Count,
        /// Late intervals that replaced an estimate.
        replaced: u32 = Count,
        /// Intervals in which the meter says that it measured nothing, as without power.
        unmeasured: u32 = Count,
        /// Intervals that never came.
        missing: u32 = Count,
        /// Gaps that these form.
        gaps: u32 = Count,
        /// Intervals of the longest gap.
        gap_max: u32 = Count,
        /// Missing intervals with an estimate.
        estimated: u32 = Count,
        /// Intervals that came more than once, each repetition.
        duplicates: u32 = Count,
        /// Intervals that the full buffer of the loader had no room for.
        dropped: u32 = Count,
        /// Intervals that came in the course of the day and are no interval of the run.
        misplaced: u32 = Count,
        /// Received intervals with a failure of power, as the meter says.
        power_fail: u32 = Count,
        /// Received intervals in which the meter's clock was set.
        clock_set: u32 = Count,
        /// Received intervals that were shorter or longer than others.
        partial: u32 = Count,
        /// Energy of the received intervals.
        energy_wh: u64 = WattHours,
        /// Energy of the estimates.
        estimated_wh: u64 = WattHours,
        /// Advance of the registers between the readings that were compared with the intervals;
        /// missing if none were.
        register_wh: Option<u64> = WattHours,
        /// `pass` or `fail`: whether intervals and registers agree; `unchecked` without two readings
        /// and all intervals between them.
        validation: &'static str = Identifier,
        /// Longest time from the head-end into the database.
        lag_max_ns: i64 = Nanoseconds,
    }
}
