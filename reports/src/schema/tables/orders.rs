//! What head-ends ask of meters, and what the power system shows of it.

use crate::schema::table;

table! {
    /// One row per order to a service switch, in order of the time at which it was given.
    pub table "commands" => CommandRow, CommandColumns {
        /// Meter whose switch is operated.
        meter: u32 = Identifier,
        /// Head-end instance that issued the order.
        instance: u32 = Identifier,
        /// Who ordered it: `operator`, or an attacker of the scenario.
        origin: String = Identifier,
        /// Whether it is the operator who ordered it: ground truth, which no meter can tell.
        authorised: bool = Identifier,
        /// `disconnect`, `connect` or `arm`.
        action: &'static str = Identifier,
        /// When it was put into the queue of the head-end.
        ordered_ns: i64 = Nanoseconds,
        /// When it was first sent; missing if it never was.
        issued_ns: Option<i64> = Nanoseconds,
        /// When the meter had verified it and taken it; missing if it never did.
        accepted_ns: Option<i64> = Nanoseconds,
        /// When the switch was in the position ordered; missing if it never was.
        applied_ns: Option<i64> = Nanoseconds,
        /// When the head-end had the first response; missing if none came.
        responded_ns: Option<i64> = Nanoseconds,
        /// When the head-end was done with it, or the run ended.
        ended_ns: i64 = Nanoseconds,
        /// `applied_ns` - `ordered_ns`; missing if never applied.
        latency_ns: Option<i64> = Nanoseconds,
        /// Requests sent for it: with procedure, repetitions and queries for the result.
        transmissions: u32 = Count,
        /// What the switch did: `moved`, `unmoved` (was there already), `taken_back` by a later
        /// order, or why it refused; missing if it has done nothing.
        effect: Option<&'static str> = Identifier,
        /// Mean power of the premise that was cut off or supplied again; 0 unless it moved.
        load_w: f64 = Watts,
        /// `success` (confirmed by the meter), `rejected`, `timeout` or `closed`.
        outcome: &'static str = Identifier,
        /// Why the order did not succeed; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per request of the head-end to a meter, in order of the time at which it ended.
    pub table "requests" => RequestRow, RequestColumns {
        /// Meter that is asked.
        meter: u32 = Identifier,
        /// Head-end instance that asks.
        instance: u32 = Identifier,
        /// Schedule that the request belongs to, or what the timeline calls it.
        name: String = Identifier,
        /// `read_registers`, `read_profile`, `read_tables`, `on_demand_read`, `set_time`,
        /// `download`, `service_test` or `firmware_update`.
        request: &'static str = Identifier,
        /// Class of RFC 8036 §4.2, `c1` to `c5`: the order in which requests that are due are made.
        class: &'static str = Identifier,
        /// When it was to be made.
        due_ns: i64 = Nanoseconds,
        /// When its first message was sent; missing if none was.
        issued_ns: Option<i64> = Nanoseconds,
        /// When the first response came; missing if none came.
        responded_ns: Option<i64> = Nanoseconds,
        /// When the head-end was done with it, or the run ended.
        ended_ns: i64 = Nanoseconds,
        /// `ended_ns` - `due_ns`; missing without success.
        latency_ns: Option<i64> = Nanoseconds,
        /// Messages sent to the meter.
        transmissions: u32 = Count,
        /// Of these, messages that repeat an earlier one.
        repetitions: u32 = Count,
        /// C12.22 messages to the meter.
        bytes_down: u64 = Bytes,
        /// C12.22 responses of the meter.
        bytes_up: u64 = Bytes,
        /// Parts of tables that were read because a response with the whole would be too large.
        parts: u32 = Count,
        /// Services that the meter refused, not those that were asked again for less.
        refused: u32 = Count,
        /// Load profile intervals that were read.
        intervals: u32 = Count,
        /// `success`, `rejected` (by the meter), `timeout`, or `closed` (the run ended first).
        outcome: &'static str = Identifier,
        /// Why the request did not succeed; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per order of demand response, in order of when it was given.
    pub table "demand_response" => ResponseRow, ResponseColumns {
        /// Meter that the order is for.
        meter: u32 = Identifier,
        /// Head-end instance that gave it.
        instance: u32 = Identifier,
        /// Event that it begins or ends.
        event: u32 = Identifier,
        /// `limit` begins an event, `release` ends it early.
        action: &'static str = Identifier,
        /// What controllable load may draw, of what it would.
        level_ratio: f64 = Ratio,
        /// When the order was queued.
        ordered_ns: i64 = Nanoseconds,
        /// When it was first sent; missing if it never was.
        issued_ns: Option<i64> = Nanoseconds,
        /// When the meter accepted it; missing if it never did.
        received_ns: Option<i64> = Nanoseconds,
        /// When the event begins by its terms, without the random window.
        start_ns: i64 = Nanoseconds,
        /// When the meter asked the home to follow; missing if it never did, and for a release.
        acted_ns: Option<i64> = Nanoseconds,
        /// When the limit was over at the meter; missing if it was not.
        lifted_ns: Option<i64> = Nanoseconds,
        /// When the first response came; missing without one.
        responded_ns: Option<i64> = Nanoseconds,
        /// When the head-end was done with the order.
        ended_ns: i64 = Nanoseconds,
        /// How the order reached the meter first: `group` in one message to all members, or `unicast`;
        /// missing if it never did.
        delivered_by: Option<&'static str> = Identifier,
        /// Whether an order to a group was given to the meter alone in the end.
        fallback: bool = Identifier,
        /// `received_ns` - `ordered_ns`; missing if never received.
        latency_ns: Option<i64> = Nanoseconds,
        /// `acted_ns` - `start_ns`: what order, way and random window add; missing if it never acted.
        delay_ns: Option<i64> = Nanoseconds,
        /// Requests sent to the meter alone.
        transmissions: u32 = Count,
        /// Power that the home held back at first; 0 if its devices do not follow.
        held_w: f64 = Watts,
        /// Energy that the home held back.
        held_wh: f64 = WattHours,
        /// Why the limit is over: `elapsed`, `released`, `opted_out` or `superseded`; or why the meter
        /// refused it; missing if neither happened.
        effect: Option<&'static str> = Identifier,
        /// `success` (the meter has confirmed it; a member of a group that it has taken it),
        /// `rejected`, `timeout` or `closed`.
        outcome: &'static str = Identifier,
        /// Why the order did not succeed; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per second of the power system from the first movement of a switch, or the first
    /// home that follows demand response, on.
    pub table "grid" => GridRow, GridColumns {
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Switches open at the end of the bin.
        open_switches: u32 = Count,
        /// Load cut off at the end of the bin, of all premises that the meters stand for.
        lost_w: f64 = Watts,
        /// Homes that hold load back at the end of the bin.
        responding_homes: u32 = Count,
        /// Load held back at the end of the bin, of all premises that the meters stand for.
        held_w: f64 = Watts,
        /// Load in addition at the end of the bin, because it was held back before.
        rebound_w: f64 = Watts,
        /// Frequency at the end of the bin.
        frequency_hz: f64 = Hertz,
        /// Lowest frequency in the bin.
        frequency_min_hz: f64 = Hertz,
        /// Highest frequency in the bin.
        frequency_max_hz: f64 = Hertz,
    }
}

table! {
    /// One row per feeder and metering interval: the sum of its premises' load; in order of
    /// `bin_start_ns` and `feeder`.
    pub table "feeders" => FeederRow, FeederColumns {
        /// Start of the interval.
        bin_start_ns: i64 = Nanoseconds,
        /// Length of the interval.
        bin_ns: i64 = Nanoseconds,
        /// The feeder, from 0; a sector of the town.
        feeder: u32 = Identifier,
        /// Meters on the feeder.
        meters: u32 = Count,
        /// Energy drawn by premises, of all that the meters stand for.
        ///
        /// Meters with one register only count whole intervals, those after whose end they have power.
        drawn_wh: f64 = WattHours,
        /// Energy that premises fed into the feeder.
        fed_wh: f64 = WattHours,
        /// Mean load: drawn less fed. The interval under way at the end of a run is not complete.
        load_w: f64 = Watts,
    }
}

table! {
    /// One row per thing that becomes of a firmware image at a meter, in order of time.
    pub table "firmware" => FirmwareRow, FirmwareColumns {
        /// Meter that the image is for.
        meter: u32 = Identifier,
        /// When it happened.
        time_ns: i64 = Nanoseconds,
        /// Version of the image, major and minor; `activated` makes it the meter's.
        version: String = Identifier,
        /// Wave in which the update asks the meter, from 1; missing if no update asks it.
        wave: Option<u32> = Identifier,
        /// `offered` (blocks are welcome), `verified`, `activated`; refused as `unsigned` or
        /// `outdated`; or `faulty`: all blocks were there, with another digest. Not asked at all
        /// because the update was `halted`, or its wave `held_back` until the end of the run.
        step: &'static str = Identifier,
        /// Octets of the image that were written to the meter so far, repeated ones included.
        bytes: u64 = Bytes,
    }
}
