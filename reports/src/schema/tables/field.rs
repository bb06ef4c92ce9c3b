//! Homes, visits and outages: what happens around a meter.

use crate::schema::table;

table! {
    /// One row per device of a home area network and time bin, in order of meter and device.
    pub table "han" => HanRow, HanColumns {
        /// Meter whose home it is.
        meter: u32 = Identifier,
        /// Place of the device in the home, from 0; displays come first.
        device: u32 = Identifier,
        /// `display` or `hems`.
        kind: &'static str = Identifier,
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Frames of the meter to the device, each counted once.
        frames_down: u64 = Count,
        /// Frames of the device, each counted once.
        frames_up: u64 = Count,
        /// Transmissions that repeat a frame, in both directions.
        retransmissions: u64 = Count,
        /// Frames that did not come through, in both directions.
        frames_lost: u64 = Count,
        /// Octets of all transmissions (PSDU, without preambles and acknowledgements).
        bytes: u64 = Bytes,
        /// Time on the air of all transmissions, with preambles and acknowledgements.
        airtime_ns: i64 = Nanoseconds,
        /// Updates that the meter sent.
        updates_sent: u64 = Count,
        /// Updates that the device has got.
        updates_received: u64 = Count,
        /// Time with power.
        powered_ns: i64 = Nanoseconds,
        /// Of it, time in which what the device knew was older than two update periods.
        stale_ns: i64 = Nanoseconds,
        /// Times that the device has associated.
        associations: u64 = Count,
        /// Link keys that the device has taken into use.
        keys: u64 = Count,
        /// Id of the link key in use at the end of the bin; missing without one.
        key_id: Option<u32> = Identifier,
        /// Demand events that the device has answered.
        events_answered: u64 = Count,
        /// Of these, those in which it takes part.
        events_accepted: u64 = Count,
        /// Frames that the device discarded.
        rejects: u64 = Count,
        /// Power as a display shows it at the end of the bin; missing on other devices.
        shown_w: Option<f64> = Watts,
        /// Energy of the last 24 hours as a display shows it; missing on other devices.
        shown_day_wh: Option<u64> = WattHours,
    }
}

table! {
    /// One row per session at the optical port of a meter, in order of its end.
    pub table "optical" => OpticalRow, OpticalColumns {
        /// Meter whose port it is.
        meter: u32 = Identifier,
        /// First octet of the session.
        start_ns: i64 = Nanoseconds,
        /// End of the session for whoever made it.
        end_ns: i64 = Nanoseconds,
        /// Number of the user in Logon; 0 if he names none.
        user_id: u32 = Identifier,
        /// Name of the user in Logon.
        user: String = Identifier,
        /// `read`, `install`, `configure`, or `guess` of an intruder.
        errand: &'static str = Identifier,
        /// Attacker of the scenario; missing for technicians.
        attacker: Option<String> = Identifier,
        /// `completed`; `refused` if the meter refused a part; `mismatch` if a table read back
        /// otherwise than written; `wrong_password`, `locked_out`, `no_answer`, `lost` (line),
        /// `out_of_time`, `occupied` (another probe is at the port), `unfinished` (end of the run).
        outcome: &'static str = Identifier,
        /// Speed that was agreed upon; 0 if nothing was said.
        baud: u32 = Count,
        /// Rights that the session had: `none` (no Logon), `guest`, `reader`, `installer`, `master`.
        access: &'static str = Identifier,
        /// Requests that the visitor made.
        requests: u64 = Count,
        /// Requests answered otherwise than with `ok`, and procedures that were not carried out.
        refused: u64 = Count,
        /// Tables read, read-backs included.
        tables_read: u64 = Count,
        /// Octets of these tables.
        bytes_read: u64 = Bytes,
        /// Tables that the meter let be written.
        tables_written: u64 = Count,
        /// Of these, those that read back as written.
        tables_verified: u64 = Count,
        /// Procedures that the meter has carried out.
        procedures: u64 = Count,
        /// Passwords that the meter has judged.
        passwords: u64 = Count,
        /// Of these, wrong ones, as the meter counts them.
        wrong_passwords: u64 = Count,
        /// Whether a wrong password locked the port.
        locked_out: bool = Identifier,
        /// Packets in both directions, repetitions included, acknowledgements not.
        packets: u64 = Count,
        /// Octets to the meter, acknowledgements included.
        bytes_to_meter: u64 = Bytes,
        /// Octets from the meter, acknowledgements included.
        bytes_from_meter: u64 = Bytes,
        /// Packets asked for again (NAK), in both directions.
        naks: u64 = Count,
        /// Packets sent again, in both directions.
        retransmissions: u64 = Count,
        /// Packets and acknowledgements damaged on the line.
        damaged: u64 = Count,
        /// What the visitor's program discarded; that of meters is in `rejects`.
        discarded: u64 = Count,
    }
}

table! {
    /// One row per loss of power of a meter that reports it, in order of the time at which it was
    /// lost.
    pub table "outages" => OutageRow, OutageColumns {
        /// Meter without power.
        meter: u32 = Identifier,
        /// When mains were lost.
        lost_ns: i64 = Nanoseconds,
        /// When the capacitor of the meter was empty; missing if mains returned before.
        dark_ns: Option<i64> = Nanoseconds,
        /// When mains returned; missing if the run ended before.
        returned_ns: Option<i64> = Nanoseconds,
        /// `sustained`, or `momentary`: over before it is long enough to be reported.
        kind: &'static str = Identifier,
        /// Last gasps that arrived at the head-end.
        last_gasps: u32 = Count,
        /// When the first of them arrived; missing if none did.
        last_gasp_ns: Option<i64> = Nanoseconds,
        /// `last_gasp_ns` - `lost_ns`; missing if none arrived.
        last_gasp_latency_ns: Option<i64> = Nanoseconds,
        /// When the message arrived that power had returned; missing if it did not.
        restoration_ns: Option<i64> = Nanoseconds,
        /// `restoration_ns` - `returned_ns`; missing if none arrived.
        restoration_latency_ns: Option<i64> = Nanoseconds,
    }
}
